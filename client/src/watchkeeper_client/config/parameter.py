"""Parameters declared in code: the key, the type and the default stand where they are used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import time, timedelta
from typing import Any

from watchkeeper_client.rules import Definition, complaints_about, duration_text

_TYPES: Mapping[Any, str] = {
    str: "string",
    int: "integer",
    float: "float",
    bool: "boolean",
    timedelta: "duration",
    time: "time_of_day",
    dict: "json",
    list: "json",
}


class Parameter(str):
    """A key that knows its definition: `MATCHES = Parameter("MATCHES_PER_DAY", int, default=3, min=1, max=10)`.

    It is the key itself, so `client.get(MATCHES)` works wherever a key does, with this default. `kind` is a Python type
    or the name of a type of the registry, such as `"secret"` or `"flag"`. Raises ValueError for a wrong definition.
    """

    definition: Definition
    default: Any

    def __new__(
        cls,
        key: str,
        kind: type | str = str,
        *,
        default: Any = None,
        min: Any = None,  # noqa: A002 (as the registry calls it in files)
        max: Any = None,  # noqa: A002
        choices: Sequence[str] = (),
        description: str = "",
        **more: Any,
    ) -> Parameter:
        made = super().__new__(cls, key)
        named = kind if isinstance(kind, str) else "enum" if choices and kind is str else _TYPES.get(kind)
        if named is None:
            raise ValueError(
                f"{key}: there is no type for {kind!r}; use one of {', '.join(sorted(set(_TYPES.values())))}"
            )
        said = {"key": key, "type": named, "choices": tuple(choices), "description": description, **more}
        bounds = {"default": _wire(default), "minimum": _wire(min), "maximum": _wire(max)}
        made.definition = Definition.of({**said, **bounds})
        made.default = default
        wrong = complaints_about(made.definition)
        if wrong:
            raise ValueError(f"{key}: " + "; ".join(f"{where}: expected {expected}" for where, expected in wrong))
        return made


def _wire(value: Any) -> Any:
    if isinstance(value, timedelta):
        return duration_text(value)
    return value.isoformat() if isinstance(value, time) else value
