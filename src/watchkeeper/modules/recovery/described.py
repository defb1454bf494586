"""What a file of `ops/recovery` says."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PlainSerializer

from watchkeeper.kernel.web.wire import StrictModel
from watchkeeper.modules.recovery.model import Guards, Match, Mode, Rule

NAME = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def _span(value: Any) -> Any:
    if (
        isinstance(value, str)
        and value[:-1].isascii()
        and value[:-1].isdigit()
        and value[-1:] in _UNITS
        and len(value) <= 8
    ):
        return timedelta(seconds=int(value[:-1]) * _UNITS[value[-1]])
    if isinstance(value, timedelta):
        return value
    raise ValueError("a length of time was expected, such as 30s, 10m, 1h or 7d")


def _words(value: timedelta) -> str:
    seconds = int(value.total_seconds())
    for unit in "dhm":
        if seconds and seconds % _UNITS[unit] == 0:
            return f"{seconds // _UNITS[unit]}{unit}"
    return f"{seconds}s"


Span = Annotated[
    timedelta,
    BeforeValidator(_span, json_schema_input_type=str),
    PlainSerializer(_words, return_type=str),
    Field(ge=timedelta(seconds=1), le=timedelta(days=366)),
]
Text = Annotated[str, Field(min_length=1, max_length=200)]
Severity = Literal["critical", "error", "warning", "info"]


class MatchFile(StrictModel):
    """Which alerts the rule is for. At least a service, an SLO or a label is said."""

    service: Text | None = Field(default=None, description="The alert's service.")
    slo: Text | None = Field(default=None, description="The objective whose budget burns.")
    environment: Text | None = Field(default=None, description="The alert's environment.")
    severities: tuple[Severity, ...] = Field(default=(), max_length=4, description="Unset: all.")
    labels: dict[Text, Text] = Field(
        default_factory=dict, max_length=20, description="Labels that one of its alerts has."
    )


class GuardsFile(StrictModel):
    """What keeps the rule from doing harm."""

    most_runs: int = Field(default=3, ge=1, le=100, description="At most so many times within `window`.")
    window: Span = Field(default=timedelta(hours=1), description="See `most_runs`.")
    cooldown: Span = Field(default=timedelta(minutes=10), description="From the end of one attempt to the next.")
    most_affected: int = Field(
        default=1, ge=1, le=50, description="At most so many services at once; never two attempts on one."
    )
    most_instances: int | None = Field(
        default=None,
        ge=1,
        le=50,
        description="Acts only while its alerts name at least one instance and at most so many, by their label "
        "`service.instance.id`, `instance`, `pod`, `host` or `hostname`. Unset: it does not matter.",
    )
    begin_within: Span = Field(
        default=timedelta(minutes=2), description="A step that no runner began so soon is given up: the rule failed."
    )
    verify_within: Span = Field(
        default=timedelta(minutes=10), description="The symptom has to be gone so soon after the steps, else it failed."
    )
    approval_within: Span = Field(
        default=timedelta(minutes=15), description="For how long it asks, when it asks before it acts."
    )
    only_while_burning: bool = Field(
        default=True, description="Acts only while a budget of the service burns. Off: also for other alerts."
    )


class RehearsalFile(StrictModel):
    """When its steps are gone through by themselves, without being carried out for real where it matters."""

    every: Span = Field(description="How often, such as 7d.")
    environment: Text = Field(
        default="staging", description="Given to the steps as the input `environment`, if they have it."
    )


class RecoveryRule(StrictModel):
    """From an alert to steps of a runbook. A new or changed rule begins in dry run; people arm it."""

    name: str = Field(
        max_length=63,
        description="Small letters, digits and dashes.",
        json_schema_extra={"pattern": f"^{NAME}$"},
    )
    description: str = Field(default="", max_length=1_000, description="What it is good for.")
    match: MatchFile = Field(description="Which alerts it is for.")
    runbook: Text = Field(description="The runbook, by the name of its file.")
    steps: tuple[Text, ...] = Field(min_length=1, max_length=20, description="Ids of its steps, in their order.")
    inputs: dict[Text, Any] = Field(default_factory=dict, max_length=50, description="Values of the steps' inputs.")
    touches: dict[Text, Text] = Field(
        default_factory=dict,
        max_length=20,
        description="What its steps touch and what they do to it, such as `WORKERS: up`; two rules that do different "
        "things to the same are refused.",
    )
    guards: GuardsFile = Field(default=GuardsFile(), description="When it may not act.")
    rehearse: RehearsalFile | None = Field(default=None, description="Unset: only when somebody asks for it.")

    def rule(self, mode: Mode = Mode.DRY_RUN) -> Rule:
        """As decisions look at it."""
        said = self.match
        return Rule(
            name=self.name,
            match=Match(said.service, said.slo, said.environment, tuple(said.severities), dict(said.labels)),
            runbook=self.runbook,
            steps=tuple(self.steps),
            inputs=dict(self.inputs),
            guards=Guards(**{name: getattr(self.guards, name) for name in GuardsFile.model_fields}),
            mode=mode,
            touches=dict(self.touches),
            description=self.description,
            rehearse_every=self.rehearse.every if self.rehearse else None,
            rehearse_in=self.rehearse.environment if self.rehearse else "staging",
        )
