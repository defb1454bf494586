"""The whole app, once for all rules that look at it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from scripts.generate_docs import whole_app
from watchkeeper.app.server import Watchkeeper


@pytest.fixture(scope="session")
def watchkeeper() -> Iterator[Watchkeeper]:
    """Every module wired together as in production, with no background work."""
    with whole_app() as opened:
        yield opened
