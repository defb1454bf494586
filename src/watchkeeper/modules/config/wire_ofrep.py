"""OFREP 0.3.0 on the wire, and what real clients need beyond its text.

A value always comes with key, reason, variant and metadata, floats with a decimal point, every error with errorCode and
errorDetails. Source: github.com/open-feature/protocol, service/openapi.yaml.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from watchkeeper_client.rules import KEY, Outcome

LONGEST_TARGETING_KEY = 200
MOST_ATTRIBUTES = 200
_REASONS = frozenset({"STATIC", "DEFAULT", "TARGETING_MATCH", "SPLIT", "DISABLED"})
_encode = msgspec.json.Encoder().encode
_decoder = msgspec.json.Decoder(dict[str, Any])


class OfrepRefused(Exception):
    """An answer that is no value: status, OFREP's error code, and what to do about it."""

    def __init__(self, status: int, code: str, details: str, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
        super().__init__(details)
        self.status, self.code, self.details, self.headers = status, code, details, headers

    def body(self, key: str | None) -> bytes:
        """For a single evaluation with its key, for all flags without."""
        said = {"errorCode": self.code, "errorDetails": self.details}
        return _encode(said if key is None else {"key": key, **said})


@dataclass(frozen=True)
class Context:
    """Who asks. `said` is the context as it came, for the ETag."""

    user: str | None
    attributes: Mapping[str, Any]
    said: Mapping[str, Any]


def parse_context(body: bytes) -> Context:
    """The context of a request; an empty body is one that says nothing. Raises OfrepRefused."""
    if not body.strip():
        return Context(None, {}, {})
    try:
        said = _decoder.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise OfrepRefused(400, "PARSE_ERROR", 'The body is not JSON such as {"context": {…}}.') from None
    context = said.get("context")
    if context is None:
        return Context(None, {}, {})
    if not isinstance(context, dict) or len(context) > MOST_ATTRIBUTES:
        raise OfrepRefused(
            400, "INVALID_CONTEXT", f"context: expected an object of at most {MOST_ATTRIBUTES} attributes."
        )
    user = context.get("targetingKey")
    if user is not None and not (isinstance(user, str) and 0 < len(user) <= LONGEST_TARGETING_KEY):
        raise OfrepRefused(
            400, "INVALID_CONTEXT", f"targetingKey: expected text of 1 to {LONGEST_TARGETING_KEY} characters."
        )
    attributes = {name: value for name, value in context.items() if name != "targetingKey"}
    return Context(user, attributes, context)


def not_found(key: str) -> OfrepRefused:
    """Also for what can be no key, and for secrets."""
    hint = "" if KEY.fullmatch(key) else " A key has letters, digits, _ . and - only."
    return OfrepRefused(404, "FLAG_NOT_FOUND", f"There is no flag or parameter of this key.{hint}")


def success(key: str, outcome: Outcome, environment: str) -> dict[str, Any]:
    """One evaluation. Without a value, the client's own default is meant."""
    metadata = {"layer": outcome.layer, "environment": environment}
    if outcome.detail:
        metadata["detail"] = outcome.detail
    said: dict[str, Any] = {"key": key}
    if outcome.wire is not None:
        said["value"] = outcome.wire
    reason = outcome.reason if outcome.reason in _REASONS else "UNKNOWN"
    return {**said, "reason": reason, "variant": outcome.variant, "metadata": metadata}


def encoded(key: str, outcome: Outcome, environment: str) -> bytes:
    """The same as bytes, made once for each outcome."""
    if outcome.cache is None:
        outcome.cache = _encode(success(key, outcome, environment))
    held: bytes = outcome.cache
    return held


def bulk(evaluated: list[bytes], streams: list[Mapping[str, Any]], version: int) -> bytes:
    """All flags, where to hear of changes, and the version of the configuration."""
    tail = _encode({"metadata": {"version": version}, "eventStreams": streams})
    return b'{"flags":[' + b",".join(evaluated) + b"]," + tail[1:]


def refetch(etag: str, seconds: int) -> str:
    """The message that tells clients to ask again."""
    return _encode({"type": "refetchEvaluation", "etag": etag, "lastModified": seconds}).decode()
