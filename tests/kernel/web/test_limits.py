"""Bodies that are too large or nested too deeply go no further than the door."""

import asyncio
import json
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.kernel.web.support import SEND, bearer, browser, messages_of, small_app
from watchkeeper.kernel.settings import ServerSettings
from watchkeeper.kernel.web.access import Actor, requires
from watchkeeper.kernel.web.limits import MAX_JSON_DEPTH, RequestLimits, json_depth
from watchkeeper.kernel.web.settings import WebSettings
from watchkeeper.kernel.web.wire import api_router

LIMIT = 2_000
api = api_router("things")


@api.post("/things")
async def make(body: dict[str, Any] | list[Any], who: Annotated[Actor, requires(SEND)]) -> int:
    return len(body)


class Swallow:
    """A mounted app that reads all there is, as the intake does."""

    permission = SEND

    async def __call__(self, scope, receive, send):
        size, more = 0, True
        while more:
            message = await receive()
            size += len(message.get("body", b""))
            more = message.get("more_body", False)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": str(size).encode()})


@pytest.fixture
def client():
    settings = {WebSettings: WebSettings(max_body_bytes=LIMIT), ServerSettings: ServerSettings()}
    mounts = {"/v1/traces": Swallow(), "/own": Swallow(), "/small": Swallow()}
    limits = {"/v1/": 10_000, "/own": None, "/small": 10}
    client = browser(small_app(api, parts=settings, mounts=mounts, body_limits=limits))
    client.headers.update(bearer("intake"))
    return client


def chunks(size: int):
    for _ in range(size // 100):
        yield b" " * 100


def test_a_body_within_the_limit_arrives_whole(client):
    assert client.post("/api/v1/things", json=list(range(100))).json() == 100


def test_a_declared_length_over_the_limit_is_refused_without_reading(client):
    answer = client.post("/api/v1/things", json=["x" * LIMIT])
    assert answer.status_code == 413
    assert answer.json()["code"] == "kernel.too_large"
    assert "2,000 bytes" in answer.json()["detail"]


def test_a_chunked_body_over_the_limit_is_refused_too(client):
    answer = client.post("/api/v1/things", content=chunks(5_000), headers={"content-type": "application/json"})
    assert answer.status_code == 413


def test_a_body_that_is_no_json_is_counted_while_it_is_read(client):
    answer = client.post("/api/v1/things", content=chunks(5_000), headers={"content-type": "text/plain"})
    assert answer.status_code == 413


@pytest.mark.parametrize(
    ("path", "size", "status"),
    [
        ("/v1/traces", 9_000, 200),
        ("/v1/traces", 11_000, 413),
        ("/own", 90_000, 200),
        ("/small", 9, 200),
        ("/small", 900, 413),
    ],
)
def test_a_prefix_has_its_own_limit_or_counts_for_itself(client, path, size, status):
    assert client.post(path, content=b"x" * size).status_code == status


def test_a_mount_that_reads_a_chunked_body_over_its_limit_is_cut_off(client):
    assert client.post("/v1/traces", content=chunks(20_000)).status_code == 413


@pytest.mark.parametrize(("depth", "status"), [(MAX_JSON_DEPTH, 200), (MAX_JSON_DEPTH + 1, 400), (900, 400)])
def test_json_nested_deeper_than_the_limit_is_malformed(client, depth, status):
    answer = client.post(
        "/api/v1/things", content=b"[" * depth + b"]" * depth, headers={"content-type": "application/json"}
    )
    assert answer.status_code == status
    if status == 400:
        assert answer.json()["errors"][0]["where"] == "body"


def test_problem_json_and_charsets_count_as_json(client):
    deep = b"[" * 100
    for content_type in ("application/json; charset=utf-8", "Application/JSON", "application/merge-patch+json"):
        assert client.post("/api/v1/things", content=deep, headers={"content-type": content_type}).status_code == 400


@pytest.mark.parametrize("path", ["/api/v1/things?q=%00", "/api/v1/th%00ings", "/v1/traces?x=a%00b"])
def test_a_nul_in_the_address_is_malformed(client, path):
    assert client.post(path, json=[]).status_code == 400


values = st.recursive(
    st.none() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=40,
)


def depth_of(value: Any) -> int:
    if isinstance(value, list):
        return 1 + max(map(depth_of, value), default=0)
    if isinstance(value, dict):
        return 1 + max(map(depth_of, value.values()), default=0)
    return 0


@given(values, st.integers(0, 45))
def test_the_depth_is_that_of_the_value_however_strings_look(value, wrapped):
    for _ in range(wrapped):
        value = ['[{\\"[', value]
    body = json.dumps(value).encode()
    assert (json_depth(body) > MAX_JSON_DEPTH) == (depth_of(value) > MAX_JSON_DEPTH)


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=8), st.integers(0, 1200))
def test_a_body_passes_exactly_when_it_is_not_larger_than_the_limit(parts, limit):
    async def go() -> tuple[int, bytes]:
        seen, answers = b"", []
        messages = iter(messages_of(parts))

        async def app(scope, receive, send):
            nonlocal seen
            more = True
            while more:
                message = await receive()
                seen += message["body"]
                more = message["more_body"]
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body"})

        async def receive():
            return next(messages)

        async def send(message):
            answers.append(message)

        scope = {"type": "http", "path": "/", "headers": []}
        await RequestLimits(app, limit=limit)(scope, receive, send)
        return answers[0]["status"], seen

    status, seen = asyncio.run(go())
    whole = b"".join(parts)
    assert status == (200 if len(whole) <= limit else 413)
    assert len(seen) <= limit
    if status == 200:
        assert seen == whole
