"""Our JSON and YAML of segments: what comes in is checked here once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, StringConstraints

from watchkeeper.kernel.web.wire import StrictModel
from watchkeeper.modules.subjects.expression import LONGEST
from watchkeeper.modules.subjects.model import (
    MOST_MEMBERS,
    OLDEST,
    SEGMENT_NAME,
    Definition,
    Rule,
    Segment,
    SegmentType,
)
from watchkeeper.modules.subjects.tally import Tally
from watchkeeper.modules.subjects.wire import SubjectId

Reason = Annotated[str, StringConstraints(max_length=500)]


def _whole(value: object) -> object:
    # To Python, true is 1, and so is 1.0.
    if isinstance(value, (bool, float, str)):
        raise ValueError("a whole number of years")
    return value


def _one_paragraph(text: str) -> str:
    if not text.replace("\n", "").replace("\t", "").isprintable():
        raise ValueError("printable characters")
    return text


Years = Annotated[int, BeforeValidator(_whole), Field(ge=0, le=OLDEST)]
Description = Annotated[str, StringConstraints(max_length=1_000), AfterValidator(_one_paragraph)]


class Described(StrictModel):
    """What people or files say of a segment. Which fields belong to it depends on its type."""

    type: SegmentType = Field(
        description="`manual` lists its members; the others say who belongs: `auto_country`, `auto_age`, "
        "`auto_activity`, or `custom` with an expression."
    )
    description: Description = Field("", description="Who they are, for whoever chooses a segment.")
    countries: list[Annotated[str, StringConstraints(max_length=20)]] = Field(
        default_factory=list, max_length=249, description="Of `auto_country`: ISO 3166 codes such as `NO`."
    )
    from_age: Years | None = Field(
        None, description="Of `auto_age`: at least so many years old, going by the birth year."
    )
    to_age: Years | None = Field(None, description="Of `auto_age`: at most so many years old.")
    activity: Literal["active", "inactive"] | None = Field(
        None, description="Of `auto_activity`: seen within the duration, or last seen longer ago."
    )
    within: Annotated[str, StringConstraints(max_length=50)] | None = Field(
        None, description="Of `auto_activity`: a duration such as `30d` or `12h`."
    )
    expression: Annotated[str, StringConstraints(max_length=LONGEST)] | None = Field(
        None,
        description='Of `custom`: a part of CEL, such as `attributes.plan == "premium" && country in ["NO", "SE"]`.',
    )
    allow_empty: bool = Field(False, description="Whether nobody need be in it.")

    def definition(self) -> Definition:
        """The same as the domain has it."""
        rule = Rule(
            countries=tuple(self.countries),
            from_age=self.from_age,
            to_age=self.to_age,
            activity=self.activity,
            within=self.within,
            expression=self.expression,
        )
        return Definition(self.type, self.description, rule, self.allow_empty)


class Previewed(Described):
    """A segment that may not be there yet, to be counted."""

    members: list[SubjectId] = Field(default_factory=list, max_length=MOST_MEMBERS, description="Of `manual`.")


class NewSegment(Previewed):
    """A segment to make."""

    name: str = Field(
        max_length=64,
        description="A small letter, then small letters, digits and `_`.",
        json_schema_extra={"pattern": f"^{SEGMENT_NAME}$"},
    )
    reason: Reason = Field("", description="Why; kept on the timeline.")


class SegmentEdit(Described):
    """What is said of a segment from now on; its type stays."""

    reason: Reason = Field(description="Why; kept on the timeline.")


class MembersEdit(StrictModel):
    """Who joins and who leaves a manual segment."""

    add: list[SubjectId] = Field(default_factory=list, max_length=MOST_MEMBERS)
    remove: list[SubjectId] = Field(default_factory=list, max_length=MOST_MEMBERS)
    reason: Reason = Field(description="Why; kept on the timeline.")


class PreviewView(BaseModel):
    """Who would be in a segment."""

    count: int = Field(description="How many; an estimate where not all subjects were looked at.")
    share: float = Field(description="Of all subjects, 0 to 1.")
    total: int = Field(description="How many subjects there are.")
    looked_at: int = Field(description="How many were looked at; more than 100,000 are sampled.")
    is_estimate: bool
    samples: list[str] = Field(description="Ids of up to five of them.")
    seconds: float = Field(description="How long it took.")

    @classmethod
    def of(cls, tally: Tally, seconds: float) -> PreviewView:
        return cls(
            count=tally.count,
            share=tally.share,
            total=tally.total,
            looked_at=tally.looked_at,
            is_estimate=tally.is_estimate,
            samples=list(tally.samples),
            seconds=round(seconds, 3),
        )


class SegmentView(BaseModel):
    """A segment."""

    name: str
    type: str = Field(description="`built_in` for `all_users` and `country_…`.")
    description: str
    countries: list[str]
    from_age: int | None
    to_age: int | None
    activity: str | None
    within: str | None
    expression: str | None
    allow_empty: bool
    condition: dict[str, Any] | None = Field(description="Who belongs, as clients decide it; null: members are listed.")
    members: int | None = Field(description="How many are listed; null where a condition decides.")
    managed_by: str = Field(description="`people`, `ops` or `watchkeeper`.")
    drift: list[str] = Field(description="Fields that differ from `ops/` since it was applied.")
    created_at: datetime | None
    updated_at: datetime | None

    @classmethod
    def of(cls, segment: Segment, members: int) -> SegmentView:
        definition = segment.definition
        return cls(
            name=segment.name,
            type=definition.type,
            description=definition.description,
            **_rule_fields(definition.rule),
            allow_empty=definition.allow_empty,
            condition=dict(segment.condition) if segment.condition is not None else None,
            members=members if segment.condition is None else None,
            managed_by=segment.managed_by,
            drift=list(segment.drift),
            created_at=segment.created_at,
            updated_at=segment.updated_at,
        )

    @classmethod
    def built_in(cls, name: str, condition: dict[str, Any]) -> SegmentView:
        """`all_users`, or one of the `country_…`."""
        return cls(
            name=name,
            type="built_in",
            description="",
            **_rule_fields(Rule()),
            allow_empty=True,
            condition=condition,
            members=None,
            managed_by="watchkeeper",
            drift=[],
            created_at=None,
            updated_at=None,
        )


class OneSegmentView(SegmentView):
    """A segment, and what uses it."""

    used_by: list[str] = Field(description="In words, such as `an override of MATCHES_PER_DAY in production`.")

    @classmethod
    def with_uses(cls, view: SegmentView, used_by: Sequence[str]) -> OneSegmentView:
        return cls(**view.model_dump(), used_by=list(used_by))


def _rule_fields(rule: Rule) -> dict[str, Any]:
    return {**vars(rule), "countries": list(rule.countries)}
