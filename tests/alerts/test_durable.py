"""What was answered 2xx is there after a kill, and two replicas that hear the same word open one group."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.alerts.support import am_alert, signal
from tests.conftest import NOON
from tests.support.running import eventually, running_server
from watchkeeper.kernel.clock import ManualClock
from watchkeeper.kernel.db.database import open_database
from watchkeeper.kernel.journal import FactFilter, read_facts
from watchkeeper.modules.alerts import store
from watchkeeper.modules.alerts.intake import Intake
from watchkeeper.modules.alerts.settings import AlertSettings
from watchkeeper.modules.alerts.store import GroupFilter


def test_two_replicas_that_hear_the_same_words_at_once_open_one_group_each(postgres_url: str, tmp_path: Path) -> None:
    intake, clock = Intake(AlertSettings.model_validate({})), ManualClock(NOON)
    replicas = [open_database(postgres_url, tmp_path) for _ in range(2)]
    start = threading.Barrier(2)

    def hear(number: int) -> None:
        start.wait()
        for turn in range(20):
            words = [signal(f"{turn}-{one}", title=f"Trouble {'abcdefghijklmnopqrst'[turn]}") for one in range(3)]
            with replicas[number].begin() as session:
                intake.take(session, words if number else words[::-1], clock.now())

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(hear, range(2)))
    with replicas[0].read() as session:
        found = store.list_groups(session, GroupFilter(), limit=1_000)
        opened = read_facts(session, FactFilter(kinds=("alerts.group_opened",)), limit=1_000)
    for one in replicas:
        one.close()
    assert len(found) == len(opened) == 20
    assert {(one.alert_count, one.firing_count, one.event_count) for one in found} == {(3, 3, 6)}


@pytest.mark.timeout(600)
def test_what_was_answered_is_there_after_a_kill_and_repeating_it_is_harmless(tmp_path: Path) -> None:
    answered: set[str] = set()
    key = ""
    sent = 0
    for _ in range(2):
        with running_server(tmp_path / "data") as server:
            if not key:
                order = {"name": "am", "kind": "alertmanager"}
                made = server.client.post("/api/v1/alerts/integrations", json=order).raise_for_status()
                key = made.json()["key"]
            stop = threading.Event()

            def send(first: int, url: str = server.url, stop: threading.Event = stop, key: str = key) -> None:
                number = first
                with httpx.Client(base_url=url, trust_env=False, timeout=30) as client:
                    while not stop.is_set():
                        alert = am_alert(f"Rule {number}", fingerprint=str(number))
                        try:
                            got = client.post(f"/integrations/alertmanager/{key}", json={"alerts": [alert]})
                        except httpx.TransportError:
                            return
                        if got.status_code == 200:
                            answered.add(str(number))
                        number += 4

            threads = [threading.Thread(target=send, args=(sent + one,)) for one in range(4)]
            for thread in threads:
                thread.start()
            before = len(answered)
            eventually(lambda before=before: len(answered) > before + 40, within=60)  # type: ignore[misc]
            time.sleep(0.05)
            server.process.kill()
            stop.set()
            for thread in threads:
                thread.join()
            sent += 100_000
    with running_server(tmp_path / "data") as server, httpx.Client(base_url=server.url, trust_env=False) as client:
        some = sorted(answered)[:10]
        alerts = [am_alert(f"Rule {number}", fingerprint=number) for number in some]
        assert client.post(f"/integrations/alertmanager/{key}", json={"alerts": alerts}).status_code == 200
    database = open_database(None, tmp_path / "data")
    with database.read() as session:
        groups = store.list_groups(session, GroupFilter(), limit=100_000)
        kept = [alert.dedup_key for alert in store.firing_of(session, [one.id for one in groups])]
    database.close()
    assert answered <= set(kept)
    assert len(kept) == len(set(kept))
