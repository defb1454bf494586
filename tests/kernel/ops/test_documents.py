"""Checking documents against their shape: what was expected, what was found, and where."""

from __future__ import annotations

from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from watchkeeper.kernel.ops import Complaints, Located, OpsInvalid, Position
from watchkeeper.kernel.ops.documents import check
from watchkeeper.kernel.ops.yaml_file import parse
from watchkeeper.kernel.web.wire import StrictModel


class Shelf(StrictModel):
    colour: Annotated[str, Field(pattern="^[a-z]+$")]
    books: int = Field(0, ge=0, le=40)


class Room(StrictModel):
    name: str
    floor: int = Field(0, ge=-1, le=3)
    shelves: list[Shelf] = Field(default_factory=list, max_length=2)
    window: Shelf | None = None


def _check(text: str) -> list[Located[Room]]:
    complaints = Complaints()
    found = [check(document, Room, complaints) for document in parse("rooms/a.yaml", text, complaints)]
    complaints.refuse_if_any()
    return [one for one in found if one is not None]


def _complaints(text: str) -> list[str]:
    with pytest.raises(OpsInvalid) as refused:
        _check(text)
    return [f"{one.where}: {one.expected}" for one in refused.value.complaints]


def test_a_document_that_fits_becomes_its_model() -> None:
    (room,) = _check("name: study\nshelves: [{colour: red, books: 3}]\n")
    assert room.value == Room(name="study", shelves=[Shelf(colour="red", books=3)])


def test_a_wrong_value_is_named_where_it_stands_with_what_was_expected_and_found() -> None:
    assert _complaints("name: study\nfloor: 9\n") == [
        "rooms/a.yaml:2:8: expected at most 3 for floor, found 9",
    ]
    assert _complaints("name: [a]\nfloor: up\n") == [
        "rooms/a.yaml:1:7: expected a valid string for name, found a list",
        "rooms/a.yaml:2:8: expected a valid integer, unable to parse string as an integer for floor, found 'up'",
    ]


def test_a_missing_field_is_named_where_its_neighbours_stand() -> None:
    assert _complaints("floor: 1\n---\nname: a\nshelves:\n  - books: 1\n") == [
        "rooms/a.yaml:1:1: expected the field name",
        "rooms/a.yaml:5:5: expected the field shelves.0.colour",
    ]


def test_an_unknown_field_is_named_with_those_that_are_known() -> None:
    assert _complaints("name: a\nflor: 1\nwindow:\n  colour: red\n  hight: 2\n") == [
        "rooms/a.yaml:2:1: expected one of floor, name, shelves, window, found 'flor': did you mean floor?",
        "rooms/a.yaml:5:3: expected one of books, colour, found 'hight'",
    ]


def test_a_document_that_is_no_mapping_says_which_fields_there_are() -> None:
    assert _complaints("- a\n- b\n") == [
        "rooms/a.yaml:1:1: expected fields such as name, floor, shelves, window, found a list"
    ]
    assert _complaints("study\n")[0].endswith("found 'study'")


def test_what_was_found_is_shown_on_one_short_line() -> None:
    (complaint,) = _complaints("name: a\nfloor: |\n  " + "long " * 40 + "\n  text\n")
    assert "\n" not in complaint
    assert complaint.endswith("…'")


def test_every_complaint_of_every_document_is_told_at_once_in_order() -> None:
    complaints = _complaints("name: a\nfloor: 9\nx: 1\n---\nfloor: -5\n")
    assert [one.split(":")[1] for one in complaints] == ["2", "3", "5", "5"]


def test_the_refusal_says_how_many_mistakes_there_are() -> None:
    with pytest.raises(OpsInvalid, match="There is one mistake in the files; nothing was changed"):
        _check("name: a\nfloor: 9\n")
    with pytest.raises(OpsInvalid, match="There are 2 mistakes"):
        _check("nam: a\n")


def test_no_more_complaints_are_told_than_anybody_reads() -> None:
    complaints = Complaints()
    for line in range(1, 1_000):
        complaints.add(Position("a.yaml", line), "something else")
    with pytest.raises(OpsInvalid) as refused:
        complaints.refuse_if_any()
    assert len(refused.value.complaints) == 200
    assert "999 mistakes" in refused.value.detail


@given(st.lists(st.sampled_from(["name: a", "floor: 1", "# a comment", "", "shelves: []"]), unique=True), st.data())
def test_the_place_of_a_mistake_is_its_line_whatever_stands_around_it(lines: list[str], data: st.DataObject) -> None:
    lines = ["name: a", *(line for line in lines if line != "name: a")]
    at = data.draw(st.integers(0, len(lines)))
    mistake = data.draw(st.sampled_from(["wrong: 1", "window: {colour: RED}", "window: 7"]))
    complaints = _complaints("\n".join([*lines[:at], mistake, *lines[at:]]) + "\n")
    assert [one.split(":")[1] for one in complaints] == [str(at + 1)]
