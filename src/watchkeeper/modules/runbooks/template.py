"""The runbook that somebody begins with, of a service or of an alert, and the sections that lint asks for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from watchkeeper.modules.runbooks.model import Kind
from watchkeeper.modules.runbooks.reading import ASKED


@dataclass(frozen=True)
class Asked:
    """A section and what belongs into it."""

    title: str
    asks: str


SECTIONS: Mapping[Kind, tuple[Asked, ...]] = {
    Kind.SERVICE: (
        Asked("Overview", "what it does, for whom, and what users notice when it fails"),
        Asked("On-call quick checks", "what to look at in the first five minutes"),
        Asked("Components", "processes, stores and queues, and where they run"),
        Asked("Data flow", "how a request or a job goes through it"),
        Asked("Dependencies", "what it needs, and the impact if that is down"),
        Asked("Alerts", "each alert and where to go on"),
        Asked("Common issues", "for each: symptoms, diagnosis, resolution, prevention"),
        Asked("Deploy", "how a release goes out and how one sees that it went well"),
        Asked("Rollback", "how the release before comes back"),
        Asked("Configuration", "the keys that matter at night, and what they do"),
        Asked("Escalation", "whom to call when this page does not help"),
    ),
    Kind.ALERT: (
        Asked("What it means", "what is measured and what crossed which line"),
        Asked("Impact", "what users notice meanwhile"),
        Asked("On-call quick checks", "what to look at first"),
        Asked("Symptoms", "what else is seen when this fires"),
        Asked("Diagnosis", "how to find which of the causes it is"),
        Asked("Resolution", "what ends it, for each cause"),
        Asked("Prevention", "what keeps it from coming back"),
        Asked("Escalation", "whom to call when this page does not help"),
    ),
}

_SERVICE_EXTRAS = {
    "On-call quick checks": "- [ ] {asked} which of the metrics above left its usual band, and since when?\n",
    "Alerts": "| alert | section |\n| --- | --- |\n| _{asked} its name_ | [Common issues](#common-issues) |\n",
    "Common issues": (
        "### An issue\n\n_{asked} one part like this for each issue that was seen._\n\n"
        "**Symptoms:** \n\n**Diagnosis:** \n\n**Resolution:** \n\n**Prevention:** \n"
    ),
}


def template(kind: Kind, name: str, *, service: str | None, alert: str | None, owner: str | None, today: date) -> str:
    """The text of a new file. Lint says of it what is still to be written."""
    title = f"{alert}" if kind is Kind.ALERT else f"{service or name}"
    front = [
        "---",
        f"title: {json.dumps(title, ensure_ascii=False)}",
        f"kind: {kind.value}",
        *([f"service: {json.dumps(service, ensure_ascii=False)}"] if service else []),
        f"owners: [{json.dumps(owner, ensure_ascii=False) if owner else ''}]",
        "related: []",
        "# Each with what users notice when it is down: - {name: …, impact: …}",
        "dependencies: []",
        "# The name of each alert, and the section that is about it.",
        *_alerts(kind, alert),
        "# Configuration keys that matter at night.",
        "parameters: []",
        "# - {title: …, url: …}",
        "dashboards: []",
        "# requests, errors or latency of the service, or slo:NAME; their values are shown beside the text.",
        "metrics: [{name: requests}, {name: errors}, {name: latency}]",
        f"reviewed: {today.isoformat()}",
        "# What steps ask for; a script sees `release` as $WK_RELEASE.",
        "inputs: []",
        "---",
        "",
        f"# {title}",
        "",
    ]
    return "\n".join(front) + "\n" + "\n".join(_section(kind, one) for one in SECTIONS[kind])


def _alerts(kind: Kind, alert: str | None) -> list[str]:
    if kind is Kind.ALERT and alert:
        return ["alerts:", f"  {json.dumps(alert, ensure_ascii=False)}: what-it-means"]
    return ["alerts: {}"]


def _section(kind: Kind, one: Asked) -> str:
    extra = _SERVICE_EXTRAS.get(one.title, "") if kind is Kind.SERVICE else ""
    return f"## {one.title}\n\n{(extra or '_{asked} ' + one.asks + '._' + chr(10)).format(asked=ASKED)}"
