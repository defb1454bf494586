"""Pages and API of runbooks: what somebody at night reads and presses."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.runbooks.serving import Serving, serving
from tests.runbooks.support import block, text_of
from watchkeeper.modules.alerts.public import Alerting, OwnAlert, groups
from watchkeeper.modules.alerts.store import GroupFilter
from watchkeeper.modules.catalog.model import Description
from watchkeeper.modules.catalog.service import Catalog
from watchkeeper.modules.runbooks.reading import content_of
from watchkeeper.modules.runbooks.rendering import html_of

PAGE = {"Accept": "text/html"}
INPUT = "inputs: [{name: word, description: what to say}]\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with serving(tmp_path_factory.mktemp("pages")) as opened:
        yield opened


def page(server: Serving, path: str, status: int = 200) -> str:
    answer = server.admin.get(path, headers=PAGE)
    assert answer.status_code == status, answer.text[:500]
    return " ".join(answer.text.split())


def press(server: Serving, path: str, **form: str) -> str:
    """Where a form leads."""
    answer = server.admin.post(path, data=form, headers={**PAGE, "Origin": server.url})
    assert answer.status_code == 303, answer.text[:800]
    return str(answer.headers["location"])


def test_a_runbook_is_read_signed_off_run_and_undone_on_its_pages(server: Serving) -> None:
    assert "No runbooks yet" in page(server, "/runbooks")
    body = block("echo $WK_WORD", "run=shell id=say title='Say it' undo=hush") + block("echo hush", "run=shell id=hush")
    revision = server.keep(text_of(body + "- [ ] Tell the others\n", INPUT), approve=False)
    shown = page(server, "/runbooks/shop")
    assert "not signed off: no step runs" in shown
    assert "Never reviewed · never rehearsed" in shown
    assert "Rollback: run 2 steps" in shown
    assert press(server, "/runbooks/shop/approve", revision=revision) == "/runbooks/shop"
    assert "signed off" in page(server, "/runbooks")
    start = page(server, "/runbooks/shop/start?section=rollback")
    assert "what to say" in start
    assert "hush" not in start.partition("<main")[2].partition("What it asks for")[0].replace("undo", "")
    again = server.admin.post("/runbooks/shop/start", data={"step": "say"}, headers={**PAGE, "Origin": server.url})
    assert again.status_code == 422
    assert "expected a value" in again.text
    run = press(server, "/runbooks/shop/start", **{"step": "say", "input.word": "<b>hi</b>", "reason": "a drill"})
    shown = page(server, run)
    assert "waits for you" in shown
    assert "&lt;b&gt;hi&lt;/b&gt;" in shown
    assert "<b>hi" not in shown
    assert press(server, f"{run}/steps/1/confirm") == run
    assert "No runner was ever here" in page(server, run)
    refused = server.admin.post(f"{run}/steps/1/confirm", headers={**PAGE, "Origin": server.url})
    assert refused.status_code == 409
    assert press(server, f"{run}/cancel") == run
    assert "cancelled" in page(server, run)
    rehearsal = press(server, "/runbooks/shop/start", **{"step": "say", "input.word": "x", "dry_run": "yes"})
    assert "rehearsal: nothing is done" in page(server, rehearsal)
    assert "Never reviewed · rehearsed" in page(server, "/runbooks/shop")
    assert "Rehearsed</dt><dd>never" not in page(server, "/runbooks/shop")
    assert "Shop (rehearsal)" in page(server, "/runs")


def test_a_rollback_is_offered_before_whatever_stands_above_it(server: Serving) -> None:
    body = block("echo", "run=shell id=back") + "## Warm up\n\n" + block("echo", "run=shell id=warm")
    text = text_of(body).replace("## Rollback", "## Look\n\n" + block("echo", "run=shell id=look") + "## Rollback", 1)
    server.keep(text, "order")
    said = page(server, "/runbooks/order")
    offered = [said.index(f"{one}: run 1 step") for one in ("Rollback", "Look", "Warm up")]
    assert offered == sorted(offered)


def test_who_may_only_read_is_shown_no_buttons(server: Serving) -> None:
    server.keep(text_of(block("echo", "run=shell id=a")), approve=False)
    token = server.admin.post("/api/v1/tokens", json={"name": "reader", "scopes": ["read"]}).json()["secret"]
    headers = {**PAGE, "Authorization": f"Bearer {token}"}
    shown = server.admin.get("/runbooks/shop", headers=headers).text
    assert 'method="post"' not in shown.partition("<main")[2]
    assert "Start the run" not in server.admin.get("/runbooks/shop/start", headers=headers).text
    assert server.admin.post("/runbooks/shop/start", headers=headers).status_code == 403
    for path in ("/api/v1/runbooks/shop/approve", "/api/v1/runbooks/shop/runs"):
        assert server.admin.post(path, json={}, headers=headers).status_code == 403


def test_a_service_and_an_alert_lead_to_their_runbook(server: Serving) -> None:
    watchkeeper = server.watchkeeper
    with watchkeeper.db.begin() as session:
        Catalog(session, watchkeeper.clock).declare("shop", Description(), by="local", source="test")
        alert = OwnAlert(source="test", key="slow", title="Slow", severity="error", service="shop", family="Too slow")
        watchkeeper.app.state.parts[Alerting].raise_own(session, alert, at=watchkeeper.clock.now())
        (group,) = groups(session, GroupFilter())
        beat = OwnAlert(
            source="test", key="b", title="b", severity="error", service="jar", labels={"heartbeat": "Nightly"}
        )
        watchkeeper.app.state.parts[Alerting].raise_own(session, beat, at=watchkeeper.clock.now())
        (of_beat,) = groups(session, GroupFilter(services=("jar",)))
    more = 'alerts: {"too slow": rollback, nightly: rollback}\nrelated: [jar]\n'
    server.keep(text_of(block("echo", "run=shell id=a"), more))
    # A heartbeat by its name, and of another service that the runbook names as related.
    assert 'href="/runbooks/shop#rollback"' in page(server, f"/alerts/{of_beat.id}")
    shown = page(server, f"/alerts/{group.id}")
    assert 'href="/runbooks/shop#rollback"' in shown
    assert f"/runbooks/shop/start?about=alert_group:{group.id}" in shown
    assert "Rollback" in page(server, "/services/shop/runbook")
    assert "runbook new --service other" in page(server, "/services/other/runbook")
    card = server.admin.get("/api/v1/services/shop/readiness").json()
    found = next(one for one in card["findings"] if one["key"] == "runbooks.runbook")
    assert found["outcome"] == "missing"
    assert "problem" in found["detail"]


def test_the_api_lists_shows_searches_and_says_what_is_wrong(server: Serving) -> None:
    server.keep(text_of("Words about *marmalade*.\n"), "jam")
    (one,) = [one for one in server.admin.get("/api/v1/runbooks").json()["items"] if one["name"] == "jam"]
    assert one["problems"] > 3
    assert one["overdue"] is True
    (hit,) = server.admin.get("/api/v1/runbooks/search", params={"q": "MARMALADE words"}).json()["items"]
    assert hit["href"] == "/runbooks/jam#rollback"
    assert "marmalade" in page(server, "/runbooks?q=marmalade")
    findings = server.admin.get("/api/v1/runbooks/jam/problems").json()["items"]
    assert any("expected a section 'Overview'" in one["said"] for one in findings)
    assert "set-parameter" in server.admin.get("/api/v1/runbooks/known").json()["actions"]
    for path in ("/api/v1/runbooks/none", "/api/v1/runs/none", "/runbooks/none", "/runs/none"):
        assert server.admin.get(path).status_code == 404
    order = {"steps": ["none"], "inputs": {}}
    assert server.admin.post("/api/v1/runbooks/jam/runs", json=order).json()["code"] == "runbooks.step_not_found"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ('<img src=x onerror="alert(1)">', "&lt;img src=x"),
        ("[a](javascript:alert(1))", "[a](javascript:alert(1))"),
        ("[a](data:text/html,x)", "[a](data:text/html,x)"),
        ("[a](//evil.example)", "<a>a</a>"),
        ("[a](ftp://x)", "<a>a</a>"),
        ("![a](https://x.example/p.png)", '<a href="https://x.example/p.png" rel="noopener noreferrer">a</a>'),
        ("[a](https://x.example/?a=1&b=2)", '<a href="https://x.example/?a=1&amp;b=2" rel="noopener noreferrer">'),
        ("[a](other.md#here)", '<a href="/runbooks/other#here">'),
        ("[a](#rollback)", '<a href="#rollback">'),
        ("- [ ] Tell <b>them</b>", '<li class="wr-box">\u2610 Tell &lt;b&gt;them&lt;/b&gt;'),
        ("## A <b>head</b>", '<h2 id="a-bheadb">A &lt;b&gt;head&lt;/b&gt;</h2>'),
        ("```sh\n</code><script>\n```", "&lt;/code&gt;&lt;script&gt;"),
    ],
)
def test_a_text_is_text_and_its_links_lead_only_where_links_may(text: str, shown: str) -> None:
    html = str(html_of(content_of("shop", text_of(text + "\n"))))
    assert shown in html
    assert "<script" not in html
    assert "onerror=" not in html.replace("onerror=&quot;", "")


def test_the_heading_that_repeats_the_title_is_not_shown_twice() -> None:
    html = str(html_of(content_of("shop", text_of("Words.\n"))))
    assert "<h1" not in html
    assert '<span id="shop"></span>' in html
    assert '<h2 id="rollback">Rollback</h2>' in html
    other = text_of("Words.\n").replace("# Shop", "# Another title", 1)
    assert '<h2 id="another-title">Another title</h2>' in str(html_of(content_of("shop", other)))


def test_a_step_says_in_the_text_what_happens_when_it_is_run() -> None:
    steps = block("shop release v1", "run=shell id=back title='Run v1' confirm=second timeout=2m expect=ok undo=forth")
    html = str(
        html_of(content_of("shop", text_of(steps + block("true", "run=shell id=forth repeatable") + block("x", ""))))
    )
    assert html.count('class="wr-step"') == 2
    assert "<b>Run v1</b>" in html
    said = "back: runs on a runner; asks a second person; at most 2 min; expects &#x27;ok&#x27;; undone by forth"
    assert said in html
    assert "forth: runs on a runner; asks first; at most 5 min; may be repeated" in html


def test_what_output_says_is_text_too(server: Serving) -> None:
    server.keep(text_of(block("x: 1", "run=set-parameter id=a confirm=none", "yaml")))
    run = server.start()
    step = server.run(run)["steps"][0]
    assert step["state"] == "failed"
    assert "key: expected a configuration key" in step["detail"]
    assert json.dumps(step["detail"])
