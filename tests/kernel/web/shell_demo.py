"""A console with nothing of ours in it but the shell: a chart, a table, a live list."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Annotated, Any

import uvicorn
from fastapi import FastAPI, Form, Request

from tests.kernel.web.support import ALICE, VIEW
from watchkeeper.kernel.web.access import Actor, Authenticator, requires
from watchkeeper.kernel.web.app_factory import create_app
from watchkeeper.kernel.web.pages import NavItem, render
from watchkeeper.kernel.web.sse import ServerSentEvent, Streams, event_stream
from watchkeeper.kernel.web.wire import PageForm, page_router

Who = Annotated[Actor, requires(VIEW)]
router = page_router()
PAGE = """{% extends "shell/base.html" %}{% from "shell/macros.html" import chart, csrf_field, command %}
{% block title %}Demo{% endblock %}
{% block content %}<div class="wk-stack">
{{ chart("Latency", "/numbers", unit="ms", bucket_href="/traces?since={from}&until={to}") }}
{{ chart("Nothing", "/nothing") }}
<section class="wk-panel"><div class="wk-scroll"><table class="wk-table wk-cards"><thead><tr>
<th data-sort>Name</th><th data-sort="descending" class="wk-number">Size</th></tr></thead><tbody>
{% for name, size in [("beta", 9), ("alpha", 10), ("gamma", 2)] %}
<tr><td>{{ name }}</td>
<td data-label="Size" data-value="{{ size }}">{{ size }} req/s</td></tr>{% endfor %}</tbody></table></div>
</section>
<span class="wk-live" id="live"></span>
<ol class="wk-feed" data-sse="/stream" data-sse-state="#live" data-sse-max="3"><li>old</li></ol>
<input data-search type="search" aria-label="Search"><time datetime="2020-01-01T00:00:00Z" data-when="clock">x</time>
<form method="post" action="/form">{{ csrf_field() }}<button class="btn" id="send">Send</button></form>
<button class="btn" id="hx" hx-post="/form" hx-target="#out">Send by htmx</button><div id="out"></div>
{{ command("export A=" ~ "x" * 300) }}</div>{% endblock %}"""


class Alice:
    async def authenticate(self, request: Any) -> Actor:
        return ALICE


@router.get("/")
async def home(request: Request, who: Who) -> Any:
    return render(request, "demo/page.html")


@router.post("/form")
async def form(who: Who, sent: Annotated[PageForm, Form()]) -> str:
    return "received"


@router.get("/numbers", response_model=None)
async def numbers(who: Who) -> Any:
    times = [1_700_000_000 + 60 * minute for minute in range(30)]
    values = [None if minute == 9 else 20 + minute for minute in range(30)]
    series = [{"label": "p50", "values": values}, {"label": "p95", "values": [(v or 0) * 4 for v in values]}]
    from starlette.responses import JSONResponse

    return JSONResponse({"times": times, "series": series, "marks": [{"at": times[5], "label": "v2", "href": "/x"}]})


@router.get("/nothing", response_model=None)
async def nothing(who: Who) -> Any:
    from starlette.responses import JSONResponse

    return JSONResponse({"times": [], "series": []})


@router.get("/stream", response_model=None)
async def stream(request: Request, who: Who) -> Any:
    async def source():
        for number in range(4):
            yield ServerSentEvent(f"<li>event {number}</li>", id=str(number))
        await asyncio.Event().wait()

    return event_stream(request, source())


def demo_app(folder: Path) -> FastAPI:
    """The app, with its template written to `folder`."""
    (folder / "page.html").write_text(PAGE, encoding="utf-8")
    nav = [NavItem("Home", "/", "home", key="h"), NavItem("Services", "/services", "services", order=200, key="s")]
    return create_app(parts={Authenticator: Alice()}, routers=[router], nav=nav, templates={"demo": folder})


@contextmanager
def serving(app: FastAPI) -> Iterator[str]:
    """The app on a free port of loopback; gives its address."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, lifespan="off"))
    thread = Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.02)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.servers[0].get_loop().call_soon_threadsafe(app.state.parts[Streams].close)
        server.should_exit = True
        thread.join(10)
