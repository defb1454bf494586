"""OpenFeature's provider over a client. Needs the extra: `watchkeeper-client[openfeature]`.

from openfeature import api
api.set_provider(WatchkeeperProvider(Client(...)))
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from datetime import time, timedelta
from typing import Any, TypeVar

from openfeature.evaluation_context import EvaluationContext
from openfeature.event import ProviderEvent, ProviderEventDetails
from openfeature.exception import ErrorCode, ProviderNotReadyError
from openfeature.flag_evaluation import FlagResolutionDetails, Reason
from openfeature.hook import Hook
from openfeature.provider import AbstractProvider, Metadata

from watchkeeper_client.config import Client, Reader
from watchkeeper_client.rules import duration_text

T = TypeVar("T")


class WatchkeeperProvider(AbstractProvider):
    """Answers OpenFeature from a client's snapshot: `targeting_key` is the user, the rest are attributes.

    Flags and parameters are both flags to OpenFeature; durations and times are their text. Metadata names the layer
    that decided. Numbers are fine as either kind where nothing is lost (10 as 10.0, 10.0 as 10); a boolean is never a
    number. Emits CONFIGURATION_CHANGED with the keys, STALE when the server is no longer heard, and READY when it is
    again. `hooks` run on each evaluation.
    """

    def __init__(self, client: Reader, *, ready_seconds: float = 5.0, hooks: Sequence[Hook] = ()) -> None:
        super().__init__()
        self._client = client
        self._ready_seconds = ready_seconds
        self._hooks = list(hooks)
        self._undo: list[Callable[[], None]] = []

    def get_metadata(self) -> Metadata:
        return Metadata(name="watchkeeper")

    def get_provider_hooks(self) -> list[Hook]:
        return self._hooks

    def initialize(self, evaluation_context: EvaluationContext) -> None:  # noqa: ARG002
        """Wait for a snapshot. Raises ProviderNotReadyError when there is none, not even on disk."""
        client = self._client
        if not isinstance(client, Client):
            return
        ready = client.wait_until_ready(self._ready_seconds)
        # Only now: the SDK tells by itself that the first snapshot is here.
        self._undo = [client.on_change(self._changed), client.on_connection(self._connection)]
        if not ready and not self._has_any():
            raise ProviderNotReadyError(client.status().last_error or "no configuration arrived in time")

    def shutdown(self) -> None:
        """Stop listening and close the client."""
        for undo in self._undo:
            undo()
        self._undo = []
        if isinstance(self._client, Client):
            self._client.close()

    def resolve_boolean_details(
        self, flag_key: str, default_value: bool, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[bool]:
        return self._resolved(flag_key, default_value, evaluation_context, lambda one: isinstance(one, bool))

    def resolve_string_details(
        self, flag_key: str, default_value: str, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[str]:
        return self._resolved(flag_key, default_value, evaluation_context, lambda one: isinstance(one, str))

    def resolve_integer_details(
        self, flag_key: str, default_value: int, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[int]:
        return self._resolved(flag_key, default_value, evaluation_context, _is_whole, int)

    def resolve_float_details(
        self, flag_key: str, default_value: float, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[float]:
        return self._resolved(flag_key, default_value, evaluation_context, _is_number, float)

    def resolve_object_details(
        self,
        flag_key: str,
        default_value: Sequence[Any] | Mapping[str, Any],
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[Sequence[Any] | Mapping[str, Any]]:
        return self._resolved(flag_key, default_value, evaluation_context, lambda one: isinstance(one, (dict, list)))

    def _resolved(
        self,
        key: str,
        default: T,
        context: EvaluationContext | None,
        fits: Callable[[Any], bool],
        made: Callable[[Any], Any] = lambda value: value,
    ) -> FlagResolutionDetails[T]:
        kind = self._client.kind_of(key)
        known = self._client.decide(
            key, context.targeting_key if context else None, context.attributes if context else None
        )
        if known is None and not self._has_any():
            message = "no configuration has arrived yet"
            return FlagResolutionDetails(default, ErrorCode.PROVIDER_NOT_READY, message, Reason.ERROR)
        if known is None or kind == "secret":
            message = f"there is no flag {key!r}"
            return FlagResolutionDetails(default, ErrorCode.FLAG_NOT_FOUND, message, Reason.ERROR)
        value = _plain(known.wire)
        metadata = {"layer": known.layer, **({"detail": known.detail} if known.detail else {})}
        if value is None:
            return FlagResolutionDetails(default, reason=Reason.DEFAULT, variant=None, flag_metadata=metadata)
        if not fits(value):
            message = f"{key} is {type(value).__name__}"
            return FlagResolutionDetails(default, ErrorCode.TYPE_MISMATCH, message, Reason.ERROR)
        return FlagResolutionDetails(made(value), reason=known.reason, variant=known.variant, flag_metadata=metadata)

    def _has_any(self) -> bool:
        return not isinstance(self._client, Client) or self._client.status().source != "none"

    def _changed(self, keys: frozenset[str]) -> None:
        details = ProviderEventDetails(flags_changed=sorted(keys))
        self._emit(ProviderEvent.PROVIDER_CONFIGURATION_CHANGED, details)

    def _connection(self, connected: bool) -> None:
        event = ProviderEvent.PROVIDER_READY if connected else ProviderEvent.PROVIDER_STALE
        self._emit(event, ProviderEventDetails(message="" if connected else "no server is heard"))

    def _emit(self, event: ProviderEvent, details: ProviderEventDetails) -> None:
        # Set while the SDK listens.
        emit = getattr(self, "_on_emit", None)
        if emit is not None:
            emit(self, event, details)


def _plain(value: Any) -> Any:
    """As OpenFeature knows values. Objects are the caller's own: what it changes, nobody else sees."""
    if isinstance(value, (dict, list)):
        return copy.deepcopy(value)
    if isinstance(value, timedelta):
        return duration_text(value)
    return value.isoformat("seconds" if value.second else "minutes") if isinstance(value, time) else value


def _is_whole(value: Any) -> bool:
    return _is_number(value) and (isinstance(value, int) or value.is_integer())


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
