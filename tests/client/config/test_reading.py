"""Reading: typed, never an error, and the same for every thread."""

from __future__ import annotations

import threading
from datetime import time, timedelta
from typing import Any

import pytest

from watchkeeper_client import Parameter
from watchkeeper_client.testing import client_with, override

COUNTRY = {"country_NO": {"when": {"attribute": "country", "op": "equals", "value": "NO"}}}


def test_values_come_as_what_python_works_with() -> None:
    client = client_with(
        {"N": 3, "F": 0.5, "S": "x", "B": True, "D": timedelta(minutes=90), "T": time(9, 0), "J": {"a": [1]}}
    )
    assert [client.get(key) for key in "NFSBDT"] == [3, 0.5, "x", True, timedelta(minutes=90), time(9, 0)]
    assert (client.get_int("N"), client.get_float("N"), client.get_str("S"), client.is_on("B")) == (3, 3.0, "x", True)
    assert (client.get_duration("D"), client.get_time("T"), client.get_json("J")) == (
        timedelta(minutes=90),
        time(9, 0),
        {"a": [1]},
    )


def test_of_another_type_is_the_default_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    client = client_with({"N": 3, "B": True})
    assert [client.get_str("N", "d"), client.get_int("B", 7), client.get_float("B", 0.5), client.get_json("N", [])] == [
        "d",
        7,
        0.5,
        [],
    ]
    client.get_str("N", "d")
    assert len([one for one in caplog.records if "N is not of the type" in one.message]) == 1


def test_an_unknown_key_is_the_callers_default() -> None:
    client = client_with({})
    assert (client.get("NOPE", 5), client.get("NOPE"), client.evaluate("NOPE", 5).layer) == (5, None, "default")


def test_a_declared_parameter_is_its_key_and_its_default() -> None:
    matches = Parameter("MATCHES", int, default=3, min=1, max=10)
    assert client_with({}).get(matches) == 3
    assert client_with({}).get(matches, 4) == 4
    assert client_with({"MATCHES": 7}).get(matches) == 7
    assert (matches.definition.minimum, matches.definition.type) == (1, "integer")


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (int, {"default": 11, "max": 10}),
        (int, {"default": "x"}),
        (set, {}),
        ("number", {}),
        (int, {"min": 5, "max": 4}),
    ],
)
def test_a_wrong_declaration_fails_where_it_stands(kind: Any, said: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="KEY"):
        Parameter("KEY", kind, **said)


@pytest.mark.parametrize("user", [5, b"x", object(), ["u"], "\ud800", ""])
def test_whatever_is_handed_in_as_user_nothing_fails(user: Any) -> None:
    flag = {"type": "flag", "variants": {"on": True, "off": False}, "default": "off", "off": "off", "salt": "s"}
    client = client_with({"F": {**flag, "value": {"serve": {"percent": 50, "variants": {"on": 1}}}}})
    assert client.get("F", None, user=user) in (True, False)
    assert client.get("F", None, user=user, attributes={"a": object()}) in (True, False)


def test_a_number_as_user_is_the_user_of_that_text() -> None:
    flag = {"type": "flag", "variants": {"on": True, "off": False}, "default": "off", "off": "off", "salt": "s"}
    client = client_with({"F": {**flag, "value": {"serve": {"percent": 50, "variants": {"on": 1}}}}})
    assert all(client.get("F", user=n) == client.get("F", user=str(n)) for n in range(50))  # type: ignore[arg-type]


def test_users_and_segments_go_first() -> None:
    parameter = {"type": "integer", "default": 3, "segments": [{"segment": "country_NO", "value": 5}]}
    client = client_with({"N": parameter}, segments=COUNTRY, users={"u1": {"N": 9}})
    assert client.get("N", user="u1", attributes={"country": "NO"}) == 9
    assert client.get("N", user="u2", attributes={"country": "NO"}) == 5
    assert client.get("N", user="u2") == 3
    assert client.evaluate("N", user="u2", attributes={"country": "NO"}).detail == "country_NO"
    assert [one.layer for one in client.explain("N", user="u1") if one.won] == ["user"]


def test_json_belongs_to_the_caller() -> None:
    client = client_with({"J": {"list": [1]}})
    client.get("J")["list"].append(2)
    assert client.get("J") == {"list": [1]}


def test_an_override_holds_for_a_block_nests_and_goes() -> None:
    client, other = client_with({"N": 3}), client_with({})
    with override(N=5, NEW="x"):
        assert (client.get("N"), other.get("N"), client.get("NEW")) == (5, 5, "x")
        with override({"N": 6}):
            assert client.get("N") == 6
            assert client_with({"N": 1}).get("N") == 6, "also a client that is made in it"
        assert client.get("N") == 5
    assert (client.get("N"), other.get("N"), client.get("NEW")) == (3, None, None)


def test_an_override_goes_whatever_happens_in_it() -> None:
    client = client_with({"N": 3})
    with pytest.raises(RuntimeError), override(N=5):
        raise RuntimeError
    assert client.get("N") == 3

    @override(N=8)
    def decorated() -> Any:
        return client.get("N")

    assert (decorated(), client.get("N")) == (8, 3)


def test_reading_goes_on_while_snapshots_are_swapped() -> None:
    client = client_with({"N": 3})
    wrong: list[Any] = []
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            found = client.get("N")
            if found not in (3, 5):
                wrong.append(found)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(200):
        with override(N=5):
            pass
    stop.set()
    for thread in threads:
        thread.join()
    assert wrong == []
