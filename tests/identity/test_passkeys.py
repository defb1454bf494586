"""Passkeys: made and used with the person verified, bound to this host, and their challenges kept on the server."""

from __future__ import annotations

import base64
import threading
from contextlib import suppress
from datetime import timedelta
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import update
from sqlalchemy.orm import Session

from tests.identity.factors import ORIGIN, Device, add_passkey, b64, code_of, post_json, set_up_app
from tests.identity.support import ALICE, PASSWORD, Browser, Console
from watchkeeper.modules.identity import store
from watchkeeper.modules.identity.errors import ChallengeGone, PasskeyRefused
from watchkeeper.modules.identity.model import Peer, Person
from watchkeeper.modules.identity.passkeys import Passkeys, RelyingParty
from watchkeeper.modules.identity.tables import people

ADD, USE = "/account/factors/passkeys", "/login/passkey"


def _sign_in(browser: Browser, device: Device, **changes: Any) -> httpx.Response:
    options = post_json(browser, f"{USE}/options", {}, page="/login").json()
    return post_json(browser, USE, {"credential": device.get(options) | changes, "next": "/audit"}, page="/login")


@pytest.fixture
def device(alice: Browser) -> Device:
    """A device with a passkey of Alice's."""
    made = Device()
    assert add_passkey(alice, made).status_code == 200
    return made


def test_a_passkey_signs_in_without_name_or_password(console: Console, device: Device) -> None:
    browser = console.browser("198.51.100.20")
    answer = _sign_in(browser, device)
    assert (answer.status_code, answer.json()) == (200, {"next": "/audit"})
    assert browser.is_signed_in()
    assert console.facts("identity.signed_in")[-1].data["method"] == "passkey"


def test_it_is_asked_for_the_person_on_the_device(console: Console, alice: Browser) -> None:
    options = post_json(alice, f"{ADD}/options", {}, page="/account/factors").json()
    assert options["authenticatorSelection"]["userVerification"] == "required"
    assert options["authenticatorSelection"]["residentKey"] == "required"
    assert options["rp"]["id"] == "console"
    assert "alice" not in options["user"]["id"]


@pytest.mark.parametrize(
    "device",
    [Device(verified=False), Device(origin="http://evil.example"), Device(host="evil.example")],
    ids=["nobody verified", "another origin", "another host"],
)
def test_what_another_place_made_is_refused(console: Console, alice: Browser, device: Device) -> None:
    answer = add_passkey(alice, device)
    assert (answer.status_code, answer.json()["code"]) == (422, "identity.passkey_refused")
    assert "not used yet" not in alice.get("/account/factors").text


@pytest.mark.parametrize("what", ["origin", "host", "verified", "key"])
def test_an_answer_that_does_not_fit_signs_nobody_in(console: Console, device: Device, what: str) -> None:
    other = {"origin": "http://evil.example", "host": "evil.example", "verified": False, "key": Device().key}
    setattr(device, what, other[what])
    browser = console.browser("198.51.100.20")
    assert _sign_in(browser, device).status_code == 422
    assert not browser.is_signed_in()


def test_a_challenge_is_the_servers_and_works_once(console: Console, device: Device) -> None:
    browser = console.browser("198.51.100.20")
    options = post_json(browser, f"{USE}/options", {}, page="/login").json()
    body = {"credential": device.get(options)}
    own = browser.client.cookies["wk_passkey"]
    assert post_json(browser, USE, body, page="/login").status_code == 200
    replay = console.browser("198.51.100.21")
    replay.client.cookies.set("wk_passkey", own)
    assert post_json(replay, USE, body, page="/login").status_code == 403
    mine = post_json(replay, f"{USE}/options", {}, page="/login").json()
    assert mine["challenge"] != options["challenge"]
    assert post_json(replay, USE, body, page="/login").status_code == 422


def test_a_challenge_is_over_after_five_minutes(console: Console, device: Device) -> None:
    browser = console.browser("198.51.100.20")
    options = post_json(browser, f"{USE}/options", {}, page="/login").json()
    console.clock.advance(timedelta(minutes=5))
    assert post_json(browser, USE, {"credential": device.get(options)}, page="/login").status_code == 403


def test_a_counter_that_went_back_is_a_copy(console: Console, device: Device) -> None:
    device.counter = 10
    assert _sign_in(console.browser("198.51.100.20"), device).status_code == 200
    device.counter = 5
    assert _sign_in(console.browser("198.51.100.21"), device).status_code == 422


def test_a_removed_passkey_opens_nothing(console: Console, alice: Browser, device: Device) -> None:
    page = alice.get("/account/factors").text
    passkey = page.split("/account/factors/passkeys/")[1].split("/")[0]
    gone = alice.submit(f"{ADD}/{passkey}/remove", {"password": PASSWORD}, page="/account/factors")
    assert gone.status_code == 303
    assert _sign_in(console.browser("198.51.100.20"), device).status_code == 422


def test_a_passkey_is_a_second_factor_for_the_password(console: Console, device: Device) -> None:
    browser = console.browser("198.51.100.20")
    assert browser.sign_in().headers["location"].startswith("/login/second")
    assert _sign_in(browser, device).status_code == 200


def test_a_passkey_proves_once_more_who_is_there(console: Console, alice: Browser, device: Device) -> None:
    console.clock.advance(timedelta(minutes=11))
    where = "/account/prove/passkey"
    options = post_json(alice, f"{where}/options", {}, page="/account/prove").json()
    assert [one["id"] for one in options["allowCredentials"]]
    body = {"credential": device.get(options), "next": "/account/factors"}
    assert post_json(alice, where, body, page="/account/prove").json() == {"next": "/account/factors"}
    assert alice.get("/account/factors").status_code == 200


def test_adding_one_asks_for_proof_and_a_name_is_only_a_name(console: Console, alice: Browser) -> None:
    assert add_passkey(alice, Device(), name="<b>phone</b>").status_code == 200
    assert "&lt;b&gt;phone" in alice.get("/account/factors").text
    console.clock.advance(timedelta(minutes=11))
    late = post_json(alice, f"{ADD}/options", {}, page="/account")
    assert (late.status_code, late.json()["code"]) == (403, "identity.prove_again")


def test_a_passkey_is_added_once(console: Console, alice: Browser, device: Device) -> None:
    assert add_passkey(alice, device).status_code == 422


def test_who_gives_up_on_a_passkey_can_still_enter_a_code(console: Console, alice: Browser, device: Device) -> None:
    secret = set_up_app(console, alice)
    browser = console.browser("198.51.100.20")
    browser.sign_in()
    post_json(browser, f"{USE}/options", {}, page="/login/second")
    assert browser.submit("/login/second", {"code": code_of(console, secret)}).status_code == 303


def test_a_refused_passkey_is_on_record_and_tries_are_counted(console: Console, device: Device) -> None:
    browser = console.browser("198.51.100.20")
    device.verified = False
    answers = [_sign_in(browser, device).status_code for _ in range(console.settings.failures_per_address + 2)]
    assert set(answers[:-2]) == {422}
    assert answers[-2:] == [429, 429]
    reasons = [fact.data["reason"] for fact in console.facts("identity.second_factor_refused")]
    assert reasons == ["wrong_passkey"] * console.settings.failures_per_address
    device.verified = True
    assert _sign_in(console.browser("198.51.100.21"), device).status_code == 200


def test_a_copy_of_a_passkey_is_on_record(console: Console, device: Device) -> None:
    device.counter = 10
    _sign_in(console.browser("198.51.100.20"), device)
    device.counter = 10 - 1
    assert "copy" in _sign_in(console.browser("198.51.100.20"), device).text
    assert console.facts("identity.second_factor_refused")[-1].data["reason"] == "copied_passkey"


def test_a_passkey_without_a_counter_goes_on_working(console: Console, alice: Browser) -> None:
    """Passkeys that are kept in several places count nothing."""
    device = Device()
    add_passkey(alice, device)
    for _ in range(2):
        device.counter = -1
        assert _sign_in(console.browser("198.51.100.20"), device).status_code == 200


def test_the_same_answer_at_two_servers_signs_in_once(console: Console, device: Device) -> None:
    browser = console.browser("198.51.100.20")
    options = post_json(browser, f"{USE}/options", {}, page="/login").json()
    secret, credential = browser.client.cookies["wk_passkey"], device.get(options)
    start, found = threading.Barrier(4), []

    def use() -> None:
        start.wait()
        try:
            peer = Peer("198.51.100.20", "")
            found.append(console.change(lambda db: _passkeys(db, console).use(secret, credential, peer)).person)
        except ChallengeGone:
            found.append(None)

    threads = [threading.Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(one is not None for one in found) == 1
    assert len(found) == 4


def test_somebody_elses_passkey_proves_nothing_about_me(console: Console, alice: Browser, device: Device) -> None:
    """A challenge for one's own passkeys is answered with one that belongs to another person."""
    secret, options = console.change(lambda db: _passkeys(db, console).begin_use("per_somebody"))
    peer = Peer("198.51.100.20", "")
    answer = device.get(options)
    use = console.change(lambda db: _passkeys(db, console).use(secret, answer, peer, only="per_somebody"))
    assert (use.person, use.problem) == (None, "This passkey is not known here.")


def test_a_challenge_to_prove_it_signs_nobody_in(console: Console, alice: Browser, device: Device) -> None:
    person = console.look(store.person_by_email, ALICE["email"])
    secret, options = console.change(lambda db: _passkeys(db, console).begin_use(person.id))
    answer = device.get(options)
    use = console.change(lambda db: _passkeys(db, console).use(secret, answer, Peer("198.51.100.20", "")))
    assert use.person is None


def test_a_disabled_person_gets_in_with_no_passkey(console: Console, device: Device) -> None:
    console.change(lambda db: db.execute(update(people).values(disabled_at=console.clock.now())))
    browser = console.browser("198.51.100.20")
    assert _sign_in(browser, device).status_code == 403
    assert not browser.is_signed_in()


_JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=40) | st.binary(max_size=80).map(b64),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=8,
)


_FIELDS = ("id", "rawId", "type", "response", "clientDataJSON")
_BEND = st.tuples(st.booleans(), st.integers(0, 10_000), st.integers(1, 255), _JUNK)
_FREELY = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@_FREELY
@given(where=st.sampled_from([*_FIELDS, "attestationObject"]), bend=_BEND)
def test_whatever_a_browser_sends_as_new_is_refused_in_words(
    console: Console, alice: Browser, where: str, bend: tuple[bool, int, int, Any]
) -> None:
    secret, options = console.change(lambda db: _passkeys(db, console).begin_registration(_alice(db)))
    bent = _bent(Device().create(options), where, *bend)
    with suppress(PasskeyRefused):  # what an attestation may hold besides the key is not ours to judge
        console.change(lambda db: _passkeys(db, console).register(_alice(db), secret, bent, "x"))


@_FREELY
@given(where=st.sampled_from([*_FIELDS, "authenticatorData", "signature"]), bend=_BEND)
def test_no_bent_answer_signs_in(
    console: Console, device: Device, where: str, bend: tuple[bool, int, int, Any]
) -> None:
    console.clock.advance(timedelta(minutes=20))  # the pause after many tries ends
    secret, options = console.change(lambda db: _passkeys(db, console).begin_use())
    bent = _bent(device.get(options), where, *bend)
    use = console.change(lambda db: _passkeys(db, console).use(secret, bent, Peer("198.51.100.20", "")))
    assert (use.person, use.wait) == (None, timedelta(0))


def _bent(good: dict[str, Any], where: str, by_a_byte: bool, at: int, change: int, junk: Any) -> dict[str, Any]:
    """The answer with one byte of a field changed, or junk in its place."""
    bent = {**good, "response": dict(good["response"])}
    holder = bent["response"] if where in bent["response"] else bent
    if by_a_byte and where not in ("type", "response"):
        raw = bytearray(base64.urlsafe_b64decode(holder[where] + "=="))
        raw[at % len(raw)] ^= change
        holder[where] = b64(bytes(raw))
    else:
        holder[where] = junk
    return bent


def _passkeys(db: Session, console: Console) -> Passkeys:
    return Passkeys(db, console.clock, console.settings, RelyingParty.at(ORIGIN))


def _alice(db: Session) -> Person:
    person = store.person_by_email(db, ALICE["email"])
    assert person is not None
    return person


@pytest.mark.parametrize(
    ("address", "origin", "host"),
    [
        ("https://Ops.Example.com/", "https://ops.example.com", "ops.example.com"),
        ("https://ops.example.com:443", "https://ops.example.com", "ops.example.com"),
        ("https://ops.example.com:8443/x", "https://ops.example.com:8443", "ops.example.com"),
        ("http://localhost:8700/", "http://localhost:8700", "localhost"),
        ("http://[::1]:8700/", "http://[::1]:8700", "::1"),
    ],
)
def test_the_origin_is_written_as_a_browser_writes_it(address: str, origin: str, host: str) -> None:
    assert RelyingParty.at(address) == RelyingParty(host, origin)
