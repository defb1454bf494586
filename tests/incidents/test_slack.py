"""An incident's channel in Slack, by a server on loopback that answers as Slack does; and Slack's slash command."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode

import pytest

from tests.incidents.support import BASE, ID, Stage, by
from tests.kernel.web.support import browser, small_app
from tests.notify.support import KEY, LOOPBACK, Asked, Provider
from watchkeeper.kernel.clock import SystemClock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.work import store as work_store
from watchkeeper.modules.incidents import public, routes_slack
from watchkeeper.modules.incidents.desk import MIRROR
from watchkeeper.modules.incidents.mirror import Mirror
from watchkeeper.modules.incidents.model import Incident, Severity, Status
from watchkeeper.modules.incidents.public import Incidenting
from watchkeeper.modules.notify import store as contacts
from watchkeeper.modules.notify.codes import code_of
from watchkeeper.modules.notify.model import ChannelKind
from watchkeeper.modules.notify.public import Answering
from watchkeeper.modules.notify.service import Notify
from watchkeeper.modules.notify.signatures import of_slack
from watchkeeper.modules.oncall.public import Seen

TOKEN, SIGNING = "xoxb-12345678901", "8f742231b10e8888abcd99yyyzzz85a5"
COMMANDS = "/integrations/slack/commands"
WHEN_DUE = timedelta(minutes=2)


@dataclass
class Workspace:
    """What Slack has, and what it was asked."""

    stage: Stage
    provider: Provider
    channels: dict[str, str]

    def __post_init__(self) -> None:
        self.provider.answer = self.answer
        self.lost: set[str] = set()

    def answer(self, asked: Asked) -> tuple[int, Any]:
        method, said = asked.path.strip("/"), self.said(asked)
        if asked.headers["authorization"] != f"Bearer {TOKEN}":
            return 200, {"ok": False, "error": "invalid_auth"}
        if method in self.lost:
            self.lost.discard(method)
            if method == "conversations.create":
                self.channels[said["name"]] = "C0LOST1"
            return 503, {"ok": False}
        if method == "conversations.create":
            if said["name"] in self.channels:
                return 200, {"ok": False, "error": "name_taken"}
            self.channels[said["name"]] = f"C{len(self.channels):06d}"
            return 200, {"ok": True, "channel": {"id": self.channels[said["name"]], "name": said["name"]}}
        if method == "conversations.list":
            found = [{"id": one, "name": name} for name, one in self.channels.items()]
            return 200, {"ok": True, "channels": found, "response_metadata": {"next_cursor": ""}}
        return 200, {"ok": True}

    def said(self, asked: Asked) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(asked.body.decode()).items()}

    def asked(self, method: str) -> list[dict[str, str]]:
        return [self.said(one) for one in self.provider.asked if one.path == f"/{method}"]

    def texts(self) -> list[str]:
        return [one["text"] for one in self.asked("chat.postMessage")]

    @property
    def mirror(self) -> Mirror:
        return Mirror(self.stage.database, self.stage.clock, self.stage.incidenting, Answering(KEY, LOOPBACK))

    def run(self, *, dying: bool = False) -> None:
        """Do all due work that goes to Slack; `dying`: the process ends before it has written what was done."""
        while True:
            with self.stage.database.begin() as session:
                length = timedelta(seconds=10)
                tasks = work_store.lease(session, (MIRROR,), now=self.stage.clock.now(), length=length, most=1)
            if not tasks:
                return
            result = self.mirror.act(tasks[0])
            if dying and result is not None:
                self.stage.clock.advance(length)
                return
            with self.stage.database.begin() as session:
                assert work_store.mark_done(session, tasks[0], now=self.stage.clock.now())
                self.mirror.finish(session, tasks[0], result)

    def post(self, text: str, user: str = "U024BE7LH", *, secret: str = SIGNING, at: int | None = None) -> Any:
        """Slack brings a slash command."""
        parts = {
            Database: self.stage.database,
            SystemClock: self.stage.clock,
            Incidenting: self.stage.incidenting,
            Answering: Answering(KEY, LOOPBACK),
            Seen: self.seen,
        }
        body = urlencode({"command": "/incident", "text": text, "user_id": user}).encode()
        sent = str(at if at is not None else int(self.stage.clock.now().timestamp()))
        headers = {
            "x-slack-request-timestamp": sent,
            "x-slack-signature": of_slack(secret, sent, body),
            "content-type": "application/x-www-form-urlencoded",
        }
        with ExitStack() as clients:
            client = clients.enter_context(browser(small_app(routes_slack.router, parts=parts)))
            return client.post(COMMANDS, content=body, headers=headers)

    seen = Seen()


@pytest.fixture
def slack(stage: Stage) -> Iterator[Workspace]:
    provider = Provider()
    with stage.database.begin() as session:
        verbs = Notify(session, stage.clock, KEY, LOOPBACK)
        secrets = {"token": TOKEN, "signing_secret": SIGNING}
        said = {"url": provider.url}
        verbs.put_channel("team-slack", ChannelKind.SLACK, settings=said, secrets=secrets, by="a", source="test")
        made = verbs.add_contact(ID["ann"], "team-slack", "U024BE7LH", "mine", by=ID["ann"], source="test")
        row = contacts.contact_row(session, made.id)
        assert row is not None
        verbs.verify(ID["ann"], made.id, code_of(KEY, made.id, row.code_until), by=ID["ann"], source="test")
    stage.said = {"slack_channel": "team-slack", "slack_invite": "U111111, U222222"}
    found = Workspace(stage, provider, {})
    found.seen = Seen()
    yield found
    provider.close()


def opened(stage: Stage, **said: Any) -> Incident:
    return stage.open("Checkout <!channel> is down", severity=Severity.SEV2, services=["shop"], **said)


def test_an_incident_gets_a_channel_that_is_told_of_it_from_beginning_to_end(stage: Stage, slack: Workspace) -> None:
    one = opened(stage)
    stage.do(lambda verbs: verbs.post_update(one.id, "We look", **by("ann")))
    stage.do(lambda verbs: verbs.resolve(one.id, reason="rolled back", **by("ann")))
    assert slack.provider.asked == []
    slack.run()
    assert [said["name"] for said in slack.asked("conversations.create")] == []
    two = opened(stage)
    stage.do(lambda verbs: verbs.post_update(two.id, "We look", **by("ann")))
    slack.run()
    stage.do(lambda verbs: verbs.resolve(two.id, reason="rolled back", **by("ann")))
    slack.run()
    assert [said["name"] for said in slack.asked("conversations.create")] == [two.name]
    assert [said["users"] for said in slack.asked("conversations.invite")] == ["U111111,U222222"]
    announced, update, end = slack.texts()
    assert announced.startswith("SEV-2: Checkout &lt;!channel&gt; is down\nServices: shop")
    assert f"{BASE}/incidents/{two.id}" in announced
    assert update.startswith("SEV-2, investigating: We look")
    assert end.startswith("Resolved after")
    assert stage.now_is(two).channel == slack.channels[two.name]
    assert "channel_opened" in stage.kinds()


def test_a_death_before_the_answer_is_written_makes_no_second_channel(stage: Stage, slack: Workspace) -> None:
    one = opened(stage)
    slack.run(dying=True)
    slack.run()
    assert list(slack.channels) == [one.name]
    assert stage.now_is(one).channel == slack.channels[one.name]
    assert len(slack.texts()) == 1


def test_a_channel_whose_making_was_answered_by_an_error_is_found_again(stage: Stage, slack: Workspace) -> None:
    one = opened(stage)
    slack.lost.add("conversations.create")
    slack.run()
    assert stage.now_is(one).channel is None
    stage.clock.advance(WHEN_DUE)
    slack.run()
    assert stage.now_is(one).channel == "C0LOST1"


def test_a_slack_that_is_away_is_tried_again_and_loses_no_update(stage: Stage, slack: Workspace) -> None:
    one = opened(stage)
    slack.run()
    slack.lost.add("chat.postMessage")
    stage.do(lambda verbs: verbs.post_update(one.id, "First", **by("ann")))
    stage.clock.advance(timedelta(seconds=1))
    stage.do(lambda verbs: verbs.post_update(one.id, "Second", **by("ann")))
    slack.run()
    stage.clock.advance(WHEN_DUE)
    slack.run()
    assert [text.split(": ")[1].split("\n")[0] for text in slack.texts()[1:]] == ["First", "First", "Second"]


def test_a_slack_that_says_no_for_good_is_written_down(stage: Stage, slack: Workspace) -> None:
    stage.said = {**stage.said, "slack_channel": "no-such-channel"}
    one = opened(stage)
    slack.run()
    texts = [entry.text for entry in stage.ask(lambda session: public.entries(session, one.id))]
    assert texts == ["Its channel in Slack is not up to date: there is no such channel of the kind slack"]


def test_a_drill_and_whoever_has_no_slack_ask_nobody(stage: Stage, slack: Workspace) -> None:
    opened(stage, drill=True)
    stage.said = {}
    stage.open("Without")
    slack.run()
    assert slack.provider.asked == []


def test_a_slash_command_does_what_its_words_ask_for(stage: Stage, slack: Workspace) -> None:
    said = slack.post("open sev-2 Nobody can <pay>")
    assert said.json()["response_type"] == "ephemeral"
    one = stage.only()
    assert (one.severity, one.title, one.opened_by) == (Severity.SEV2, "Nobody can <pay>", ID["ann"])
    for text, words in (
        ("list", "SEV-2 investigating: Nobody can &lt;pay&gt;"),
        (f"ack {one.name}", "You have it"),
        (f"update {one.name} We look at it", "Posted."),
        (f"status {one.name} identified", "It is identified."),
        (f"resolve {one.name} rolled back", "Resolved"),
        ("resolve incident-none", "There is no incident"),
        ("what", "declare one"),
        ("", "declare one"),
    ):
        stage.clock.advance(timedelta(seconds=1))
        assert words in slack.post(text).json()["text"]
    assert (stage.now_is(one).status, len(stage.facts("update_posted"))) == (Status.RESOLVED, 1)


def test_whom_slack_knows_and_we_do_not_declares_nothing(stage: Stage, slack: Workspace) -> None:
    assert "does not know you" in slack.post("open Down", user="U0NOBODY1").json()["text"]
    assert stage.all() == []


def test_what_slack_did_not_sign_now_or_brings_twice_is_refused(stage: Stage, slack: Workspace) -> None:
    now = int(stage.clock.now().timestamp())
    assert slack.post("open Down", secret="0" * 32).status_code == 403
    assert slack.post("open Down", at=now - 600).status_code == 403
    assert slack.post("open Down").status_code == 200
    assert slack.post("open Down").status_code == 403
    assert len(stage.all()) == 1
