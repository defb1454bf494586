"""Passkeys: made and used with the person verified, bound to this host, and their challenges kept on the server."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest

from tests.identity.factors import Device, post_json
from tests.identity.support import PASSWORD, Browser, Console

ADD, USE = "/account/factors/passkeys", "/login/passkey"


def _add(browser: Browser, device: Device, name: str = "My laptop") -> httpx.Response:
    options = post_json(browser, f"{ADD}/options", {}, page="/account/factors").json()
    body = {"credential": device.create(options), "name": name}
    return post_json(browser, ADD, body, page="/account/factors")


def _sign_in(browser: Browser, device: Device, **changes: Any) -> httpx.Response:
    options = post_json(browser, f"{USE}/options", {}, page="/login").json()
    return post_json(browser, USE, {"credential": device.get(options) | changes, "next": "/audit"}, page="/login")


@pytest.fixture
def device(alice: Browser) -> Device:
    """A device with a passkey of Alice's."""
    made = Device()
    assert _add(alice, made).status_code == 200
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
    answer = _add(alice, device)
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
    own = browser.client.cookies["wk_challenge"]
    assert post_json(browser, USE, body, page="/login").status_code == 200
    replay = console.browser("198.51.100.21")
    replay.client.cookies.set("wk_challenge", own)
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
    assert _add(alice, Device(), name="<b>phone</b>").status_code == 200
    assert "&lt;b&gt;phone" in alice.get("/account/factors").text
    console.clock.advance(timedelta(minutes=11))
    late = post_json(alice, f"{ADD}/options", {}, page="/account")
    assert (late.status_code, late.json()["code"]) == (403, "kernel.prove_again")


def test_a_passkey_is_added_once(console: Console, alice: Browser, device: Device) -> None:
    assert _add(alice, device).status_code == 422
