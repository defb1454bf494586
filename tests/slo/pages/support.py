"""The console with objectives in it: Alice may everything, Bob may read, Dora may write."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from tests.config.pages.support import Cast, words
from tests.config.pages.support import Pages as Console
from tests.kernel.web.support import PAGE, browser, small_app
from tests.slo.support import Stage, slo
from watchkeeper.kernel.clock import SystemClock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.outbound import OutboundSettings
from watchkeeper.kernel.web.access import Authenticator
from watchkeeper.modules.config.changes import Changes
from watchkeeper.modules.config.model import Operation
from watchkeeper.modules.config.service import Config
from watchkeeper.modules.slo import wiring
from watchkeeper.modules.slo.engine import Engine
from watchkeeper_client.rules import Definition as Parameter

__all__ = ["Pages", "break_it", "change_parameter", "lately", "pages", "words"]


@dataclass
class Pages(Console):
    """Somebody's browser in front of the pages."""

    def send(self, path: str, status: int = 303, **form: Any) -> Any:
        """Send a form."""
        answer = self.post(path, page="/slos", **form)
        assert answer.status_code == status, words(answer.text)
        return answer


def pages(stage: Stage, who: str = "alice", *, parts: dict[Any, Any] | None = None) -> Pages:
    """Somebody in front of the pages of a stage."""
    of_stage: dict[Any, Any] = {
        Authenticator: Cast(),
        Database: stage.database,
        SystemClock: stage.clock,
        Engine: stage.engine,
        OutboundSettings: OutboundSettings.model_validate({}),
        **(parts or {}),
    }
    options = {"templates": wiring.TEMPLATES, "static": wiring.STATIC, "nav": wiring.NAV}
    return Pages(browser(small_app(*wiring.ROUTERS, parts=of_stage, **options), who, headers=PAGE))


def lately(stage: Stage, slo: str, good: float, total: float = 100.0) -> None:
    """The same in every minute of the last six hours, and to come; nothing before."""
    since = stage.clock.now().timestamp() - 6 * 3_600
    stage.tape.by_slo[slo] = lambda minute: (good, total) if minute >= since else None


def change_parameter(stage: Stage, value: int, *, service: str = "gateway") -> str:
    """Somebody changes a parameter of a service; the id of the change."""
    said = {"key": "WORKERS", "type": "integer", "default": 8, "service": service}
    with stage.database.begin() as session:
        config = Config(session, stage.clock)
        config.ensure_environment("production")
        config.define(Parameter.of(said), managed_by="people", by="alice", source="api")
    stage.clock.advance(timedelta(minutes=1))
    with stage.database.begin() as session:
        wanted = [Operation("WORKERS", "value", value)]
        made = Changes(session, stage.clock).propose("production", wanted, reason="a try", by="alice", source="api")
    return made.id


def break_it(stage: Stage, name: str = "api") -> str:
    """A day that goes well, a change at the service, and a minute later one request in two fails until it alerts.

    Answers the id of the change.
    """
    stage.put(slo(name))
    stage.steady(name)
    stage.run()
    change = change_parameter(stage, 1)
    stage.clock.advance(timedelta(seconds=11))
    broken_since = stage.clock.now().timestamp()
    stage.tape.by_slo[name] = lambda minute: (50, 100) if minute + 60 > broken_since else (100, 100)
    stage.run(timedelta(minutes=10), every=timedelta(minutes=1))
    return change
