"""How tests are spread over processes: a file stays together, and so do all that share something dear.

`--dist loadgroup` would do it, but pytest-xdist 3.8 writes its groups where pytest 9.2 no longer looks for them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from xdist.scheduler import LoadFileScheduling

# A browser and its server; the whole tree parsed and the whole app.
TOGETHER = {
    "browser": ("tests/browser/", "tests/kernel/web/test_shell_in_browser.py"),
    "house": ("tests/house/",),
}


# What mostly waits: begun first, it ends while others work. A place at the end would make everybody wait for it.
FIRST = (
    "tests/app/test_demo_objectives.py",
    "tests/app/test_deaths_of_the_pager.py",
    "tests/slo/real/",
    "tests/slo/rules/test_same_alerts.py",
    "tests/browser/",
    "tests/contract/",
    "tests/app/test_demo.py",
    "tests/durability/",
    "tests/notify/",
    "tests/app/permissions/",
)


def pytest_collection_modifyitems(items: list[Any]) -> None:
    """Imported by conftest.py; the order is kept by `--no-loadscope-reorder`."""
    for item in items:
        # Schemathesis 4.32 under pytest 9.2 gives every operation's case one id, and xdist runs one case of an id.
        if item.name not in item.nodeid:
            name, _, case = item.name.partition("[")
            item._id = replace(item.parent.id.child(name), params=case.removesuffix("]"))
    items.sort(
        key=lambda item: next((at for at, place in enumerate(FIRST) if item.nodeid.startswith(place)), len(FIRST))
    )


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
