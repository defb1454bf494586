"""Who gets in where is a table in the repository: a route that lets somebody else in shows up as a changed line."""

from __future__ import annotations

import csv

import pytest

from tests.app.permissions.actors import ACTORS, ROLES
from tests.app.permissions.matrix import TABLE, Line, as_table, matrix


@pytest.fixture(scope="module")
def lines() -> list[Line]:
    return matrix()


def test_everybody_gets_in_where_the_table_says(lines: list[Line]) -> None:
    """`python -m tests.app.permissions.matrix` writes it anew; each changed line is a decision."""
    assert as_table(lines).splitlines() == TABLE.read_text(encoding="utf-8").splitlines()


def test_no_route_answers_anybody_with_an_error_of_ours(lines: list[Line]) -> None:
    assert [line for line in lines if any(answer.startswith("error") for answer in line.answers)] == []


def test_nobody_without_a_good_key_gets_in_where_a_permission_is_asked(lines: list[Line]) -> None:
    for line in lines:
        if line.permission != "public":
            by_actor = dict(zip(ACTORS, line.answers, strict=True))
            without = {by_actor[name] for name in ("anonymous", "revoked token", "expired session")}
            assert without <= {"sign in", "no method"}, line


def test_each_role_gets_in_wherever_the_one_below_it_does(lines: list[Line]) -> None:
    for line in lines:
        by_actor = dict(zip(ACTORS, line.answers, strict=True))
        open_to = [by_actor[role] in ("yes", "prove again") for role in ROLES]
        assert open_to == sorted(open_to), line


def test_the_table_holds_each_route_once() -> None:
    with TABLE.open(encoding="utf-8", newline="") as file:
        named = [(row["method"], row["path"]) for row in csv.DictReader(file)]
    assert len(named) == len(set(named)) > 90
