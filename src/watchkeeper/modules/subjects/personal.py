"""What subjects may not hold: text that looks like it says who somebody is, rather than which account it is."""

from __future__ import annotations

import re

_EMAIL = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]{2,}")
_PHONE_SHAPE = re.compile(r"\+?[0-9 ()/.\u00a0-]+")
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_SEPARATORS = re.compile(r"[ ()/.\u00a0-]+")
_WORDS = """
    address birth_date birthday birthdate date_of_birth dob e_mail email email_address first_name full_name ip
    ip_address last_name mail mobile name phone phone_number street surname tel telephone
"""
_NAMES = frozenset(_WORDS.split())


def looks_personal(text: str) -> str | None:
    """What the text looks like, or None: an e-mail address or a telephone number."""
    if "@" in text and _EMAIL.search(text):
        return "an e-mail address"
    return "a telephone number" if _looks_like_phone(text.strip()) else None


def names_personal(attribute: str) -> bool:
    """Whether an attribute of this name would hold what identifies a person."""
    return re.sub(r"[.-]", "_", attribute).lower() in _NAMES


def _looks_like_phone(text: str) -> bool:
    if not _PHONE_SHAPE.fullmatch(text) or _ISO_DATE.fullmatch(text):
        return False
    digits = sum(one.isdecimal() for one in text)
    if text.startswith("+"):
        return 7 <= digits <= 15
    # Plain digits are as good a name of an account as any: only the way telephone numbers are written gives them away.
    separators = len(_SEPARATORS.findall(text))
    least = 8 if text.startswith(("0", "(")) else 9
    return least <= digits <= 15 and separators >= (1 if least == 8 else 2)
