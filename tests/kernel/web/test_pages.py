"""Pages: one shell, only what the actor may open, and nothing a visitor wrote becomes HTML."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from jinja2 import UndefinedError
from starlette.requests import Request
from starlette.testclient import TestClient

from tests.kernel.web.support import ALICE, BOB, MANAGE, VIEW
from watchkeeper.kernel.clock import ManualClock, SystemClock
from watchkeeper.kernel.web.access import Actor
from watchkeeper.kernel.web.app_factory import create_app
from watchkeeper.kernel.web.csrf import Csrf
from watchkeeper.kernel.web.pages import Banner, Banners, NavItem, Pages, render, render_fragment

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
NAV = [
    NavItem("Settings", "/settings", "settings", order=90, permission=MANAGE),
    NavItem("Services", "/services", "services", order=10, permission=VIEW, key="s"),
    NavItem("Home", "/", "home", order=0),
]
SHELL = '{% extends "shell/base.html" %}{% block title %}{{ name }}{% endblock %}{% block content %}'
MACROS = """{% from "shell/macros.html" import empty_state, status_badge, csrf_field, pager, tabs, stat, chart, spark,
meter, span_bar %}"""


class Disk:
    def banners(self, actor: Actor) -> list[Banner]:
        return [Banner("warning", f"{actor.name}: the disk is <full>", "/settings")]


@pytest.fixture
def app(tmp_path: Path):
    parts = {SystemClock: ManualClock(NOON), Banners: Banners([Disk()])}
    return create_app(parts=parts, nav=NAV, templates={"demo": tmp_path})


def page(app, tmp_path: Path, text: str, actor: Actor | None = ALICE, path: str = "/services/x", **context):
    (tmp_path / "page.html").write_text(text, encoding="utf-8")
    return render(request_by(app, actor, path), "demo/page.html", **context).body.decode()


def request_by(app, actor: Actor | None, path: str = "/") -> Request:
    state = {"watchkeeper.actor": actor}
    return Request(
        {
            "type": "http",
            "method": "GET",
            "path": path,
            "query_string": b"",
            "headers": [],
            "app": app,
            "state": state,
            "server": ("x", 80),
            "scheme": "http",
        }
    )


def test_what_a_visitor_wrote_is_text(app, tmp_path):
    html = page(app, tmp_path, SHELL + "{{ name }}{% endblock %}", name="<script>alert(1)</script>")
    assert "<script>alert" not in html
    assert "&lt;script&gt;" in html


def test_a_forgotten_value_is_an_error_and_not_an_empty_place(app, tmp_path):
    with pytest.raises(UndefinedError):
        page(app, tmp_path, SHELL + "{{ forgotten }}{% endblock %}", name="x")


def test_navigation_shows_what_the_actor_may_open_in_order(app):
    def labels(actor):
        return [item.label for item in app.state.parts[Pages].nav_for(actor)]

    assert labels(ALICE) == ["Home", "Services", "Settings"]
    assert labels(BOB) == ["Home", "Services"]
    assert labels(None) == []


def test_the_current_place_is_marked_also_below_it(app, tmp_path):
    html = page(app, tmp_path, SHELL + "{% endblock %}", name="x", path="/services/duet")
    assert re.findall(r'href="([^"]+)" aria-current="page"', html) == ["/services"]


def test_banners_are_on_every_page_of_the_signed_in(app, tmp_path):
    assert "Alice: the disk is &lt;full&gt;" in page(app, tmp_path, SHELL + "{% endblock %}", name="x")
    assert "the disk" not in page(app, tmp_path, SHELL + "{% endblock %}", None, name="x")


def test_the_form_token_is_there_however_the_macro_was_imported(app, tmp_path):
    text = SHELL + '{% from "shell/macros.html" import csrf_field %}{{ csrf_field() }}{% endblock %}'
    token = app.state.parts[Csrf].token("ses_alice")
    assert f'name="csrf_token" value="{token}"' in page(app, tmp_path, text, name="x")


def test_relative_times_use_the_pages_one_now(app, tmp_path):
    text = SHELL + "{{ at | when }}{% endblock %}"
    assert "2 min ago" in page(app, tmp_path, text, name="x", at=datetime(2026, 3, 2, 11, 58, tzinfo=UTC))


def test_every_macro_writes_something_readable(app, tmp_path):
    text = (
        SHELL
        + MACROS
        + """{{ empty_state("No logs yet", "Send some.", "export OTEL=1") }}{{ status_badge("danger", "Failing") }}
        {{ pager("abc=", "/logs?q=x") }}{{ pager(none) }}
        {{ tabs([("Overview", "/", true), ("Routes", "/r", false, 14)]) }}
        {{ stat("Errors", "2.4 %", window="5 min", fresh="4 s ago", kind="danger") }}
        {{ chart("Latency", "/api/x?a=1&b=2", unit="ms") }}
        {{ spark([1, none, 3], "requests") }}{{ meter(0.5, "ok") }}{{ span_bar(0.1, 0.0001) }}{% endblock %}"""
    )
    html = page(app, tmp_path, text, name="x")
    assert "No logs yet" in html
    assert "export OTEL=1" in html
    assert re.search(r'wk-danger".*?<svg.*?<span>Failing</span>', html, re.DOTALL)
    assert 'href="/logs?q=x&amp;cursor=abc%3D"' in html
    assert 'aria-current="page">Overview' in html
    assert "5 min, 4 s ago" in html
    assert 'data-src="/api/x?a=1&amp;b=2"' in html
    assert 'aria-label="requests"' in html


def test_no_page_carries_inline_script_or_style(app, tmp_path):
    html = page(app, tmp_path, SHELL + MACROS + "{{ meter(0.3) }}{{ span_bar(0, 1) }}{% endblock %}", name="x")
    assert not re.search(r"<script(?![^>]*src=)|<style|\sstyle=|\son[a-z]+=", html)
    assert not re.search(r'(?:src|href)="https?:', html)


def test_a_fragment_has_the_same_filters_and_no_shell(app, tmp_path):
    (tmp_path / "piece.html").write_text("<li>{{ 1500000 | duration }}</li>", encoding="utf-8")
    assert render_fragment(request_by(app, ALICE), "demo/piece.html") == "<li>1.50 ms</li>"


def test_a_page_for_strangers_has_no_side_bar():
    client = TestClient(create_app(parts={}))
    answer = client.get("/nothing", headers={"accept": "text/html"})
    assert "wk-side" not in answer.text
    assert answer.text.count("<h1>") == 1
    assert answer.headers["cache-control"] == "no-store"
