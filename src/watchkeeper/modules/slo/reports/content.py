"""What a report says, as plain values: pages, mails, PDF and CSV are made of these alone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from watchkeeper.modules.slo.model import AlertState, Budget, Cause, Counts
from watchkeeper.modules.slo.reports.credits import TierCredit
from watchkeeper.modules.slo.reports.period import Period

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True)
class LeftOut:
    """An exclusion that touches the period, with its events there (by stored hours). The two flags say whether they
    count for the objective's budget and for the agreement."""

    id: str
    kind: str
    since: datetime
    until: datetime | None
    reason: str
    total: float
    bad: float
    out_of_budget: bool
    out_of_agreement: bool
    withdrawn: bool = False


@dataclass(frozen=True)
class GivenBack:
    """An adjustment of the budget; agreements do not know them."""

    id: str
    at: datetime
    events: float
    state: str
    reason: str
    incident: str | None


@dataclass(frozen=True)
class Revised:
    """Hours that late data changed after they had been told."""

    first_hour: datetime
    last_hour: datetime
    hours: int
    found_at: datetime
    before: Counts
    after: Counts


@dataclass(frozen=True)
class Change:
    """Something that was changed shortly before or while the budget burned."""

    at: datetime
    what: str
    href: str


@dataclass(frozen=True)
class MonthOf:
    """One month of a quarter."""

    period: str
    counts: Counts
    covered: float
    met: bool | None


@dataclass(frozen=True)
class ObjectiveReport:
    """One objective in a period. `met` None: nothing was measured."""

    name: str
    display_name: str
    target: float
    threshold: str | None
    counts: Counts
    covered: float
    budget: Budget
    met: bool | None
    alerts: tuple[AlertState, ...] = ()
    incidents: tuple[Cause, ...] = ()
    routes: tuple[Cause, ...] = ()
    releases: tuple[Cause, ...] = ()
    changes: tuple[Change, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    given_back: tuple[GivenBack, ...] = ()
    revised: tuple[Revised, ...] = ()
    months: tuple[MonthOf, ...] = ()


@dataclass(frozen=True)
class AgreementReport:
    """The agreement beside an objective, in one of its own periods. `counted` is without what it excludes."""

    objective: str
    period: str
    since: datetime
    until: datetime
    time_zone: str
    target: float
    counts: Counts
    covered: float
    met: bool | None
    left_out: tuple[LeftOut, ...]
    tiers: tuple[TierCredit, ...]
    provisional: bool


State = Literal["closed", "reopened", "provisional"]


@dataclass(frozen=True)
class Reopening:
    """Why a closed statement was made again."""

    at: datetime
    version: int
    why: tuple[str, ...]


@dataclass(frozen=True)
class SloReport:
    """One SLO in a period. `closed`: stored when the period was over, `reopened`: and made again because what it was
    made of changed, `provisional`: computed just now."""

    slo: str
    display_name: str
    service: str
    indicator: str
    since: datetime
    until: datetime
    time_zone: str
    objectives: tuple[ObjectiveReport, ...]
    agreements: tuple[AgreementReport, ...]
    state: State
    version: int
    made_at: datetime
    reopened: tuple[Reopening, ...] = ()


@dataclass(frozen=True)
class Report:
    """All of it: the worst first."""

    period: Period
    made_at: datetime
    slos: tuple[SloReport, ...]
    service: str | None = None

    @property
    def title(self) -> str:
        """`SLO report, October 2026`."""
        what = "SLO report" if self.period.kind == "month" else "SLA review"
        of = f" of {self.service}" if self.service else ""
        return f"{what}{of}, {self.period.title}"

    @property
    def file_name(self) -> str:
        """Without an ending, and safe in a header."""
        of = f"-{_UNSAFE.sub('-', self.service)}" if self.service else ""
        return f"{'slo-report' if self.period.kind == 'month' else 'sla-review'}-{self.period.label}{of}"

    @property
    def missed(self) -> int:
        """How many objectives missed their target; what was not measured missed none."""
        return sum(one.met is False for _, one in self.objectives)

    @property
    def is_provisional(self) -> bool:
        return any(one.state == "provisional" for one in self.slos)

    @property
    def objectives(self) -> list[tuple[SloReport, ObjectiveReport]]:
        return [(slo, one) for slo in self.slos for one in slo.objectives]


def worst_first(found: list[SloReport]) -> tuple[SloReport, ...]:
    """By how much of a budget is spent, then by name."""
    return tuple(
        sorted(found, key=lambda slo: (-max((one.budget.spent for one in slo.objectives), default=0), slo.slo))
    )
