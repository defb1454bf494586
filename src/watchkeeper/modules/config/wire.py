"""Our JSON of runtime configuration: what comes in is checked here once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, StringConstraints, model_validator

from watchkeeper.kernel.web.wire import StrictModel
from watchkeeper.modules.config.changes import MOST_OPERATIONS
from watchkeeper.modules.config.model import ChangeSet, Difference, Environment, Operation, Parameter, Setting, Step
from watchkeeper.modules.config.reports import Report
from watchkeeper_client.rules import Definition, Layer

Key = Annotated[str, StringConstraints(min_length=1, max_length=150)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Reason = Annotated[str, StringConstraints(min_length=1, max_length=500)]
EnvironmentName = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Type = Literal["string", "integer", "float", "boolean", "duration", "time_of_day", "enum", "json", "secret", "flag"]


class DefinitionBody(StrictModel):
    """What a parameter is. Values are in their JSON form: durations as `1h30m`, secrets as `{"env": "NAME"}`."""

    key: Key = Field(description="Letters, digits, `_`, `.` and `-`; a letter first.")
    type: Type
    default: Any = Field(None, description="What holds where nothing is set; of a flag, the name of a variant.")
    minimum: Any = Field(None, description="Least value of an integer, float, duration or time_of_day.")
    maximum: Any = Field(None, description="Largest value of an integer, float, duration or time_of_day.")
    pattern: Annotated[str, StringConstraints(max_length=500)] | None = Field(
        None, description="Regular expression (without look-around) that the whole of a string matches."
    )
    choices: list[Annotated[str, StringConstraints(min_length=1, max_length=200)]] = Field(
        default_factory=list, max_length=200, description="What an enum may be."
    )
    # Not `schema`: Pydantic keeps that name.
    json_schema: dict[str, Any] | None = Field(None, alias="schema", description="JSON schema of a json parameter.")
    unit: Annotated[str, StringConstraints(max_length=40)] | None = Field(None, description="Such as `days` or `km`.")
    description: Annotated[str, StringConstraints(max_length=2_000)] = Field(
        "", description="What it does, and what happens when it is raised or lowered."
    )
    owner: Annotated[str, StringConstraints(max_length=200)] | None = Field(
        None, description="The team or person that decides; only members of a team change what is the team's."
    )
    group: Annotated[str, StringConstraints(max_length=200)] = Field("", description="Such as `chat/messaging`.")
    service: Name | None = Field(None, description="The service whose timeline shows its changes.")
    used_by: list[Name] = Field(default_factory=list, max_length=50, description="Services that read it.")
    deprecated_since: str | None = Field(None, description="Date since when nothing new should read it.")
    needs_approval: bool = Field(False, description="Whether each change waits for a second person.")
    variants: dict[str, Any] = Field(
        default_factory=dict, description="A flag's variants with their values; unset: on (true) and off (false)."
    )
    off: str | None = Field(None, description="The variant of a flag that is killed or lacks a prerequisite.")
    expires_on: str | None = Field(None, description="Date by which a flag should be gone from the code.")
    salt: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = Field(
        None, description="What a flag draws its percentages by; unset: made once, and kept."
    )

    def definition(self) -> Definition:
        """The same as the domain has it."""
        return Definition.of(self.model_dump(by_alias=True))


class NewParameter(DefinitionBody):
    """A registry entry to add or to replace."""

    reason: Annotated[str, StringConstraints(max_length=500)] = Field("", description="Why; kept on the timeline.")

    def definition(self) -> Definition:
        return Definition.of(self.model_dump(by_alias=True, exclude={"reason"}))


class OperationBody(StrictModel):
    """One slot to be set. `value` null empties it."""

    key: Key
    slot: Annotated[str, StringConstraints(min_length=1, max_length=220)] = Field(
        "value", description="`value` for everybody, `user:<id>` or `segment:<name>`."
    )
    value: Any = Field(
        description='In JSON form; of a segment `{"value": …, "priority": 0}`; of a flag its state, or a variant.'
    )
    expected_version: int | None = Field(
        None,
        ge=0,
        le=2**31 - 1,
        description="The slot's version that was read, 0 for an empty one; refused if it moved on.",
    )

    def operation(self) -> Operation:
        """The same as the domain has it."""
        return Operation(self.key, self.slot, self.value, self.expected_version)


class NewChange(StrictModel):
    """Operations that are made together or not at all."""

    environment: EnvironmentName
    reason: Reason = Field(description="Why; kept on the timeline.")
    operations: list[OperationBody] = Field(min_length=1, max_length=MOST_OPERATIONS)
    at: datetime | None = Field(None, description="When; null makes it at once (or when it is approved).")

    @model_validator(mode="after")
    def _has_a_zone(self) -> NewChange:
        if self.at is not None and self.at.tzinfo is None:
            raise ValueError("at: an instant with a zone, such as 2026-11-30T09:00:00Z")
        return self


class Seen(StrictModel):
    """What an approver looked at."""

    content_hash: Annotated[str, StringConstraints(min_length=64, max_length=64)]


class Why(StrictModel):
    """A reason."""

    reason: Reason = Field(description="Why; kept on the timeline.")


class Promotion(StrictModel):
    """Values of one environment for another."""

    source: EnvironmentName = Field(alias="from")
    target: EnvironmentName = Field(alias="to")
    keys: list[Key] | None = Field(None, max_length=500, description="Only these; null: everything that differs.")
    reason: Reason


class NewEnvironment(StrictModel):
    """An environment to add."""

    name: EnvironmentName
    copy_from: EnvironmentName | None = Field(None, description="Take over values and segment overrides of this one.")
    needs_approval: bool = Field(False, description="Whether changes in it wait for a second person.")
    reason: Annotated[str, StringConstraints(max_length=500)] = ""


class EnvironmentEdit(StrictModel):
    """What can be said of an environment."""

    needs_approval: bool
    reason: Reason


class Registration(StrictModel):
    """What a service's code declares."""

    service: Name
    parameters: list[DefinitionBody] = Field(max_length=1_000)


class ReportedVariable(StrictModel):
    """An environment variable that a program sees."""

    key: Key
    env: Annotated[str, StringConstraints(max_length=4_000, strip_whitespace=False)] | None = Field(
        description="What it says; null for a secret's, which is only told to be set."
    )


class ReportedCount(StrictModel):
    """How often a variant was served."""

    key: Key
    variant: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    count: int = Field(ge=0, le=10**12)


class ReportBody(StrictModel):
    """What a program tells about itself each minute."""

    service: Name
    environment: EnvironmentName
    instance: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    version: int = Field(ge=0, le=2**31 - 1, description="Of the snapshot that it uses.")
    stale_seconds: float = Field(0, ge=0, le=2**31 - 1, description="Since it last heard from a server.")
    layers: list[ReportedVariable] = Field(default_factory=list, max_length=2_000)
    counts: list[ReportedCount] = Field(default_factory=list, max_length=10_000)

    def report(self) -> Report:
        """The same as the domain has it."""
        return Report(
            self.service,
            self.instance,
            self.version,
            int(self.stale_seconds),
            {one.key: one.env for one in self.layers},
            tuple((one.key, one.variant, one.count) for one in self.counts),
        )


class EnvironmentView(BaseModel):
    """An environment."""

    name: str
    needs_approval: bool
    version: int
    changed_at: datetime

    @classmethod
    def of(cls, one: Environment) -> EnvironmentView:
        return cls(name=one.name, needs_approval=one.needs_approval, version=one.version, changed_at=one.changed_at)


class SettingView(BaseModel):
    """What a slot holds."""

    slot: str
    value: Any
    priority: int
    version: int = Field(description="Give it as `expected_version` with a change.")
    changed_at: datetime
    changed_by: str
    change_id: str

    @classmethod
    def of(cls, one: Setting) -> SettingView:
        return cls(
            slot=one.slot,
            value=one.value,
            priority=one.priority,
            version=one.version,
            changed_at=one.changed_at,
            changed_by=one.changed_by,
            change_id=one.change_id,
        )


class ParameterView(BaseModel):
    """A registry entry, and what is set of it in one environment."""

    definition: dict[str, Any]
    managed_by: str
    updated_at: datetime
    updated_by: str
    environment: str
    value: SettingView | None = Field(description="What is set for everybody; null where the lower layers decide.")
    overrides: list[SettingView] = Field(description="Of segments in the order they are asked, then of users.")

    @classmethod
    def of(cls, one: Parameter, environment: str, settings: list[Setting]) -> ParameterView:
        """`settings` with the segments' overrides in their order."""
        values = [setting for setting in settings if setting.slot == "value"]
        return cls(
            definition=one.definition.said(),
            managed_by=one.managed_by,
            updated_at=one.updated_at,
            updated_by=one.updated_by,
            environment=environment,
            value=SettingView.of(values[0]) if values else None,
            overrides=[SettingView.of(setting) for setting in settings if setting.slot != "value"],
        )


class StepView(BaseModel):
    """One slot of a change, before and after."""

    key: str
    slot: str
    before: Any
    after: Any

    @classmethod
    def of(cls, one: Step) -> StepView:
        return cls(key=one.key, slot=one.slot, before=one.before, after=one.after)


class ChangeView(BaseModel):
    """A change and what became of it."""

    id: str
    environment: str
    state: str
    steps: list[StepView]
    reason: str
    content_hash: str = Field(description="An approval is bound to it.")
    at: datetime | None = Field(description="When it is to be made, or was to be.")
    proposed_by: str
    proposed_at: datetime
    source: str
    decided_by: str | None
    decided_at: datetime | None
    note: str | None
    reverts: str | None = Field(description="The change that this one undoes.")

    @classmethod
    def of(cls, one: ChangeSet) -> ChangeView:
        return cls(
            id=one.id,
            environment=one.environment,
            state=one.state,
            steps=[StepView.of(step) for step in one.steps],
            reason=one.reason,
            content_hash=one.content_hash,
            at=one.due_at,
            proposed_by=one.proposed_by,
            proposed_at=one.proposed_at,
            source=one.source,
            decided_by=one.decided_by,
            decided_at=one.decided_at,
            note=one.note,
            reverts=one.reverts,
        )


class DifferenceView(BaseModel):
    """A slot that two environments disagree about."""

    key: str
    slot: str
    source: Any = Field(serialization_alias="from")
    target: Any = Field(serialization_alias="to")

    @classmethod
    def of(cls, one: Difference) -> DifferenceView:
        return cls(key=one.key, slot=one.slot, source=one.source, target=one.target)


class LayerView(BaseModel):
    """One layer's say, and why it won or lost."""

    layer: str
    name: str
    value: Any
    won: bool
    why: str

    @classmethod
    def of(cls, one: Layer) -> LayerView:
        return cls(layer=one.layer, name=one.name, value=one.value, won=one.won, why=one.why)


class Explanation(BaseModel):
    """Why a value is what it is."""

    key: str
    environment: str
    value: Any
    variant: str
    reason: str
    layer: str
    layers: list[LayerView] = Field(description="Highest first; exactly one won.")


class RegisteredView(BaseModel):
    """What became of a declaration: added, known, differs (the registry keeps what it says) or refused."""

    key: str
    outcome: str
    detail: str


class StaleView(BaseModel):
    """Something to clear up."""

    key: str
    why: str
    detail: str


def listed(items: list[BaseModel]) -> Mapping[str, Any]:
    """Items that are always few, as one page."""
    return {"items": [one.model_dump(mode="json", by_alias=True) for one in items], "next": None}
