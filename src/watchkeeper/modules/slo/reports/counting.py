"""What a report says of one SLO, from what is stored of it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from urllib.parse import urlencode

from sqlalchemy.orm import Session

from watchkeeper.kernel import journal
from watchkeeper.kernel.clock import rfc3339
from watchkeeper.kernel.journal import Fact, FactFilter
from watchkeeper.modules.slo import spending, store, store_counts
from watchkeeper.modules.slo.definition import Agreement, Definition, Objective
from watchkeeper.modules.slo.engine import Engine
from watchkeeper.modules.slo.model import (
    AlertState,
    Cause,
    Counts,
    Exclusion,
    Revision,
    Spending,
    added,
    budget_of,
    rules_of,
)
from watchkeeper.modules.slo.reports import store as store_reports
from watchkeeper.modules.slo.reports.content import (
    AgreementReport,
    Change,
    GivenBack,
    LeftOut,
    MonthOf,
    ObjectiveReport,
    Revised,
    SloReport,
)
from watchkeeper.modules.slo.reports.credits import credits_for, is_below
from watchkeeper.modules.slo.reports.period import Period, whole_hours
from watchkeeper.modules.slo.rules import harm_since
from watchkeeper.modules.slo.series import HOUR
from watchkeeper.modules.slo.shaping import touches
from watchkeeper.modules.slo.store import Stored
from watchkeeper.modules.slo.store_counts import HourRow
from watchkeeper.modules.telemetry.public import QueryTooSlow, Telemetry
from watchkeeper_client.rules import duration_text

_MOST_CHANGES = 20
_CHANGES = ("config.changed", "catalog.service_changed")
Hours = Mapping[int, Mapping[str, HourRow]]


@dataclass(frozen=True)
class Causes:
    """Where routes and releases are known from; without it a report does not say them."""

    engine: Engine
    telemetry: Telemetry

    def of(self, session: Session, stored: Stored, objective: Objective, since: datetime, until: datetime) -> Spending:
        try:
            return spending.by_cause(session, self.engine, self.telemetry, stored, objective, since, until)
        except QueryTooSlow:  # the report is worth more than the reasons in it
            return Spending(0.0)


@dataclass(frozen=True)
class Counting:
    """One SLO in one period, by the hours that are stored; `now` cuts a period that still runs."""

    session: Session
    stored: Stored
    period: Period
    now: datetime
    causes: Causes | None = None

    def report(self) -> SloReport:
        """All of it, as provisional."""
        definition = self.definition
        since, until = self.bounds
        return SloReport(
            slo=definition.name,
            display_name=definition.display_name,
            service=definition.service,
            indicator=definition.indicator.kind,
            since=since,
            until=until,
            time_zone=definition.window.time_zone,
            objectives=tuple(self.objective(one) for one in definition.objectives),
            agreements=self.agreements(),
            state="provisional",
            version=0,
            made_at=self.now,
        )

    @property
    def definition(self) -> Definition:
        return self.stored.definition

    @cached_property
    def bounds(self) -> tuple[datetime, datetime]:
        return self.period.bounds(self.definition.window.time_zone)

    def objective(self, objective: Objective) -> ObjectiveReport:
        """Counts, budget, and what spent it."""
        since, until = self.bounds
        counts = self.counts(objective.name, since, until, self.definition.excludes)
        back = self.given_back(objective.name)
        approved = sum(one.events for one in back if one.state == "approved")
        alerts = self._alerts(objective.name)
        incidents = self._incidents(objective.name, alerts, counts)
        found = Spending(0.0)
        if self.causes is not None and counts.bad > 0:
            found = self.causes.of(self.session, self.stored, objective, since, min(until, self.now))
        # Of a period that is over, what may go wrong is a share of what was counted: time without measurement earned no
        # budget. Of one that runs it is that of the whole, as on the pages.
        length = timedelta(seconds=counts.measured) if until <= self.now else until - since
        budget = budget_of(counts, objective.target, length, given_back=approved)
        return ObjectiveReport(
            name=objective.name,
            display_name=objective.display_name,
            target=objective.target,
            threshold=None if objective.threshold is None else duration_text(objective.threshold),
            counts=counts,
            covered=self._covered(counts, since, until),
            budget=budget,
            met=_met(counts, objective.target, approved),
            alerts=tuple(alerts),
            incidents=tuple(incidents),
            routes=tuple(found.routes[:5]),
            releases=tuple(found.releases[:5]),
            changes=tuple(self._changes(incidents)),
            left_out=tuple(self._left_out(objective.name, since, until)),
            given_back=tuple(back),
            revised=tuple(self._revised(objective.name)),
            months=tuple(self._months(objective, back)) if self.period.kind == "quarter" else (),
        )

    def agreements(self) -> tuple[AgreementReport, ...]:
        """The agreement in this period, or in each month of it; a quarter's is in no monthly report."""
        agreement = self.definition.agreement
        if agreement is None or (agreement.period == "quarter" and self.period.kind == "month"):
            return ()
        periods = self.period.months() if agreement.period == "month" else (self.period,)
        return tuple(
            self._said(one) or self._agreement(agreement, one)
            for one in periods
            if one.bounds(agreement.time_zone)[0] < self.now
        )

    def _said(self, month: Period) -> AgreementReport | None:
        """In a quarter's review, a month that was closed is what was said of it: customers were told that."""
        if self.period.kind == "month":
            return None
        held = store_reports.one_latest(self.session, self.definition.name, month.label)
        if held is None or held.slo_id != self.stored.id:
            return None
        return next((one for one in held.content.agreements if one.period == month.label), None)

    def _agreement(self, agreement: Agreement, period: Period) -> AgreementReport:
        since, until = period.bounds(agreement.time_zone)
        objective = objective_of(agreement, self.definition)
        counts = self.counts(objective, since, until, agreement.excludes)
        return AgreementReport(
            objective=objective,
            period=period.label,
            since=since,
            until=until,
            time_zone=agreement.time_zone,
            target=agreement.target,
            counts=counts,
            covered=self._covered(counts, since, until),
            met=_met(counts, agreement.target, 0.0),
            left_out=tuple(one for one in self._left_out(objective, since, until) if one.out_of_agreement),
            tiers=credits_for(agreement, counts),
            provisional=not period.is_over(agreement.time_zone, self.now),
        )

    def counts(self, objective: str, since: datetime, until: datetime, leaving_out: Collection[str]) -> Counts:
        """What the stored hours that begin in [since, until) add up to, without the exclusions of these kinds."""
        start, end = (int(at.timestamp()) for at in whole_hours(since, until))
        parts = store_counts.sums(self.session, start, end, slo=self.definition.name, objective=objective)
        return store_counts.net_of(parts, leaving_out)

    def _months(self, objective: Objective, back: Sequence[GivenBack]) -> Iterator[MonthOf]:
        zone = self.definition.window.time_zone
        for month in self.period.months():
            since, until = month.bounds(zone)
            if since < self.now:
                counts = self.counts(objective.name, since, until, self.definition.excludes)
                approved = sum(one.events for one in back if one.state == "approved" and since <= one.at < until)
                met = _met(counts, objective.target, approved)
                yield MonthOf(month.label, counts, self._covered(counts, since, until), met)

    def _hours(self, objective: str, since: datetime, until: datetime) -> Hours:
        start, end = (int(at.timestamp()) for at in whole_hours(since, until))
        found = store_counts.read_hours(self.session, start, end, slo=self.definition.name, objective=objective)
        return found.get((self.definition.name, objective), {})

    def _covered(self, counts: Counts, since: datetime, until: datetime) -> float:
        """The measured share of what has passed of the period."""
        passed = (min(until, self.now) - since).total_seconds()
        return min(1.0, counts.measured / passed) if passed > 0 else 0.0

    def _alerts(self, objective: str) -> list[AlertState]:
        since, until = self.bounds
        found = store_counts.episodes(self.session, slo=self.definition.name, since=since, until=until, limit=500)
        return sorted((one for one in found if one.objective in ("", objective)), key=lambda one: one.started_at)

    def _incidents(self, objective: str, alerts: Sequence[AlertState], whole: Counts) -> list[Cause]:
        """Each stretch from when what fired an alert began until it was over, those that overlap as one; largest first.

        Its events are those of the stored hours that it touches.
        """
        first, last = self.bounds[0], min(self.bounds[1], self.now)
        burns = [alert for alert in alerts if alert.kind == "burn"]
        hours = self._hours(objective, first, last) if burns else {}
        net = {hour: store_counts.net(parts, self.definition.excludes) for hour, parts in hours.items()}

        def bad(since: float, until: float) -> float:
            return sum(counts.bad for hour, counts in net.items() if hour + HOUR > since and hour < until)

        stretches: list[tuple[datetime, datetime, str]] = []
        began = {one.id: self._began(one, bad) for one in burns}
        for one in sorted(burns, key=lambda alert: began[alert.id]):
            start, end = max(first, began[one.id]), min(last, one.resolved_at or last)
            if stretches and start <= stretches[-1][1]:
                stretches[-1] = (stretches[-1][0], max(end, stretches[-1][1]), stretches[-1][2])
            elif start < end:
                stretches.append((start, end, one.id))
        taken: set[int] = set()
        found = []
        for start, end, name in stretches:
            mine = {hour for hour in net if hour + HOUR > start.timestamp() and hour < end.timestamp()} - taken
            taken |= mine
            counts = added(net[hour] for hour in mine)
            share = counts.bad / whole.bad if whole.bad > 0 else 0.0
            found.append(Cause(name, counts.bad, counts.total, share, since=start, until=end))
        return sorted(found, key=lambda one: -one.bad)

    def _began(self, alert: AlertState, bad: Callable[[float, float], float]) -> datetime:
        return harm_since(alert, rules_of(self.definition), self.definition.window.length, bad)

    def _changes(self, incidents: Sequence[Cause]) -> list[Change]:
        """Changes of the service's configuration or description in the stretches that burned, oldest first."""
        service, found = self.definition.service, {}
        for stretch in incidents:
            facts = journal.read_facts(
                self.session, FactFilter(kinds=_CHANGES, since=stretch.since, until=stretch.until), limit=200
            )
            for fact in facts:
                if fact.service in (None, service) or service in fact.data.get("services", ()):
                    found[fact.seq] = Change(fact.at, journal.describe_fact(fact), _at_timeline(fact))
        return [found[seq] for seq in sorted(found)][:_MOST_CHANGES]

    def _left_out(self, objective: str, since: datetime, until: datetime) -> list[LeftOut]:
        """Each exclusion with its events: an hour's are those of the first exclusion of its kind that touches it."""
        agreement = self.definition.agreement
        # A withdrawn one counts for nothing, but whoever read an earlier report wants to know of it.
        known = [
            one
            for one in store.all_exclusions(self.session, since=since, until=until)
            if touches(replace(one, withdrawn_at=None), self.definition, since.timestamp(), until.timestamp())
        ]
        hours = self._hours(objective, since, until) if known else {}
        taken: set[tuple[int, str]] = set()
        found = []
        for one in sorted(known, key=lambda one: (one.withdrawn_at is not None, one.since, one.id)):
            counts = Counts() if one.withdrawn_at is not None else _of_exclusion(one, hours, taken)
            found.append(
                LeftOut(
                    id=one.id,
                    kind=one.kind,
                    since=one.since,
                    until=one.until,
                    reason=one.reason,
                    total=counts.total,
                    bad=counts.bad,
                    out_of_budget=one.kind in self.definition.excludes and one.withdrawn_at is None,
                    out_of_agreement=agreement is not None
                    and one.kind in agreement.excludes
                    and one.withdrawn_at is None,
                    withdrawn=one.withdrawn_at is not None,
                )
            )
        return found

    def given_back(self, objective: str) -> list[GivenBack]:
        """Adjustments of the period, whatever became of them, oldest first."""
        since, until = self.bounds
        return [
            GivenBack(one.id, one.at, one.events, one.state, one.reason, one.incident)
            for one in reversed(store.all_adjustments(self.session, slo=self.definition.name))
            if one.objective == objective and since <= one.at < until
        ]

    def _revised(self, objective: str) -> list[Revised]:
        since, until = self.bounds
        found: dict[datetime, list[Revision]] = {}
        for one in store_counts.all_revisions(self.session, slo=self.definition.name, since=since):
            if one.objective == objective and since <= one.hour < until:
                found.setdefault(one.found_at, []).append(one)
        return [
            Revised(
                min(one.hour for one in several),
                max(one.hour for one in several),
                len(several),
                found_at,
                added(one.before for one in several),
                added(one.after for one in several),
            )
            for found_at, several in sorted(found.items())
        ]


def _at_timeline(fact: Fact) -> str:
    stretch = {"since": rfc3339(fact.at), "until": rfc3339(fact.at + timedelta(seconds=1))}
    return f"/timeline?{urlencode({'kind': fact.kind, **stretch})}"


def _met(counts: Counts, target: float, given_back: float) -> bool | None:
    """Bad events that were given back count as good; nothing that was not measured counts as anything."""
    if counts.total <= 0:
        return None
    lasting = max(0.0, counts.bad - given_back)
    return not is_below(replace(counts, good=counts.total - lasting), target)


def objective_of(agreement: Agreement, definition: Definition) -> str:
    """Whose events an agreement counts."""
    return agreement.objective or definition.objectives[0].name


def _of_exclusion(exclusion: Exclusion, hours: Hours, taken: set[tuple[int, str]]) -> Counts:
    found = Counts()
    for hour, parts in hours.items():
        if exclusion.kind not in parts or (hour, exclusion.kind) in taken:
            continue
        ends = exclusion.until.timestamp() if exclusion.until is not None else float("inf")
        if exclusion.since.timestamp() < hour + HOUR and hour < ends:
            taken.add((hour, exclusion.kind))
            found = found + parts[exclusion.kind].counts
    return found
