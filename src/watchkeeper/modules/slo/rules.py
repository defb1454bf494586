"""Whether an objective's alert rules hold, and what follows for its alerts. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache

from watchkeeper.modules.slo.definition import Alerting, AlertRule
from watchkeeper.modules.slo.model import AlertState, Burn, burn_of
from watchkeeper.modules.slo.series import MINUTE, Series
from watchkeeper_client.rules import duration_text

# A rule that held goes on holding until the long window is this far below its burn rate.
HYSTERESIS = 0.9
REOPENS_WITHIN = timedelta(minutes=15)
SETTLES_IN = timedelta(minutes=5)
_SAW_AT_LEAST = timedelta(hours=1)  # an alert by rules that are no more
_MOST_OF_IT = 0.9
_EQUAL = 1 - 1e-9


@dataclass(frozen=True)
class Seen:
    """What a rule saw. One that does not hold is over only if that is `known`: by good events, not by silence."""

    rule: AlertRule
    long: Burn
    short: Burn
    holds: bool
    known: bool


def rule_text(rule: AlertRule, window: timedelta) -> str:
    """Such as `14.4x over 1h and 5m`."""
    return _text(rule.burn_rate(window), rule.misses, rule.long, rule.short_window())


@lru_cache(maxsize=10_000)
def _text(burn: float, misses: int | None, long: timedelta, short: timedelta) -> str:
    if misses is not None:
        return f"{misses} bad within {duration_text(long)}"
    return f"{burn:.4g}x over {duration_text(long)} and {duration_text(short)}"


def harm_since(
    alert: AlertState, rules: Sequence[AlertRule], window: timedelta, bad: Callable[[float, float], float]
) -> datetime:
    """When what fired an alert began: since then came nine tenths of the bad events of the window that fired it.

    `bad` answers how many there were between two instants, in seconds since 1970. To a minute.
    """
    reaches = [rule.long for rule in rules if rule_text(rule, window) in alert.rules]
    fired = alert.started_at.timestamp()
    low, high = fired - min(reaches, default=_SAW_AT_LEAST).total_seconds(), fired
    wanted = _MOST_OF_IT * bad(low, fired)
    while high - low > MINUTE:
        middle = (low + high) / 2
        low, high = (middle, high) if bad(middle, fired) >= wanted else (low, middle)
    return datetime.fromtimestamp(low, UTC)


def look(
    rules: Sequence[AlertRule],
    series: Series,
    target: float,
    window: timedelta,
    alerting: Alerting,
    now: datetime,
    *,
    held: Collection[str] = (),
) -> list[Seen]:
    """Every rule at `now`. `held` are texts of those that held the last time."""
    at = now.timestamp()
    return [_look(rule, series, target, window, alerting.minimum_bad_events, at, held) for rule in rules]


def _look(
    rule: AlertRule,
    series: Series,
    target: float,
    window: timedelta,
    minimum_bad: int,
    at: float,
    held: Collection[str],
) -> Seen:
    long = burn_of(series.window(rule.long, at), target, rule.long)
    if rule.misses is not None:
        return Seen(rule, long, long, long.counts.bad >= rule.misses - 1e-6, True)
    span = rule.short_window()
    counts = series.window(span, at)
    speaks = counts.measured > 0
    if counts.total < minimum_bad and span < rule.long:
        # Of few events the last ones speak: a short window without any would sleep through an outage.
        start = series.since_events(minimum_bad, at, at - rule.long.total_seconds())
        span = min(rule.long, max(span, timedelta(seconds=at - start)))
        counts = series.window(span, at)
    short = burn_of(counts, target, span)
    needed = rule.burn_rate(window) * _EQUAL
    keeps = needed * HYSTERESIS
    burns = short.rate >= needed and (long.rate >= needed or (long.rate >= keeps and rule_text(rule, window) in held))
    enough = long.counts.bad >= minimum_bad - 1e-6
    # Time that was not measured lowers a rate, as it spends nothing; it does not say that the harm has ended.
    still = short.measured_rate >= needed and long.measured_rate >= keeps
    return Seen(rule, long, short, burns and enough, speaks and not still)


class Step(StrEnum):
    """What happens to an alert."""

    FIRE = "fire"
    REOPEN = "reopen"
    RESOLVE = "resolve"


@dataclass(frozen=True)
class Now:
    """What holds for one alert (an objective and an action) at an instant."""

    holds: bool
    known: bool = True
    suppressed: bool = False
    clear_since: datetime | None = None


def step(state: AlertState | None, found: Now, now: datetime) -> Step | None:
    """What follows. `state` is the newest episode, open or not.

    What comes back soon after it was resolved is the same episode, and nobody is paged for it again; it then has to
    stay clear for five minutes. During maintenance nothing fires, and what is open may only end.
    """
    if state is None or not state.is_open:
        if not found.holds or found.suppressed:
            return None
        back = state is not None and state.resolved_at is not None and now - state.resolved_at < REOPENS_WITHIN
        return Step.REOPEN if back else Step.FIRE
    if found.holds or not found.known:
        return None
    settled = found.clear_since is not None and now - found.clear_since >= SETTLES_IN
    return Step.RESOLVE if state.fired == 1 or settled else None


def after(state: AlertState, taken: Step, now: datetime, rules: tuple[str, ...], burn: float) -> AlertState:
    """The episode after a step other than its first."""
    if taken is Step.RESOLVE:
        return replace(state, resolved_at=now)
    return replace(state, resolved_at=None, last_fired_at=now, fired=state.fired + 1, rules=rules, burn=burn)
