"""The sealed journal: whatever is done to it behind Watchkeeper's back is found, and the first bad row is named."""

from __future__ import annotations

import ast
import copy
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from tests.conftest import NOON, SCRIPTS
from watchkeeper.kernel import journal
from watchkeeper.kernel.db.database import Database, open_database
from watchkeeper.kernel.db.migrations import Migrations
from watchkeeper.kernel.journal import Event, verifier
from watchkeeper.kernel.journal.checkpoints import CheckpointFile, SigningKey, fits, next_checkpoint
from watchkeeper.kernel.journal.origin import Origin, coming_from
from watchkeeper.kernel.journal.store import FactRefused, forget_private, private_values
from watchkeeper.kernel.journal.verifier import (
    FIELDS,
    GENESIS,
    Chain,
    ChainBroken,
    Checkpoint,
    CheckpointsUnusable,
    read_checkpoints,
    row_hash,
)
from watchkeeper.kernel.journal.verify import sealed_rows, verify_chain

Row = dict[str, Any]
ROWS = 1_500


@dataclass(frozen=True, kw_only=True)
class LampLit(Event):
    kind: ClassVar[str] = "harbour.lamp_lit"

    lamp: str
    watts: int = 40


def light(session: Session, count: int = 1, **more: Any) -> int:
    seq = 0
    for number in range(count):
        seq = journal.append(
            session,
            LampLit(lamp=f"lamp_{number}"),
            by="per_alice",
            source="test",
            at=NOON + timedelta(seconds=number),
            **more,
        )
    return seq


@dataclass(frozen=True)
class Sealed:
    """A journal as it was written, and what left the machine meanwhile."""

    rows: list[Row]
    checkpoints: list[Checkpoint]

    def honest(self) -> Iterator[tuple[int, Chain]]:
        """Each seq, with a verifier that has seen all rows before it."""
        chain = Chain(self.checkpoints)
        for row in self.rows:
            yield row["seq"], copy.deepcopy(chain) if row["seq"] % 50 == 1 else _copy(chain)
            chain.add(row)


def _copy(chain: Chain) -> Chain:
    twin = Chain(())
    twin.state = copy.copy(chain.state)
    twin._coming, twin._open = list(chain._coming), list(chain._open)
    return twin


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Sealed:
    folder = tmp_path_factory.mktemp("sealed")
    database = open_database(None, folder)
    try:
        Migrations(SCRIPTS).migrate(database.engine)
        key = SigningKey.kept_in(folder / "checkpoint.key")
        made: list[Checkpoint] = []
        for _ in range(ROWS // 100):
            with database.begin() as session, coming_from(Origin(address="203.0.113.9")):
                light(session, 100)
            with database.read() as session:
                made += [found] if (found := next_checkpoint(session, key, made[-1].seq if made else 0, NOON)) else []
        with database.read() as session:
            return Sealed(list(sealed_rows(session)), made)
    finally:
        database.close()


def first_bad(chain: Chain, rest: list[Row]) -> int | None:
    """The seq that a verifier names which goes on with these rows; None when it finds nothing."""
    try:
        for row in rest:
            chain.add(row)
        chain.finish()
    except ChainBroken as broken:
        return broken.seq
    return None


def resealed(rows: list[Row], previous: str) -> list[Row]:
    """The same rows with hashes that fit: what somebody does who owns the database and knows the format."""
    done = []
    for row in rows:
        own = row_hash(previous, row)
        done.append(row | {"prev_hash": previous, "hash": own})
        previous = own
    return done


def changed(row: Row, name: str) -> Row:
    value = row[name]
    other = value + 1 if isinstance(value, int) else f"{value or ''}x"
    return row | {name: other}


# --- every row, every kind of tampering -------------------------------------------------------------------------------


def test_the_journal_as_written_verifies(sealed: Sealed) -> None:
    found = verifier.verify(sealed.rows, sealed.checkpoints)
    assert (found.rows, found.checkpoints, found.covered, found.exposed) == (ROWS, ROWS // 100, ROWS, 0)


@pytest.mark.parametrize("name", [name for name in FIELDS if name != "seq"])
def test_an_edit_of_any_row_is_found_and_named(sealed: Sealed, name: str) -> None:
    for seq, chain in sealed.honest():
        assert first_bad(chain, [changed(sealed.rows[seq - 1], name)]) == seq


def test_an_edit_whose_own_hash_was_made_to_fit_is_found_and_named(sealed: Sealed) -> None:
    for seq, chain in sealed.honest():
        (row,) = resealed([changed(sealed.rows[seq - 1], "data")], sealed.rows[seq - 1]["prev_hash"])
        assert first_bad(chain, [row]) == seq


def test_a_deletion_of_any_row_is_found_and_named(sealed: Sealed) -> None:
    for seq, chain in sealed.honest():
        assert first_bad(chain, sealed.rows[seq : seq + 1]) == seq


def test_a_deletion_that_was_numbered_over_is_found_and_named(sealed: Sealed) -> None:
    for seq, chain in sealed.honest():
        rest = [row | {"seq": row["seq"] - 1} for row in sealed.rows[seq : seq + 300]]
        assert first_bad(chain, resealed(rest, sealed.rows[seq - 1]["prev_hash"])) == seq


def test_an_insertion_before_any_row_is_found_and_named(sealed: Sealed) -> None:
    for seq, chain in sealed.honest():
        forged = changed(sealed.rows[seq - 1], "data")
        after = [row | {"seq": row["seq"] + 1} for row in sealed.rows[seq - 1 : seq + 2]]
        assert first_bad(_copy(chain), [forged, *after]) == seq
        assert first_bad(chain, resealed([forged, *after], forged["prev_hash"])) == seq


def test_two_rows_that_changed_places_are_found_and_the_first_named(sealed: Sealed) -> None:
    for seq, chain in sealed.honest():
        if seq == ROWS:
            continue
        one, two = sealed.rows[seq - 1], sealed.rows[seq]
        swapped = [two | {"seq": seq}, one | {"seq": seq + 1}]
        assert first_bad(_copy(chain), swapped) == seq
        assert first_bad(_copy(chain), [two, one]) == seq
        assert first_bad(chain, resealed(swapped, one["prev_hash"])) == seq


def test_a_tail_cut_off_anywhere_is_found_and_named(sealed: Sealed) -> None:
    for seq, chain in sealed.honest():
        assert first_bad(chain, []) == seq


def test_a_tail_that_was_sealed_anew_from_any_row_on_is_found_and_named(sealed: Sealed) -> None:
    for seq, chain in sealed.honest():
        forged = [changed(sealed.rows[seq - 1], "actor"), *sealed.rows[seq:]]
        assert first_bad(chain, resealed(forged[:120], sealed.rows[seq - 1]["prev_hash"])) == seq


def test_an_old_backup_that_went_on_from_there_is_found_and_named(sealed: Sealed) -> None:
    """The rows are honest ones of a journal that took another way after `seq`."""
    for seq, chain in sealed.honest():
        other_way = [row | {"at": "2026-12-24T00:00:00.000000Z"} for row in sealed.rows[seq - 1 : seq + 150]]
        assert first_bad(chain, resealed(other_way, sealed.rows[seq - 1]["prev_hash"])) == seq


def test_without_checkpoints_a_cut_tail_is_not_found(sealed: Sealed) -> None:
    """Why they have to leave the machine."""
    assert verifier.verify(sealed.rows[:700]).rows == 700


@pytest.mark.parametrize("exposed", [1, 37, 99])
def test_rows_newer_than_the_last_checkpoint_are_counted_as_exposed(sealed: Sealed, exposed: int) -> None:
    last = sealed.rows[-1] | {"private": {}}
    extra = resealed([last | {"seq": ROWS + number} for number in range(1, exposed + 1)], last["hash"])
    found = verifier.verify([*sealed.rows, *extra], sealed.checkpoints)
    assert found.exposed == exposed
    forged = resealed([changed(row, "actor") for row in extra], sealed.rows[-1]["hash"])
    assert verifier.verify([*sealed.rows, *forged], sealed.checkpoints).exposed == exposed


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_any_other_list_of_rows_than_the_one_written_is_refused(sealed: Sealed, data: st.DataObject) -> None:
    kept = data.draw(st.lists(st.integers(0, 299), max_size=40), label="which rows, in which order")
    rows = [sealed.rows[number] for number in kept]
    with pytest.raises(ChainBroken):
        verifier.verify(rows, sealed.checkpoints)


# --- on the database itself -------------------------------------------------------------------------------------------


TAMPERINGS: dict[str, tuple[str, int]] = {
    "an edit": ("UPDATE journal SET actor = 'per_mallory' WHERE seq = 7", 7),
    "an edit of the instant": ("UPDATE journal SET at = '2026-01-01T00:00:00.000000Z' WHERE seq = 7", 7),
    "a deletion": ("DELETE FROM journal WHERE seq = 7", 7),
    "a cut": ("DELETE FROM journal WHERE seq > 15", 16),
    "the last row": ("DELETE FROM journal WHERE seq = 20", 20),
    "an address": ("UPDATE journal_private SET value = '192.0.2.1' WHERE seq = 7", 7),
    "an address of a row without": (f"INSERT INTO journal_private VALUES (20, 'phone', '1', '{'00' * 32}')", 20),
    "the head": ("UPDATE journal_head SET seq = 18", 19),
    "the head's hash": (f"UPDATE journal_head SET hash = '{GENESIS}'", 21),
    "all": ("DELETE FROM journal", 1),
}


@pytest.mark.parametrize("what", TAMPERINGS)
def test_what_the_owner_of_the_database_does_is_found(database: Database, what: str) -> None:
    with database.begin() as session, coming_from(Origin(address="203.0.113.9")):
        light(session, 20)
    with database.read() as session:
        assert verify_chain(session).rows == 20
    statement, seq = TAMPERINGS[what]
    with database.begin() as session:
        if database.dialect == "postgresql":
            session.execute(text("ALTER TABLE journal DISABLE TRIGGER ALL"))
        else:
            session.execute(text("DROP TRIGGER journal_refuses_update"))
            session.execute(text("DROP TRIGGER journal_refuses_delete"))
        session.execute(text(statement))
    with pytest.raises(ChainBroken) as broken, database.read() as session:
        verify_chain(session)
    assert broken.value.seq == seq


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize("value", ["'yesterday'", "12", "x'00ff'"])
def test_nonsense_in_a_column_is_a_broken_row_and_no_crash(database: Database, value: str) -> None:
    """PostgreSQL itself refuses a wrong type."""
    with database.begin() as session:
        light(session, 3)
        session.execute(text("DROP TRIGGER journal_refuses_update"))
        session.execute(text(f"UPDATE journal SET at = {value}, data = {value} WHERE seq = 2"))
    with pytest.raises(ChainBroken) as broken, database.read() as session:
        verify_chain(session)
    assert broken.value.seq == 2


def test_two_rows_can_not_follow_the_same_one(database: Database) -> None:
    with database.begin() as session:
        light(session, 2)
    with pytest.raises(IntegrityError), database.begin() as session:
        session.execute(
            text(
                "INSERT INTO journal (seq, at, actor, source, kind, version, data, prev_hash, hash) "
                "SELECT 3, at, actor, source, kind, version, data, prev_hash, 'x' FROM journal WHERE seq = 2"
            )
        )


def test_what_can_not_be_told_does_not_happen(database: Database) -> None:
    """The change and its fact are one transaction."""
    with pytest.raises(FactRefused), database.begin() as session:
        session.execute(text("INSERT INTO shared_keys VALUES ('change', 'made')"))
        journal.append(session, LampLit(lamp="\ud800"), by="per_alice", source="test", at=NOON)
    with database.read() as session:
        assert session.execute(text("SELECT count(*) FROM shared_keys WHERE name = 'change'")).scalar() == 0
        assert journal.head(session) == 0


# --- what may be forgotten --------------------------------------------------------------------------------------------


def test_an_address_is_kept_beside_the_row_and_can_be_forgotten(database: Database) -> None:
    with database.begin() as session, coming_from(Origin(address="203.0.113.9", trace_id="a" * 32)):
        light(session, 3)
    with database.begin() as session:
        light(session, 1)
        light(session, 1, private={"note": "call her mobile"})
    with database.read() as session:
        rows = list(sealed_rows(session))
        assert all("203.0.113.9" not in json.dumps({name: row[name] for name in FIELDS}) for row in rows)
        assert [row["trace_id"] for row in rows] == ["a" * 32] * 3 + [None] * 2
        kept = private_values(session, range(1, 6))
    assert kept == {1: {"address": "203.0.113.9"}, 2: kept[2], 3: kept[3], 5: {"note": "call her mobile"}}
    with database.begin() as session:
        assert forget_private(session, before=NOON + timedelta(seconds=2)) == 3
        assert forget_private(session, actor="per_bob") == 0
    with database.read() as session:
        assert set(private_values(session, range(1, 6))) == {3}
        assert verify_chain(session).rows == 5


def test_the_same_value_is_committed_to_differently_each_time(database: Database) -> None:
    """Otherwise a list of addresses would be all it takes to read them back."""
    with database.begin() as session, coming_from(Origin(address="203.0.113.9")):
        light(session, 5)
    with database.read() as session:
        assert len({row["commitments"] for row in sealed_rows(session)}) == 5


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
