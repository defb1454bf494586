"""What only whoever writes has to check: patterns, JSON schemas, and the state of a flag."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import orjson

from watchkeeper.kernel.errors import Complaint
from watchkeeper.modules.config.model import LARGEST_PRIORITY, VALUE, split_slot
from watchkeeper_client.rules import (
    VARIANT,
    ConditionInvalid,
    Definition,
    NotThatType,
    check_condition,
    check_value,
    complaints_about,
    normal,
)

MOST_RULES = 100
MOST_PREREQUISITES = 20
LARGEST_STATE = 16_384
_STATE = {"enabled", "prerequisites", "rules", "serve"}


class ValueInvalid(ValueError):
    """A value can't be this parameter's; `complaints` are (path inside it, what was expected)."""

    def __init__(self, complaints: list[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{where}: {expected}" if where else expected for where, expected in complaints))
        self.complaints = complaints


def check_definition(definition: Definition) -> list[Complaint]:
    """Everything wrong with a definition."""
    found = [Complaint(where, expected) for where, expected in complaints_about(definition)]
    if found:
        return found
    if definition.schema is not None:
        try:
            _schema_validator(_frozen(definition.schema))
        except ValueError as wrong:
            return [Complaint("schema", f"a JSON schema without references to elsewhere ({_first_line(wrong)})")]
    if definition.pattern is not None:
        try:
            _pattern_validator(definition.pattern)
        except ValueError:
            return [Complaint("pattern", "a regular expression, without look-around and references back")]
    if definition.default is not None:
        try:
            check_plain(definition, definition.default)
        except ValueInvalid as wrong:
            return [Complaint("default", expected) for _, expected in wrong.complaints]
    return []


def check_slot(definition: Definition, slot: str, value: Any) -> Any:
    """The normal form of what a slot of this parameter may hold. Raises ValueInvalid."""
    kind, _ = split_slot(slot)
    if kind == "segment":
        return _check_override(definition, value)
    if kind == VALUE and definition.type == "flag":
        return check_state(definition, value)
    return check_plain(definition, value)


def check_plain(definition: Definition, value: Any) -> Any:
    """The normal form of a value of this parameter; of a flag, the name of a variant. Raises ValueInvalid."""
    try:
        found = check_value(definition, value)
    except NotThatType as wrong:
        raise ValueInvalid([("", str(wrong))]) from None
    if definition.pattern is not None and not _pattern_validator(definition.pattern).is_valid(found):
        raise ValueInvalid([("", f"text that matches {definition.pattern}")])
    if definition.schema is not None:
        errors = list(_schema_validator(_frozen(definition.schema)).iter_errors(found))
        if errors:
            raise ValueInvalid([(".".join(map(str, one.instance_path)), _first_line(one)) for one in errors[:10]])
    return found


def check_state(definition: Definition, state: Any) -> dict[str, Any]:
    """The normal form of a flag's state. Raises ValueInvalid."""
    if isinstance(state, (bool, str)):
        state = _plain_state(definition, state)
    if not isinstance(state, Mapping):
        raise ValueInvalid([("", "the name of a variant, or an object with enabled, prerequisites, rules and serve")])
    if len(orjson.dumps(state, option=orjson.OPT_NON_STR_KEYS, default=str)) > LARGEST_STATE:
        raise ValueInvalid([("", f"at most {LARGEST_STATE // 1024} KB")])
    complaints = list(_state_complaints(definition, state))
    if complaints:
        raise ValueInvalid(complaints)
    made: dict[str, Any] = {"enabled": state.get("enabled", True)}
    for name in ("prerequisites", "rules"):
        if state.get(name):
            made[name] = list(state[name])
    if state.get("serve") is not None:
        made["serve"] = state["serve"]
    return made


def segments_in(value: Any) -> set[str]:
    """The segments that a flag's state asks for."""
    rules = value.get("rules", ()) if isinstance(value, Mapping) else ()
    return {name for rule in rules for name in check_condition(rule["when"])}


def _plain_state(definition: Definition, said: bool | str) -> Any:
    """`on` and true stand for: this variant for everybody."""
    if isinstance(said, bool):
        named = next((name for name, value in definition.variants.items() if value is said), None)
    else:
        named = said if said in definition.variants else None
    if named is None:
        raise ValueInvalid([("", f"one of the variants {', '.join(definition.variants)}")])
    return {"enabled": True, "serve": {"variant": named}}


def _check_override(definition: Definition, value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping) or not set(value) <= {"value", "priority"} or "value" not in value:
        raise ValueInvalid([("", 'an object {"value": …, "priority": 0}')])
    priority = value.get("priority", 0)
    if isinstance(priority, bool) or not isinstance(priority, int) or abs(priority) > LARGEST_PRIORITY:
        raise ValueInvalid([("priority", f"a whole number from -{LARGEST_PRIORITY} to {LARGEST_PRIORITY}")])
    return {"value": check_plain(definition, value["value"]), "priority": priority}


def _state_complaints(definition: Definition, state: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name in sorted(set(map(str, state)) - _STATE):
        yield name, f"no such field; a flag's state has {', '.join(sorted(_STATE))}"
    if not isinstance(state.get("enabled", True), bool):
        yield "enabled", "true or false"
    prerequisites = state.get("prerequisites") or []
    if not isinstance(prerequisites, list) or len(prerequisites) > MOST_PREREQUISITES:
        yield "prerequisites", f"a list of at most {MOST_PREREQUISITES}"
    else:
        for number, one in enumerate(prerequisites):
            yield from _prerequisite_complaints(one, f"prerequisites.{number}")
    rules = state.get("rules") or []
    if not isinstance(rules, list) or len(rules) > MOST_RULES:
        yield "rules", f"a list of at most {MOST_RULES}"
    else:
        for number, rule in enumerate(rules):
            yield from _rule_complaints(definition, rule, f"rules.{number}")
    if state.get("serve") is not None:
        yield from _serve_complaints(definition, state["serve"], "serve")


def _prerequisite_complaints(one: Any, where: str) -> Iterator[tuple[str, str]]:
    variants = one.get("variants") if isinstance(one, Mapping) else None
    if (
        not isinstance(one, Mapping)
        or set(one) != {"key", "variants"}
        or not isinstance(one["key"], str)
        or not isinstance(variants, list)
        or not variants
        or not all(isinstance(name, str) for name in variants)
    ):
        yield where, 'an object {"key": "OTHER_FLAG", "variants": ["on"]}'


def _rule_complaints(definition: Definition, rule: Any, where: str) -> Iterator[tuple[str, str]]:
    if (
        not isinstance(rule, Mapping)
        or not set(rule) <= {"name", "when", "serve"}
        or not {"when", "serve"} <= set(rule)
    ):
        yield where, "an object with when and serve, and a name if it helps"
        return
    name = rule.get("name")
    if name is not None and (not isinstance(name, str) or not 0 < len(name) <= 100 or not name.isprintable()):
        yield f"{where}.name", "one line of at most 100 characters"
    try:
        check_condition(rule["when"])
    except ConditionInvalid as wrong:
        yield f"{where}.when" + (f".{wrong.where}" if wrong.where else ""), wrong.expected
    yield from _serve_complaints(definition, rule["serve"], f"{where}.serve")


def _serve_complaints(definition: Definition, serve: Any, where: str) -> Iterator[tuple[str, str]]:
    names = ", ".join(definition.variants)
    if not isinstance(serve, Mapping) or set(serve) not in ({"variant"}, {"percent", "variants"}):
        yield where, '{"variant": "on"} or {"percent": 25, "variants": {"on": 1}}'
        return
    if "variant" in serve:
        if not isinstance(serve["variant"], str) or serve["variant"] not in definition.variants:
            yield f"{where}.variant", f"one of {names}"
        return
    if not _is_number(serve["percent"]) or not 0 <= serve["percent"] <= 100:
        yield f"{where}.percent", "a number from 0 to 100"
    weights = serve["variants"]
    if not isinstance(weights, Mapping) or not weights:
        yield f"{where}.variants", "an object of variants with their weights"
        return
    for name, weight in weights.items():
        if not isinstance(name, str) or not VARIANT.fullmatch(name) or name not in definition.variants:
            yield f"{where}.variants.{name}", f"one of {names}"
        elif not _is_number(weight) or not 0 < weight <= 1_000_000:
            yield f"{where}.variants.{name}", "a weight above 0 and up to 1000000"


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _first_line(error: Exception) -> str:
    return (str(getattr(error, "message", error)).strip().splitlines() or ["not valid"])[0][:300]


def _frozen(schema: Mapping[str, Any]) -> bytes:
    return orjson.dumps(schema, option=orjson.OPT_SORT_KEYS)


def _nowhere(address: str) -> Any:
    raise ValueError(f"{address} is elsewhere")


@lru_cache(maxsize=256)
def _schema_validator(schema: bytes) -> Any:
    # Brought in late: a server without JSON parameters needs none of it.
    import jsonschema_rs

    said = orjson.loads(schema)
    normal("json", said)
    # A regular expression of this kind takes time in proportion to the text, whoever wrote it.
    return jsonschema_rs.validator_for(said, retriever=_nowhere, pattern_options=jsonschema_rs.RegexOptions())


@lru_cache(maxsize=256)
def _pattern_validator(pattern: str) -> Any:
    return _schema_validator(_frozen({"type": "string", "pattern": f"^(?:{pattern})$"}))
