"""Who signed an ID token. Nothing here asks the network, the database or the clock."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, Key, OKPKey, RSAKey
from joserfc.jws import JWSRegistry, extract_compact

from watchkeeper.modules.identity.oidc_errors import ProviderAnswerRefused, SigningKeyUnknown

# Signatures by a key pair only: with HMAC the client's secret, or a public key taken for one, would do to sign.
ALGORITHMS = frozenset({"RS256", "ES256", "EdDSA", "Ed25519"})
SHORTEST_RSA_BITS = 2048
MOST_KEYS = 50


def parse_keys(document: Mapping[str, Any]) -> tuple[Key, ...]:
    """The keys that may sign; what is symmetric, short, for encryption or not understood is left out."""
    listed = document.get("keys")
    if not isinstance(listed, list):
        raise ProviderAnswerRefused("its list of keys is none")
    return tuple(key for one in listed[:MOST_KEYS] if (key := _key(one)) is not None)


def _key(one: object) -> Key | None:
    if not isinstance(one, dict) or one.get("kty") not in ("RSA", "EC", "OKP") or one.get("use", "sig") != "sig":
        return None
    try:
        key = JWKRegistry.import_key(one)
        strong = not isinstance(key, RSAKey) or key.public_key.key_size >= SHORTEST_RSA_BITS
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    return key if strong else None


class _KeyPairsOnly(JWSRegistry):
    """Knows the allowed algorithms and no other, whatever the token's header asks for."""

    def get_alg(self, name: str) -> Any:
        if name not in ALGORITHMS:
            raise ProviderAnswerRefused("the ID token is signed in a way that is not accepted")
        return self.algorithms[name]


# Unknown header fields are allowed, `crit` ones are not.
_REGISTRY = _KeyPairsOnly(strict_check_header=False)
_TYPE_OF_KEY: dict[str, type[Key]] = {"RS256": RSAKey, "ES256": ECKey, "EdDSA": OKPKey, "Ed25519": OKPKey}


def verified_claims(id_token: str, keys: tuple[Key, ...]) -> dict[str, Any]:
    """The token's claims, signed by one of these keys.

    Raises SigningKeyUnknown when none of them signed it, which new keys may cure, or ProviderAnswerRefused.
    """
    for key in _candidates(id_token, keys):
        try:
            return jwt.decode(id_token, key, registry=_REGISTRY).claims
        except (JoseError, ValueError, TypeError):
            continue
    raise SigningKeyUnknown


def _candidates(id_token: str, keys: tuple[Key, ...]) -> list[Key]:
    header = _header(id_token)
    algorithm, kid = header.get("alg"), header.get("kid")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        raise ProviderAnswerRefused("the ID token is signed in a way that is not accepted")
    fitting = [
        key for key in keys if isinstance(key, _TYPE_OF_KEY[algorithm]) and key.get("alg", algorithm) == algorithm
    ]
    return fitting if kid is None else [key for key in fitting if key.kid == kid]


def _header(id_token: str) -> dict[str, Any]:
    try:
        return extract_compact(id_token.encode("ascii"), registry=_REGISTRY).headers()
    except (JoseError, ValueError, TypeError):
        raise ProviderAnswerRefused("the ID token can't be read") from None
