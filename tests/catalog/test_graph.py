"""The drawing of dependencies: inside its frame, from callers to called."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.modules.catalog.graph import NODE_HEIGHT, NODE_WIDTH, graph

names = st.lists(st.text(min_size=1, max_size=60), max_size=20, unique=True)


def test_nothing_is_drawn_of_a_service_that_stands_alone() -> None:
    assert graph("web", [], [], frozenset()) is None


def test_callers_stand_left_and_called_right_of_the_service() -> None:
    drawn = graph("web", ["edge"], ["chat", "mail"], frozenset({"edge", "chat"}))
    assert drawn is not None
    by_name = {node.name: node for node in drawn.nodes}
    assert by_name["edge"].x < by_name["web"].x < by_name["chat"].x == by_name["mail"].x
    assert [by_name[name].is_known for name in ("edge", "web", "chat", "mail")] == [True, True, True, False]
    assert len(drawn.arrows) == 3


@given(names, names)
def test_every_box_is_inside_the_drawing_and_none_covers_another(callers: list[str], called: list[str]) -> None:
    drawn = graph("web", callers, called, frozenset())
    if drawn is None:
        assert not callers
        assert not called
        return
    assert all(0 <= n.x <= drawn.width - NODE_WIDTH and 0 <= n.y <= drawn.height - NODE_HEIGHT for n in drawn.nodes)
    places = [(node.x, node.y) for node in drawn.nodes]
    assert len(set(places)) == len(places)
    assert len(drawn.arrows) == len(drawn.nodes) - 1
    assert all(len(node.label) <= 23 for node in drawn.nodes)


def test_many_neighbours_are_counted_rather_than_drawn() -> None:
    drawn = graph("web", [f"caller-{n}" for n in range(40)], [], frozenset())
    assert drawn is not None
    assert [node.label for node in drawn.nodes if node.name is None] == ["and 28 more"]
