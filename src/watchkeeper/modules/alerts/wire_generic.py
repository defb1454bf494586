"""JSON of any shape, read by a mapping: dotted paths, and texts with paths in braces. Nothing in it is run."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from watchkeeper.kernel.clock import parse_rfc3339
from watchkeeper.kernel.errors import Complaint
from watchkeeper.modules.alerts.cleaning import LONGEST_KEY, clean, clean_details, clean_labels, http_url, one_line
from watchkeeper.modules.alerts.errors import EventInvalid
from watchkeeper.modules.alerts.model import Action, Integration, Link, Signal, digest
from watchkeeper.modules.alerts.wire_pagerduty import environment_of, service_of

FIELDS = {
    "alerts": "a list of alerts in the body; the other paths are within each",
    "title": "what has happened",
    "dedup_key": "the same for each word of the same alert",
    "status": "whether it fires or is over",
    "resolved_values": "words of the status that mean it is over, with commas between them",
    "severity": "how bad it is",
    "service": "the service it is about",
    "environment": "where that runs",
    "family": "what alerts of this sort have in common",
    "labels": "an object of texts",
    "link": "where to look",
    "starts_at": "when it began: RFC 3339, or seconds since 1970",
    "ends_at": "when it ended",
}
RESOLVED = frozenset(("resolved", "ok", "recovered", "recovery", "closed", "normal", "up", "success", "inactive"))
MOST_ALERTS = 1_000
_LONGEST = 500
_PATH = re.compile(r"^[\w$@:/ -]+(?:\.[\w$@:/ -]+)*$")
_IN_BRACES = re.compile(r"\{([^{}]*)\}")


def complaints_about(mapping: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """(field, what was expected) of all that is wrong with a mapping."""
    for name, said in mapping.items():
        if name not in FIELDS:
            yield name, f"one of {', '.join(FIELDS)}"
        elif not 1 <= len(said) <= _LONGEST:
            yield name, f"1 to {_LONGEST} characters"
        elif name != "resolved_values":
            paths = _IN_BRACES.findall(said) if "{" in said else [said]
            if not paths or any(not _PATH.match(path.strip()) for path in paths):
                yield name, "a dotted path such as event.title, or a text with paths in braces"
            elif name in ("alerts", "labels") and "{" in said:
                yield name, "a dotted path"


def parse(body: bytes, integration: Integration, at: datetime) -> list[Signal]:
    """The signals of one body. Raises EventInvalid."""
    try:
        whole = orjson.loads(body)
    except ValueError:
        raise EventInvalid("The body is not valid JSON.", complaints=[Complaint("body", "JSON")]) from None
    mapping = integration.mapping
    if "alerts" not in mapping:
        return [_signal(whole, whole, mapping, integration, at, "body")]
    found = look_up(whole, mapping["alerts"])
    where = f"body.{mapping['alerts']}"
    if not isinstance(found, list) or len(found) > MOST_ALERTS:
        complaint = Complaint(where, f"a list of at most {MOST_ALERTS} alerts")
        raise EventInvalid("The body has no list of alerts.", complaints=[complaint])
    return [_signal(one, whole, mapping, integration, at, f"{where}.{number}") for number, one in enumerate(found)]


def look_up(value: Any, path: str) -> Any:
    """What stands at a dotted path; numbers count in lists. None where there is nothing."""
    for part in path.strip().split("."):
        if isinstance(value, Mapping):
            value = value.get(part)
        elif isinstance(value, list) and part.isdecimal() and len(part) < 6 and int(part) < len(value):
            value = value[int(part)]
        else:
            return None
    return value


def filled_in(said: str, one: Any, whole: Any) -> str:
    """The text at a path, or a text with paths in braces filled in; the whole body's where the alert has none."""

    def value_at(path: str) -> str:
        found = look_up(one, path)
        if found is None and one is not whole:
            found = look_up(whole, path)
        return clean(found) if isinstance(found, (str, int, float, bool)) else ""

    if "{" not in said:
        return value_at(said)
    return _IN_BRACES.sub(lambda found: value_at(found[1]), said)


def _signal(
    one: Any, whole: Any, mapping: Mapping[str, str], integration: Integration, at: datetime, where: str
) -> Signal:
    texts = {name: filled_in(said, one, whole) for name, said in mapping.items() if name not in ("alerts", "labels")}
    title = one_line(texts.get("title"), 1_024)
    if not title:
        complaint = Complaint(f"{where}.{mapping['title']}", "the title, as this integration's mapping says")
        raise EventInvalid("An alert has no title.", complaints=[complaint])
    labels = clean_labels(look_up(one, mapping["labels"]) if "labels" in mapping else {})
    service = one_line(texts.get("service"), 200) or service_of(integration, labels)
    key = one_line(texts.get("dedup_key"), LONGEST_KEY) or digest(title, service or "")[:32]
    link = http_url(texts.get("link"))
    return Signal(
        integration=integration,
        action=Action.RESOLVE if _is_over(texts, mapping) else Action.TRIGGER,
        dedup_key=key,
        at=at,
        title=title,
        severity=integration.severity_of(texts.get("severity")),
        service=integration.service or service,
        environment=one_line(texts.get("environment"), 200) or environment_of(integration, labels),
        family=one_line(texts.get("family"), 200),
        labels=labels,
        details=clean_details(one if isinstance(one, Mapping) else {"value": one}),
        links=(Link("Where it comes from", link),) if link else (),
        starts_at=_instant(texts.get("starts_at"), f"{where}.{mapping.get('starts_at')}"),
        ends_at=_instant(texts.get("ends_at"), f"{where}.{mapping.get('ends_at')}"),
    )


def _is_over(texts: Mapping[str, str], mapping: Mapping[str, str]) -> bool:
    said = texts.get("status", "").strip().casefold()
    listed = mapping.get("resolved_values", "")
    words = {word.strip().casefold() for word in listed.split(",") if word.strip()} if listed else RESOLVED
    return said in words


def _instant(text: str | None, where: str) -> datetime | None:
    if not text:
        return None
    try:
        number = float(text)
        # Milliseconds are told from seconds by being far in the future otherwise.
        return datetime.fromtimestamp(number / 1000 if number > 1e11 else number, UTC)
    except (ValueError, OverflowError, OSError):
        pass
    try:
        return parse_rfc3339(text)
    except (ValueError, OverflowError):
        expected = "a time in RFC 3339 or seconds since 1970"
        raise EventInvalid("An alert has no sound time.", complaints=[Complaint(where, expected)]) from None
