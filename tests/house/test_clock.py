"""Time is an argument: one file reads the machine's clocks. Ruff bans the plain calls; this finds the others too."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.house.tree import SOURCE, files, parsed, shown

READS_THE_CLOCK = {
    "datetime.date.today",
    "datetime.datetime.now",
    "datetime.datetime.today",
    "datetime.datetime.utcnow",
    "time.ctime",
    "time.gmtime",
    "time.localtime",
    "time.monotonic",
    "time.monotonic_ns",
    "time.perf_counter",
    "time.perf_counter_ns",
    "time.process_time",
    "time.time",
    "time.time_ns",
}


def clock_reads(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and name of each clock that the module calls, passes on or imports, by whatever name."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.asname or alias.name: alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    for node in ast.walk(tree):
        if isinstance(node, (ast.Attribute, ast.Name)):
            meant = _qualified(node, names)
            if meant in READS_THE_CLOCK:
                yield node.lineno, meant


def _qualified(node: ast.expr, names: dict[str, str]) -> str:
    if isinstance(node, ast.Name):
        return names.get(node.id, node.id)
    if isinstance(node, ast.Attribute):
        return f"{_qualified(node.value, names)}.{node.attr}"
    return "?"


def test_only_the_kernels_clock_reads_the_clock() -> None:
    found = [
        f"{shown(path)}:{line} reads {name}: take a Clock or an instant as an argument"
        for path in files(".py", "src/watchkeeper")
        if path != SOURCE / "kernel/clock.py"
        for line, name in clock_reads(parsed(path))
    ]
    assert found == []


@pytest.mark.parametrize(
    "code",
    [
        "import time\ntime.time()",
        "import time as t\nt.monotonic()",
        "from time import time\ntime()",
        "from time import perf_counter as tick\ntick()",
        "from datetime import datetime\ndatetime.now()",
        "import datetime as d\nd.datetime.utcnow()",
        "from datetime import datetime\nfield(default_factory=datetime.now)",
        "from datetime import date\ndate.today()",
    ],
)
def test_a_clock_is_found_under_any_name(code: str) -> None:
    assert list(clock_reads(ast.parse(code)))


@pytest.mark.parametrize(
    "code", ["import time\ntime.sleep(1)", "clock.now()", "from datetime import datetime\ndatetime.min"]
)
def test_other_uses_are_free(code: str) -> None:
    assert not list(clock_reads(ast.parse(code)))
