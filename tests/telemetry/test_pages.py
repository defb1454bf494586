"""Pages of telemetry: the worst first, every state in the address, and inert whatever was sent."""

from __future__ import annotations

import csv
import html
import io
import re
from datetime import timedelta
from urllib.parse import quote, urlencode

import pytest

from tests.catalog.support import words
from tests.kernel.web.support import PAGE
from tests.telemetry.console import Console
from tests.telemetry.support import counter, histogram, logs, spans
from watchkeeper.modules.telemetry.model import HOUR, MINUTE, SECOND

# What is asked of the database, the list of parts, is tested on both engines beside the queries.
pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
GATEWAY = "/services/duet-gateway"
HOSTILE = "<script>alert('x')</script>"


def fields_of(page: str, action: str) -> dict[str, str]:
    """What a browser sends for a form in which nothing was touched."""
    found = re.search(rf'<form[^>]*action="{re.escape(action)}".*?</form>', page, re.DOTALL)
    assert found, f"no form for {action}"
    form = found.group()
    fields = {}
    for tag in re.findall(r"<input[^>]*>", form):
        name, value = re.search(r'name="([^"]*)"', tag), re.search(r'value="([^"]*)"', tag)
        if name:
            fields[name[1]] = html.unescape(value[1] if value else "")
    for name, options in re.findall(r'<select[^>]*name="([^"]*)".*?>(.*?)</select>', form, re.DOTALL):
        chosen = re.search(r"<option([^>]*) selected[^>]*>([^<]*)", options) or re.search(
            r"<option([^>]*)>([^<]*)", options
        )
        assert chosen
        value = re.search(r'value="([^"]*)"', chosen[1])
        fields[name] = value[1] if value else chosen[2]
    return fields


def rows_of(page: str) -> list[str]:
    """The text of each row of the tables of a page."""
    content = page.partition("<main")[2].partition("</main>")[0]
    return [" ".join(re.sub(r"<[^>]*>", " ", row).split()) for row in re.findall(r"<tr>.*?</tr>", content, re.DOTALL)]


def test_an_empty_house_says_the_two_lines_that_send_something(console: Console) -> None:
    text = console.page("/")
    assert "Nothing has sent telemetry yet" in text
    assert "export OTEL_EXPORTER_OTLP_ENDPOINT=http://testserver" in text
    assert "export OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf" in text


def test_home_shows_the_worst_service_first_with_rate_errors_and_freshness(console: Console) -> None:
    now = console.now
    console.take(
        spans(now - 70 * SECOND, service="well", count=120, seed=1),
        spans(now - 41 * SECOND, service="broken", count=60, seed=2, status_code=500),
    )
    page = console.page("/")
    assert "1 service needs a look" in page
    _, first, second = rows_of(page)
    assert first.startswith("broken Failing")
    assert "100 %" in first
    assert first.endswith("41 s ago")
    assert second.startswith("well OK")
    assert "1 req/s" in second


def test_a_service_that_died_does_not_fall_off_home(console: Console) -> None:
    console.see("dead", "worker")
    console.clock.advance(timedelta(minutes=40))
    console.see("worker")
    console.take(spans(console.now - MINUTE, service="well"))
    page = console.page("/")
    assert "1 service went silent" in page
    first, second, third = rows_of(page)[1:]
    assert first.startswith("dead Silent")
    assert first.endswith("40 min ago")
    assert second.startswith("well OK")
    assert third.startswith("worker No requests")
    console.clock.advance(timedelta(days=2))
    assert "dead" not in words(console.page("/"))


def test_the_overview_shows_numbers_with_unit_window_and_freshness(console: Console) -> None:
    now = console.now
    console.take(
        spans(now - 2 * MINUTE, count=100, duration=20_000_000, seed=1),
        spans(now - MINUTE, count=20, duration=900_000_000, seed=2, status_code=500, route="/v1/slow"),
        logs(now - MINUTE, "no such offer", severity=17),
    )
    text = words(console.page(GATEWAY))
    assert "Requests 1 req/s over 15m" in text
    assert "16.7 %" in text
    assert "20 of 120" in text
    assert "GET /v1/slow" in text
    assert "no such offer" in text


def test_the_overview_says_how_the_service_does_now(console: Console) -> None:
    console.take(spans(console.now - MINUTE, count=10, status_code=503))
    assert "> duet-gateway Failing 15m" in words(console.page(GATEWAY))
    assert "Failing" not in console.page(f"{GATEWAY}?since=1h&until=30s")
    console.clock.advance(timedelta(minutes=6))
    assert "> duet-gateway Silent 15m" in words(console.page(GATEWAY))
    console.see("duet-gateway")
    assert "> duet-gateway Failing 15m" in words(console.page(GATEWAY))


def test_routes_are_exported_without_formulas(console: Console) -> None:
    console.take(spans(console.now - MINUTE, count=3, route="=cmd()"), spans(console.now - MINUTE, route="/a", seed=2))
    link = re.search(r'href="([^"]*routes\.csv[^"]*)"', console.page(f"{GATEWAY}/routes?since=6h"))
    assert link
    assert "since=6h" in link[1]
    header, first, second = list(csv.reader(io.StringIO(console.page(html.unescape(link[1])))))
    assert header[:4] == ["method", "route", "requests", "requests per second"]
    assert first[:5] == ["GET", "'=cmd()", "3", "0.05", "0"]
    assert second[:2] == ["GET", "/a"]


def test_tables_and_totals_agree_on_the_rate(console: Console) -> None:
    console.take(spans(console.now - 2 * MINUTE, count=120))
    for path, least in (("/", 1), (GATEWAY, 2), (f"{GATEWAY}/routes", 1)):
        text = words(console.page(path))
        assert len(re.findall(r"\b1(?:\.00)?\b", text)) >= least, text
    assert console.get("services")[0]["red"]["requests_per_second"] == 1
    assert console.get("services/duet-gateway/routes")[0]["red"]["requests_per_second"] == 1


def test_a_choice_is_kept_by_every_link_of_the_page(console: Console) -> None:
    console.take(spans(console.now - MINUTE))
    console.see("duet-gateway", environment="demo")
    console.see("duet-gateway", environment="production")
    page = html.unescape(console.page(f"{GATEWAY}?since=6h&environment=demo&route=/v1/offers"))
    assert f"{GATEWAY}?environment=demo&route=%2Fv1%2Foffers&since=24h" in page
    assert f"{GATEWAY}?since=6h&environment=production&route=%2Fv1%2Foffers" in page
    assert "charts/duet-gateway/latency?since=6h&environment=demo&route=%2Fv1%2Foffers" in page
    assert f"{GATEWAY}?since=6h&environment=demo&route=/v1/offers" in page
    assert fields_of(page, GATEWAY) == {"environment": "demo", "route": "/v1/offers", "since": "6h", "until": ""}


def test_an_environment_is_chosen_where_there_are_several(console: Console) -> None:
    console.see("duet-gateway", environment="demo")
    assert "all environments" not in console.page(GATEWAY)
    console.see("duet-gateway", environment="production")
    assert "all environments" in console.page(f"{GATEWAY}/routes")
    console.take(spans(console.now - MINUTE))
    assert "/v1/offers" in console.page(f"{GATEWAY}/routes?environment=demo")
    assert "/v1/offers" not in console.page(f"{GATEWAY}/routes?environment=production")


def test_what_is_looked_at_now_keeps_itself_up_to_date_with_one_request(console: Console) -> None:
    console.take(spans(console.now - MINUTE, status_code=500))
    for path, parts in (("/", ("live", "verdict")), (GATEWAY, ("live", "verdict", "blocks", "live-tables"))):
        page = console.page(path)
        (trigger,) = re.findall(r"<[^>]*hx-trigger[^>]*>", page)
        asked = html.unescape(re.search(r'hx-get="([^"]*)"', trigger)[1])  # type: ignore[index]
        again = console.page(asked)
        for part in parts:
            assert f'id="{part}"' in page
            assert f'id="{part}"' in again
            assert f"#{part}" in trigger


def test_a_chosen_past_stands_still(console: Console) -> None:
    console.take(spans(console.now - 3 * HOUR))
    past = console.page(f"{GATEWAY}?since=4h&until=2h")
    assert "over 4h to 2h" in words(past)
    assert "hx-trigger" not in past
    assert ">4h to 2h</summary>" in past
    assert ">Other times</summary>" in console.page(f"{GATEWAY}?since=6h")
    assert ">3h</summary>" in console.page(f"{GATEWAY}?since=3h")
    assert "hx-trigger" in console.page(f"{GATEWAY}?since=4h")
    assert "hx-trigger" not in console.page("/?since=4h&until=2h")


@pytest.mark.parametrize(
    "path", ["/traces", "/traces?service=duet-gateway", "/logs", "/logs?severity=error&trace_id=" + "7" * 32]
)
def test_a_filter_form_sent_as_it_is_shows_the_same_list(console: Console, path: str) -> None:
    console.see("duet-gateway")
    console.take(spans(console.now - MINUTE), logs(console.now - MINUTE, "hello", severity=17, trace_id=b"w" * 16))
    fields = fields_of(console.page(path), path.partition("?")[0])
    again = console.page(f"{path.partition('?')[0]}?{urlencode(fields)}")
    assert fields_of(again, path.partition("?")[0]) == fields


def test_lists_go_on_where_the_page_ends(console: Console) -> None:
    console.take(spans(console.now - MINUTE, count=60), logs(console.now - MINUTE, *[f"line {n}." for n in range(60)]))
    for path, wanted in (("/traces", "/v1/offers"), ("/logs", "line ")):
        page = console.page(path)
        following = re.search(r'rel="next" href="([^"]*)"', page)
        assert following
        rest = console.page(html.unescape(following[1]))
        assert 'rel="next"' not in rest
        assert wanted in rest


def test_a_log_line_leads_to_its_trace_and_the_trace_shows_the_line(console: Console) -> None:
    request = spans(console.now - MINUTE)
    request.resource_spans[0].scope_spans[0].spans[0].trace_id = b"t" * 16
    console.take(request, logs(console.now - MINUTE, "the offer is gone", trace_id=b"t" * 16))
    link = re.search(r'href="(/traces/[^"]*)"', console.page("/logs"))
    assert link
    assert (b"t" * 16).hex() in link[1]
    trace = console.page(html.unescape(link[1]))
    assert "the offer is gone" in trace
    assert "GET /v1/offers" in trace


def test_a_slow_bucket_of_a_chart_leads_to_its_traces(console: Console) -> None:
    console.take(spans(console.now - MINUTE))
    page = console.page(f"{GATEWAY}?route=/v1/offers&environment=demo")
    assert (
        "/traces?service=duet-gateway&route=/v1/offers&environment=demo&order=slowest&since={from}&until={to}"
        in html.unescape(page)
    )


def test_a_metric_is_listed_and_drawn(console: Console) -> None:
    now = console.now
    console.take(
        counter([(now - MINUTE, 1.0), (now - 1, 5.0)]), histogram(now - 1, [1, 2, 0], [0.1, 0.2], name="duet.age")
    )
    page = console.page(f"{GATEWAY}/metrics?name=duet.offers")
    assert "duet.age" in page
    assert "metrics/chart?service=duet-gateway&since=15m&name=duet.offers" in html.unescape(page)


@pytest.mark.parametrize("name", [HOSTILE, 'a"b', "team/api", "ünïcode ✓", "a&b=c", "100%", "x" * 300, "\u202egnp"])
def test_a_service_of_any_name_has_working_inert_pages(console: Console, name: str) -> None:
    console.see(name[:200])
    now = console.now - MINUTE
    console.take(
        spans(now, service=name, route=f"/{HOSTILE}", **{HOSTILE: HOSTILE}),
        logs(now, HOSTILE, service=name, **{HOSTILE: HOSTILE, '" onload="x': '"'}),
    )
    path = f"/services/{quote(name)}"
    query = quote(name, safe="")
    pages = ["/", path, f"{path}/routes", f"{path}/metrics", f"/traces?service={query}", f"/logs?service={query}"]
    trace = re.search(r'href="(/traces/[0-9a-f]{32}[^"]*)"', console.page(pages[4]))
    assert trace
    for one in [*pages, html.unescape(trace[1])]:
        page = console.page(one)
        assert "<script>" not in page
        assert 'onload="x' not in page.replace("&#34;", "")
    for chart in ("traffic", "errors", "latency"):
        assert console.get(f"charts/{query}/{chart}")["times"]
    assert console.get(f"services/{query}/red")["service"] == name
    assert console.get(f"services/{query}/routes")[0]["red"]["requests"] == 1


def test_control_characters_and_endless_lines_are_shown_inertly(console: Console) -> None:
    console.take(logs(console.now - MINUTE, "bell \x07 and \x1b[31mred\x1b[0m", "y" * 10_000, "a\r\nb"))
    page = console.page("/logs")
    summaries = re.findall(r'wk-line-body">(.*?)</span>', page, re.DOTALL)
    assert max(len(text) for text in summaries) < 500
    assert "y" * 10_000 in page


def test_charlie_is_shown_the_door(console: Console) -> None:
    for path in ("/", GATEWAY, f"{GATEWAY}/routes", f"{GATEWAY}/metrics", "/traces", "/traces/" + "0" * 32, "/logs"):
        answer = console.ask(path, PAGE)
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/login")
