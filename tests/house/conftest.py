"""The whole app, once for all rules that look at it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from scripts.generate_docs import whole_app
from watchkeeper.app.server import Watchkeeper


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One worker reads the tree and builds the app, not each of them."""
    for item in items:
        if "/tests/house/" in item.path.as_posix():
            item.add_marker(pytest.mark.xdist_group("house"))


@pytest.fixture(scope="session")
def watchkeeper() -> Iterator[Watchkeeper]:
    """Every module wired together as in production, with no background work."""
    with whole_app() as opened:
        yield opened
