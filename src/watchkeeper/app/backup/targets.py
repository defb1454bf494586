"""Where backups lie: a directory, or a bucket that speaks S3. A file appears there whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from watchkeeper.app.backup.errors import BackupNotFound, TargetFull, TargetRefused, TargetUnusable
from watchkeeper.app.backup.format import Blob
from watchkeeper.app.backup.settings import BackupSettings
from watchkeeper.kernel.errors import Refusal

if TYPE_CHECKING:
    from obstore.store import S3Store

SUFFIX = ".wkbackup"
_NAME = re.compile(r"watchkeeper-(\d{8}T\d{6}Z)-[0-9a-z]{8}\.wkbackup")
_BUCKET = re.compile(r"s3://([a-z0-9][a-z0-9.\-]{2,62})(?:/(.*))?")
_S3_CODE = re.compile(r"<Code>(\w{1,60})</Code>")
# Ten thousand parts of this size are 160 GB; four of them on their way at once bound the memory.
_S3_PART = 16 * 1024 * 1024
_S3_AT_ONCE = 4
_UNFINISHED_KEPT = timedelta(days=2)


def name_of(backup_id: str, taken_at: datetime) -> str:
    """The file name of a backup; names sort by time."""
    return f"watchkeeper-{taken_at.astimezone(UTC):%Y%m%dT%H%M%SZ}-{backup_id.partition('_')[2][:8]}{SUFFIX}"


def is_name(name: str) -> bool:
    """Whether a file is named as backups are."""
    return _NAME.fullmatch(name) is not None


class Place(Protocol):
    """Somewhere to keep backups. Its methods raise TargetUnusable when it is away, full or forbidden."""

    @property
    def kind(self) -> str:
        """`directory` or `s3`."""
        ...

    @property
    def mark(self) -> str:
        """Tells places apart without saying where they are."""
        ...

    def write(self, name: str, blocks: Iterable[bytes]) -> None:
        """Store all blocks under this name; when any of it fails, nothing is there."""
        ...

    def open(self, name: str) -> Blob:
        """A stored backup. Raises BackupNotFound."""
        ...

    def names(self) -> list[str]:
        """Names of the backups there, oldest first."""
        ...

    def remove(self, name: str) -> None:
        """Delete one; one that is gone is fine."""
        ...


def place_of(target: str, settings: BackupSettings) -> Place:
    """The place that a target names. Raises TargetRefused."""
    if not target.startswith("s3://"):
        return Directory(Path(target))
    found = _BUCKET.fullmatch(target.rstrip("/"))
    if found is None:
        raise TargetRefused("A bucket is written s3://bucket/prefix.")
    return Bucket(found[1], found[2] or "", settings.s3_endpoint, settings.s3_region)


def find(source: str, settings: BackupSettings) -> tuple[Place, str]:
    """The backup that a source names: one file, or the newest of a directory or bucket. Raises BackupNotFound."""
    if source.endswith(SUFFIX):
        folder, _, name = source.rpartition("/")
        return place_of(folder or ("." if not source.startswith("/") else "/"), settings), name
    place = place_of(source, settings)
    names = place.names()
    if not names:
        raise BackupNotFound(f"There is no backup in {source}.")
    return place, names[-1]


@dataclass(frozen=True)
class Directory:
    """A directory of this machine, or of one that is mounted here. It has to exist: a missing mount is no empty one."""

    folder: Path
    kind: str = "directory"

    @property
    def mark(self) -> str:
        return sha256(str(self.folder.absolute()).encode()).hexdigest()[:12]

    def write(self, name: str, blocks: Iterable[bytes]) -> None:
        unfinished = self.folder / f".{name}.partial"
        with _disk_faults(self.folder):
            descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "wb", buffering=0) as file:
                for block in blocks:
                    with _disk_faults(self.folder):
                        _write_all(file.fileno(), block)
                with _disk_faults(self.folder):
                    os.fsync(file.fileno())
            with _disk_faults(self.folder):
                unfinished.rename(self.folder / name)
                sync_folder(self.folder)
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise

    def open(self, name: str) -> Blob:
        try:
            return _File(self.folder / name)
        except FileNotFoundError:
            raise BackupNotFound(f"There is no {name} in {self.folder}.") from None
        except OSError as error:
            raise TargetUnusable(f"{self.folder / name} can't be read: {os.strerror(error.errno or 0)}.") from None

    def names(self) -> list[str]:
        with _disk_faults(self.folder):
            return sorted(path.name for path in self.folder.iterdir() if is_name(path.name))

    def remove(self, name: str) -> None:
        with _disk_faults(self.folder):
            (self.folder / name).unlink(missing_ok=True)

    def clean_up(self, *, now: datetime) -> None:
        """Delete what crashed writers left, older than any that could still be writing."""
        with _disk_faults(self.folder):
            for path in self.folder.glob(f".watchkeeper-*{SUFFIX}.partial"):
                if datetime.fromtimestamp(path.stat().st_mtime, UTC) < now - _UNFINISHED_KEPT:
                    path.unlink(missing_ok=True)


@dataclass(frozen=True)
class Bucket:
    """A bucket that speaks S3. An upload is complete or invisible; credentials are the environment's."""

    bucket: str
    prefix: str
    endpoint: str | None
    region: str | None
    kind: str = "s3"

    @property
    def mark(self) -> str:
        return sha256(f"{self.endpoint or ''} {self.bucket}/{self.prefix}".encode()).hexdigest()[:12]

    @cached_property
    def _store(self) -> S3Store:
        from obstore.store import S3Store  # here: a server without a bucket needs none of it

        options: dict[str, Any] = {"endpoint": self.endpoint} if self.endpoint else {}
        if self.region:
            options["region"] = self.region
        return S3Store(
            self.bucket,
            prefix=self.prefix or None,
            client_options={"allow_http": (self.endpoint or "").startswith("http://"), "timeout": "60s"},
            retry_config={"max_retries": 5, "retry_timeout": timedelta(seconds=60)},
            **options,
        )

    def write(self, name: str, blocks: Iterable[bytes]) -> None:
        import obstore

        failures: list[BaseException] = []
        with self._faults():
            try:
                obstore.put(
                    self._store,
                    name,
                    _remembering(blocks, failures),
                    use_multipart=True,
                    chunk_size=_S3_PART,
                    max_concurrency=_S3_AT_ONCE,
                )
            except BaseException:
                # What went wrong on our side comes back wrapped: it is raised as it was.
                if failures:
                    raise failures[0] from None
                raise

    def open(self, name: str) -> Blob:
        import obstore

        with self._faults():
            try:
                size = obstore.head(self._store, name)["size"]
            except FileNotFoundError:
                raise BackupNotFound(f"There is no {name} in s3://{self.bucket}/{self.prefix}.") from None
        return _Object(self, name, size)

    def names(self) -> list[str]:
        import obstore

        with self._faults():
            found = obstore.list_with_delimiter(self._store)["objects"]
            return sorted(name for one in found if is_name(name := str(one["path"]).rpartition("/")[2]))

    def remove(self, name: str) -> None:
        import obstore

        with self._faults(), contextlib.suppress(FileNotFoundError):
            obstore.delete(self._store, name)

    def read(self, name: str, start: int, length: int) -> bytes:
        """Up to `length` bytes of an object."""
        import obstore

        with self._faults():
            return bytes(obstore.get_range(self._store, name, start=start, length=length)) if length else b""

    @contextmanager
    def _faults(self) -> Iterator[None]:
        from obstore.exceptions import BaseError

        try:
            yield
        except Refusal:
            raise
        except (BaseError, OSError, ValueError) as error:
            raise TargetUnusable(f"The bucket {self.bucket} can't be used: {_s3_reason(error)}.") from None


class _File:
    """A file as a blob; closed with the last reference to it."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb", buffering=0)
        self.size = os.fstat(self._file.fileno()).st_size

    def read(self, start: int, length: int) -> bytes:
        found = bytearray()
        while len(found) < length and (more := os.pread(self._file.fileno(), length - len(found), start + len(found))):
            found += more
        return bytes(found)


@dataclass(frozen=True)
class _Object:
    bucket: Bucket
    name: str
    size: int

    def read(self, start: int, length: int) -> bytes:
        return self.bucket.read(self.name, start, min(length, max(0, self.size - start)))


def _s3_reason(error: Exception) -> str:
    """A word for it: the text quotes whole requests and answers."""
    if code := _S3_CODE.search(str(error)):
        return code[1]
    return "it can't be reached" if "sending request" in str(error) else type(error).__name__


def sync_folder(folder: Path) -> None:
    """Make a new name in a folder as durable as the file it names."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, block: bytes) -> None:
    view = memoryview(block)
    while view:
        view = view[os.write(descriptor, view) :]


def _remembering(blocks: Iterable[bytes], failures: list[BaseException]) -> Iterator[bytes]:
    try:
        yield from blocks
    except BaseException as error:
        failures.append(error)
        raise


@contextmanager
def _disk_faults(folder: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise TargetUnusable(f"There is no directory {folder}: make it, or mount what should be there.") from None
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise TargetFull(f"There is no space left at {folder}: nothing was kept of this backup.") from None
        raise TargetUnusable(f"{folder} can't be used: {os.strerror(error.errno or 0)}.") from None
