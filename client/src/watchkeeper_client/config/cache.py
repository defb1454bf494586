"""The last snapshot that a server gave, kept on disk for a start without one."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from watchkeeper_client.rules import DocumentInvalid, parse_snapshot

_log = logging.getLogger("watchkeeper_client")
LARGEST = 64_000_000


class Cache:
    """One file for each server and environment, for this user only. Whatever is wrong with the disk, nothing raises."""

    def __init__(self, folder: Path | None, url: str, environment: str) -> None:
        name = hashlib.sha256(f"{url}\n{environment}".encode()).hexdigest()[:32]
        self._file = (folder or _default_folder()) / f"{name}.json"
        self._environment = environment
        self._complained = False

    def read(self) -> tuple[Mapping[str, Any], float] | None:
        """(snapshot, seconds since it was written); None where there is none that can be trusted."""
        try:
            if self._file.stat().st_size > LARGEST:
                return None
            digest, _, body = self._file.read_bytes().partition(b"\n")
            if hashlib.sha256(body).hexdigest().encode() != digest:
                raise ValueError("it is damaged")
            said = json.loads(body)
            document = parse_snapshot(said["document"])
            if document["environment"] != self._environment:
                raise ValueError("it is of another environment")
            return document, max(0.0, time.time() - float(said["saved_at"]))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, RecursionError, DocumentInvalid) as error:
            _log.warning("the last known configuration can't be used: %s", error)
            return None

    def write(self, document: Mapping[str, Any]) -> None:
        """Keep a snapshot; whole or not at all."""
        try:
            body = json.dumps({"saved_at": time.time(), "document": document}).encode()
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self._file.parent)  # readable by this user only
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(hashlib.sha256(body).hexdigest().encode() + b"\n" + body)
                os.replace(name, self._file)
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(name)
                raise
        except (OSError, ValueError, TypeError) as error:
            if not self._complained:
                self._complained = True
                _log.warning("the configuration can't be kept on disk: %s", error)


def _default_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "watchkeeper-client"
