from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from watchkeeper_client import Refused, Unreachable, Watchkeeper, WatchkeeperError, client

_SERVICE = {
    "id": "svc_1",
    "name": "shop",
    "title": "Shop",
    "description": None,
    "owner": "team-shop",
    "tier": 1,
    "repository": None,
    "environments": ["production"],
    "dependencies": ["stock"],
    "seen": [{"name": "production", "first_seen": "2026-03-01T11:00:00Z", "last_seen": "2026-03-01T12:00:00Z"}],
    "later": "ignored",
}
_FACT = {
    "id": "f1",
    "at": "2026-03-01T12:00:00.5Z",
    "kind": "catalog.service_discovered",
    "sentence": "shop was seen for the first time",
    "service": "shop",
    "actor": "local",
    "data": {"name": "shop"},
    "trace_id": None,
}


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_FIRST_PAUSE", 0.001)
    monkeypatch.setattr(client, "_LONGEST_PAUSE", 0.01)


class Server:
    """Gives these answers in turn, the last one for ever."""

    def __init__(self, *answers: httpx.Response | Callable[[], httpx.Response]) -> None:
        self._answers = list(answers)
        self.asked: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return answer() if callable(answer) else answer

    def client(self, token: str | None = None) -> Watchkeeper:
        return Watchkeeper("http://watchkeeper.test", token, transport=httpx.MockTransport(self))


def page(*items: Any, following: str | None = None) -> httpx.Response:
    return httpx.Response(200, json={"items": list(items), "next": following})


def away() -> httpx.Response:
    raise httpx.ConnectError("refused")


def test_services_come_with_what_the_catalog_knows():
    with Server(page(_SERVICE)).client() as watchkeeper:
        [shop] = watchkeeper.services()

    assert (shop.name, shop.owner, shop.tier, shop.dependencies) == ("shop", "team-shop", 1, ("stock",))
    assert shop.seen[0].last_seen == datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_pages_are_fetched_as_they_are_taken():
    server = Server(page(_FACT, following="second"), page({**_FACT, "id": "f2"}))

    with server.client(token="wkt_x") as watchkeeper:
        facts = watchkeeper.timeline(service="shop", kind="catalog.")
        assert next(facts).id == "f1"
        assert len(server.asked) == 1
        assert [fact.id for fact in facts] == ["f2"]

    first, second = server.asked
    assert first.headers["authorization"] == "Bearer wkt_x"
    assert (first.url.params["service"], first.url.params["kind"]) == ("shop", "catalog.")
    assert second.url.params["cursor"] == "second"


def test_times_are_sent_with_their_zone_or_not_at_all():
    server = Server(page())

    with server.client() as watchkeeper:
        list(watchkeeper.timeline(since=datetime(2026, 3, 1, tzinfo=UTC)))
        with pytest.raises(ValueError, match="no time zone"):
            watchkeeper.timeline(since=datetime(2026, 3, 1))

    assert [request.url.params["since"] for request in server.asked] == ["2026-03-01T00:00:00+00:00"]


def test_a_refusal_says_what_was_wrong_and_is_not_tried_again():
    problem = {
        "type": "urn:watchkeeper:problem:kernel.invalid",
        "title": "Invalid",
        "status": 422,
        "detail": "The request is wrong.",
        "code": "kernel.invalid",
        "errors": [{"where": "query.kind", "expected": "a kind"}],
    }
    server = Server(httpx.Response(422, json=problem))

    with server.client() as watchkeeper, pytest.raises(Refused) as refusal:
        list(watchkeeper.timeline(kind="?"))

    assert (refusal.value.problem.status, refusal.value.problem.code) == (422, "kernel.invalid")
    assert [(one.where, one.expected) for one in refusal.value.problem.complaints] == [("query.kind", "a kind")]
    assert len(server.asked) == 1


@pytest.mark.parametrize("body", ["<html>no</html>", "[]", "{}", '{"code": 1, "errors": 3}', '{"errors": [3]}'])
def test_a_proxy_that_refuses_in_its_own_way_is_a_typed_error_too(body: str):
    with Server(httpx.Response(403, text=body)).client() as watchkeeper, pytest.raises(WatchkeeperError) as refusal:
        list(watchkeeper.services())

    assert isinstance(refusal.value, Refused)
    assert refusal.value.problem.status == 403


@pytest.mark.parametrize("trouble", [away, httpx.Response(503), httpx.Response(429, headers={"Retry-After": "60"})])
def test_a_passing_trouble_is_sat_out(trouble: Any):
    server = Server(trouble, trouble, page(_SERVICE))

    with server.client() as watchkeeper:
        assert [service.name for service in watchkeeper.services()] == ["shop"]


@pytest.mark.parametrize(
    "trouble", [away, httpx.Response(503, headers={"Retry-After": "Fri, 01 Jan 2027 00:00:00 GMT"})]
)
def test_a_lasting_trouble_ends_in_a_typed_error(trouble: Any):
    server = Server(trouble)

    with server.client() as watchkeeper, pytest.raises(Unreachable):
        list(watchkeeper.services())

    assert len(server.asked) == 4


def test_ready_is_what_the_server_says_and_false_when_it_is_away():
    assert Server(httpx.Response(200)).client().ready()
    assert not Server(httpx.Response(503)).client().ready()
    assert not Server(away).client().ready()
