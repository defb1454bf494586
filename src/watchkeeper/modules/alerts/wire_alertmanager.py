"""Webhooks of Alertmanager (version 4) and of Grafana, which sends the same shape. Unknown fields are left alone.

Sources: prometheus/alertmanager, notify/webhook and template; grafana/grafana, webhook-notifier.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from watchkeeper.kernel.clock import parse_rfc3339
from watchkeeper.kernel.errors import Complaint
from watchkeeper.modules.alerts.cleaning import LONGEST_KEY, clean_details, clean_labels, http_url, one_line
from watchkeeper.modules.alerts.errors import EventInvalid
from watchkeeper.modules.alerts.model import Action, Integration, Kind, Link, Signal, digest
from watchkeeper.modules.alerts.wire_pagerduty import environment_of, service_of

MOST_ALERTS = 5_000
# Go's zero time and the like: "not ended".
_NEVER = datetime(1970, 1, 2, tzinfo=UTC)
_LINKS = (
    ("runbook_url", "Runbook"),
    ("runbook", "Runbook"),
    ("dashboard_url", "Dashboard"),
    ("dashboard", "Dashboard"),
)
_GRAFANA_LINKS = (("dashboardURL", "Dashboard"), ("panelURL", "Panel"), ("silenceURL", "Silence in Grafana"))


def parse(body: bytes, integration: Integration, at: datetime) -> list[Signal]:
    """One signal of each alert, ends before beginnings of the same one. Raises EventInvalid with where it is wrong."""
    try:
        whole = orjson.loads(body)
    except ValueError:
        complaint = Complaint("body", "JSON")
        raise EventInvalid("The body is not valid JSON.", complaints=[complaint]) from None
    if not isinstance(whole, dict) or not isinstance(whole.get("alerts"), list):
        complaint = Complaint("body.alerts", "a list, as Alertmanager's webhook version 4 has it")
        raise EventInvalid("The body has no list of alerts.", complaints=[complaint])
    if len(whole["alerts"]) > MOST_ALERTS:
        complaint = Complaint("body.alerts", f"at most {MOST_ALERTS} alerts; set max_alerts in Alertmanager")
        raise EventInvalid("These are too many alerts at once.", complaints=[complaint])
    found = [_signal(one, number, whole, integration, at) for number, one in enumerate(whole["alerts"])]
    return sorted(found, key=lambda one: (one.starts_at or at, one.action is not Action.RESOLVE))


def _signal(one: object, number: int, whole: Mapping[str, Any], integration: Integration, at: datetime) -> Signal:
    where = f"body.alerts.{number}"
    if not isinstance(one, Mapping):
        raise EventInvalid("An alert is no object.", complaints=[Complaint(where, "an object")])
    status = one.get("status", whole.get("status"))
    if status not in ("firing", "resolved"):
        raise EventInvalid("An alert has no status.", complaints=[Complaint(f"{where}.status", "firing or resolved")])
    if not isinstance(one.get("labels"), Mapping):
        raise EventInvalid("An alert has no labels.", complaints=[Complaint(f"{where}.labels", "an object of texts")])
    labels = clean_labels(one["labels"])
    annotations = clean_labels(one.get("annotations"))
    name = one_line(labels.get("alertname"), 200)
    starts = _instant(one.get("startsAt"), f"{where}.startsAt")
    ends = _instant(one.get("endsAt"), f"{where}.endsAt") if status == "resolved" else None
    return Signal(
        integration=integration,
        action=Action.TRIGGER if status == "firing" else Action.RESOLVE,
        dedup_key=_fingerprint(one, labels),
        at=at,
        title=_title(annotations, name, labels),
        severity=integration.severity_of(labels.get("severity") or labels.get("priority")),
        service=service_of(integration, labels),
        environment=environment_of(integration, labels),
        family=name,
        labels=labels,
        details=clean_details({"annotations": annotations, **_values(one, whole)}),
        links=_links(one, annotations, integration.kind),
        starts_at=starts,
        ends_at=ends,
    )


def _fingerprint(one: Mapping[str, Any], labels: Mapping[str, str]) -> str:
    """Alertmanager's, or one of our own of the labels where a template left it out."""
    said = one.get("fingerprint")
    if isinstance(said, str) and (key := one_line(said, LONGEST_KEY)):
        return key
    return digest(*(f"{name}={value}" for name, value in sorted(labels.items())))[:32]


def _title(annotations: Mapping[str, str], name: str, labels: Mapping[str, str]) -> str:
    said = annotations.get("summary") or annotations.get("title") or annotations.get("message")
    if said and name and name.casefold() not in said.casefold():
        return one_line(f"{name}: {said}", 1_024)
    return one_line(said or name or ", ".join(f"{key}={value}" for key, value in labels.items()) or "An alert", 1_024)


def _values(one: Mapping[str, Any], whole: Mapping[str, Any]) -> dict[str, Any]:
    found = {name: one[name] for name in ("values", "valueString", "generatorURL") if one.get(name)}
    found |= {name: whole[name] for name in ("groupKey", "receiver", "orgId") if whole.get(name)}
    return found


def _links(one: Mapping[str, Any], annotations: Mapping[str, str], kind: Kind) -> tuple[Link, ...]:
    found = [Link(text, url) for name, text in _LINKS if (url := http_url(annotations.get(name)))]
    if kind is Kind.GRAFANA:
        found += [Link(text, url) for name, text in _GRAFANA_LINKS if (url := http_url(one.get(name)))]
    if url := http_url(one.get("generatorURL")):
        found.append(Link("Where it comes from", url))
    return tuple({link.url: link for link in found}.values())


def _instant(text: object, where: str) -> datetime | None:
    if text in (None, ""):
        return None
    try:
        found = parse_rfc3339(text) if isinstance(text, str) else None
    except (ValueError, OverflowError):
        found = None
    if found is None:
        raise EventInvalid("An alert has no sound time.", complaints=[Complaint(where, "a time in RFC 3339")])
    return found if found > _NEVER else None
