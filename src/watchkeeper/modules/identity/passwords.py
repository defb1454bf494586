"""What makes a password acceptable. Pure: the hashing is in `hashing`."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import pairwise

SHORTEST = 15  # what NIST SP 800-63B-4 asks for where a password is the only factor
SHORTEST_WITH_FACTOR = 8  # and where it is one of two
LONGEST = 256
_LEAST_OWN = 8  # characters that must remain when names and very common words are taken out
_LEAST_OWN_SHORT = 6
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

# Passwords that stand at the top of every leaked list. What follows the keyboard, repeats itself or is little more than
# a name or "password" is refused by rule, so only the rest is listed; short ones are for accounts with a second factor.
_COMMON_TEXT = """
    sunshine princess football baseball superman trustno1 iloveyou starwars michelle jennifer jordan23 computer corvette
    mercedes midnight mountain elephant butterfly cocacola marlboro chocolate liverpool chelsea1 arsenal1 barcelona
    samantha victoria veronica alexander charlotte christian nicholas benjamin patricia danielle stephanie elizabeth
    isabella sebastian valentina angelica gabriela fernando alejandro francisco santiago guadalupe estrella
    whatever blink182 metallica nirvana1 slipknot linkinpark greenday scorpion dolphins cowboys1 steelers packers1
    yankees1 redskins broncos1 patriots lakers24 warriors raiders1 hello123 hellohello goodluck lovely12 friends1
    forever1 iloveu12 babygirl sweetheart honeybee buttercup snowball cupcakes cinnamon brownies cookies1
    pokemon1 pikachu1 charmander minecraft fortnite roblox123 dragon12 dragonball naruto12 onepiece gandalf1
    matrix12 terminator spiderman batman12 ironman1 avengers superstar rockstar champion winner12 gangster
    samsung1 iphone12 android1 google12 facebook youtube1 internet explorer microsoft windows1 linux123 server12
    freedom1 america1 england1 deutschland germany1 mexico12 brasil12 australia canada12 scotland ireland1
    summer12 winter12 spring12 autumn12 sommer12 winter2025 summer2025 spring2026 summer2026 winter2026 january1
    december september november thursday saturday passw0rd pa55word p4ssw0rd secret12 access14 master12 shadow12
    monkey12 killer12 jordan12 harley12 ranger12 hunter12 buster12 soccer12 hockey12 tigger12 charlie1 thomas12
    andrew12 michael1 daniel12 robert12 joshua12 matthew1 anthony1 william1 jessica1 amanda12 ashley12 nicole12
    chelsea123 maverick phoenix1 thunder1 tiger123 eagle123 falcon12 bulldog1 mustang1 yamaha12 suzuki12 kawasaki
    hannover schalke04 bayern12 borussia schatz12 schnecke mausebaer sternchen fussball hallo123 geheim12
    azerty12 soleil12 bonjour1 chouchou doudou12 motdepasse marseille contrasena tequiero teamo123 amorcito
    password1 letmein1 qwerty123 abc12345 test1234 temp1234 user1234 root1234 demo1234 guest123 admin123 oracle12
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


def complaints(password: str, *, about: Iterable[str] = (), has_factor: bool = False) -> list[str]:
    """Why this password is refused, each as a sentence; empty when it is fine.

    `has_factor`: a second factor is asked for too, so it may be shorter. `about` holds what is known of the account
    (name, e-mail): a password made only of that is guessed first.
    """
    text = normalise(password[: LONGEST * 4])  # so that a megabyte costs no time
    if any(0xD800 <= ord(char) <= 0xDFFF for char in text):
        return ["Use characters that can be written as text."]
    shortest = SHORTEST_WITH_FACTOR if has_factor else SHORTEST
    if len(text) < shortest:
        return [f"Use at least {shortest} characters; four or more unrelated words are easy to remember."]
    if len(text) > LONGEST:
        return [f"Use at most {LONGEST} characters."]
    plain = text.casefold()
    if _is_common(plain):
        return ["This password is on every attacker's list. Choose another."]
    if len(set(plain)) < _LEAST_DISTINCT or _is_repetition(plain):
        return ["This repeats the same few characters. Choose something less regular."]
    if _in_order(plain) > _MOST_IN_ORDER:
        return ["This follows the order of the alphabet, the digits or the keyboard. Choose something less regular."]
    if len(_without(plain, tuple(about))) < (_LEAST_OWN if len(text) >= SHORTEST else _LEAST_OWN_SHORT):
        return ["This is little more than a name, the e-mail address or a very common word. Add words of your own."]
    return []


def stands_alone(password: str) -> bool:
    """Whether it is long enough without a second factor."""
    return len(normalise(password[: LONGEST * 4])) >= SHORTEST


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
