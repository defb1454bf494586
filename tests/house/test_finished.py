"""Nothing is left half done, and nothing swallows errors without saying why."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house.tree import PROGRAMS, files, parsed, shown

# Put together here, so that this file does not find itself.
MARKS = ("TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK")
BROAD = {"Exception", "BaseException"}


def comments(text: str) -> dict[int, str]:
    """The comment of each line that has one."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return {token.start[0]: token.string for token in tokens if token.type == tokenize.COMMENT}


def broad_handlers(tree: ast.Module) -> Iterator[ast.ExceptHandler]:
    """`except:` and `except Exception`, also inside a tuple."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.ExceptHandler):
            continue
        caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
        if any(one is None or (isinstance(one, ast.Name) and one.id in BROAD) for one in caught):
            yield node


def unexplained(text: str) -> list[int]:
    """Lines of broad handlers with no words about why: on the line, above it, or first thing in the body.

    A handler that ends by raising again swallows nothing and needs none.
    """
    explained = {line for line, comment in comments(text).items() if len(comment.split()) > 3}
    return [
        handler.lineno
        for handler in broad_handlers(ast.parse(text))
        if not _raises_again(handler) and not explained & set(range(handler.lineno - 1, handler.body[0].lineno + 1))
    ]


def _raises_again(handler: ast.ExceptHandler) -> bool:
    return any(isinstance(last, ast.Raise) for last in handler.body[-1:])


def test_a_broad_except_says_why() -> None:
    found = [
        f"{shown(path)}:{line}"
        for path in files(".py", *PROGRAMS, "tests")
        for line in unexplained(path.read_text(encoding="utf-8"))
    ]
    assert found == []


@pytest.mark.parametrize(
    ("code", "lines"),
    [
        ("try:\n    f()\nexcept Exception:\n    pass", [3]),
        ("try:\n    f()\nexcept (OSError, Exception):\n    pass", [3]),
        ("try:\n    f()\nexcept:\n    pass", [3]),
        ("try:\n    f()\nexcept Exception:  # the loop outlives it\n    pass", []),
        ("try:\n    f()\nexcept Exception:\n    # an edge: the loop outlives it\n    pass", []),
        ("try:\n    f()\nexcept BaseException:\n    undo()\n    raise", []),
        ("try:\n    f()\nexcept OSError:\n    pass", []),
    ],
)
def test_a_reason_stands_beside_the_handler(code: str, lines: list[int]) -> None:
    assert unexplained(code) == lines


def test_nothing_is_marked_as_unfinished() -> None:
    found = []
    for path in files(".py", *PROGRAMS, "tests"):
        for line, comment in comments(path.read_text(encoding="utf-8")).items():
            found += [f"{shown(path)}:{line} {mark}" for mark in MARKS if mark in comment]
    assert found == []


def test_no_page_or_text_is_marked_as_unfinished() -> None:
    kinds = (".md", ".html", ".js", ".css", ".sh", ".toml", ".yaml", "Makefile")
    found = [
        f"{shown(path)} {mark}"
        for kind in kinds
        for path in files(kind)
        if "vendor" not in path.parts
        for mark in MARKS[:2]
        if mark in path.read_text(encoding="utf-8")
    ]
    assert found == []


def test_nothing_raises_not_implemented() -> None:
    found = [
        f"{shown(path)}:{node.lineno}"
        for path in files(".py", *PROGRAMS)
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Name) and node.id == "NotImplementedError"
    ]
    assert found == []


def test_the_rules_see_the_programs() -> None:
    assert Path("src/watchkeeper/kernel/clock.py").as_posix() in {shown(path) for path in files(".py", *PROGRAMS)}
