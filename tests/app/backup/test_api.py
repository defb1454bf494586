"""The API of backups and their page, by whole servers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from tests.support.running import eventually
from watchkeeper.app.backup.service import Backups
from watchkeeper.app.configuration import load_configuration
from watchkeeper.app.server import Watchkeeper
from watchkeeper.modules.identity.control import ControlToken

STRETCHED = {"salt": "0" * 32, "key": "1" * 64}


@dataclass
class Served:
    """A server with a target, its own command line, and others with tokens."""

    watchkeeper: Watchkeeper
    target: Path
    local: TestClient
    token: str = ""

    def client(self, scope: str) -> TestClient:
        """Somebody elsewhere with a token of this scope."""
        order = {"name": scope, "scopes": [scope]}
        made = self.local.post("/api/v1/tokens", json=order)
        assert made.status_code == 201, made.text
        headers = {"Authorization": f"Bearer {made.json()['secret']}"}
        return TestClient(self.watchkeeper.app, client=("198.51.100.9", 40_000), headers=headers)

    def ended(self, answer: httpx.Response, client: TestClient | None = None) -> Any:
        """The state of a backup that was begun, once it is over."""
        assert answer.status_code == 202, answer.text
        path = answer.headers["Location"]

        def look() -> Any:
            state = (client or self.local).get(path).json()
            return state if state["state"] != "running" else None

        return eventually(look)


@contextmanager
def serve(data: Path, **environ: str) -> Iterator[Watchkeeper]:
    settings = {f"WATCHKEEPER_{name.upper()}": value for name, value in environ.items()}
    with Watchkeeper.open(load_configuration(settings, data=data), background=False) as watchkeeper:
        yield watchkeeper


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    (tmp_path / "target").mkdir()
    with serve(tmp_path / "data", backup_target=str(tmp_path / "target")) as watchkeeper:
        control = ControlToken.read(tmp_path / "data")
        assert control is not None
        headers = {"Authorization": f"Bearer {control.secret}"}
        local = TestClient(watchkeeper.app, client=("127.0.0.1", 40_000), headers=headers)
        yield Served(watchkeeper, tmp_path / "target", local)


def test_a_backup_is_begun_and_its_state_tells_when_it_is_verified(served: Served) -> None:
    state = served.ended(served.local.post("/api/v1/backups", json={}))
    assert (state["state"], state["locked_by"]) == ("made", "installation")
    assert [path.name for path in served.target.iterdir()] == [state["name"]]
    listed = served.local.get("/api/v1/backups").json()["items"]
    assert [(one["id"], one["bytes"], one["removed"]) for one in listed] == [(state["id"], state["bytes"], False)]
    assert served.local.get("/api/v1/backups/status").json()["last_good_at"] == listed[0]["taken_at"]


def test_a_request_that_is_sent_twice_makes_one_backup(served: Served) -> None:
    headers = {"Idempotency-Key": "once"}
    first = served.local.post("/api/v1/backups", json={}, headers=headers)
    state = served.ended(first)
    again = served.local.post("/api/v1/backups", json={}, headers=headers)
    assert again.json()["id"] == state["id"]
    assert len(list(served.target.iterdir())) == 1
    served.ended(served.local.post("/api/v1/backups", json={}))
    assert len(list(served.target.iterdir())) == 2


def test_while_one_runs_another_is_refused(served: Served) -> None:
    backups = served.watchkeeper.app.state.parts[Backups]
    backups.reserve("bak_other")
    answer = served.local.post("/api/v1/backups", json={})
    assert (answer.status_code, answer.json()["code"]) == (409, "backup.running")
    assert served.local.get("/api/v1/backups/bak_other").json()["state"] == "running"
    backups.release()


def test_the_local_command_line_names_a_place_and_a_passphrase_of_its_own(served: Served, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    order = {"target": str(tmp_path / "mine"), "passphrase": STRETCHED}
    state = served.ended(served.local.post("/api/v1/backups", json=order))
    assert state["locked_by"] == "passphrase"
    assert [path.name for path in (tmp_path / "mine").iterdir()] == [state["name"]]


@pytest.mark.parametrize("order", [{"target": "/mnt"}, {"target": "s3://thief/x"}, {"passphrase": STRETCHED}])
def test_a_token_can_not_send_everything_to_a_place_of_its_own(served: Served, order: dict[str, Any]) -> None:
    admin = served.client("admin")
    assert admin.post("/api/v1/backups", json=order).status_code == 403
    assert served.ended(admin.post("/api/v1/backups", json={}), admin)["state"] == "made"


def test_who_may_only_read_begins_nothing(served: Served) -> None:
    reader = served.client("read")
    assert reader.post("/api/v1/backups", json={}).status_code == 403
    assert reader.post("/api/v1/backups/drills", json={}).status_code == 403
    assert reader.get("/api/v1/backups").status_code == 200
    assert list(served.target.iterdir()) == []


@pytest.mark.parametrize(
    ("order", "code"),
    [
        ({"target": "relative/path"}, "backup.target_refused"),
        ({"target": "s3://x"}, "backup.target_refused"),
        ({"target": "\0"}, "kernel.invalid"),
        ({"passphrase": {"salt": "0", "key": "1"}}, "kernel.invalid"),
        ({"where": "/mnt"}, "kernel.invalid"),
    ],
)
def test_a_wrong_order_is_refused_and_nothing_runs(served: Served, order: dict[str, Any], code: str) -> None:
    answer = served.local.post("/api/v1/backups", json=order)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert served.watchkeeper.app.state.parts[Backups].running is None


def test_a_place_that_can_not_be_used_is_the_state_of_the_backup(served: Served, tmp_path: Path) -> None:
    state = served.ended(served.local.post("/api/v1/backups", json={"target": str(tmp_path / "nowhere")}))
    assert state["state"] == "failed"
    assert str(tmp_path / "nowhere") in state["reason"]
    # Others, and the journal, are told no folder.
    reader = served.client("read")
    seen = reader.get(f"/api/v1/backups/{state['id']}").json()["reason"]
    assert seen == reader.get("/api/v1/backups/status").json()["last_failure"] == "The place for backups can't be used"


def test_an_unknown_backup_is_not_found(served: Served) -> None:
    assert served.local.get("/api/v1/backups/bak_nothing").json()["code"] == "backup.not_found"


DRILL = {
    "backup_id": "unknown",
    "name": "watchkeeper-20260302T120000Z-abcdefgh.wkbackup",
    "seconds": 12.5,
    "bytes": 1000,
    "journal_seq": 3,
}


def test_a_drill_that_was_held_elsewhere_is_recorded_once(served: Served) -> None:
    headers = {"Idempotency-Key": "drill"}
    first = served.local.post("/api/v1/backups/drills", json=DRILL, headers=headers)
    again = served.local.post("/api/v1/backups/drills", json=DRILL, headers=headers)
    assert (first.status_code, again.json()) == (201, first.json())
    status = served.local.get("/api/v1/backups/status").json()
    assert (status["last_drill_ok"], status["last_drill_seconds"]) == (True, 12.5)


@pytest.mark.parametrize(
    "changes", [{"name": "/srv/alice/backup"}, {"finding": "line\nbreak"}, {"seconds": -1}, {"backup_id": "x"}]
)
def test_what_is_no_result_of_a_drill_is_refused(served: Served, changes: dict[str, Any]) -> None:
    assert served.local.post("/api/v1/backups/drills", json=DRILL | changes).status_code == 422


def test_without_a_target_the_page_says_how_to_set_one(tmp_path: Path) -> None:
    with serve(tmp_path / "data") as watchkeeper:
        control = ControlToken.read(tmp_path / "data")
        assert control is not None
        headers = {"Authorization": f"Bearer {control.secret}", "Accept": "text/html"}
        page = TestClient(watchkeeper.app, client=("127.0.0.1", 1), headers=headers).get("/settings/backups")
    assert page.status_code == 200
    assert "WATCHKEEPER_BACKUP_TARGET" in page.text
    assert "Back up now" not in page.text


def test_the_page_tells_age_and_state_of_backups_and_drills(served: Served) -> None:
    served.ended(served.local.post("/api/v1/backups", json={}))
    served.local.post("/api/v1/backups/drills", json=DRILL)
    served.local.post("/api/v1/backups/drills", json=DRILL | {"finding": "part state: chunk 1 of 1 was changed"})
    page = served.local.get("/settings/backups", headers={"Accept": "text/html"}).text
    for text in ("verified", "restored and verified", "part state: chunk 1 of 1", str(served.target), "Back up now"):
        assert text in page
    reader = served.client("read").get("/settings/backups", headers={"Accept": "text/html"}).text
    assert str(served.target) not in reader
    assert "Back up now" not in reader


def test_the_buttons_of_the_page_make_a_backup_and_drill_it(served: Served) -> None:
    backups = served.watchkeeper.app.state.parts[Backups]

    def press(path: str) -> None:
        answer = served.local.post(path, data={}, follow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (303, "/settings/backups")
        eventually(lambda: backups.running is None)

    press("/settings/backups")
    press("/settings/backups/drill")
    status = served.local.get("/api/v1/backups/status").json()
    assert (status["last_drill_ok"], status["last_failed_at"]) == (True, None)
