"""What Duet's parameters change: each of these is visible to a member, at once and without a restart."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from examples.duet.people import population
from examples.duet.values import defaults
from tests.duet.test_product import MEMBERS, PEOPLE, Duet, in_duet
from watchkeeper_client.testing import override

OPS = Path(__file__).parents[2] / "examples/duet/ops"
Story = Callable[[Duet], Coroutine[Any, Any, None]]


def play(tmp_path: Path, story: Story) -> None:
    in_duet(story, tmp_path)


async def offers(running: Duet, number: int = 6) -> list[dict[str, Any]]:
    answer = await running.client.get("/v1/offers", headers=await running.sign_in(number))
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


async def a_match(running: Duet) -> tuple[dict[str, str], dict[str, str], str]:
    """Two neighbours who matched before Duet was started, and where they write."""
    same = [person for person in PEOPLE if person.region == PEOPLE[6].region]
    numbers = [PEOPLE.index(person) for person in same[:2]]
    one, other = await running.sign_in(numbers[0]), await running.sign_in(numbers[1])
    ids = [same[0].user_id.removeprefix("usr_"), same[1].user_id.removeprefix("usr_")]
    return one, other, f"/v1/matches/mat_{ids[0]}_{ids[1]}/messages"


async def say(running: Duet, who: dict[str, str], where: str, text: str) -> httpx.Response:
    return await running.client.post(where, headers=who, json={"text": text})


def changed(**values: Any) -> AbstractContextManager[None]:
    return override(values)


def test_how_many_are_offered_follows_the_plan(tmp_path: Path) -> None:
    async def story(running: Duet) -> None:
        # 6 has the free plan, 5 the premium one.
        assert (PEOPLE[6].plan, PEOPLE[5].plan) == ("free", "premium")
        assert len(await offers(running, 6)) == 3
        with changed(MATCHES_PER_DAY_DEFAULT=1, AGE_RANGE_DEFAULT_MIN=-50, AGE_RANGE_DEFAULT_MAX=50):
            assert len(await offers(running, 6)) == 1
        with changed(MATCHES_PER_DAY_PREMIUM=2, AGE_RANGE_DEFAULT_MIN=-50, AGE_RANGE_DEFAULT_MAX=50):
            assert len(await offers(running, 5)) == 2

    with changed(AGE_RANGE_DEFAULT_MIN=-50, AGE_RANGE_DEFAULT_MAX=50):
        play(tmp_path, story)


def test_age_and_place_of_those_who_are_offered(tmp_path: Path) -> None:
    people = {person.user_id: person for person in PEOPLE}

    async def story(running: Duet) -> None:
        me = PEOPLE[6]
        with changed(AGE_RANGE_DEFAULT_MIN=0, AGE_RANGE_DEFAULT_MAX=20, GEO_PRIORITY_LOCAL=True):
            found = [people[one["user_id"]] for one in await offers(running)]
            assert found
            assert all(0 <= person.age - me.age <= 20 and person.region == me.region for person in found)
        with changed(GEO_PRIORITY_LOCAL=False, MATCHES_PER_DAY_DEFAULT=10, AGE_RANGE_DEFAULT_MIN=-50):
            found = [people[one["user_id"]] for one in await offers(running)]
            assert len({person.region for person in found}) > 1

    play(tmp_path, story)


def test_only_those_who_are_alike_enough(tmp_path: Path) -> None:
    async def story(running: Duet) -> None:
        with changed(COMPATIBILITY_MIN_SCORE=100, GEO_PRIORITY_LOCAL=False):
            assert await offers(running) == []
        with changed(COMPATIBILITY_MIN_SCORE=0, GEO_PRIORITY_LOCAL=False, AGE_RANGE_DEFAULT_MIN=-50):
            assert await offers(running)

    play(tmp_path, story)


def test_when_somebody_is_offered_again(tmp_path: Path) -> None:
    async def story(running: Duet) -> None:
        first = {one["user_id"] for one in await offers(running)}
        assert not first & {one["user_id"] for one in await offers(running)}
        with changed(MATCH_OFFER_COOLDOWN_DAYS=0):
            assert first & {one["user_id"] for one in await offers(running)}

    with changed(GEO_PRIORITY_LOCAL=False, AGE_RANGE_DEFAULT_MIN=-50, AGE_RANGE_DEFAULT_MAX=50):
        play(tmp_path, story)


def test_reasons_beside_offers(tmp_path: Path) -> None:
    async def story(running: Duet) -> None:
        assert all("questions alike" in one["reason"] for one in await offers(running))
        with changed(ENABLE_AI_MATCH_REASONS=False):
            assert all("reason" not in one for one in await offers(running))

    with changed(GEO_PRIORITY_LOCAL=False):
        play(tmp_path, story)


def test_how_many_matches_are_shown(tmp_path: Path) -> None:
    async def story(running: Duet) -> None:
        one, _, _ = await a_match(running)
        shown = (await running.client.get("/v1/matches", headers=one)).json()["items"]
        assert shown
        with changed(MAX_ACTIVE_MATCHES_LIVE=0):
            assert (await running.client.get("/v1/matches", headers=one)).json()["items"] == []

    play(tmp_path, story)


def test_what_can_be_written(tmp_path: Path) -> None:
    async def story(running: Duet) -> None:
        one, other, where = await a_match(running)
        with changed(MESSAGE_MAX_LENGTH=5):
            assert (await say(running, one, where, "123456")).status_code == 422
        await say(running, one, where, "Oh heck, hello")
        with changed(PROFANITY_CHECK_ENABLED=False):
            await say(running, one, where, "Oh heck again")
        texts = [m["text"] for m in (await running.client.get(where, headers=other)).json()["items"]]
        assert texts == ["Oh heck again", "Oh ****, hello"]
        with changed(CHAT_FIRST_MESSAGE_POLICY="one_until_answered"):
            assert (await say(running, one, where, "and?")).status_code == 409
            assert (await say(running, other, where, "Hello yourself")).status_code == 201
        with changed(RATE_LIMIT_MESSAGES_PER_MINUTE=2):
            assert (await say(running, one, where, "third")).status_code == 429
        with changed(MESSAGE_HISTORY_PAGE_SIZE=1):
            assert len((await running.client.get(where, headers=one)).json()["items"]) == 1

    play(tmp_path, story)


def test_a_first_line_is_suggested_where_nobody_wrote(tmp_path: Path) -> None:
    async def story(running: Duet) -> None:
        one, _, where = await a_match(running)
        assert "suggestion" not in (await running.client.get(where, headers=one)).json()
        with changed(ENABLE_AI_COACH_OPENING_LINES=True):
            assert (await running.client.get(where, headers=one)).json()["suggestion"]

    play(tmp_path, story)


def test_how_much_of_a_profile_is_shown(tmp_path: Path) -> None:
    async def story(running: Duet) -> None:
        one = await running.sign_in(6)
        with changed(BIO_MAX_LENGTH=4, DISPLAY_NAME_MAX_LENGTH=1):
            shown = (await running.client.get(f"/v1/profiles/{PEOPLE[7].user_id}", headers=one)).json()
        assert (shown["name"], shown["bio"]) == (PEOPLE[7].name[:1], PEOPLE[7].bio[:4])

    play(tmp_path, story)


def test_how_long_one_stays_signed_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(running: Duet) -> None:
        with changed(SESSION_TTL_SECONDS=1):
            short = await running.sign_in(6)
        long = await running.sign_in(6)
        now = time.time()
        monkeypatch.setattr(time, "time", lambda: now + 2)
        assert (await running.client.get("/v1/matches", headers=short)).status_code == 401
        assert (await running.client.get("/v1/matches", headers=long)).status_code == 200

    play(tmp_path, story)


def test_how_many_wrong_codes_there_may_be(tmp_path: Path) -> None:
    async def story(running: Duet) -> None:
        async def attempt() -> int:
            body = {"user_id": PEOPLE[6].user_id, "code": "wrong"}
            return (await running.client.post("/v1/auth/login", json=body)).status_code

        assert [await attempt() for _ in range(4)] == [401, 401, 401, 429]
        with changed(OTP_MAX_ATTEMPTS=5):
            assert await attempt() == 401
        with changed(OTP_EXPIRY_SECONDS=0):
            assert await attempt() == 401

    play(tmp_path, story)


def test_the_file_has_all_parameters_of_the_product_with_a_word_about_each() -> None:
    listed = yaml.safe_load((OPS / "parameters.yaml").read_text(encoding="utf-8"))["parameters"]
    assert len(listed) == len({one["key"] for one in listed}) == 152
    assert all(len(one["description"]) > 8 and one["group"] and one["service"] for one in listed)
    facts = {one["key"]: (one["type"], one.get("default"), one.get("min"), one.get("max")) for one in listed}
    assert facts["MATCHES_PER_DAY_DEFAULT"] == ("integer", 3, 1, 10)
    assert facts["MATCH_OFFER_COOLDOWN_DAYS"] == ("integer", 30, 7, 90)
    assert facts["MATCH_SCORE_DIVERSITY_LAMBDA"] == ("float", 0.82, None, None)
    assert facts["ENABLE_AI_MATCH_REASONS"] == ("flag", "on", None, None)
    assert facts["AI_OPENROUTER_API_KEY"][0] == "secret"


def test_the_defaults_of_the_code_are_those_of_the_file() -> None:
    assert (defaults()["MATCHES_PER_DAY_DEFAULT"], defaults()["ENABLE_VIDEO_CHAT"]) == (3, False)
    assert len(population(MEMBERS)) == MEMBERS
