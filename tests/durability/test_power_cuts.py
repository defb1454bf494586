"""Pulling the plug: on SQLite nothing that was acknowledged is lost, and the journal still verifies."""

from __future__ import annotations

import random
from itertools import chain

from tests.durability.power_cuts import Outcome, Synchronous, cuts, write_and_record
from tests.durability.recorded_disk import Disk, Step

CUTS = 150


def outcomes(synchronous: Synchronous, runs: int = 3) -> list[Outcome]:
    workloads = [write_and_record(synchronous, seed) for seed in range(runs)]
    found = [cuts(workload, CUTS // runs, seed) for seed, workload in enumerate(workloads)]
    return list(chain.from_iterable(found))


def test_a_power_cut_loses_nothing_that_was_acknowledged() -> None:
    found = outcomes("FULL")
    assert len(found) == CUTS
    assert [one.damage for one in found if one.damage] == []
    assert [one.lost for one in found if one.lost] == []


def test_the_same_cuts_lose_acknowledged_rows_where_commits_are_not_synced() -> None:
    """So the test above can fail. What is left is a sound, older state all the same."""
    found = outcomes("NORMAL")
    assert sum(one.lost > 0 for one in found) > CUTS // 4
    assert [one.damage for one in found if one.damage] == []


def test_what_is_synced_survives_every_cut_and_nothing_appears_that_was_not_written() -> None:
    disk = Disk({})
    disk.take(Step("write", "file", 0, b"a" * 1024))
    disk.take(Step("sync", "file"))
    disk.take(Step("write", "file", 512, b"b" * 1024))
    seen = {disk.after_cut(random.Random(seed))["file"] for seed in range(300)}
    assert all(content[:512] == b"a" * 512 for content in seen)
    assert all(set(content) <= {0, ord("a"), ord("b")} for content in seen)
    assert {b"a" * 1024, b"a" * 512 + b"b" * 1024, b"a" * 512 + b"b" * 512} <= seen
