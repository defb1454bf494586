"""The intake log: what was acknowledged is in here, on disk, until it is in a Parquet part.

A segment is a file of frames: magic, signal, time of arrival, length, CRC-32 of all that, then the decoded OTLP body.
A power cut may leave a torn last frame; it was never acknowledged and reading stops before it.
"""

from __future__ import annotations

import errno
import os
import queue
import struct
import threading
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from watchkeeper.kernel.errors import Unavailable
from watchkeeper.kernel.ids import sort_key
from watchkeeper.modules.telemetry.errors import DiskFull
from watchkeeper.modules.telemetry.model import Decoded, Signal

_HEADER = struct.Struct(">4sBQI")
_CHECK = struct.Struct(">I")
_MAGIC = b"WKF1"
_SIGNALS = (Signal.TRACES, Signal.METRICS, Signal.LOGS)
_LARGEST_FRAME = 128 * 1024 * 1024
_MOST_AT_ONCE = 64
_SUFFIX = ".log"
LARGE = 8 * 1024 * 1024  # worth storing without waiting for the next tick


@dataclass(frozen=True)
class Frame:
    """One acknowledged request."""

    signal: Signal
    received_at: int
    body: bytes


@dataclass
class Segment:
    """A file of frames and, where this process wrote it, their rows."""

    path: Path
    requests: list[Decoded] = field(default_factory=list)
    size: int = 0

    @property
    def name(self) -> str:
        return self.path.name.removesuffix(_SUFFIX)


@dataclass(frozen=True)
class _Entry:
    frame: bytes
    received_at: int
    decoded: Decoded
    future: Future[None]


_STOP: Literal["stop"] = "stop"
_Command = Future[Segment | None] | Literal["stop"] | None


class IntakeLog:
    """Appends frames in one thread; as many as wait share an fsync. Raises OSError when the folder can't be made."""

    def __init__(self, folder: Path, *, min_free_bytes: int) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._min_free = min_free_bytes
        self._queue: queue.SimpleQueue[_Entry | _Command] = queue.SimpleQueue()
        self.on_large: Callable[[], None] = lambda: None
        self._segment: Segment | None = None
        self._file: int | None = None
        self._full = False
        self._thread = threading.Thread(target=self._run, name="intake-log", daemon=True)
        self._thread.start()

    @property
    def is_full(self) -> bool:
        """Whether the last write found too little space on the disk."""
        return self._full

    def append(self, decoded: Decoded, received_at: int, body: bytes) -> Future[None]:
        """Done once the frame is on disk; fails with DiskFull or Unavailable, and then nothing of it is kept."""
        future: Future[None] = Future()
        self._queue.put(_Entry(frame_of(decoded.signal, received_at, body), received_at, decoded, future))
        return future

    def seal(self) -> Segment | None:
        """Close the current segment and answer it with its rows; None when nothing arrived since the last."""
        future: Future[Segment | None] = Future()
        self._queue.put(future)
        return future.result()

    def leftovers(self) -> list[Segment]:
        """Segments of an earlier run, oldest first. Only to be asked before the first append."""
        return [Segment(path, size=path.stat().st_size) for path in sorted(self._folder.glob(f"*{_SUFFIX}"))]

    def close(self) -> None:
        """Finish what is queued and stop."""
        self._queue.put(_STOP)
        self._thread.join()
        self._close_segment()

    def _run(self) -> None:
        while True:
            entries, command = self._next()
            self._write(entries)
            if isinstance(command, Future):
                command.set_result(self._close_segment())
            elif command is _STOP:
                return

    def _next(self) -> tuple[list[_Entry], _Command]:
        """What waits in the queue: entries to write together, and the command that ended their row, if one did."""
        item = self._queue.get()
        entries: list[_Entry] = []
        while isinstance(item, _Entry):
            entries.append(item)
            if len(entries) == _MOST_AT_ONCE or self._queue.empty():
                return entries, None
            item = self._queue.get()
        return entries, item

    def _write(self, batch: list[_Entry]) -> None:
        if not batch:
            return
        try:
            self._put_on_disk(b"".join(entry.frame for entry in batch), batch[0].received_at)
        except OSError as error:
            refusal = self._refusal(error)
            for entry in batch:
                entry.future.set_exception(refusal)
            return
        assert self._segment is not None  # noqa: S101 (for mypy: written to just now)
        self._segment.requests.extend(entry.decoded for entry in batch)
        for entry in batch:
            entry.future.set_result(None)
        if self._segment.size >= LARGE:
            self.on_large()

    def _put_on_disk(self, content: bytes, first_at: int) -> None:
        if self._file is None or self._segment is None:
            self._open_segment(first_at)
        assert self._file is not None and self._segment is not None  # noqa: S101, PT018 (for mypy)
        space = os.fstatvfs(self._file)
        if space.f_bavail * space.f_frsize < self._min_free + len(content):
            raise OSError(errno.ENOSPC, "less free space than telemetry.min_free_mb")
        try:
            view = memoryview(content)
            while view:
                view = view[os.write(self._file, view) :]
            os.fdatasync(self._file)
        except OSError:
            # Half a frame in the middle would hide every later one from the reader.
            os.ftruncate(self._file, self._segment.size)
            os.lseek(self._file, self._segment.size, os.SEEK_SET)
            raise
        self._segment.size += len(content)
        self._full = False

    def _refusal(self, error: OSError) -> Unavailable:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            self._full = True
            return DiskFull("Nothing was taken in: the disk is full.", retry_after_seconds=30)
        return Unavailable(f"Nothing was taken in: the intake log can't be written ({os.strerror(error.errno or 0)}).")

    def _open_segment(self, first_at: int) -> None:
        self._segment = Segment(self._folder / f"{sort_key(first_at)}{_SUFFIX}")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._file = os.open(self._segment.path, flags, 0o600)
        sync_folder(self._folder)

    def _close_segment(self) -> Segment | None:
        segment, self._segment = self._segment, None
        if self._file is not None:
            os.close(self._file)
            self._file = None
        if segment is not None and not segment.requests:
            segment.path.unlink(missing_ok=True)
            return None
        return segment


def frame_of(signal: Signal, received_at: int, body: bytes) -> bytes:
    """The bytes of one frame."""
    header = _HEADER.pack(_MAGIC, _SIGNALS.index(signal), received_at, len(body))
    return header + _CHECK.pack(zlib.crc32(body, zlib.crc32(header))) + body


def read_frames(path: Path) -> Iterator[Frame]:
    """The whole frames of a segment, in order, up to its end or the first torn one."""
    with path.open("rb") as file:
        while True:
            header = file.read(_HEADER.size)
            check = file.read(_CHECK.size)
            if len(header) < _HEADER.size or len(check) < _CHECK.size:
                return
            magic, signal, received_at, length = _HEADER.unpack(header)
            if magic != _MAGIC or signal >= len(_SIGNALS) or length > _LARGEST_FRAME:
                return
            body = file.read(length)
            if len(body) < length or zlib.crc32(body, zlib.crc32(header)) != _CHECK.unpack(check)[0]:
                return
            yield Frame(_SIGNALS[signal], received_at, body)


def sync_folder(folder: Path) -> None:
    """Make a new name in a folder as durable as the file it names."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
