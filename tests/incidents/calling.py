"""Incidents, alerts, on-call and messages on one database, with phones that are a real server on loopback."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from tests.oncall.paging.support import BASE, Tower
from tests.oncall.support import ID
from watchkeeper.kernel.journal import FactFilter, read_facts
from watchkeeper.kernel.journal.listeners import Dispatcher
from watchkeeper.modules.incidents import jobs, public
from watchkeeper.modules.incidents.hearing import listeners
from watchkeeper.modules.incidents.model import Incident
from watchkeeper.modules.incidents.owner import IncidentOwner
from watchkeeper.modules.incidents.public import Incidenting
from watchkeeper.modules.incidents.settings import IncidentSettings
from watchkeeper.modules.incidents.ticking import Ticking
from watchkeeper.modules.notify.public import Owners
from watchkeeper.modules.notify.sending import Sending
from watchkeeper.modules.oncall.paging.owner import PageOwner


@dataclass
class Watch(Tower):
    """A tower in which incidents live, too. `said`: their settings."""

    said: dict[str, Any] = field(default_factory=dict)

    @property
    def incidenting(self) -> Incidenting:
        return Incidenting(IncidentSettings.model_validate(self.said), self.alerting, BASE)

    @property
    def ticking(self) -> Ticking:
        return Ticking(self.clock, self.incidenting)

    @cached_property
    def sending(self) -> Sending:
        made = super().sending
        owners = Owners((PageOwner(self.clock, self.engine, self.links), IncidentOwner()))
        return Sending(self.stage.database, self.clock, made.key, self.settings, made.providers, owners)

    def handlers(self) -> Mapping[str, Any]:
        return {**super().handlers(), **jobs.handlers(self.ticking)}

    def run(self) -> int:
        done = super().run()
        self.hear()
        return done + super().run()

    def hear(self) -> None:
        """Have facts delivered."""
        dispatcher = Dispatcher(self.stage.database, self.clock, listeners(self.incidenting, self.clock))
        while dispatcher.run_once():
            pass

    def open(self, title: str = "Nobody can pay", who: str = "tok_ci", **said: Any) -> Incident:
        """By a program, unless somebody is named: so nobody has responded."""
        with self.stage.database.begin() as session:
            verbs = self.incidenting.on(session, self.clock)
            said = {"services": ["gateway"], **said}
            return verbs.open(title, by=ID.get(who, who), source="test", **said)

    def act(self, verb: str, *args: Any, who: str = "ann", **said: Any) -> Any:
        """One verb of somebody."""
        with self.stage.database.begin() as session:
            verbs = self.incidenting.on(session, self.clock)
            return getattr(verbs, verb)(*args, by=ID[who], source="test", **said)

    def incident(self, incident_id: str) -> Incident:
        with self.stage.database.read() as session:
            found = public.incident(session, incident_id)
        assert found is not None
        return found

    def incident_facts(self, *kinds: str) -> list[str]:
        wanted = FactFilter(kinds=tuple(f"incidents.{kind}" for kind in kinds))
        with self.stage.database.read() as session:
            found = read_facts(session, wanted, limit=1_000, newest_first=False)
        return [fact.kind.removeprefix("incidents.") for fact in found]

    def words(self, since: int = 0) -> list[tuple[str, str]]:
        """(who, what they read) of everything that reached a phone, without its `[CRITICAL]`; pages as `page: …`."""
        found = []
        for one in self.provider.asked[since:]:
            title = one.json["title"].partition("] ")[2]
            said = f"page: {title}" if one.json["actions"] else f"{title} | {one.json['message']}"
            found.append((one.json["topic"].removeprefix("topic-"), said))
        return found
