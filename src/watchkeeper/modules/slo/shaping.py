"""From what sources counted to what an objective counts: slices, composites, exclusions. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from watchkeeper.modules.slo.definition import Composite, Definition, Slices
from watchkeeper.modules.slo.model import Counts, Exclusion
from watchkeeper.modules.slo.series import MINUTE

Minutes = Mapping[int, Counts]


def sliced(minutes: Minutes, slices: Slices, now: float) -> dict[int, Counts]:
    """Good and bad stretches instead of events: one for each measured slice that is over, counted in its last minute.

    A slice without events is good: nobody had a bad time.
    """
    length = int(slices.length.total_seconds())
    parts: dict[int, Counts] = defaultdict(Counts)
    for minute, counts in minutes.items():
        parts[minute // length * length] += counts
    found: dict[int, Counts] = {}
    for start, counts in parts.items():
        if start + length > now:
            continue
        # What turned out not to be measured is said, too: it may have been told otherwise before.
        seconds = min(float(MINUTE), counts.measured * MINUTE / length)
        found |= {minute: Counts(0.0, 0.0, seconds) for minute in range(start, start + length, MINUTE)}
        if seconds > 0:
            share = counts.share
            good = float(share is None or share >= slices.target)
            found[start + length - MINUTE] = Counts(good, 1.0, seconds)
    return found


def composed(composite: Composite, parts: Sequence[Minutes]) -> dict[int, Counts]:
    """`weighted`: the events of each part count `weight` times. `worst`: in each minute, those of the part that has
    the least share of good ones. A minute is measured when every part is."""
    found: dict[int, Counts] = {}
    for minute in sorted(set().union(*parts)):
        of_minute = [part.get(minute, Counts()) for part in parts]
        measured = min(one.measured for one in of_minute)
        if composite.method == "worst":
            worst = min(of_minute, key=lambda one: 1.0 if one.share is None else one.share)
            found[minute] = Counts(worst.good, worst.total, measured)
            continue
        weights = [one.weight for one in composite.parts]
        found[minute] = Counts(
            sum(one.good * weight for one, weight in zip(of_minute, weights, strict=True)),
            sum(one.total * weight for one, weight in zip(of_minute, weights, strict=True)),
            measured,
        )
    return found


@dataclass(frozen=True)
class Split:
    """A minute's counts: what counts, and what an exclusion of a kind takes off (`left_out` or not)."""

    net: Counts
    kind: str | None
    excluded: Counts


def split(definition: Definition, exclusions: Sequence[Exclusion], minute: int, counts: Counts) -> Split:
    """Whole minutes that an exclusion touches are excluded. Of several exclusions the one that the SLO leaves out
    decides, then the first that began. Time that is left out stays measured: it was planned, not unknown."""
    touching = [one for one in exclusions if touches(one, definition, minute, minute + MINUTE)]
    if not touching:
        return Split(counts, None, Counts())
    kind = min(touching, key=lambda one: (one.kind not in definition.excludes, one.since)).kind
    net = Counts(0.0, 0.0, float(MINUTE)) if kind in definition.excludes else counts
    return Split(net, kind, counts)


def touches(exclusion: Exclusion, definition: Definition, since: float, until: float) -> bool:
    """Whether any of [since, until) (Unix seconds) is excluded for this SLO."""
    return (
        exclusion.withdrawn_at is None
        and (definition.name in exclusion.slos or exclusion.service == definition.service)
        and exclusion.since.timestamp() < until
        and (exclusion.until is None or exclusion.until.timestamp() > since)
    )
