"""Whom a change reaches, told before it is made."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from tests.config.pages.support import pages, words
from tests.config.pages.test_flag import form, rule
from tests.config.support import MATCHES, VIDEO, Stage
from tests.subjects.support import Stage as People

PAGE = "/config/parameters/MATCHES_PER_DAY"


@pytest.fixture
def filled(stage: Stage) -> Stage:
    """Twelve people, six of them in Norway, two of them testers."""
    stage.define(MATCHES, VIDEO)
    with ExitStack() as clients:
        people = People(stage.database, stage.clock, clients)
        people.people(12)
        people.manual("testers", "u0", "u1")
    return stage


def told(stage: Stage, path: str, **said: object) -> str:
    """What the preview says of whom a change affects."""
    return words(pages(stage).look(path, **said).text).partition("Whom it affects")[2]


def test_a_value_for_everybody_reaches_all_but_who_has_an_override(filled: Stage) -> None:
    assert "affects 12 of 12 subjects" in told(filled, f"{PAGE}/value", value="5", version="0")
    filled.set("MATCHES_PER_DAY", 7, slot="user:u1")
    filled.set("MATCHES_PER_DAY", {"value": 7}, slot="segment:country_NO")
    text = told(filled, f"{PAGE}/value", value="5", version="0")
    assert "affects at most 6 of 12 subjects" in text
    assert "country_NO 6 keeps its override" in text


def test_an_override_reaches_the_members_and_tells_which_segment_goes_first(filled: Stage) -> None:
    filled.set("MATCHES_PER_DAY", {"value": 7, "priority": 9}, slot="segment:country_NO")
    filled.set("MATCHES_PER_DAY", {"value": 7}, slot="segment:all_users")
    text = told(filled, f"{PAGE}/override", kind="segment", target="testers", value="9", priority="5")
    assert "affects at most 2 of 12 subjects" in text
    assert "country_NO 6 goes first for who is in both" in text
    assert "all_users 12 comes after it" in text


def test_an_override_of_a_user_reaches_that_user(filled: Stage) -> None:
    assert "for user u1: affects 1 of 12 subjects" in told(
        filled, f"{PAGE}/override", kind="user", target="u1", value="9"
    )


def test_the_segments_of_a_flags_rules_are_counted(filled: Stage) -> None:
    said = form(rule(segment="testers", serve="on"))
    text = told(filled, "/config/parameters/ENABLE_VIDEO/state", **said)
    assert "testers 2 asked for by a rule" in text


def test_without_subjects_the_page_says_how_they_get_here(stage: Stage) -> None:
    stage.define(MATCHES)
    assert "POST /api/v1/subjects" in told(stage, f"{PAGE}/value", value="5", version="0")


def test_the_explanation_does_not_tell_what_is_stored_of_a_user(filled: Stage) -> None:
    filled.set("MATCHES_PER_DAY", {"value": 9}, slot="segment:country_NO")
    text = pages(filled).text(f"{PAGE}?user=u2")
    assert "u2 gets 3 (without any attributes)" in text
    assert "premium" not in text
