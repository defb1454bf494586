"""What stands on the sides of comparisons in expressions, and the conditions that comparisons become."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

from watchkeeper.kernel.clock import rfc3339
from watchkeeper.modules.subjects.errors import ExpressionInvalid
from watchkeeper.modules.subjects.model import OWN_FIELDS
from watchkeeper_client.rules import NotThatType, duration_of, instant_of
from watchkeeper_client.rules.checking import ATTRIBUTE, LONGEST_TEXT
from watchkeeper_client.rules.values import LARGEST_INTEGER

if TYPE_CHECKING:
    from lark import Tree

Place = tuple[int, int]
Kind = Literal["any", "text", "number", "instant", "id"]
FIELDS: dict[str, Kind] = {
    "id": "id",
    "country": "text",
    "status": "text",
    "age": "number",
    "birth_year": "number",
    "last_active_at": "instant",
}
_NAMED = f"{', '.join(FIELDS)} or attributes.…"
_ORDERED = {"<": "less", "<=": "less_or_equal", ">": "greater", ">=": "greater_or_equal"}
_EQUAL = {"==": "equals", "!=": "not_equals"}
_SWAPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_TICK = timedelta(microseconds=1)


@dataclass(frozen=True)
class Field:
    """Something of the subject's record."""

    name: str
    kind: Kind
    at: Place


@dataclass(frozen=True)
class Constant:
    """A text, a number, true or false."""

    value: str | int | float | bool
    at: Place


@dataclass(frozen=True)
class Listed:
    """Constants in square brackets."""

    values: tuple[Constant, ...]
    at: Place


@dataclass(frozen=True)
class Instant:
    """`timestamp("…")`"""

    text: str
    at: Place


@dataclass(frozen=True)
class Span:
    """`duration("…")`"""

    text: str
    at: Place


@dataclass(frozen=True)
class Since:
    """`now - last_active_at`: how long ago it was."""

    field: Field
    at: Place


@dataclass(frozen=True)
class Now:
    """`now`, of which only `now - …` means something."""

    at: Place


Operand = Field | Constant | Listed | Instant | Span | Since | Now


def is_node(tree: Any, kind: str, children: int) -> bool:
    """Whether this is a node of the kind with so many parts."""
    return tree.data == kind and len(tree.children) == children


def peel(tree: Tree[Any]) -> Tree[Any]:
    """The first node that says something: the grammar wraps each part in one node for every level of precedence."""
    while len(tree.children) == 1 and hasattr(tree.children[0], "data") and tree.data not in ("list_lit", "unary_not"):
        tree = tree.children[0]
    return tree


def place(tree: Tree[Any]) -> Place:
    """Line and column where it starts."""
    return getattr(tree.meta, "line", 1), getattr(tree.meta, "column", 1)


def operands_of(call: Tree[Any]) -> list[Operand]:
    """What is given to a function or method."""
    last: Any = call.children[-1] if call.children else None
    return [operand(one) for one in last.children] if getattr(last, "data", "") == "exprlist" else []


def operand(tree: Tree[Any]) -> Operand:
    """One side of a comparison. Raises ExpressionInvalid for what segments can't work with."""
    tree = peel(tree)
    at = place(tree)
    match tree.data:
        case "literal":
            return Constant(_constant(tree.children[0], at), at)
        case "ident":
            return _field(str(tree.children[0]), at)
        case "member_dot":
            return _attribute(tree.children[0], str(tree.children[1]), at)
        case "member_index":
            name = operand(tree.children[1])
            if isinstance(name, Constant) and isinstance(name.value, str):
                return _attribute(tree.children[0], name.value, at)
        case "list_lit":
            return _listed(tree, at)
        case "ident_arg":
            return _call(str(tree.children[0]), operands_of(tree), at)
        case "unary":
            return _negative(tree, at)
        case "addition":
            return _since(tree, at)
        case _:
            pass
    raise ExpressionInvalid(*at, f"{_NAMED}, a text, a number, true, false, or a list of them in [ ]")


def _constant(token: Any, at: Place) -> str | int | float | bool:
    text = str(token)
    match token.type:
        case "STRING_LIT":
            value: str | int | float | bool = text[text.index(text[-1]) + 1 : -1]
        case "BOOL_LIT":
            value = text == "true"
        case "FLOAT_LIT":
            value = float(text)
        case "INT_LIT" | "UINT_LIT":
            digits = text.rstrip("uU")
            value = int(digits, 16) if "0x" in digits else int(digits) if len(digits) < 20 else LARGEST_INTEGER + 1
        case _:
            raise ExpressionInvalid(*at, f"a text, a number, true or false, found {text[:20]}")
    if isinstance(value, str) and len(value) > LONGEST_TEXT:
        raise ExpressionInvalid(*at, f"a text of at most {LONGEST_TEXT:,} characters")
    if isinstance(value, (int, float)) and not (math.isfinite(value) and abs(value) <= LARGEST_INTEGER):
        raise ExpressionInvalid(*at, "a number of at most 2^53 - 1")
    return value


def _field(name: str, at: Place) -> Operand:
    if name == "now":
        return Now(at)
    if name not in FIELDS:
        hint = f"; perhaps attributes.{name[:60]}" if name != "attributes" else ""
        raise ExpressionInvalid(*at, f"{_NAMED}, found {name[:60]}{hint}")
    return Field(name, FIELDS[name], at)


def _attribute(parent: Tree[Any], name: str, at: Place) -> Field:
    parent = peel(parent)
    if parent.data != "ident" or str(parent.children[0]) != "attributes":
        raise ExpressionInvalid(*at, f"{_NAMED}; attributes hold no attributes of their own")
    if not ATTRIBUTE.fullmatch(name):
        raise ExpressionInvalid(*at, "the name of an attribute: a letter or _, then letters, digits, _ . and -")
    if name in OWN_FIELDS:
        raise ExpressionInvalid(*at, f"{name} without attributes. before it")
    return Field(name, "any", at)


def _listed(tree: Tree[Any], at: Place) -> Listed:
    values = tuple(operands_of(tree))
    constants = tuple(one for one in values if isinstance(one, Constant))
    if not values or len(constants) < len(values):
        raise ExpressionInvalid(*at, "a list of one or more texts, numbers or booleans")
    return Listed(constants, at)


def _call(name: str, given: list[Operand], at: Place) -> Operand:
    only = given[0] if len(given) == 1 else None
    if name == "timestamp" and isinstance(only, Field) and only.kind == "any":
        return Field(only.name, "instant", at)
    text = only.value if isinstance(only, Constant) and isinstance(only.value, str) else None
    if name == "timestamp":
        instant = instant_of(text)
        if instant is None or not 1900 <= instant.year <= 2500:
            raise ExpressionInvalid(*at, 'an instant such as timestamp("2026-11-30T09:00:00Z")')
        return Instant(str(text), at)
    if name == "duration":
        try:
            duration_of(text)
        except NotThatType as error:
            raise ExpressionInvalid(*at, f"{error}, in quotation marks") from None
        return Span(str(text), at)
    raise ExpressionInvalid(*at, f"one of the functions has, timestamp and duration, found {name[:40]}")


def _negative(tree: Tree[Any], at: Place) -> Constant:
    sign = 1
    while is_node(tree, "unary", 2) and tree.children[0].data == "unary_neg":
        sign, tree = -sign, peel(tree.children[1])
    value = _constant(tree.children[0], at) if tree.data == "literal" else None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ExpressionInvalid(*at, "a number after -")
    return Constant(sign * value, at)


def _since(tree: Tree[Any], at: Place) -> Since:
    if is_node(tree, "addition", 2) and tree.children[0].data == "addition_sub":
        left, right = operand(tree.children[0].children[0]), operand(tree.children[1])
        if isinstance(left, Now) and isinstance(right, Field) and right.kind == "instant":
            return Since(right, at)
    raise ExpressionInvalid(*at, "no arithmetic but now - last_active_at or now - timestamp(attributes.…)")


def comparison(op: str, left: Operand, right: Operand, at: Place) -> dict[str, Any]:
    """The condition of one comparison of something of the subject with something that is written down."""
    if isinstance(right, (Field, Since)) and not isinstance(left, (Field, Since)):
        left, right, op = right, left, _SWAPPED.get(op, op)
    if isinstance(left, Field) and left.kind == "instant" and isinstance(right, Instant):
        return _against_instant(left.name, op, right)
    if isinstance(left, Since) and isinstance(right, Span):
        if op not in ("<=", ">"):
            raise ExpressionInvalid(*at, "<= or > before a duration")
        word = "newer_than" if op == "<=" else "older_than"
        return {"attribute": left.field.name, "op": word, "value": right.text}
    if isinstance(left, Field) and isinstance(right, Constant):
        return _against_constant(left, op, right)
    raise ExpressionInvalid(*at, _what_fits(left))


def _what_fits(left: Operand) -> str:
    if isinstance(left, Since):
        return 'a duration to compare with, such as duration("30d")'
    if isinstance(left, Field) and left.kind == "instant":
        return f'a comparison with an instant, such as {left.name} > timestamp("2026-11-30T09:00:00Z")'
    return f"on one side {_NAMED}, on the other a text, a number, true or false"


def _against_instant(name: str, op: str, right: Instant) -> dict[str, Any]:
    limit = instant_of(right.text)
    assert limit is not None  # noqa: S101 (checked)
    # Instants are kept to the microsecond, so that "at or after" is "after the one before".
    moved = {"<": limit, "<=": limit + _TICK, ">": limit, ">=": limit - _TICK}.get(op)
    if moved is None:
        raise ExpressionInvalid(*right.at, "<, <=, > or >= before an instant")
    return {"attribute": name, "op": "before" if op in ("<", "<=") else "after", "value": rfc3339(moved)}


def _against_constant(left: Field, op: str, right: Constant) -> dict[str, Any]:
    value = right.value
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if left.kind == "instant":
        raise ExpressionInvalid(*right.at, _what_fits(left))
    if left.kind == "number" and not number:
        raise ExpressionInvalid(*right.at, f"a number, which {left.name} is")
    if left.kind in ("text", "id") and not isinstance(value, str):
        raise ExpressionInvalid(*right.at, f"a text, which {left.name} is")
    if op in _ORDERED and not number:
        raise ExpressionInvalid(*right.at, f"a number after {op}")
    if left.kind == "id":
        return _users([value], op == "!=", right.at)
    return {"attribute": left.name, "op": (_EQUAL | _ORDERED)[op], "value": value}


def membership(left: Operand, right: Operand, no: bool, at: Place) -> dict[str, Any]:
    """`country in ["NO"]`, or `"x" in attributes.tags`."""
    if isinstance(left, Field) and isinstance(right, Listed):
        for one in right.values:
            _against_constant(left, "==", one)  # refuses what can't be compared
        values = [one.value for one in right.values]
        if left.kind == "id":
            return _users(values, no, at)
        return {"attribute": left.name, "op": "not_in" if no else "in", "value": values}
    if isinstance(left, Constant) and isinstance(left.value, str) and isinstance(right, Field) and right.kind == "any":
        inside = _textual("contains", right.name, left)
        there = {"attribute": right.name, "op": "exists", "value": True}
        return {"all": [there, {"not": inside}]} if no else inside
    raise ExpressionInvalid(*at, 'country in ["NO", "SE"] or "text" in attributes.…')


def textual(op: str, target: Operand, given: list[Operand], no: bool, at: Place) -> dict[str, Any]:
    """`attributes.email_domain.endsWith("…")` and the like."""
    if not isinstance(target, Field) or target.kind not in ("any", "text"):
        raise ExpressionInvalid(*at, "a text of the record before the dot: country, status or attributes.…")
    if len(given) != 1 or not isinstance(given[0], Constant):
        raise ExpressionInvalid(*at, "one text in the brackets")
    found = _textual(op, target.name, given[0])
    if not no:
        return found
    # Any text at all: only of a text can it be said that it starts otherwise.
    is_text = {"any": [{"attribute": target.name, "op": word, "value": ""} for word in ("equals", "not_equals")]}
    return {"all": [is_text, {"not": found}]}


def _textual(op: str, name: str, given: Constant) -> dict[str, Any]:
    if not isinstance(given.value, str) or not given.value:
        raise ExpressionInvalid(*given.at, "a text of one character or more")
    return {"attribute": name, "op": op, "value": given.value}


def _users(values: list[Any], no: bool, at: Place) -> dict[str, Any]:
    if not all(0 < len(one) <= 200 for one in values):
        raise ExpressionInvalid(*at, "ids of 1 to 200 characters")
    listed = {"users": values}
    return {"not": listed} if no else listed
