"""Signatures of those who send answers, each as its documentation describes it. Pure."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable
from datetime import datetime, timedelta

# Slack asks for five minutes: older requests may be somebody's who has listened.
OLDEST = timedelta(minutes=5)


def of_twilio(token: str, url: str, fields: Iterable[tuple[str, str]]) -> str:
    """`X-Twilio-Signature`: HMAC-SHA-1 under the auth token of the whole URL and each field's name and value, in the
    order of the names."""
    said = url + "".join(f"{name}{value}" for name, value in sorted(set(fields)))
    return base64.b64encode(hmac.new(token.encode(), said.encode(), hashlib.sha1).digest()).decode()


def of_slack(secret: str, timestamp: str, body: bytes) -> str:
    """`X-Slack-Signature`: HMAC-SHA-256 under the signing secret of version, time and the body as it came."""
    said = b"v0:" + timestamp.encode() + b":" + body
    return f"v0={hmac.new(secret.encode(), said, hashlib.sha256).hexdigest()}"


def is_same(made: str, said: str) -> bool:
    """In the same time wherever they differ."""
    return hmac.compare_digest(made.encode(), said.encode("utf-8", "replace"))


def is_fresh(timestamp: str, now: datetime) -> bool:
    """Whether Slack's time of a request is now, five minutes more or less."""
    if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= 12):
        return False
    return abs(now.timestamp() - int(timestamp)) <= OLDEST.total_seconds()
