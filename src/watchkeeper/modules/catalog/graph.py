"""A small drawing of who calls a service and whom it calls, laid out here so that it needs no script."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

NODE_WIDTH, NODE_HEIGHT = 190, 34
_GAP_X, _GAP_Y = 70, 12
_MOST = 12
_LONGEST = 23


@dataclass(frozen=True)
class Node:
    """A box; `name` is None for "and 3 more"."""

    name: str | None
    label: str
    x: int
    y: int
    is_known: bool = True

    @property
    def middle(self) -> int:
        return self.y + NODE_HEIGHT // 2


@dataclass(frozen=True)
class Arrow:
    """The paths of its line and of its head."""

    line: str
    head: str


@dataclass(frozen=True)
class Graph:
    """Boxes in columns from callers to called, and the paths of the arrows between them."""

    width: int
    height: int
    nodes: tuple[Node, ...]
    arrows: tuple[Arrow, ...]


def graph(name: str, callers: Sequence[str], called: Sequence[str], known: frozenset[str]) -> Graph | None:
    """None when there is nothing to draw."""
    if not callers and not called:
        return None
    columns = [column for column in (_labels(callers), [(name, _short(name))], _labels(called)) if column]
    tallest = max(len(column) for column in columns)
    height = tallest * (NODE_HEIGHT + _GAP_Y) - _GAP_Y + 2
    placed = [_place(column, at, height, known | {name}) for at, column in enumerate(columns)]
    arrows = [_arrow(one, other) for left, right in pairwise(placed) for one in left for other in right]
    width = len(columns) * (NODE_WIDTH + _GAP_X) - _GAP_X + 2
    return Graph(width, height, tuple(node for column in placed for node in column), tuple(arrows))


def _labels(names: Sequence[str]) -> list[tuple[str | None, str]]:
    shown: list[tuple[str | None, str]] = [(name, _short(name)) for name in names[:_MOST]]
    return [*shown, (None, f"and {len(names) - _MOST} more")] if len(names) > _MOST else shown


def _place(column: Sequence[tuple[str | None, str]], at: int, height: int, known: frozenset[str]) -> list[Node]:
    top = 1 + (height - 2 - len(column) * (NODE_HEIGHT + _GAP_Y) + _GAP_Y) // 2
    x = 1 + at * (NODE_WIDTH + _GAP_X)
    return [
        Node(name, label, x, top + row * (NODE_HEIGHT + _GAP_Y), name is not None and name in known)
        for row, (name, label) in enumerate(column)
    ]


def _arrow(start: Node, end: Node) -> Arrow:
    x1, x2 = start.x + NODE_WIDTH, end.x - 7
    bend = (x1 + x2) // 2
    head = f"M{x2} {end.middle - 4}l7 4l-7 4z"
    return Arrow(f"M{x1} {start.middle}C{bend} {start.middle} {bend} {end.middle} {x2} {end.middle}", head)


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"
