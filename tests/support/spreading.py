"""How tests are spread over processes: a file stays together, and so do all that share something dear.

`--dist loadgroup` would do it, but pytest-xdist 3.8 writes its groups where pytest 9.2 no longer looks for them.
"""

from __future__ import annotations

from typing import Any

from xdist.scheduler import LoadFileScheduling

# A browser and its server; the whole tree parsed and the whole app.
TOGETHER = {
    "browser": ("tests/browser/", "tests/kernel/web/test_shell_in_browser.py"),
    "house": ("tests/house/",),
}


class ByFile(LoadFileScheduling):  # type: ignore[misc]
    """One process has the browser, so that the others need none."""

    def _split_scope(self, nodeid: str) -> str:
        for name, places in TOGETHER.items():
            if nodeid.startswith(places):
                return name
        return str(super()._split_scope(nodeid))


def pytest_xdist_make_scheduler(config: Any, log: Any) -> ByFile:
    """Imported by conftest.py, where pytest finds it."""
    return ByFile(config, log)
