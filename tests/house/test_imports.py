"""The import contracts of pyproject.toml hold, and the one of our own catches what it should."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import grimp
import pytest
from importlinter.cli import lint_imports

from tests.house.public_face import PublicFaceContract
from tests.house.tree import MODULES, ROOT


def test_every_contract_is_kept(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    # It would switch off every logger that exists by now, and with them what later tests read.
    monkeypatch.setattr("logging.config.dictConfig", lambda _: None)
    status = lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True)
    assert status == 0, capsys.readouterr().out


def test_the_ladder_names_every_module() -> None:
    ladder = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for module in MODULES.iterdir():
        if module.is_dir() and (module / "__init__.py").exists():
            assert f'"{module.name}",' in ladder, f"{module.name} has no step on the ladder of pyproject.toml"


@pytest.mark.parametrize(
    ("statement", "kept"),
    [
        ("from trespass.lower import public", True),
        ("from trespass.lower.events import Happened", True),
        ("from trespass.lower import store", False),
        ("from trespass.lower.store import read", False),
    ],
)
def test_another_module_is_entered_only_by_its_public_face(
    statement: str, kept: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {
        "__init__.py": "",
        "upper/__init__.py": "",
        "upper/service.py": statement,
        "upper/store.py": "",
        "upper/pages.py": "from trespass.upper import store",
        "lower/__init__.py": "",
        "lower/public.py": "from trespass.lower import store",
        "lower/events.py": "Happened = 1",
        "lower/store.py": "def read(): ...",
    }
    for name, content in files.items():
        path = tmp_path / "trespass" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "trespass", raising=False)
    options: dict[str, Any] = {"container": "trespass", "faces": ["public", "events"]}
    contract = PublicFaceContract(
        name="faces", session_options={"root_packages": ["trespass"]}, contract_options=options
    )
    check = contract.check(grimp.build_graph("trespass", cache_dir=None), verbose=False)
    assert check.kept is kept
