"""A message is sent at least once, or somebody hears that it was not."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from tests.notify.support import ALICE, Asked, Post
from watchkeeper.kernel.work import store as work_store
from watchkeeper.modules.notify import store
from watchkeeper.modules.notify.model import ChannelKind, Preferences, Rule
from watchkeeper.modules.notify.ordering import KINDS


def topics(post: Post, *, kind: str = "page") -> list[str]:
    return [one.json["topic"] for one in post.provider.asked if "code" not in one.json["title"]]


@pytest.fixture
def two(post: Post) -> tuple[str, str]:
    """Alice's two contacts, on channels of their own."""
    post.channel("first")
    post.channel("second")
    found = post.contact("first", "topic-a").id, post.contact("second", "topic-b").id
    post.run()
    post.provider.asked.clear()
    return found


def rules(post: Post, *said: tuple[str, str, int], **quiet: object) -> None:
    made = [Rule(urgency=u, contact_id=c, after=timedelta(minutes=m)) for u, c, m in said]  # type: ignore[arg-type]
    preferences = Preferences(person_id=ALICE, **quiet)  # type: ignore[arg-type]
    post.verbs(lambda verbs: verbs.put_rules(made, preferences, by=ALICE, source="test"))


def test_without_rules_an_urgent_page_comes_by_every_verified_contact_at_once(post: Post, two: tuple[str, str]) -> None:
    assert post.page() == 2
    post.run()
    assert sorted(topics(post)) == ["topic-a", "topic-b"]
    assert post.states() == ["sent", "sent"]
    said = post.provider.asked[0].json
    assert said["title"] == "[CRITICAL] Checkout fails (grp_1)"
    assert said["actions"] == [{"action": "view", "label": "Acknowledge", "url": "https://watch.example/ack/grp_1"}]


def test_the_second_way_waits_for_its_minutes_and_is_not_sent_when_somebody_took_care(
    post: Post, two: tuple[str, str]
) -> None:
    rules(post, ("high", two[0], 0), ("high", two[1], 2))
    post.page()
    post.run()
    assert topics(post) == ["topic-a"]
    post.owner.unwanted["grp_1"] = "acknowledged"
    post.clock.advance(timedelta(minutes=2))
    post.run()
    assert topics(post) == ["topic-a"]
    assert post.states() == ["sent", "dropped"]
    assert post.record()[0].reason == "acknowledged"


def test_a_way_that_does_not_answer_is_not_waited_for(post: Post, two: tuple[str, str]) -> None:
    rules(post, ("high", two[0], 0), ("high", two[1], 10))
    post.provider.answer = lambda asked: (503 if asked.json["topic"] == "topic-a" else 200, {})
    post.page()
    post.run()
    assert topics(post) == ["topic-a", "topic-b"], "the second way began with the miss, not ten minutes later"
    for _ in range(20):
        post.clock.advance(timedelta(seconds=60))
        post.run()
    assert topics(post).count("topic-a") == 6, "tried again five times"
    assert sorted(post.states()) == ["failed", "sent"]
    assert len({one.headers.get("idempotency-key") for one in post.provider.asked}) == 1
    assert post.owner.lost == [], "she was reached"


def test_a_contact_that_no_rule_names_is_used_before_giving_up(post: Post, two: tuple[str, str]) -> None:
    rules(post, ("high", two[0], 0))
    post.provider.answer = lambda asked: (403 if asked.json["topic"] == "topic-a" else 200, {})
    post.page()
    post.run()
    assert topics(post) == ["topic-a", "topic-b"]
    assert sorted(post.states()) == ["failed", "sent"], "403 does not pass by trying again"


def test_when_no_way_is_left_the_owner_hears_of_it_at_once(post: Post, two: tuple[str, str]) -> None:
    post.provider.answer = lambda _asked: (500, {})
    post.page()
    post.run()
    for _ in range(10):
        post.clock.advance(timedelta(minutes=2))
        post.run()
    assert post.owner.lost == ["grp_1"], "once, however often it is tried again"
    assert "nobody_reached" in post.kinds()


def test_who_has_no_verified_contact_is_told_to_the_caller(post: Post) -> None:
    post.channel()
    post.contact(verified=False)
    assert post.page() == 0


def test_three_misses_in_a_row_mark_a_channel_and_one_delivery_clears_it(post: Post, two: tuple[str, str]) -> None:
    rules(post, ("high", two[0], 0))
    post.provider.answer = lambda asked: (500 if asked.json["topic"] == "topic-a" else 200, {})
    for number in range(3):
        post.page(f"grp_{number}", call=f"call-{number}")
        post.run()
    assert post.kinds().count("channel_degraded") == 1
    rules(post, ("high", two[0], 0), ("high", two[1], 10))
    post.provider.asked.clear()
    post.page("grp_9", call="call-9")
    post.run()
    assert "topic-b" in topics(post), "nobody waits ten minutes beside a channel that misses"
    post.provider.answer = lambda _asked: (200, {})
    post.page("grp_10", call="call-10")
    post.run()
    assert post.kinds().count("channel_recovered") == 1


def test_the_same_call_is_one_message_however_often_it_is_ordered(post: Post, two: tuple[str, str]) -> None:
    for _ in range(3):
        post.page()
    post.run()
    assert sorted(topics(post)) == ["topic-a", "topic-b"]


def test_a_killed_sender_sends_again_under_the_same_key_and_leaves_its_attempt_open(
    post: Post, two: tuple[str, str]
) -> None:
    rules(post, ("high", two[0], 0))
    post.page()
    with post.database.begin() as session:
        (task,) = work_store.lease(session, KINDS, now=post.clock.now(), length=timedelta(seconds=10), most=1)
    post.sending.act(task)  # sent, and then the process is gone
    post.clock.advance(timedelta(seconds=11))
    post.run()
    assert topics(post) == ["topic-a", "topic-a"]
    assert post.states() == ["sent"]
    with post.database.read() as session:
        from watchkeeper.modules.notify import store_notifications

        (one,) = post.record()
        outcomes = [each.outcome for each in store_notifications.attempts_of(session, [one.id])[one.id]]
    assert outcomes == ["begun", "accepted"]


def test_an_attempt_without_an_end_begins_the_next_way_after_half_a_minute(post: Post, two: tuple[str, str]) -> None:
    rules(post, ("high", two[0], 0), ("high", two[1], 10))
    post.page()
    with post.database.begin() as session:
        (task,) = work_store.lease(session, KINDS, now=post.clock.now(), length=timedelta(minutes=5), most=1)
    post.sending.act(task)  # and its provider never answers: the lease is renewed all the time
    post.clock.advance(timedelta(seconds=31))
    post.run()
    assert topics(post) == ["topic-a", "topic-b"]


def test_of_a_backlog_only_the_newest_about_one_thing_goes_out(post: Post, two: tuple[str, str]) -> None:
    rules(post, ("high", two[0], 0))
    for number in range(5):
        post.page(call=f"round-{number}")
        post.clock.advance(timedelta(minutes=5))
    post.run()
    assert topics(post) == ["topic-a"]
    assert post.states() == ["dropped"] * 4 + ["sent"]


def test_what_is_not_urgent_is_gathered_into_one_message(post: Post, two: tuple[str, str]) -> None:
    for number in range(4):
        post.page(f"grp_{number}", call=f"call-{number}", urgency="low")
        post.clock.advance(timedelta(seconds=10))
    post.run()
    assert topics(post) == []
    post.clock.advance(timedelta(seconds=100))
    post.run()
    (one,) = [asked.json for asked in post.provider.asked]
    assert one["title"].startswith("[CRITICAL] 4 messages:")
    assert one["message"].count("Checkout fails") == 4
    assert one["actions"] == []


def test_quiet_hours_hold_what_is_not_urgent_and_nothing_else(post: Post, two: tuple[str, str]) -> None:
    from datetime import time

    rules(post, ("low", two[0], 0), time_zone="UTC", quiet_from=time(10, 0), quiet_until=time(14, 0))
    post.page("grp_low", call="low", urgency="low")
    post.page("grp_high", call="high", urgency="high")
    post.run()
    assert sorted(topics(post)) == ["topic-a", "topic-b"]
    assert post.states("grp_low") == ["waiting"]
    post.clock.advance(timedelta(hours=2, minutes=5))
    post.run()
    assert post.states("grp_low") == ["sent"]


def test_too_many_messages_hold_repeats_but_never_the_first_about_something_urgent(
    post: Post, two: tuple[str, str]
) -> None:
    rules(post, ("high", two[0], 0))
    for number in range(30):
        post.page(f"grp_{number}", call=f"call-{number}")
    post.run()
    assert len(topics(post)) == 30
    post.page("grp_new", call="new")
    post.page("grp_1", call="again")
    post.run()
    assert post.states("grp_new") == ["sent"]
    assert post.states("grp_1") == ["sent", "waiting"]
    post.clock.advance(timedelta(minutes=11))
    post.run()
    assert post.states("grp_1") == ["sent", "sent"]


def test_no_address_no_secret_and_no_text_is_in_the_journal(post: Post, two: tuple[str, str]) -> None:
    post.provider.answer = lambda _asked: (500, {"secret": "topic-a"})
    post.page()
    post.run()
    said = json.dumps([dict(fact.data) for fact in post.facts()])
    for hidden in ("topic-a", "topic-b", "Checkout", post.provider.url):
        assert hidden not in said


def test_a_channel_that_is_gone_drops_its_messages_with_the_reason(post: Post) -> None:
    post.channel("team", ChannelKind.NTFY)
    from watchkeeper.modules.notify import public
    from watchkeeper.modules.notify.message import Message
    from watchkeeper.modules.notify.ordering import Order

    order = Order(
        call="c", about_type="alert_group", about_id="grp_1", urgency="high", kind="page", message=Message("Fire")
    )
    with post.database.begin() as session:
        assert public.notify_channel(session, order, "team", at=post.clock.now())
        assert not public.notify_channel(session, order, "nobody", at=post.clock.now())
    post.verbs(lambda verbs: verbs.remove_channel("team", by="per_admin", source="test"))
    post.run()
    assert post.record()[0].reason == "the channel is gone"


def asked_by(post: Post) -> list[Asked]:
    return post.provider.asked


def test_messages_over_a_channel_that_works_do_not_wait_for_each_other(post: Post) -> None:
    if post.database.dialect == "sqlite":
        return  # everything waits for its one writer
    post.channel()
    post.contact()
    post.page("grp_1", call="call-1")
    post.run()
    with post.database.lane("another").begin() as session:
        assert store.channel_named(session, "hook", lock=True) is not None
        post.page("grp_2", call="call-2")
        post.run()
        assert post.states("grp_2") == ["sent"]


def test_what_a_channel_takes_after_it_missed_is_noted_at_once(post: Post) -> None:
    post.channel()
    post.contact()
    post.page("grp_1", call="call-1")
    post.run()
    post.provider.answer = lambda _asked: (503, {})
    post.page("grp_2", call="call-2")
    post.run()
    post.provider.answer = lambda _asked: (200, {})
    post.page("grp_3", call="call-3")
    post.run()
    with post.database.read() as session:
        found = store.channel_named(session, "hook")
    assert found is not None
    assert found.misses == 0
