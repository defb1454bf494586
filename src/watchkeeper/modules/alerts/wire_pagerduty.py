"""PagerDuty's Events API v2, as its clients send it. Source: PagerDuty/api-schema, reference/events-v2."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from watchkeeper.kernel.clock import parse_rfc3339
from watchkeeper.kernel.ids import new_id
from watchkeeper.modules.alerts.cleaning import (
    LONGEST_KEY,
    clean,
    clean_details,
    clean_labels,
    clean_links,
    http_url,
    one_line,
)
from watchkeeper.modules.alerts.model import Action, Integration, Link, Severity, Signal

_SEVERITIES = tuple(one.value for one in Severity)
_ACTIONS = tuple(one.value for one in Action)
_OWN_LABELS = ("source", "component", "group", "class", "client")


class NotAnEvent(Exception):
    """The event is wrong; `errors` are sentences as PagerDuty writes them."""

    def __init__(self, *errors: str) -> None:
        super().__init__("; ".join(errors))
        self.errors = errors


@dataclass(frozen=True)
class Event:
    """An event that has the shape it should have, before anybody knows whose it is."""

    routing_key: str
    action: Action
    dedup_key: str
    payload: Mapping[str, Any]
    whole: Mapping[str, Any]


@dataclass(frozen=True)
class Change:
    """A change event."""

    routing_key: str
    summary: str
    origin: str
    happened_at: datetime | None
    links: tuple[Link, ...]
    details: Mapping[str, Any]


def parse_event(body: bytes) -> Event:
    """Raises NotAnEvent."""
    whole = _object(body)
    errors = []
    action = whole.get("event_action")
    if action not in _ACTIONS:
        errors.append(f"'event_action' is invalid (must be one of: {', '.join(_ACTIONS)})")
    dedup_key = whole.get("dedup_key")
    if dedup_key is not None and not isinstance(dedup_key, str):
        errors.append("'dedup_key' is invalid (must be a string)")
    elif isinstance(dedup_key, str) and len(dedup_key) > LONGEST_KEY:
        errors.append(f"'dedup_key' is invalid (must be at most {LONGEST_KEY} characters)")
    elif action in ("acknowledge", "resolve") and not clean(dedup_key):
        errors.append("'dedup_key' is missing or blank")
    payload = whole.get("payload")
    if action == "trigger":
        errors += _errors_of_payload(payload)
    if errors:
        raise NotAnEvent(*errors)
    return Event(
        routing_key=_routing_key(whole),
        action=Action(str(action)),
        dedup_key=one_line(dedup_key, LONGEST_KEY) or new_id("dedup"),
        payload=payload if isinstance(payload, Mapping) else {},
        whole=whole,
    )


def _errors_of_payload(payload: object) -> list[str]:
    if not isinstance(payload, Mapping):
        return ["'payload' is missing or is not an object"]
    errors = [
        f"'payload.{name}' is missing or blank"
        for name in ("summary", "source", "severity")
        if not isinstance(payload.get(name), str) or not clean(payload[name])
    ]
    if isinstance(payload.get("severity"), str) and payload["severity"].strip().casefold() not in _SEVERITIES:
        errors.append(f"'payload.severity' is invalid (must be one of: {', '.join(_SEVERITIES)})")
    if payload.get("timestamp") not in (None, "") and _instant(payload["timestamp"]) is None:
        errors.append("'payload.timestamp' is invalid (must be a date and a time in ISO 8601)")
    return errors


def signal_of(event: Event, integration: Integration, at: datetime) -> Signal:
    """The event as a signal. Its timestamp is when the sender noticed; order is that of arrival, as at PagerDuty."""
    payload, whole = event.payload, event.whole
    custom = payload.get("custom_details")
    details = dict(custom) if isinstance(custom, Mapping) else {} if custom is None else {"details": custom}
    labels = clean_labels({name: one for name, one in details.items() if isinstance(one, (str, int, bool))})
    labels |= clean_labels({name: payload[name] for name in _OWN_LABELS if isinstance(payload.get(name), str)})
    if isinstance(whole.get("client"), str):
        labels["client"] = one_line(whole["client"], 200)
    if payload.get("timestamp"):
        details["timestamp"] = payload["timestamp"]
    links = clean_links(whole.get("links"))
    client_url = http_url(whole.get("client_url"))
    if client_url:
        links = (*links, Link(labels.get("client") or "Where it was noticed", client_url))
    family = one_line(payload.get("class"), 200) or one_line(labels.get("alertname"), 200)
    return Signal(
        integration=integration,
        action=event.action,
        dedup_key=event.dedup_key,
        at=at,
        title=one_line(payload.get("summary"), 1_024),
        severity=integration.severity_of(payload.get("severity") if isinstance(payload.get("severity"), str) else None),
        service=service_of(integration, labels),
        environment=environment_of(integration, labels),
        family=family,
        labels=labels,
        details=clean_details(details),
        links=links,
    )


def parse_change(body: bytes) -> Change:
    """Raises NotAnEvent."""
    whole = _object(body)
    payload = whole.get("payload")
    if not isinstance(payload, Mapping) or not isinstance(payload.get("summary"), str) or not clean(payload["summary"]):
        raise NotAnEvent("'payload.summary' is missing or blank")
    stamp = payload.get("timestamp")
    happened = _instant(stamp) if stamp else None
    if stamp and happened is None:
        raise NotAnEvent("'payload.timestamp' is invalid (must be a date and a time in ISO 8601)")
    custom = payload.get("custom_details")
    return Change(
        routing_key=_routing_key(whole),
        summary=one_line(payload["summary"], 1_024),
        origin=one_line(payload.get("source"), 200),
        happened_at=happened,
        links=clean_links(whole.get("links")),
        details=clean_details(custom if isinstance(custom, Mapping) else {}),
    )


def service_of(integration: Integration, labels: Mapping[str, str]) -> str | None:
    """The integration's, or what the labels say."""
    return integration.service or _first(labels, ("service", "service_name", "service.name", "app", "job"))


def environment_of(integration: Integration, labels: Mapping[str, str]) -> str | None:
    """The integration's, or what the labels say."""
    names = ("environment", "env", "deployment_environment", "deployment.environment.name")
    return integration.environment or _first(labels, names)


def _first(labels: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    return next((one_line(labels[name], 200) for name in names if labels.get(name)), None) or None


def _routing_key(whole: Mapping[str, Any]) -> str:
    key = whole.get("routing_key") or whole.get("service_key")
    if not isinstance(key, str) or not key.strip():
        raise NotAnEvent("'routing_key' is missing or blank")
    return key.strip()


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        whole = orjson.loads(body)
    except ValueError:
        raise NotAnEvent("The body is not valid JSON") from None
    if not isinstance(whole, dict):
        raise NotAnEvent("The body is not a JSON object")
    return whole


def _instant(text: object) -> datetime | None:
    try:
        return parse_rfc3339(text) if isinstance(text, str) else None
    except (ValueError, OverflowError):
        return _without_colon(text) if isinstance(text, str) else None


def _without_colon(text: str) -> datetime | None:
    """`2015-07-17T08:42:58.315+0000`, which is in PagerDuty's own examples, and times without a zone, taken as UTC."""
    try:
        found = datetime.fromisoformat(text)
        return found.replace(tzinfo=found.tzinfo or UTC)
    except (ValueError, OverflowError):
        return None
