"""The timeline's page: days, filters that are addresses, a page for each fact."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from tests.app.timeline.support import Moved, Zoo
from tests.catalog.support import words
from watchkeeper.kernel import journal


def _text(zoo: Zoo, path: str = "/timeline") -> str:
    answer = zoo.page().get(path)
    assert answer.status_code == 200, answer.text
    return words(answer.text)


def test_an_empty_timeline_says_what_will_appear(zoo: Zoo) -> None:
    assert "Nothing happened yet" in _text(zoo)
    assert 'data-sse-last="beginning"' in zoo.page().get("/timeline").text


def test_facts_stand_under_their_day_newest_first(zoo: Zoo) -> None:
    zoo.feed("lion")
    zoo.clock.advance(timedelta(days=1))
    zoo.feed("tiger", "bear")
    text = _text(zoo)
    places = [text.index(one) for one in ("Today", "bear was fed", "tiger was fed", "Monday, 2 March 2026", "lion was")]
    assert places == sorted(places)
    assert "Tuesday, 3 March 2026 (UTC)" in text


def test_a_day_without_anything_yet_still_waits_for_news(zoo: Zoo) -> None:
    zoo.feed("lion")
    zoo.clock.advance(timedelta(days=3))
    page = zoo.page().get("/timeline").text
    assert "Nothing yet today." in page
    assert page.index("data-sse=") < page.index("lion was fed")


def test_the_page_and_its_stream_meet_at_the_newest_fact(zoo: Zoo) -> None:
    zoo.feed("lion", house="cats")
    zoo.feed("wolf", house="dogs")
    newest = zoo.api().get("/api/v1/timeline").json()["items"][0]["id"]
    page = zoo.page().get("/timeline?service=cats").text
    assert f'data-sse-last="{newest}"' in page
    assert 'data-sse="/timeline/stream?service=cats"' in page
    assert "wolf was fed" not in page


def test_a_filter_is_kept_in_the_form_and_in_the_way_to_older_facts(zoo: Zoo) -> None:
    zoo.feed(*(f"ant-{number}" for number in range(70)), house="ants")
    page = zoo.page().get("/timeline?kind=zoo.fed&since=7d&service=ants").text
    assert re.search(r'<option value="ants" selected>', page)
    assert re.search(r'<option value="zoo.fed" selected>', page)
    assert re.search(r'<option value="7d" selected>', page)
    older = re.search(r'rel="next" href="([^"]+)"', page)
    assert older is not None
    following = zoo.page().get(older[1].replace("&amp;", "&")).text
    assert "ant-9 was fed" in following
    assert "ant-10 was fed" not in following
    assert "data-sse=" not in following


def test_what_changed_is_shown_before_and_after_with_its_reason(zoo: Zoo) -> None:
    change = Moved(before={"cage": "<A>"}, after={"cage": "B"}, reason="The roof leaks")
    with zoo.database.begin() as session:
        journal.append(session, change, by="local", source="test", at=zoo.clock.now())
    text = _text(zoo)
    assert "cage: <A> → B" in text
    assert "“The roof leaks”" in text
    assert "Command line" in text


def test_a_fact_has_an_address_of_its_own(zoo: Zoo) -> None:
    zoo.feed("lion", "tiger", house="cats")
    href = zoo.api().get("/api/v1/timeline").json()["items"][1]["href"]
    text = _text(zoo, href)
    assert "lion was fed." in text
    assert "zoo.fed" in text
    assert '"animal": "lion"' in text
    assert "tiger" not in text
    assert zoo.page().get("/timeline/fct_x").status_code == 404


@pytest.mark.parametrize("query", ["service=<script>", "kind=zoo.", "actor=per_x", "since=3h&until=1h", "since=90s"])
def test_any_filter_gives_a_page(zoo: Zoo, query: str) -> None:
    zoo.feed("lion", minutes=120)
    page = zoo.page().get(f"/timeline?{query}")
    assert page.status_code == 200
    assert "<script>" not in page.text.partition("<main")[2]


def test_a_time_that_can_not_be_read_is_refused_on_a_page(zoo: Zoo) -> None:
    answer = zoo.page().get("/timeline?since=soon")
    assert answer.status_code == 422
    assert "such as 30m, 6h, 7d" in words(answer.text)


def test_strangers_sign_in_first(zoo: Zoo) -> None:
    answer = zoo.page(None).get("/timeline?kind=zoo.")
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=%2Ftimeline%3Fkind%3Dzoo.")
