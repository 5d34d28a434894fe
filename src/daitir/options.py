"""Typed options: what decides a stage's bytes, and beside it how fast they come.

A component of ``config.yaml`` is one ``Options`` class. Each field says by its role whether it changes
the bytes (the default), only the bytes of texts (``text_only``) or none at
all (``how``: batch size, device, workers).
"""

from pathlib import Path
from typing import Any, Literal, Self, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from daitir.errors import DaitirError
from daitir.files import digest_model, digest_text

Role = Literal["bytes", "text", "how", "where"]
Device = Literal["auto", "cpu", "cuda", "mps"]
Dtype = Literal["float32", "bfloat16", "float16"]


def how(default: Any, **constraints: Any) -> Any:
    """Field that changes how fast the bytes come, never which."""
    return Field(default, json_schema_extra={"role": "how"}, **constraints)


def text_only(default: Any, **constraints: Any) -> Any:
    """Field of an encoder that changes the features of texts and leaves those of images alone."""
    return Field(default, json_schema_extra={"role": "text"}, **constraints)


def where(default: Any = ..., **constraints: Any) -> Any:
    """Field that names data by its path: an input of the workflow, known by its content, not its name."""
    return Field(default, json_schema_extra={"role": "where"}, **constraints)


class Options(BaseModel):
    """Frozen settings that refuse unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    @classmethod
    def role_of(cls, field: str) -> Role:
        """Return the role of a field: ``bytes``, ``text``, ``how`` or ``where``."""
        extra = cls.model_fields[field].json_schema_extra
        return cast(Role, extra.get("role", "bytes")) if isinstance(extra, dict) else "bytes"

    def only(self, *roles: Role) -> dict[str, Any]:
        """Return the fields of the given roles as plain JSON values, those of options inside options too."""
        chosen = {}
        for name, value in self.model_dump(mode="json").items():
            inner = getattr(self, name)
            if isinstance(inner, Options):
                chosen[name] = inner.only(*roles)
            elif _holds_options(inner):
                chosen[name] = {key: options.only(*roles) for key, options in inner.items()}
            elif self.role_of(name) in roles:
                chosen[name] = value
        return chosen

    @classmethod
    def parse(cls, value: Any, source: str) -> Self:
        """Validate plain values; the error lists every fault in one line, each with the path of its key."""
        try:
            return cls.model_validate(value)
        except ValidationError as error:
            raise DaitirError(f"{source}: {'; '.join(describe_faults(error))}") from None


def _holds_options(value: Any) -> bool:
    return isinstance(value, dict) and any(isinstance(item, Options) for item in value.values())


def describe_faults(error: ValidationError) -> list[str]:
    """Return one phrase a fault: the path of the key, what is wrong, and what was given."""
    return [_describe(fault) for fault in error.errors()]


def _describe(fault: Any) -> str:
    path = _path_of_key(fault["loc"])
    if fault["type"] == "extra_forbidden":
        return f"{path}: unknown key, remove it or mend its spelling"
    if fault["type"] == "missing":
        return f"{path}: missing, write it"
    message = fault["msg"].removeprefix("Value error, ")
    given = fault.get("input")
    return f"{path}: {message}" + (
        f" (given {given!r})" if isinstance(given, str | int | float | bool) else ""
    )


def _path_of_key(places: tuple[int | str, ...]) -> str:
    """Return ``fusions.mine.experts`` for (fusions, mine, adafuse, experts): a kind is no key.

    It stands behind a component, or behind its name; a system may well be called ``adafuse``.
    """
    kind_at = 1 if places and places[0] in _COMPONENTS else 2
    return ".".join(str(part) for at, part in enumerate(places) if at != kind_at or part not in _UNION_TAGS)


_COMPONENTS = {"reformulator", "generator", "encoder", "fusion"}
_UNION_TAGS: set[str] = set()


def name_union_tags(*tags: str) -> None:
    """Tell the messages which parts of a path are only the kinds of a component, not keys of the config."""
    _UNION_TAGS.update(tags)


def local_digests(options: Options) -> dict[str, str]:
    """Digests of the local files that a component names: its model directory and its templates.

    They stand beside the options of a stage, so that a retrained model or an edited template
    is a changed option.
    """
    found = {}
    for field, value in options.only("bytes", "text").items():
        if field == "model" and Path(value).is_dir():
            found[field] = digest_model(Path(value))
        elif field.endswith("_template") and value is not None:
            found[field] = digest_text(read_template(Path(value)))
    return found


def read_template(path: Path) -> str:
    """Return the text of a prompt template."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise DaitirError(f"template {path} does not exist: mend its path in config.yaml") from None
