"""Settings of incidents."""

from __future__ import annotations

import string
from collections.abc import Callable, Mapping
from datetime import date, time, timedelta
from typing import ClassVar, TypeVar

from pydantic import Field, field_validator

from watchkeeper.kernel.settings import SettingsGroup
from watchkeeper.kernel.zones import zone_named
from watchkeeper.modules.incidents.business import BusinessHours
from watchkeeper.modules.incidents.clocks import Sprints, Targets, parse_target
from watchkeeper.modules.incidents.model import Severity

ReadT = TypeVar("ReadT")
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
# What a template may say.
WORDS = ("name", "title", "severity", "status", "services", "impact", "text", "url", "commander", "lasted")
_TARGET = "A length of time (`5m`, `48h`, `7d`), `same-day` or `next-sprint`."


class IncidentSettings(SettingsGroup):
    """Incidents: when they are opened by themselves, until when somebody has to respond, and the channel in Slack."""

    section: ClassVar[str] = "incidents"
    live: ClassVar[frozenset[str]] = frozenset(
        {
            "open_for",
            "respond_sev1",
            "respond_sev2",
            "respond_sev3",
            "respond_sev4",
            "update_minutes",
            "time_zone",
            "hours",
            "days",
            "holidays",
            "reopen_minutes",
            "attachment_bytes",
        }
    )

    open_for: str = Field(
        "",
        description="Severities of alerts that open an incident by themselves, such as `critical=SEV-1, error=SEV-2`, "
        "where no rule of `ops/incidents.yaml` says otherwise. Unset: none.",
    )
    respond_sev1: str = Field("5m", description=f"Until when somebody has to respond to a SEV-1. {_TARGET}")
    respond_sev2: str = Field("same-day", description=f"Until when somebody has to respond to a SEV-2. {_TARGET}")
    respond_sev3: str = Field("48h", description=f"Until when somebody has to respond to a SEV-3. {_TARGET}")
    respond_sev4: str = Field("next-sprint", description=f"Until when somebody has to respond to a SEV-4. {_TARGET}")
    update_minutes: int = Field(
        15, ge=5, le=1_440, description="Minutes after which the next update of a SEV-1 or SEV-2 is due."
    )
    time_zone: str = Field(
        "UTC", description="Time zone of business hours, sprints, and the day in an incident's name."
    )
    hours: str = Field("09:00-17:00", description="Business hours, by which `same-day` is counted.")
    days: str = Field("mon-fri", description="Working days: `mon-fri`, or a list such as `mon,tue,thu`.")
    holidays: str = Field("", description="Days without business hours, such as `2026-12-24, 2026-12-25`.")
    same_day_minutes: int = Field(
        120,
        ge=0,
        le=480,
        description="So many minutes of business hours a day still has to have for `same-day` to mean it; else the "
        "rest of them is on the next working day.",
    )
    sprint_start: str = Field("2026-01-05", description="First day of any sprint, by which `next-sprint` is counted.")
    sprint_days: int = Field(14, ge=1, le=90, description="Days that a sprint has.")
    reopen_minutes: int = Field(
        60,
        ge=0,
        le=10_080,
        description="Minutes after the end in which an alert that fires again opens its incident again.",
    )
    attachment_bytes: int = Field(
        1_000_000, ge=1_000, le=1_000_000, description="Largest file that can be added to an incident."
    )
    slack_channel: str = Field(
        "",
        description="Channel of notifications of the kind `slack` by which each incident gets a channel. Unset: none.",
    )
    slack_invite: str = Field(
        "", description="Slack's ids of members who are invited to each incident's channel, separated by commas."
    )
    slack_announce: str = Field(
        "{severity}: {title}\nServices: {services}\nImpact: {impact}\nCommander: {commander}\n{url}",
        description=f"First message in the channel. It may name {', '.join('{' + one + '}' for one in WORDS)}.",
    )
    slack_update: str = Field("{severity}, {status}: {text}\n{url}", description="Message for each update.")
    slack_resolve: str = Field(
        "Resolved after {lasted}: {title}\n{text}\n{url}", description="Message when it is resolved."
    )

    @field_validator("respond_sev1", "respond_sev2", "respond_sev3", "respond_sev4")
    @classmethod
    def _is_target(cls, value: str) -> str:
        parse_target(value)
        return value

    @field_validator("time_zone")
    @classmethod
    def _is_zone(cls, value: str) -> str:
        zone_named(value)
        return value

    @field_validator("open_for")
    @classmethod
    def _opens(cls, value: str) -> str:
        opened_for(value)
        return value

    @field_validator("hours")
    @classmethod
    def _are_hours(cls, value: str) -> str:
        _hours(value)
        return value

    @field_validator("days")
    @classmethod
    def _are_days(cls, value: str) -> str:
        _days(value)
        return value

    @field_validator("holidays")
    @classmethod
    def _are_dates(cls, value: str) -> str:
        _dates(value)
        return value

    @field_validator("sprint_start")
    @classmethod
    def _is_date(cls, value: str) -> str:
        if len(_dates(value)) != 1:
            raise ValueError("a day such as 2026-01-05 was expected")
        return value

    @field_validator("slack_announce", "slack_update", "slack_resolve")
    @classmethod
    def _is_template(cls, value: str) -> str:
        fields = _checked(lambda: [one for _, one, _, _ in string.Formatter().parse(value) if one is not None])
        if fields is None or not set(fields) <= set(WORDS):
            raise ValueError(f"a text was expected that names nothing but {', '.join(WORDS)} in braces")
        return value

    @property
    def targets(self) -> Targets:
        """As the clocks take them."""
        return targets_of(self)


def targets_of(settings: IncidentSettings) -> Targets:
    """What is promised, as the settings are now."""
    said = (settings.respond_sev1, settings.respond_sev2, settings.respond_sev3, settings.respond_sev4)
    opens, closes = _hours(settings.hours)
    every = timedelta(minutes=settings.update_minutes)
    return Targets(
        respond={severity: parse_target(one) for severity, one in zip(Severity, said, strict=True)},
        update_every={Severity.SEV1: every, Severity.SEV2: every},
        hours=BusinessHours(
            zone_named(settings.time_zone), opens, closes, _days(settings.days), frozenset(_dates(settings.holidays))
        ),
        least=timedelta(minutes=settings.same_day_minutes),
        sprints=Sprints(_dates(settings.sprint_start)[0], settings.sprint_days),
    )


def opened_for(text: str) -> Mapping[str, Severity]:
    """`critical=SEV-1, error=SEV-2` by the severity of alerts. Raises ValueError."""
    found: dict[str, Severity] = {}
    for one in filter(None, (part.strip() for part in text.split(","))):
        alert, _, severity = (part.strip() for part in one.partition("="))
        if alert not in ("critical", "error", "warning", "info") or severity.upper() not in set(Severity):
            raise ValueError("a list such as critical=SEV-1, error=SEV-2 was expected")
        found[alert] = Severity(severity.upper())
    return found


def said_with(template: str, words: Mapping[str, str]) -> str:
    """The template with these words in it; what is missing is left out. Braces in the words mean nothing."""
    return template.format_map({**dict.fromkeys(WORDS, ""), **words})


def _hours(text: str) -> tuple[time, time]:
    begin, _, end = text.partition("-")
    found = _checked(lambda: (time.fromisoformat(begin.strip()), time.fromisoformat(end.strip())))
    if found is None or found[0] >= found[1] or any(one.tzinfo for one in found):
        raise ValueError("hours such as 09:00-17:00 were expected, the first before the second")
    return found


def _days(text: str) -> frozenset[int]:
    found: set[int] = set()
    for one in filter(None, (part.strip().casefold() for part in text.split(","))):
        first, _, last = one.partition("-")
        if first not in _DAYS or (last or first) not in _DAYS or _DAYS.index(first) > _DAYS.index(last or first):
            raise ValueError("days such as mon-fri or mon,tue,thu were expected")
        found |= set(range(_DAYS.index(first), _DAYS.index(last or first) + 1))
    if not found:
        raise ValueError("at least one working day was expected")
    return frozenset(found)


def _dates(text: str) -> list[date]:
    found = _checked(lambda: [date.fromisoformat(one.strip()) for one in text.split(",") if one.strip()])
    if found is None:
        raise ValueError("days such as 2026-12-24, 2026-12-25 were expected")
    return found


def _checked(read: Callable[[], ReadT]) -> ReadT | None:
    try:
        return read()
    except ValueError:
        return None
