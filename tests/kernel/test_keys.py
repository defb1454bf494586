"""The installation's key: one for all replicas, nobody else's, and what it sealed opens nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.keys import (
    KEY_FILE,
    InstallationKey,
    KeyUnusable,
    key_in_database,
    key_in_directory,
    read_key_file,
    require_same_key,
)

KEY = InstallationKey(b"k" * 32)


@given(text=st.text(), position=st.integers(0))
def test_what_is_sealed_opens_as_it_was_and_not_with_one_character_changed(text: str, position: int) -> None:
    sealed = KEY.seal(text, purpose="tests", bound_to="row 1")
    assert KEY.open(sealed, purpose="tests", bound_to="row 1") == text
    place = position % (len(sealed.rstrip("=")) - 2)  # the last character may hold bits that mean nothing
    other = "A" if sealed[place] != "A" else "B"
    with pytest.raises(KeyUnusable):
        KEY.open(sealed[:place] + other + sealed[place + 1 :], purpose="tests", bound_to="row 1")


@pytest.mark.parametrize(
    ("key", "purpose", "bound_to"),
    [(InstallationKey(b"x" * 32), "tests", "row 1"), (KEY, "others", "row 1"), (KEY, "tests", "row 2")],
)
def test_it_opens_for_nobody_else(key: InstallationKey, purpose: str, bound_to: str) -> None:
    sealed = KEY.seal("the secret", purpose="tests", bound_to="row 1")
    with pytest.raises(KeyUnusable) as refused:
        key.open(sealed, purpose=purpose, bound_to=bound_to)
    assert "the secret" not in str(refused.value)


def test_a_key_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    assert key_in_directory(tmp_path) == key_in_directory(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == [KEY_FILE]
    assert (tmp_path / KEY_FILE).stat().st_mode & 0o777 == 0o600
    assert KEY.secret.hex() not in repr(KEY)


@pytest.mark.parametrize("content", ["", "ab", "not hexadecimal", "00" * 31, "00" * 33])
def test_a_damaged_key_is_refused_and_never_replaced(tmp_path: Path, content: str) -> None:
    (tmp_path / KEY_FILE).write_text(content, encoding="ascii")
    with pytest.raises(KeyUnusable):
        key_in_directory(tmp_path)
    assert (tmp_path / KEY_FILE).read_text(encoding="ascii") == content
    with pytest.raises(KeyUnusable):
        read_key_file(tmp_path / "missing")


def test_replicas_share_the_key_of_the_database(database: Database) -> None:
    with database.begin() as session:
        first = key_in_database(session)
    with database.begin() as session:
        assert key_in_database(session) == first


def test_a_database_opens_with_its_own_key_only(database: Database) -> None:
    for _ in range(2):
        with database.begin() as session:
            require_same_key(session, KEY)
    with pytest.raises(KeyUnusable, match="another installation key"), database.begin() as session:
        require_same_key(session, InstallationKey(b"x" * 32))
