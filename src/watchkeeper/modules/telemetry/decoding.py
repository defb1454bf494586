"""From the bytes of a request to rows, and how much of that may wait in memory at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any

from watchkeeper.modules.telemetry.errors import Busy
from watchkeeper.modules.telemetry.intake_log import Frame
from watchkeeper.modules.telemetry.model import Decoded, Signal
from watchkeeper.modules.telemetry.window import Window
from watchkeeper.modules.telemetry.wire_otlp import parse
from watchkeeper.modules.telemetry.wire_otlp_logs import decode_logs
from watchkeeper.modules.telemetry.wire_otlp_metrics import decode_metrics
from watchkeeper.modules.telemetry.wire_otlp_traces import decode_traces

_DECODERS: dict[Signal, Callable[[Any, Window], Decoded]] = {
    Signal.TRACES: decode_traces,
    Signal.METRICS: decode_metrics,
    Signal.LOGS: decode_logs,
}


class Reservation:
    """Room for one request while it is read; what is not handed over at the end is given back."""

    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder
        self._held = 0

    def add(self, size: int) -> None:
        """Raises Busy."""
        self._decoder.reserve(size)
        self._held += size

    def hand_over(self) -> int:
        """From now on somebody else gives these bytes back."""
        held, self._held = self._held, 0
        return held

    def __enter__(self) -> Reservation:
        return self

    def __exit__(self, *_: object) -> None:
        self._decoder.give_back(self.hand_over())


class Decoder:
    """Decodes within the limits of the settings. `known_services` starts with those that were seen before."""

    def __init__(
        self, *, raw_days: Callable[[], int], max_pending_bytes: int, max_services: int, known_services: Iterable[str]
    ) -> None:
        self._raw_days = raw_days
        self._most_pending = max_pending_bytes
        self._most_services = max_services
        self._services = set(known_services)
        self._pending = 0
        self._lock = threading.Lock()

    @property
    def pending_bytes(self) -> int:
        """Bytes of requests that are being taken in or wait to be stored."""
        return self._pending

    def reserve(self, size: int) -> None:
        """Count `size` bytes in; raises Busy when too much waits already. `give_back` or `release` ends it."""
        with self._lock:
            if self._pending and self._pending + size > self._most_pending:
                raise Busy("More telemetry is waiting than may wait; send it again in a moment.", retry_after_seconds=1)
            self._pending += size

    def give_back(self, size: int) -> None:
        """A reserved request was not taken in after all."""
        with self._lock:
            self._pending -= size

    def release(self, requests: Iterable[Decoded]) -> None:
        """These are stored: they no longer wait."""
        self.give_back(sum(decoded.bytes for decoded in requests))

    def decode(self, signal: Signal, message: Any, received_at: int) -> Decoded:
        """The rows of a parsed request; records of services past the limit are rejected."""
        decoded = _DECODERS[signal](message, Window.at(received_at, self._raw_days()))
        self._refuse_new_services(decoded)
        return decoded

    def decode_frame(self, frame: Frame) -> Decoded:
        """The rows of an acknowledged request, the same as when it was taken in."""
        return self.decode(frame.signal, parse(frame.signal, frame.body), frame.received_at)

    def _refuse_new_services(self, decoded: Decoded) -> None:
        services = set(decoded.batch.columns["service"])
        with self._lock:
            for service in sorted(services - self._services):
                if len(self._services) < self._most_services:
                    self._services.add(service)
            refused = services - self._services
        if refused:
            kept = [n for n, name in enumerate(decoded.batch.columns["service"]) if name not in refused]
            decoded.reject(
                f"more than {self._most_services} services (telemetry.max_services)", len(decoded.batch) - len(kept)
            )
            decoded.batch = decoded.batch.take(kept)
