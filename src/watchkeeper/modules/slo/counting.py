"""From what was told to (good, total) by minute: requests, two counts, pairs of events, ages. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import Protocol

from watchkeeper.modules.slo.definition import Availability, Chosen, Objective
from watchkeeper.modules.slo.model import Counts
from watchkeeper.modules.slo.series import MINUTE
from watchkeeper.modules.telemetry import public as telemetry
from watchkeeper.modules.telemetry.public import RequestCount

Group = tuple[str, str, str]  # environment, route, method


def grouped(rows: Iterable[RequestCount]) -> dict[Group, list[RequestCount]]:
    """The requests of each environment, route and method."""
    found: dict[Group, list[RequestCount]] = defaultdict(list)
    for row in rows:
        found[row.environment, row.route, row.method].append(row)
    return found


def fitting(indicator: Chosen, groups: Mapping[Group, list[RequestCount]]) -> list[list[RequestCount]]:
    """Those that an indicator chooses."""
    return [rows for group, rows in groups.items() if fits(indicator, *group)]


def count_of(
    indicator: Chosen, objective: Objective, chosen: Iterable[Sequence[RequestCount]]
) -> dict[int, tuple[float, float]]:
    """(good, total) by step, of what the indicator chooses."""
    found: dict[int, list[float]] = defaultdict(lambda: [0.0, 0.0])
    limit = (objective.threshold or timedelta(0)) / timedelta(microseconds=1) * 1_000
    shares: dict[int, float] = {}
    for rows in chosen:
        for row in rows:
            total = row.requests
            if isinstance(indicator, Availability):
                bad, total = judged(indicator, row)
                good: float = total - bad
            else:
                share = shares.get(row.bucket)
                if share is None:
                    share = shares[row.bucket] = telemetry.share_below(row.bucket, limit)
                good = row.requests * share
            counts = found[row.at]
            counts[0] += good
            counts[1] += total
    return {at: (good, total) for at, (good, total) in found.items()}


class Answered(Protocol):
    """Requests, and how many of them failed, or told of a mistake of the caller."""

    @property
    def requests(self) -> int: ...
    @property
    def errors(self) -> int: ...
    @property
    def client_errors(self) -> int: ...


def judged(indicator: Availability, row: Answered) -> tuple[int, int]:
    """(bad, total) of what counts."""
    bad = ("5xx" in indicator.bad) * row.errors + ("4xx" in indicator.bad) * row.client_errors
    return bad, row.requests - ("4xx" in indicator.uncounted) * row.client_errors


def fits(chosen: Chosen, environment: str, route: str, method: str) -> bool:
    """Whether requests of this kind count."""
    return (
        (chosen.environment is None or chosen.environment == environment)
        and (not chosen.routes or any(fnmatchcase(route, one) for one in chosen.routes))
        and not any(fnmatchcase(route, one) for one in chosen.exclude_routes)
        and (not chosen.methods or method in chosen.methods)
    )


def ratio_counts(
    total: Mapping[int, float], part: Mapping[int, float], *, part_is_good: bool
) -> dict[int, tuple[float, float]]:
    """(good, total) by minute. Good never exceeds total: two counters that are sent apart may disagree by a moment."""
    found = {}
    for minute in total.keys() | part.keys():
        whole = max(total.get(minute, 0.0), 0.0)
        some = part.get(minute, 0.0)
        good = some if part_is_good else whole - some
        found[minute] = (min(whole, max(0.0, good)), whole)
    return found


def paired(
    begun: Sequence[tuple[str, float]], ended: Sequence[tuple[str, float]], within: float, since: float, now: float
) -> dict[int, tuple[float, float]]:
    """(good, total) by the minute in which it was decided: when it ended in time, or when its time was over.

    A key that begins twice before it ends began the first time; what is not decided yet is not counted.
    """
    ends: dict[str, list[float]] = defaultdict(list)
    for key, at in ended:
        ends[key].append(at)
    found: dict[int, tuple[float, float]] = {}
    open_until: dict[str, float] = {}
    for key, at in begun:
        if at < open_until.get(key, 0.0):
            continue
        times = ends.get(key, [])
        place = bisect_right(times, at - 1e-9)
        end = times[place] if place < len(times) else None
        in_time = end is not None and end - at <= within
        decided = end if in_time and end is not None else at + within
        open_until[key] = end if end is not None else at + within
        if since <= decided <= now:
            minute = int(decided) // MINUTE * MINUTE
            good, total = found.get(minute, (0.0, 0.0))
            found[minute] = (good + in_time, total + 1)
    return found


def fresh(came: Sequence[int], within: float, since: int, until: int, now: float) -> dict[int, Counts]:
    """For each minute that is over, from the first in which anything came: whether the newest was young enough."""
    found: dict[int, Counts] = {}
    for minute in range(since, until, MINUTE):
        place = bisect_right(came, minute)
        if minute + MINUTE > now:
            break
        if place:
            age = minute - came[place - 1]
            found[minute] = Counts(float(age <= within), 1.0, float(MINUTE))
        else:
            # Nothing within the threshold. Whether anything ever came is the tracker's to know.
            found[minute] = Counts(0.0, 1.0, float(MINUTE))
    return found
