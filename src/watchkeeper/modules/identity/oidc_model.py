"""What OpenID Connect says and what of it is believed. Nothing here asks the network, the database or the clock."""

from __future__ import annotations

import hashlib
import ipaddress
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from watchkeeper.modules.identity.model import LONGEST_NAME, Role, clean_name, is_email, normalise_email
from watchkeeper.modules.identity.oidc_errors import ProviderAnswerRefused

LONGEST_ISSUER = 400
LONGEST_SUBJECT = 255  # OpenID Connect Core 2
CLOCKS_DIFFER_BY = timedelta(seconds=60)
SIGN_IN_TAKES = timedelta(minutes=10)


@dataclass(frozen=True, kw_only=True)
class Provider:
    """A provider as its discovery document describes it."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None
    secret_in_body: bool
    names_itself: bool  # RFC 9207: its answers carry `iss`


@dataclass(frozen=True, kw_only=True)
class ExternalAccount:
    """Who the provider says has signed in. `email` is one that it says it has verified, or None."""

    issuer: str
    subject: str = field(repr=False)
    email: str | None = field(default=None, repr=False)
    name: str = field(default="", repr=False)
    groups: frozenset[str] = frozenset()

    @property
    def domain(self) -> str | None:
        return self.email.rpartition("@")[2].casefold() if self.email else None


def issuer_mark(issuer: str) -> str:
    """What the journal keeps of an issuer: enough to tell two apart."""
    return hashlib.sha256(issuer.encode()).hexdigest()[:16]


def require_issuer(url: str) -> str:
    """An issuer that may be trusted with sign-in: https, or plain http on this machine. Raises ValueError."""
    if not is_safe_url(url, plain_http_here=True):
        raise ValueError("an https:// URL was expected (http:// only for an address of this machine)")
    parsed = urlsplit(url)
    if parsed.query or "?" in url or len(url) > LONGEST_ISSUER:
        raise ValueError(f"a URL without a query and of at most {LONGEST_ISSUER} characters was expected")
    return url


def is_safe_url(url: object, *, plain_http_here: bool) -> bool:
    """Whether `url` is absolute, over TLS (or, if allowed, on this machine), and free of a user name and a fragment."""
    if not isinstance(url, str) or len(url) > 2000 or any(ord(char) <= 0x20 or ord(char) >= 0x7F for char in url):
        return False
    try:
        parsed = urlsplit(url)
        host, _ = parsed.hostname, parsed.port
    except ValueError:
        return False
    if not host or "@" in parsed.netloc or "#" in url or "\\" in url:
        return False
    return parsed.scheme == "https" or (plain_http_here and parsed.scheme == "http" and is_this_machine(host))


def is_this_machine(host: str) -> bool:
    """Whether a host can only be this machine. A name other than `localhost` can be pointed elsewhere."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def discovery_url(issuer: str) -> str:
    return issuer.rstrip("/") + "/.well-known/openid-configuration"


def parse_provider(document: Mapping[str, Any], issuer: str) -> Provider:
    """The provider, when the document is this issuer's to the letter. Raises ProviderAnswerRefused."""
    if document.get("issuer") != issuer:
        raise ProviderAnswerRefused("its discovery document names another issuer than the setting does")
    plain = urlsplit(issuer).scheme == "http"
    for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
        if not is_safe_url(document.get(name), plain_http_here=plain):
            raise ProviderAnswerRefused(f"its discovery document has no usable {name}")
    userinfo = document.get("userinfo_endpoint")
    methods = document.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
    challenges = document.get("code_challenge_methods_supported")
    if isinstance(challenges, list) and "S256" not in challenges:
        raise ProviderAnswerRefused("it does not take part in PKCE with S256")
    return Provider(
        issuer=issuer,
        authorization_endpoint=document["authorization_endpoint"],
        token_endpoint=document["token_endpoint"],
        jwks_uri=document["jwks_uri"],
        userinfo_endpoint=userinfo if is_safe_url(userinfo, plain_http_here=plain) else None,
        secret_in_body=isinstance(methods, list)
        and "client_secret_post" in methods
        and "client_secret_basic" not in methods,
        names_itself=document.get("authorization_response_iss_parameter_supported") is True,
    )


def require_fitting(claims: Mapping[str, Any], *, issuer: str, client_id: str, nonce: str, now: datetime) -> None:
    """Raise ProviderAnswerRefused unless the token is of this issuer, for this client and sign-in, and of now."""
    if claims.get("iss") != issuer:
        raise ProviderAnswerRefused("the ID token is of another issuer")
    _require_audience(claims, client_id)
    if claims.get("nonce") != nonce:
        raise ProviderAnswerRefused("the ID token belongs to another sign-in")
    _require_now(claims, now)
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 1 <= len(subject) <= LONGEST_SUBJECT or not subject.isprintable():
        raise ProviderAnswerRefused("the ID token names nobody")


def _require_audience(claims: Mapping[str, Any], client_id: str) -> None:
    audience = claims.get("aud")
    everybody = [audience] if isinstance(audience, str) else audience
    if not isinstance(everybody, list) or client_id not in everybody:
        raise ProviderAnswerRefused("the ID token is for another client")
    # With several audiences only `azp` says for whom it was made.
    party = claims.get("azp", client_id if len(everybody) == 1 else None)
    if party != client_id:
        raise ProviderAnswerRefused("the ID token was made for another client")


def _require_now(claims: Mapping[str, Any], now: datetime) -> None:
    instant, leeway = now.timestamp(), CLOCKS_DIFFER_BY.total_seconds()
    expires, issued, begins = (_number(claims.get(name)) for name in ("exp", "iat", "nbf"))
    if expires is None or issued is None:
        raise ProviderAnswerRefused("the ID token does not say when it is valid")
    if expires + leeway <= instant:
        raise ProviderAnswerRefused("the ID token has expired")
    if max(issued, begins or issued) - leeway > instant:
        raise ProviderAnswerRefused("the ID token is of the future: compare the clocks of both servers")
    if issued + SIGN_IN_TAKES.total_seconds() + leeway < instant:
        raise ProviderAnswerRefused("the ID token is too old")


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None


def account_of(claims: Mapping[str, Any], *, role_claim: str | None = None) -> ExternalAccount:
    """Who signed in, from claims that fit."""
    return ExternalAccount(
        issuer=str(claims["iss"]),
        subject=str(claims["sub"]),
        email=_proven_email(claims),
        name=_name(claims),
        groups=_groups(claims.get(role_claim)) if role_claim else frozenset(),
    )


def _proven_email(claims: Mapping[str, Any]) -> str | None:
    email = claims.get("email")
    # Only the JSON value true: some providers send the text "false".
    if not isinstance(email, str) or claims.get("email_verified") is not True or not is_email(email):
        return None
    # Two different mailboxes can be one by the rules that forgive spelling, such as ß and ss: that must not be a way
    # into somebody else's account.
    return email if email.isascii() or email == normalise_email(email) else None


def _name(claims: Mapping[str, Any]) -> str:
    for claim in ("name", "preferred_username", "email"):
        value = claims.get(claim)
        if isinstance(value, str) and (name := clean_name(value[: 4 * LONGEST_NAME])[:LONGEST_NAME].strip()):
            return name
    return "Somebody"


def _groups(value: object) -> frozenset[str]:
    listed = [value] if isinstance(value, str) else value
    return frozenset(one for one in listed if isinstance(one, str)) if isinstance(listed, list) else frozenset()


def role_of(groups: frozenset[str], mapping: Mapping[str, Role], default: Role | None) -> Role | None:
    """The highest role that a group of theirs is mapped to, else the default."""
    order = list(Role)
    found = [mapping[group] for group in groups if group in mapping]
    return max(found, key=order.index) if found else default


def parse_roles(text: str) -> dict[str, Role]:
    """`ops-admins=admin, on-call=responder` as a mapping. Raises ValueError."""
    mapping = {}
    for one in text.split(","):
        if not one.strip():
            continue
        group, mark, role = (part.strip() for part in one.rpartition("="))
        if not mark or not group or role not in list(Role):
            raise ValueError(f"{one.strip()!r}: group=role was expected, with one of {', '.join(Role)}")
        mapping[group] = Role(role)
    return mapping


def parse_domains(text: str) -> frozenset[str]:
    """E-mail domains separated by commas; `*` stands for any."""
    return frozenset(one.strip().casefold().removeprefix("@") for one in text.split(",") if one.strip())
