"""Requests that are valid protobuf and mean harm: their figures, never the server, are what gives way."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import NOON, SCRIPTS
from tests.telemetry.support import counter, histogram, logs, now_of, send, spans, store_on
from watchkeeper.kernel.clock import ManualClock
from watchkeeper.kernel.db.database import Database, open_database
from watchkeeper.kernel.db.migrations import Migrations
from watchkeeper.modules.telemetry import flusher, query_red
from watchkeeper.modules.telemetry.model import DAY, HOUR, Dataset, Decoded
from watchkeeper.modules.telemetry.query import Telemetry
from watchkeeper.modules.telemetry.ranges import Range
from watchkeeper.modules.telemetry.wiring import TelemetryStore

_UINT64 = st.one_of(st.integers(0, 2**64 - 1), st.sampled_from([0, 1, 2**62, 2**63 - 1, 2**63, 2**64 - 1]))
_DOUBLE = st.floats(allow_nan=True, allow_infinity=True)


@contextlib.contextmanager
def _store() -> Iterator[tuple[TelemetryStore, Database]]:
    """A store of its own, for tests that run many times."""
    with tempfile.TemporaryDirectory() as folder:
        database = open_database(None, Path(folder))
        Migrations(SCRIPTS).migrate(database.engine)
        with store_on(database, ManualClock(NOON), Path(folder)) as store:
            yield store, database
        database.close()


_NOW = now_of(ManualClock(NOON))


def _log(observed: int, severity: int) -> Any:
    request = logs(_NOW, "a line")
    record = request.resource_logs[0].scope_logs[0].log_records[0]
    record.observed_time_unix_nano = observed
    record.severity_number = min(severity, 2**31 - 1)
    return request


def _span(duration: int, code: int) -> Any:
    request = spans(_NOW - 7 * DAY + HOUR, duration=min(duration, 7 * DAY), status_code=code % 2**63)
    request.resource_spans[0].scope_spans[0].spans[0].kind = code % 7
    return request


def _histogram(counts: list[int], bounds: list[float], total: float, start: int) -> Any:
    request = histogram(_NOW, [], [], name="http.server.request.duration", start=start)
    data = request.resource_metrics[0].scope_metrics[0].metrics[0].histogram
    data.aggregation_temporality = 1
    data.data_points[0].bucket_counts.extend(counts)
    data.data_points[0].explicit_bounds.extend(bounds)
    data.data_points[0].count = counts[0]
    data.data_points[0].sum = total
    return request


_requests = st.one_of(
    st.builds(_log, _UINT64, st.integers(0, 2**31 - 1)),
    st.builds(_span, _UINT64, _UINT64),
    st.builds(
        _histogram,
        st.lists(_UINT64, min_size=3, max_size=3),
        st.lists(_DOUBLE, min_size=2, max_size=2).map(sorted),
        _DOUBLE,
        _UINT64,
    ),
    st.builds(lambda value, start: counter([(_NOW, value)], start=start), _DOUBLE, _UINT64),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(_requests, min_size=1, max_size=6))
def test_no_figure_whatever_keeps_what_was_acknowledged_from_being_stored(requests: list[Any]) -> None:
    with _store() as (store, database):
        acknowledged = 0
        for request in requests:
            before = store.decoder.pending_bytes
            send(store, request)
            acknowledged += store.decoder.pending_bytes > before
        send(store, logs(_NOW, "an honest line", service="honest"))
        assert store.flusher.flush() >= 1
        assert store.decoder.pending_bytes == 0
        assert not list((store.server.data / "telemetry/intake").iterdir())
        telemetry = store.telemetry(database)
        query_red.services(telemetry, Range(_NOW - 8 * DAY, _NOW + HOUR), _NOW, {})
        telemetry.close()


def test_many_spans_of_a_week_do_not_overflow_the_sum_of_durations(
    store: TelemetryStore, telemetry: Telemetry, clock: ManualClock
) -> None:
    for seed in range(4):
        send(store, spans(now_of(clock) - 7 * DAY + HOUR, count=4_100, duration=7 * DAY - HOUR - 10**10, seed=seed))
    assert store.flusher.flush() == 16_400
    (found,) = query_red.services(telemetry, Range(now_of(clock) - 8 * DAY, now_of(clock)), now_of(clock), {})
    assert found.red.requests == 16_400


def test_a_request_that_can_not_be_stored_does_not_cost_the_others(
    store: TelemetryStore, telemetry: Telemetry, clock: ManualClock
) -> None:
    send(store, logs(now_of(clock), "first"))
    send(store, logs(now_of(clock), "broken"))
    send(store, logs(now_of(clock), "last"))
    segment = store.log._segment
    assert segment is not None
    # As a mistake of ours in decoding would leave it.
    segment.requests[1].batch.columns["severity"][0] = 2**70
    assert store.flusher.flush() == 2
    rows = telemetry.select(Dataset.LOGS, Range(0, 2**62), ["body"], tail="ORDER BY body").rows
    assert rows == [("first",), ("last",)]
    (kept,) = (store.server.data / "telemetry/intake").iterdir()
    assert kept.suffix == ".unreadable"
    assert store.decoder.pending_bytes == 0


def test_a_panic_of_a_library_does_not_end_the_flushing(
    store: TelemetryStore, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Panic(BaseException):
        """As pyo3 raises it."""

    def panics(_requests: list[Decoded]) -> Any:
        raise Panic("called `Result::unwrap()` on an `Err` value")

    send(store, logs(now_of(clock), "a line"))
    with monkeypatch.context() as patched:
        patched.setattr(flusher, "merged", panics)
        store.flusher._try_flush()
    assert store.flusher.backlog == 1
    assert store.flusher.flush() == 1
