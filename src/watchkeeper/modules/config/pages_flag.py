"""A flag's state as a form: rules, percentages and prerequisites that people read and write."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import Field

from watchkeeper.kernel.errors import Complaint
from watchkeeper.kernel.web.wire import PageForm
from watchkeeper.modules.config.errors import ChangeInvalid
from watchkeeper.modules.config.values import MOST_PREREQUISITES, MOST_RULES
from watchkeeper_client.rules import Definition

PERCENT = "percent:"
_SPOKEN = {
    "equals": "is",
    "not_equals": "is not",
    "in": "is one of",
    "not_in": "is none of",
    "less": "<",
    "less_or_equal": "≤",
    "greater": ">",
    "greater_or_equal": "≥",
    "starts_with": "starts with",
    "ends_with": "ends with",
    "older_than": "is longer ago than",
    "newer_than": "is less long ago than",
    "version_at_least": "is version or later",
    "version_below": "is before version",
}


class StateForm(PageForm):
    """What the browser sends of a flag; a rule is one entry in each of the lists that begin with `rule_`."""

    environment: str = Field("", max_length=64)
    version: int = Field(0, ge=0)
    enabled: str = "true"
    serve: str = Field("", max_length=100)
    percent: str = Field("", max_length=30)
    weight_name: list[str] = Field(default_factory=list, max_length=20)
    weight: list[str] = Field(default_factory=list, max_length=20)
    needs_key: list[str] = Field(default_factory=list, max_length=MOST_PREREQUISITES + 1)
    needs_variants: list[str] = Field(default_factory=list, max_length=MOST_PREREQUISITES + 1)
    rule_place: list[str] = Field(default_factory=list, max_length=MOST_RULES + 1)
    rule_name: list[str] = Field(default_factory=list, max_length=MOST_RULES + 1)
    rule_segment: list[str] = Field(default_factory=list, max_length=MOST_RULES + 1)
    rule_when: list[str] = Field(default_factory=list, max_length=MOST_RULES + 1)
    rule_serve: list[str] = Field(default_factory=list, max_length=MOST_RULES + 1)
    rule_percent: list[str] = Field(default_factory=list, max_length=MOST_RULES + 1)
    rule_weights: list[str] = Field(default_factory=list, max_length=MOST_RULES + 1)
    reason: str = Field("", max_length=1_000)
    at: str = Field("", max_length=40)

    @classmethod
    def of(cls, definition: Definition, state: Mapping[str, Any] | None, version: int) -> StateForm:
        """Filled in with what is set now."""
        state = state or {}
        rules, needs = state.get("rules", ()), state.get("prerequisites", ())
        serve = state.get("serve")
        weights = serve["variants"] if serve and "percent" in serve else {}
        return cls.model_construct(
            environment="",
            version=version,
            enabled="false" if state.get("enabled") is False else "true",
            serve=_serve_text(serve),
            percent=f"{serve['percent']:g}" if serve and "percent" in serve else "",
            weight_name=list(definition.variants),
            weight=[f"{weights[name]:g}" if name in weights else "" for name in definition.variants],
            needs_key=[one["key"] for one in needs],
            needs_variants=[", ".join(one["variants"]) for one in needs],
            rule_place=[str(number + 1) for number in range(len(rules))],
            rule_name=[one.get("name", "") for one in rules],
            rule_segment=[_only_segment(one["when"]) for one in rules],
            rule_when=["" if _only_segment(one["when"]) else _json(one["when"]) for one in rules],
            rule_serve=[_serve_text(one["serve"]) for one in rules],
            rule_percent=[f"{one['serve']['percent']:g}" if "percent" in one["serve"] else "" for one in rules],
            rule_weights=[_weights_text(one["serve"].get("variants", {})) for one in rules],
            reason="",
            at="",
        )

    def rules(self) -> list[RuleTyped]:
        """The rules in the order of their places; one without a place or anything in it is left out."""
        columns = (self.rule_name, self.rule_segment, self.rule_when, self.rule_serve, self.rule_percent)
        if len({len(self.rule_place), len(self.rule_weights), *map(len, columns)}) > 1:
            raise ChangeInvalid("The form did not arrive whole; load the page again.")
        typed = [
            RuleTyped(*said)
            for said in zip(self.rule_place, *columns, self.rule_weights, strict=True)
            if said[0].strip()
        ]
        return sorted((one for one in typed if not one.is_blank), key=lambda one: _place(one.place))

    def state(self) -> dict[str, Any]:
        """The flag's state. Raises ChangeInvalid with the place of each thing that can't be read."""
        complaints: list[Complaint] = []
        rules = [_rule(one, number, complaints) for number, one in enumerate(self.rules())]
        needs = [
            {"key": key.strip(), "variants": [name.strip() for name in names.split(",") if name.strip()] or ["on"]}
            for key, names in zip(self.needs_key, self.needs_variants, strict=False)
            if key.strip()
        ]
        made: dict[str, Any] = {"enabled": self.enabled != "false"}
        weights = {name: text for name, text in zip(self.weight_name, self.weight, strict=False) if text.strip()}
        serve = _serve(self.serve, self.percent, weights, "serve", complaints)
        if complaints:
            raise ChangeInvalid("The form can't be read; nothing was changed.", complaints=complaints)
        return made | _without_empty({"prerequisites": needs, "rules": rules, "serve": serve})


@dataclass(frozen=True)
class RuleTyped:
    """One rule as it stands in the form."""

    place: str
    name: str
    segment: str
    when: str
    serve: str
    percent: str
    weights: str

    @property
    def is_blank(self) -> bool:
        return not (self.segment.strip() or self.when.strip())


def spoken(condition: Any, *, inside: bool = False) -> str:
    """A condition in words."""
    if not isinstance(condition, Mapping):
        return "?"
    if "all" in condition or "any" in condition:
        kind = "all" if "all" in condition else "any"
        parts = [spoken(one, inside=True) for one in condition[kind]]
        if not parts:
            return "everybody" if kind == "all" else "nobody"
        text = (" and " if kind == "all" else " or ").join(parts)
        return f"({text})" if inside and len(parts) > 1 else text
    if "not" in condition:
        return f"not {spoken(condition['not'], inside=True)}"
    if "segment" in condition:
        return f"in segment {condition['segment']}"
    if "users" in condition:
        users = condition["users"]
        return f"user is {users[0]}" if len(users) == 1 else f"user is one of {len(users)}"
    name, op, value = condition.get("attribute"), condition.get("op", ""), condition.get("value")
    if op == "exists":
        return f"{name} is {'known' if value else 'not known'}"
    text = ", ".join(map(str, value)) if isinstance(value, Sequence) and not isinstance(value, str) else str(value)
    return f"{name} {_SPOKEN.get(op, op.replace('_', ' '))} {text if len(text) <= 80 else text[:79] + '…'}"


def served(serve: Mapping[str, Any] | None, *, of: str = "everybody") -> str:
    """What a rule serves, in words."""
    if not serve:
        return "the default variant"
    if "variant" in serve:
        return f"{serve['variant']} for {of}"
    weights = serve["variants"]
    total = sum(weights.values())
    if len(weights) == 1:
        return f"{next(iter(weights))} for {serve['percent']:g} % of {of}"
    shares = ", ".join(f"{name} {weight / total:.0%}" for name, weight in weights.items())
    return f"for {serve['percent']:g} % of {of}: {shares}"


def places_of(complaints: Sequence[Complaint]) -> dict[str, str]:
    """By field of the form (`rules.0`, `serve`, `prerequisites.1`, `value` or the like), what was expected where."""
    found: dict[str, str] = {}
    for one in complaints:
        where = one.where.removeprefix("operations.0.").removeprefix("value.")
        parts = where.split(".")
        field = ".".join(parts[:2]) if parts[0] in ("rules", "prerequisites") else parts[0]
        inner = where.removeprefix(field).lstrip(".")
        text = f"{inner}: expected {one.expected}" if inner else f"expected {one.expected}"
        found[field] = f"{found[field]}; {text}" if field in found else text
    return found


def _rule(typed: RuleTyped, number: int, complaints: list[Complaint]) -> dict[str, Any]:
    at = f"rules.{number}"
    when: Any = None
    if typed.segment and typed.when.strip():
        complaints.append(Complaint(f"{at}.when", "a segment or a condition, not both"))
    elif typed.segment:
        when = {"segment": typed.segment}
    else:
        try:
            when = json.loads(typed.when)
        except json.JSONDecodeError as wrong:
            complaints.append(Complaint(f"{at}.when", f"JSON; line {wrong.lineno}, column {wrong.colno}: {wrong.msg}"))
        except RecursionError:
            complaints.append(Complaint(f"{at}.when", "JSON of few levels"))
    serve = _serve(typed.serve, typed.percent, dict(_weights(typed.weights)), f"{at}.serve", complaints)
    return _without_empty({"name": typed.name.strip() or None}) | {"when": when, "serve": serve or {}}


def _serve(
    chosen: str, percent: str, weights: Mapping[str, str], at: str, complaints: list[Complaint]
) -> dict[str, Any] | None:
    if not chosen:
        return None
    if chosen != PERCENT:
        return {"variant": chosen}
    found = {}
    for name, text in weights.items():
        weight = _number(text)
        if weight is None:
            complaints.append(Complaint(f"{at}.variants.{name}", "a weight such as 1"))
        elif weight:
            found[name] = weight
    share = _number(percent)
    if share is None:
        complaints.append(Complaint(f"{at}.percent", "a number from 0 to 100"))
    if not found and not complaints:
        complaints.append(Complaint(f"{at}.variants", "a weight for at least one variant, such as on: 1"))
    return {"percent": share, "variants": found}


def _weights(text: str) -> Iterator[tuple[str, str]]:
    for part in text.split(","):
        if part.strip():
            name, _, weight = part.partition(":")
            yield name.strip(), weight.strip() or "1"


def _number(text: str) -> float | None:
    try:
        number = float(text.strip().removesuffix("%"))
    except ValueError:
        return None
    if number != number or number in (float("inf"), float("-inf")):
        return None
    return int(number) if number.is_integer() else number


def _place(text: str) -> float:
    number = _number(text)
    return number if number is not None else 1_000.0


def _serve_text(serve: Mapping[str, Any] | None) -> str:
    if not serve:
        return ""
    return PERCENT if "percent" in serve else str(serve["variant"])


def _weights_text(weights: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}: {weight:g}" for name, weight in weights.items())


def _only_segment(condition: Mapping[str, Any]) -> str:
    return str(condition["segment"]) if set(condition) == {"segment"} else ""


def _json(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 70 else json.dumps(value, indent=2, ensure_ascii=False)


def _without_empty(said: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in said.items() if value not in (None, [], "")}
