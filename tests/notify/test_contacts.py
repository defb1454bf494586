"""Contacts are verified by who reads them; channels keep their secrets; rules name one's own contacts."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from pydantic import ValidationError

from tests.kernel.web.support import ALICE as ALICE_HERSELF
from tests.kernel.web.support import bearer
from tests.notify.support import ALICE, KEY, LOOPBACK, Post
from watchkeeper.modules.notify import routes
from watchkeeper.modules.notify.errors import ChannelInvalid, CodeRefused, ContactInvalid, RulesInvalid, TooManyCodes
from watchkeeper.modules.notify.model import ChannelKind, Preferences, Rule
from watchkeeper.modules.notify.service import Verbs
from watchkeeper.modules.notify.wire import ContactView, RulesBody


def test_a_code_is_sent_to_the_contact_and_stored_nowhere(post: Post) -> None:
    post.channel()
    made = post.contact(verified=False)
    post.run()
    (asked,) = post.provider.asked
    code = post.code(made.id)
    assert code in asked.json["message"]
    with post.database.engine.connect() as connection:
        from sqlalchemy import text

        for table in ("notify_contacts", "notify_notifications", "journal", "work"):
            rows = connection.execute(text(f"SELECT * FROM {table}")).all()
            assert code not in str(rows)
            assert "topic-1" not in str(rows)


def test_five_wrong_codes_end_it_and_another_code_begins_anew(post: Post) -> None:
    post.channel()
    made = post.contact(verified=False)
    right = post.code(made.id)
    wrong = "000000" if right != "000000" else "000001"
    verbs = Verbs(post.clock, KEY, LOOPBACK)

    def enter(code: str) -> ContactView:
        return asyncio.run(routes.verified(post.database, verbs, ALICE_HERSELF, made.id, code, source="test"))

    for _ in range(5):
        with pytest.raises(CodeRefused, match="not the code"):
            enter(wrong)
    with pytest.raises(CodeRefused, match="is over"):
        enter(right)
    post.clock.advance(timedelta(minutes=1))
    post.verbs(lambda verbs: verbs.send_code(ALICE, made.id))
    assert enter(f" {post.code(made.id)} ").verified_at == post.clock.now()


def test_a_code_is_over_after_a_quarter_of_an_hour(post: Post) -> None:
    post.channel()
    made = post.contact(verified=False)
    code = post.code(made.id)
    post.clock.advance(timedelta(minutes=15))
    with pytest.raises(CodeRefused):
        post.verbs(lambda verbs: verbs.verify(ALICE, made.id, code, by=ALICE, source="test"))


def test_no_more_than_five_codes_an_hour_go_to_one_address(post: Post) -> None:
    post.channel()
    made = post.contact(verified=False)
    for _ in range(4):
        post.clock.advance(timedelta(minutes=1))
        post.verbs(lambda verbs: verbs.send_code(ALICE, made.id))
    with pytest.raises(TooManyCodes):
        post.verbs(lambda verbs: verbs.send_code(ALICE, made.id))


@pytest.mark.parametrize(
    ("kind", "address"),
    [
        (ChannelKind.NTFY, "no"),
        (ChannelKind.NTFY, "a/../b"),
        (ChannelKind.EMAIL, "alice"),
        (ChannelKind.EMAIL, "a@b.example\nBcc: x@y.example"),
        (ChannelKind.SMS, "91234567"),
        (ChannelKind.TELEGRAM, "alice"),
        (ChannelKind.PAGERDUTY, "somebody"),
    ],
)
def test_an_address_has_the_shape_of_its_channel(post: Post, kind: ChannelKind, address: str) -> None:
    settings = {ChannelKind.SMS: {"account": "AC0123456789", "sender": "+4722334455"}}.get(kind, {})
    secrets = {
        ChannelKind.SMS: {"token": "t" * 10},
        ChannelKind.TELEGRAM: {"token": "1234:" + "A" * 30},
        ChannelKind.PAGERDUTY: {"key": "R" * 32},
    }.get(kind, {})
    post.verbs(lambda verbs: verbs.put_channel("it", kind, settings=settings, secrets=secrets, by="a", source="test"))
    with pytest.raises(ContactInvalid) as refused:
        post.verbs(lambda verbs: verbs.add_contact(ALICE, "it", address, "", by=ALICE, source="test"))
    assert refused.value.complaints[0].where == "address"


def test_secrets_go_in_and_never_come_out_and_stay_where_nothing_is_said(post: Post) -> None:
    api, admin = post.browser(), bearer("admin")
    body = {"kind": "webhook", "settings": {"url": "https://hooks.example/x"}, "secrets": {"secret": "s" * 20}}
    made = api.put("/api/v1/notify/channels/hook", json=body, headers=admin)
    assert made.json()["secrets_set"] == ["secret"]
    again = api.put("/api/v1/notify/channels/hook", json={**body, "secrets": {}}, headers=admin)
    assert (again.status_code, again.json()["version"]) == (200, 1)
    shown = api.get("/api/v1/notify/channels", headers=bearer("read")).text
    assert "s" * 20 not in shown
    assert [fact.data["changed"] for fact in post.facts()] == [[]]
    stale = {**admin, "if-match": '"another"'}
    assert api.put("/api/v1/notify/channels/hook", json=body, headers=stale).status_code == 412
    assert api.put("/api/v1/notify/channels/hook", json=body, headers=bearer("write")).status_code == 403


@pytest.mark.parametrize(
    ("kind", "settings", "where"),
    [
        (ChannelKind.NTFY, {"url": "http://10.0.0.1/"}, "url"),
        (ChannelKind.NTFY, {"url": "file:///etc/passwd"}, "settings.url"),
        (ChannelKind.NTFY, {"other": "x"}, "settings.other"),
        (ChannelKind.WEBHOOK, {"url": "https://user:pass@hooks.example/"}, "secrets.secret"),
        (ChannelKind.SMS, {"account": "AC0123456789", "sender": "nobody at all"}, "settings.sender"),
    ],
)
def test_a_channel_that_could_not_work_is_refused_with_the_place(
    post: Post, kind: ChannelKind, settings: dict[str, str], where: str
) -> None:
    with pytest.raises(ChannelInvalid) as refused:
        post.verbs(lambda verbs: verbs.put_channel("it", kind, settings=settings, secrets={}, by="a", source="test"))
    assert where in [one.where for one in refused.value.complaints]
    assert post.facts() == []


def test_a_channel_that_people_are_reached_by_stays(post: Post) -> None:
    post.channel()
    post.contact()
    api = post.browser()
    assert api.delete("/api/v1/notify/channels/hook", headers=bearer("admin")).json()["code"] == "notify.channel_in_use"


@pytest.mark.parametrize("zone", ["Nowhere/City", "", "Europe", "../etc/passwd"])
def test_quiet_hours_in_a_zone_that_is_none_are_refused(zone: str) -> None:
    with pytest.raises(ValidationError, match="such as Europe/Oslo"):
        RulesBody.model_validate({"rules": [], "time_zone": zone})


def test_rules_name_ones_own_contacts_and_go_with_them(post: Post) -> None:
    post.channel()
    mine, hers = post.contact(), post.contact(person="per_bob")

    def put(contact: str) -> None:
        rules = [Rule(urgency="high", contact_id=contact, after=timedelta(minutes=2))]
        post.verbs(lambda verbs: verbs.put_rules(rules, Preferences(person_id=ALICE), by=ALICE, source="test"))

    with pytest.raises(RulesInvalid):
        put(hers.id)
    put(mine.id)
    post.verbs(lambda verbs: verbs.remove_contact(ALICE, mine.id, by=ALICE, source="test"))
    from watchkeeper.modules.notify import store

    with post.database.read() as session:
        assert store.rules_of(session, ALICE)[0] == ()


def test_the_pages_show_what_is_missing_and_escape_what_people_typed(post: Post) -> None:
    alice = post.browser("alice")
    assert "Nobody can reach you yet" in alice.get("/account/notifications").text
    post.channel()
    post.verbs(lambda verbs: verbs.add_contact(ALICE, "hook", "topic-1", "<b>my phone", by=ALICE, source="test"))
    page = alice.get("/account/notifications").text
    assert "&lt;b&gt;my phone" in page
    assert "topic-1" not in page
    assert "not used yet" in alice.get("/notify/channels").text
    assert "Webhook" in alice.get("/notify/channels?kind=webhook").text
