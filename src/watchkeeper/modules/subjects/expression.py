"""Expressions of custom segments: a part of CEL (the Common Expression Language), translated to a condition.

Parsed by cel-python and translated here; nothing is ever evaluated or made into SQL. A comparison whose attribute
is missing is neither true nor false in CEL but an error, which makes its side of `&&` and `||` count as not true.
Conditions say the same once every `!` stands at its comparison, so that is where it is pushed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from watchkeeper.modules.subjects.errors import ExpressionInvalid
from watchkeeper.modules.subjects.expression_operands import (
    Constant,
    Field,
    Operand,
    comparison,
    is_node,
    membership,
    operand,
    operands_of,
    peel,
    place,
    textual,
)
from watchkeeper_client.rules import ConditionInvalid, check_condition

if TYPE_CHECKING:
    from lark import Tree

LONGEST = 2_000
DEEPEST_BRACKETS = 20
_SAID = 'comparisons such as attributes.plan == "premium", put together with &&, || and !'
_OPERATORS = {
    "relation_eq": "==",
    "relation_ne": "!=",
    "relation_lt": "<",
    "relation_le": "<=",
    "relation_gt": ">",
    "relation_ge": ">=",
}
_OPPOSITE = {"==": "!=", "!=": "==", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}
_METHODS = {"contains": "contains", "startsWith": "starts_with", "endsWith": "ends_with"}
# Strings are skipped, so that a bracket in a text is no bracket.
_PIECES = re.compile(r"\"[^\"\n]*\"|'[^'\n]*'|//[^\n]*|.", re.DOTALL)


def condition_of(text: str) -> dict[str, Any]:
    """The condition that says the same. Raises ExpressionInvalid with line, column and what may stand there."""
    _refuse_before_parsing(text)
    made = _condition(_parse(text), False)
    try:
        check_condition(made)
    except ConditionInvalid as error:
        raise ExpressionInvalid(1, 1, error.expected) from None
    return made


def _refuse_before_parsing(text: str) -> None:
    """What the parser is not to see: its time for a text with backslashes doubles with each of them."""
    if len(text) > LONGEST:
        raise ExpressionInvalid(*_at(text, LONGEST), f"at most {LONGEST:,} characters")
    if not text.strip():
        raise ExpressionInvalid(1, 1, _SAID)
    depth = 0
    for found in _PIECES.finditer(text):
        piece, start = found.group(), found.start()
        if "\\" in piece:
            raise ExpressionInvalid(*_at(text, start + piece.index("\\")), "texts without backslashes")
        if piece in "\"'":
            raise ExpressionInvalid(*_at(text, start), f"a text that ends with {piece} on the same line")
        if piece in ('""', "''") and text[start + 2 : start + 3] == piece[0]:
            raise ExpressionInvalid(*_at(text, start), "one quotation mark on each side of a text")
        if not piece.isprintable() and piece not in "\n\t\r" and not piece.startswith("//"):
            raise ExpressionInvalid(*_at(text, start), "printable characters")
        depth += (piece in "([{") - (piece in ")]}")
        if depth > DEEPEST_BRACKETS:
            raise ExpressionInvalid(*_at(text, start), f"at most {DEEPEST_BRACKETS} brackets inside each other")


def _at(text: str, offset: int) -> tuple[int, int]:
    before = text[:offset]
    return before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1


def _parse(text: str) -> Tree[Any]:
    # A quarter of a second and 25 MB: only for whoever writes expressions.
    from celpy.celparser import CELParseError, CELParser

    try:
        return CELParser().parse(text)
    except CELParseError as error:
        line = error.line if isinstance(error.line, int) and error.line > 0 else 1
        column = error.column if isinstance(error.column, int) and error.column > 0 else 1
        token = getattr(getattr(error, "__context__", None), "token", None)
        if getattr(token, "type", "") == "$END":
            raise ExpressionInvalid(line, column, "more after this; the expression ends too soon") from None
        lines = text.split("\n")
        found = lines[line - 1][column - 1 : column] if line <= len(lines) else ""
        raise ExpressionInvalid(line, column, f"{_SAID}; {found!r} can't stand here") from None


def _condition(tree: Tree[Any], no: bool) -> dict[str, Any]:
    """The condition of a part of the expression; with `no`, of its opposite."""
    tree = peel(tree)
    while is_node(tree, "unary", 2) and tree.children[0].data == "unary_not":
        no, tree = not no, peel(tree.children[1])
    if is_node(tree, "conditionalor", 2):
        return _together("all" if no else "any", tree, no)
    if is_node(tree, "conditionaland", 2):
        return _together("any" if no else "all", tree, no)
    if is_node(tree, "relation", 2):
        return _relation(tree, no)
    if tree.data == "ident_arg" and str(tree.children[0]) == "has":
        return _has(tree, no)
    if tree.data == "member_dot_arg":
        return _method(tree, no)
    if tree.data == "expr":
        raise ExpressionInvalid(*place(tree), f"{_SAID}; no ? :")
    found = operand(tree)
    if isinstance(found, Constant) and isinstance(found.value, bool):
        return {"all" if found.value is not no else "any": []}
    if isinstance(found, Field) and found.kind == "any":
        return {"attribute": found.name, "op": "equals", "value": not no}
    raise ExpressionInvalid(*place(tree), f"a comparison, such as {_example(found)}")


def _example(found: Operand) -> str:
    if isinstance(found, Field):
        return {"number": f"{found.name} >= 18", "instant": 'now - last_active_at <= duration("30d")'}.get(
            found.kind, f'{found.name} == "…"'
        )
    return 'attributes.plan == "premium"'


def _together(word: str, tree: Tree[Any], no: bool) -> dict[str, Any]:
    """Both sides, and all that stands in a row with them, under one word."""
    parts: list[dict[str, Any]] = []
    for side in _in_a_row(tree):
        made = _condition(side, no)
        # What would hold or fail by itself is kept as it is: an empty list means something else under each word.
        parts += made[word] if set(made) == {word} and made[word] else [made]
    return {word: parts}


def _in_a_row(tree: Tree[Any]) -> Iterator[Tree[Any]]:
    """The operands of a chain of one operator, from the left; chains may be long, so this does not recurse."""
    kind, sides = tree.data, []
    while is_node(tree, kind, 2):
        sides.append(tree.children[1])
        tree = tree.children[0]
        while len(tree.children) == 1 and tree.data == kind:
            tree = tree.children[0]
    yield tree
    yield from reversed(sides)


def _relation(tree: Tree[Any], no: bool) -> dict[str, Any]:
    word, right = tree.children
    left = operand(word.children[0])
    if word.data == "relation_in":
        return membership(left, operand(right), no, place(tree))
    op = _OPERATORS[word.data]
    return comparison(_OPPOSITE[op] if no else op, left, operand(right), place(tree))


def _has(tree: Tree[Any], no: bool) -> dict[str, Any]:
    given = operands_of(tree)
    if len(given) != 1 or not isinstance(given[0], Field) or given[0].kind == "id":
        raise ExpressionInvalid(*place(tree), "one attribute, such as has(attributes.plan)")
    return {"attribute": given[0].name, "op": "exists", "value": not no}


def _method(tree: Tree[Any], no: bool) -> dict[str, Any]:
    op = _METHODS.get(str(tree.children[1]))
    if op is None:
        allowed = ", ".join(_METHODS)
        raise ExpressionInvalid(*place(tree), f"one of {allowed}, found {str(tree.children[1])[:40]}")
    target, given = operand(tree.children[0]), operands_of(tree)
    return textual(op, target, given, no, place(tree))
