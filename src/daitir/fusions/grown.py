"""Options that get new fields while weights that were trained with the old ones stay good."""

from typing import Any

from pydantic import Field

from daitir.options import Options, Role


def unless_default(default: Any, **constraints: Any) -> Any:
    """Field that is in the record of the options only where it differs from its default.

    What was trained before the field existed was trained with its default, and is not trained again.
    """
    return Field(default, json_schema_extra={"unless_default": True}, **constraints)


class GrownOptions(Options):
    """Options with fields that came later."""

    def only(self, *roles: Role) -> dict[str, Any]:
        """Return the fields of the given roles; a field ``unless_default`` is left out at its default."""
        chosen = super().only(*roles)
        return {name: value for name, value in chosen.items() if not self._is_unsaid(name)}

    def _is_unsaid(self, name: str) -> bool:
        field = type(self).model_fields[name]
        extra = field.json_schema_extra
        return isinstance(extra, dict) and "unless_default" in extra and getattr(self, name) == field.default
