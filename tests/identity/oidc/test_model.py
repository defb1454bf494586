"""What of an OpenID provider's words is believed."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey

from watchkeeper.kernel.errors import Refusal
from watchkeeper.kernel.settings import SettingsInvalid, SettingsSource
from watchkeeper.modules.identity.model import Role
from watchkeeper.modules.identity.oidc_errors import ProviderAnswerRefused, SigningKeyUnknown
from watchkeeper.modules.identity.oidc_model import (
    account_of,
    is_safe_url,
    parse_domains,
    parse_provider,
    parse_roles,
    require_fitting,
    require_issuer,
    role_of,
)
from watchkeeper.modules.identity.oidc_signature import parse_keys, verified_claims
from watchkeeper.modules.identity.settings import IdentitySettings

ISSUER = "https://id.example.com/realms/main"
NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
CLAIMS: dict[str, Any] = {
    "iss": ISSUER,
    "sub": "a-1",
    "aud": "watchkeeper",
    "iat": NOW.timestamp(),
    "exp": NOW.timestamp() + 300,
    "nonce": "n",
}
DOCUMENT = {
    "issuer": ISSUER,
    "authorization_endpoint": "https://id.example.com/auth",
    "token_endpoint": "https://id.example.com/token",
    "jwks_uri": "https://keys.example.net/jwks",
}
KEY = ECKey.generate_key("P-256", {"kid": "one"})
TOKEN = jwt.encode({"alg": "ES256", "kid": "one"}, dict(CLAIMS), KEY)


def fits(claims: dict[str, Any]) -> bool:
    try:
        require_fitting(claims, issuer=ISSUER, client_id="watchkeeper", nonce="n", now=NOW)
    except ProviderAnswerRefused:
        return False
    return True


def test_a_token_is_believed_when_everything_fits() -> None:
    assert fits(verified_claims(TOKEN, (KEY,)))


@given(st.integers(0, len(TOKEN) - 1), st.characters(min_codepoint=0x21, max_codepoint=0x7E))
def test_a_token_with_one_character_changed_is_never_believed_to_say_something_else(place: int, char: str) -> None:
    changed = TOKEN[:place] + char + TOKEN[place + 1 :]
    try:
        claims = verified_claims(changed, (KEY,))
    except ProviderAnswerRefused:
        return
    # Base 64 has spare bits at the end of a part: another spelling of the same signature says the same.
    assert claims == CLAIMS


@given(st.text())
def test_any_text_for_a_token_is_refused_in_words(text: str) -> None:
    with pytest.raises(ProviderAnswerRefused):
        verified_claims(text, (KEY,))


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(), lambda inner: st.lists(inner, max_size=3)
)


@given(st.sampled_from(sorted(CLAIMS)), _JSON)
def test_no_claim_of_another_shape_raises_anything_but_a_refusal(claim: str, value: Any) -> None:
    if fits(CLAIMS | {claim: value}):
        account_of(CLAIMS | {claim: value})
        assert claim in ("sub", "iat", "exp") or value in (CLAIMS[claim], [CLAIMS[claim]])


@given(st.dictionaries(st.sampled_from(["email", "email_verified", "name", "groups"]), _JSON))
def test_an_e_mail_counts_only_when_the_provider_says_that_it_is_verified(more: dict[str, Any]) -> None:
    account = account_of(CLAIMS | more, role_claim="groups")
    assert account.email is None or more["email_verified"] is True
    assert 1 <= len(account.name) <= 100


@pytest.mark.parametrize("email", ["stra\u00dfe@example.org", "\uff41lice@example.org", "\u212aim@example.org"])
def test_an_e_mail_that_only_looks_like_somebodys_is_nobodys(email: str) -> None:
    assert account_of(CLAIMS | {"email": email, "email_verified": True}).email is None


def test_an_e_mail_with_letters_of_its_own_counts_as_it_is() -> None:
    assert (
        account_of(CLAIMS | {"email": "zo\u00eb@example.org", "email_verified": True}).email == "zo\u00eb@example.org"
    )


@given(_JSON, _JSON)
def test_a_document_of_any_shape_is_refused_in_words_or_names_safe_places(issuer: Any, endpoint: Any) -> None:
    for document in ({"issuer": issuer}, DOCUMENT | {"token_endpoint": endpoint}, DOCUMENT | {"jwks_uri": endpoint}):
        with pytest.raises(ProviderAnswerRefused):
            parse_provider(document, ISSUER)


def test_a_key_that_may_not_sign_is_left_out() -> None:
    listed: list[Any] = [
        OctKey.generate_key(256).as_dict(),
        RSAKey.generate_key(1024).as_dict(private=False),
        {**ECKey.generate_key("P-256").as_dict(private=False), "use": "enc"},
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"},
        {"kty": "new"},
        "a text",
        None,
        KEY.as_dict(private=False),
    ]
    assert [key.kid for key in parse_keys({"keys": listed})] == ["one"]


@pytest.mark.parametrize("document", [{}, {"keys": None}, {"keys": "x"}])
def test_a_list_of_keys_that_is_none_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(ProviderAnswerRefused):
        parse_keys(document)


@pytest.mark.parametrize("wrong", [OKPKey.generate_key("Ed25519"), RSAKey.generate_key(2048), OctKey.generate_key(256)])
def test_a_key_of_another_kind_signs_nothing(wrong: Key) -> None:
    with pytest.raises(SigningKeyUnknown):
        verified_claims(TOKEN, (wrong,))


def test_a_header_that_must_be_understood_and_is_not_is_refused() -> None:
    head = base64.urlsafe_b64encode(json.dumps({"alg": "ES256", "crit": ["x"], "x": 1}).encode()).rstrip(b"=").decode()
    with pytest.raises(Refusal):
        verified_claims(head + TOKEN[TOKEN.index(".") :], (KEY,))


SAFE = ["https://id.example.com", "https://id.example.com:8443/a/b", "http://127.0.0.1:9000", "http://localhost/x"]
UNSAFE = [
    "http://id.example.com",
    "http://localhost.evil.example",
    "http://127.0.0.1.evil.example",
    "https://user:word@id.example.com",
    "https://id.example.com#part",
    "https://id.example.com?query",
    "https://id.example.com\\@evil.example",
    "https://id.example.com/ with space",
    "https://",
    "https://[::1",
    "//id.example.com",
    "id.example.com",
    "ftp://id.example.com",
    "javascript:alert(1)",
    "",
    "https://id.example.com/" + "a" * 400,
]


@pytest.mark.parametrize("issuer", SAFE)
def test_an_issuer_is_reached_over_tls_or_on_this_machine(issuer: str) -> None:
    assert require_issuer(issuer) == issuer


@pytest.mark.parametrize("issuer", UNSAFE)
def test_another_issuer_is_refused_at_the_start(issuer: str) -> None:
    with pytest.raises(SettingsInvalid, match="WATCHKEEPER_IDENTITY_OIDC_ISSUER"):
        settings(oidc_issuer=issuer, oidc_client_id="watchkeeper")


@given(st.text() | st.none() | st.integers())
def test_no_text_is_a_safe_address_unless_it_begins_with_https(text: Any) -> None:
    assert not is_safe_url(text, plain_http_here=False) or text.lower().startswith("https://")


def settings(**values: str) -> IdentitySettings:
    return SettingsSource({IdentitySettings.variable(name): value for name, value in values.items()}).load(
        IdentitySettings
    )


def test_a_provider_without_a_name_for_this_console_is_refused_at_the_start() -> None:
    with pytest.raises(SettingsInvalid, match="oidc_client_id: Value error, needed"):
        settings(oidc_issuer=ISSUER)


def test_a_role_for_everybody_who_comes_needs_their_domains_at_the_start() -> None:
    with pytest.raises(SettingsInvalid, match="oidc_allowed_domains"):
        settings(oidc_default_role="viewer")
    assert settings(oidc_default_role="viewer", oidc_allowed_domains="*").welcomes("anywhere.example")


def test_nobody_becomes_an_admin_by_default() -> None:
    with pytest.raises(SettingsInvalid, match="OIDC_DEFAULT_ROLE"):
        settings(oidc_default_role="admin", oidc_allowed_domains="example.org")


@pytest.mark.parametrize("text", ["ops", "ops=", "=admin", "ops=owner", "ops=admin,x"])
def test_a_mapping_of_groups_that_can_not_be_read_is_refused_at_the_start(text: str) -> None:
    with pytest.raises(SettingsInvalid, match="OIDC_ROLES"):
        settings(oidc_roles=text, oidc_role_claim="groups", oidc_allowed_domains="example.org")


def test_a_mapping_of_groups_says_which_role_a_group_gives() -> None:
    assert parse_roles("ops-admins=admin, cn=on call,dc=x=responder".replace(",dc", ";dc")) == {
        "ops-admins": Role.ADMIN,
        "cn=on call;dc=x": Role.RESPONDER,
    }


@given(
    st.frozensets(st.sampled_from("abcd")), st.dictionaries(st.sampled_from("abcd"), st.sampled_from(Role), max_size=4)
)
def test_of_several_groups_the_highest_role_counts(groups: frozenset[str], mapping: dict[str, Role]) -> None:
    given_roles = [mapping[group] for group in groups if group in mapping]
    found = role_of(groups, mapping, Role.VIEWER)
    assert found in (given_roles or [Role.VIEWER])
    assert all(list(Role).index(found) >= list(Role).index(role) for role in given_roles if found)


def test_domains_are_compared_whole_and_without_regard_to_case() -> None:
    assert parse_domains("Example.org, @other.example,") == {"example.org", "other.example"}
    allowed = settings(oidc_allowed_domains="example.org")
    assert allowed.welcomes("example.org")
    assert not allowed.welcomes("sub.example.org")
    assert not allowed.welcomes(None)
