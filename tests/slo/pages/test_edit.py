"""Defining, changing and deleting an SLO in the console: looked at first, refused with the way out."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.slo.pages.support import pages, words
from tests.slo.support import Stage, slo
from tests.telemetry.support import MS, now_of, send, spans, store_on
from watchkeeper.modules.telemetry.query import Telemetry

# What pages ask the database is asked by the API, too, and tested on both engines there.
pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)

FIELDS = {
    "way": "fields",
    "name": "gateway-availability",
    "service": "gateway",
    "kind": "availability",
    "target": "99.9",
    "window": "30d",
}


@pytest.fixture
def telemetry(stage: Stage, tmp_path: Path) -> Iterator[Telemetry]:
    """What the gateway sent: 400 requests, two of them failed."""
    with store_on(stage.database, stage.clock, tmp_path / "telemetry-data") as store:
        for status, count in ((200, 398), (503, 2)):
            send(store, spans(now_of(stage.clock) - 30_000 * MS, service="gateway", count=count, status_code=status))
            store.flusher.flush()
        telemetry = store.telemetry(stage.database)
        yield telemetry
        telemetry.close()


def definition(stage: Stage, name: str = "gateway-availability") -> dict[str, object]:
    found: dict[str, object] = pages(stage).get(f"/api/v1/slos/{name}").json()["definition"]
    return found


def test_an_slo_is_defined_by_fields(stage: Stage) -> None:
    answer = pages(stage, "dora").send("/slos/new", **FIELDS, exclude_routes="/healthz\n/metrics")
    assert answer.headers["location"] == "/slos/gateway-availability"
    made = definition(stage)
    assert made["objectives"][0]["target"] == 0.999  # type: ignore[index]
    assert made["indicator"]["exclude_routes"] == ["/healthz", "/metrics"]  # type: ignore[index]
    assert [fact.source for fact in stage.facts("slo.defined")] == ["console"]


def test_a_look_shows_what_it_would_be_and_keeps_nothing(stage: Stage, telemetry: Telemetry) -> None:
    console = pages(stage, parts={Telemetry: telemetry})
    page = console.send("/slos/new", 200, **FIELDS, look="yes").text
    said = words(page)
    assert "as it would be" in said
    assert "Budget: 43.2 min of a full outage in 30 days, rolling." in said
    assert "99.50 % of 400 requests" in said
    assert "this budget overspent 5.0 times" in said
    # 14.4x over an hour: 52 s of a total outage, 8.6 minutes of one in ten, never of one in a hundred.
    assert re.search(r"14\.4x over 1h and 5m page 0\.9 min 8\.6 min never", said)
    assert 'value="gateway-availability"' in page
    assert stage.facts() == []


def test_alerts_that_can_never_fire_are_said_while_one_can_still_change_them(stage: Stage) -> None:
    said = words(pages(stage).send("/slos/new", 200, **{**FIELDS, "target": "90"}, look="yes").text)
    assert "The alert 14.4x over 1h can never fire at 0.9: a total outage burns 10x." in said
    assert re.search(r"14\.4x over 1h and 5m page never never never", said)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"target": "100"}, "100 % leaves no budget"),
        ({"target": "much"}, "a percentage between 0 and 100"),
        ({"name": "Not A Name"}, "a name of lower-case letters"),
        ({"name": "reports"}, "another name"),
        ({"kind": "latency"}, "a duration above 0: latency needs one"),
        ({"kind": "latency", "threshold": "500"}, "with its unit"),
        ({"window": "400d"}, "between 1h and 366d"),
        ({"window": "month", "time_zone": "Mars/North"}, "a time zone such as Europe/Oslo"),
        ({"way": "text", "text": "name: x\nservice: ["}, "line 3, column 1"),
        ({"way": "text", "text": "a: 1\n---\nb: 2\n"}, "one definition"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_lost_or_changed(
    stage: Stage, changes: dict[str, str], expected: str
) -> None:
    sent = {**FIELDS, "description": "typed with care", **changes}
    page = pages(stage).send("/slos/new", 422, **sent).text
    assert expected in words(page).replace("\n", " ")
    assert "Nothing was changed" in page
    assert "typed with care" in page
    assert html.escape(sent.get("text", "").splitlines()[0] if sent.get("text") else "") in page
    assert stage.facts() == []


def test_what_fields_can_not_say_is_said_as_text(stage: Stage) -> None:
    text = """
name: checkout
service: gateway
indicator: {kind: latency, service: gateway, routes: [/checkout]}
objectives:
  - {name: quick, target: 0.95, threshold: 300ms}
  - {name: bearable, target: 0.999, threshold: 2s}
window: {calendar: month, time_zone: Europe/Oslo}
"""
    pages(stage).send("/slos/new", way="text", text=text)
    page = pages(stage).get("/slos/checkout/edit").text
    assert 'id="slo-text"' in page
    assert 'id="slo-target"' not in page
    shown = re.search(r'id="slo-text"[^>]*>(.*?)</textarea>', page, re.DOTALL)
    assert shown is not None
    pages(stage).send("/slos/checkout/edit", way="text", version="1", text=shown[1])
    assert stage.kinds() == ["defined"]  # the same again changes nothing


def test_a_change_is_looked_at_made_and_refused_where_somebody_was_quicker(stage: Stage) -> None:
    stage.put(slo("gateway-availability"))
    console = pages(stage)
    changed = {**FIELDS, "target": "99.5", "version": "1"}
    said = words(console.send("/slos/gateway-availability/edit", 200, **changed, look="yes").text)
    assert "objectives" in said
    assert '"target":0.999' in said
    assert '"target":0.995' in said
    console.send("/slos/gateway-availability/edit", **changed)
    assert definition(stage)["objectives"][0]["target"] == 0.995  # type: ignore[index]
    stale = console.send("/slos/gateway-availability/edit", 409, **{**changed, "target": "99"})
    assert "Look again" in words(stale.text)
    renamed = console.send("/slos/gateway-availability/edit", 422, **{**changed, "version": "2", "name": "other"})
    assert "an SLO keeps its name" in words(renamed.text)


def test_changing_by_fields_keeps_what_has_no_field(stage: Stage) -> None:
    stage.put(slo("gateway-availability", tags=["gold"], critical=False, alerting={"minimum_bad_events": 9}))
    pages(stage).send("/slos/gateway-availability/edit", **{**FIELDS, "target": "99.5", "version": "1"})
    made = definition(stage)
    assert (made["tags"], made["critical"]) == (["gold"], False)
    assert made["alerting"]["minimum_bad_events"] == 9  # type: ignore[index]


def test_deleting_says_what_it_does_and_asks_for_a_reason(stage: Stage) -> None:
    stage.put(slo("gateway-availability"))
    console = pages(stage)
    assert "Delete gateway-availability" in console.text("/slos/gateway-availability")
    console.send("/slos/gateway-availability/delete", 422, reason="  ")
    console.send("/slos/gateway-availability/delete", reason="nobody looks at it")
    (fact,) = stage.facts("slo.removed")
    assert fact.data["reason"] == "nobody looks at it"
    console.get("/slos/gateway-availability", 404)


def test_the_last_weeks_suggest_targets_that_fill_the_form(stage: Stage, telemetry: Telemetry) -> None:
    console = pages(stage, parts={Telemetry: telemetry})
    said = console.text("/slos/new?service=gateway")
    assert "99.5000% of 400 requests" in said
    page = console.get("/slos/new?service=gateway&take=gateway-latency").text
    assert 'value="gateway-latency"' in page
    assert re.search(r'id="slo-threshold"[^>]*value="25ms"', page)
    assert "too few to suggest" in console.text("/slos/new?service=nobody")


def test_who_may_only_read_sees_no_forms_and_changes_nothing(stage: Stage) -> None:
    stage.put(slo("gateway-availability"))
    bob = pages(stage, "bob")
    page = bob.get("/slos/gateway-availability").text
    assert "/edit" not in page
    assert "/delete" not in page
    for path in ("/slos/new", "/slos/gateway-availability/edit"):
        form = bob.get(path).text
        assert "You may look" in form
        assert not re.search(r"Define it|Change it|Look at it first", form)
    bob.send("/slos/new", 403, **FIELDS)
    bob.send("/slos/gateway-availability/delete", 403, reason="no")
    assert stage.kinds() == ["defined"]
