"""How tests are spread over processes: a file stays together, and everything that drives a browser does.

`--dist loadgroup` would do it, but pytest-xdist 3.8 writes its groups where pytest 9.2 no longer looks for them.
"""

from __future__ import annotations

from typing import Any

from xdist.scheduler import LoadFileScheduling

BROWSER = ("tests/browser/", "tests/kernel/web/test_shell_in_browser.py")


class ByFile(LoadFileScheduling):  # type: ignore[misc]
    """One process has the browser and its server, so that the others need none."""

    def _split_scope(self, nodeid: str) -> str:
        return "browser" if nodeid.startswith(BROWSER) else str(super()._split_scope(nodeid))


def pytest_xdist_make_scheduler(config: Any, log: Any) -> ByFile:
    """Imported by conftest.py, where pytest finds it."""
    return ByFile(config, log)
