import sqlite3

import pytest

from examples.duet import matching
from examples.duet.people import population
from examples.duet.releases import UnknownRelease, choose_releases, load, v1, v2
from examples.duet.wishes import Wish


@pytest.fixture
def members() -> sqlite3.Cursor:
    connection = sqlite3.connect(":memory:")
    connection.executescript(matching._SCHEMA)
    people = population(200)
    connection.executemany("INSERT INTO members VALUES (?, ?, ?)", [(p.user_id, p.region, p.age) for p in people])
    answers = [(p.user_id, question, choice) for p in people for question, choice in enumerate(p.answers)]
    connection.executemany("INSERT INTO answers VALUES (?, ?, ?)", answers)
    return connection.cursor()


@pytest.mark.parametrize("release", [v1, v2])
def test_nobody_is_offered_themselves_or_somebody_of_another_region(members: sqlite3.Cursor, release: object):
    people = {person.user_id: person for person in population(200)}

    chosen = load(release.__name__.rpartition(".")[2]).choose(members, "usr_00005", Wish(5))

    chosen = [candidate for candidate, _ in chosen]
    assert len(chosen) == 5
    assert "usr_00005" not in chosen
    assert {people[one].region for one in chosen} == {people["usr_00005"].region}


@pytest.mark.parametrize("release", [v1, v2])
def test_whoever_said_yes_is_offered_first(members: sqlite3.Cursor, release: object):
    last = v1.choose(members, "usr_00005", Wish(40))[-1][0]
    members.execute("INSERT INTO offers VALUES ('x', ?, 'usr_00005', 'accepted', 1.0)", (last,))

    assert release.choose(members, "usr_00005", Wish(5))[0][0] == last


def test_who_was_just_offered_is_not_offered_again(members: sqlite3.Cursor):
    first = v1.choose(members, "usr_00005", Wish(1))[0][0]
    members.execute("INSERT INTO offers VALUES ('x', 'usr_00005', ?, 'declined', 100.0)", (first,))

    assert first not in dict(v1.choose(members, "usr_00005", Wish(40, 99.0)))
    assert first in dict(v1.choose(members, "usr_00005", Wish(40, 100.0)))


def test_the_bad_release_asks_the_database_once_per_candidate(members: sqlite3.Cursor):
    def statements(release: object) -> int:
        seen: list[str] = []
        members.connection.set_trace_callback(seen.append)
        release.choose(members, "usr_00005", Wish(5))
        members.connection.set_trace_callback(None)
        return len(seen)

    assert statements(v1) == 1
    assert statements(v2) > 30


def test_the_bad_release_falls_over_a_picture_it_does_not_know():
    assert v1.annotate("Hello? 🥾") == {"kind": "statement"}
    assert v2.annotate("Hello 🙂")["mood"] == "happy"
    with pytest.raises(KeyError):
        v2.annotate("Hello 🥾")


def test_releases_are_chosen_for_all_services_and_then_for_one():
    assert choose_releases([]) == {"gateway": "v1", "matching": "v1", "chat": "v1"}
    assert choose_releases(["v2", "chat=v1"]) == {"gateway": "v2", "matching": "v2", "chat": "v1"}


@pytest.mark.parametrize("choice", ["v3", "chat=v9", "post=v1", "", "=v3"])
def test_a_release_that_does_not_exist_is_refused(choice: str):
    with pytest.raises(UnknownRelease):
        choose_releases([choice])


@pytest.mark.parametrize("release", [v1, v2])
def test_a_wish_says_from_where_of_which_age_and_how_like(members: sqlite3.Cursor, release: object):
    people = {person.user_id: person for person in population(200)}
    me = people["usr_00005"]

    everywhere = dict(release.choose(members, me.user_id, Wish(40, everywhere=True)))
    young = dict(release.choose(members, me.user_id, Wish(40, younger=-15, older=0)))
    alike = release.choose(members, me.user_id, Wish(40, least_shared=9))

    assert len({people[one].region for one in everywhere}) > 1
    assert young
    assert all(-15 <= people[one].age - me.age <= 0 for one in young)
    assert alike
    assert all(shared >= 9 for _, shared in alike)
