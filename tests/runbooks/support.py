"""Runbooks on a database, and the people who run them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from watchkeeper.kernel.clock import ManualClock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.errors import Conflict
from watchkeeper.kernel.journal import Fact, FactFilter, describe_fact, read_facts
from watchkeeper.kernel.ops import Complaints, Located, OpsInvalid
from watchkeeper.kernel.web.access import Permission, Scope
from watchkeeper.modules.identity import public as identity
from watchkeeper.modules.identity.control import LOCAL
from watchkeeper.modules.identity.settings import IdentitySettings
from watchkeeper.modules.runbooks import store_runs
from watchkeeper.modules.runbooks.actions import Actions, Asking, Outcome, Undoing
from watchkeeper.modules.runbooks.leasing import Lease, Leases, Report
from watchkeeper.modules.runbooks.model import Content, State
from watchkeeper.modules.runbooks.reading import content_of, read_text
from watchkeeper.modules.runbooks.running import Runs
from watchkeeper.modules.runbooks.runs import Run
from watchkeeper.modules.runbooks.service import Runbooks
from watchkeeper.modules.runbooks.settings import RunbookSettings
from watchkeeper.modules.runbooks.wire import RunbookFile

FRONT = """\
---
title: "Shop"
service: shop
owners: [team-shop]
{more}---
"""


def text_of(body: str, more: str = "") -> str:
    """A file with this body; `more` is added to its front matter."""
    return FRONT.format(more=more) + "\n# Shop\n\n## Rollback\n\n" + body


def block(script: str, said: str, language: str = "sh") -> str:
    return f"```{language} {{{said}}}\n{script}\n```\n\n"


def read(text: str, name: str = "shop") -> tuple[Located[RunbookFile] | None, Content | None, list[str]]:
    """What a file says, or the complaints as lines."""
    complaints = Complaints()
    found = read_text(f"runbooks/{name}.md", text, complaints)
    try:
        complaints.refuse_if_any()
    except OpsInvalid as refusal:
        return None, None, [f"{one.where} {one.expected}" for one in refusal.complaints]
    assert found is not None
    return found[0], found[1], []


class Refused(Conflict):
    code = "test.refused"


@dataclass
class Lamp:
    """An action that keeps what it was asked, and that can be taken back."""

    name: str = "light"
    permission: Permission = field(default_factory=lambda: Permission("lamp.light", Scope.WRITE))
    fields: Mapping[str, str] = field(default_factory=lambda: {"watts": "a number", "reason?": "why"})
    asked: list[tuple[str, Any]] = field(default_factory=list)

    def run(self, asking: Asking, inputs: Mapping[str, Any]) -> Outcome:
        self.asked.append((asking.actor.id, inputs["watts"]))
        if inputs["watts"] == "broken":
            raise Refused("The lamp is broken.")
        return Outcome(f"{inputs['watts']} watts", "/lamps", Undoing("light", {"watts": 0}))


@dataclass
class Stage:
    """Runbooks on a database."""

    database: Database
    clock: ManualClock
    lamp: Lamp = field(default_factory=Lamp)
    settings: RunbookSettings = field(default_factory=lambda: RunbookSettings.model_validate({}))

    @property
    def actions(self) -> Actions:
        return Actions.of([self.lamp])

    @cached_property
    def alice(self) -> str:
        """An operator."""
        return self.person("Alice", "operator")

    @cached_property
    def bob(self) -> str:
        """A responder."""
        return self.person("Bob", "responder")

    @cached_property
    def charlie(self) -> str:
        """Somebody who may only read."""
        return self.person("Charlie", "viewer")

    def person(self, name: str, role: str) -> str:
        settings = IdentitySettings.model_validate({})
        with self.database.begin() as session:
            email = f"{name.lower()}@example.org"
            return identity.ensure_sample_person(session, self.clock, settings, name=name, email=email, role=role).id

    def keep(self, text: str, name: str = "shop", *, approve: bool = True) -> Content:
        """Put a file, and sign it off."""
        content = content_of(name, text)
        with self.database.begin() as session:
            runbooks = Runbooks(session, self.clock)
            runbooks.put(content, by="local", source="ops")
            if approve:
                runbooks.approve(name, content.revision, by=LOCAL, source="cli")
        return content

    def start(self, steps: Sequence[str] | None = None, by: str | None = None, name: str = "shop", **said: Any) -> Run:
        inputs, options = said.pop("inputs", {}), {"source": "test", **said}
        by = by or self.alice
        with self.database.begin() as session:
            return Runs(session, self.clock, self.actions).start(name, steps, inputs, by=by, **options)

    def do(self, verb: str, run: Run, *arguments: Any, by: str | None = None, **said: Any) -> Run:
        """One verb of a run."""
        by = by or self.alice
        with self.database.begin() as session:
            runs = Runs(session, self.clock, self.actions)
            found: Run = getattr(runs, verb)(run.id, *arguments, by=by, source="test", **said)
            return found

    def run(self, run: Run) -> Run:
        with self.database.read() as session:
            found = store_runs.run(session, run.id)
        assert found is not None
        return found

    def claim(self, runner: str = "r1") -> Lease | None:
        with self.database.begin() as session:
            return self._leases(session).claim(runner, by="tok_runner")

    def must_claim(self, runner: str = "r1") -> Lease:
        found = self.claim(runner)
        assert found is not None
        return found

    def begin(self, lease: Lease) -> None:
        with self.database.begin() as session:
            self._leases(session).begin(lease.run, lease.number, lease.token)

    def progress(self, lease: Lease, output: str = "") -> bool:
        with self.database.begin() as session:
            return self._leases(session).progress(
                lease.run, lease.number, lease.token, output=output, output_bytes=len(output)
            )

    def finish(self, lease: Lease, state: State = State.SUCCEEDED, **said: Any) -> None:
        with self.database.begin() as session:
            self._leases(session).finish(lease.run, lease.number, lease.token, Report(state=state, **said))

    def sweep(self) -> int:
        with self.database.begin() as session:
            return self._leases(session).sweep()

    def states(self, run: Run) -> list[str]:
        return [one.state.value for one in self.run(run).steps]

    def facts(self, *kinds: str) -> list[Fact]:
        with self.database.read() as session:
            found = read_facts(session, FactFilter(kinds=kinds or ("runbooks.",)), limit=200)
        return list(reversed(found))

    def sentences(self) -> list[str]:
        return [describe_fact(one) for one in self.facts()]

    def _leases(self, session: Any) -> Leases:
        return Leases(session, self.clock, self.actions, self.settings)
