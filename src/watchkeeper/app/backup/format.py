"""The container: one file whose every bit is accounted for, written and read as a stream.

    "WKBACKUP" | length of header (4) | header (JSON) | SHA-256 of all before
    part 0 .. part n, manifest          each as chunks: AES-256-GCM of at most `chunk` bytes, and a tag of 16
    length of manifest (8) | "WKB-END\\n"

The header holds the lock and, sealed by it, a random file key. HKDF-SHA-256 of the file key, the header's digest, and
the number and name of a part gives its key and 7 bytes that each nonce begins with, before the number of the chunk (4)
and whether it is the last (1). So no chunk fits another place, part or backup, and none can be left out. The manifest
comes last: what is cut off is not a backup. It names the parts with size and SHA-256, and what the backup is of.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from watchkeeper.app.backup.errors import BackupDamaged, FormatUnknown, WrongKey
from watchkeeper.app.backup.locks import Lock, checked

FORMAT = 1
CHUNK = 1024 * 1024
TAG = 16
MANIFEST = "manifest"
_MAGIC, _END = b"WKBACKUP", b"WKB-END\n"
_LENGTH, _FOOTER = struct.Struct(">I"), struct.Struct(">Q8s")
_DIGEST = 32
_LARGEST_HEADER = 64 * 1024
_LARGEST_MANIFEST = 256 * 1024 * 1024
_LARGEST_CHUNK = 16 * 1024 * 1024
_READ_AT_ONCE = 8 * 1024 * 1024
_PURPOSE = b"watchkeeper-backup/1"


KeyOf = Callable[[Mapping[str, Any]], bytes]


class Blob(Protocol):
    """A stored file that can be read anywhere."""

    @property
    def size(self) -> int: ...

    def read(self, start: int, length: int) -> bytes:
        """Up to `length` bytes; fewer only at the end of the file."""
        ...


@dataclass(frozen=True)
class Part:
    """Something to back up; `blocks` gives its bytes once."""

    name: str
    blocks: Callable[[], Iterable[bytes]]


@dataclass(frozen=True)
class PartInfo:
    """A part as the manifest names it."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class About:
    """What a backup is of. `taken_at` is the instant of its snapshot; `missing` telemetry files were gone already."""

    backup_id: str
    taken_at: str
    watchkeeper: str
    engine: str
    schema: str
    journal_seq: int
    journal_hash: str
    missing: int = 0


@dataclass(frozen=True)
class Manifest:
    """What a backup is of, and its parts in order."""

    about: About
    parts: tuple[PartInfo, ...]


class Sealing:
    """Iterating gives the container's bytes, in constant memory; afterwards `manifest` says what is in it."""

    def __init__(self, parts: Iterable[Part], about: About, lock: Lock, *, chunk: int = CHUNK) -> None:
        self._parts = parts
        self._about = about
        self._lock = lock
        self._chunk = chunk
        self.manifest: Manifest | None = None

    def __iter__(self) -> Iterator[bytes]:
        file_key = secrets.token_bytes(32)
        beginning = _beginning(self._lock, file_key, self._chunk)
        digest = hashlib.sha256(beginning).digest()
        yield beginning + digest
        found: list[PartInfo] = []
        for part in self._parts:
            seal = _Seal(file_key, digest, len(found), part.name)
            counted = _Counted(part.blocks())
            for number, (plain, last) in enumerate(_chunks(counted, self._chunk)):
                yield seal.close(plain, number, last)
            found.append(PartInfo(part.name, counted.size, counted.sha256.hexdigest()))
        manifest = _written(self._about, found)
        seal = _Seal(file_key, digest, None, MANIFEST)
        for number, (plain, last) in enumerate(_chunks([manifest], self._chunk)):
            yield seal.close(plain, number, last)
        yield _FOOTER.pack(len(manifest), _END)
        self.manifest = Manifest(self._about, tuple(found))


@dataclass(frozen=True)
class Header:
    """The part of the container that is readable by anybody."""

    lock: Mapping[str, Any]
    wrapped: bytes
    chunk: int
    digest: bytes
    end: int


class Container:
    """A container that was opened. Everything that is read from it was verified first."""

    def __init__(self, blob: Blob, header: Header, file_key: bytes) -> None:
        self._blob = blob
        self._header = header
        self._file_key = file_key
        self.manifest, size = self._read_manifest()
        self._starts: list[int] = []
        at = header.end
        for part in self.manifest.parts:
            self._starts.append(at)
            at += self._stored(part.size)
        if at + self._stored(size) + _FOOTER.size != blob.size:
            raise BackupDamaged(MANIFEST, "it does not account for the whole file")

    @classmethod
    def open(cls, blob: Blob, key_of: KeyOf) -> Container:
        """Read header and manifest; `key_of` finds the key of a lock.

        Raises BackupDamaged, FormatUnknown or WrongKey.
        """
        header = read_header(blob)
        try:
            nonce, sealed = header.wrapped[:12], header.wrapped[12:]
            file_key = AESGCM(key_of(header.lock)).decrypt(nonce, sealed, _PURPOSE)
        except (InvalidTag, ValueError):
            raise WrongKey(f"The {header.lock['kind']} that was given does not open this backup.") from None
        return cls(blob, header, file_key)

    def read(self, number: int) -> Iterator[bytes]:
        """The bytes of a part, chunk by chunk. Raises BackupDamaged before anything wrong is given out, and at the end
        when the whole is not what was written."""
        part = self.manifest.parts[number]
        digest = hashlib.sha256()
        for plain in self._chunks_of(number, part.name, self._starts[number], part.size):
            digest.update(plain)
            yield plain
        if digest.hexdigest() != part.sha256:
            raise BackupDamaged(f"part {part.name}", "its SHA-256 is not the manifest's")

    def verify(self, between: Callable[[int], None] = lambda _size: None) -> None:
        """Read everything. Raises BackupDamaged naming the first part that is wrong; `between` hears of progress."""
        for number in range(len(self.manifest.parts)):
            for plain in self.read(number):
                between(len(plain))

    def _stored(self, size: int) -> int:
        return size + TAG * self._count(size)

    def _count(self, size: int) -> int:
        return max(1, -(-size // self._header.chunk))

    def _read_manifest(self) -> tuple[Manifest, int]:
        size, mark = _FOOTER.unpack(_exactly(self._blob, self._blob.size - _FOOTER.size, _FOOTER.size, "end mark"))
        if mark != _END:
            raise BackupDamaged("end mark", "the file is cut off, or its end was changed")
        start = self._blob.size - _FOOTER.size - self._stored(size) if size <= _LARGEST_MANIFEST else -1
        if start < self._header.end:
            raise BackupDamaged("end mark", "the manifest can't be as long as it says")
        return _parsed(b"".join(self._chunks_of(None, MANIFEST, start, size))), size

    def _chunks_of(self, number: int | None, name: str, start: int, size: int) -> Iterator[bytes]:
        shown = MANIFEST if number is None else f"part {name}"
        seal = _Seal(self._file_key, self._header.digest, number, name)
        whole, count = self._header.chunk + TAG, self._count(size)
        at_once = max(1, _READ_AT_ONCE // whole)
        for first in range(0, count, at_once):
            offset = first * whole
            length = min(at_once * whole, self._stored(size) - offset)
            stored = memoryview(_exactly(self._blob, start + offset, length, shown))
            for within in range(0, length, whole):
                chunk = first + within // whole
                try:
                    yield seal.open(stored[within : within + whole], chunk, chunk == count - 1)
                except InvalidTag:
                    raise BackupDamaged(shown, f"chunk {chunk + 1} of {count} was changed") from None


def read_header(blob: Blob) -> Header:
    """What can be read without a key: what the backup is locked with. Raises BackupDamaged or FormatUnknown."""
    start = _exactly(blob, 0, len(_MAGIC) + _LENGTH.size, "header")
    if not start.startswith(_MAGIC):
        raise BackupDamaged("header", "this is no backup of Watchkeeper")
    (length,) = _LENGTH.unpack(start[len(_MAGIC) :])
    if length > _LARGEST_HEADER:
        raise BackupDamaged("header", "it was changed")
    rest = _exactly(blob, len(start), length + _DIGEST, "header")
    digest = hashlib.sha256(start + rest[:length]).digest()
    if digest != rest[length:]:
        raise BackupDamaged("header", "it was changed")
    fields = _header_fields(rest[:length])
    if fields["format"] != FORMAT:
        raise FormatUnknown(f"The backup has format {fields['format']}; this version reads {FORMAT}.")
    lock = checked(fields["lock"])
    return Header(lock, fields["wrapped"], fields["chunk"], digest, len(start) + len(rest))


def _header_fields(text: bytes) -> dict[str, Any]:
    """Anybody can write a header, so nothing in it is believed before a chunk was opened by it."""
    try:
        held = json.loads(text)
        fields = {"format": int(held["format"]), "lock": held["lock"], "chunk": held["chunk"]}
        fields["wrapped"] = bytes.fromhex(held["wrapped"])
        fine = type(held["chunk"]) is int and 1 <= held["chunk"] <= _LARGEST_CHUNK
    except (ValueError, TypeError, KeyError, RecursionError):
        fine = False
    if not fine:
        raise BackupDamaged("header", "it makes no sense")
    return fields


class _Seal:
    """Closes and opens the chunks of one part."""

    def __init__(self, file_key: bytes, digest: bytes, number: int | None, name: str) -> None:
        bound = f"/{'last' if number is None else number}/{name}".encode()
        derived = HKDF(SHA256(), 39, salt=digest, info=_PURPOSE + bound).derive(file_key)
        self._cipher = AESGCM(derived[:32])
        self._prefix = derived[32:]
        self._bound = digest + bound

    def close(self, plain: bytes, number: int, last: bool) -> bytes:
        return self._cipher.encrypt(self._nonce(number, last), plain, self._bound)

    def open(self, stored: memoryview, number: int, last: bool) -> bytes:
        return self._cipher.decrypt(self._nonce(number, last), stored, self._bound)

    def _nonce(self, number: int, last: bool) -> bytes:
        return self._prefix + number.to_bytes(4, "big") + bytes([last])


class _Counted:
    """Blocks as they pass, with their sum and digest."""

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self._blocks = blocks
        self.size = 0
        self.sha256 = hashlib.sha256()

    def __iter__(self) -> Iterator[bytes]:
        for block in self._blocks:
            self.size += len(block)
            self.sha256.update(block)
            yield block


def _beginning(lock: Lock, file_key: bytes, chunk: int) -> bytes:
    nonce = secrets.token_bytes(12)
    wrapped = nonce + AESGCM(lock.key).encrypt(nonce, file_key, _PURPOSE)
    fields = {"format": FORMAT, "chunk": chunk, "lock": dict(lock.public), "wrapped": wrapped.hex()}
    header = json.dumps(fields, sort_keys=True).encode()
    return _MAGIC + _LENGTH.pack(len(header)) + header


def _chunks(blocks: Iterable[bytes], size: int) -> Iterator[tuple[bytes, bool]]:
    """The same bytes in chunks of `size`, the last one shorter or full, and whether it is the last."""
    held = bytearray()
    for block in blocks:
        held += block
        while len(held) > size:
            yield bytes(held[:size]), False
            del held[:size]
    yield bytes(held), True


def _written(about: About, parts: Iterable[PartInfo]) -> bytes:
    body = {"format": FORMAT, **asdict(about), "parts": [[one.name, one.size, one.sha256] for one in parts]}
    return json.dumps(body, sort_keys=True).encode()


def _parsed(text: bytes) -> Manifest:
    fields = json.loads(text)
    del fields["format"]
    parts = tuple(PartInfo(*one) for one in fields.pop("parts"))
    return Manifest(About(**fields), parts)


def _exactly(blob: Blob, start: int, length: int, shown: str) -> bytes:
    found = blob.read(start, length) if start >= 0 else b""
    if len(found) != length:
        raise BackupDamaged(shown, "the file is cut off")
    return found
