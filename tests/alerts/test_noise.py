"""What keeps alerts quiet keeps pages back, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest

from tests.alerts.support import BY, Stage, signal
from watchkeeper.kernel.db.database import Database
from watchkeeper.modules.alerts.errors import AlreadyEnded, MaintenanceInvalid, SilenceInvalid
from watchkeeper.modules.alerts.matching import Matcher, parse_matcher
from watchkeeper.modules.alerts.model import Severity, Status, Suppression
from watchkeeper.modules.alerts.noise import weekly_of
from watchkeeper.modules.alerts.quiet import Window

HOUR = timedelta(hours=1)


def silence(stage: Stage, *texts: str, lasts: timedelta = HOUR, **said: object) -> str:
    """Make a silence; answers its id."""
    matchers = [parse_matcher(text) for text in texts]
    ends = (said.get("starts_at") or stage.clock.now()) + lasts  # type: ignore[operator]
    return str(stage.noise(lambda noise: noise.silence(matchers, ends_at=ends, reason="planned", **BY, **said)).id)


def plan(stage: Stage, **said: object) -> str:
    """Plan maintenance of the shop; answers its id."""
    values: dict[str, object] = {
        "services": ["shop"],
        "environments": [],
        "starts_at": None,
        "ends_at": stage.clock.now() + HOUR,
        "weekly": None,
        "reason": "a new disk",
    }
    return str(stage.noise(lambda noise: noise.plan(**{**values, **said}, **BY)).id)


def test_a_silenced_alert_is_recorded_and_pages_nobody(stage: Stage) -> None:
    made = silence(stage, "service=shop", 'title=~"Disk.*"')
    stage.take(signal())
    group = stage.group()
    assert (group.suppressed, group.suppressed_by) == (Suppression.SILENCE, made)
    assert stage.facts("alerts.group_opened")[0].data["suppressed"] == "silence"


def test_something_worse_that_is_silenced_lifts_no_acknowledgement(stage: Stage) -> None:
    silence(stage, 'title="Disk gone"')
    stage.take(signal("a", severity=Severity.ERROR))
    stage.alerts(lambda alerts: alerts.acknowledge(stage.group().id, by="per_bob", source="test"))
    stage.take(signal("a", severity=Severity.CRITICAL, title="Disk gone"))
    assert (stage.group().status, stage.group().severity) == (Status.ACKNOWLEDGED, Severity.CRITICAL)


def test_when_a_silence_ends_what_still_fires_pages(stage: Stage) -> None:
    silence(stage, "service=shop")
    stage.take(signal("a"), signal("b", title="CPU hot"))
    stage.take(signal("b", "resolve"))
    stage.pass_time(HOUR)
    firing = next(one for one in stage.groups() if one.is_open)
    assert firing.suppressed is None
    assert stage.told.words[-1] == ("unsuppressed", "Disk full")
    assert [what for what, title in stage.told.words if title == "CPU hot"] == ["opened", "resolved"]


def test_a_silence_takes_effect_on_what_fires_already_and_ending_it_by_hand_ends_that(stage: Stage) -> None:
    stage.take(signal())
    made = silence(stage, "service=shop")
    assert stage.group().suppressed is Suppression.SILENCE
    stage.noise(lambda noise: noise.end_silence(made, reason="wrong one", **BY))
    assert stage.group().suppressed is None
    assert stage.told.whats() == ["opened", "suppressed", "unsuppressed"]
    with pytest.raises(AlreadyEnded):
        stage.noise(lambda noise: noise.end_silence(made, reason="", **BY))


def test_a_planned_silence_begins_at_its_time(stage: Stage) -> None:
    silence(stage, "service=shop", starts_at=stage.clock.now() + HOUR)
    stage.take(signal())
    assert stage.group().suppressed is None
    stage.pass_time(HOUR)
    assert stage.group().suppressed is Suppression.SILENCE
    stage.pass_time(HOUR)
    assert stage.group().suppressed is None


def test_one_loud_alert_is_enough_for_its_group_to_page(stage: Stage) -> None:
    silence(stage, "host=a")
    stage.take(signal("a", labels={"host": "a"}))
    assert stage.group().suppressed is Suppression.SILENCE
    stage.take(signal("b", labels={"host": "b"}))
    assert (stage.group().suppressed, stage.group().loud_count) == (None, 1)
    stage.take(signal("b", "resolve"))
    assert stage.group().suppressed is Suppression.SILENCE
    assert stage.told.whats() == ["opened", "unsuppressed", "suppressed"]


def test_a_preview_tells_what_matchers_fit_now_and_changes_nothing(stage: Stage) -> None:
    stage.take(signal("a"), signal("b"), signal("c", service="chat", title="Slow"))
    found = stage.noise(lambda noise: noise.preview([Matcher("service", "=~", "shop|bank")]))
    assert [(group.service, number) for group, number in found] == [("shop", 2)]
    assert stage.facts("alerts.silence_made") == []


@pytest.mark.parametrize(
    "texts", [("service!=shop",), ("x=~.*",), ("x=~(",), ("x=~" + "a" * 501,), (), ("severity=",)], ids=str
)
def test_a_silence_of_everything_or_of_nonsense_is_refused(stage: Stage, texts: tuple[str, ...]) -> None:
    with pytest.raises(SilenceInvalid):
        silence(stage, *texts)


def test_a_silence_needs_an_end_and_a_reason(stage: Stage) -> None:
    with pytest.raises(SilenceInvalid):
        silence(stage, "service=shop", lasts=timedelta(days=93))
    with pytest.raises(SilenceInvalid):
        silence(stage, "service=shop", lasts=timedelta(0))
    matchers, ends = [Matcher("service", "=", "shop")], stage.clock.now() + HOUR
    with pytest.raises(SilenceInvalid):
        stage.noise(lambda noise: noise.silence(matchers, ends_at=ends, reason=" ", **BY))


def test_a_pattern_that_would_run_away_elsewhere_is_quick() -> None:
    assert not Matcher("x", "=~", "(a+)+$").fits({"x": "a" * 50_000 + "b"})


def test_maintenance_keeps_pages_back_and_what_fires_after_it_pages(stage: Stage) -> None:
    made = plan(stage)
    stage.take(signal(), signal("c", service="chat"))
    quiet, loud = sorted(stage.groups(), key=lambda one: one.suppressed is None)
    assert (quiet.service, quiet.suppressed, quiet.suppressed_by) == ("shop", Suppression.MAINTENANCE, made)
    assert loud.suppressed is None
    stage.pass_time(HOUR)
    assert all(one.suppressed is None for one in stage.groups())


def test_weekly_maintenance_comes_back_every_week(stage: Stage) -> None:
    # It is Monday noon.
    weekly = weekly_of([1], time(3), "Europe/Oslo", timedelta(hours=2))
    plan(stage, ends_at=None, weekly=weekly)
    stage.take(signal())
    seen = []
    for _ in range(16 * 24):
        stage.pass_time(HOUR)
        if stage.group().suppressed is not None:
            seen.append(f"{stage.clock.now():%a %H}")
    assert seen == ["Tue 02", "Tue 03"] * 3


@pytest.mark.parametrize(
    ("day", "begins"),
    [(datetime(2026, 3, 29, tzinfo=UTC), "01:30"), (datetime(2026, 10, 25, tzinfo=UTC), "00:30")],
    ids=["a time that is skipped", "a time that comes twice"],
)
def test_a_window_lasts_as_long_as_it_says_when_clocks_change(day: datetime, begins: str) -> None:
    weekly = weekly_of([6], time(2, 30), "Europe/Oslo", timedelta(hours=3))
    window = Window(
        id="w",
        services=("shop",),
        environments=(),
        starts_at=day - timedelta(days=30),
        ends_at=None,
        weekly=weekly,
        reason="",
        created_by="",
        created_at=day,
    )
    found = [stretch for stretch in window.stretches(day) if stretch[0].date() == day.date()]
    assert [(f"{start:%H:%M}", end - start) for start, end in found] == [(begins, timedelta(hours=3))]


@pytest.mark.parametrize(
    "said",
    [{"services": []}, {"ends_at": None}, {"ends_at": datetime(2026, 3, 2, 11, tzinfo=UTC)}, {"reason": ""}],
    ids=str,
)
def test_a_window_without_end_subject_or_reason_is_refused(stage: Stage, said: dict[str, object]) -> None:
    with pytest.raises(MaintenanceInvalid):
        plan(stage, **said)


def test_a_dead_database_does_not_page_for_each_of_its_callers(stage: Stage) -> None:
    stage.services(db=(), shop=("db",), web=("shop",))
    stage.take(signal("db", service="db", title="Down", severity=Severity.CRITICAL))
    stage.take(signal("s", service="shop", title="Errors"), signal("w", service="web", title="Slow"))
    root = next(one for one in stage.groups() if one.service == "db")
    callers = [one for one in stage.groups() if one.service != "db"]
    assert {(one.suppressed, one.suppressed_by) for one in callers} == {(Suppression.DEPENDENCY, root.id)}
    stage.take(signal("db", "resolve"))
    # The shop pages now, and is why the web does not.
    assert {one.service: one.suppressed for one in stage.groups()} == {
        "db": None,
        "shop": None,
        "web": Suppression.DEPENDENCY,
    }
    stage.take(signal("s", "resolve"))
    assert next(one for one in stage.groups() if one.service == "web").suppressed is None
    assert [what for what, title in stage.told.words if title == "Slow"] == ["opened", "suppressed", "unsuppressed"]


def test_in_one_delivery_their_order_does_not_matter(stage: Stage) -> None:
    stage.services(db=(), shop=("db",))
    stage.take(signal("s", service="shop", title="Errors"), signal("db", service="db", title="Down"))
    assert {one.service: one.suppressed for one in stage.groups()} == {"db": None, "shop": Suppression.DEPENDENCY}


def test_of_a_circle_of_services_one_pages(stage: Stage) -> None:
    stage.services(a=("b",), b=("a",))
    stage.take(signal("1", service="a", title="x"), signal("2", service="b", title="y"))
    assert sorted(str(one.suppressed) for one in stage.groups()) == ["None", "dependency"]


def test_a_warning_elsewhere_or_a_silenced_cause_excuses_nobody(stage: Stage) -> None:
    stage.services(db=(), shop=("db",))
    stage.take(signal("db", service="db", title="Slow", severity=Severity.WARNING, environment="live"))
    stage.take(signal("s", environment="live"))
    assert next(one for one in stage.groups() if one.service == "shop").suppressed is None
    stage.take(signal("db2", service="db", title="Down", environment="test"))
    stage.take(signal("t", title="Errors", environment="live"))
    assert next(one for one in stage.groups() if one.title == "Errors").suppressed is None


def test_silencing_the_cause_lets_the_callers_speak(stage: Stage) -> None:
    stage.services(db=(), shop=("db",))
    stage.take(signal("db", service="db", title="Down"), signal("s"))
    silence(stage, "service=db")
    assert {one.service: one.suppressed for one in stage.groups()} == {"db": Suppression.SILENCE, "shop": None}


def test_what_comes_and_goes_is_one_group_that_stays_open_until_it_is_calm(stage: Stage) -> None:
    for _ in range(10):
        stage.take(signal())
        stage.clock.advance(timedelta(minutes=1))
        stage.take(signal(action="resolve"))
        stage.clock.advance(timedelta(minutes=1))
    group = stage.group()
    assert (group.flapping, group.is_open, group.firing_count) == (True, True, 0)
    assert stage.told.whats() == ["opened", "resolved", "reopened"]
    assert stage.kinds() == ["group_opened", "group_resolved", "group_reopened", "group_flapping"]
    stage.pass_time(timedelta(minutes=31))
    assert stage.group().status is Status.RESOLVED


def test_what_flapped_and_then_fires_for_good_is_no_longer_flapping(stage: Stage) -> None:
    for _ in range(3):
        stage.take(signal())
        stage.take(signal(action="resolve"))
        stage.clock.advance(timedelta(minutes=1))
    stage.take(signal())
    stage.pass_time(timedelta(hours=2))
    assert (stage.group().flapping, stage.group().is_open) == (False, True)


def test_an_acknowledgement_and_a_snooze_run_out(stage: Stage) -> None:
    stage.take(signal())
    group = stage.group()
    until = stage.clock.now() + timedelta(minutes=30)
    stage.alerts(lambda alerts: alerts.acknowledge(group.id, until=until, **BY))
    stage.pass_time(timedelta(minutes=29))
    assert stage.group().status is Status.ACKNOWLEDGED
    stage.pass_time(timedelta(minutes=1))
    assert stage.group().status is Status.TRIGGERED
    later = stage.clock.now() + HOUR
    stage.alerts(lambda alerts: alerts.snooze(group.id, until=later, reason="at lunch", **BY))
    stage.pass_time(HOUR)
    assert stage.group().snoozed_until is None
    assert stage.told.whats() == ["opened", "acknowledged", "unacknowledged", "snoozed", "snooze_ended"]


def test_what_is_not_heard_of_again_is_over_where_the_integration_says_so(stage: Stage) -> None:
    integration, _ = stage.integration(auto_resolve=HOUR)
    stage.take(signal(integration=integration))
    stage.pass_time(timedelta(minutes=40))
    stage.take(signal(integration=integration))
    stage.pass_time(timedelta(minutes=40))
    assert stage.group().is_open
    stage.pass_time(timedelta(minutes=20))
    assert stage.group().status is Status.RESOLVED


def test_a_look_at_everything_puts_right_what_nobody_looked_at(stage: Stage, database: Database) -> None:
    silence(stage, "service=shop")
    stage.take(signal())
    stage.clock.advance(2 * HOUR)
    stage.noise(lambda noise: noise.look_again(stage.clock.now()))
    assert stage.group().suppressed is None
