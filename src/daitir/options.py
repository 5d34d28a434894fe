"""Typed options: what decides a stage's bytes, and beside it how fast they come.

A component of ``config.yaml`` is one ``Options`` class. Each field says by its role whether it changes
the bytes (the default), only the bytes of texts (``text_only``) or none at
all (``how``: batch size, device, workers).
"""

from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Self, Union, cast, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from daitir.errors import DaitirError
from daitir.files import digest_model, digest_text

Role = Literal["bytes", "text", "how", "where"]
Device = Literal["auto", "cpu", "cuda", "mps"]
Dtype = Literal["float32", "bfloat16", "float16"]
LONGEST_SHOWN = 100  # letters of a key or a value that a refusal repeats


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
            raise DaitirError(f"{source}: {'; '.join(describe_faults(error, cls))}") from None


def _holds_options(value: Any) -> bool:
    return isinstance(value, dict) and any(isinstance(item, Options) for item in value.values())


def describe_faults(error: ValidationError, model: type[Options]) -> list[str]:
    """Return one phrase a fault of ``model``: the path of the key, what is wrong, and what was given."""
    return [_describe(fault, path_of_key(model, fault["loc"])) for fault in error.errors()]


def _describe(fault: Any, path: str) -> str:
    if fault["type"] == "extra_forbidden":
        return f"{path}: unknown key, remove it or mend its spelling"
    if fault["type"] == "missing":
        return f"{path}: missing, write it"
    message = fault["msg"].removeprefix("Value error, ")
    given = fault.get("input")
    return f"{path}: {message}" + (
        f" (given {_cut(repr(given))})" if isinstance(given, str | int | float | bool) else ""
    )


def _cut(text: str) -> str:
    """Return what was given or, of something long, its beginning: a refusal says where, not all of it."""
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."


def path_of_key(model: type[Options], places: tuple[int | str, ...]) -> str:
    """Return ``fusions.mine.experts`` for (fusions, mine, adafuse, experts): the kind of a union is no key.

    The types are followed downwards, for a system may well be called ``adafuse``.
    """
    keys, here = [], [model]  # the types of which the value at this place may be
    for place in places:
        kinds = {kind: member for member in here for kind in _kinds_of(member)} if len(here) > 1 else {}
        if place in kinds:
            here = [kinds[place]]
        elif place != "[key]":  # pydantic's sign that the key is at fault, not its value
            keys.append(_cut(str(place)))
            here = [inner for member in here for inner in _types_at(member, place)]
    return ".".join(keys)


def _kinds_of(member: Any) -> tuple[Any, ...]:
    """Return the kinds by which a union knows a member."""
    is_options = isinstance(member, type) and issubclass(member, Options)
    field = member.model_fields.get("kind") if is_options else None
    return get_args(field.annotation) if field else ()


def _types_at(member: Any, place: int | str) -> list[Any]:
    """Return the types of what a value of type ``member`` holds at a place."""
    if isinstance(member, type) and issubclass(member, Options):
        field = member.model_fields.get(str(place))
        return _members(field.annotation) if field else []
    inner = [part for part in get_args(member) if part is not Ellipsis]
    return _members(inner[-1]) if inner else []  # of a dict its values


def _members(annotation: Any) -> list[Any]:
    """Return the types in a union, also in one that is annotated or in another."""
    if get_origin(annotation) is Annotated:
        return _members(get_args(annotation)[0])
    if get_origin(annotation) in {Union, UnionType}:
        return [member for part in get_args(annotation) for member in _members(part)]
    return [] if annotation is NoneType else [annotation]


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
    except UnicodeDecodeError:
        raise DaitirError(f"template {path} is not UTF-8 text: save it as that") from None
