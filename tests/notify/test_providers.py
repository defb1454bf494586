"""What each provider is sent, by servers that really get it; and what its answers mean."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
import threading
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs

import pytest
from aiosmtpd.controller import Controller

from tests.notify.support import LOOPBACK, Provider
from watchkeeper.kernel.clock import ManualClock
from watchkeeper.kernel.mail import Mailer, MailSettings
from watchkeeper.kernel.outbound import Outbound
from watchkeeper.modules.notify.message import Action, Message
from watchkeeper.modules.notify.model import ChannelKind
from watchkeeper.modules.notify.providers import Letter, NotSent, Providers

MESSAGE = Message(
    "Checkout fails",
    "half of <all> & more",
    severity="critical",
    service="gateway",
    url="https://watch.example/alerts/grp_1",
    actions=(Action("Acknowledge", "https://watch.example/ack/1"),),
)


def letter(provider: Provider, *, address: str = "", message: Message = MESSAGE, **secrets: str) -> Letter:
    settings = {"url": provider.url, "account": "AC0123456789", "sender": "+4722334455"}
    return Letter("ntf_1", address, message, settings, secrets, "alert_group:grp_1")


@pytest.fixture
def providers(clock: ManualClock) -> Providers:
    return Providers(Mailer(MailSettings.model_validate({})), LOOPBACK, clock)


def test_slack_gets_blocks_with_buttons_and_nothing_that_calls_a_channel(
    providers: Providers, provider: Provider
) -> None:
    loud = Message("<!channel> fire", "a < b & c", actions=MESSAGE.actions)
    said = providers.send(ChannelKind.SLACK, letter(provider, address="U024BE7LH", message=loud, token="xoxb-12345678"))
    (asked,) = provider.asked
    assert (said, asked.path) == ("Slack took it", "/chat.postMessage")
    assert asked.headers["authorization"] == "Bearer xoxb-12345678"
    assert asked.json["channel"] == "U024BE7LH"
    assert "<!channel>" not in asked.json["text"]
    assert asked.json["blocks"][1]["text"]["text"] == "a &lt; b &amp; c"
    assert asked.json["blocks"][2]["elements"][0]["url"] == "https://watch.example/ack/1"


@pytest.mark.parametrize(("error", "final"), [("ratelimited", False), ("channel_not_found", True), ("<script>", False)])
def test_slack_says_no_with_a_200(providers: Providers, provider: Provider, error: str, final: bool) -> None:
    provider.answer = lambda _asked: (200, {"ok": False, "error": error})
    with pytest.raises(NotSent) as refused:
        providers.send(ChannelKind.SLACK, letter(provider, address="U024BE7LH", token="xoxb-12345678"))
    assert refused.value.final is final
    assert "<" not in refused.value.answer


def test_a_webhook_is_signed_over_its_time_and_body_and_has_its_idempotency_key(
    providers: Providers, provider: Provider
) -> None:
    providers.send(ChannelKind.WEBHOOK, letter(provider, secret="s" * 20))
    (asked,) = provider.asked
    parts = dict(one.split("=") for one in asked.headers["watchkeeper-signature"].split(","))
    signed = hmac.new(b"s" * 20, f"{parts['t']}.".encode() + asked.body, hashlib.sha256).hexdigest()
    assert (parts["v1"], asked.headers["idempotency-key"]) == (signed, "ntf_1")
    assert asked.json["about"] == "alert_group:grp_1"


def test_telegram_gets_its_chat_and_buttons_and_its_token_is_in_no_error(
    providers: Providers, provider: Provider
) -> None:
    token = "1234:" + "A" * 30
    providers.send(ChannelKind.TELEGRAM, letter(provider, address="-100200", token=token))
    (asked,) = provider.asked
    assert asked.path == f"/bot{token}/sendMessage"
    assert asked.json["reply_markup"]["inline_keyboard"][0][0]["text"] == "Acknowledge"
    provider.close()
    with pytest.raises(NotSent) as missed:
        providers.send(ChannelKind.TELEGRAM, letter(provider, address="-100200", token=token))
    assert token not in missed.value.answer
    assert not missed.value.final


def test_twilio_gets_texts_that_keep_their_link_and_calls_that_say_it_twice(
    providers: Providers, provider: Provider
) -> None:
    long = Message("x" * 400, severity="critical", actions=MESSAGE.actions)
    providers.send(ChannelKind.SMS, letter(provider, address="+4791234567", message=long, token="t" * 10))
    providers.send(ChannelKind.VOICE, letter(provider, address="+4791234567", token="t" * 10))
    text, call = provider.asked
    assert text.path == "/2010-04-01/Accounts/AC0123456789/Messages.json"
    assert base64.b64decode(text.headers["authorization"].removeprefix("Basic ")) == b"AC0123456789:" + b"t" * 10
    assert text.headers["i-twilio-idempotency-token"] == "ntf_1"
    body = parse_qs(text.body.decode())["Body"][0]
    assert body.endswith("https://watch.example/ack/1")
    assert len(body) <= 300
    assert parse_qs(call.body.decode())["Twiml"][0].count("Checkout fails") == 2


def test_pagerduty_gets_an_event_whose_state_follows(providers: Providers, provider: Provider) -> None:
    key = "R" * 32
    for state in ("triggered", "acknowledged", "resolved"):
        message = Message("Checkout fails", severity="critical", state=state)
        providers.send(ChannelKind.PAGERDUTY, letter(provider, message=message, key=key))
    assert [one.json["event_action"] for one in provider.asked] == ["trigger", "acknowledge", "resolve"]
    assert {one.json["dedup_key"] for one in provider.asked} == {"alert_group:grp_1"}


@pytest.mark.parametrize(
    ("status", "final"), [(400, True), (401, True), (404, True), (408, False), (429, False), (500, False), (503, False)]
)
def test_what_is_wrong_stays_wrong_and_what_is_busy_passes(
    providers: Providers, provider: Provider, status: int, final: bool
) -> None:
    provider.answer = lambda _asked: (status, {"echo": "topic-1"})
    with pytest.raises(NotSent) as missed:
        providers.send(ChannelKind.NTFY, letter(provider, address="topic-1"))
    assert (missed.value.answer, missed.value.final) == (f"answered {status} {HTTPStatus(status).phrase}", final)


def test_a_private_address_is_never_sent_to(provider: Provider, clock: ManualClock) -> None:
    public_only = Providers(Mailer(MailSettings.model_validate({})), Outbound(), clock)
    with pytest.raises(NotSent) as refused:
        public_only.send(ChannelKind.NTFY, letter(provider, address="topic-1"))
    assert refused.value.final
    assert provider.asked == []


def test_apprise_delivers_to_any_of_its_services(providers: Providers, provider: Provider) -> None:
    host = provider.url.removeprefix("http://")
    said = providers.send(ChannelKind.APPRISE, letter(provider, url=f"json://{host}/inbox"))
    (asked,) = provider.asked
    assert (said, asked.json["title"]) == ("Apprise delivered it", "[CRITICAL] Checkout fails")
    assert "Acknowledge: https://watch.example/ack/1" in asked.json["message"]
    provider.answer = lambda _asked: (500, {})
    with pytest.raises(NotSent):
        providers.send(ChannelKind.APPRISE, letter(provider, url=f"json://{host}/inbox"))
    with pytest.raises(NotSent) as unknown:
        providers.send(ChannelKind.APPRISE, letter(provider, url="nosuchservice://x"))
    assert unknown.value.final


class Inbox:
    """A real SMTP server."""

    def __init__(self) -> None:
        self.mails: list[Any] = []
        self.refusing = ""

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 (aiosmtpd's name)
        if self.refusing:
            return self.refusing
        self.mails.append(envelope)
        return "250 taken"


@pytest.fixture
def inbox() -> Iterator[tuple[Inbox, Mailer]]:
    held = Inbox()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = Controller(held, hostname="127.0.0.1", port=port)
    server.start()
    settings = MailSettings.model_validate({"host": "127.0.0.1", "port": port, "security": "none"})
    yield held, Mailer(settings)
    server.stop()


def test_a_mail_has_the_same_message_id_whenever_it_is_sent_again(
    inbox: tuple[Inbox, Mailer], provider: Provider, clock: ManualClock
) -> None:
    held, mailer = inbox
    by_mail = Providers(mailer, LOOPBACK, clock)
    for _ in range(2):
        by_mail.send(ChannelKind.EMAIL, letter(provider, address="alice@example.org"))
    texts = [one.content.decode() for one in held.mails]
    assert all("Message-ID: <ntf_1@watchkeeper>" in text for text in texts)
    assert all(
        "[CRITICAL] Checkout fails" in text and "Acknowledge: https://watch.example/ack/1" in text for text in texts
    )


@pytest.mark.parametrize("refusing", ["451 busy", "550 no such person"])
def test_a_mail_that_is_refused_is_a_miss_without_the_address(
    inbox: tuple[Inbox, Mailer], provider: Provider, clock: ManualClock, refusing: str
) -> None:
    held, mailer = inbox
    held.refusing = refusing
    with pytest.raises(NotSent) as missed:
        Providers(mailer, LOOPBACK, clock).send(ChannelKind.EMAIL, letter(provider, address="alice@example.org"))
    assert "alice" not in missed.value.answer


def closes(connection: socket.socket) -> None:
    connection.close()


def speaks_no_http(connection: socket.socket) -> None:
    connection.sendall(b"220 something else\r\n")
    connection.close()


@pytest.mark.parametrize(("behave", "tls"), [(closes, False), (speaks_no_http, False), (speaks_no_http, True)])
def test_a_provider_that_speaks_nonsense_is_a_miss(
    providers: Providers, behave: Callable[[socket.socket], None], tls: bool
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=lambda: behave(listening.accept()[0]), daemon=True).start()
        url = f"http{'s' if tls else ''}://127.0.0.1:{listening.getsockname()[1]}"
        sent = Letter("ntf_1", "topic-1", MESSAGE, {"url": url}, {}, "alert_group:grp_1")
        with pytest.raises(NotSent) as missed:
            providers.send(ChannelKind.NTFY, sent)
    assert not missed.value.final


def test_texts_from_outside_are_cleaned_once() -> None:
    stored = Message("a\x00b\x1b[31m\u202ec\n d", "x\r\ny\x07").stored()
    assert stored["title"] == "ab[31mc d"
    assert stored["text"] == "x\ny"
    assert json.loads(json.dumps(stored)) == {**stored, "actions": []}
