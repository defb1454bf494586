"""Sends one message over one channel, once. Whoever calls decides what follows a miss.

A provider's answer is told as a few words that hold no address, no secret and nothing that came back but its status.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from watchkeeper.kernel.bounded import Bounded, TooManyLeft
from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.mail import Mail, Mailer, MailFailed, MailRefused
from watchkeeper.kernel.outbound import Answer, DeliveryFailed, DestinationRefused, Outbound
from watchkeeper.modules.notify import message as words
from watchkeeper.modules.notify.message import Message
from watchkeeper.modules.notify.model import ChannelKind

_JSON = {"Content-Type": "application/json"}
_AGAIN = frozenset({408, 409, 423, 425, 429})
_ANSWERED = 40


@dataclass(frozen=True)
class Letter:
    """What is sent, where to, and the idempotency key: the same whenever it is sent again."""

    key: str
    address: str
    message: Message
    settings: Mapping[str, str]
    secrets: Mapping[str, str]
    about: str


class NotSent(Exception):
    """It was not taken. `final`: it never will be, so that trying again is of no use. `not_before`: seconds in which
    the provider takes nothing."""

    def __init__(self, answer: str, *, final: bool = False, not_before: int = 0) -> None:
        super().__init__(answer)
        self.answer = answer
        self.final = final
        self.not_before = not_before


@dataclass(frozen=True)
class Providers:
    """All of them. `send` answers what the provider said in a few words; raises NotSent."""

    mailer: Mailer
    outbound: Outbound
    clock: Clock
    foreign: Bounded = field(default_factory=lambda: Bounded(name="notify-foreign"))

    def send(self, kind: ChannelKind, letter: Letter) -> str:
        """Send it once; blocks for at most 15 s."""
        ways: Mapping[ChannelKind, Callable[[Letter], str]] = {
            ChannelKind.EMAIL: self._email,
            ChannelKind.SLACK: self._slack,
            ChannelKind.SLACK_WEBHOOK: self._slack_webhook,
            ChannelKind.WEBHOOK: self._webhook,
            ChannelKind.NTFY: self._ntfy,
            ChannelKind.TELEGRAM: self._telegram,
            ChannelKind.SMS: self._sms,
            ChannelKind.VOICE: self._voice,
            ChannelKind.PAGERDUTY: self._pagerduty,
            ChannelKind.APPRISE: self._apprise,
            ChannelKind.LOOPBACK: lambda _letter: "came back",
        }
        return ways[kind](letter)

    def _email(self, letter: Letter) -> str:
        mail = Mail(letter.address, words.heading(letter.message), words.plain(letter.message), key=letter.key)
        try:
            self.mailer.send(mail)
        except MailRefused:
            raise NotSent("no SMTP server is set up") from None
        except MailFailed as error:
            raise NotSent(str(error), final=error.final) from None
        return "the SMTP server took it"

    def _slack(self, letter: Letter) -> str:
        said_so = words.slack(letter.message, pressable=bool(letter.secrets.get("signing_secret")))
        body = {"channel": letter.address, **said_so, "unfurl_links": False}
        headers = {"Authorization": f"Bearer {letter.secrets['token']}"}
        answer = self._post(f"{_base(letter)}/chat.postMessage", body, headers)
        said = _object(answer)
        if said.get("ok") is not True:
            # Slack answers 200 to everything; its error codes are words of its own, such as `invalid_auth`.
            error = str(said.get("error", "no answer that Slack gives"))[:_ANSWERED]
            raise NotSent(f"Slack answered {_word(error)}", final=error in ("channel_not_found", "user_not_found"))
        return "Slack took it"

    def _slack_webhook(self, letter: Letter) -> str:
        return _took(self._post(letter.secrets["url"], words.slack(letter.message)))

    def _webhook(self, letter: Letter) -> str:
        message = letter.message
        links = [{"label": one.label, "url": one.url} for one in message.actions]
        said = {"id": letter.key, "about": letter.about, **message.stored(), "actions": links}
        body = json.dumps(said, ensure_ascii=False).encode()
        sent_at = int(self.clock.now().timestamp())
        signed = hmac.new(letter.secrets["secret"].encode(), f"{sent_at}.".encode() + body, hashlib.sha256).hexdigest()
        headers = {**_JSON, "Idempotency-Key": letter.key, "Watchkeeper-Signature": f"t={sent_at},v1={signed}"}
        return _took(self._ask(letter.settings["url"], body, headers))

    def _ntfy(self, letter: Letter) -> str:
        message = letter.message
        urgent = message.severity in ("critical", "error")
        body: dict[str, Any] = {
            "topic": letter.address,
            "title": words.heading(message),
            "message": message.text or message.title,
            "priority": 5 if urgent else 3,
            "tags": ["rotating_light"] if urgent else [],
            "actions": [{"action": "view", "label": one.label, "url": one.url} for one in message.actions[:3]],
        }
        if message.url:
            body["click"] = message.url
        token = letter.secrets.get("token")
        return _took(self._post(_base(letter), body, {"Authorization": f"Bearer {token}"} if token else {}))

    def _telegram(self, letter: Letter) -> str:
        links = [[{"text": one.label, "url": one.url}] for one in letter.message.actions]
        body: dict[str, Any] = {"chat_id": letter.address, "text": words.plain(letter.message)[:4_000]}
        if links:
            body["reply_markup"] = {"inline_keyboard": links}
        return _took(self._post(f"{_base(letter)}/bot{letter.secrets['token']}/sendMessage", body))

    def _sms(self, letter: Letter) -> str:
        return self._twilio(letter, "Messages", {"Body": words.short(letter.message, replies=_replies(letter))})

    def _voice(self, letter: Letter) -> str:
        return self._twilio(letter, "Calls", {"Twiml": words.spoken(letter.message, replies=_replies(letter))})

    def _twilio(self, letter: Letter, what: str, said: Mapping[str, str]) -> str:
        account = letter.settings["account"]
        form = urlencode({"To": letter.address, "From": letter.settings["sender"], **said}).encode()
        signed_in = base64.b64encode(f"{account}:{letter.secrets['token']}".encode()).decode()
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Authorization": f"Basic {signed_in}",
            "I-Twilio-Idempotency-Token": letter.key,
        }
        return _took(self._ask(f"{_base(letter)}/2010-04-01/Accounts/{account}/{what}.json", form, headers))

    def _pagerduty(self, letter: Letter) -> str:
        message = letter.message
        action = {"triggered": "trigger", "acknowledged": "acknowledge", "resolved": "resolve"}[message.state]
        body: dict[str, Any] = {
            "routing_key": letter.secrets["key"],
            "event_action": action,
            "dedup_key": letter.about,
            "payload": {
                "summary": message.title or "Watchkeeper",
                "source": message.service or "watchkeeper",
                "severity": message.severity or "error",
                "custom_details": {"text": message.text},
            },
            "links": [{"href": one.url, "text": one.label} for one in message.actions],
        }
        return _took(self._post(f"{_base(letter)}/v2/enqueue", body))

    def _apprise(self, letter: Letter) -> str:
        try:
            import apprise
        except ImportError:
            raise NotSent("Apprise is not installed: pip install 'watchkeeper[apprise]'") from None
        service = apprise.Apprise()
        if not service.add(letter.secrets["url"]):
            raise NotSent("Apprise knows no such URL", final=True)
        title, text = words.heading(letter.message), words.plain(letter.message)
        try:
            delivered = self.foreign.run(lambda: service.notify(title=title, body=text))
        except TimeoutError:
            raise NotSent(f"Apprise's service did not answer within {self.foreign.seconds:g} s") from None
        except TooManyLeft:
            raise NotSent("Apprise's services have not answered several messages yet") from None
        if not delivered:
            raise NotSent("Apprise could not deliver it")
        return "Apprise delivered it"

    def _post(self, url: str, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Answer:
        return self._ask(url, json.dumps(body, ensure_ascii=False).encode(), {**_JSON, **(headers or {})})

    def _ask(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        try:
            answer = self.outbound.ask(url, body, headers)
        except DestinationRefused as refusal:
            raise NotSent(f"not sent: {refusal.title}", final=True) from None
        except DeliveryFailed as error:
            raise NotSent(str(error)) from None
        if 200 <= answer.status < 300:
            return answer
        # What a provider says is wrong with a request stays wrong; that it is busy passes.
        final = 400 <= answer.status < 500 and answer.status not in _AGAIN
        raise NotSent(_took(answer), final=final, not_before=answer.retry_after or 0)


def _base(letter: Letter) -> str:
    return letter.settings["url"].rstrip("/")


def _replies(letter: Letter) -> bool:
    return letter.settings.get("replies") == "yes"


def _took(answer: Answer) -> str:
    try:
        return f"answered {answer.status} {HTTPStatus(answer.status).phrase}"
    except ValueError:
        return f"answered {answer.status}"


def _word(text: str) -> str:
    return text if text.replace("_", "").isalnum() else "something else"


def _object(answer: Answer) -> Mapping[str, Any]:
    try:
        found = json.loads(answer.body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
