"""The record: who did what, from where, old and new; for auditors only, and taken away with a trace."""

from __future__ import annotations

import csv
import io
import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tests.app.audit.support import House, house
from watchkeeper.kernel.clock import ManualClock

FORMULA = '=HYPERLINK("http://evil.example";"click me")'


@pytest.fixture(params=["sqlite", "postgresql"])
def here(request: pytest.FixtureRequest, tmp_path: Path, clock: ManualClock) -> Iterator[House]:
    url = request.getfixturevalue("postgres_url") if request.param == "postgresql" else None
    with house(tmp_path / "data", clock, url) as opened:
        yield opened


@pytest.fixture
def stranger(here: House) -> TestClient:
    """A script with all rights elsewhere in the network, which added a service and described it anew."""
    client = here.as_token("admin")
    added = client.post("/api/v1/services", json={"name": "web", "title": "Web"}, headers={"Idempotency-Key": "1"})
    assert added.status_code == 201, added.text
    changes = {"title": "<b>Shop</b>", "reason": FORMULA}
    changed = client.patch("/api/v1/services/web", json=changes, headers={"If-Match": added.headers["ETag"]})
    assert changed.status_code == 200, changed.text
    return client


def _items(one: TestClient, query: str) -> list[dict[str, object]]:
    answer = one.get(f"/api/v1/audit?{query}")
    assert answer.status_code == 200, answer.text
    items: list[dict[str, object]] = answer.json()["items"]
    return items


def test_it_says_who_what_old_and_new_why_and_from_where(here: House, stranger: TestClient) -> None:
    (changed,) = _items(stranger, "kind=catalog.service_changed") or _items(stranger, "kind=catalog.&limit=1")
    assert changed["address"] == "203.0.113.7"
    assert changed["actor_name"] == "a script (token)"
    assert changed["reason"] == FORMULA
    assert {"field": "title", "before": "Web", "after": "<b>Shop</b>"} in changed["changes"]  # type: ignore[operator]
    assert isinstance(changed["seq"], int)


def test_it_is_found_by_address_subject_actor_and_kind(here: House, stranger: TestClient) -> None:
    assert {one["address"] for one in _items(stranger, "address=203.0.113.7")} == {"203.0.113.7"}
    assert _items(stranger, "address=203.0.113.8") == []
    assert {one["subject_id"] for one in _items(stranger, "subject=web")} == {"web"}
    (token,) = {str(one["actor"]) for one in _items(stranger, "address=203.0.113.7")}
    assert {one["kind"] for one in _items(stranger, f"actor={token}&kind=identity.")} == set()


def test_pages_of_it_follow_each_other_without_a_gap(here: House, stranger: TestClient) -> None:
    everything = [one["seq"] for one in _items(stranger, "limit=200")]
    found: list[object] = []
    query = "limit=2"
    while True:
        page = stranger.get(f"/api/v1/audit?{query}").json()
        found += [one["seq"] for one in page["items"]]
        if page["next"] is None:
            break
        query = f"limit=2&cursor={page['next']}"
    assert found == everything


@pytest.mark.parametrize("scope", ["read", "write", "intake"])
@pytest.mark.parametrize(
    "path",
    ["/api/v1/audit", "/api/v1/audit.csv", "/api/v1/audit.ndjson", "/api/v1/audit/export", "/api/v1/audit/checkpoints"],
)
def test_it_is_for_auditors_only(here: House, scope: str, path: str) -> None:
    assert here.as_token(scope).get(path).status_code == 403


def test_a_spreadsheet_runs_nothing_of_it(here: House, stranger: TestClient) -> None:
    answer = stranger.get("/api/v1/audit.csv")
    assert answer.headers["content-disposition"] == 'attachment; filename="audit.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert any(row["reason"] == f"'{FORMULA}" for row in rows)
    assert not [cell for row in rows for cell in row.values() if cell.startswith(("=", "+", "-", "@", "\t"))]


def test_a_page_of_it_holds_no_markup_of_others(here: House, stranger: TestClient) -> None:
    page = here.client.get("/audit", headers={"Accept": "text/html"}).text
    assert "&lt;b&gt;Shop" in page
    assert "<b>Shop" not in page


def test_taking_it_away_is_a_fact_itself(here: House, stranger: TestClient) -> None:
    lines = stranger.get("/api/v1/audit.ndjson?kind=catalog.").text.splitlines()
    assert all(json.loads(line)["kind"].startswith("catalog.") for line in lines)
    stranger.get("/api/v1/audit.csv")
    sealed = stranger.get("/api/v1/audit/export").text.splitlines()
    assert [one["data"] for one in reversed(_items(stranger, "kind=audit.record_exported"))] == [
        {"form": "NDJSON", "rows": len(lines)},
        {"form": "CSV", "rows": len(sealed) - 2},
        {"form": "the sealed journal", "rows": len(sealed) - 1},
    ]
    assert "203.0.113.7" not in "".join(sealed)


def test_a_verification_is_a_fact_with_its_result(here: House, stranger: TestClient) -> None:
    here.sealer.seal(now=True)
    found = stranger.post("/api/v1/audit/verify").json()
    assert found["covered"] == found["facts"]
    (told,) = _items(stranger, "kind=audit.journal_verified")
    assert told["data"] == {"rows": found["facts"], "covered": found["facts"], "broken_seq": None, "finding": None}


# --- the command line -------------------------------------------------------------------------------------------------


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "watchkeeper", "audit", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture
def data(tmp_path: Path, clock: ManualClock) -> Path:
    """A data directory with sealed facts, and no server."""
    with house(tmp_path / "data", clock) as one:
        one.token("read")
        one.sealer.seal(now=True)
    return tmp_path / "data"


def test_a_copy_is_verified_offline_and_the_first_bad_row_named(tmp_path: Path, data: Path) -> None:
    good = _run("verify", "--data", str(data))
    assert good.returncode == 0, good.stderr
    assert good.stdout.startswith("OK ")
    copy = tmp_path / "copy"
    shutil.copytree(data, copy)
    with sqlite3.connect(copy / "watchkeeper.db") as database:
        database.execute("DROP TRIGGER journal_refuses_delete")
        database.execute("DELETE FROM journal WHERE seq >= 2")
        database.execute("UPDATE journal_head SET seq = 1, hash = (SELECT hash FROM journal WHERE seq = 1)")
    bad = _run("verify", "--data", str(copy))
    assert (bad.returncode, bad.stdout) == (1, "")
    assert bad.stderr.startswith("BROKEN at seq 2: rows are missing")
    found = json.loads(_run("verify", "--data", str(copy), "--checkpoints", str(data / "checkpoints"), "--json").stdout)
    assert found["broken_seq"] == 2
    shutil.rmtree(copy / "checkpoints")
    blind = _run("verify", "--data", str(copy))
    assert (blind.returncode, "no checkpoints" in blind.stdout) == (0, True)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--data", "{tmp}/nowhere"), "There is no watchkeeper.db in"),
        (("--data", "{data}", "--checkpoints", "{tmp}/nowhere"), "there is no such folder"),
    ],
)
def test_what_is_not_there_is_said_in_one_line(
    tmp_path: Path, data: Path, arguments: tuple[str, ...], says: str
) -> None:
    done = _run("verify", *(one.format(tmp=tmp_path, data=data) for one in arguments))
    assert done.returncode == 1
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_an_export_verifies_by_the_program_in_it(tmp_path: Path, data: Path) -> None:
    target = tmp_path / "export"
    done = _run("export", str(target), "--data", str(data))
    assert done.returncode == 0, done.stderr
    command = [sys.executable, "-I", "verifier.py", "journal.ndjson", "--checkpoints", "checkpoints"]
    checked = subprocess.run(command, cwd=target, capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stdout[:3]) == (0, "OK ")
    again = _run("export", str(target), "--data", str(data))
    assert (again.returncode, "exists already" in again.stderr) == (1, True)
