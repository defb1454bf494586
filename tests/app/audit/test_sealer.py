"""Checkpoints are made in time, never of a journal that is not the one before, and reach those who keep them."""

from __future__ import annotations

import hashlib
import hmac
import json
import shutil
import sqlite3
import time
from collections.abc import Iterator
from datetime import timedelta
from email.message import Message
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from tests.app.audit.support import House, Receiver, house, receiver
from watchkeeper.kernel.clock import ManualClock
from watchkeeper.kernel.journal.verifier import read_checkpoints

WEBHOOK = {"outbound_private_networks": "127.0.0.0/8"}


@pytest.fixture
def here(tmp_path: Path, clock: ManualClock) -> Iterator[House]:
    with house(tmp_path / "data", clock) as opened:
        yield opened


@pytest.fixture
def hook() -> Iterator[Receiver]:
    with receiver() as listening:
        yield listening


def _facts(one: House, count: int) -> None:
    for _ in range(count):
        one.token("read")


def _sealed(one: House) -> list[int]:
    return [checkpoint.seq for checkpoint in read_checkpoints(one.data / "checkpoints")]


# --- when -------------------------------------------------------------------------------------------------------------


def test_a_fact_is_in_a_checkpoint_within_a_minute(here: House) -> None:
    assert here.sealer.seal() is None
    here.clock.advance(timedelta(seconds=59))
    assert here.sealer.seal() is None
    here.clock.advance(timedelta(seconds=1))
    made = here.sealer.seal()
    assert made is not None
    assert _sealed(here) == [made.seq]


def test_a_hundred_facts_are_in_a_checkpoint_at_once(here: House) -> None:
    here.sealer.seal(now=True)
    (before,) = _sealed(here)
    _facts(here, 99)
    here.sealer.seal()
    assert _sealed(here) == [before]
    _facts(here, 1)
    here.sealer.seal()
    assert _sealed(here) == [before, before + 100]


def test_nothing_new_makes_no_checkpoint(here: House) -> None:
    here.sealer.seal(now=True)
    for _ in range(5):
        here.clock.advance(timedelta(minutes=5))
        here.sealer.seal()
    assert len(_sealed(here)) == 1


def test_a_server_that_stops_seals_its_last_facts(tmp_path: Path, clock: ManualClock) -> None:
    with house(tmp_path / "data", clock) as one:
        one.sealer.start()
        _facts(one, 3)
        one.sealer.stop()
        head = one.client.get("/api/v1/audit?limit=1").json()["items"][0]["seq"]
        assert _sealed(one)[-1] == head


def test_a_server_that_starts_again_goes_on_where_it_was(tmp_path: Path, clock: ManualClock) -> None:
    for _ in range(3):
        with house(tmp_path / "data", clock) as one:
            _facts(one, 2)
            one.sealer.seal(now=True)
            assert not one.sealer.state.mismatch
    assert len(list((tmp_path / "data/checkpoints").glob("*.ndjson"))) == 1
    assert len(_sealed(one)) == 3


# --- what is no longer the same ---------------------------------------------------------------------------------------


def _older_copy(tmp_path: Path, clock: ManualClock) -> Path:
    """A data directory whose database was put back to what it was before its last checkpoints."""
    data = tmp_path / "data"
    with house(data, clock) as one:
        one.sealer.seal(now=True)
    shutil.copy(data / "watchkeeper.db", tmp_path / "old.db")
    with house(data, clock) as one:
        _facts(one, 5)
        one.sealer.seal(now=True)
    for file in data.glob("watchkeeper.db*"):
        file.unlink()
    shutil.copy(tmp_path / "old.db", data / "watchkeeper.db")
    return data


def test_an_older_copy_of_the_database_is_noticed_and_not_sealed(tmp_path: Path, clock: ManualClock) -> None:
    data = _older_copy(tmp_path, clock)
    with house(data, clock) as one:
        before = _sealed(one)
        one.sealer.seal(now=True)
        one.sealer.seal(now=True)
        assert one.sealer.state.mismatch
        assert _sealed(one) == before
        assert one.kinds("audit.mismatch_found") == ["audit.mismatch_found"]
        assert one.client.get("/api/v1/audit/status").json()["mismatch"] is True
        answer = one.client.post("/api/v1/audit/verify")
        assert (answer.status_code, answer.json()["code"]) == (409, "audit.journal_broken")


def test_a_journal_changed_under_a_running_server_is_noticed(here: House) -> None:
    here.sealer.seal(now=True)
    _facts(here, 3)
    last = here.sealer.seal(now=True)
    assert last is not None
    with sqlite3.connect(here.data / "watchkeeper.db") as other:
        other.execute("DROP TRIGGER journal_refuses_update")
        other.execute("UPDATE journal SET hash = ? WHERE seq = ?", ("0" * 64, last.seq))
    _facts(here, 1)
    here.sealer.seal(now=True)
    assert here.sealer.state.mismatch


def test_checkpoints_begin_anew_only_with_a_reason(tmp_path: Path, clock: ManualClock) -> None:
    data = _older_copy(tmp_path, clock)
    with house(data, clock) as one:
        one.sealer.seal(now=True)
        where = "/api/v1/audit/restart-checkpoints"
        assert one.client.post(where, json={"reason": "because"}).status_code == 422
        assert one.sealer.state.mismatch
        assert one.client.post(where, json={"reason": "Restored after the disk died."}).status_code == 204
        one.sealer.seal(now=True)
        assert not one.sealer.state.mismatch
        assert one.client.post("/api/v1/audit/verify").status_code == 200
        assert "audit.checkpoints_restarted" in one.kinds()
        again = one.client.post(where, json={"reason": "Restored after the disk died."})
        assert (again.status_code, again.json()["code"]) == (409, "audit.nothing_to_restart")
    with house(data, clock) as one:
        one.sealer.seal(now=True)
        assert not one.sealer.state.mismatch


def test_a_folder_that_can_not_be_written_is_said_and_mended_by_itself(tmp_path: Path, clock: ManualClock) -> None:
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where the folder should be")
    with house(tmp_path / "data", clock, audit_checkpoint_directory=str(blocked)) as one:
        one.sealer.seal(now=True)
        trouble = one.client.get("/api/v1/audit/status").json()["trouble"]
        assert "Error" in trouble
        blocked.unlink()
        assert one.sealer.seal(now=True) is not None
        assert one.sealer.state.trouble is None


# --- where they go ----------------------------------------------------------------------------------------------------


def test_a_webhook_gets_the_newest_checkpoint_signed(tmp_path: Path, clock: ManualClock, hook: Receiver) -> None:
    (tmp_path / "secret").write_text("the webhook's secret\n")
    options = {"audit_webhook_url": hook.url, "audit_webhook_secret_file": str(tmp_path / "secret")}
    with house(tmp_path / "data", clock, **options, **WEBHOOK) as one:
        made = one.sealer.seal(now=True)
        one.deliver()
        ((headers, body),) = hook.got
        assert made is not None
        assert body.decode() == made.line()
        expected = hmac.new(b"the webhook's secret", body, hashlib.sha256).hexdigest()
        assert headers["X-Watchkeeper-Signature"] == f"sha256={expected}"
        (sink,) = one.client.get("/api/v1/audit/status").json()["sinks"]
        assert (sink["sink"], sink["seq"], sink["error"]) == ("webhook", made.seq, None)


def test_a_webhook_that_fails_is_told_once_tried_again_and_told_when_it_works(
    tmp_path: Path, clock: ManualClock, hook: Receiver
) -> None:
    hook.answers = [500, 302]
    hook.location = "http://127.0.0.1:1/elsewhere"
    with house(tmp_path / "data", clock, audit_webhook_url=hook.url, **WEBHOOK) as one:
        one.sealer.seal(now=True)
        until = time.monotonic() + 20
        while len(hook.got) < 3 and time.monotonic() < until:
            one.deliver()
            time.sleep(0.1)
        assert [body for _, body in hook.got] == [hook.got[0][1]] * 3
        assert len({headers["Idempotency-Key"] for headers, _ in hook.got}) == 1
        assert one.kinds("audit.delivery_stopped,audit.delivery_resumed") == [
            "audit.delivery_stopped",
            "audit.delivery_resumed",
        ]


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1/",
        "http://localhost:1/",
        "http://[::1]:1/",
        "http://169.254.169.254/latest/meta-data",
        "http://10.0.0.5/",
        "http://[::ffff:10.0.0.5]/",
        "http://0.0.0.0/",
        "http://user:secret@203.0.113.5/",
        "file:///etc/passwd",
        "gopher://203.0.113.5/",
        "not a url",
        "https://",
    ],
)
def test_a_webhook_into_the_own_network_is_refused(tmp_path: Path, clock: ManualClock, url: str) -> None:
    with house(tmp_path / "data", clock, audit_webhook_url=url) as one:
        one.sealer.seal(now=True)
        one.deliver()
        (sink,) = one.client.get("/api/v1/audit/status").json()["sinks"]
        assert sink["failing_since"] is not None
        assert "secret" not in sink["error"]
        assert one.kinds("audit.delivery_stopped") == ["audit.delivery_stopped"]


def test_a_second_watchkeeper_keeps_them_and_says_when_the_past_changes(tmp_path: Path, clock: ManualClock) -> None:
    import threading

    import uvicorn

    data = tmp_path / "first"
    with house(tmp_path / "second", clock) as second:
        (tmp_path / "token").write_text(second.token("intake"))
        server = uvicorn.Server(uvicorn.Config(second.app, port=0, log_config=None, lifespan="off"))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        options = {"audit_peer_url": f"http://127.0.0.1:{port}/", "audit_peer_token_file": str(tmp_path / "token")}
        try:
            with house(data, clock, **options, **WEBHOOK) as first:
                for _ in range(2):
                    _facts(first, 2)
                    last = first.sealer.seal(now=True)
                    first.deliver()
                (sink,) = first.client.get("/api/v1/audit/status").json()["sinks"]
                assert last is not None
                assert sink["seq"] == last.seq
            page = second.client.get("/audit/seal").text
            assert last.first[:16] in page
            _rewrite_all(data)
            with house(data, clock, **options, **WEBHOOK) as first:
                first.sealer.seal(now=True)
                reason = {"reason": "An attacker says that all is well."}
                assert first.client.post("/api/v1/audit/restart-checkpoints", json=reason).status_code == 204
                first.sealer.seal(now=True)
                first.deliver()
                assert first.kinds("audit.delivery_stopped") == ["audit.delivery_stopped"]
            assert second.kinds("audit.foreign_mismatch") == ["audit.foreign_mismatch"]
        finally:
            server.should_exit = True
            thread.join()


def _rewrite_all(data: Path) -> None:
    """What the owner of the database can do: another actor in row 2, and every hash after it made to fit."""
    from watchkeeper.kernel.journal.verifier import row_hash

    with sqlite3.connect(data / "watchkeeper.db") as database:
        database.row_factory = sqlite3.Row
        database.execute("DROP TRIGGER journal_refuses_update")
        rows = [dict(row) for row in database.execute("SELECT * FROM journal ORDER BY seq")]
        rows[1]["actor"] = "per_mallory"
        previous = rows[0]["hash"]
        for row in rows[1:]:
            own = row_hash(previous, row)
            values = (row["actor"], f"x{row['seq']}", own, row["seq"])
            database.execute("UPDATE journal SET actor = ?, prev_hash = ?, hash = ? WHERE seq = ?", values)
            row["prev_hash"], row["hash"], previous = previous, own, own
        for row in rows[1:]:
            database.execute("UPDATE journal SET prev_hash = ? WHERE seq = ?", (row["prev_hash"], row["seq"]))
        database.execute("UPDATE journal_head SET hash = ?", (previous,))


class _Postbox:
    def __init__(self) -> None:
        self.got: list[Any] = []

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 (aiosmtpd's name)
        self.got.append(envelope)
        return "250 OK"


def test_an_e_mail_carries_a_checkpoint_that_verifies_and_comes_once_an_hour(
    tmp_path: Path, clock: ManualClock
) -> None:
    from email import message_from_bytes

    box = _Postbox()
    controller = Controller(box, hostname="127.0.0.1", port=_free_port())
    controller.start()
    try:
        options = {
            "audit_email_to": "audit@example.org",
            "mail_host": "127.0.0.1",
            "mail_port": str(controller.port),
            "mail_security": "none",
        }
        with house(tmp_path / "data", clock, **options) as one:
            for _ in range(3):
                _facts(one, 1)
                made = one.sealer.seal(now=True)
                one.deliver()
            assert made is not None
            (envelope,) = box.got
            message: Message = message_from_bytes(envelope.content)
            assert message["To"] == "audit@example.org"
            folder = tmp_path / "from-mail"
            shutil.copytree(one.data / "checkpoints/keys", folder / "keys")
            text = message.get_payload(decode=True).decode()  # type: ignore[union-attr]
            line = next(line for line in text.splitlines() if line.startswith("{"))
            (folder / "mail.ndjson").write_text(line + "\n")
            assert read_checkpoints(folder)[0].seq == json.loads(line)["seq"]
    finally:
        controller.stop()


def _free_port() -> int:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
