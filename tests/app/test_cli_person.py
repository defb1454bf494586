"""`watchkeeper person`, as it is typed on the machine, also when nobody can sign in any more."""

from __future__ import annotations

import json
import os
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner, Result

from watchkeeper.app.cli import cli
from watchkeeper.app.configuration import load_configuration
from watchkeeper.app.server import Watchkeeper
from watchkeeper.kernel.ids import new_id
from watchkeeper.kernel.journal import Fact, FactFilter, read_facts
from watchkeeper.kernel.web.access import Actor, Scope
from watchkeeper.modules.identity import store
from watchkeeper.modules.identity.model import Duty, Peer, Person, Role, SignInMethod
from watchkeeper.modules.identity.service import Identity
from watchkeeper.modules.identity.tokens import Tokens

ALICE, BOB = "alice@example.org", "bob@example.org"


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data directory with Alice, an admin, and Bob, who is signed in as a responder with the duty safety."""
    for name in [name for name in os.environ if name.startswith("WATCHKEEPER_")]:
        monkeypatch.delenv(name)
    folder = tmp_path / "data"
    monkeypatch.setenv("WATCHKEEPER_DATA", str(folder))
    monkeypatch.setenv("WATCHKEEPER_SELF_TELEMETRY", "false")
    with _server(folder) as watchkeeper, watchkeeper.db.begin() as db:
        now = watchkeeper.clock.now()
        for name, email, role in (("Alice", ALICE, Role.ADMIN), ("Bob", BOB, Role.RESPONDER)):
            duties = frozenset({Duty.SAFETY}) if name == "Bob" else frozenset[Duty]()
            person = Person(
                id=new_id("per"), name=name, email=email, role=role, password_hash="x", created_at=now, duties=duties
            )
            store.add_person(db, person, seat=None)
        identity = Identity(db, watchkeeper.clock, watchkeeper.configuration.identity)
        identity.begin_session(person, Peer("203.0.113.7", "Firefox"), SignInMethod.PASSWORD, None)
    return folder


def _server(data: Path) -> AbstractContextManager[Watchkeeper]:
    return Watchkeeper.open(load_configuration({}, data=data), background=False)


def _run(*words: str) -> Result:
    return CliRunner().invoke(cli, ["person", *words])


def _person(data: Path, email: str) -> tuple[Person, int]:
    """Somebody, and how many sessions of theirs are open."""
    with _server(data) as watchkeeper, watchkeeper.db.read() as db:
        found = store.person_by_email(db, email)
        assert found is not None
        return found, len(store.sessions_of(db, found.id))


def _facts(data: Path) -> list[Fact]:
    with _server(data) as watchkeeper, watchkeeper.db.read() as db:
        return read_facts(db, FactFilter(kinds=("identity.",)), limit=100)


def test_the_list_shows_everybody_with_role_duties_and_state(data: Path) -> None:
    result = _run("list")
    assert result.exit_code == 0, result.output
    alice, bob = result.stdout.splitlines()
    assert alice.split()[1:] == [ALICE, "Alice", "admin", "enabled"]
    assert bob.split()[1:] == [BOB, "Bob", "responder,safety", "enabled"]
    assert [one["email"] for one in json.loads(_run("list", "--json").stdout)] == [ALICE, BOB]


def test_an_invitation_is_a_link_on_the_last_line_that_opens(data: Path) -> None:
    result = _run("invite", "carla@example.org", "--role", "operator", "--duty", "privacy", "--reason", "she starts")
    assert result.exit_code == 0, result.output
    assert "carla@example.org" in result.stderr
    link = result.stdout.strip()
    assert link.startswith("http://127.0.0.1:8700/invite/wki_")
    with _server(data) as watchkeeper:
        path = link.removeprefix("http://127.0.0.1:8700")
        client = TestClient(watchkeeper.app, base_url="http://127.0.0.1:8700", headers={"accept": "text/html"})
        assert "carla@example.org" in client.get(path).text


def test_a_link_has_the_address_that_people_use(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHKEEPER_BASE_URL", "https://ops.example.org")
    made = _run("reset-link", BOB, "--reason", "he forgot it", "--json")
    assert json.loads(made.stdout)["link"].startswith("https://ops.example.org/reset/wkr_")


def test_a_role_is_given_and_duties_stay_unless_said(data: Path) -> None:
    result = _run("role", BOB, "operator", "--reason", "he is on call now")
    assert (result.exit_code, result.stdout.strip()) == (0, "Bob is operator, safety.")
    assert _run("role", BOB, "operator", "--duty", "privacy", "--reason", "he looks after erasure").exit_code == 0
    assert _person(data, BOB)[0].duties == {Duty.PRIVACY}
    assert _run("role", BOB, "viewer", "--no-duties", "--reason", "he moved on").stdout.strip() == "Bob is viewer."
    assert _run("role", BOB, "viewer", "--no-duties", "--duty", "safety", "--reason", "both").exit_code == 1


def test_who_is_disabled_is_signed_out_and_may_come_back(data: Path) -> None:
    assert _person(data, BOB)[1] == 1
    assert "Bob is disabled" in _run("disable", BOB, "--reason", "he left the company").stdout
    bob, sessions = _person(data, BOB)
    assert (bob.disabled_at is not None, sessions) == (True, 0)
    assert "disabled" in _run("list").stdout
    assert "may sign in again" in _run("enable", BOB, "--reason", "he came back").stdout
    assert _person(data, BOB)[0].disabled_at is None


def test_tokens_of_who_is_disabled_go_on_unless_it_is_said(data: Path) -> None:
    with _server(data) as watchkeeper, watchkeeper.db.begin() as db:
        bob = store.person_by_email(db, BOB)
        assert bob is not None
        me = Actor(id=bob.id, kind="person", name="Bob", scopes=frozenset({Scope.ADMIN}))
        scopes = frozenset({Scope.READ})
        Tokens(db, watchkeeper.clock).create(name="bot", scopes=scopes, expires_at=None, by=me)
    assert "go on working" in _run("disable", BOB, "--reason", "he left the company").stdout
    assert _open_tokens(data, bob.id) == 1
    _run("enable", BOB, "--reason", "once more")
    assert "are revoked" in _run("disable", BOB, "--revoke-tokens", "--reason", "he left the company").stdout
    assert _open_tokens(data, bob.id) == 0


def _open_tokens(data: Path, maker: str) -> int:
    with _server(data) as watchkeeper, watchkeeper.db.read() as db:
        return len(store.open_tokens_by(db, maker))


def test_the_last_admin_stays_one_from_the_machine_too(data: Path) -> None:
    for words in (("disable", ALICE), ("role", ALICE, "viewer")):
        result = _run(*words, "--reason", "a mistake")
        assert (result.exit_code, "last admin" in result.stderr) == (1, True)
    assert _person(data, ALICE)[0].role is Role.ADMIN


def test_somebody_can_be_named_by_their_id_and_in_capital_letters(data: Path) -> None:
    bob, _ = _person(data, BOB)
    assert _run("role", bob.id, "viewer", "--reason", "by the id").exit_code == 0
    assert _run("role", BOB.upper(), "responder", "--reason", "by the name").exit_code == 0


def test_nobody_is_refused_by_name(data: Path) -> None:
    result = _run("disable", "zoe@example.org", "--reason", "she left")
    assert result.exit_code == 1
    assert result.stderr.startswith("nobody has the e-mail or the id zoe@example.org")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("invite", "not an e-mail", "--reason", "a try"), "email"),
        (("invite", BOB, "--reason", "a try"), "email"),
        (("invite", "c@example.org", "--team", "nowhere", "--reason", "a try"), "nowhere"),
        (("role", BOB, "king", "--reason", "a try"), "role"),
        (("role", BOB, "viewer", "--duty", "cooking", "--reason", "a try"), "duties"),
        (("role", BOB, "viewer", "--reason", ""), "reason"),
    ],
)
def test_wrong_words_are_refused_and_change_nothing(data: Path, words: tuple[str, ...], said: str) -> None:
    before = _person(data, BOB)[0]
    result = _run(*words)
    assert (result.exit_code, said in result.stderr) == (1, True), result.output
    assert _person(data, BOB)[0] == before


def test_without_a_reason_nothing_is_done(data: Path) -> None:
    for words in (("invite", "c@example.org"), ("role", BOB, "viewer"), ("disable", BOB), ("reset-link", BOB)):
        assert _run(*words).exit_code == 2


def test_what_was_done_on_the_machine_is_in_the_record_as_such(data: Path) -> None:
    _run("disable", BOB, "--reason", "he left")
    (fact,) = [one for one in _facts(data) if one.kind == "identity.person_disabled"]
    assert (fact.actor, fact.source) == ("local", "cli")
    assert BOB not in repr(_facts(data))
