"""The client's side of OpenID Connect: the authorization code flow with PKCE, and no other.

Every request has a deadline and a largest answer, and follows no redirect. What is down or lies refuses this one way of
signing in and nothing else.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from urllib.parse import quote, urlsplit

import structlog

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.errors import Refusal
from watchkeeper.kernel.ids import new_secret
from watchkeeper.modules.identity.oidc_errors import (
    ProviderAnswerRefused,
    ProviderSaidNo,
    ProviderUnavailable,
    ProviderUnset,
    SigningKeyUnknown,
)
from watchkeeper.modules.identity.oidc_model import (
    ExternalAccount,
    Provider,
    account_of,
    discovery_url,
    is_this_machine,
    parse_provider,
    require_fitting,
)
from watchkeeper.modules.identity.settings import IdentitySettings

if TYPE_CHECKING:
    import ssl

    import httpx
    from joserfc.jwk import Key

DEADLINE_SECONDS = 10.0
LARGEST_ANSWER = 256 * 1024
LONGEST_CODE = 4096
REMEMBERED_SECONDS = 3600.0
# Long enough that a crowd at the button does not pile up on a provider that is down.
AFTER_A_FAILURE_SECONDS = 5.0

_SCOPES = "openid email profile"
_ERROR_CODE = re.compile(r"[a-z_]{1,60}")
_log = structlog.get_logger("watchkeeper.identity")
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Begun:
    """What a sign-in elsewhere needs to be remembered by, until the provider sends the browser back."""

    nonce: str = field(repr=False, default_factory=lambda: new_secret("wkn"))
    verifier: str = field(repr=False, default_factory=lambda: new_secret("wkv"))
    redirect_uri: str


@dataclass
class _Remembered(Generic[T]):
    """A thing fetched once an hour at most, and after a failure once in a few seconds."""

    value: T | None = None
    until: float = 0.0
    failure: Refusal | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class OidcClient:
    """Talks to the one provider of the settings. Raises ProviderUnset where there is none."""

    def __init__(self, clock: Clock, settings: IdentitySettings) -> None:
        self._clock = clock
        self._settings = settings
        self._provider: _Remembered[Provider] = _Remembered()
        self._keys: _Remembered[tuple[Key, ...]] = _Remembered()
        self._tls: ssl.SSLContext | None = None

    @property
    def issuer(self) -> str:
        if self._settings.oidc_issuer is None:
            raise ProviderUnset
        return self._settings.oidc_issuer

    @property
    def client_id(self) -> str:
        return self._settings.oidc_client_id or ""

    async def authorization_url(self, begun: Begun, state: str) -> str:
        """Where the browser goes to sign in. Raises ProviderUnavailable or ProviderAnswerRefused."""
        # Here and below: a console without a provider starts without the libraries that talk to one.
        from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
        from authlib.oauth2.rfc7636 import create_s256_code_challenge

        provider = await self.provider()
        return str(
            prepare_grant_uri(
                provider.authorization_endpoint,
                client_id=self.client_id,
                response_type="code",
                redirect_uri=begun.redirect_uri,
                scope=_SCOPES,
                state=state,
                nonce=begun.nonce,
                code_challenge=create_s256_code_challenge(begun.verifier),
                code_challenge_method="S256",
            )
        )

    async def account(self, begun: Begun, *, code: str, named_issuer: str | None) -> ExternalAccount:
        """Who signed in, for the code that the browser came back with.

        Raises ProviderUnavailable or ProviderAnswerRefused.
        """
        provider = await self.provider()
        self.require_issuer(provider, named_issuer)
        if not 1 <= len(code) <= LONGEST_CODE:
            raise ProviderAnswerRefused("it sent no code")
        tokens = await self._tokens(provider, code, begun)
        claims = await self._verified(provider, str(tokens["id_token"]))
        require_fitting(
            claims, issuer=provider.issuer, client_id=self.client_id, nonce=begun.nonce, now=self._clock.now()
        )
        if "email" not in claims:
            claims |= await self._userinfo(provider, tokens.get("access_token"), claims["sub"])
        return account_of(claims, role_claim=self._settings.oidc_role_claim)

    @staticmethod
    def require_issuer(provider: Provider, named: str | None) -> None:
        """RFC 9207: an answer that names its issuer must name this one, lest a code goes to the wrong provider."""
        if named != provider.issuer and (named is not None or provider.names_itself):
            raise ProviderAnswerRefused("another provider sent the browser back")

    async def provider(self) -> Provider:
        """The discovery document, from memory for an hour."""

        async def fetch() -> Provider:
            return parse_provider(await self._get(discovery_url(self.issuer)), self.issuer)

        self.issuer  # noqa: B018 (refuses where none is set)
        return await self._remember(self._provider, fetch)

    # --- inside ---

    async def _remember(self, held: _Remembered[T], fetch: Callable[[], Awaitable[T]]) -> T:
        async with held.lock:
            now = self._clock.monotonic()
            if now < held.until:
                if held.failure is not None:
                    raise held.failure.with_traceback(None)
                if held.value is not None:
                    return held.value
            try:
                fetched = await fetch()
            except Refusal as refusal:
                held.failure, held.until = refusal, now + AFTER_A_FAILURE_SECONDS
                _log.warning("openid_provider_failed", issuer=self.issuer, reason=refusal.detail)
                raise
            held.value, held.failure, held.until = fetched, None, now + REMEMBERED_SECONDS
            return fetched

    async def _verified(self, provider: Provider, id_token: str) -> dict[str, Any]:
        from watchkeeper.modules.identity.oidc_signature import parse_keys, verified_claims

        async def fetch() -> tuple[Key, ...]:
            return parse_keys(await self._get(provider.jwks_uri))

        try:
            return verified_claims(id_token, await self._remember(self._keys, fetch))
        except SigningKeyUnknown:
            # The provider may have changed its keys since: look once more, and only once.
            self._keys.until = 0.0
            return verified_claims(id_token, await self._remember(self._keys, fetch))

    async def _tokens(self, provider: Provider, code: str, begun: Begun) -> dict[str, Any]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": begun.redirect_uri,
            "code_verifier": begun.verifier,
        }
        headers = {}
        secret = self._secret()
        if secret is None or provider.secret_in_body:
            form |= {"client_id": self.client_id} | ({"client_secret": secret} if secret else {})
        else:
            # RFC 6749 2.3.1 has both encoded before they are joined.
            pair = f"{quote(self.client_id, safe='')}:{quote(secret, safe='')}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        status, answer = await self._ask("POST", provider.token_endpoint, form=form, headers=headers)
        if status != 200:
            raise ProviderSaidNo(f"The provider did not take the code{_because(answer.get('error'))}. Begin again.")
        if not isinstance(answer.get("id_token"), str):
            raise ProviderAnswerRefused("it sent no ID token")
        return answer

    async def _userinfo(self, provider: Provider, token: object, subject: str) -> dict[str, Any]:
        """Claims that the provider tells only when asked with the access token; those of anybody else are refused."""
        if provider.userinfo_endpoint is None or not isinstance(token, str) or not token.isascii():
            return {}
        answer = await self._get(provider.userinfo_endpoint, headers={"Authorization": f"Bearer {token}"})
        if answer.get("sub") != subject:
            raise ProviderAnswerRefused("its user information is about somebody else")
        # What the token says was signed; this only adds to it.
        return {name: value for name, value in answer.items() if name not in ("iss", "sub", "aud", "nonce")}

    def _secret(self) -> str | None:
        place = self._settings.oidc_client_secret_file
        if place is None:
            return None
        try:
            found = os.environ[place[4:]] if place.startswith("env:") else Path(place).read_text(encoding="utf-8")
        except (OSError, KeyError, UnicodeDecodeError) as error:
            _log.warning("openid_client_secret_unreadable", reason=type(error).__name__)
            raise ProviderUnavailable("The console can't read its secret for the provider. Tell an admin.") from None
        return found.strip()

    async def _get(self, url: str, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
        status, answer = await self._ask("GET", url, headers=headers)
        if status != 200:
            raise ProviderUnavailable(f"The provider answered {status} where {_path(url)} was asked for.")
        return answer

    async def _ask(
        self,
        method: str,
        url: str,
        *,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, dict[str, Any]]:
        import httpx

        # As they are: a compressed answer could be a thousand times larger than it looks.
        plain = {"Accept": "application/json", "Accept-Encoding": "identity", **(headers or {})}
        try:
            async with (
                asyncio.timeout(DEADLINE_SECONDS),
                self._http(url) as http,
                http.stream(method, url, data=form, headers=plain) as response,
            ):
                body = await _body(response)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, OSError) as error:
            _log.warning("openid_provider_unreachable", issuer=self.issuer, reason=type(error).__name__)
            raise ProviderUnavailable("The provider can't be reached. Sign in with your password meanwhile.") from None
        if response.is_redirect:
            raise ProviderAnswerRefused(f"it redirects {_path(url)}, which is not followed")
        return response.status_code, _object(body, response.status_code)

    def _http(self, url: str) -> httpx.AsyncClient:
        import httpx

        if self._tls is None:
            self._tls = httpx.create_ssl_context()
        here = is_this_machine(urlsplit(url).hostname or "")
        # A proxy of the environment can't reach what only this machine can.
        return httpx.AsyncClient(verify=self._tls, timeout=DEADLINE_SECONDS, follow_redirects=False, trust_env=not here)


def said_no(error: str) -> ProviderSaidNo:
    """The refusal for an `error` that the browser came back with; only known words and plain codes are shown."""
    if error == "access_denied":
        return ProviderSaidNo("You, or the provider's rules, said no to signing in to this console.")
    return ProviderSaidNo(f"The provider ended the sign-in{_because(error)}. Try again, or tell an admin.")


def _because(error: object) -> str:
    return f" ({error})" if isinstance(error, str) and _ERROR_CODE.fullmatch(error) else ""


def _path(url: str) -> str:
    return urlsplit(url).path or "/"


async def _body(response: httpx.Response) -> bytes:
    if response.headers.get("content-encoding", "identity") != "identity":
        raise ProviderAnswerRefused("it is compressed, though that was not asked for")
    held = bytearray()
    async for chunk in response.aiter_raw():
        held += chunk
        if len(held) > LARGEST_ANSWER:
            raise ProviderAnswerRefused(f"it is larger than {LARGEST_ANSWER // 1024} KiB")
    return bytes(held)


def _object(body: bytes, status: int) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    if isinstance(found, dict):
        return found
    if status == 200:
        raise ProviderAnswerRefused("it is no JSON object")
    return {}
