"""The timeline's API: newest first, filtered, page by page, one fact by its id, and live."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.app.timeline.support import Moved, Zoo
from tests.catalog.support import GATEWAY
from tests.conftest import NOON
from watchkeeper.app.configuration import load_configuration
from watchkeeper.app.local import connect
from watchkeeper.kernel import journal

URL = "/api/v1/timeline"


def _animals(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [item["data"]["animal"] for item in answer.json()["items"]]


def test_what_happened_is_told_newest_first_with_who_and_what(zoo: Zoo) -> None:
    zoo.feed("lion", "tiger", house="cats", by="local")
    first, second = zoo.api().get(URL).json()["items"]
    assert (first["sentence"], second["sentence"]) == ("tiger was fed.", "lion was fed.")
    assert {name: first[name] for name in ("kind", "service", "actor", "actor_name", "source", "at")} == {
        "kind": "zoo.fed",
        "service": "cats",
        "actor": "local",
        "actor_name": "Command line",
        "source": "test",
        "at": "2026-03-02T12:01:00Z",
    }
    assert (first["subject_href"], first["href"]) == ("/services/tiger/about", f"/timeline/{first['id']}")


def test_no_answer_tells_how_many_facts_there_are(zoo: Zoo) -> None:
    zoo.feed(*(f"ant-{number}" for number in range(13)))
    assert "seq" not in zoo.api().get(URL).json()["items"][0]


def test_pages_follow_each_other_without_gap_or_repetition_while_more_happens(zoo: Zoo) -> None:
    zoo.feed(*(f"ant-{number:02}" for number in range(10)))
    client, found, cursor = zoo.api(), [], ""
    while True:
        page = client.get(f"{URL}?limit=3{cursor}")
        found += _animals(page)
        zoo.feed("late")
        if page.json()["next"] is None:
            break
        cursor = f"&cursor={page.json()['next']}"
    assert found == [f"ant-{number:02}" for number in reversed(range(10))]


@pytest.mark.parametrize(
    ("query", "animals"),
    [
        ("service=cats", ["tiger", "lion"]),
        ("service=cats,dogs", ["wolf", "tiger", "lion"]),
        ("kind=zoo.", ["bear", "wolf", "tiger", "lion"]),
        ("kind=zoo.fed&actor=per_bob", ["wolf"]),
        ("actor=local,per_bob", ["bear", "wolf"]),
        ("since=90s", ["bear"]),
        ("since=2026-03-02T12:01:00Z&until=2026-03-02T12:03:00Z", ["wolf", "tiger"]),
        ("since=2026-03-02T14:02:00%2B02:00", ["bear", "wolf"]),
        ("kind=other.", []),
    ],
)
def test_facts_are_filtered_by_service_kind_actor_and_time(zoo: Zoo, query: str, animals: list[str]) -> None:
    zoo.feed("lion", "tiger", house="cats")
    zoo.feed("wolf", house="dogs", by="per_bob")
    zoo.feed("bear", by="local")
    assert _animals(zoo.api().get(f"{URL}?{query}")) == animals


@pytest.mark.parametrize("query", ["since=soon", "until=2026-03-02", "cursor=abc", "limit=0", "limit=201"])
def test_a_question_that_can_not_be_read_is_refused(zoo: Zoo, query: str) -> None:
    assert zoo.api().get(f"{URL}?{query}").status_code == 422


def test_changes_are_told_in_words(zoo: Zoo) -> None:
    change = Moved(
        before={"cage": "A", "keepers": [], "links": [{"title": "Map", "url": "x"}], "open": False},
        after={"cage": None, "keepers": ["Ann", "Bob"], "links": [], "open": True},
        reason="The roof leaks",
    )
    with zoo.database.begin() as session:
        journal.append(session, change, by="local", source="test", at=NOON)
    (fact,) = zoo.api().get(URL).json()["items"]
    assert [(one["field"], one["before"], one["after"]) for one in fact["changes"]] == [
        ("cage", "A", "nothing"),
        ("keepers", "nothing", "Ann, Bob"),
        ("links", "Map", "nothing"),
        ("open", "no", "yes"),
    ]
    assert fact["reason"] == "The roof leaks"


def test_one_fact_is_found_by_its_id(zoo: Zoo) -> None:
    zoo.feed("lion", "tiger")
    client = zoo.api()
    for item in client.get(URL).json()["items"]:
        assert client.get(f"{URL}/{item['id']}").json() == item
    missing = client.get(f"{URL}/fct_{'0' * 26}")
    assert (missing.status_code, missing.json()["code"]) == (404, "timeline.fact_not_found")


def test_only_readers_read(zoo: Zoo) -> None:
    for path in (URL, f"{URL}/stream", f"{URL}/fct_x"):
        assert zoo.api("intake").get(path).status_code == 403


@pytest.fixture
def server(tmp_path: Path) -> Iterator[httpx.Client]:
    """A whole Watchkeeper on a port: a stream needs a real connection."""
    configuration = load_configuration({"WATCHKEEPER_DATA": str(tmp_path), "WATCHKEEPER_SELF_TELEMETRY": "false"})
    with connect(configuration) as client:
        yield client


class Listener(threading.Thread):
    """Reads a stream until it has heard enough."""

    def __init__(self, client: httpx.Client, path: str, enough: int, **headers: str) -> None:
        super().__init__(daemon=True)
        self.heard: list[tuple[str, Any]] = []
        self._question = (client, path, enough, headers)
        self.open = threading.Event()

    def run(self) -> None:
        client, path, enough, headers = self._question
        mark = ""
        with client.stream("GET", path, headers=headers) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            for line in answer.iter_lines():
                self.open.set()
                if line.startswith("id: "):
                    mark = line[4:]
                elif line.startswith("data: {"):
                    self.heard.append((mark, json.loads(line[6:])))
                if len(self.heard) >= enough:
                    return


def _add(client: httpx.Client, *names: str) -> None:
    for name in names:
        assert client.post("/api/v1/services", json={"name": name}).status_code == 201


def test_a_stream_tells_what_happens_within_a_second(server: httpx.Client) -> None:
    listener = Listener(server, f"{URL}/stream?kind=catalog.", 2)
    listener.start()
    assert listener.open.wait(5)
    started = time.monotonic()
    _add(server, "web", "chat")
    listener.join(5)
    assert time.monotonic() - started < 2
    assert [fact["service"] for _, fact in listener.heard] == ["web", "chat"]
    assert [mark for mark, _ in listener.heard] == [fact["id"] for _, fact in listener.heard]


def test_a_stream_that_resumes_loses_nothing(server: httpx.Client) -> None:
    _add(server, "a", "b", "c")
    newest_first = server.get(f"{URL}?service=a").json()["items"]
    for after in ({"Last-Event-ID": newest_first[0]["id"]}, {}):
        place = "" if after else f"?last_event_id={newest_first[0]['id']}"
        listener = Listener(server, f"{URL}/stream{place}", 2, **after)
        listener.start()
        listener.join(5)
        assert [fact["service"] for _, fact in listener.heard] == ["b", "c"]
    beginning = Listener(server, f"{URL}/stream?last_event_id=beginning&kind=catalog.", 3)
    beginning.start()
    beginning.join(5)
    assert [fact["service"] for _, fact in beginning.heard] == ["a", "b", "c"]
    assert server.get(f"{URL}/stream", headers={"Last-Event-ID": "17"}).status_code == 404


def test_the_page_gets_the_same_as_rows(server: httpx.Client) -> None:
    assert server.post("/api/v1/services", json={"name": "<b>web</b>", **GATEWAY}).status_code == 201
    rows: list[str] = []
    with server.stream("GET", "/timeline/stream?last_event_id=beginning") as answer:
        for line in answer.iter_lines():
            rows.append(line)
            if line == "data: </li>":
                break
    text = "\n".join(rows)
    assert "&lt;b&gt;web&lt;/b&gt; was added to the catalog." in text
    assert "<b>web" not in text
