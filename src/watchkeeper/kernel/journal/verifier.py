"""The journal's hash chain and its checkpoints, and the check of both: a file that needs only `cryptography`.

    hash       = SHA-256(0x00 | previous hash | canonical row)
    commitment = SHA-256(0x02 | salt | seq 0x00 name 0x00 value)

The first row follows 32 zero bytes. The canonical row is a JSON object of the columns in `FIELDS`: keys sorted, no
spaces, UTF-8 unescaped, `at` as RFC 3339 with microseconds, `data` and `commitments` as the text that is stored. A
checkpoint says which hash the journal had at a seq, with the first 16 hex digits of each row's hash since the one
before, and is signed (Ed25519) over its canonical JSON without `signature`. These formats do not change.

On its own: python verifier.py journal.ndjson [--checkpoints DIR]. Exit code 0: all fits; 1: it names the first bad seq.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import hashlib
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

GENESIS = "0" * 64
FIELDS = (
    "seq",
    "at",
    "actor",
    "source",
    "kind",
    "version",
    "service",
    "subject_type",
    "subject_id",
    "data",
    "trace_id",
    "commitments",
)
WITNESS_DIGITS = 16
KEYS_FOLDER = "keys"
_ROW, _COMMITMENT = b"\x00", b"\x02"
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode


class ChainBroken(Exception):
    """The journal is not what it was. `seq` is the first row that is missing, changed, or out of place."""

    def __init__(self, seq: int, reason: str) -> None:
        super().__init__(f"seq {seq}: {reason}")
        self.seq = seq
        self.reason = reason


class CheckpointsUnusable(Exception):
    """A checkpoint can't be read or its signature is wrong; the text says where."""


def canonical_json(value: Any) -> str:
    """JSON with one spelling: sorted keys, no spaces. Raises ValueError or TypeError for what is no finite JSON."""
    return _encode(value)


def row_hash(previous: str, row: Mapping[str, Any]) -> str:
    """The hash of a row (`FIELDS`, `at` as text) that follows the one with hash `previous`; both as 64 hex digits."""
    canonical = _encode({name: row[name] for name in FIELDS}).encode()
    return hashlib.sha256(_ROW + bytes.fromhex(previous) + canonical).hexdigest()


def commitment(seq: int, name: str, value: str, salt: str) -> str:
    """What the journal holds of a value that may have to be forgotten; without the salt it says nothing about it."""
    return hashlib.sha256(_COMMITMENT + bytes.fromhex(salt) + f"{seq}\0{name}\0{value}".encode()).hexdigest()


@dataclass(frozen=True)
class Checkpoint:
    """What the journal was at `seq`: `hash` of that row, `first` of row 1, `rows` of those after `since`."""

    since: int
    seq: int
    hash: str
    first: str
    rows: str
    at: str
    key: str
    signature: str
    where: str = ""

    def witnessed(self, seq: int) -> str:
        """The first digits of the hash of a row in `since` < seq <= `self.seq`."""
        start = (seq - self.since - 1) * WITNESS_DIGITS
        return self.rows[start : start + WITNESS_DIGITS]

    def body(self) -> dict[str, Any]:
        """What is signed."""
        return {
            "version": 1,
            "since": self.since,
            "seq": self.seq,
            "hash": self.hash,
            "first": self.first,
            "rows": self.rows,
            "at": self.at,
            "key": self.key,
        }

    def line(self) -> str:
        """One line of a checkpoint file."""
        return canonical_json(self.body() | {"signature": self.signature})


def key_id(public: bytes) -> str:
    """How a public key of 32 bytes is named: the first 16 hex digits of its SHA-256."""
    return hashlib.sha256(public).hexdigest()[:16]


def parse_checkpoint(text: str, keys: Mapping[str, bytes], where: str) -> Checkpoint:
    """A checkpoint whose signature is right. Raises CheckpointsUnusable."""
    try:
        held = json.loads(text)
        if held.pop("version") != 1:
            raise ValueError("version")
        found = Checkpoint(**held, where=where)
        signature = base64.b64decode(found.signature, validate=True)
        whole = len(found.rows) == (found.seq - found.since) * WITNESS_DIGITS
        if not whole or not 0 <= found.since < found.seq or found.witnessed(found.seq) != found.hash[:WITNESS_DIGITS]:
            raise ValueError("rows")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise CheckpointsUnusable(f"{where}: this is no checkpoint") from None
    if found.key not in keys:
        raise CheckpointsUnusable(f"{where}: signed by {found.key}, and there is no {KEYS_FOLDER}/{found.key}.pub")
    try:
        Ed25519PublicKey.from_public_bytes(keys[found.key]).verify(signature, canonical_json(found.body()).encode())
    except (InvalidSignature, ValueError):
        raise CheckpointsUnusable(f"{where}: the signature is wrong") from None
    return found


def read_checkpoints(folder: Path) -> list[Checkpoint]:
    """Every checkpoint of the `*.ndjson` files in a folder. Raises CheckpointsUnusable.

    A last line without its line end was cut off by a crash and is passed over.
    """
    if not folder.is_dir():
        raise CheckpointsUnusable(f"{folder}: there is no such folder")
    keys = read_keys(folder / KEYS_FOLDER)
    found = []
    for file in sorted(folder.glob("*.ndjson")):
        lines = file.read_text(encoding="utf-8", errors="replace").split("\n")[:-1]
        found += [parse_checkpoint(line, keys, f"{file.name}:{number}") for number, line in enumerate(lines, 1)]
    return found


def read_keys(folder: Path) -> dict[str, bytes]:
    """Public keys by id, from files of base64. Raises CheckpointsUnusable."""
    keys = {}
    for file in sorted(folder.glob("*.pub")):
        try:
            public = base64.b64decode(file.read_text(encoding="ascii"), validate=False)
        except (ValueError, binascii.Error):
            public = b""
        if key_id(public) != file.stem:
            raise CheckpointsUnusable(f"{file.name}: this is not the public key {file.stem}")
        keys[file.stem] = public
    return keys


@dataclass
class Verified:
    """How far the journal was checked, and how much of it a checkpoint covers."""

    rows: int = 0
    hash: str = GENESIS
    checkpoints: int = 0
    covered: int = 0
    covered_at: str | None = None

    @property
    def exposed(self) -> int:
        """Rows newer than the last checkpoint: who owns the database could still change these unseen."""
        return self.rows - self.covered


@dataclass
class Chain:
    """Follows the rows one by one, in order of seq. `add` and `finish` raise ChainBroken."""

    checkpoints: Sequence[Checkpoint] = ()
    state: Verified = field(default_factory=Verified)

    def __post_init__(self) -> None:
        self._coming = sorted(self.checkpoints, key=lambda one: one.since, reverse=True)
        self._open: list[Checkpoint] = []

    def add(self, row: Mapping[str, Any]) -> None:
        """`row` has `FIELDS`, `prev_hash`, `hash`, and may have `private`: name to `value` and `salt`."""
        seq, expected = row["seq"], self.state.rows + 1
        if seq != expected:
            raise ChainBroken(min(seq, expected), _misplaced(seq, expected))
        self._compare_with_witnesses(seq, row["hash"])
        if row["prev_hash"] != self.state.hash:
            raise ChainBroken(seq, "the row does not follow the one before it")
        if _hash_or_none(self.state.hash, row) != row["hash"]:
            raise ChainBroken(seq, "the row was changed")
        _check_private(seq, row)
        self.state.rows, self.state.hash = seq, row["hash"]

    def finish(self, head: tuple[int, str] | None = None) -> Verified:
        """All rows were added; `head` is what the database says its newest is."""
        newest = max([*self._open, *self._coming], key=lambda one: one.seq, default=None)
        if newest is not None:
            reason = f"rows are missing: {newest.where} knew {newest.seq} rows at {newest.at}"
            raise ChainBroken(self.state.rows + 1, reason)
        if head is not None and head != (self.state.rows, self.state.hash):
            raise ChainBroken(min(head[0], self.state.rows) + 1, f"the head says that there are {head[0]} rows")
        return self.state

    def _compare_with_witnesses(self, seq: int, own: str) -> None:
        while self._coming and self._coming[-1].since < seq:
            self._open.append(self._coming.pop())
        for one in self._open:
            if own[:WITNESS_DIGITS] != one.witnessed(seq) or (seq == one.seq and own != one.hash):
                raise ChainBroken(seq, f"the row is another one than {one.where} knew at {one.at}")
            if seq == one.seq:
                self.state.checkpoints += 1
                self.state.covered, self.state.covered_at = seq, one.at
        self._open = [one for one in self._open if one.seq > seq]


def verify(
    rows: Iterable[Mapping[str, Any]], checkpoints: Sequence[Checkpoint] = (), head: tuple[int, str] | None = None
) -> Verified:
    """Check rows in order of seq against their hashes and the checkpoints. Raises ChainBroken."""
    chain = Chain(checkpoints)
    for row in rows:
        chain.add(row)
    return chain.finish(head)


def _hash_or_none(previous: str, row: Mapping[str, Any]) -> str | None:
    try:
        return row_hash(previous, row)
    except (TypeError, ValueError):
        return None  # holds what no row ever held


def _misplaced(seq: int, expected: int) -> str:
    if seq < expected:
        return "the row stands twice"
    return "the row is missing" if seq == expected + 1 else f"the rows {expected} to {seq - 1} are missing"


def _check_private(seq: int, row: Mapping[str, Any]) -> None:
    private = row.get("private") or {}
    if not private:
        return
    committed = json.loads(row["commitments"] or "{}")
    for name, kept in private.items():
        if committed.get(name) != commitment(seq, name, kept["value"], kept["salt"]):
            raise ChainBroken(seq, f"the {name} beside the row was changed")


def _exported_rows(file: Path) -> Iterator[Mapping[str, Any]]:
    with file.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                row = json.loads(line)
                missing = {*FIELDS, "prev_hash", "hash"} - set(row)
            except (ValueError, TypeError, RecursionError):
                missing = {"a JSON object"}
            if missing:
                raise ChainBroken(number, f"line {number} of {file.name} lacks {', '.join(sorted(missing))}")
            yield row


def main(arguments: Sequence[str] | None = None) -> int:
    """Verify an export; prints one line and answers the exit code."""
    parser = argparse.ArgumentParser(description="Verify an export of Watchkeeper's journal.")
    parser.add_argument("journal", type=Path, help="journal.ndjson of the export")
    parser.add_argument(
        "--checkpoints", type=Path, help="folder of checkpoints, with its keys/; best one kept elsewhere"
    )
    chosen = parser.parse_args(arguments)
    try:
        checkpoints = read_checkpoints(chosen.checkpoints) if chosen.checkpoints else []
        found = verify(_exported_rows(chosen.journal), checkpoints)
    except (ChainBroken, CheckpointsUnusable, OSError) as error:
        print(f"BROKEN {error}")  # noqa: T201 (a program of its own)
        return 1
    covered = f"{found.covered} of them covered by {found.checkpoints} checkpoints" if checkpoints else "no checkpoints"
    print(f"OK {found.rows} rows, {covered}, head {found.hash}")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
