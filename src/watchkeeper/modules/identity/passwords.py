"""What makes a password acceptable. Pure: the hashing is in `hashing`."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import pairwise

SHORTEST = 15  # what NIST SP 800-63B-4 asks for where a password is the only factor
LONGEST = 256
_LEAST_OWN = 8  # characters that must remain when names and very common words are taken out
_LEAST_DISTINCT = 6
_MOST_IN_ORDER = 0.6

_PRODUCT_WORDS = (
    "watchkeeper",
    "administrator",
    "admin",
    "password",
    "passwort",
    "passphrase",
    "letmein",
    "welcome",
    "changeme",
    "default",
    "login",
    "secret",
)

# Long passwords that stand in every leaked list; the short ones are refused by their length already.
_COMMON_TEXT = """
    correcthorsebatterystaple correct-horse-battery-staple iloveyouiloveyou iloveyousomuch1 ihavenopassword
    thisismypassword thisisapassword thisisasecret myverysecurepassword mysecretpassword ilovemyfamily123
    youshallnotpass maytheforcebewithyou onceuponatimeinthewest tobeornottobe thequickbrownfox
    thequickbrownfoxjumps thequickbrownfoxjumpsoverthelazydog donttellanyone nobodyknowsthis
    trustno1trustno1 supercalifragilisticexpialidocious startrekenterprise harrypotterandme
    manchesterunited liverpoolfootballclub michaeljackson1 christianoronaldo barcelonabarcelona
    jesuschristislord ilovejesuschrist godisgoodallthetime mercedesbenz123 harleydavidson123
    unbelievable123 incorrectpassword antidisestablishmentarianism pneumonoultramicroscopicsilicovolcanoconiosis
    fuckyoufuckyou1 1q2w3e4r5t6y7u8i9o0p 1qaz2wsx3edc4rfv5tgb q1w2e3r4t5y6u7i8 zaq12wsxcde34rfv qazwsxedcrfvtgb
    1qaz2wsx3edc4rfv zxcvbnmasdfghjkl asdfghjklzxcvbnm qwertyuiopasdfgh mnbvcxzlkjhgfdsa 123qweasdzxcrty
    abcd1234abcd1234 a1b2c3d4e5f6g7h8 aa123456789bb987 loremipsumdolor loremipsumdolorsitamet
"""
_COMMON = frozenset(_COMMON_TEXT.split())

_LINES = (
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890",
    "qwertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "qwertzuiop",
    "yxcvbnm",
    "azertyuiop",
)
_LEET = str.maketrans("013457@$!", "oleastasi")


def _steps() -> Iterator[str]:
    for line in _LINES:
        for first, second in pairwise(line):
            yield first + second
            yield second + first


_NEIGHBOURS = frozenset(_steps())


def normalise(password: str) -> str:
    """The one form that is measured and hashed, so that the same keys on another system give the same password."""
    return unicodedata.normalize("NFKC", password)


def complaints(password: str, *, about: Iterable[str] = ()) -> list[str]:
    """Why this password is refused, each as a sentence; empty when it is fine.

    `about` holds what is known of the account (name, e-mail): a password made only of that is guessed first.
    """
    text = normalise(password[: LONGEST * 4])  # so that a megabyte costs no time
    if any(0xD800 <= ord(char) <= 0xDFFF for char in text):
        return ["Use characters that can be written as text."]
    if len(text) < SHORTEST:
        return [f"Use at least {SHORTEST} characters; four or more unrelated words are easy to remember."]
    if len(text) > LONGEST:
        return [f"Use at most {LONGEST} characters."]
    plain = text.casefold()
    if _is_common(plain):
        return ["This password is on every attacker's list. Choose another."]
    if len(set(plain)) < _LEAST_DISTINCT or _is_repetition(plain):
        return ["This repeats the same few characters. Choose something less regular."]
    if _in_order(plain) > _MOST_IN_ORDER:
        return ["This follows the order of the alphabet, the digits or the keyboard. Choose something less regular."]
    if len(_without(plain, tuple(about))) < _LEAST_OWN:
        return ["This is little more than a name, the e-mail address or a very common word. Add words of your own."]
    return []


def _is_common(plain: str) -> bool:
    squeezed = re.sub(r"[\s_.-]+", "", plain)
    bare = {plain, squeezed, squeezed.rstrip("0123456789!?.*")}
    return any(form in _COMMON or form.translate(_LEET) in _COMMON for form in bare)


def _is_repetition(plain: str) -> bool:
    """Whether a unit of at most a third of the text makes up the whole of it."""
    return any((plain[:size] * (len(plain) // size + 1)).startswith(plain) for size in range(1, len(plain) // 3 + 1))


def _in_order(plain: str) -> float:
    pairs = [first + second for first, second in pairwise(plain)]
    return sum(pair in _NEIGHBOURS or pair[0] == pair[1] for pair in pairs) / len(pairs)


def _without(plain: str, about: tuple[str, ...]) -> str:
    known = {word for text in about for word in re.split(r"[\W_]+", normalise(text).casefold())}
    known |= {re.sub(r"[\W_]+", "", normalise(text).casefold()) for text in about}
    words = sorted((word for word in known | set(_PRODUCT_WORDS) if len(word) >= 3), key=len, reverse=True)
    for word in words:
        plain = plain.replace(word, "")
    return re.sub(r"[\W_]+", "", plain)
