"""Subjects and segments, and what a segment's rule means as a condition. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from watchkeeper.modules.subjects.countries import COUNTRIES
from watchkeeper_client.rules import NotThatType, duration_of

Attribute = str | int | float | bool | list[str]
SegmentType = Literal["manual", "auto_country", "auto_age", "auto_activity", "custom"]
SEGMENT_TYPES: tuple[SegmentType, ...] = ("manual", "auto_country", "auto_age", "auto_activity", "custom")
ManagedBy = Literal["people", "ops"]

SEGMENT_NAME = r"[a-z][a-z0-9_]{0,63}"
EVERYBODY = "all_users"
COUNTRY_PREFIX = "country_"
LONGEST_ID = 200
MOST_ATTRIBUTES = 50
MOST_MEMBERS = 10_000
EARLIEST_BIRTH_YEAR = 1900
OLDEST = 150
# What the record of a subject says by itself; a product's own attributes have other names.
OWN_FIELDS = ("id", "country", "birth_year", "age", "status", "last_active_at", "attributes", "now")

_PAGES = ("new", "preview")
_NAME = re.compile(SEGMENT_NAME)


@dataclass(frozen=True)
class Subject:
    """One of the product's users, as the product tells: an opaque id and what segments may ask for."""

    id: str
    country: str | None = None
    birth_year: int | None = None
    status: str = "active"
    last_active_at: datetime | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    created_at: datetime | None = None
    updated_at: datetime | None = None


@dataclass(frozen=True)
class Rule:
    """Who belongs to a segment; only the fields of its type say something. A manual one has a list instead."""

    countries: tuple[str, ...] = ()
    from_age: int | None = None
    to_age: int | None = None
    activity: Literal["active", "inactive"] | None = None
    within: str | None = None
    expression: str | None = None

    def said(self) -> dict[str, Any]:
        """What it says, as JSON."""
        plain = {**vars(self), "countries": list(self.countries)}
        return {name: value for name, value in plain.items() if value not in (None, [])}

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Rule:
        return cls(**{**said, "countries": tuple(said.get("countries", ()))})


@dataclass(frozen=True)
class Definition:
    """What people or files say of a segment."""

    type: SegmentType
    description: str = ""
    rule: Rule = field(default_factory=Rule)
    allow_empty: bool = False

    def said(self) -> dict[str, Any]:
        """As JSON, in the order of the API's fields."""
        plain: dict[str, Any] = {"type": self.type, "description": self.description, **self.rule.said()}
        return {**plain, "allow_empty": True} if self.allow_empty else plain

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Definition:
        rest = {name: value for name, value in said.items() if name not in ("type", "description", "allow_empty")}
        return cls(said["type"], said.get("description", ""), Rule.of(rest), bool(said.get("allow_empty")))

    def changes_to(self, other: Definition) -> dict[str, tuple[Any, Any]]:
        """Fields that differ, as (here, there)."""
        here, there = self.said(), other.said()
        names = [*here, *(name for name in there if name not in here)]
        return {name: (here.get(name), there.get(name)) for name in names if here.get(name) != there.get(name)}


@dataclass(frozen=True)
class Segment:
    """A segment that somebody made. `condition` decides who belongs; None: its members are listed."""

    name: str
    definition: Definition
    condition: Mapping[str, Any] | None
    managed_by: ManagedBy
    applied: Definition | None
    differs_since: datetime | None
    created_at: datetime
    updated_at: datetime
    updated_by: str

    @property
    def drift(self) -> tuple[str, ...]:
        """Fields that differ from what files said last."""
        return tuple(self.applied.changes_to(self.definition)) if self.applied is not None else ()


def is_segment_name(name: str) -> bool:
    """Whether somebody may call a segment so."""
    return _NAME.fullmatch(name) is not None and not is_reserved(name)


def is_reserved(name: str) -> bool:
    """Whether the name is kept for segments that are there by themselves, or means a page."""
    return name in (EVERYBODY, *_PAGES) or name.startswith(COUNTRY_PREFIX)


def built_in_condition(name: str) -> dict[str, Any] | None:
    """The condition of `all_users` and of `country_NO` and the like; None for every other name."""
    if name == EVERYBODY:
        return {"all": []}
    code = name.removeprefix(COUNTRY_PREFIX)
    if name.startswith(COUNTRY_PREFIX) and code in COUNTRIES:
        return {"attribute": "country", "op": "equals", "value": code}
    return None


def plain_condition(definition: Definition) -> dict[str, Any] | None:
    """The condition of the types without an expression; None where members are listed."""
    rule = definition.rule
    if definition.type == "auto_country":
        return {"attribute": "country", "op": "in", "value": list(rule.countries)}
    if definition.type == "auto_age":
        limits = (("greater_or_equal", rule.from_age), ("less_or_equal", rule.to_age))
        return {"all": [_compare("age", op, years) for op, years in limits if years is not None]}
    if definition.type == "auto_activity":
        return _compare("last_active_at", "newer_than" if rule.activity == "active" else "older_than", rule.within)
    return None


_FIELDS_OF: Mapping[SegmentType, tuple[str, ...]] = {
    "manual": (),
    "auto_country": ("countries",),
    "auto_age": ("from_age", "to_age"),
    "auto_activity": ("activity", "within"),
    "custom": ("expression",),
}


def complaints_about(definition: Definition) -> list[tuple[str, str]]:
    """(field, what was expected) of everything that does not fit the type; expressions are read elsewhere."""
    own, said = _FIELDS_OF[definition.type], definition.rule.said()
    only = " and ".join(own) or "its list of members"
    found = [(name, f"nothing: a segment of type {definition.type} has {only}") for name in said if name not in own]
    checks = {"auto_country": _of_countries, "auto_age": _of_ages, "auto_activity": _of_activity}
    if definition.type in checks:
        found += checks[definition.type](definition.rule)
    if definition.type == "custom" and not (definition.rule.expression or "").strip():
        found.append(("expression", 'an expression such as attributes.plan == "premium"'))
    return found


def _of_countries(rule: Rule) -> list[tuple[str, str]]:
    if not rule.countries:
        return [("countries", "one or more codes of countries, such as NO")]
    unknown = [code for code in rule.countries if code not in COUNTRIES]
    if unknown:
        return [("countries", f"codes of ISO 3166 in capitals, such as NO, found {unknown[0][:20]!r}")]
    return [("countries", "each country once")] if len(set(rule.countries)) < len(rule.countries) else []


def _of_ages(rule: Rule) -> list[tuple[str, str]]:
    if rule.from_age is None and rule.to_age is None:
        return [("from_age", "from_age, to_age or both")]
    wrong = [name for name in ("from_age", "to_age") if not 0 <= (getattr(rule, name) or 0) <= OLDEST]
    if wrong:
        return [(wrong[0], f"years from 0 to {OLDEST}")]
    if rule.from_age is not None and rule.to_age is not None and rule.from_age > rule.to_age:
        return [("to_age", f"at least {rule.from_age}, as from_age is")]
    return []


def _of_activity(rule: Rule) -> list[tuple[str, str]]:
    found = [] if rule.activity else [("activity", "active or inactive")]
    try:
        duration_of(rule.within)
    except NotThatType as error:
        found.append(("within", str(error)))
    return found


def age_of(birth_year: int, now: datetime) -> int:
    """Years that have surely passed since the birth. The day is not known, so this is never too high."""
    return max(0, now.year - birth_year - 1)


def record_of(said: Mapping[str, Any], now: datetime | None) -> dict[str, Any]:
    """The attributes that conditions see: the product's own, and over them those of the record. None is left out.

    `said` holds fields of a subject by name, at least those that are asked for. Without `now` there is no age.
    """
    record = dict(said.get("attributes") or ())
    for name in ("country", "birth_year", "status", "last_active_at"):
        value = said.get(name)
        if value is not None:
            record[name] = value
    if now is not None and "birth_year" in record:
        record["age"] = age_of(record["birth_year"], now)
    return record


def _compare(attribute: str, op: str, value: Any) -> dict[str, Any]:
    return {"attribute": attribute, "op": op, "value": value}
