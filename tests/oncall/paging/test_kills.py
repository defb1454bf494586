"""Processes that page are killed at random moments, for real: what they accepted is sent."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.durability.page_kills import AT_ONCE, kill_while_paging
from tests.durability.paging_process import Nursery

KILLS, PAGES = 10, 60


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    made = Nursery()
    yield made
    made.close()


@pytest.mark.parametrize(("kind", "servers"), [("sqlite", 1), ("postgresql", 3)])
def test_no_page_is_lost_by_kills_at_random(
    request: pytest.FixtureRequest, tmp_path: Path, nursery: Nursery, kind: str, servers: int
) -> None:
    url = request.getfixturevalue("postgres_url") if kind == "postgresql" else None
    found = kill_while_paging(
        tmp_path, url, servers=servers, kills=KILLS, pages=PAGES, seed=11, pause=0.5, start=nursery.start
    )
    assert (found.accepted, found.lost) == (PAGES, 0)
    assert found.groups == PAGES, "an alert that was sent twice is the same alert"
    assert found.again <= AT_ONCE * KILLS, "a kill interrupts no more messages than are on their way"
    assert found.chain is None
