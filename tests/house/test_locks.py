"""The locks name every byte that is installed, and what runs is a part of what is tested."""

from __future__ import annotations

import re

import pytest

from tests.house.tree import ROOT

PIN = re.compile(r"^([a-z0-9-]+)(?:\[[a-z0-9,-]+\])?==(\S+)(.*?)(?=^\S|\Z)", re.MULTILINE | re.DOTALL)


def pins(name: str) -> dict[str, tuple[str, frozenset[str]]]:
    """Version and hashes of each package in a lock."""
    text = (ROOT / "requirements" / name).read_text(encoding="utf-8")
    found = {
        package: (version, frozenset(re.findall(r"--hash=(\S+)", rest))) for package, version, rest in PIN.findall(text)
    }
    assert len(found) > 20
    return found


@pytest.mark.parametrize("name", ["run.lock", "dev.lock"])
def test_every_package_is_pinned_by_hashes(name: str) -> None:
    assert [package for package, (_, hashes) in pins(name).items() if not hashes] == []


def test_an_environment_grows_from_running_to_testing() -> None:
    assert pins("run.lock").items() <= pins("dev.lock").items()


def test_running_needs_none_of_the_test_tools() -> None:
    assert not {"pytest", "playwright", "mypy", "ruff", "schemathesis"} & pins("run.lock").keys()
