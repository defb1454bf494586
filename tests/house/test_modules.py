"""Every module is one folder of one shape, and explains what is its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.house.tree import MODULES

# The shape of the design; a module has only those it needs.
COMMON = {
    "__init__.py",
    "cli.py",
    "errors.py",
    "events.py",
    "jobs.py",
    "listeners.py",
    "model.py",
    "pages.py",
    "permissions.py",
    "public.py",
    "routes.py",
    "service.py",
    "settings.py",
    "store.py",
    "tables.py",
    "wire.py",
    "wiring.py",
    "README.md",
}
FAMILIES = ("pages_", "query_", "routes_", "store_", "wire_")
FOLDERS = {"templates", "static", "__pycache__"}

modules = pytest.mark.parametrize(
    "module", sorted(path for path in MODULES.iterdir() if (path / "__init__.py").exists()), ids=lambda path: path.name
)


def readme(module: Path) -> str:
    path = module / "README.md"
    assert path.exists(), f"{module.name} has no README.md: what it owns, its verbs, its facts, its invariants"
    return path.read_text(encoding="utf-8")


@modules
def test_a_module_says_what_it_owns_does_tells_and_keeps(module: Path) -> None:
    text = readme(module).lower()
    for word in ("own", "verb", "fact", "invariant"):
        assert word in text, f"{module.name}/README.md says nothing about its {word}s"
    assert len(text.splitlines()) <= 120, "one page"


@modules
def test_a_file_with_a_name_of_its_own_is_explained_in_the_readme(module: Path) -> None:
    own = [
        path.name
        for path in module.iterdir()
        if path.is_file() and path.name not in COMMON and not path.name.startswith(FAMILIES)
    ]
    unexplained = [name for name in sorted(own) if f"`{name}`" not in readme(module)]
    assert unexplained == []


@modules
def test_a_module_has_no_folders_but_those_of_its_pages_and_parts_that_its_readme_explains(module: Path) -> None:
    found = {path for path in module.iterdir() if path.is_dir() and path.name not in FOLDERS}
    unexplained = {path.name for path in found if f"`{path.name}/`" not in readme(module)}
    assert unexplained == set()
    assert all((path / "__init__.py").exists() for path in found)
