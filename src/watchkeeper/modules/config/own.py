"""Watchkeeper's own settings in the registry: read-only, but for those that change live, set like any other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy.orm import Session

from watchkeeper.kernel.clock import Clock
from watchkeeper.modules.config import store
from watchkeeper.modules.config.errors import ParameterNotFound
from watchkeeper.modules.config.model import VALUE, Parameter, is_own
from watchkeeper_client.rules import Definition, Layer

_BY = "system:config"
_log = structlog.get_logger("watchkeeper.config")


@dataclass(frozen=True)
class OwnParameter:
    """A setting: what it is, where else it is set, and what it was at the start. `origin` is empty for the default."""

    definition: Definition
    live: bool
    variable: str
    started_with: Any
    origin: str

    @property
    def key(self) -> str:
        return self.definition.key


class Own:
    """The settings of this server. Those that are live follow what is set in `environment`; `take` is handed that."""

    def __init__(
        self, parameters: Sequence[OwnParameter], environment: str, take: Callable[[Mapping[str, Any]], None]
    ) -> None:
        self._parameters = {one.key: one for one in parameters}
        self._environment = environment
        self._take = take
        self._set: dict[str, Any] = {}

    def register(self, session: Session, clock: Clock) -> None:
        """Have the registry say what this version's settings are; no fact, because nobody changed anything."""
        before = {one.key: one for one in store.all_parameters(session) if one.managed_by == "watchkeeper"}
        for key, one in self._parameters.items():
            applied = {"live": one.live, "environment": self._environment, "variable": one.variable}
            kept = before.get(key)
            if kept is None or (kept.definition, kept.applied) != (one.definition, applied):
                store.put_parameter(
                    session,
                    one.definition,
                    managed_by="watchkeeper",
                    applied=applied,
                    differs_since=None,
                    by=_BY,
                    at=clock.now(),
                )
        for key in before.keys() - self._parameters.keys():
            # A setting of another version; while something is set of it, that version may come back for it.
            if not store.settings_of(session, key):
                store.remove_parameter(session, key)

    def read(self, session: Session) -> None:
        """Take over what is set now."""
        held = store.held(session, self._environment, [one.key for one in self._parameters.values() if one.live])
        found = {key: one.value for key in held.settings if (one := held.setting(key, VALUE)) is not None}
        if found == self._set:
            return
        try:
            self._take(found)
        except ValueError:
            _log.exception("what is set of Watchkeeper's own settings can't be used; they stay as they were")
            return
        self._set = found

    def layers(self, key: str) -> list[Layer]:
        """What each layer says of a setting, highest first. Raises ParameterNotFound."""
        one = self._parameters.get(key)
        if one is None:
            raise ParameterNotFound(f"Watchkeeper has no setting {key[:150]!r}.")
        is_set = key in self._set
        nothing = (
            "nothing is set" if one.live else f"read when the server starts; set {one.variable} and start it again"
        )
        hidden = "the value that is set goes first"
        started = bool(one.origin)
        return [
            Layer("system_config", self._environment, self._set.get(key), is_set, "set" if is_set else nothing),
            Layer(
                "env",
                one.origin or one.variable,
                one.started_with if started else None,
                started and not is_set,
                hidden if started and is_set else "as at the start" if started else "nothing is set",
            ),
            Layer(
                "code",
                "default",
                one.definition.default,
                not started and not is_set,
                "nothing else is set" if not started and not is_set else "something above is set",
            ),
        ]


def refusal(parameter: Parameter, environment: str, slot: str) -> tuple[str, str] | None:
    """(field, what was expected) where a setting of Watchkeeper can't be changed so."""
    if not is_own(parameter.key):
        return None
    said = parameter.applied or {}
    if slot != VALUE:
        return "slot", "value: a setting of Watchkeeper is the same for everybody"
    if not said.get("live"):
        variable = said.get("variable", "its environment variable")
        return "key", f"a setting that changes live; {parameter.key} is read at the start: set {variable} and restart"
    if environment != said.get("environment"):
        return "key", f"the environment {said.get('environment')}, where Watchkeeper's own settings are set"
    return None
