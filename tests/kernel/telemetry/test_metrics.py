"""Counters, histograms and gauges of the process, as Prometheus reads them."""

from watchkeeper.kernel.telemetry import metrics


def text() -> str:
    return metrics.render()[0].decode()


def test_a_counter_counts_by_label():
    counter = metrics.counter("test.things.made", "Things made in tests.")
    counter.add(kind="lamp")
    counter.add(2, kind="lamp")
    assert 'test_things_made_total{kind="lamp"} 3.0' in text()


def test_the_same_name_is_the_same_counter():
    metrics.counter("test.same", "x").add()
    metrics.counter("test.same", "x").add()
    assert "test_same_total 2.0" in text()


def test_a_histogram_in_seconds_has_the_buckets_of_latencies():
    metrics.histogram("test.took", "How long tests took.").observe(0.3, {"kind": "slow"})
    written = text()
    assert 'test_took_seconds_bucket{kind="slow",le="0.25"} 0.0' in written
    assert 'test_took_seconds_bucket{kind="slow",le="0.5"} 1.0' in written


def test_a_gauge_is_read_when_somebody_looks():
    level = 3
    remove = metrics.gauge_callback("test.level", "A level.", lambda: level)
    assert "test_level 3.0" in text()
    level = 5
    assert "test_level 5.0" in text()
    remove()
    assert "test_level" not in text()


def test_a_gauge_may_have_several_values():
    remove = metrics.gauge_callback("test.queue", "Rows.", lambda: [({"lane": "a"}, 1), ({"lane": "b"}, 2.5)])
    assert 'test_queue{lane="a"} 1.0' in text()
    assert 'test_queue{lane="b"} 2.5' in text()
    remove()


def test_a_later_registration_takes_the_place_of_an_earlier_one():
    old = metrics.gauge_callback("test.replaced", "x", lambda: 1)
    new = metrics.gauge_callback("test.replaced", "x", lambda: 2)
    old()
    assert "test_replaced 2.0" in text()
    new()


def test_a_gauge_that_breaks_hides_no_other():
    def broken() -> float:
        raise OSError("the disk is gone")

    remove = metrics.gauge_callback("test.broken", "x", broken)
    metrics.counter("test.beside", "x").add()
    assert "test_beside_total" in text()
    remove()


def test_memory_files_and_processor_time_of_the_process_are_there():
    for name in (
        "process_resident_memory_bytes",
        "process_open_fds",
        "process_cpu_seconds_total",
        "python_gc_collections_total",
    ):
        assert name in text()
