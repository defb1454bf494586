"""The page of a trace: whole, bounded, and useful for traces that are broken."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from tests.telemetry.console import Console
from tests.telemetry.support import MS, logs, spans
from watchkeeper.modules.telemetry.model import MINUTE, SECOND

# What is asked of the database, the list of parts, is tested on both engines beside the queries.
pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
ID = (b"t" * 16).hex()


def bars(page: str) -> list[tuple[float, float]]:
    """(start, width) of each bar, of 1000."""
    return [
        (float(x), float(width))
        for x, width in re.findall(r'class="wk-span [^>]*><rect x="([\d.]+)" y="4" width="([\d.]+)"', page)
    ]


def send_trace(console: Console, count: int) -> list[bytes]:
    request = spans(console.now - MINUTE, count=count)
    found = request.resource_spans[0].scope_spans[0].spans
    for span in found:
        span.trace_id = b"t" * 16
        span.parent_span_id = b"" if span is found[0] else found[0].span_id
    console.take(request)
    return [span.span_id for span in found]


def test_a_trace_too_long_to_show_says_so_and_shows_its_beginning(console: Console) -> None:
    send_trace(console, 5_200)
    page = console.page(f"/traces/{ID}")
    assert "the first 5,000; there are more" in page
    assert len(bars(page)) == 5_000
    assert len(page) < 12_000_000
    found = console.get(f"traces/{ID}")
    assert found["cut"]
    assert len(found["spans"]) == 5_000


def test_bars_stay_within_the_plot_whatever_clocks_said(console: Console) -> None:
    request = spans(console.now - MINUTE, count=6)
    found = request.resource_spans[0].scope_spans[0].spans
    for number, span in enumerate(found):
        span.trace_id = b"t" * 16
        span.parent_span_id = found[number - 1].span_id if number else found[5].span_id
        span.start_time_unix_nano -= number * 700 * MS
    console.take(request)
    found_bars = bars(console.page(f"/traces/{ID}"))
    assert len(found_bars) == 6
    assert all(start >= 0 and start + width <= 1_002 for start, width in found_bars)


def test_a_span_shows_what_was_said_about_it_and_where_it_leads(console: Console) -> None:
    request = spans(console.now - MINUTE, **{"db.query.text": "SELECT <b>1</b>"})
    span = request.resource_spans[0].scope_spans[0].spans[0]
    span.trace_id = b"t" * 16
    span.status.code, span.status.message = 2, "out of offers"
    event = span.events.add()
    event.name, event.time_unix_nano = "exception", span.start_time_unix_nano + 3 * MS
    stack = event.attributes.add()
    stack.key, stack.value.string_value = "exception.stacktrace", "File <string>, line 1"
    link = span.links.add()
    link.trace_id, link.span_id = b"o" * 16, b"s" * 8
    console.take(request, logs(console.now - MINUTE, "second", "third", trace_id=b"t" * 16))
    page = console.page(f"/traces/{ID}")
    for shown in ("SELECT &lt;b&gt;1&lt;/b&gt;", "out of offers", "3.00 ms in", "File &lt;string&gt;, line 1"):
        assert shown in page
    assert f'href="/traces/{(b"o" * 16).hex()}"' in page
    found = console.get(f"traces/{ID}")
    assert [line["body"] for line in found["logs"]] == ["second", "third"]
    assert found["spans"][0]["events"][0]["name"] == "exception"


def test_a_trace_whose_beginning_was_lost_is_shown_as_far_as_it_came(console: Console) -> None:
    request = spans(console.now - MINUTE, count=2)
    for span in request.resource_spans[0].scope_spans[0].spans:
        span.trace_id, span.parent_span_id = b"t" * 16, b"missing!"
    console.take(request)
    assert console.page(f"/traces/{ID}").count("parent missing") == 2


def test_a_trace_of_this_moment_says_that_more_may_come(console: Console) -> None:
    request = spans(console.now - 5 * SECOND)
    request.resource_spans[0].scope_spans[0].spans[0].trace_id = b"t" * 16
    console.take(request)
    page = console.page(f"/traces/{ID}")
    again = re.search(r'href="([^"]*)">Look again', page)
    assert again
    console.clock.advance(timedelta(seconds=20))
    assert "may arrive" not in console.page(f"/traces/{ID}{again[1]}")


def test_an_unknown_trace_is_explained(console: Console) -> None:
    answer = console.api("traces/" + "0" * 31 + "1")
    assert answer.status_code == 404
    assert answer.json()["code"] == "telemetry.trace_not_found"
    assert "7 days" in answer.json()["detail"]
