"""Whether what was said of a period still holds, and in words what does not."""

from __future__ import annotations

from watchkeeper.modules.slo.model import Counts
from watchkeeper.modules.slo.reports.content import AgreementReport, SloReport
from watchkeeper.modules.slo.reports.counting import Counting
from watchkeeper.modules.slo.reports.credits import shown_events, shown_money, shown_target


def still_holds(held: SloReport, counting: Counting) -> bool:
    """Whether events and what was given back are those of then; all else follows from them. A few sums, no more."""
    definition = counting.definition
    since, until = counting.bounds
    for one in held.objectives:
        if not _alike(one.counts, counting.counts(one.name, since, until, definition.excludes)):
            return False
        approved = sum(each.events for each in counting.given_back(one.name) if each.state == "approved")
        if one.budget.given_back != min(one.counts.bad, approved):
            return False
    return _same_agreements(held.agreements, counting.agreements())


def differences(before: SloReport, after: SloReport) -> tuple[str, ...]:
    """In words, what counts otherwise than it did: events, budgets and credits. Empty: nothing does."""
    found = []
    known = {one.name: one for one in before.objectives}
    for new in after.objectives:
        old = known.get(new.name)
        if old is None:
            continue
        if not _alike(old.counts, new.counts):
            found.append(f"{new.name}: {_told(old.counts)} became {_told(new.counts)}")
        if old.budget.given_back != new.budget.given_back:
            was, now = shown_events(old.budget.given_back), shown_events(new.budget.given_back)
            found.append(f"{new.name}: {was} events given back became {now}")
    agreed = {(one.objective, one.period): one for one in before.agreements}
    for agreement in after.agreements:
        said = agreed.get((agreement.objective, agreement.period))
        if said is not None:
            found += _of_agreement(said, agreement)
    return tuple(found)


def _same_agreements(before: tuple[AgreementReport, ...], after: tuple[AgreementReport, ...]) -> bool:
    agreed = {(one.objective, one.period): one.counts for one in before}
    return all(
        (one.objective, one.period) not in agreed or _alike(agreed[one.objective, one.period], one.counts)
        for one in after
    )


def _of_agreement(before: AgreementReport, after: AgreementReport) -> list[str]:
    found = []
    if not _alike(before.counts, after.counts):
        found.append(f"agreement, {after.period}: {_told(before.counts)} became {_told(after.counts)}")
    tiers = {one.tier: one for one in before.tiers}
    for now in after.tiers:
        was = tiers.get(now.tier)
        if was is None or (was.rate, was.amount) == (now.rate, now.amount):
            continue
        owed = ""
        if was.amount is not None and now.amount is not None:
            owed = f" ({shown_money(was.amount, was.currency)} became {shown_money(now.amount, now.currency)})"
        rates = f"{shown_target(was.rate)} of the fee became {shown_target(now.rate)}"
        found.append(f"credit of tier {now.tier}, {after.period}: {rates}{owed}")
    return found


def _alike(one: Counts, other: Counts) -> bool:
    scale = 1e-6 * max(1.0, one.total, other.total)
    return abs(one.good - other.good) <= scale and abs(one.total - other.total) <= scale


def _told(counts: Counts) -> str:
    return f"{shown_events(counts.bad)} bad of {shown_events(counts.total)} events"
