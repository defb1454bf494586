"""The sealed journal: whatever is done to it behind Watchkeeper's back is found, and the first bad row is named."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from tests.conftest import NOON
from tests.kernel.sealed import ROWS, LampLit, Sealed, changed, copied, first_bad, light, resealed, sealed_in
from watchkeeper.kernel import journal
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.journal import verifier
from watchkeeper.kernel.journal.origin import Origin, coming_from
from watchkeeper.kernel.journal.store import FactRefused, forget_private, private_values
from watchkeeper.kernel.journal.verifier import (
    FIELDS,
    GENESIS,
    ChainBroken,
)
from watchkeeper.kernel.journal.verify import sealed_rows, verify_chain


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Sealed:
    return sealed_in(tmp_path_factory.mktemp("sealed"))


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
        assert first_bad(copied(chain), [forged, *after]) == seq
        assert first_bad(chain, resealed([forged, *after], forged["prev_hash"])) == seq


def test_two_rows_that_changed_places_are_found_and_the_first_named(sealed: Sealed) -> None:
    for seq, chain in sealed.honest():
        if seq == ROWS:
            continue
        one, two = sealed.rows[seq - 1], sealed.rows[seq]
        swapped = [two | {"seq": seq}, one | {"seq": seq + 1}]
        assert first_bad(copied(chain), swapped) == seq
        assert first_bad(copied(chain), [two, one]) == seq
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
