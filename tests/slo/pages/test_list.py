"""The list of objectives: the worst first, searched, filtered, sorted, as CSV."""

from __future__ import annotations

import csv
import io
import re
from datetime import timedelta

import pytest

from tests.slo.pages.support import break_it, pages, words
from tests.slo.support import Stage, slo

# What pages ask the database is asked by the API, too, and tested on both engines there.
pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


def three(stage: Stage) -> None:
    """One that is met, one that lost its budget, one of another service that counts nothing."""
    stage.put(
        slo("calm", display_name="Quick enough"),
        slo("gone", objectives=[{"target": 0.99}]),
        slo("quiet", service="chat", indicator={"kind": "availability", "service": "chat"}),
    )
    stage.steady("calm")
    stage.steady("gone", good=50)
    stage.run()


def names(page: str) -> list[str]:
    return re.findall(r'class="ws-name" href="/slos/([a-z0-9-]+)', page)


def test_the_worst_is_first_with_counts_unit_window_and_freshness(stage: Stage) -> None:
    three(stage)
    page = pages(stage).get("/slos").text
    assert names(page) == ["gone", "quiet", "calm"]
    said = words(page)
    assert "budget gone" in said
    assert re.search(r"[\d,.]+ of [\d,.]+ good", said)
    assert "43.2 min of 43.2 min" in said
    assert "computed just now" in said
    assert "nothing counted" in said


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=QUICK+enough", ["calm"]),
        ("q=chat", ["quiet"]),
        ("service=chat", ["quiet"]),
        ("status=exhausted", ["gone"]),
        ("sort=name", ["gone", "calm", "quiet"]),
        ("sort=service", ["quiet", "gone", "calm"]),
        ("sort=left", ["gone", "calm", "quiet"]),
        ("sort=burn", ["gone", "quiet", "calm"]),
        ("sort=nonsense", ["gone", "quiet", "calm"]),
        ("q=nothing-is-called-so", []),
    ],
)
def test_what_is_asked_for_stands_in_the_address(stage: Stage, query: str, found: list[str]) -> None:
    three(stage)
    page = pages(stage).get(f"/slos?{query}").text
    assert names(page) == found
    assert ("None of this kind" in page) == (not found)
    table = list(csv.DictReader(io.StringIO(pages(stage).get(f"/slos.csv?{query}").text)))
    assert [row["slo"] for row in table] == found


def test_the_csv_has_numbers_that_can_be_computed_with_and_no_formulas(stage: Stage) -> None:
    stage.put(slo("calm", display_name="=1+1"))
    stage.steady("calm", good=99.5)
    stage.run()
    answer = pages(stage, "bob").get("/slos.csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    (row,) = csv.DictReader(io.StringIO(answer.text))
    assert row["title"] == "'=1+1"
    assert float(row["share good"]) == pytest.approx(float(row["good"]) / float(row["total"]))
    assert float(row["budget left"]) == pytest.approx(1 - float(row["budget spent"]))


def test_names_are_text_whatever_they_hold(stage: Stage) -> None:
    stage.put(slo("calm", display_name="<img src=x onerror=alert(1)>", description="<script>alert(2)</script>"))
    stage.run()
    console = pages(stage)
    for path in ("/slos", "/slos/calm", "/slos/tv", "/slos/dashboard", "/slos/calm/edit", "/slos/policies"):
        page = console.get(path).text
        assert "<img src=x" not in page
        assert "<script>alert" not in page


def test_a_list_of_more_than_a_hundred_has_pages_and_can_be_had_whole(stage: Stage) -> None:
    stage.put(*(slo(f"slo-{number:03}") for number in range(120)))
    stage.run()
    console = pages(stage)
    first, second = console.get("/slos").text, console.get("/slos?page=2").text
    assert (len(names(first)), len(names(second))) == (100, 20)
    assert not set(names(first)) & set(names(second))
    assert len(names(console.get("/slos?all=yes").text)) == 120
    assert names(console.get("/slos?page=99").text) == names(second)


def test_without_objectives_the_page_says_how_to_begin(stage: Stage) -> None:
    console = pages(stage)
    assert "No objectives yet" in console.text("/slos")
    assert 'href="/slos/new"' in console.get("/slos").text
    assert 'href="/slos/new"' not in pages(stage, "bob").get("/slos").text


def test_numbers_that_are_not_of_now_are_called_old(stage: Stage) -> None:
    three(stage)
    stage.clock.advance(timedelta(minutes=3))
    for path in ("/slos", "/slos/dashboard", "/slos/tv", "/slos/gone"):
        assert "ld numbers" in pages(stage).text(path), path


def test_what_burns_stands_beside_the_change_before_it_with_the_way_to_undo_it(stage: Stage) -> None:
    change = break_it(stage)
    console = pages(stage, "bob")
    for path in ("/slos/dashboard", "/slos/api"):
        page = console.get(path).text
        assert "Changed just before" in words(page)
        assert "WORKERS in production" in words(page)
        assert f'href="/config/changes/{change}#undo"' in page
    assert "WORKERS in production" in console.text("/slos/tv")


def test_the_board_shows_only_what_needs_attention_and_what_is_left_out(stage: Stage) -> None:
    three(stage)
    stage.records(
        lambda records: records.exclude(
            "maintenance",
            service="chat",
            slos=(),
            since=stage.clock.now() - timedelta(minutes=1),
            until=None,
            reason="disks are replaced",
            by="alice",
            source="api",
        )
    )
    said = pages(stage).text("/slos/dashboard")
    assert "gone" in said
    assert "Quick enough" not in said
    assert "disks are replaced" in said
    assert "1 met, 1 without data" in said


def test_numbers_are_those_of_the_last_look_and_of_what_people_changed_since(stage: Stage) -> None:
    three(stage)
    console = pages(stage)

    def gone() -> dict[str, str]:
        table = csv.DictReader(io.StringIO(console.get("/slos.csv?q=gone").text))
        return next(iter(table))

    before = gone()
    assert gone() == before
    stage.run(timedelta(minutes=1))
    assert float(gone()["total"]) > float(before["total"])
    stage.put(slo("gone", objectives=[{"target": 0.4}]))
    assert gone()["target"] == "0.4"
    stage.clock.advance(timedelta(hours=1))  # nobody looks any more; windows move on all the same
    assert gone()["since"] > before["since"]
