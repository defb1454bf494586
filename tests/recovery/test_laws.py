"""When a rule may act: laws that hold whatever alerts do."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.modules.recovery.model import (
    Attempt,
    AttemptState,
    Breaker,
    Guards,
    Match,
    Mode,
    Rule,
    Symptom,
    after_look,
    after_steps,
    breaker_after,
    fights,
    is_gone,
    judge,
    matches,
    opposed,
)

START = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)
SERVICES = ("shop", "mail", "db")
minutes = st.integers(1, 90).map(lambda count: timedelta(minutes=count))
guards = st.builds(
    Guards,
    most_runs=st.integers(1, 4),
    window=minutes,
    cooldown=minutes,
    most_affected=st.integers(1, 3),
    only_while_burning=st.booleans(),
    most_instances=st.none() | st.integers(1, 3),
)
words = st.dictionaries(st.sampled_from(["team", "zone", "instance", "pod"]), st.sampled_from(["a", "b"]), max_size=2)
found = st.builds(
    Match,
    service=st.none() | st.sampled_from(SERVICES),
    slo=st.none() | st.sampled_from(["fast", "up"]),
    environment=st.none() | st.sampled_from(["production", "staging"]),
    severities=st.lists(st.sampled_from(["critical", "error"]), max_size=2, unique=True).map(tuple),
    labels=words,
)
rules = st.builds(
    Rule,
    name=st.sampled_from("abcd"),
    match=found,
    runbook=st.just("book"),
    steps=st.just(("fix",)),
    guards=guards,
    touches=st.dictionaries(st.sampled_from(["WORKERS", "release"]), st.sampled_from(["up", "down"]), max_size=2),
)
symptoms = st.builds(
    Symptom,
    group=st.just("grp_1"),
    service=st.none() | st.sampled_from(SERVICES),
    environment=st.none() | st.sampled_from(["production", "staging"]),
    severity=st.sampled_from(["critical", "error", "warning"]),
    slo=st.none() | st.sampled_from(["fast", "up"]),
    fires=st.booleans(),
    burning=st.booleans(),
    labels=st.lists(words, max_size=2).map(tuple),
    quiet=st.booleans(),
)
# An alert that comes and goes: pauses between looks, which service, whether it fires, how the attempt ends.
events = st.lists(
    st.tuples(
        st.integers(1, 1_800), st.sampled_from(SERVICES), st.booleans(), st.sampled_from(["good", "bad", "late"])
    ),
    max_size=60,
)


def attempt(rule: Rule, service: str, at: datetime, number: int) -> Attempt:
    return Attempt(
        id=f"rcv_{number}",
        rule=rule.name,
        service=service,
        group="grp_1",
        state=AttemptState.RUNNING,
        mode=Mode.AUTOMATIC,
        started_at=at,
    )


def play(rule: Rule, told: list[tuple[int, str, bool, str]], *, resets: bool) -> list[Attempt]:
    """What a rule does about alerts that flap; somebody resets its breaker at once, or nobody does."""
    now, made, breaker = START, list[Attempt](), Breaker()
    for pause, service, fires, ends in told:
        now += timedelta(seconds=pause)
        for number, one in enumerate(made):
            after = one
            if one.state is AttemptState.RUNNING:
                after = after_steps(one, "failed" if ends == "bad" else "succeeded", now, rule.guards)
            after = after_look(after, gone=ends == "good", now=now)
            made[number] = after
            breaker = Breaker() if resets else breaker_after(breaker, after)
        symptom = Symptom("grp_1", service, None, "critical", None, fires, True, labels=({"instance": "a"},))
        verdict = judge(
            rule,
            symptom,
            armed=True,
            breaker=breaker,
            own=made,
            going_on=[one for one in made if not one.state.is_over],
            fighting=(),
            now=now,
        )
        if verdict.may:
            made.append(attempt(rule, service, now, len(made)))
    return made


@given(rules, events, st.booleans())
def test_a_flapping_alert_never_causes_more_runs_in_a_window_than_its_rule_allows(
    rule: Rule, told: list[tuple[int, str, bool, str]], resets: bool
) -> None:
    starts = [one.started_at for one in play(rule, told, resets=resets)]
    for at in starts:
        assert sum(timedelta(0) <= other - at < rule.guards.window for other in starts) <= rule.guards.most_runs


@given(rules, events)
def test_never_two_at_once_on_one_service_nor_more_than_the_rule_allows(
    rule: Rule, told: list[tuple[int, str, bool, str]]
) -> None:
    made = play(rule, told, resets=True)
    for one in made:
        end = one.finished_at or datetime.max.replace(tzinfo=UTC)
        during = [other for other in made if other is not one and one.started_at <= other.started_at < end]
        assert all(other.service != one.service for other in during)
    marks = sorted({one.started_at for one in made})
    for at in marks:
        busy = [one for one in made if one.started_at <= at and (one.finished_at is None or at < one.finished_at)]
        assert len({one.service for one in busy}) <= rule.guards.most_affected


@given(rules, events)
def test_after_a_failure_nothing_is_begun_until_somebody_resets_it(
    rule: Rule, told: list[tuple[int, str, bool, str]]
) -> None:
    made = play(rule, told, resets=False)
    failed = [one.finished_at for one in made if one.state is AttemptState.FAILED and one.finished_at is not None]
    if failed:
        assert all(one.started_at <= min(failed) for one in made)


@given(rules, events)
def test_between_two_attempts_lies_the_cooldown(rule: Rule, told: list[tuple[int, str, bool, str]]) -> None:
    made = play(rule, told, resets=True)
    for one in made:
        for other in made:
            if other is not one and one.finished_at is not None and other.started_at >= one.finished_at:
                assert other.started_at - one.finished_at >= rule.guards.cooldown


@given(rules, symptoms, st.booleans(), st.booleans())
def test_it_acts_only_on_what_fires_is_loud_belongs_to_a_service_and_while_it_is_armed(
    rule: Rule, symptom: Symptom, armed: bool, broken: bool
) -> None:
    breaker = Breaker(START if broken else None)
    said = {"armed": armed, "breaker": breaker, "own": (), "going_on": (), "fighting": (), "now": START}
    verdict = judge(rule, symptom, **said)  # type: ignore[arg-type]
    burns = symptom.burning or not rule.guards.only_while_burning
    most, named = rule.guards.most_instances, {one.get("instance", one.get("pod")) for one in symptom.labels} - {None}
    few = most is None or 0 < len(named) <= most
    loud = symptom.fires and symptom.service is not None and not symptom.quiet
    allowed = loud and armed and not broken and burns and few
    assert verdict.may is allowed
    assert bool(verdict.why) is not allowed


@given(rules, rules, symptoms)
def test_two_rules_that_one_alert_matches_are_known_to_fight(one: Rule, other: Rule, symptom: Symptom) -> None:
    other = replace(other, name="other")
    if matches(one.match, symptom) and matches(other.match, symptom) and len(symptom.labels) <= 1:
        assert opposed(one, other) is not None


@given(st.lists(rules, max_size=4, unique_by=lambda rule: rule.name))
def test_fighting_is_mutual_and_nobody_fights_itself(every: list[Rule]) -> None:
    against = fights(every)
    for name, others in against.items():
        assert name not in others
        assert all(against[other][name] == why for other, why in others.items())


@given(rules, symptoms)
def test_what_is_over_stays_over(rule: Rule, symptom: Symptom) -> None:
    for state in AttemptState:
        one = replace(attempt(rule, "shop", START, 1), state=state, due_at=START, finished_at=START)
        if state.is_over:
            assert after_steps(one, "failed", START, rule.guards) == one
            assert after_look(one, gone=is_gone(symptom, rule.guards), now=START) == one


def test_a_rule_that_turns_up_what_another_turns_down_fights_it() -> None:
    up = Rule(name="up", match=Match(service="shop"), runbook="b", steps=("s",), touches={"WORKERS": "up"})
    down = Rule(name="down", match=Match(slo="cost"), runbook="b", steps=("s",), touches={"WORKERS": "down"})
    assert opposed(up, down) == "they do opposite things to WORKERS"
    elsewhere = replace(down, match=Match(service="mail", slo="cost"))
    assert opposed(up, elsewhere) is None
    # A parameter is the same whichever service a rule is for.
    up, elsewhere = replace(up, sets={"WORKERS": "8"}), replace(elsewhere, sets={"WORKERS": "1"})
    assert opposed(up, elsewhere) == opposed(elsewhere, up) == "they do opposite things to WORKERS"
