"""The story of the demo: something bad is deployed for real, and Watchkeeper is followed until there is a postmortem.

Nothing is pretended: the sample product gets another release by its own command, and everything else is asked of the
API as anybody could. `Story.chapters` says how far it is by what the API answers, so the command and the page of the
demo tell the same.
"""

from __future__ import annotations

import os
import subprocess  # nosec B404 (the sample product's own command)
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, TypeAdapter

from watchkeeper.app.console import CommandRefused
from watchkeeper.app.local import result_of
from watchkeeper.kernel.clock import Clock, parse_rfc3339, rfc3339
from watchkeeper.kernel.ops import Complaints, yaml_file
from watchkeeper.kernel.web.wire import StrictModel

FILE = "story.yaml"
DATA_VARIABLE = "DUET_DATA"
_DEPLOYS_WITHIN = 120
REASON = "the release hurts"
# Every chapter in its order, in words.
WORDS = {
    "burning": "a budget burns",
    "paged": "somebody is paged",
    "incident": "an incident is open",
    "suspect": "the suspect",
    "undone": "undone",
    "recovered": "recovered",
    "resolved": "resolved",
    "postmortem": "a postmortem is drafted",
}
# A rollback that was ordered has to be carried out, and telemetry takes seconds to be found.
_TAKES_EFFECT, _ARRIVES, _CALM = timedelta(seconds=5), timedelta(seconds=8), timedelta(seconds=30)


class Plot(StrictModel):
    """What is broken, as the sample product's `story.yaml` has it."""

    title: str
    service: str
    deploy: Annotated[list[str], Field(min_length=1, max_length=10)]
    says: str = ""


def plot_of(product: Path) -> Plot | None:
    """What the product offers to break; None where it offers nothing."""
    file, complaints = product / FILE, Complaints()
    if not file.is_file():
        return None
    documents = yaml_file.parse(FILE, file.read_text(encoding="utf-8"), complaints)
    complaints.refuse_if_any()
    return TypeAdapter(Plot).validate_python(documents[0].value)


def deploy(product: Path, data: Path, plot: Plot) -> str:
    """Have the bad release run; what the product's command said. Raises CommandRefused."""
    module = f"{product.parent.name}.{product.name}"
    try:
        found = subprocess.run(  # noqa: S603  # nosec B603 (our own interpreter and the sample product)
            [sys.executable, "-m", module, *plot.deploy],
            cwd=product.parent.parent,
            env={**os.environ, DATA_VARIABLE: str(data / product.name)},
            capture_output=True,
            text=True,
            timeout=_DEPLOYS_WITHIN,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise CommandRefused(f"the sample product did not take the release within {_DEPLOYS_WITHIN} s.") from None
    if found.returncode != 0:
        raise CommandRefused("the sample product did not take the release:", *found.stderr.splitlines()[-3:])
    return found.stdout.strip()


@dataclass(frozen=True)
class Chapter:
    """Something that has happened: when, what, and the page that shows it."""

    name: str
    at: datetime
    text: str
    href: str


@dataclass
class Story:
    """What has come of a deployment at `since`."""

    client: Any
    clock: Clock
    plot: Plot
    since: datetime
    incident: dict[str, Any] | None = None
    _told: dict[str, Chapter] = field(default_factory=dict)

    def chapters(self) -> list[Chapter]:
        """Every chapter so far, in order."""
        for name, look in self._looks().items():
            if name not in self._told:
                found = look()
                if found is None:
                    break
                self._told[name] = found
        return list(self._told.values())

    def has(self, name: str) -> bool:
        return name in self._told

    def suspect(self) -> dict[str, Any] | None:
        """The change that is named first, with how to undo it."""
        story = self._story()
        changes = [one for one in story["changes"] if one["suspect"]] if story is not None else []
        return changes[0] if changes else None

    def undo(self) -> str:
        """Undo what is named first; what came of it. Raises CommandRefused."""
        suspect = self.suspect()
        if suspect is None or suspect["undo"] is None or self.incident is None:
            raise CommandRefused("nothing that is named can be undone")
        order = {"fact": suspect["fact"], "reason": REASON, "confirm": True}
        done: Any = result_of(self.client.post(f"/api/v1/incidents/{self.incident['id']}/story/undo", json=order))
        return str(done["text"])

    def resolve(self) -> None:
        """End the incident: the last minute had no errors. Raises CommandRefused."""
        if self.incident is not None:
            path = f"/api/v1/incidents/{self.incident['id']}/resolve"
            reason = "Rolled back; nothing failed for the last minute. The alert's longer windows still remember it."
            result_of(self.client.post(path, json={"reason": reason}))

    def _looks(self) -> dict[str, Callable[[], Chapter | None]]:
        return {
            "burning": self._burning,
            "paged": self._paged,
            "incident": self._opened,
            "suspect": self._suspected,
            "undone": self._undone,
            "recovered": self._recovered,
            "resolved": self._resolved,
            "postmortem": self._drafted,
        }

    def _facts(self, kind: str, **wanted: str) -> list[dict[str, Any]]:
        said = {"kind": kind, "since": rfc3339(self.since), "limit": 50, **wanted}
        found: Any = result_of(self.client.get("/api/v1/timeline", params=said))
        return sorted(found["items"], key=lambda one: one["at"])

    def _burning(self) -> Chapter | None:
        return _first(self._facts("slo.alert_fired"), "burning", "/slos")

    def _paged(self) -> Chapter | None:
        return _first(self._facts("oncall.person_paged"), "paged", "/oncall/pages")

    def _opened(self) -> Chapter | None:
        found: Any = result_of(self.client.get("/api/v1/incidents", params={"open": "true", "drill": "false"}))
        fresh = [one for one in found["items"] if parse_rfc3339(one["opened_at"]) >= self.since]
        if not fresh:
            return None
        self.incident = min(fresh, key=lambda one: one["opened_at"])
        text = f"{self.incident['severity']}: {self.incident['title']}"
        return Chapter("incident", parse_rfc3339(self.incident["opened_at"]), text, self.incident["href"])

    def _suspected(self) -> Chapter | None:
        suspect = self.suspect()
        if suspect is None or self.incident is None or suspect["service"] != self.plot.service:
            return None
        why = ", ".join(suspect["why"])
        return Chapter("suspect", parse_rfc3339(suspect["at"]), f"{suspect['text']} ({why})", self.incident["href"])

    def _undone(self) -> Chapter | None:
        return _first(self._facts("incidents.undone"), "undone", self.incident["href"] if self.incident else "/")

    def _recovered(self) -> Chapter | None:
        """Half a minute of requests after the undoing of which none failed."""
        since = self._told["undone"].at + _TAKES_EFFECT
        until = self.clock.now() - _ARRIVES
        if until - since < _CALM:
            return None
        if self._requests(until - _CALM, until, errors=True) or not self._requests(until - _CALM, until):
            return None
        text = f"No request of {self.plot.service} failed for {_CALM.total_seconds():.0f} s."
        return Chapter("recovered", until, text, f"/services/{self.plot.service}")

    def _requests(self, since: datetime, until: datetime, *, errors: bool = False) -> int:
        """How many requests of the service there were, at most 20."""
        asked = {"service": self.plot.service, "since": rfc3339(since), "until": rfc3339(until), "limit": 20}
        found: Any = result_of(
            self.client.get("/api/v1/telemetry/traces", params={**asked, **({"status": "error"} if errors else {})})
        )
        return len(found["items"])

    def _resolved(self) -> Chapter | None:
        return _first(self._facts("incidents.resolved"), "resolved", self.incident["href"] if self.incident else "/")

    def _drafted(self) -> Chapter | None:
        return _first(self._facts("postmortems.drafted"), "postmortem", "/postmortems")

    def _story(self) -> dict[str, Any] | None:
        if self.incident is None:
            return None
        found: dict[str, Any] = result_of(self.client.get(f"/api/v1/incidents/{self.incident['id']}/story"))
        return found


def _first(facts: list[dict[str, Any]], name: str, href: str) -> Chapter | None:
    if not facts:
        return None
    fact = facts[0]
    return Chapter(name, parse_rfc3339(fact["at"]), str(fact["sentence"]), fact.get("subject_href") or href)
