"""Scorecards: checks of many modules, none of which can take the page with it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import NOON
from watchkeeper.kernel.errors import Unavailable
from watchkeeper.modules.catalog import readiness
from watchkeeper.modules.catalog.model import Description, Finding, Outcome, Service, scorecard
from watchkeeper.modules.catalog.readiness import FRESH_SECONDS, ReadinessChecks
from watchkeeper.modules.catalog.wiring import CHECKS


def _service(name: str = "web", **about: Any) -> Service:
    return Service("svc_1", name, Description(**about), "people", False, NOON, NOON)


@dataclass
class Check:
    """Answers what it is told to, and counts."""

    answer: Callable[[], Any] = lambda: None
    key: str = "test.check"
    asked: list[str] = field(default_factory=list)

    async def check(self, service: Service) -> Finding:
        self.asked.append(service.name)
        result = self.answer()
        if asyncio.iscoroutine(result):
            await result
        return Finding(self.key, "Is fine", Outcome.OK, "Yes.")


def _raise(error: Exception) -> Callable[[], Any]:
    def answer() -> Any:
        raise error

    return answer


@given(st.lists(st.sampled_from(list(Outcome))))
def test_a_score_counts_what_could_be_found_out_and_shows_what_is_missing_first(outcomes: list[Outcome]) -> None:
    card = scorecard([Finding(str(n), "", outcome, "") for n, outcome in enumerate(outcomes)])
    assert card.counted == len(outcomes) - outcomes.count(Outcome.UNKNOWN)
    assert card.passed == outcomes.count(Outcome.OK)
    assert (card.share is None) is (card.counted == 0)
    shown = [finding.outcome for finding in card.findings]
    assert shown == sorted(shown, key=[Outcome.MISSING, Outcome.UNKNOWN, Outcome.OK].index)


async def _card(checks: ReadinessChecks, service: Service) -> dict[str, tuple[Outcome, str]]:
    card = await checks.scorecard(service, 0)
    return {finding.key: (finding.outcome, finding.detail) for finding in card.findings}


def test_the_catalog_asks_for_owner_tier_repository_and_description() -> None:
    async def story() -> None:
        checks = ReadinessChecks(CHECKS)
        bare = await _card(checks, _service())
        assert {outcome for outcome, _ in bare.values()} == {Outcome.MISSING}
        full = await _card(
            checks, _service(owner="Team Web", tier=4, repository="https://git.example", description="Pages.")
        )
        assert full["catalog.owner"] == (Outcome.OK, "Team Web")
        assert full["catalog.tier"][1].startswith("Tier 4, internal")
        assert {outcome for outcome, _ in full.values()} == {Outcome.OK}

    asyncio.run(story())


def test_a_check_that_fails_is_unknown_and_the_others_count() -> None:
    async def story() -> None:
        refused = Check(_raise(Unavailable("The store is away.")), "test.refused")
        broken = Check(_raise(ZeroDivisionError()), "test.broken")
        card = await _card(ReadinessChecks((refused, broken, Check())), _service())
        assert card == {
            "test.refused": (Outcome.UNKNOWN, "The store is away."),
            "test.broken": (Outcome.UNKNOWN, "It could not be checked; the log says why."),
            "test.check": (Outcome.OK, "Yes."),
        }

    asyncio.run(story())


def test_a_check_that_hangs_is_unknown_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "_PATIENCE_SECONDS", 0.02)

    async def story() -> None:
        card = await _card(ReadinessChecks((Check(lambda: asyncio.sleep(60)),)), _service())
        assert card["test.check"] == (Outcome.UNKNOWN, "It took too long to find out.")

    asyncio.run(story())


def test_a_list_shows_what_is_known_in_time_and_the_rest_next_time() -> None:
    async def story() -> None:
        slow = Check(lambda: asyncio.sleep(0.02))
        checks = ReadinessChecks((slow,))
        services = [_service(f"service-{n}") for n in range(10)]
        first = await checks.scorecards(services, 0, patience=0.05)
        assert 0 < len(first) < 10
        for _ in range(100):
            await asyncio.sleep(0.01)
            if len(await checks.scorecards(services, 1, patience=0)) == 10:
                break
        assert sorted(slow.asked) == sorted(service.name for service in services)

    asyncio.run(story())


def test_a_remembered_score_is_found_out_again_when_it_is_old_or_the_service_changed() -> None:
    async def story() -> None:
        check = Check()
        checks, service = ReadinessChecks((check,)), _service()
        for now in (0.0, 1.0, FRESH_SECONDS - 1):
            await checks.scorecards([service], now, patience=1)
        assert len(check.asked) == 1
        await checks.scorecards([service], FRESH_SECONDS, patience=1)
        assert len(check.asked) == 2
        await checks.scorecards([replace(service, updated_at=NOON + timedelta(1))], FRESH_SECONDS, patience=1)
        assert len(check.asked) == 3

    asyncio.run(story())
