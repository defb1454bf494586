"""Public identifiers: random, prefixed by what they name, and sortable by time only inside the database."""

from __future__ import annotations

import re
import secrets

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: no i, l, o or u to misread on a phone
_RANDOM_CHARACTERS = 26  # 130 bits; ASVS 11.5.1 asks for 128
_SHAPE = re.compile(r"^[a-z][a-z0-9]{1,11}_[0-9a-hjkmnp-tv-z]{26}$")


def new_id(prefix: str) -> str:
    """A fresh public identifier such as `svc_8k3v…`; nothing about order or number can be read from it.

    Raises ValueError for a prefix that is not 2 to 12 lower-case letters or digits.
    """
    identifier = f"{prefix}_{_random_text(_RANDOM_CHARACTERS)}"
    if not is_id(identifier, prefix):
        raise ValueError(f"{prefix!r} is not an identifier prefix: use 2 to 12 lower-case letters or digits")
    return identifier


def is_id(text: str, prefix: str) -> bool:
    """Whether `text` has the shape of an identifier with this prefix."""
    return text.startswith(f"{prefix}_") and _SHAPE.fullmatch(text) is not None


def new_secret(prefix: str) -> str:
    """A secret of 256 bits with a greppable prefix, such as an API token's text."""
    return f"{prefix}_{secrets.token_urlsafe(32)}"


def sort_key(unix_nano: int) -> str:
    """A key of 26 characters that sorts by time and breaks ties at random; for use inside, never shown."""
    return _base32(unix_nano, 13) + _random_text(13)


def _random_text(length: int) -> str:
    # Five bits of each byte, so that every character is as likely; one call, since a storm makes thousands of these.
    return "".join([_ALPHABET[byte & 31] for byte in secrets.token_bytes(length)])


def _base32(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, 32)
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
