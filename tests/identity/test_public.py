"""What other modules and the app are promised; and the house rules as they apply to identity."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from tests.identity.factors import Device, add_passkey, code_of, recovery_codes, set_up_app
from tests.identity.support import ALICE, PASSWORD, Browser, Console
from tests.identity.test_people import bob_moves_in, edit, invite, person_id, post
from watchkeeper.kernel.journal import describe_fact, event_kinds
from watchkeeper.kernel.web.access import Permission, Public, stated_routes
from watchkeeper.kernel.work import Task
from watchkeeper.modules.identity import public
from watchkeeper.modules.identity.external import ExternalAccounts
from watchkeeper.modules.identity.jobs import recurring_work
from watchkeeper.modules.identity.model import Peer
from watchkeeper.modules.identity.oidc_model import ExternalAccount
from watchkeeper.modules.identity.settings import IdentitySettings


def test_every_actor_has_a_name(console: Console, alice: Browser) -> None:
    token_id, _ = console.token("read", name="duet")
    [person] = console.look(public.people)
    ids = [person.id, token_id, "local", "system:worker", "anonymous", "per_gone", "tok_gone", "\x00", ""]
    assert console.look(public.names, ids) == {
        person.id: "Alice Archer",
        token_id: "duet (token)",
        "local": "Command line",
        "system:worker": "Watchkeeper (worker)",
        "anonymous": "Somebody not signed in",
        "per_gone": "per_gone",
        "tok_gone": "tok_gone",
        "\x00": "\x00",
        "": "",
    }


def test_people_are_offered_by_name(console: Console, alice: Browser) -> None:
    [person] = console.look(public.people)
    assert (person.id[:4], person.name) == ("per_", "Alice Archer")


def test_every_route_states_its_permission(console: Console) -> None:
    mine = [
        route
        for route in stated_routes(console.app)
        if "identity" in getattr(route.route, "endpoint", test_every_route_states_its_permission).__module__
    ]
    stated = {(path.path, method): path.permission for path in mine for method in path.methods - {"HEAD"}}
    opened = {place for place, permission in stated.items() if isinstance(permission, Public)}
    assert all(isinstance(permission, (Permission, Public)) for permission in stated.values())
    assert opened == {
        ("/login", "GET"),
        ("/login", "POST"),
        ("/setup/{secret}", "GET"),
        ("/setup/{secret}", "POST"),
        ("/login/link/{secret}", "GET"),
        ("/login/link/{secret}", "POST"),
        ("/invite/{secret}", "GET"),
        ("/invite/{secret}", "POST"),
        ("/reset/{secret}", "GET"),
        ("/reset/{secret}", "POST"),
        ("/login/second", "GET"),
        ("/login/second", "POST"),
        ("/login/passkey", "POST"),
        ("/login/passkey/options", "POST"),
        ("/login/oidc", "GET"),
        ("/login/oidc/callback", "GET"),
    }
    assert len(stated) > 60


def test_a_form_sent_without_a_token_changes_nothing_anywhere(console: Console, alice: Browser) -> None:
    facts = len(console.facts())
    for route in stated_routes(console.app):
        for method in route.methods & {"POST", "DELETE", "PUT", "PATCH"}:
            path = re.sub(r"\{\w+\}", "x", route.path)
            assert alice.client.request(method, path, data={}).status_code == 403, path
    assert len(console.facts()) == facts


def test_every_fact_has_a_sentence(console: Console, alice: Browser) -> None:
    console.browser().sign_in(password="wrong but long enough")
    console.browser().sign_in("zelda@example.org", "wrong but long enough")
    console.browser("198.51.100.1").sign_in()
    token_id, _ = console.token("read", "intake", expires_at="2026-04-28T09:00:00Z")
    console.program(console.control.secret, "127.0.0.1").delete(f"/api/v1/tokens/{token_id}")
    form = {"current": PASSWORD, "new": "another tractor in spring", "again": "another tractor in spring"}
    alice.submit("/account/password", form, page="/account")
    alice.submit("/logout", {}, page="/account")
    link_and_unlink(console)
    use_second_factors(console)
    look_after_people(console)
    sentences = {fact.kind: describe_fact(fact) for fact in console.facts()}
    assert set(sentences) == {kind for kind in event_kinds() if kind.startswith("identity.")}
    assert all(sentence.endswith(".") and sentence[0].isupper() for sentence in sentences.values())
    assert sentences["identity.token_created"] == "Made an API token for intake and read, valid until 2026-04-28."
    assert (
        sentences["identity.sign_in_refused"] == "A sign-in for an unknown e-mail was refused: the password was wrong."
    )


def look_after_people(console: Console) -> None:
    machine = console.program(console.control.secret, "127.0.0.1")
    bob = bob_moves_in(console, machine, role="responder")
    them = person_id(console, "bob@example.org")
    withdrawn = invite(machine, "carol@example.org")
    assert withdrawn
    [open_one] = machine.get("/api/v1/invitations").json()["items"]
    machine.delete(f"/api/v1/invitations/{open_one['id']}?reason=a+mistake")
    link = post(machine, f"/people/{them}/reset-link", {"reason": "forgot it"}).json()["link"]
    bob.submit("/" + link.split("/", 3)[3], {"password": "plum tractor in march", "again": "plum tractor in march"})
    for changes in ({"role": "operator", "duties": ["privacy"]}, {"disabled": True}, {"disabled": False}):
        edit(machine, them, **changes)
    post(machine, "/teams", {"name": "team-edge", "reason": "to own the door"})
    machine.put(f"/api/v1/teams/team-edge/members/{them}?reason=new+here")
    machine.delete(f"/api/v1/teams/team-edge/members/{them}?reason=moved+on")
    account = post(machine, "/service-accounts", {"name": "deployer", "reason": "deploys it"}).json()["id"]
    machine.patch(f"/api/v1/service-accounts/{account}", json={"name": "ship", "disabled": True, "reason": "over"})


def use_second_factors(console: Console) -> None:
    browser = console.browser("198.51.100.77")
    browser.sign_in(password="another tractor in spring")
    secret = set_up_app(console, browser)
    browser.submit("/account/email", {"email": "alice@example.net"}, page="/account")
    browser.submit("/account/prove", {"code": code_of(console, secret)})
    codes = recovery_codes(browser)
    again = console.browser("198.51.100.78")
    again.sign_in("alice@example.net", "another tractor in spring")
    again.submit("/login/second", {"code": "000000"})
    again.submit("/login/second", {"code": codes[0]})
    device = Device()
    assert add_passkey(again, device).status_code == 200
    again.submit("/account/factors/app/remove", {}, page="/account/factors")
    passkey = re.search(r"/account/factors/passkeys/(pky_\w+)/remove", again.get("/account/factors").text)
    assert passkey is not None
    again.submit(passkey[0], {"password": "another tractor in spring"}, page="/account/factors")


def link_and_unlink(console: Console) -> None:
    [person] = console.look(public.people)
    account = ExternalAccount(issuer="https://id.example", subject="a-1", email=ALICE["email"])
    peer = Peer("198.51.100.1", "Firefox on Linux")
    console.change(lambda session: ExternalAccounts(session, console.clock, console.settings).admit(account, peer))
    machine = console.program(console.control.secret, "127.0.0.1")
    assert machine.delete(f"/api/v1/people/{person.id}/external-accounts").status_code == 204


def test_what_is_over_is_forgotten_every_hour(console: Console, alice: Browser) -> None:
    [job] = recurring_work(console.clock, console.settings)
    assert job.every == timedelta(hours=1)
    console.clock.advance(timedelta(days=32))
    task = Task("wrk_1", job.kind, "k", {}, 1, 1)
    console.change(lambda session: job.handler.finish(session, task, job.handler.act(task)))
    assert not console.look(lambda session: session.execute(sessions_table().select()).all())


def sessions_table():  # type: ignore[no-untyped-def]
    from watchkeeper.modules.identity.tables import sessions

    return sessions


@pytest.mark.parametrize("field", list(IdentitySettings.model_fields))
def test_every_setting_is_documented(field: str) -> None:
    assert IdentitySettings.model_fields[field].description


def test_secrets_do_not_show_in_reprs(console: Console, alice: Browser) -> None:
    from watchkeeper.modules.identity import store

    person = console.look(store.person_by_email, ALICE["email"])
    assert person.password_hash not in repr(person)
    assert console.control.secret not in repr(console.control)
