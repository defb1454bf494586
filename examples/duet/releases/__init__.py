"""Releases of Duet: the same two promises, kept well by `v1` and badly by `v2`."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from importlib import import_module
from typing import Protocol, cast

from examples.duet.wishes import Wish

RELEASES = ("v1", "v2")
SERVICES = ("gateway", "matching", "chat")


class Release(Protocol):
    """What differs from release to release."""

    def choose(self, cursor: sqlite3.Cursor, user_id: str, wish: Wish) -> list[tuple[str, int]]:
        """The members to offer to `user_id`, best first, each with how many answers the two share."""

    def annotate(self, text: str) -> dict[str, str]:
        """What is kept beside a message's text."""


class UnknownRelease(ValueError):
    """A choice of release that can't be read."""


def load(name: str) -> Release:
    """The code of a release."""
    return cast(Release, import_module(f"{__name__}.{name}"))


def choose_releases(wanted: Sequence[str]) -> dict[str, str]:
    """The release of each service from choices such as `v1` (all of them) and `chat=v2` (one); the last one wins."""
    chosen = dict.fromkeys(SERVICES, RELEASES[0])
    for choice in wanted:
        service, _, release = choice.rpartition("=")
        if release not in RELEASES:
            raise UnknownRelease(f"release {release!r} is unknown: choose {' or '.join(RELEASES)}")
        if service and service not in SERVICES:
            raise UnknownRelease(f"service {service!r} is unknown: choose one of {', '.join(SERVICES)}")
        chosen |= {service: release} if service else dict.fromkeys(SERVICES, release)
    return chosen
