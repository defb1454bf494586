"""Checkpoints are kept durably, believed only when signed, and checked by a program that stands alone."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from tests.conftest import NOON
from tests.kernel.sealed import Row, Sealed, changed, light, sealed_in
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.journal import verifier
from watchkeeper.kernel.journal.checkpoints import CheckpointFile, SigningKey, fits, next_checkpoint
from watchkeeper.kernel.journal.verifier import (
    Checkpoint,
    CheckpointsUnusable,
    read_checkpoints,
)
from watchkeeper.kernel.journal.verify import verify_chain


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Sealed:
    return sealed_in(tmp_path_factory.mktemp("sealed"))


# --- checkpoints ------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path, sealed: Sealed) -> Path:
    """A folder with 3 checkpoints of the sealed journal's first 300 rows, signed by a key of its own."""
    key = SigningKey.kept_in(tmp_path / "checkpoint.key")
    file = CheckpointFile(tmp_path / "checkpoints", key)
    assert file.open() is None
    for one in sealed.checkpoints[:3]:
        file.append(key.sign(one))
    return tmp_path / "checkpoints"


def test_checkpoints_are_read_back_as_they_were_made(folder: Path, sealed: Sealed) -> None:
    found = read_checkpoints(folder)
    assert [(one.seq, one.hash, one.rows) for one in found] == [
        (one.seq, one.hash, one.rows) for one in sealed.checkpoints[:3]
    ]
    key = SigningKey.kept_in(folder.parent / "checkpoint.key")
    last = CheckpointFile(folder, key).open()
    assert last is not None
    assert last.seq == 300
    assert (folder.parent / "checkpoint.key").stat().st_mode & 0o777 == 0o600
    assert key.private.private_bytes_raw().hex() not in repr(key)


@settings(max_examples=150, deadline=None)
@given(position=st.integers(0))
def test_a_changed_character_of_a_checkpoint_is_refused(sealed: Sealed, position: int) -> None:
    key = SigningKey(Ed25519PrivateKey.generate())
    line = key.sign(sealed.checkpoints[0]).line()
    keys = {key.id: key.public}
    assert verifier.parse_checkpoint(line, keys, "one").seq == 100
    place = position % len(line)
    spoilt = line[:place] + ("0" if line[place] != "0" else "1") + line[place + 1 :]
    try:
        assert json.loads(spoilt)["signature"].rstrip("=")[:-1] == json.loads(line)["signature"].rstrip("=")[:-1]
        assert {**json.loads(spoilt), "signature": ""} == {**json.loads(line), "signature": ""}
    except (ValueError, AssertionError, KeyError):
        with pytest.raises(CheckpointsUnusable, match="one"):
            verifier.parse_checkpoint(spoilt, keys, "one")


def test_a_line_cut_off_by_a_crash_is_passed_over_and_mended(folder: Path) -> None:
    (file,) = folder.glob("*.ndjson")
    whole = file.read_bytes()
    file.write_bytes(whole[:-20])
    assert [one.seq for one in read_checkpoints(folder)] == [100, 200]
    key = SigningKey.kept_in(folder.parent / "checkpoint.key")
    last = CheckpointFile(folder, key).open()
    assert last is not None
    assert last.seq == 200
    assert file.read_bytes().endswith(b"\n")


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda folder: next((folder / "keys").glob("*.pub")).unlink(), "there is no keys/"),
        (lambda folder: next((folder / "keys").glob("*.pub")).write_text("AAAA"), "not the public key"),
        (lambda folder: next(folder.glob("*.ndjson")).write_text("{}\n"), ":1: this is no checkpoint"),
        (lambda folder: next(folder.glob("*.ndjson")).write_text("[" * 5_000 + "\n"), ":1: this is no checkpoint"),
    ],
)
def test_unusable_checkpoints_are_refused_by_name(folder: Path, spoil: Callable[[Path], Any], says: str) -> None:
    spoil(folder)
    with pytest.raises(CheckpointsUnusable, match=says):
        read_checkpoints(folder)


def test_a_checkpoint_by_a_strangers_key_is_refused(folder: Path, sealed: Sealed) -> None:
    stranger = SigningKey.kept_in(folder / "stranger.key")
    with next(folder.glob("*.ndjson")).open("a") as file:
        file.write(stranger.sign(sealed.checkpoints[3]).line() + "\n")
    with pytest.raises(CheckpointsUnusable, match=f":4: signed by {stranger.id}"):
        read_checkpoints(folder)


def test_a_journal_that_lost_its_last_rows_no_longer_fits_its_checkpoint(database: Database, tmp_path: Path) -> None:
    key = SigningKey.kept_in(tmp_path / "key")
    with database.begin() as session:
        light(session, 30)
    with database.read() as session:
        made = next_checkpoint(session, key, 0, NOON)
        assert made is not None
        assert fits(session, made)
        assert next_checkpoint(session, key, 30, NOON) is None
        assert verify_chain(session, [made]).covered == 30
    assert not _fits_after(database, "DELETE FROM journal WHERE seq = 30", made)


def _fits_after(database: Database, statement: str, made: Checkpoint) -> bool:
    with database.begin() as session:
        drop = "ALTER TABLE journal DISABLE TRIGGER ALL"
        session.execute(text(drop if database.dialect == "postgresql" else "DROP TRIGGER journal_refuses_delete"))
        session.execute(text(statement))
    with database.read() as session:
        return fits(session, made)


# --- the verifier on its own ------------------------------------------------------------------------------------------


def test_the_verifier_needs_nothing_but_python_and_cryptography() -> None:
    tree = ast.parse(Path(verifier.__file__).read_text(encoding="utf-8"))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    outside = {name.partition(".")[0] for name in imported} - set(sys.stdlib_module_names)
    assert outside == {"cryptography"}


def test_it_verifies_an_export_as_a_program_of_its_own(tmp_path: Path, folder: Path, sealed: Sealed) -> None:
    export = tmp_path / "journal.ndjson"

    def run(rows: list[Row]) -> tuple[int, str]:
        export.write_text("".join(json.dumps(row) + "\n" for row in rows))
        command = [sys.executable, "-I", verifier.__file__, str(export), "--checkpoints", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout

    code, said = run(sealed.rows[:400])
    assert (code, said.split(", head")[0]) == (0, "OK 400 rows, 300 of them covered by 3 checkpoints")
    code, said = run([*sealed.rows[:250], changed(sealed.rows[250], "data"), *sealed.rows[251:400]])
    assert (code, said.split(":")[0]) == (1, "BROKEN seq 251")
    code, said = run(sealed.rows[:260])
    assert (code, said.split(":")[0]) == (1, "BROKEN seq 261")
    code, said = run([{"seq": 1}])
    assert code == 1
    assert "lacks" in said
