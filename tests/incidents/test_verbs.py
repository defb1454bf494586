"""What people do to incidents, and what is refused."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest

from tests.incidents.support import ID, Stage, by
from watchkeeper.modules.incidents import public
from watchkeeper.modules.incidents.errors import (
    AlertsStillOpen,
    IncidentChanged,
    IncidentClosed,
    IncidentInvalid,
    MergeRefused,
    RoleTaken,
)
from watchkeeper.modules.incidents.model import LinkKind, Role, Severity, Status


def test_an_incident_that_is_declared_by_hand_calls_people_by_an_alert_of_its_own(stage: Stage) -> None:
    one = stage.open(services=["shop"], severity=Severity.SEV1)
    group = stage.group("incidents", one.id)
    assert group is not None
    assert (group.severity, group.service, group.is_open) == ("critical", "shop", True)
    assert one.name == "incident-2026-03-02-checkout-is-down"


def test_an_incident_whose_alert_calls_people_already_calls_nobody_twice(stage: Stage) -> None:
    stage.fire(severity="critical")
    group = stage.group()
    assert group is not None
    one = stage.open(groups=[group.id])
    assert (one.severity, one.services, one.paged) == (Severity.SEV1, ("shop",), None)
    assert stage.group("incidents", one.id) is None
    assert one.started_at <= one.detected_at <= one.opened_at


def test_a_group_belongs_to_one_open_incident_however_often_it_is_declared(stage: Stage) -> None:
    stage.fire()
    group = stage.group()
    assert group is not None
    first, second = stage.open(groups=[group.id]), stage.open("Again", groups=[group.id])
    assert first.id == second.id
    assert len(stage.facts("opened")) == 1


def test_two_of_one_name_on_a_day_are_told_apart(stage: Stage) -> None:
    assert [stage.open(page=False).name[-9:] for _ in range(3)] == ["t-is-down", "is-down-2", "is-down-3"]


def test_there_is_one_commander_until_the_role_is_handed_over(stage: Stage) -> None:
    one = stage.open()
    stage.do(lambda verbs: verbs.assign(one.id, Role.COMMANDER, ID["ann"], **by("ann")))
    with pytest.raises(RoleTaken, match="Ann is the commander"):
        stage.do(lambda verbs: verbs.assign(one.id, Role.COMMANDER, ID["ben"], **by("ben")))
    stage.do(lambda verbs: verbs.assign(one.id, Role.COMMANDER, ID["ben"], hand_over=True, **by("ben")))
    assert stage.now_is(one).roles == {"commander": ID["ben"]}
    assert [fact.data["before"] for fact in stage.facts("role_assigned")] == [None, ID["ann"]]


def test_of_two_who_take_command_at_the_same_moment_one_gets_it(stage: Stage) -> None:
    one, together = stage.open(), Barrier(2)

    def take(name: str) -> str:
        together.wait()
        try:
            stage.do(lambda verbs: verbs.assign(one.id, Role.COMMANDER, ID[name], **by(name)))
        except RoleTaken:
            return "refused"
        return ID[name]

    with ThreadPoolExecutor(2) as threads:
        found = list(threads.map(take, ("ann", "ben")))
    (commander,) = (each for each in found if each != "refused")
    assert stage.now_is(one).roles == {"commander": commander}
    assert [fact.data["person"] for fact in stage.facts("role_assigned")] == [commander]


def test_whoever_looked_at_an_older_version_is_refused(stage: Stage) -> None:
    one = stage.open()
    stage.do(lambda verbs: verbs.assign(one.id, Role.COMMANDER, ID["ann"], expected=one.version, **by("ann")))
    with pytest.raises(IncidentChanged):
        stage.do(
            lambda verbs: verbs.assign(
                one.id, Role.COMMANDER, ID["ben"], hand_over=True, expected=one.version, **by("ben")
            )
        )


def test_a_role_is_for_who_may_respond(stage: Stage) -> None:
    one = stage.open()
    for nobody in (ID["vic"], "per_nobody", "<b>"):
        with pytest.raises(IncidentInvalid):
            stage.do(lambda verbs, who=nobody: verbs.assign(one.id, Role.FIXER, who, **by("ann")))


def test_an_incident_is_not_over_while_critical_alerts_are_open_unless_somebody_says_why(stage: Stage) -> None:
    stage.fire()
    group = stage.group()
    assert group is not None
    one = stage.open(groups=[group.id])
    for verb in ("resolve", "change_status", "post_update"):
        with pytest.raises(AlertsStillOpen, match="disk is bad"):
            if verb == "resolve":
                stage.do(lambda verbs: verbs.resolve(one.id, **by("ann")))
            elif verb == "change_status":
                stage.do(lambda verbs: verbs.change_status(one.id, Status.RESOLVED, **by("ann")))
            else:
                stage.do(lambda verbs: verbs.post_update(one.id, "Over", status=Status.RESOLVED, **by("ann")))
    assert stage.ask(lambda session: public.updates(session, one.id)) == []
    over = stage.do(lambda verbs: verbs.resolve(one.id, reason="the probe itself is broken", **by("ann")))
    assert (over.status, over.resolved_reason) == (Status.RESOLVED, "the probe itself is broken")


def test_what_is_resolved_calls_nobody_any_more(stage: Stage) -> None:
    one = stage.open(severity=Severity.SEV2, services=["shop"])
    stage.do(lambda verbs: verbs.resolve(one.id, **by("ann")))
    group = stage.group("incidents", one.id)
    assert group is not None
    assert not group.is_open
    assert stage.kinds().count("resolved") == 1
    stage.do(lambda verbs: verbs.resolve(one.id, **by("ann")))
    assert stage.kinds().count("resolved") == 1


def test_what_is_over_is_not_changed_before_it_is_opened_again(stage: Stage) -> None:
    one = stage.open()
    stage.do(lambda verbs: verbs.resolve(one.id, **by("ann")))
    with pytest.raises(IncidentClosed):
        stage.do(lambda verbs: verbs.change_severity(one.id, Severity.SEV1, **by("ann")))
    again = stage.do(lambda verbs: verbs.reopen(one.id, reason="it came back", **by("ben")))
    assert (again.status, again.reopened, again.resolved_at) == (Status.INVESTIGATING, 1, None)
    group = stage.group("incidents", one.id)
    assert group is not None
    assert group.is_open


def test_becoming_worse_calls_more_people_and_begins_the_clocks_anew(stage: Stage) -> None:
    one = stage.open(severity=Severity.SEV3, services=["shop"])
    stage.pass_time(timedelta(hours=1))
    worse = stage.do(lambda verbs: verbs.change_severity(one.id, Severity.SEV1, **by("ann")))
    group = stage.group("incidents", one.id)
    assert group is not None
    assert (group.severity, worse.clocks_from) == ("critical", stage.clock.now())


def test_one_that_is_merged_goes_on_in_the_other(stage: Stage) -> None:
    stage.fire("disk")
    stage.fire("cpu", service="cart")
    disk, cpu = stage.group(key="disk"), stage.group(key="cpu")
    assert disk is not None
    assert cpu is not None
    one = stage.open("Disk", groups=[disk.id])
    other = stage.open("Cpu", who="ben", groups=[cpu.id])
    joined = stage.do(lambda verbs: verbs.merge(one.id, other.id, **by("ann")))
    assert (joined.id, joined.services) == (other.id, ("cart", "shop"))
    linked = stage.ask(lambda session: public.links(session, other.id))
    assert {link.target for link in linked} == {disk.id, cpu.id, one.id}
    assert stage.now_is(one).merged_into == other.id
    assert not stage.now_is(one).is_open
    # Sent twice, it is harmless.
    assert stage.do(lambda verbs: verbs.merge(one.id, other.id, **by("ann"))).id == other.id
    assert len(stage.facts("merged")) == 1


def test_merging_into_itself_or_into_one_that_was_merged_is_refused(stage: Stage) -> None:
    one, other, third = (stage.open(title, page=False) for title in ("One", "Other", "Third"))
    with pytest.raises(MergeRefused, match="itself"):
        stage.do(lambda verbs: verbs.merge(one.id, one.id, **by("ann")))
    stage.do(lambda verbs: verbs.merge(one.id, other.id, **by("ann")))
    with pytest.raises(MergeRefused, match="merge into that one"):
        stage.do(lambda verbs: verbs.merge(third.id, one.id, **by("ann")))
    with pytest.raises(MergeRefused, match="already"):
        stage.do(lambda verbs: verbs.merge(one.id, third.id, **by("ann")))
    for verb in (lambda verbs: verbs.reopen(one.id, **by("ann")), lambda verbs: verbs.resolve(one.id, **by("ann"))):
        with pytest.raises(IncidentClosed):
            stage.do(verb)


def test_a_part_becomes_an_incident_of_its_own(stage: Stage) -> None:
    stage.fire("disk")
    stage.fire("cpu", service="cart", severity="error")
    groups = [stage.group(key=key) for key in ("disk", "cpu")]
    one = stage.open("Both", groups=[group.id for group in groups if group is not None])
    links = stage.ask(lambda session: public.links(session, one.id))
    cpu = next(link for link in links if link.label == "cpu is bad")
    made = stage.do(lambda verbs: verbs.split(one.id, "Only the CPU", links=[cpu.id], **by("ann")))
    assert made.services == ("cart",)
    assert {cpu.target, one.id} <= {link.target for link in stage.ask(lambda session: public.links(session, made.id))}
    assert cpu.target not in {link.target for link in stage.ask(lambda session: public.links(session, one.id))}
    with pytest.raises(IncidentInvalid):
        stage.do(lambda verbs: verbs.split(one.id, "Again", links=[cpu.id], **by("ann")))


def test_an_update_that_is_sent_twice_is_published_once(stage: Stage) -> None:
    one = stage.open(severity=Severity.SEV2)
    say = {"public": True, **by("ann")}
    first = stage.do(lambda verbs: verbs.post_update(one.id, "We look at it", **say))
    second = stage.do(lambda verbs: verbs.post_update(one.id, "We look at it", **say))
    keyed = [stage.do(lambda verbs: verbs.post_update(one.id, "Found it", key="k1", **say)) for _ in range(2)]
    assert first.id == second.id
    assert keyed[0].id == keyed[1].id
    stage.clock.advance(timedelta(minutes=15))
    stage.do(lambda verbs: verbs.post_update(one.id, "Found it", **say))
    assert len(stage.ask(lambda session: public.updates(session, one.id))) == 3
    assert len(stage.facts("update_posted")) == 3
    assert "look" not in str([fact.data for fact in stage.facts("update_posted")])


def test_what_people_write_is_kept_without_what_cannot_be_seen(stage: Stage) -> None:
    one = stage.open("Down\u202e\x07 <script>alert(1)</script>\n now")
    assert one.title == "Down <script>alert(1)</script> now"
    assert one.name == "incident-2026-03-02-down-script-alert-1-script-now"
    for bad in ("", "   ", "x" * 201, "\u200b"):
        with pytest.raises(IncidentInvalid):
            stage.open(bad)
    with pytest.raises(IncidentInvalid):
        stage.do(lambda verbs: verbs.link(one.id, LinkKind.URL, "javascript:alert(1)", **by("ann")))
    with pytest.raises(IncidentInvalid):
        stage.do(lambda verbs: verbs.describe(one.id, {"users_affected": -1}, **by("ann")))


def test_the_first_person_who_does_something_has_responded(stage: Stage) -> None:
    one = stage.open("Declared by a program", who="tok_ci")
    assert one.responded_at is None
    stage.clock.advance(timedelta(minutes=3))
    stage.do(lambda verbs: verbs.note(one.id, "I look at it", **by("ben")))
    assert stage.now_is(one).responded_at == stage.clock.now()
    (ben,) = stage.ask(lambda session: public.responders(session, one.id))
    assert (ben.person_id, ben.how) == (ID["ben"], "wrote a note")
