"""The container: what went in comes out, and whatever is changed in it is refused by name."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.app.backup.support import KEY, key_lock, keys, passphrase_lock
from watchkeeper.app.backup.errors import BackupDamaged, FormatUnknown, PassphraseRefused, WrongKey
from watchkeeper.app.backup.format import TAG, About, Container, Part, Sealing, read_header
from watchkeeper.app.backup.locks import Keys, Lock, lock_by_passphrase
from watchkeeper.kernel.keys import InstallationKey

ABOUT = About("bak_1", "2026-03-02T12:00:00.000000Z", "0.1.0", "sqlite", "0007", 3, "ab" * 32)


@dataclass(frozen=True)
class Held:
    """A container in memory."""

    content: bytes

    @property
    def size(self) -> int:
        return len(self.content)

    def read(self, start: int, length: int) -> bytes:
        return self.content[start : start + length]


def seal(parts: dict[str, bytes], *, chunk: int = 16, lock: Lock | None = None, block: int = 7) -> bytes:
    def blocks(content: bytes) -> Iterable[bytes]:
        return [content[at : at + block] for at in range(0, len(content), block)]

    named = [Part(name, lambda content=content: blocks(content)) for name, content in parts.items()]
    return b"".join(Sealing(named, ABOUT, lock or key_lock(), chunk=chunk))


def unseal(content: bytes, with_keys: Keys | None = None) -> dict[str, bytes]:
    container = Container.open(Held(content), (with_keys or keys()).open)
    return {part.name: b"".join(container.read(n)) for n, part in enumerate(container.manifest.parts)}


@settings(deadline=None)
@given(
    parts=st.dictionaries(st.text(min_size=1, max_size=20), st.binary(max_size=400), max_size=5),
    chunk=st.integers(1, 500),
    block=st.integers(1, 500),
)
def test_what_went_in_comes_out_whatever_the_sizes(parts: dict[str, bytes], chunk: int, block: int) -> None:
    assert unseal(seal(parts, chunk=chunk, block=block)) == parts


def test_the_manifest_says_what_is_in_it() -> None:
    container = Container.open(Held(seal({"a": b"x" * 40, "b": b""})), keys().open)
    assert container.manifest.about == ABOUT
    assert [(one.name, one.size) for one in container.manifest.parts] == [("a", 40), ("b", 0)]
    assert container.manifest.parts[0].sha256 == hashlib.sha256(b"x" * 40).hexdigest()


def test_nothing_of_the_content_can_be_read_in_the_file() -> None:
    content = seal({"state": b"a very private thing" * 10}, lock=passphrase_lock())
    for word in (b"private", b"state", b"0007", KEY.secret):
        assert word not in content


def test_two_backups_of_the_same_share_nothing_but_their_beginning() -> None:
    one, other = seal({"a": b"x" * 500}), seal({"a": b"x" * 500})
    start = read_header(Held(one)).end
    same = sum(1 for left, right in zip(one[start:-16], other[start:-16], strict=True) if left == right)
    assert same < len(one) / 40


SMALL = {"first": b"0123456789abcdefXYZ", "empty": b"", "last": b"tail"}


@pytest.fixture(scope="module", params=["passphrase", "key"])
def small(request: pytest.FixtureRequest) -> bytes:
    return seal(SMALL, lock=passphrase_lock() if request.param == "passphrase" else key_lock())


def where_it_lies(content: bytes, position: int) -> str:
    """What a byte belongs to, by the sizes that the format states."""
    at = read_header(Held(content)).end
    if position < at:
        return "header"
    for name, plain in SMALL.items():
        at += len(plain) + TAG * max(1, -(-len(plain) // 16))
        if position < at:
            return f"part {name}"
    return "manifest" if position < len(content) - 16 else "end mark"


def test_a_changed_bit_anywhere_is_refused_naming_its_part(small: bytes) -> None:
    for position in range(len(small)):
        changed = bytearray(small)
        changed[position] ^= 1 << position % 8
        with pytest.raises(BackupDamaged) as refused:
            Container.open(Held(bytes(changed)), keys().open).verify()
        expected = where_it_lies(small, position)
        # A wrong length of the manifest shows where the manifest is looked for.
        assert refused.value.part == expected or (expected, refused.value.part) == ("end mark", "manifest"), position
        assert refused.value.part in refused.value.detail


def test_a_file_that_is_cut_off_anywhere_is_refused(small: bytes) -> None:
    for length in range(len(small)):
        with pytest.raises(BackupDamaged):
            Container.open(Held(small[:length]), keys().open).verify()


def test_a_file_with_more_behind_its_end_is_refused(small: bytes) -> None:
    for more in (b"\0", small[-16:], small):
        with pytest.raises(BackupDamaged):
            Container.open(Held(small + more), keys().open).verify()


def test_parts_of_equal_size_can_not_be_exchanged() -> None:
    content = seal({"a": b"1" * 16, "b": b"2" * 16})
    start = read_header(Held(content)).end
    one, other = content[start : start + 32], content[start + 32 : start + 64]
    exchanged = content[:start] + other + one + content[start + 64 :]
    with pytest.raises(BackupDamaged, match="part a: chunk 1 of 1"):
        unseal(exchanged)


def test_chunks_of_a_part_can_not_be_exchanged_repeated_or_left_out() -> None:
    content = seal({"a": bytes(range(64))})
    start = read_header(Held(content)).end
    chunks = [content[start + n * 32 : start + n * 32 + 32] for n in range(4)]
    rest = content[start + 128 :]
    for order in ([1, 0, 2, 3], [0, 0, 2, 3], [0, 1, 2, 2], [0, 1, 3], [0, 1, 2], [0, 1, 2, 3, 3]):
        with pytest.raises(BackupDamaged):
            unseal(content[:start] + b"".join(chunks[n] for n in order) + rest)


def test_a_part_of_another_backup_does_not_fit() -> None:
    one, other = seal({"a": b"1" * 16}), seal({"a": b"2" * 16})
    start = read_header(Held(one)).end
    with pytest.raises(BackupDamaged, match="part a"):
        unseal(one[:start] + other[start : start + 32] + one[start + 32 :])


def test_a_wrong_passphrase_is_no_damage() -> None:
    content = seal(SMALL, lock=passphrase_lock())
    with pytest.raises(WrongKey, match="passphrase that was given"):
        unseal(content, keys(passphrase="some other passphrase"))
    with pytest.raises(WrongKey, match="--passphrase-file"):
        unseal(content, keys(passphrase=None))


def test_a_wrong_installation_key_is_no_damage() -> None:
    content = seal(SMALL)
    with pytest.raises(WrongKey):
        unseal(content, keys(installation=InstallationKey(b"k" * 32)))
    with pytest.raises(WrongKey, match="--key-file"):
        unseal(content, keys(installation=None))


def test_a_passphrase_opens_without_the_installations_key() -> None:
    assert unseal(seal(SMALL, lock=passphrase_lock()), keys(installation=None)) == SMALL


def test_a_short_passphrase_is_refused() -> None:
    with pytest.raises(PassphraseRefused, match="15 characters"):
        lock_by_passphrase("fourteen chars")


def with_header(content: bytes, **changes: object) -> bytes:
    """The file with another header, whose digest is right."""
    import json

    length = int.from_bytes(content[8:12], "big")
    fields = json.loads(content[12 : 12 + length]) | changes
    header = json.dumps(fields).encode()
    start = content[:8] + len(header).to_bytes(4, "big") + header
    return start + hashlib.sha256(start).digest() + content[12 + length + 32 :]


def test_a_header_that_somebody_wrote_anew_opens_nothing(small: bytes) -> None:
    for changes in ({"chunk": 32}, {"chunk": 8}):
        with pytest.raises(BackupDamaged):
            unseal(with_header(small, **changes))


def test_a_newer_format_is_refused_as_such(small: bytes) -> None:
    with pytest.raises(FormatUnknown, match="format 2"):
        unseal(with_header(small, format=2))


@pytest.mark.parametrize(
    "lock",
    [
        {"kind": "passphrase", "salt": "00", "n": 2**40, "r": 8, "p": 1},
        {"kind": "passphrase", "salt": "00", "n": 1000, "r": 8, "p": 1},
        {"kind": "passphrase", "salt": "00", "n": 16, "r": 10**9, "p": 1},
        {"kind": "passphrase", "salt": "zz", "n": 16, "r": 8, "p": 1},
        {"kind": "passphrase"},
        {"kind": "none"},
        "passphrase",
        None,
    ],
)
def test_a_header_can_not_make_its_reader_run_out_of_memory(small: bytes, lock: object) -> None:
    with pytest.raises(BackupDamaged, match="names no lock"):
        unseal(with_header(small, lock=lock))


@pytest.mark.parametrize(
    "changes", [{"chunk": 0}, {"chunk": -1}, {"chunk": 2**40}, {"chunk": "1"}, {"wrapped": "xy"}, {"format": None}]
)
def test_a_header_that_makes_no_sense_is_refused(small: bytes, changes: dict[str, object]) -> None:
    with pytest.raises(BackupDamaged, match="header"):
        unseal(with_header(small, **changes))


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_what_is_no_backup_is_refused_as_such(content: bytes) -> None:
    with pytest.raises(BackupDamaged):
        unseal(content)


def test_a_manifest_that_lies_about_a_part_is_found_out() -> None:
    content = seal({"a": b"x" * 40})
    container = Container.open(Held(content), keys().open)
    part = replace(container.manifest.parts[0], sha256="0" * 64)
    container.manifest = replace(container.manifest, parts=(part,))
    with pytest.raises(BackupDamaged, match="SHA-256"):
        container.verify()
