"""Recovery on a database, with real alerts, incidents, runbooks and parameters."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from starlette.testclient import TestClient

from tests.config.pages.support import Cast, Pages
from tests.incidents.story.support import Stage as Story
from tests.kernel.web.support import PAGE, bearer, browser, small_app
from watchkeeper.kernel.clock import SystemClock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.ids import new_id
from watchkeeper.kernel.journal import Fact, FactFilter, read_facts
from watchkeeper.kernel.journal.listeners import Dispatcher
from watchkeeper.kernel.web.access import Authenticator
from watchkeeper.modules.alerts.public import GroupState, OwnAlert
from watchkeeper.modules.incidents.hearing import listeners as incident_listeners
from watchkeeper.modules.recovery import store, wiring
from watchkeeper.modules.recovery.described import RecoveryRule
from watchkeeper.modules.recovery.errors import RuleInvalid
from watchkeeper.modules.recovery.model import Attempt, Mode
from watchkeeper.modules.recovery.public import Recovering
from watchkeeper.modules.recovery.rules import Rules
from watchkeeper.modules.recovery.service import Recovery
from watchkeeper.modules.runbooks.public import Running
from watchkeeper.modules.slo import store_counts
from watchkeeper.modules.slo.model import AlertState

BOOK = """\
---
title: "Shop"
service: shop
owners: [team-shop]
---

# Shop

## Rollback

```yaml {{run=set-parameter id=fix confirm={confirm}}}
key: WORKERS
value: {value}
environment: production
```

```sh {{run=shell id=restart confirm=none}}
./restart
```

- [ ] Think
"""


def rule(name: str = "shop", **said: Any) -> RecoveryRule:
    """Sets the workers back when the shop alerts."""
    given: dict[str, Any] = {
        "name": name,
        "match": {"service": "shop"},
        "runbook": "shop",
        "steps": ["fix"],
        "guards": {"only_while_burning": False},
    }
    return RecoveryRule.model_validate({**given, **said})


@dataclass
class Stage(Story):
    """A shop with a parameter, a runbook and rules."""

    def prepare(self, *, value: int = 8, confirm: str = "confirm") -> None:
        self.parameter()
        self.set(1)
        self.keep(BOOK.format(value=value, confirm=confirm))

    @property
    def recovering(self) -> Recovering:
        return Recovering(self.alerting, self.incidenting, Running(self.actions))

    def act(self, call: Any) -> Any:
        """Run `call(recovery)` in a transaction."""
        with self.database.begin() as session:
            return call(self.recovering.on(session, self.clock))

    def put(self, *said: RecoveryRule, mode: Mode | None = Mode.AUTOMATIC) -> None:
        with self.database.begin() as session:
            rules = Rules(session, self.clock)
            for one in said:
                rules.put(one, by="local", source="ops")
                if mode is not None:
                    rules.arm(one.name, mode, reason="it is good", by="per_olga", source="test")

    def hear(self) -> None:
        """Have facts delivered."""
        heard = (
            *incident_listeners(self.incidenting, self.clock),
            *wiring.listeners(self.recovering, self.clock),
        )
        dispatcher = Dispatcher(self.database, self.clock, heard)
        while dispatcher.run_once():
            pass

    def fire_on(self, *instances: str, fires: bool = True) -> None:
        """One alert of the shop on each of these instances, in one group."""
        with self.database.begin() as session:
            for name in instances:
                own = OwnAlert(
                    source="test",
                    key=f"slow-{name}",
                    title="It is slow",
                    severity="critical",
                    service="shop",
                    family="slow",
                    labels={"instance": name},
                )
                tell = self.alerting.raise_own if fires else self.alerting.resolve_own
                tell(session, own, at=self.clock.now())
        self.hear()

    def settle_on(self, *instances: str) -> None:
        self.fire_on(*instances, fires=False)

    def look(self, after: timedelta = timedelta(0)) -> None:
        """Time passes, and somebody looks."""
        self.clock.advance(after)
        self.act(Recovery.look)
        self.hear()

    def attempts(self) -> list[Attempt]:
        """Oldest first."""
        with self.database.read() as session:
            return store.attempts_of(session)[::-1]

    def states(self) -> list[str]:
        return [one.state.value for one in self.attempts()]

    def held(self, name: str = "shop") -> store.Held:
        with self.database.read() as session:
            found = store.rule(session, name)
        assert found is not None
        return found

    def own_group(self, key: str) -> GroupState | None:
        return self.group("recovery", key)

    def told(self, *kinds: str) -> list[Fact]:
        wanted = FactFilter(kinds=tuple(f"recovery.{kind}" for kind in kinds) or ("recovery.",))
        with self.database.read() as session:
            return read_facts(session, wanted, limit=1_000, newest_first=False)

    def changes(self) -> list[Fact]:
        """Changes of parameters that steps made."""
        with self.database.read() as session:
            facts = read_facts(session, FactFilter(kinds=("config.changed",)), limit=1_000, newest_first=False)
        return [one for one in facts if one.source == "runbook"]

    def sets(self) -> list[Fact]:
        """Those that recovery made by itself."""
        return [one for one in self.changes() if one.actor == "system:recovery"]

    def rule_shown(self, name: str = "shop") -> dict[str, Any]:
        """The rule as the API tells it."""
        answer = self.web().get(f"/api/v1/recovery/rules/{name}", headers=bearer("read"))
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def complaints_of_arming(self, name: str) -> list[str]:
        """Why it can't be armed; nothing when it was."""
        try:
            self.act(lambda verbs: verbs.rules.arm(name, Mode.AUTOMATIC, reason="good", by="per_olga", source="test"))
        except RuleInvalid as refusal:
            return [f"{one.where} {one.expected}" for one in refusal.complaints]
        return []

    def burn(self, service: str = "shop", *, until: Any = None) -> AlertState:
        """A budget of the service burns, as the engine keeps it."""
        now = self.clock.now()
        state = AlertState(
            id=new_id("sla"),
            slo=f"{service}-availability",
            objective="main",
            service=service,
            kind="burn",
            action="page",
            dedup_key=f"{service}:page",
            started_at=now,
            resolved_at=until,
            last_fired_at=now,
            fired=1,
            rules=(),
            burn=20.0,
            budget_spent=0.1,
        )
        with self.database.begin() as session:
            assert store_counts.add_alert(session, state)
        return state

    def web(self, who: str | None = None, **options: Any) -> TestClient:
        parts: dict[Any, Any] = {
            Authenticator: Cast(),
            Database: self.database,
            SystemClock: self.clock,
            Recovering: self.recovering,
        }
        app = small_app(*wiring.ROUTERS, parts=parts, templates=wiring.TEMPLATES, static=wiring.STATIC, nav=wiring.NAV)
        return browser(app, who, **options)

    def pages(self, who: str = "alice") -> Pages:
        return Pages(self.web(who, headers=PAGE))
