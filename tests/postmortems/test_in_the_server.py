"""All of it put together: a change, an incident, its end, and the draft that names the change."""

from __future__ import annotations

from pathlib import Path

from starlette.testclient import TestClient

from watchkeeper.app.configuration import load_configuration
from watchkeeper.app.server import Watchkeeper, listeners
from watchkeeper.kernel.journal.listeners import Dispatcher
from watchkeeper.modules.alerts.public import Alerting, OwnAlert
from watchkeeper.modules.catalog import public as catalog
from watchkeeper.modules.incidents.public import Incidenting, Severity
from watchkeeper.modules.postmortems import store, wiring
from watchkeeper.modules.postmortems.model import Section

BY = {"by": "system:test", "source": "test"}


def test_an_incident_that_is_over_has_its_draft_and_whoever_signs_in_finds_it(tmp_path: Path) -> None:
    with Watchkeeper.open(load_configuration({}, data=tmp_path / "data"), background=False) as server:
        parts, clock = server.app.state.parts, server.clock
        with server.db.begin() as session:
            catalog.discover(session, clock, [catalog.Seen("shop", "production")])
            alert = OwnAlert(source="test", key="k", title="Errors of shop", severity="critical", service="shop")
            parts[Alerting].raise_own(session, alert, at=clock.now())
            verbs = parts[Incidenting].on(session, clock)
            made = verbs.open("Checkout is down", severity=Severity.SEV1, services=("shop",), page=False, **BY)
            verbs.note(made.id, "The pool is full", pinned=True, **BY)
            verbs.resolve(made.id, reason="rolled back", **BY)
        dispatcher = Dispatcher(server.db, clock, listeners(clock, parts))
        while dispatcher.run_once():
            pass
        worker = wiring.worker(parts, server.db, clock)
        while worker.run_once():
            pass
        worker.stop()
        with server.db.read() as session:
            one = store.of_incident(session, made.id)
            assert one is not None
            moments = [each.text for each in store.moments_of(session, one.id)]
            texts = store.sections_of(session, one.id)
        assert one.due_at is not None
        assert any("The pool is full" in each for each in moments)
        assert texts[Section.SUMMARY].text
        with TestClient(server.app, base_url="http://127.0.0.1", client=("127.0.0.1", 50_000)) as client:
            token = (tmp_path / "data" / "control.token").read_text(encoding="utf-8").strip()
            found = client.get("/api/v1/postmortems", headers={"Authorization": f"Bearer {token}"}).json()["items"]
            assert [each["id"] for each in found] == [one.id]
            assert client.get("/shared/postmortems/wkp_made-up").status_code == 404
