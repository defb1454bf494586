"""A law: whatever happens in whatever order, exactly those sessions are open that a plain account of it says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session as DatabaseSession

from watchkeeper.kernel.clock import ManualClock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.ids import new_id
from watchkeeper.kernel.journal import FactFilter, head, read_facts
from watchkeeper.modules.identity import store
from watchkeeper.modules.identity.errors import SessionNotFound
from watchkeeper.modules.identity.model import Peer, Person, Role, digest
from watchkeeper.modules.identity.service import Identity
from watchkeeper.modules.identity.settings import IdentitySettings

SETTINGS = IdentitySettings(session_idle_hours=2, session_absolute_days=1)
PEER = Peer("203.0.113.7", "Firefox on Linux")

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("sign in"), st.just(0)),
        st.tuples(st.just("use"), st.integers(0, 5)),
        st.tuples(st.just("end"), st.integers(0, 5)),
        st.tuples(st.just("sign out"), st.integers(0, 5)),
        st.tuples(st.just("change password"), st.integers(0, 5)),
        st.tuples(st.just("replace"), st.integers(0, 5)),
        st.tuples(st.just("wait"), st.integers(1, 180)),
    ),
    max_size=14,
)


@dataclass
class Known:
    """What the plain account holds of one session."""

    id: str
    secret: str
    born: datetime
    seen: datetime
    ended: bool = False

    def is_open(self, now: datetime) -> bool:
        return not self.ended and now - self.seen < timedelta(hours=2) and now - self.born < timedelta(days=1)


@dataclass
class Account:
    """One person, the real thing and the plain account of it side by side."""

    database: Database
    clock: ManualClock
    person: Person
    known: list[Known] = field(default_factory=list)

    def do(self, verb: Callable[[Identity, DatabaseSession], object]) -> object:
        with self.database.begin() as session:
            return verb(Identity(session, self.clock, SETTINGS), session)

    def sign_in(self, replaces: Known | None = None) -> None:
        def enter(identity: Identity, session: DatabaseSession) -> object:
            person = store.person(session, self.person.id)
            assert person is not None
            link = identity.make_login_link(person)
            return identity.use_login_link(link, PEER, replaces.secret if replaces else None)

        made = self.do(enter)
        now = self.clock.now()
        if replaces:
            replaces.ended = True
        self.known.append(Known(made.session.id, made.secret, now, now))  # type: ignore[attr-defined]

    def use(self, one: Known) -> None:
        now = self.clock.now()
        if one.is_open(now):
            self.do(lambda _, session: store.touch_session(session, one.id, now))
            one.seen = now

    def end(self, one: Known) -> None:
        try:
            self.do(lambda identity, _: identity.end_session(self.person.id, one.id))
        except SessionNotFound:
            assert one.ended
        one.ended = True

    def sign_out(self, one: Known) -> None:
        self.do(lambda identity, _: identity.sign_out(self.person.id, one.id))
        one.ended = True

    def change_password(self, one: Known) -> None:
        if not one.is_open(self.clock.now()):
            return

        def change(identity: Identity, _: DatabaseSession) -> object:
            attempt = identity.count_own_check(self.person.id, one.id)
            assert attempt.person is not None
            return identity.change_password(attempt.person, one.id, new_id("hash"), attempt)

        one.secret = str(self.do(change))
        for other in self.known:
            other.ended = other.ended or other is not one

    def step(self, name: str, number: int) -> None:
        if name == "wait":
            self.clock.advance(timedelta(minutes=number))
        elif name == "sign in":
            self.sign_in()
        elif self.known:
            one = self.known[number % len(self.known)]
            {
                "use": self.use,
                "end": self.end,
                "sign out": self.sign_out,
                "change password": self.change_password,
                "replace": self.sign_in,
            }[name](one)

    def check(self) -> None:
        now = self.clock.now()
        with self.database.read() as session:
            listed = {one.id for one in Identity(session, self.clock, SETTINGS).own_sessions(self.person.id)}
            for one in self.known:
                found = store.session_by_digest(session, digest(one.secret))
                is_open = found is not None and SETTINGS.sessions.is_live(found[0], now)
                assert is_open == one.is_open(now)
                assert (one.id in listed) == one.is_open(now)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_exactly_the_sessions_are_open_that_should_be(
    database: Database, clock: ManualClock, steps: list[tuple[str, int]]
) -> None:
    person = Person(
        id=new_id("per"), name="A", email=None, role=Role.ADMIN, password_hash="first", created_at=clock.now()
    )
    account = Account(database, clock, person)
    with database.begin() as session:
        store.add_person(session, person, seat=None)
        start = head(session)
    for name, number in steps:
        account.step(name, number)
        account.check()
    _every_change_has_its_fact(database, account, start)


def _every_change_has_its_fact(database: Database, account: Account, start: int) -> None:
    with database.read() as session:
        facts = read_facts(session, FactFilter(after_seq=start), limit=1000)
    begun = [fact.data["session"] for fact in facts if fact.kind == "identity.signed_in"]
    over = [fact.data["session"] for fact in facts if fact.kind.endswith(("signed_out", "session_revoked"))]
    assert sorted(begun) == sorted(one.id for one in account.known)
    assert sorted(over) == sorted(one.id for one in account.known if one.ended)
