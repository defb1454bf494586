"""A console, and a real OpenID provider beside it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.identity.oidc.support import opened
from tests.identity.support import Console
from tests.support.oidc_provider import CLIENT, SECRET, RunningProvider, running_provider
from watchkeeper.kernel.clock import ManualClock
from watchkeeper.kernel.db.database import Database


@pytest.fixture(scope="module")
def process() -> Iterator[RunningProvider]:
    with running_provider() as running:
        yield running


@pytest.fixture
def now(clock: ManualClock) -> float:
    return clock.now().timestamp()


@pytest.fixture
def provider(process: RunningProvider, now: float) -> RunningProvider:
    """As a fresh one, with the console's time."""
    process.set(now=now)
    return process


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    file = tmp_path / "client-secret"
    file.write_text(f"{SECRET}\n", encoding="utf-8")
    return file


@pytest.fixture
def configured(provider: RunningProvider, secret_file: Path) -> dict[str, Any]:
    return {
        "oidc_issuer": provider.issuer,
        "oidc_client_id": CLIENT,
        "oidc_client_secret_file": str(secret_file),
        "oidc_name": "Example ID",
    }


@pytest.fixture
def console(database: Database, clock: ManualClock, configured: dict[str, Any]) -> Iterator[Console]:
    """Alice has an account; whom the provider knows besides her gets none."""
    with opened(database, clock, **configured) as console:
        console.set_up()
        yield console


@pytest.fixture
def welcoming(database: Database, clock: ManualClock, configured: dict[str, Any]) -> Iterator[Console]:
    """Whoever has an e-mail at example.org gets an account."""
    more = {"oidc_default_role": "viewer", "oidc_allowed_domains": "example.org"}
    with opened(database, clock, **configured, **more) as console:
        yield console
