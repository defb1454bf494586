"""The form of a segment: which fields it shows follows from the type."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import Field, ValidationError

from watchkeeper.kernel.errors import Refusal
from watchkeeper.kernel.web.etag import etag_of
from watchkeeper.kernel.web.wire import PageForm
from watchkeeper.modules.subjects.model import SEGMENT_TYPES, Segment
from watchkeeper.modules.subjects.segments import version_of
from watchkeeper.modules.subjects.wire_segments import Previewed

TYPES: Mapping[str, tuple[str, str]] = {
    "custom": ("Expression", "whoever an expression holds for"),
    "auto_country": ("Countries", "by the country that the product tells"),
    "auto_age": ("Age", "by the year of birth"),
    "auto_activity": ("Activity", "by when the product last saw them"),
    "manual": ("List", "whoever is put on the list"),
}


class SegmentForm(PageForm):
    """What the browser sends; `version` is what it was filled in from, empty for a new segment."""

    name: str = Field("", max_length=200)
    type: str = Field("custom", max_length=50)
    description: str = Field("", max_length=5_000)
    countries: str = Field("", max_length=5_000)
    from_age: str = Field("", max_length=20)
    to_age: str = Field("", max_length=20)
    activity: str = Field("active", max_length=20)
    within: str = Field("", max_length=100)
    expression: str = Field("", max_length=10_000)
    members: str = Field("", max_length=2_100_000)
    allow_empty: str = Field("", max_length=10)
    reason: str = Field("", max_length=500)
    version: str = Field("", max_length=100)

    @classmethod
    def of(cls, segment: Segment) -> SegmentForm:
        """Filled in with what is said now."""
        definition, rule = segment.definition, segment.definition.rule
        return cls.model_construct(
            csrf_token="",
            name=segment.name,
            type=definition.type,
            description=definition.description,
            countries=" ".join(rule.countries),
            from_age="" if rule.from_age is None else str(rule.from_age),
            to_age="" if rule.to_age is None else str(rule.to_age),
            activity=rule.activity or "active",
            within=rule.within or "",
            expression=rule.expression or "",
            members="",
            allow_empty="yes" if definition.allow_empty else "",
            reason="",
            version=etag_of(version_of(segment)),
        )

    @classmethod
    def blank(cls, kind: str) -> SegmentForm:
        """An empty one of this type."""
        empty = {name: field.default for name, field in cls.model_fields.items()}
        return cls.model_construct(**{**empty, "type": kind if kind in SEGMENT_TYPES else "custom"})

    def described(self) -> Previewed:
        """Raises ValidationError."""
        values: dict[str, Any] = {
            "type": self.type,
            # Browsers end lines with two characters; files and the API with one.
            "description": self.description.replace("\r\n", "\n"),
            "allow_empty": bool(self.allow_empty),
        }
        if self.type == "auto_country":
            values["countries"] = re.split(r"[\s,;]+", self.countries.strip().upper()) if self.countries.strip() else []
        elif self.type == "auto_age":
            values |= {"from_age": _number(self.from_age), "to_age": _number(self.to_age)}
        elif self.type == "auto_activity":
            values |= {"activity": self.activity, "within": self.within or None}
        elif self.type == "custom":
            values["expression"] = self.expression.replace("\r\n", "\n")
        else:
            values["members"] = lines_of(self.members)
        return Previewed.model_validate(values)


def lines_of(text: str) -> list[str]:
    """One entry a line."""
    return [line.strip() for line in text.splitlines() if line.strip()]


def complaints_of(error: ValidationError | Refusal) -> dict[str, str]:
    """What is wrong by field, in words for the form; what belongs to no field stands under the empty name."""
    if isinstance(error, Refusal):
        return _of_refusal(error)
    found: dict[str, str] = {}
    for problem in error.errors():
        field, *rest = problem["loc"] or ("",)
        line = f"line {int(rest[0]) + 1}: " if rest and isinstance(rest[0], int) else ""
        found.setdefault(str(field), f"{line}{str(problem['msg']).removeprefix('Value error, ')}")
    return found


def _of_refusal(refusal: Refusal) -> dict[str, str]:
    found: dict[str, str] = {}
    for one in refusal.complaints:
        field, _, at = one.where.partition(" ")
        line, _, column = at.partition(":")
        place = f"line {line}, column {column}: " if field == "expression" and column else ""
        found.setdefault(field, f"{place}{one.expected}")
    # That nobody is in it is said in full; the box only says how to have it all the same.
    fields = set(SegmentForm.model_fields) - {"type", "allow_empty"}
    return found if found and set(found) <= fields else {**found, "": refusal.detail}


def _number(text: str) -> int | str | None:
    return int(text) if text.isascii() and text.isdecimal() else text or None
