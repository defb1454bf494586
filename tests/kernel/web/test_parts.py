"""Routes are handed the parts they name."""

from typing import Annotated, Protocol

import pytest

from tests.kernel.web.support import browser, small_app
from watchkeeper.kernel.clock import Clock, SystemClock
from watchkeeper.kernel.web.access import Actor, public
from watchkeeper.kernel.web.parts import MissingPartError, Parts, clock_part, part
from watchkeeper.kernel.web.wire import api_router


class Greeter(Protocol):
    def greet(self) -> str: ...


class Loud:
    def greet(self) -> str:
        return "HELLO"


api = api_router("greet")


@api.get("/greet")
async def greet(
    greeter: Annotated[Greeter, part(Greeter)],
    clock: Annotated[Clock, clock_part()],
    who: Annotated[Actor | None, public("a test")],
) -> str:
    return f"{greeter.greet()} {clock.now():%Y}"


def test_a_route_gets_what_was_registered_under_the_name(clock):
    app = small_app(api, parts={Greeter: Loud(), SystemClock: clock})
    assert browser(app).get("/api/v1/greet").json() == "HELLO 2026"


def test_a_missing_part_is_a_mistake_of_ours_and_not_of_the_caller():
    assert browser(small_app(api)).get("/api/v1/greet").status_code == 500


def test_parts_are_found_replaced_and_named_when_missing():
    parts = Parts({Loud: Loud()})
    assert parts.find(Greeter) is None
    parts.add(Greeter, Loud())
    assert parts[Greeter].greet() == "HELLO"
    assert (len(parts), Greeter in parts, set(parts)) == (2, True, {Loud, Greeter})
    with pytest.raises(MissingPartError, match="without a Clock"):
        parts[Clock]
