"""Who is told of news: what a subscription is, its links, and what is kept of its address."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from watchkeeper.kernel.ids import is_id
from watchkeeper.kernel.keys import InstallationKey

_ADDRESSES = "status.addresses"
_MAC_CHARACTERS = 27
# What stands in a header is plain: no space, no quote, no control character, nothing that ends a line.
_LOCAL = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_EMAIL = re.compile(rf"{_LOCAL}@{_LABEL}(?:\.{_LABEL})+")
LONGEST_EMAIL = 254


class Way(StrEnum):
    """How a subscriber is told."""

    EMAIL = "email"
    WEBHOOK = "webhook"


class SubscriberState(StrEnum):
    """Pending: nobody has confirmed it yet. Inactive: too many deliveries were refused for good."""

    PENDING = "pending"
    ACTIVE = "active"
    INACTIVE = "inactive"


class LinkTo(StrEnum):
    """What a link in a message does."""

    CONFIRM = "confirm"
    UNSUBSCRIBE = "unsubscribe"


@dataclass(frozen=True, kw_only=True)
class Subscriber:
    """One subscription. `address` is sealed; no components named: all of them."""

    id: str
    kind: Way
    digest: str
    address: str
    components: tuple[str, ...]
    state: SubscriberState
    asked_at: datetime
    confirmed_at: datetime | None = None
    refusals: int = 0
    inactive_since: datetime | None = None

    def hears_of(self, components: frozenset[str]) -> bool:
        """Whether news of these components are for this one; news of none are for everybody."""
        return not self.components or not components or not components.isdisjoint(self.components)


@dataclass(frozen=True)
class Sealing:
    """What of subscribers the installation's key makes and opens."""

    key: InstallationKey

    def digest(self, kind: Way, address: str) -> str:
        """By which an address is found without being kept: keyed, so that a copy of the database can't be searched."""
        said = f"{kind}:{address.lower() if kind is Way.EMAIL else address}".encode()
        return hmac.new(self.key.derive("status.digests"), said, hashlib.sha256).hexdigest()

    def seal(self, subscriber_id: str, address: str) -> str:
        return self.key.seal(address, purpose=_ADDRESSES, bound_to=subscriber_id)

    def address_of(self, one: Subscriber) -> str:
        """Raises KeyUnusable."""
        return self.key.open(one.address, purpose=_ADDRESSES, bound_to=one.id)

    def webhook_secret(self, subscriber_id: str) -> str:
        """What messages to a webhook are signed with; it is told to the webhook itself and to nobody else."""
        made = hmac.new(self.key.derive("status.webhooks"), subscriber_id.encode(), hashlib.sha256)
        return made.hexdigest()

    def token(self, to: LinkTo, subscriber_id: str) -> str:
        """For a link that does this for this subscriber."""
        made = hmac.new(self.key.derive("status.links"), f"{to}:{subscriber_id}".encode(), hashlib.sha256).digest()
        return f"{subscriber_id}.{base64.urlsafe_b64encode(made).decode()[:_MAC_CHARACTERS]}"

    def subscriber_in(self, to: LinkTo, token: str) -> str | None:
        """Whose link it is; None of one that was not made here for this."""
        subscriber_id = token.partition(".")[0]
        if not is_id(subscriber_id, "sub"):
            return None
        made = self.token(to, subscriber_id)
        return subscriber_id if hmac.compare_digest(made.encode(), token.encode("utf-8", "replace")) else None


def is_email(address: str) -> bool:
    """Whether it may be written to; what could end a header line is no address."""
    return len(address) <= LONGEST_EMAIL and len(address.partition("@")[0]) <= 64 and bool(_EMAIL.fullmatch(address))
