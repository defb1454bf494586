"""A creating request sent twice creates once, whatever happened to the first answer."""

import threading
from datetime import timedelta
from typing import Annotated

import pytest
from sqlalchemy import select

from tests.kernel.web.support import CHANGE, bearer, browser, small_app
from watchkeeper.kernel.clock import SystemClock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.db.shared_tables import idempotency_keys
from watchkeeper.kernel.errors import Conflict
from watchkeeper.kernel.web.access import Actor, requires
from watchkeeper.kernel.web.idempotency import Answer, Once, forget_answers, once
from watchkeeper.kernel.web.parts import database_part
from watchkeeper.kernel.web.wire import StrictModel, api_router

api = api_router("things")


class Thing(StrictModel):
    name: str


class Shelf:
    """Counts what was made."""

    def __init__(self) -> None:
        self.made: list[str] = []
        self.full = False

    def make(self, name: str) -> Answer:
        if self.full:
            raise Conflict("The shelf is full.")
        self.made.append(name)
        body = {"name": name, "number": len(self.made), "secret": "wkt_once"}
        return Answer(body, headers={"Location": f"/things/{name}"}, replay={**body, "secret": None})


shelf = Shelf()


@api.post("/things", status_code=201)
async def make(
    thing: Thing,
    who: Annotated[Actor, requires(CHANGE)],
    db: Annotated[Database, database_part()],
    one: Annotated[Once, once()],
):
    answer = await db.write(lambda session: one.run(session, lambda: shelf.make(thing.name)))
    return answer.response()


@pytest.fixture
def client(database, clock):
    shelf.__init__()
    client = browser(small_app(api, parts={Database: database, SystemClock: clock}))
    client.headers.update(bearer("write"))
    return client


def post(client, name="lamp", key="k1", **headers):
    return client.post("/api/v1/things", json={"name": name}, headers={"idempotency-key": key, **headers})


def test_the_second_request_gets_the_first_answer_and_makes_nothing(client):
    first, second = post(client), post(client)
    assert shelf.made == ["lamp"]
    assert (first.status_code, second.status_code) == (201, 201)
    assert second.headers["location"] == first.headers["location"] == "/things/lamp"
    assert second.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers


def test_a_secret_is_in_the_first_answer_only_and_never_kept(client, database):
    assert post(client).json()["secret"] == "wkt_once"
    assert post(client).json() == {"name": "lamp", "number": 1, "secret": None}
    with database.read() as session:
        assert "wkt_once" not in session.execute(select(idempotency_keys.c.body)).scalar_one()


def test_the_same_key_with_another_body_is_refused(client):
    post(client)
    answer = post(client, name="chair")
    assert (answer.status_code, answer.json()["code"]) == (422, "kernel.idempotency_key_reused")
    assert shelf.made == ["lamp"]


def test_another_key_another_actor_or_no_key_creates_again(client):
    post(client)
    post(client, key="k2")
    post(client, **bearer("admin"))
    for _ in range(2):
        client.post("/api/v1/things", json={"name": "lamp"})
    assert len(shelf.made) == 5


def test_a_refusal_is_not_remembered(client):
    shelf.full = True
    assert post(client).status_code == 409
    shelf.full = False
    assert post(client).status_code == 201


@pytest.mark.parametrize("key", ["", "x" * 256, "two words", "ümlaut"])
def test_a_key_that_can_not_be_one_is_refused(client, key):
    answer = client.post("/api/v1/things", json={"name": "x"}, headers={"idempotency-key": key.encode()})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["where"] == "header.idempotency-key"


def test_many_at_once_with_one_key_create_once(client, database, clock):
    answers = []

    def go():
        request = Once("k9", "tok_1", "POST /things", "0" * 64, clock.now())
        with database.begin() as session:
            answers.append(request.run(session, lambda: shelf.make("lamp")))

    threads = [threading.Thread(target=go) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert shelf.made == ["lamp"]
    assert sorted("Idempotency-Replayed" in answer.headers for answer in answers) == [False] + [True] * 7


def test_answers_are_forgotten_after_their_time(client, database, clock):
    post(client)
    clock.advance(timedelta(hours=25))
    with database.begin() as session:
        assert forget_answers(session, before=clock.now() - timedelta(hours=24)) == 1
    post(client)
    assert len(shelf.made) == 2
