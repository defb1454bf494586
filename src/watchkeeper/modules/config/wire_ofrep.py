"""OFREP 0.3.0 on the wire, and what real clients need beyond its text.

A value always comes with key, reason, variant and metadata, floats with a decimal point, every error with errorCode and
errorDetails. Source: github.com/open-feature/protocol, service/openapi.yaml.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import msgspec

from watchkeeper_client.rules import Outcome, wrong_in_key

LONGEST_TARGETING_KEY = 200
MOST_ATTRIBUTES = 200
DEEPEST = 8
Headers = tuple[tuple[bytes, bytes], ...]
_LARGEST_INTEGER = 2**63 - 1
_REASONS = frozenset({"STATIC", "DEFAULT", "TARGETING_MATCH", "SPLIT", "DISABLED"})
_encode = msgspec.json.Encoder().encode
_encode_sorted = msgspec.json.Encoder(order="sorted").encode
_decode = msgspec.json.Decoder(dict[str, Any]).decode
_PLAIN = frozenset({str, bool, float})
_EXPECTED = 'The body is not JSON such as {"context": {"targetingKey": "u1"}}'


class OfrepRefused(Exception):
    """An answer that is no value: status, OFREP's error code, and what to do about it."""

    def __init__(self, status: int, code: str, details: str, headers: Headers = ()) -> None:
        super().__init__(details)
        self.status, self.code, self.details, self.headers = status, code, details, headers

    def body(self, key: str | None) -> bytes:
        """For a single evaluation with its key, for all flags without."""
        said = {"errorCode": self.code, "errorDetails": self.details}
        return _encode(said if key is None else {"key": key, **said})


@dataclass(slots=True)
class Context:
    """Who asks, and the attributes that conditions can read. `said` is the context as it came."""

    user: str | None
    attributes: dict[str, Any]
    said: Mapping[str, Any]

    def canonical(self) -> bytes:
        """The same for the same context, in whatever order it was written."""
        return _encode_sorted(self.said)


def parse_context(body: bytes) -> Context:
    """The context of a request; an empty body is one that says nothing. Raises OfrepRefused."""
    if not body or body.isspace():
        return Context(None, {}, {})
    try:
        said = _decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise OfrepRefused(400, "PARSE_ERROR", f"{_EXPECTED}.") from None
    context = said.get("context")
    if context is None:
        _require_each_name_once(body, len(said))
        return Context(None, {}, {})
    if not isinstance(context, dict) or len(context) > MOST_ATTRIBUTES:
        _refuse_context(f"context: expected an object of at most {MOST_ATTRIBUTES} attributes.")
    attributes, names = _attributes(context)
    _require_each_name_once(body, len(said) + names)
    attributes.pop("targetingKey", None)
    user = context.get("targetingKey")
    return Context(_user(user) if user is not None else None, attributes, context)


def _user(said: Any) -> str | None:
    """None for an empty text too: typed clients have no other word for nobody."""
    if not isinstance(said, str) or len(said) > LONGEST_TARGETING_KEY or "\0" in said:
        _refuse_context(f"targetingKey: expected text of at most {LONGEST_TARGETING_KEY} characters, without NUL.")
    return said or None


def _attributes(context: Mapping[str, Any]) -> tuple[dict[str, Any], int]:
    """What conditions can read, and how many names there are in all."""
    readable, names = {}, len(context)
    for name, value in context.items():
        kind = type(value)
        if kind in _PLAIN:
            readable[name] = value
        elif kind is int:
            readable[name] = _integer(name, value)
        elif kind is list and all(type(one) is str for one in value):
            readable[name] = value
        elif value is not None:
            # Structures are allowed in a context; no condition reads them.
            names += _names_within(name, value, DEEPEST)
    return readable, names


def _names_within(where: str, value: Any, levels: int) -> int:
    if type(value) is int:
        _integer(where, value)
    if not isinstance(value, (dict, list)):
        return 0
    if levels == 0:
        _refuse_context(f"{where[:100]}: nested more than {DEEPEST} levels deep.")
    inner = value.values() if isinstance(value, dict) else value
    own = len(value) if isinstance(value, dict) else 0
    return own + sum(_names_within(where, one, levels - 1) for one in inner)


def _integer(name: str, value: int) -> int:
    if not -_LARGEST_INTEGER <= value <= _LARGEST_INTEGER:
        _refuse_context(f"{name[:100]}: expected a number of at most 64 bits.")
    return value


def _require_each_name_once(body: bytes, names: int) -> None:
    """Of a name that stands there twice, each reader would take another value.

    As many colons as names: then each was read. Only where there are more, which may stand in texts, it takes a look.
    """
    if body.count(b":") == names:
        return

    def each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            listed = [name for name, _ in pairs]
            twice = next(name for name in found if listed.count(name) > 1)
            raise OfrepRefused(400, "PARSE_ERROR", f"{twice[:100]!r} is there twice.")
        return found

    try:
        json.loads(body, object_pairs_hook=each_once)
    except (ValueError, RecursionError):
        # Outside the context, where nothing is read, there may be what this parser can't.
        raise OfrepRefused(400, "PARSE_ERROR", f"{_EXPECTED}, with nothing else in it.") from None


def _refuse_context(details: str) -> NoReturn:
    raise OfrepRefused(400, "INVALID_CONTEXT", details)


def not_found(key: str) -> OfrepRefused:
    """Also for what can be no key, and for secrets."""
    said = f"There is no flag or parameter of this key. {wrong_in_key(key[:200])}".rstrip()
    return OfrepRefused(404, "FLAG_NOT_FOUND", said)


def success(key: str, outcome: Outcome, wire: Any, environment: str) -> bytes:
    """One evaluation, which ends with its metadata. Without a value, the client's own default is meant."""
    metadata = {"layer": outcome.layer, "environment": environment}
    if outcome.detail:
        metadata["detail"] = outcome.detail
    said: dict[str, Any] = {"key": key}
    if wire is not None:
        said["value"] = wire
    reason = outcome.reason if outcome.reason in _REASONS else "UNKNOWN"
    return _encode({**said, "reason": reason, "variant": outcome.variant, "metadata": metadata})


def bulk(evaluated: Iterable[bytes], stream: str, environment: str, version: int) -> bytes:
    """All flags, where to hear of changes, and the version of the configuration.

    The stream is told without a host: the client takes the one that it asked, whatever proxies call this server.
    """
    streams = [{"type": "sse", "endpoint": {"requestUri": stream}, "inactivityDelaySec": 120}]
    tail = _encode({"metadata": {"environment": environment, "version": version}, "eventStreams": streams})
    return b'{"flags":[' + b",".join(evaluated) + b"]," + tail[1:]


def refetch(etag: str, seconds: int) -> str:
    """The message that tells clients to ask again."""
    return _encode({"type": "refetchEvaluation", "etag": etag, "lastModified": seconds}).decode()


def matches(if_none_match: bytes, etag: bytes) -> bool:
    """Whether the client has this answer. Proxies that compress make an ETag weak, which says as much here."""
    return any(one.strip().removeprefix(b"W/") == etag for one in if_none_match.split(b","))
