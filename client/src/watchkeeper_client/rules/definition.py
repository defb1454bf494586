"""What a parameter is: its type, its bounds, and what is said of it. The same on the server and in services."""

from __future__ import annotations

import dataclasses
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from watchkeeper_client.rules.values import ORDERED, TYPES, NotThatType, normal, sort_value, text_of

KEY = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,149}")
VARIANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
MOST_VARIANTS = 20
MOST_CHOICES = 200
_TEXTS = {"description": 2_000, "unit": 40, "owner": 200, "group": 200, "service": 300, "pattern": 500, "salt": 64}


@dataclass(frozen=True)
class Definition:
    """A parameter's entry in the registry; values are in their wire form, None where nothing is said.

    Of a flag, `default` and `off` name variants: what is served when nothing else decides, and when it is killed.
    """

    key: str
    type: str
    default: Any = None
    minimum: Any = None
    maximum: Any = None
    pattern: str | None = None
    choices: tuple[str, ...] = ()
    schema: Mapping[str, Any] | None = None
    unit: str | None = None
    description: str = ""
    owner: str | None = None
    group: str = ""
    service: str | None = None
    used_by: tuple[str, ...] = ()
    deprecated_since: str | None = None
    needs_approval: bool = False
    variants: Mapping[str, Any] = field(default_factory=dict)
    off: str | None = None
    expires_on: str | None = None
    salt: str | None = None

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Definition:
        """From JSON, with values in their normal form where they have one; `complaints_about` tells what is wrong."""
        known = {one.name for one in dataclasses.fields(cls)}
        fields = {name: value for name, value in said.items() if name in known and value is not None}
        for name in ("choices", "used_by"):
            if isinstance(fields.get(name), (list, tuple)):
                fields[name] = tuple(fields[name])
        made = cls(**{"key": "", "type": "", **fields})
        if made.type == "flag":
            made = _as_flag(made)
        return dataclasses.replace(
            made,
            **{name: _normal_or_same(made.type, getattr(made, name)) for name in ("default", "minimum", "maximum")},
        )

    def said(self) -> dict[str, Any]:
        """As JSON, without what is not said."""
        found = {}
        for one in dataclasses.fields(self):
            value = getattr(self, one.name)
            # By identity where numbers could be meant: a bound of 0 is one, though 0 == False.
            says_nothing = value is None or value is False or value in ("", (), {})
            if not says_nothing or one.name in ("key", "type", "default"):
                found[one.name] = list(value) if isinstance(value, tuple) else value
        return found

    @property
    def bounds(self) -> str:
        """The bounds in words, such as `1 to 10`."""
        low, high = (text_of(self.type, one) if one is not None else "" for one in (self.minimum, self.maximum))
        if low and high:
            return f"{low} to {high}"
        if low or high:
            return f"at least {low}" if low else f"at most {high}"
        if self.type == "flag":
            return ", ".join(self.variants)
        return ", ".join(self.choices) if self.choices else (self.pattern or "")


def check_value(definition: Definition, value: Any) -> Any:
    """The normal form of a value that this parameter may have. Raises NotThatType.

    A flag's value here is the name of a variant. Patterns and schemas are the server's to check.
    """
    kind = definition.type
    found = normal(kind, value)
    if kind == "flag" and found not in definition.variants:
        raise NotThatType(f"one of the variants {', '.join(definition.variants)}")
    if kind == "enum" and found not in definition.choices:
        raise NotThatType(f"one of {', '.join(definition.choices)}")
    if kind in ORDERED:
        low, high = definition.minimum, definition.maximum
        ordered = sort_value(kind, found)
        if (low is not None and ordered < sort_value(kind, low)) or (
            high is not None and ordered > sort_value(kind, high)
        ):
            raise NotThatType(f"{_NAMED[kind]} that is {_range(definition)}")
    return found


def wrong_in_key(key: str) -> str:
    """What keeps a text from being a key, in a sentence; empty for what can be one.

    It names the character: a Cyrillic letter may look like any other to whoever typed it.
    """
    if KEY.fullmatch(key):
        return ""
    expected = "A key has letters, digits, _ . and - only, a letter first, at most 150."
    wrong = next((one for one in key if not (one.isascii() and (one.isalnum() or one in "_.-"))), None)
    if wrong is None:
        return expected
    return f"{expected} This one has {wrong!r} ({unicodedata.name(wrong, 'no name')})."


def complaints_about(definition: Definition) -> list[tuple[str, str]]:
    """(field, what was expected) for everything wrong with a definition itself."""
    return list(_complaints(definition))


def _complaints(one: Definition) -> Iterator[tuple[str, str]]:
    if not isinstance(one.key, str) or not KEY.fullmatch(one.key):
        yield "key", "letters, digits, _ . and -, a letter first, at most 150 (A-Z, no slash)"
    if one.type not in TYPES:
        yield "type", f"one of {', '.join(TYPES)}"
        return
    for name, most in _TEXTS.items():
        text = getattr(one, name)
        if text is not None and (not isinstance(text, str) or len(text) > most or "\0" in text):
            yield name, f"text of at most {most:,} characters"
    bounds = list(_wrong_bounds(one))
    yield from bounds
    yield from _wrong_choices(one)
    for name in ("deprecated_since", "expires_on"):
        said = getattr(one, name)
        if said is not None and not _is_date(said):
            yield name, "a date such as 2026-11-30"
    if one.default is not None and not bounds:  # with wrong ones it can't be compared
        try:
            check_value(one, one.default)
        except NotThatType as wrong:
            yield "default", str(wrong)


def _wrong_bounds(one: Definition) -> Iterator[tuple[str, str]]:
    low, high = one.minimum, one.maximum
    if one.type not in ORDERED:
        for name, value in (("minimum", low), ("maximum", high)):
            if value is not None:
                yield name, f"no bound: the type {one.type} has no order"
        return
    for name, value in (("minimum", low), ("maximum", high)):
        if value is not None:
            try:
                normal(one.type, value)
            except NotThatType as wrong:
                yield name, str(wrong)
                return
    if low is not None and high is not None and sort_value(one.type, low) > sort_value(one.type, high):
        yield "minimum", f"at most the maximum, {text_of(one.type, high)}"


def _wrong_choices(one: Definition) -> Iterator[tuple[str, str]]:
    texts = all(isinstance(said, str) and said for said in one.choices)
    if one.type == "enum" and not (0 < len(one.choices) <= MOST_CHOICES and texts):
        yield "choices", f"1 to {MOST_CHOICES} texts"
    elif len(set(one.choices)) != len(one.choices):
        yield "choices", "each choice once"
    for kind, name, said in (
        ("enum", "choices", one.choices),
        ("string", "pattern", one.pattern),
        ("json", "schema", one.schema),
    ):
        if one.type != kind and said:
            yield name, f"none: only the type {kind} has it"
    if one.type == "flag":
        yield from _wrong_variants(one)
    elif one.variants or one.off or one.expires_on:
        yield "variants", "none: only a flag has variants, off and expires_on"


def _wrong_variants(one: Definition) -> Iterator[tuple[str, str]]:
    names = ", ".join(map(str, one.variants))
    if not 1 < len(one.variants) <= MOST_VARIANTS or not all(VARIANT.fullmatch(str(name)) for name in one.variants):
        yield "variants", f"2 to {MOST_VARIANTS} names (letters, digits, _ . -) with a value each"
    for name, value in one.variants.items():
        try:
            normal("json", value)
        except NotThatType as wrong:
            yield f"variants.{name}", str(wrong)
    if len({_kind_of(value) for value in one.variants.values()}) > 1:
        yield "variants", "values of one type"
    if one.off not in one.variants:
        yield "off", f"one of the variants {names}"
    if one.default is None:
        yield "default", f"one of the variants {names}"


def _as_flag(one: Definition) -> Definition:
    """A flag that names no variants is on or off; true and false name them."""
    if not one.variants:
        one = dataclasses.replace(one, variants={"on": True, "off": False})
    by_value = {True: "on", False: "off"}

    def named(value: Any) -> Any:
        return by_value[value] if isinstance(value, bool) and by_value[value] in one.variants else value

    default = named(False if one.default is None and "off" in one.variants else one.default)
    off = named(one.off) if one.off is not None else ("off" if "off" in one.variants else default)
    return dataclasses.replace(one, default=default, off=off)


def _normal_or_same(kind: str, value: Any) -> Any:
    if value is None or kind not in TYPES:
        return value
    try:
        return normal(kind, value)
    except NotThatType:
        return value


def _range(one: Definition) -> str:
    low, high = (text_of(one.type, bound) if bound is not None else None for bound in (one.minimum, one.maximum))
    if low is None:
        return f"at most {high}"
    return f"at least {low}" if high is None else f"from {low} to {high}"


def _kind_of(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "number"
    return "text" if isinstance(value, str) else "json"


def _is_date(text: Any) -> bool:
    try:
        return isinstance(text, str) and date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


_NAMED = {"integer": "a whole number", "float": "a number", "duration": "a duration", "time_of_day": "a time of day"}
