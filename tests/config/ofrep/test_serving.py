"""What is worked out once for a version: which attributes decide, and how values are written."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.config.ofrep.support import FLAG, NORWAY, NOW, document
from watchkeeper.modules.config.hub import Held
from watchkeeper.modules.config.ofrep_serving import Serving
from watchkeeper_client.rules import compile_snapshot

NAMES = ("country", "age", "plan", "beta")
names = st.sampled_from(NAMES)
values = st.sampled_from(["NO", "SE", 1, 2, 3, True, False])


def attribute(name: str, value: Any) -> dict[str, Any]:
    return {"attribute": name, "op": "equals", "value": value}


conditions = st.recursive(
    st.builds(attribute, names, values)
    | st.just({"users": ["u1"]})
    | st.builds(lambda name: {"segment": name}, st.sampled_from(["s1", "s2", "gone"])),
    lambda inner: (
        st.builds(lambda one: {"not": one}, inner)
        | st.builds(lambda many: {"all": many}, st.lists(inner, min_size=1, max_size=3))
        | st.builds(lambda many: {"any": many}, st.lists(inner, min_size=1, max_size=3))
    ),
    max_leaves=6,
)


def serving_of(parameters: dict[str, Any], version: int = 1, **more: Any) -> Serving:
    said = document(parameters, version, **more)
    program = compile_snapshot(said, now=NOW, environ={}, clock=lambda: NOW)
    return Serving(Held(said, said["etag"], b"", program, None, b""))


def told(serving: Serving, key: str, user: str | None = None, **attributes: Any) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(serving.answer(key, user, attributes))
    return said


@given(
    rule=conditions,
    first=conditions,
    second=conditions,
    override=st.sampled_from(["s1", "s2", "gone"]),
    before=conditions,
    who=st.sampled_from([None, "u1", "u2"]),
    attributes=st.dictionaries(names, values),
)
def test_only_attributes_that_are_asked_for_decide(
    rule: Any, first: Any, second: Any, override: str, before: Any, who: str | None, attributes: dict[str, Any]
) -> None:
    on = {"variant": "on"}
    parameters = {
        "A": {**FLAG, "value": {"rules": [{"when": before, "serve": on}]}},
        "B": {
            **FLAG,
            "value": {"prerequisites": [{"key": "A", "variants": ["on"]}], "rules": [{"when": rule, "serve": on}]},
            "segments": [{"segment": override, "value": "on"}],
        },
    }
    serving = serving_of(parameters, segments={"s1": {"when": first}, "s2": {"when": second}})
    asked = serving.asked_of("B")
    needed = {name: value for name, value in attributes.items() if name in asked}
    assert told(serving, "B", who, **attributes) == told(serving, "B", who, **needed)
    assert asked <= serving.asked_of_all


def test_a_plain_value_or_a_percentage_asks_for_nothing() -> None:
    half = {**FLAG, "value": {"serve": {"percent": 50, "variants": {"on": 1}}}}
    count = {"type": "integer", "default": 3, "users": {"u1": 4}}
    serving = serving_of({"HALF": half, "COUNT": count})
    assert serving.asked_of_all == frozenset()


def test_a_segment_asks_for_what_its_rule_reads_and_for_what_segments_inside_it_read() -> None:
    both = {"when": {"all": [{"segment": "country_NO"}, {"not": attribute("age", 1)}]}}
    parameters = {"COUNT": {"type": "integer", "default": 3, "segments": [{"segment": "both", "value": 4}]}}
    serving = serving_of(parameters, segments={"country_NO": NORWAY, "both": both})
    assert serving.asked_of("COUNT") == {"country", "age"}


def test_a_flag_with_one_fraction_among_its_variants_is_a_float_in_all_of_them() -> None:
    speed = {"type": "flag", "variants": {"slow": 0.5, "fast": 1}, "default": "fast", "off": "slow"}
    steps = {"type": "flag", "variants": {"few": 1, "many": 2}, "default": "few", "off": "few"}
    serving = serving_of({"SPEED": speed, "STEPS": steps, "RATIO": {"type": "float", "default": 2}})
    assert b'"value":1.0' in serving.answer("SPEED", None, {})
    assert b'"value":1,' in serving.answer("STEPS", None, {})
    assert b'"value":2.0' in serving.answer("RATIO", None, {})


def test_secrets_are_as_if_they_were_not_there() -> None:
    serving = serving_of({"HIDDEN": {"type": "secret", "default": {"env": "HOME"}}, "FLAG": FLAG})
    assert list(serving.table) == ["FLAG"]


def test_an_answer_that_lives_on_in_the_next_version_says_that_version() -> None:
    parameters = {"COUNT": {"type": "integer", "default": 3}}
    earlier = document(parameters)
    program = compile_snapshot(earlier, now=NOW, environ={})
    assert told(Serving(Held(earlier, "", b"", program, None, b"")), "COUNT")["metadata"]["version"] == 1
    later = {**earlier, "version": 2}
    again = compile_snapshot(later, now=NOW, environ={}, reuse=program)
    assert again.table["COUNT"] is program.table["COUNT"]
    assert told(Serving(Held(later, "", b"", again, None, b"")), "COUNT")["metadata"]["version"] == 2


def test_each_answer_is_counted() -> None:
    serving = serving_of({"FLAG": {**FLAG, "users": {"u1": "on"}}})
    for user in ("u1", "u2", "u1"):
        serving.answer("FLAG", user, {})
    assert serving.held.program.counts() == {("FLAG", "on"): 2, ("FLAG", "off"): 1}
