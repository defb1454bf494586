"""What comes back over a channel: whose request it is, who wrote, and changing a message of ours afterwards."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from sqlalchemy.orm import Session

from watchkeeper.kernel.keys import InstallationKey, KeyUnusable
from watchkeeper.kernel.outbound import DeliveryFailed, Outbound
from watchkeeper.modules.notify import signatures, store
from watchkeeper.modules.notify.message import Message, slack
from watchkeeper.modules.notify.model import Channel, ChannelKind, Contact
from watchkeeper.modules.notify.sealing import address_of, secrets_of

# A page of a list of channels.
_LARGEST_OF_SLACK = 1_000_000


class SlackRefused(DeliveryFailed):
    """Slack said no. `word` is its own for why, such as `name_taken`."""

    def __init__(self, word: str) -> None:
        super().__init__(f"Slack answered {word}")
        self.word = word


@dataclass(frozen=True)
class SlackWay:
    """How Slack's API is asked by the bot of a channel. Blocks; needs no session."""

    url: str
    outbound: Outbound
    token: str = field(repr=False)

    def ask(self, method: str, fields: Mapping[str, str]) -> Mapping[str, Any]:
        """What a method answers. Raises SlackRefused, DeliveryFailed or DestinationRefused."""
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Authorization": f"Bearer {self.token}"}
        answer = self.outbound.ask(
            f"{self.url}/{method}", urlencode(fields).encode(), headers, largest=_LARGEST_OF_SLACK
        )
        try:
            said = json.loads(answer.body)
        except ValueError:
            said = None
        if not isinstance(said, dict) or not 200 <= answer.status < 300:
            raise DeliveryFailed(f"Slack answered {answer.status}")
        if said.get("ok") is not True:
            word = str(said.get("error", ""))[:40]
            raise SlackRefused(word if word.replace("_", "").isalnum() else "no")
        return said


@dataclass(frozen=True)
class Answering:
    """Believes a request by the secret of a channel, and a sender by a verified contact on it."""

    key: InstallationKey
    outbound: Outbound

    def twilio_channel(
        self, session: Session, kind: ChannelKind, url: str, fields: Sequence[tuple[str, str]], signature: str
    ) -> Channel | None:
        """The channel that takes replies and whose account has signed this; None when there is none."""
        account = dict(fields).get("AccountSid", "")
        for channel, secrets in self._channels(session, kind):
            if channel.settings.get("account") == account and channel.settings.get("replies") == "yes":
                made = signatures.of_twilio(secrets["token"], url, fields)
                if signatures.is_same(made, signature):
                    return channel
        return None

    def slack_channel(
        self, session: Session, timestamp: str, body: bytes, signature: str, now: datetime
    ) -> Channel | None:
        """The channel whose app has signed this a moment ago."""
        if not signatures.is_fresh(timestamp, now):
            return None
        for channel, secrets in self._channels(session, ChannelKind.SLACK):
            secret = secrets.get("signing_secret")
            if secret and signatures.is_same(signatures.of_slack(secret, timestamp, body), signature):
                return channel
        return None

    def contact_at(self, session: Session, channel_id: str, address: str) -> Contact | None:
        """Whoever has shown that they read what is sent to this address."""
        for row in store.sealed_contacts(session, channel_id):
            try:
                known = address_of(self.key, row.id, row.address)
            except KeyUnusable:
                continue
            if row.verified_at is not None and signatures.is_same(known, address):
                return store.contact(session, row.id)
        return None

    def slack_way(self, session: Session, channel: str) -> SlackWay | None:
        """The way of the Slack channel of this name; None when there is none, or its token can't be opened."""
        for one, secrets in self._channels(session, ChannelKind.SLACK):
            if one.name == channel and "token" in secrets:
                return SlackWay(one.settings["url"].rstrip("/"), self.outbound, secrets["token"])
        return None

    def amend(self, session: Session, channel_id: str, place: str, ts: str, message: Message) -> None:
        """Have a message of ours in Slack say this instead. Raises DeliveryFailed."""
        self._call(session, channel_id, "chat.update", {"channel": place, "ts": ts, **slack(message)})

    def whisper(self, session: Session, channel_id: str, place: str, user: str, text: str) -> None:
        """Tell one member something in Slack that the others don't see. Raises DeliveryFailed."""
        self._call(session, channel_id, "chat.postEphemeral", {"channel": place, "user": user, "text": text})

    def _call(self, session: Session, channel_id: str, method: str, body: Mapping[str, Any]) -> None:
        channel = store.channel(session, channel_id)
        if channel is None:
            return
        secrets = secrets_of(self.key, channel.id, store.sealed_secrets(session, channel.id))
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {secrets['token']}"}
        url = f"{channel.settings['url'].rstrip('/')}/{method}"
        answer = self.outbound.post(url, json.dumps(body, ensure_ascii=False).encode(), headers)
        if b'"ok":true' not in answer.body.replace(b" ", b""):
            raise DeliveryFailed("Slack did not take it")

    def _channels(self, session: Session, kind: ChannelKind) -> Iterator[tuple[Channel, Mapping[str, str]]]:
        for channel in store.all_channels(session):
            if channel.kind is kind:
                try:
                    yield channel, secrets_of(self.key, channel.id, store.sealed_secrets(session, channel.id))
                except KeyUnusable:
                    continue
