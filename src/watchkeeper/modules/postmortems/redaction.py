"""What may leave the house: a text without people, hosts, addresses, links and ids. Pure.

The rule takes out too much rather than too little, since a person looks at the result before anybody else does and
writes it anew where it reads badly. What it can't know (a nickname, a project's code name) is theirs to find.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

_URL = re.compile(r"\b[a-z][a-z0-9+.-]{1,15}://[^\s<>()\[\]\"'|]+", re.IGNORECASE)
_MARKDOWN_LINK = re.compile(r"!?\[([^\]\n]{0,300})\]\(([^)\n]{0,2000})\)")
_REFERENCE = re.compile(r"^\s{0,3}\[[^\]\n]{1,200}\]:[^\n]*$", re.MULTILINE)
_EMAIL = re.compile(r"[\w.+%-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
_HANDLE = re.compile(r"(?<![\w/])@[A-Za-z][\w.-]{1,38}")
_IPV4 = re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?:/\d{1,2})?(?::\d{1,5})?(?![\d.]*\d)")
_IPV6 = re.compile(
    r"(?<![\w:])(?=[0-9a-fA-F:]{0,45}(?:::|[a-fA-F]))(?:[0-9a-fA-F]{0,4}:){2,7}[0-9a-fA-F]{0,4}(?![\w:])"
)
_HOST = re.compile(
    r"(?<![\w@.-])(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){2,8}[A-Za-z]{2,24}(?::\d{1,5})?(?![\w-])"
    r"|(?<![\w@.-])[A-Za-z0-9][A-Za-z0-9-]{0,62}\.(?:internal|local|lan|corp|home|svc|intranet|private|localdomain|test|"
    r"com|net|org|io|dev|app|cloud|eu|de|uk|no|se|fr)(?::\d{1,5})?(?![\w-])"
    r"|(?<![\w@.-])localhost(?::\d{1,5})?(?![\w-])",
    re.IGNORECASE,
)
# `db-03`, `ip-10-0-0-7`, `web12.`: a name that counts machines.
_MACHINE = re.compile(
    r"(?<![\w-])[a-z][a-z0-9]{0,20}(?:-[a-z0-9]{1,20}){0,5}-\d{1,5}(?![\w-])(?!\.\d)|(?<![\w-])ip(?:-\d{1,3}){4}\b"
)
_IDS = re.compile(
    r"\b[a-z][a-z0-9]{1,11}_[0-9a-hjkmnp-tv-z]{26}\b"  # ours
    r"|\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b"  # UUID
    r"|\b(?=[0-9a-f]{0,40}\d)(?=[0-9a-f]{0,40}[a-f])[0-9a-f]{7,64}\b"  # a commit, a trace, a digest
    r"|\b[A-Z][A-Z0-9]{1,9}-\d{1,7}\b(?<!SEV-\d)(?<!UTF-\d)"  # a ticket
    r"|(?<![\w.,])\d{7,}(?![\w.,]*\d)"  # an account, a phone number
    r"|(?<!\w)#\d{1,7}\b"
)
_PHONE = re.compile(r"(?<![\w+])\+\d[\d ()-]{6,18}\d")
_PATH = re.compile(r"(?<![\w/.])/(?:[\w.-]{1,60}/){1,12}[\w.-]{0,60}|(?<![\w/.])~/[\w./-]{1,120}")
_PRIVATE_USE = re.compile("[\ue000-\uf8ff\0]")
_MOST_LINKS = 5_000
PERSON, LINK, HOST, ID, PATH = "person", "link", "host", "id", "path"
_SHOWN = {PERSON: "somebody", LINK: "[link removed]", HOST: "[host]", ID: "[id]", PATH: "[path]"}


@dataclass(frozen=True)
class Redacted:
    """The text, and how often what kind of thing was taken out of it."""

    text: str
    removed: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Rule:
    """Whose names go, and which hosts may stay."""

    names: tuple[str, ...] = ()
    public_hosts: frozenset[str] = frozenset()

    def __call__(self, text: str) -> Redacted:
        """Applied twice it changes nothing more."""
        removed: Counter[str] = Counter()

        def gone(kind: str) -> Callable[[re.Match[str]], str]:
            def replacement(_found: re.Match[str]) -> str:
                removed[kind] += 1
                return _SHOWN[kind]

            return replacement

        kept: list[str] = []
        found = _REFERENCE.sub(gone(LINK), _PRIVATE_USE.sub("", text))
        found = _MARKDOWN_LINK.sub(lambda link: self._link(link, kept, removed), found)
        found = _URL.sub(lambda link: self._url(link[0], kept, removed), found)
        found = _EMAIL.sub(gone(PERSON), found)
        found = _PHONE.sub(gone(ID), found)
        found = _HANDLE.sub(gone(PERSON), found)
        found = _IDS.sub(gone(ID), found)
        for pattern in (_IPV6, _IPV4):
            found = pattern.sub(gone(HOST), found)
        found = _HOST.sub(lambda host: self._host(host[0], removed), found)
        found = _MACHINE.sub(gone(HOST), found)
        found = _PATH.sub(gone(PATH), found)
        for pattern in self._people():
            found = pattern.sub(gone(PERSON), found)
        for number, link in enumerate(kept):
            found = found.replace(_placeholder(number), link)
        return Redacted(found, dict(removed))

    def _link(self, found: re.Match[str], kept: list[str], removed: Counter[str]) -> str:
        words, target = found[1], found[2].split(" ")[0]
        if found[0].startswith("!") or len(kept) >= _MOST_LINKS or not self._is_public(target):
            removed[LINK] += 1
            return words
        kept.append(f"]({target})")
        return f"[{words}{_placeholder(len(kept) - 1)}"

    def _url(self, url: str, kept: list[str], removed: Counter[str]) -> str:
        bare = url.rstrip(".,;:!?")
        if len(kept) >= _MOST_LINKS or not self._is_public(bare):
            removed[LINK] += 1
            return _SHOWN[LINK] + url[len(bare) :]
        kept.append(bare)
        return _placeholder(len(kept) - 1) + url[len(bare) :]

    def _host(self, host: str, removed: Counter[str]) -> str:
        if host.partition(":")[0].lower() in self.public_hosts:
            return host
        removed[HOST] += 1
        return _SHOWN[HOST]

    def _is_public(self, url: str) -> bool:
        try:
            parts = urlsplit(url)
            host, secret = parts.hostname, parts.username or parts.query or parts.fragment
        except ValueError:
            return False
        # A query may hold a token: of what may be named, only the page itself is.
        return parts.scheme == "https" and host is not None and host.lower() in self.public_hosts and not secret

    def _people(self) -> Iterable[re.Pattern[str]]:
        whole = sorted({name.strip() for name in self.names if len(name.strip()) > 1}, key=lambda one: (-len(one), one))
        parts = sorted(
            {part for name in whole for part in re.split(r"[\s,]+", name) if len(part) > 1 and part[0].isupper()}
        )
        for name in whole:
            yield re.compile(
                rf"(?<!\w){re.escape(name)}(?:'s|\N{{RIGHT SINGLE QUOTATION MARK}}s)?(?!\w)", re.IGNORECASE
            )
        for part in parts:
            yield re.compile(rf"(?<!\w){re.escape(part)}(?:'s|\N{{RIGHT SINGLE QUOTATION MARK}}s)?(?!\w)")


def _placeholder(number: int) -> str:
    # Of the private use area, which no rule above looks at.
    return f"\ue000{chr(0xE100 + number)}"
