"""Who made a file: options, versions, model, code and the digests of the inputs."""

import ast
import importlib.util
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from daitir import __version__
from daitir.errors import DaitirError
from daitir.files import digest_bytes

COMPANIONS = {".j2", ".jinja", ".html", ".css", ".js"}
PACKAGE = Path(__file__).parent
PACKAGES = ("torch", "diffusers", "transformers")


def provenance(stage: str, options: dict[str, Any], inputs: dict[str, str] | None = None) -> dict[str, Any]:
    """Return the record a stage writes into its output; ``inputs`` maps a role to a content digest."""
    return {"stage": stage, "options": options, "inputs": inputs or {}, "versions": versions()}


def versions() -> dict[str, str]:
    """Return the versions that may change bytes."""
    found = {"daitir": __version__}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def made_by_these_versions(path: Path, record: dict[str, Any]) -> bool:
    """Return whether the versions of now made a file, by its record; say so of one that others made.

    What is taken over from a file stands in another, whose record names the versions of now.
    """
    if record.get("versions") == versions():
        return True
    print(f"note: {path} was made by other versions: not taken", file=sys.stderr, flush=True)
    return False


def require_same(what: str, records: dict[str, Any]) -> None:
    """Stop on a mix: inputs that must come from one component but say otherwise."""
    names = list(records)
    for name in names[1:]:
        if records[name] != records[names[0]]:
            raise DaitirError(
                f"{what} differs between {names[0]} and {name}: remove the older of the two and run again"
            )


@cache
def code_revision(module: str) -> str:
    """Return what stands for a stage's code: its ``REVISION``, or a digest of it and its local imports.

    Stages that take GPU hours carry a ``REVISION`` (a cosmetic edit must not redo them), cheap ones are
    digested. Nothing is imported, so that planning stays fast.
    """
    tree = ast.parse(_source(module))
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(
            getattr(target, "id", "") == "REVISION" for target in node.targets
        ):
            return f"revision-{ast.literal_eval(node.value)}"
    names = sorted(local_imports(module))
    return digest_bytes(part for name in names for part in (_source(name).encode(), *companions(name)))


def companions(module: str) -> list[bytes]:
    """Return the templates, styles and scripts beside a module: they change what it writes, as code does."""
    origin = _origin(module)
    beside = origin.parent.iterdir() if origin else ()
    return [path.read_bytes() for path in sorted(beside) if path.suffix in COMPANIONS]


def local_imports(module: str) -> set[str]:
    """Return ``module`` and every module of this package that it imports, directly or not."""
    found: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in found or _origin(name) is None:
            continue
        found.add(name)
        waiting.extend(imports_of(name))
    return found


@cache
def imports_of(module: str) -> frozenset[str]:
    """Return the modules of this package that the source of ``module`` names in its import statements."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(_source(module))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return frozenset(name for name in names if name.startswith("daitir.") and _origin(name))


@cache
def _origin(module: str) -> Path | None:
    """Return the file of a module; for one of this package Python is not asked, which would import it."""
    package, *parts = module.split(".")
    if package == __package__:
        place = PACKAGE.joinpath(*parts)
        files = (place / "__init__.py", place.with_name(f"{place.name}.py"))
        return next((file for file in files if file.is_file()), None)
    try:
        spec = importlib.util.find_spec(module)
    except ModuleNotFoundError:
        return None
    return Path(spec.origin) if spec and spec.origin else None


@cache
def _source(module: str) -> str:
    origin = _origin(module)
    assert origin is not None, module
    return origin.read_text(encoding="utf-8")
