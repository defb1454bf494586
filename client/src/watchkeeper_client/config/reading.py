"""Reading values: one look into a compiled table, and never an error."""

from __future__ import annotations

import logging
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any, TypeVar, cast

from watchkeeper_client.config.parameter import Parameter
from watchkeeper_client.rules import NO_ATTRIBUTES, Choice, Layer, Outcome, Program, compile_snapshot, explain
from watchkeeper_client.rules.outcomes import JsonOutcome

T = TypeVar("T")
_log = logging.getLogger("watchkeeper_client")
EMPTY: Mapping[str, Any] = {
    "format": 1,
    "environment": "",
    "version": 0,
    "etag": "",
    "made_at": "",
    "segments": {},
    "parameters": {},
    "scheduled": [],
}
_living: weakref.WeakSet[Reader] = weakref.WeakSet()
# What `testing.override` puts in front of everything, newest last.
_overrides: list[Mapping[str, Any]] = []
_overriding = threading.RLock()


@dataclass(frozen=True)
class Decision:
    """A value and where it is from: user, segment, system_config, env, code, override, or default (the caller's)."""

    key: str
    value: Any
    variant: str
    reason: str
    layer: str
    detail: str = ""


class Reader:
    """Answers from a snapshot. Safe for any number of threads; a swap of the snapshot is one assignment."""

    def __init__(self, document: Mapping[str, Any] = EMPTY, *, environ: Mapping[str, str] | None = None) -> None:
        self._environ: Mapping[str, str] = environ or {}
        self._document: Mapping[str, Any] = document
        self._program: Program = self._compiled(document, None)
        self._table: Mapping[Any, Outcome | Choice] = {}
        self._complained: set[str] = set()
        with _overriding:
            self._install(document, self._program)
            _living.add(self)

    def get(
        self, key: str, default: Any = None, *, user: str | None = None, attributes: Mapping[str, Any] | None = None
    ) -> Any:
        """The value for this user; `default` where nothing is known of the key. Never raises.

        Durations are timedeltas, times of day are times, secrets their text, JSON a copy of the caller's own.
        """
        entry = self._table.get(key)
        if entry is None:
            return self._default(key, default)
        decide = entry.decide
        if decide is not None:
            try:
                entry = decide(user, NO_ATTRIBUTES if attributes is None else attributes)
            except Exception:  # noqa: BLE001 (whatever a caller hands in, the service goes on)
                entry = self._decided_anyway(decide, key, user, attributes)
                if entry is None:
                    return self._default(key, default)
        entry.count += 1  # type: ignore[union-attr]
        value = entry.value  # type: ignore[union-attr]
        return self._default(key, default) if value is None else value

    def is_on(self, flag: str, default: bool = False, **who: Any) -> bool:
        """Whether a flag or boolean is true for this user."""
        return self._typed(flag, default, bool, who)

    def get_bool(self, key: str, default: bool = False, **who: Any) -> bool:
        """The value if it is true or false, else the default."""
        return self._typed(key, default, bool, who)

    def get_int(self, key: str, default: int = 0, **who: Any) -> int:
        """The value if it is a whole number, else the default."""
        return self._typed(key, default, int, who)

    def get_float(self, key: str, default: float = 0.0, **who: Any) -> float:
        """The value as float if it is a number, else the default."""
        found = self.get(key, default, **who)
        if isinstance(found, (int, float)) and not isinstance(found, bool):
            return float(found)
        return self._mismatch(key, default, found)

    def get_str(self, key: str, default: str = "", **who: Any) -> str:
        """The value if it is text, else the default."""
        return self._typed(key, default, str, who)

    def get_duration(self, key: str, default: timedelta = timedelta(), **who: Any) -> timedelta:
        """The value if it is a duration, else the default."""
        return self._typed(key, default, timedelta, who)

    def get_time(self, key: str, default: time = time(), **who: Any) -> time:
        """The value if it is a time of day, else the default."""
        return self._typed(key, default, time, who)

    def get_json(self, key: str, default: Any = None, **who: Any) -> Any:
        """The value if it is an object or a list, else the default; a copy of the caller's own."""
        found = self.get(key, default, **who)
        return found if isinstance(found, (dict, list)) else self._mismatch(key, default, found)

    def evaluate(
        self, key: str, default: Any = None, *, user: str | None = None, attributes: Mapping[str, Any] | None = None
    ) -> Decision:
        """The value with its variant, reason and layer. Never raises; counted like `get`."""
        entry = self.decide(key, user, attributes)
        if entry is None:
            return Decision(key, self._default(key, default), "default", "DEFAULT", "default")
        value = entry.value
        if value is None:
            return Decision(key, self._default(key, default), "default", "DEFAULT", "default")
        return Decision(key, value, entry.variant, entry.reason, entry.layer, entry.detail)

    def decide(self, key: str, user: str | None = None, attributes: Mapping[str, Any] | None = None) -> Outcome | None:
        """The compiled answer itself, counted; None for an unknown key. For adapters such as OpenFeature's."""
        entry = self._table.get(key)
        if entry is not None and entry.decide is not None:
            entry = self._decided_anyway(entry.decide, key, user, attributes)
        if not isinstance(entry, Outcome):
            return None
        entry.count += 1
        return entry

    def explain(self, key: str, *, user: str | None = None, attributes: Mapping[str, Any] | None = None) -> list[Layer]:
        """Every layer, highest first, and why it won or lost; empty for an unknown key."""
        return explain(
            self._document, key, now=_now(), environ=self._environ, user=user, attributes=attributes, clock=_now
        )

    def keys(self) -> list[str]:
        """The keys of the snapshot."""
        return sorted(self._document["parameters"])

    def kind_of(self, key: str) -> str | None:
        """The type of a parameter; None for a key that is not known."""
        return self._program.kinds.get(key)

    def _default(self, key: str, default: Any) -> Any:
        return key.default if default is None and isinstance(key, Parameter) else default

    def _typed(self, key: str, default: T, kind: type[T], who: Mapping[str, Any]) -> T:
        found = self.get(key, default, **who)
        fits = isinstance(found, kind) and (kind is not int or not isinstance(found, bool))
        return cast(T, found) if fits else self._mismatch(key, default, found)

    def _mismatch(self, key: str, default: T, found: Any) -> T:
        if found is not default and key not in self._complained:
            self._complained.add(key)
            _log.warning("%s is not of the type that was asked for, but %s", key, type(found).__name__)
        return default

    def _decided_anyway(
        self,
        decide: Callable[[str | None, Mapping[str, Any]], Outcome],
        key: str,
        user: Any,
        attributes: Mapping[str, Any] | None,
    ) -> Outcome | None:
        try:
            return decide(None if user is None else str(user), NO_ATTRIBUTES if attributes is None else attributes)
        except Exception:  # noqa: BLE001 (as above)
            if key not in self._complained:
                self._complained.add(key)
                _log.exception("%s could not be decided; using the default", key)
            return None

    def _compiled(self, document: Mapping[str, Any], reuse: Program | None) -> Program:
        return compile_snapshot(document, now=_now(), environ=self._environ, clock=_now, with_secrets=True, reuse=reuse)

    def _install(self, document: Mapping[str, Any], program: Program) -> None:
        """Let a snapshot decide from now on. Held: `_overriding`."""
        table: dict[Any, Outcome | Choice] = dict(program.table)
        for values in _overrides:
            table.update({key: _fixed(value) for key, value in values.items()})
        self._document, self._program = document, program
        self._table = table


@contextmanager
def overriding(values: Mapping[str, Any]) -> Iterator[None]:
    """Every reader of this process answers these keys with these values while the block lasts."""
    entry = dict(values)
    with _overriding:
        _overrides.append(entry)
        _refresh()
    try:
        yield
    finally:
        with _overriding:
            _overrides[:] = [one for one in _overrides if one is not entry]
            _refresh()


def overriding_lock() -> threading.RLock:
    """Held while a snapshot or an override is put in."""
    return _overriding


def forget_the_parents_lock() -> None:
    """In a forked child: another thread of the parent may have held the lock at the fork."""
    global _overriding  # one for the process, as what it guards
    _overriding = threading.RLock()


def _refresh() -> None:
    for reader in list(_living):
        reader._install(reader._document, reader._program)


def _fixed(value: Any) -> Outcome | Choice:
    made = (JsonOutcome if isinstance(value, (dict, list)) else Outcome)(value, value, "override", "STATIC", "override")
    return Choice(lambda user, attributes: made) if isinstance(made, JsonOutcome) else made  # noqa: ARG005


def _now() -> datetime:
    return datetime.now(UTC)
