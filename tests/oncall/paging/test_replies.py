"""A page is answered over the way it came: by a text message, a key of the phone, a button in Slack."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Any
from urllib.parse import parse_qs, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from tests.notify.support import KEY, LOOPBACK, Asked
from tests.oncall.paging.support import BASE, Tower
from tests.oncall.support import ID, Cast
from watchkeeper.kernel.clock import SystemClock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.web.access import Authenticator
from watchkeeper.kernel.web.app_factory import create_app
from watchkeeper.modules.notify import store as contacts
from watchkeeper.modules.notify.answering import Answering
from watchkeeper.modules.notify.codes import code_of
from watchkeeper.modules.notify.model import ChannelKind
from watchkeeper.modules.notify.service import Notify
from watchkeeper.modules.notify.signatures import of_slack, of_twilio
from watchkeeper.modules.oncall import routes_replies
from watchkeeper.modules.oncall.paging.amending import Amending
from watchkeeper.modules.oncall.paging.replies import AMEND, NEUTRAL, Replies, parse

ACCOUNT, TOKEN, SIGNING = "AC0123456789", "twilio-token", "8f742231b10e8888abcd99yyyzzz85a5"
PHONES = {"ann": "+4791234567", "ben": "+4797654321"}
MEMBERS = {"ann": "U0ANN00001", "ben": "U0BEN00001"}
SMS = "/integrations/twilio/sms"
SLACK = "/integrations/slack/interactions"


@dataclass
class Line:
    """A tower whose people are reached by text message, phone or Slack, and what comes back from there."""

    tower: Tower

    @cached_property
    def answering(self) -> Answering:
        return Answering(KEY, LOOPBACK)

    @cached_property
    def replies(self) -> Replies:
        return Replies(self.tower.clock, self.tower.alerting, self.tower.links)

    @cached_property
    def client(self) -> TestClient:
        parts: dict[Any, Any] = {
            Authenticator: Cast(),
            Database: self.tower.stage.database,
            SystemClock: self.tower.clock,
            Replies: self.replies,
            Answering: self.answering,
        }
        return self.tower.stage.clients.enter_context(
            TestClient(create_app(parts=parts, routers=(routes_replies.router,)))
        )

    def reachable(self, kind: ChannelKind, addresses: dict[str, str]) -> None:
        settings = {"url": self.tower.provider.url}
        secrets = {"token": TOKEN}
        if kind is ChannelKind.SLACK:
            secrets = {"token": "xoxb-12345678", "signing_secret": SIGNING}
        else:
            settings |= {"account": ACCOUNT, "sender": "+4722334455", "replies": "yes"}
        with self.tower.stage.database.begin() as session:
            verbs = Notify(session, self.tower.clock, KEY, LOOPBACK)
            verbs.put_channel("line", kind, settings=settings, secrets=secrets, by="a", source="test")
            for who, address in addresses.items():
                made = verbs.add_contact(ID[who], "line", address, "mine", by=ID[who], source="test")
                row = contacts.contact_row(session, made.id)
                assert row is not None
                verbs.verify(ID[who], made.id, code_of(KEY, made.id, row.code_until), by="t", source="test")
        self.tower.run()
        self.tower.provider.asked.clear()

    def page(self, kind: ChannelKind, addresses: dict[str, str]) -> None:
        """Ann is paged."""
        self.reachable(kind, addresses)
        self.tower.policy()
        self.tower.fire()
        self.tower.run()

    def last(self) -> Asked:
        return self.tower.provider.asked[-1]

    def code(self) -> str:
        """What the last text message said to answer with."""
        return parse_qs(self.last().body.decode())["Body"][0].split("Reply 1 ")[1][:6]

    def text(self, body: str, sender: str = PHONES["ann"], **more: str) -> str:
        """Have Twilio bring a text message; answers what is said in return."""
        answer = self.twilio(SMS, {"From": sender, "Body": body, "MessageSid": "SM1", **more})
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"].startswith("application/xml")
        said: str = answer.text.split("<Message>")[1].split("</Message>")[0]
        return said

    def twilio(self, path: str, fields: dict[str, str], *, token: str = TOKEN, signed: str = BASE) -> Any:
        fields = {"AccountSid": ACCOUNT, **fields}
        signature = of_twilio(token, f"{signed}{path}", fields.items())
        headers = {"x-twilio-signature": signature, "content-type": "application/x-www-form-urlencoded"}
        return self.client.post(path, content=urlencode(fields), headers=headers)

    def press(self, who: str, value: str, *, ts: int | None = None, secret: str = SIGNING) -> Any:
        payload = {
            "type": "block_actions",
            "user": {"id": MEMBERS.get(who, "U0NOBODY01"), "username": who},
            "channel": {"id": "D024BE91L", "name": "directmessage"},
            "message": {"type": "message", "ts": "1548261231.000200"},
            "response_url": "https://hooks.slack.example/actions/T0/1/x",
            "actions": [
                {"type": "button", "action_id": "watchkeeper_acknowledge", "value": value, "action_ts": "1548426417.8"}
            ],
        }
        return self.slack(urlencode({"payload": json.dumps(payload)}).encode(), ts=ts, secret=secret)

    def slack(self, body: bytes, *, ts: int | None = None, secret: str = SIGNING) -> Any:
        at = str(ts if ts is not None else int(self.tower.clock.now().timestamp()))
        headers = {
            "x-slack-request-timestamp": at,
            "x-slack-signature": of_slack(secret, at, body),
            "content-type": "application/x-www-form-urlencoded",
        }
        return self.client.post(SLACK, content=body, headers=headers)

    def button(self) -> dict[str, Any]:
        return next(
            one for block in self.last().json["blocks"] for one in block.get("elements", ()) if one.get("action_id")
        )

    def amend(self) -> None:
        """Do what the buttons have ordered."""
        from watchkeeper.kernel.work import store as work_store

        handler = Amending(self.tower.stage.database, self.answering, BASE)
        with self.tower.stage.database.begin() as session:
            tasks = work_store.lease(session, (AMEND,), now=self.tower.clock.now(), length=timedelta(minutes=1), most=9)
        for task in tasks:
            handler.act(task)


@pytest.fixture
def line(tower: Tower) -> Line:
    return Line(tower)


def test_signatures_are_those_of_the_documented_examples() -> None:
    fields = {
        "CallSid": "CA1234567890ABCDE",
        "Caller": "+12349013030",
        "Digits": "1234",
        "From": "+12349013030",
        "To": "+18005551212",
    }
    url = "https://mycompany.com/myapp.php?foo=1&bar=2"
    assert of_twilio("12345", url, fields.items()) == "0/KCTR6DLpKmkAf8muzZqo1nDgQ="
    body = (
        b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
        b"&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
        b"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
        b"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
    )
    wanted = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
    assert of_slack(SIGNING, "1531420618", body) == wanted


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("1 123456", ("acknowledge", "123456")),
        (" ACK  123456 ", ("acknowledge", "123456")),
        ("123456", ("acknowledge", "123456")),
        ("Resolve 123456", ("resolve", "123456")),
        ("2 123456", ("resolve", "123456")),
        ("3 123456", None),
        ("1 12345", None),
        ("1 ١٢٣٤٥٦", None),
        ("", None),
        ("<b>1</b> 123456", None),
    ],
)
def test_a_text_message_means_one_thing_or_nothing(text: str, meant: object) -> None:
    assert parse(text) == meant


@given(text=st.text(max_size=200))
def test_any_text_is_read(text: str) -> None:
    found = parse(text)
    assert found is None or len(found[1]) == 6


def test_the_code_in_a_text_message_acknowledges_in_the_name_of_who_was_paged(line: Line) -> None:
    line.page(ChannelKind.SMS, PHONES)
    assert line.text(f"1 {line.code()}") == "You have it now. Nobody else is called."
    group = line.tower.group()
    assert (group.status, group.acknowledged_by) == ("acknowledged", ID["ann"])
    line.tower.run()
    assert line.tower.after(30) == []
    assert line.tower.kinds().count("reply_taken") == 1


def test_it_resolves_too(line: Line) -> None:
    line.page(ChannelKind.SMS, PHONES)
    assert line.text(f"resolve {line.code()}") == "It is resolved."
    assert not line.tower.group().is_open


def test_a_wrong_number_and_a_wrong_code_get_the_same_answer_and_change_nothing(line: Line) -> None:
    line.page(ChannelKind.SMS, PHONES)
    code = line.code()
    wrong = "000000" if code != "000000" else "000001"
    said = {line.text(f"1 {wrong}"), line.text(f"1 {code}", PHONES["ben"]), line.text(f"1 {code}", "+15550001111")}
    said |= {line.text("<b>hello</b>"), line.text("")}
    assert said == {NEUTRAL}
    assert line.tower.group().status == "triggered"
    assert line.tower.kinds().count("reply_refused") == 5


def test_after_five_wrong_codes_the_right_one_is_not_taken_for_a_quarter_of_an_hour(line: Line) -> None:
    line.page(ChannelKind.SMS, PHONES)
    code = line.code()
    for _ in range(5):
        line.text(f"1 {'000000' if code != '000000' else '000001'}")
    assert line.text(f"1 {code}") == NEUTRAL
    line.tower.clock.advance(timedelta(minutes=16))
    assert line.text(f"1 {code}") == "You have it now. Nobody else is called."


def test_a_code_is_over_with_its_page(line: Line) -> None:
    line.page(ChannelKind.SMS, PHONES)
    code = line.code()
    line.text(f"1 {code}")
    line.tower.run()
    with line.tower.stage.database.begin() as session:
        line.tower.alerting.unacknowledge(
            session, line.tower.group().id, by=ID["ann"], at=line.tower.clock.now(), source="test", reason=""
        )
    assert line.text(f"1 {code}") == NEUTRAL, "the same message, brought again, takes nothing"
    assert line.tower.group().status == "triggered"


@pytest.mark.parametrize(("token", "signed"), [("another-token", BASE), (TOKEN, "https://elsewhere.example")])
def test_what_twilio_did_not_sign_for_this_address_is_refused(line: Line, token: str, signed: str) -> None:
    line.page(ChannelKind.SMS, PHONES)
    fields = {"From": PHONES["ann"], "Body": f"1 {line.code()}"}
    answer = line.twilio(SMS, fields, token=token, signed=signed)
    assert (answer.status_code, answer.json()["code"]) == (403, "oncall.signature_refused")
    assert line.tower.group().status == "triggered"


def test_a_channel_that_takes_no_replies_says_nothing_of_them_and_believes_none(line: Line) -> None:
    line.page(ChannelKind.SMS, PHONES)
    code = line.code()
    with line.tower.stage.database.begin() as session:
        verbs = Notify(session, line.tower.clock, KEY, LOOPBACK)
        said = {"url": line.tower.provider.url, "account": ACCOUNT, "sender": "+4722334455"}
        verbs.put_channel("line", ChannelKind.SMS, settings=said, secrets={}, by="a", source="test")
    assert line.twilio(SMS, {"From": PHONES["ann"], "Body": f"1 {code}"}).status_code == 403
    before = len(line.tower.provider.asked)
    line.tower.clock.advance(timedelta(minutes=5))
    line.tower.run()
    assert len(line.tower.provider.asked) > before, "the next step was called"
    assert "Reply" not in line.last().body.decode()


def test_four_on_the_phone_acknowledges_and_no_other_key_does(line: Line) -> None:
    line.page(ChannelKind.VOICE, PHONES)
    twiml = parse_qs(line.last().body.decode())["Twiml"][0]
    path = twiml.split('action="')[1].split('"')[0].removeprefix(BASE)
    assert twiml.count("Disk full") == 2
    assert "It stays open." in line.twilio(path, {"Digits": "5"}).text
    assert line.tower.group().status == "triggered"
    assert "You have it now." in line.twilio(path, {"Digits": "4"}).text
    assert line.tower.group().acknowledged_by == ID["ann"]
    assert NEUTRAL in line.twilio("/integrations/twilio/voice/wka_nobody-knows", {"Digits": "4"}).text


def test_the_button_acknowledges_in_the_name_of_who_pressed_it_and_the_message_says_so(line: Line) -> None:
    line.page(ChannelKind.SLACK, MEMBERS)
    assert line.press("ben", line.button()["value"]).status_code == 200
    assert line.tower.group().acknowledged_by == ID["ben"]
    line.amend()
    (changed,) = [one for one in line.tower.provider.asked if one.path == "/chat.update"]
    assert (changed.json["channel"], changed.json["ts"]) == ("D024BE91L", "1548261231.000200")
    assert "Acknowledged by Ben" in json.dumps(changed.json)
    assert "watchkeeper_acknowledge" not in json.dumps(changed.json)


def test_whoever_slack_knows_and_we_do_not_is_told_so_alone(line: Line) -> None:
    line.page(ChannelKind.SLACK, {"ann": MEMBERS["ann"]})
    assert line.press("ben", line.button()["value"]).status_code == 200
    assert line.tower.group().status == "triggered"
    line.amend()
    (told,) = [one for one in line.tower.provider.asked if one.path == "/chat.postEphemeral"]
    assert (told.json["user"], told.json["text"]) == (MEMBERS["ben"], NEUTRAL)


def test_what_slack_signed_long_ago_or_somebody_else_signed_or_came_already_is_refused(line: Line) -> None:
    line.page(ChannelKind.SLACK, MEMBERS)
    value, now = line.button()["value"], int(line.tower.clock.now().timestamp())
    for answer in (
        line.press("ann", value, ts=now - 301),
        line.press("ann", value, ts=now + 301),
        line.press("ann", value, secret="f" * 32),
    ):
        assert (answer.status_code, answer.json()["code"]) == (403, "oncall.signature_refused")
    assert line.tower.group().status == "triggered"
    assert line.press("ann", value, ts=now - 299).status_code == 200
    assert line.press("ann", value, ts=now - 299).status_code == 403


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"payload=" + b"%5B" * 20_000, 400),
        (b"payload=" + b"x" * 70_000, 413),
        (b"payload=%7B%7D", 400),
        (b"payload=%FF%FE", 400),
        (b"payload=%00", 400),
        ("payload=ø".encode(), 400),
        (b"&".join(b"a=1" for _ in range(500)), 400),
        (b"payload=" + urlencode({"": json.dumps({"type": "view_closed"})})[1:].encode(), 200),
    ],
)
def test_hostile_forms_are_refused_however_well_signed(line: Line, body: bytes, status: int) -> None:
    line.page(ChannelKind.SLACK, MEMBERS)
    assert line.slack(body).status_code == status
    assert line.tower.group().status == "triggered"


def test_no_number_and_no_secret_is_in_the_journal_or_in_due_work(line: Line) -> None:
    from sqlalchemy import text

    line.page(ChannelKind.SMS, PHONES)
    code = line.code()
    line.text(f"1 {code}")
    line.text(f"1 {code}", "+15550001111")
    with line.tower.stage.database.read() as session:
        for table in ("journal", "work", "notify_notifications", "oncall_pages"):
            rows = str(session.execute(text(f"SELECT * FROM {table}")).all())
            for hidden in (*PHONES.values(), "+15550001111", f"'{code}'", TOKEN):
                assert hidden not in rows
