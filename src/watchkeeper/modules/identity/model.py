"""People, sessions, tokens and links, and the rules that need neither a database nor a clock."""

from __future__ import annotations

import hashlib
import ipaddress
import re
import unicodedata
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from watchkeeper.kernel.web.access import Scope

SESSION_PREFIX = "wks"
TOKEN_PREFIX = "wkt"  # noqa: S105 (a prefix, no secret)
SETUP_PREFIX = "wku"
LOGIN_PREFIX = "wkl"
CONTROL_PREFIX = "wkc"

LONGEST_NAME = 100
LONGEST_EMAIL = 254  # RFC 5321 path limit
LONGEST_SECRET = 200

# Writing "last used" on every request would turn each read into a write.
SEEN_EVERY = timedelta(minutes=1)


class Role(StrEnum):
    """What a person may do everywhere, each role all that the one before it may."""

    VIEWER = "viewer"
    RESPONDER = "responder"
    OPERATOR = "operator"
    ADMIN = "admin"

    @property
    def scope(self) -> Scope:
        return _SCOPE_OF_ROLE[self]


_SCOPE_OF_ROLE = {
    Role.VIEWER: Scope.READ,
    Role.RESPONDER: Scope.RESPOND,
    Role.OPERATOR: Scope.WRITE,
    Role.ADMIN: Scope.ADMIN,
}


class Duty(StrEnum):
    """A task given by name, which no role includes: reports, and the data of the product's users."""

    SAFETY = "safety"
    PRIVACY = "privacy"

    @property
    def scope(self) -> Scope:
        return Scope(self.value)


class Seat(StrEnum):
    """Places of which there is one each: the first person, and the demo's."""

    FIRST = "first"
    DEMO = "demo"


class SignInMethod(StrEnum):
    PASSWORD = "password"  # noqa: S105 (a word, no secret)
    SETUP = "setup"
    LINK = "link"
    INVITATION = "invitation"
    RESET = "reset"
    SECOND_FACTOR = "second_factor"  # a password, then a code or a passkey
    RECOVERY = "recovery"  # a password, then a recovery code
    PASSKEY = "passkey"
    OIDC = "oidc"


class LinkPurpose(StrEnum):
    SETUP = "setup"
    LOGIN = "login"
    INVITATION = "invitation"
    RESET = "reset"


@dataclass(frozen=True, kw_only=True)
class Person:
    """Somebody with an account. `email` is None for the demo's person only; who has no password signs in otherwise."""

    id: str
    name: str
    email: str | None
    role: Role
    password_hash: str | None = field(repr=False)
    created_at: datetime
    duties: frozenset[Duty] = frozenset()
    disabled_at: datetime | None = None
    email_verified_at: datetime | None = None

    @property
    def scopes(self) -> frozenset[Scope]:
        """What the role and the duties allow; nothing once disabled."""
        if self.disabled_at is not None:
            return frozenset()
        return frozenset({self.role.scope, *(duty.scope for duty in self.duties)})


@dataclass(frozen=True, kw_only=True)
class Session:
    """One signed-in browser. `proved_at` is when the person last showed who they are, at sign-in or since."""

    id: str
    person_id: str
    created_at: datetime
    seen_at: datetime
    ended_at: datetime | None
    device: str
    address: str
    method: SignInMethod
    proved_at: datetime


@dataclass(frozen=True, kw_only=True)
class Token:
    """An API token, without its secret: that is shown once and kept only as a digest.

    `account_id` is the service account it belongs to, and `teams` those of that; without one it stands for itself.
    """

    id: str
    name: str
    scopes: frozenset[Scope]
    created_by: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None
    account_id: str | None = None
    teams: frozenset[str] | None = None

    def works_at(self, now: datetime) -> bool:
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


@dataclass(frozen=True, kw_only=True)
class Link:
    """A one-time link, without its secret."""

    id: str
    purpose: LinkPurpose
    person_id: str | None
    expires_at: datetime
    used_at: datetime | None

    def works_at(self, now: datetime) -> bool:
        return self.used_at is None and now < self.expires_at


@dataclass(frozen=True)
class Peer:
    """Where a sign-in comes from: the address and what the browser calls itself."""

    address: str
    device: str


@dataclass(frozen=True, kw_only=True)
class SignedIn:
    """A session that has just begun. `secret` goes into the cookie and is kept nowhere else."""

    secret: str = field(repr=False)
    session: Session
    person: Person


@dataclass(frozen=True)
class FactorState:
    """What a person can show besides a password: an authenticator app, passkeys, recovery codes that are left."""

    app: bool
    passkeys: int
    recovery_codes: int

    @property
    def any(self) -> bool:
        return self.app or self.passkeys > 0


@dataclass(frozen=True, kw_only=True)
class HalfSignedIn:
    """The password was right and a second factor is to follow. `secret` finds the challenge for 5 minutes."""

    secret: str = field(repr=False)
    person: Person


@dataclass(frozen=True)
class Attempt:
    """A look at a password, counted before it happens: under `own` for the account, under `shared` for the network."""

    person: Person | None
    wait: timedelta
    own: str | None = None
    shared: str | None = None


@dataclass(frozen=True)
class SessionPolicy:
    idle: timedelta
    absolute: timedelta

    def is_live(self, session: Session, now: datetime) -> bool:
        """Both limits hold: an unattended browser ends by the first, a stolen but busy session by the second."""
        return (
            session.ended_at is None and now < session.seen_at + self.idle and now < session.created_at + self.absolute
        )


@dataclass(frozen=True)
class Limit:
    """How many failures a window allows; with `grows`, the pause after each failure doubles from the third on."""

    failures: int
    window: timedelta
    grows: bool


@dataclass(frozen=True)
class Tally:
    """The failures counted for one account or address in the current window."""

    failures: int
    since: datetime
    last: datetime


@dataclass(frozen=True)
class Charge:
    """The answer to an attempt: the tally to keep and how long to wait; `news` when a full pause has just begun."""

    tally: Tally
    wait: timedelta = timedelta(0)
    news: bool = False

    @property
    def allowed(self) -> bool:
        return self.wait <= timedelta(0)


_FREE_FAILURES = 3  # three typing mistakes cost nothing
_LONGEST_STEP = timedelta(minutes=1)


def charge(tally: Tally | None, limit: Limit, now: datetime) -> Charge:
    """Count an attempt as a failure before the password is looked at, so that many at once gain nothing."""
    if tally is None or now >= tally.since + limit.window or now < tally.since:
        return Charge(Tally(1, now, now))
    if tally.failures >= limit.failures:
        # One above the limit remembers that the pause was told, so that a storm writes one fact, not thousands.
        told = Tally(limit.failures + 1, tally.since, tally.last)
        return Charge(told, tally.since + limit.window - now, news=tally.failures == limit.failures)
    wait = tally.last + pause_after(tally.failures, limit) - now
    if wait > timedelta(0):
        return Charge(tally, wait)
    return Charge(Tally(tally.failures + 1, tally.since, now))


def pause_after(failures: int, limit: Limit) -> timedelta:
    """The pause that follows this many failures: none at first, then 1, 2, 4 … seconds up to a minute."""
    if not limit.grows or failures < _FREE_FAILURES:
        return timedelta(0)
    return min(timedelta(seconds=2 ** min(failures - _FREE_FAILURES, 10)), _LONGEST_STEP)


def digest(secret: str) -> str:
    """What is stored of a secret. SHA-256 without salt is enough: the secrets are 256 random bits, not passwords."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def normalise_email(text: str) -> str:
    """The form by which two spellings of one address are recognised as the same."""
    return unicodedata.normalize("NFKC", text).strip().casefold()


_EMAIL = re.compile(r"[^@\s\x00-\x1f\x7f<>\"(),:;\\\[\]]+@[^@\s\x00-\x1f\x7f<>\"(),:;\\\[\]]+")


def is_email(text: str) -> bool:
    """Plausible, not proven: only a message that arrives proves an address."""
    return max(len(text), len(normalise_email(text))) <= LONGEST_EMAIL and _EMAIL.fullmatch(text) is not None


def clean_name(text: str) -> str:
    """One line of visible text, as it may stand in a page, a log or a terminal."""
    visible = "".join(" " if unicodedata.category(char) in _BREAKS else char for char in text)
    kept = "".join(char for char in visible if unicodedata.category(char) not in _UNSEEN)
    return " ".join(unicodedata.normalize("NFC", kept).split())


_BREAKS = {"Cc", "Zl", "Zp"}
# Format characters include the bidirectional overrides by which one name can be made to look like another.
_UNSEEN = {"Cf", "Cs", "Co", "Cn"}

_LONGEST_NEXT = 2000


def local_path(wanted: str | None, default: str = "/") -> str:
    """`wanted` when it is a path on this server, else `default`: a sign-in never leads elsewhere.

    Stricter than the URL standard on purpose: browsers drop tabs and read `\\` as `/`, so neither is accepted.
    """
    if not wanted or len(wanted) > _LONGEST_NEXT or not wanted.startswith("/"):
        return default
    if "\\" in wanted or any(ord(char) <= 0x20 or 0x7F <= ord(char) <= 0xA0 for char in wanted):
        return default
    path = re.split("[?#]", wanted, maxsplit=1)[0]
    if "//" in path or path.startswith(("/login", "/setup")):
        return default
    return wanted


def network_of(address: str) -> str:
    """What counts as one sender: an IPv4 address, or an IPv6 /64, since one household holds a whole /64."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)


def is_loopback(address: str) -> bool:
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return (mapped or parsed).is_loopback


# The order matters: Edge and Opera also say Chrome, Chrome also says Safari, Android also says Linux.
_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
)
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)


def describe_device(user_agent: str) -> str:
    """`Firefox on Windows`: enough to recognise one's own browser; nothing of the text itself is passed on."""
    browser = next((name for mark, name in _BROWSERS if mark in user_agent), None)
    system = next((name for mark, name in _SYSTEMS if mark in user_agent), None)
    if browser and system:
        return f"{browser} on {system}"
    return browser or (f"A browser on {system}" if system else "Unknown device")
