"""The server as its own runner: only where its settings say so."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.runbooks.support import Stage, block, text_of
from tests.support.running import eventually
from watchkeeper.kernel.outbound import Outbound
from watchkeeper.modules.runbooks.model import State
from watchkeeper.modules.runbooks.runner import here
from watchkeeper.modules.runbooks.runner.here import RunnerHere
from watchkeeper.modules.runbooks.settings import RunbookSettings


def runner(stage: Stage, **said: object) -> RunnerHere:
    settings = RunbookSettings.model_validate(said)
    return RunnerHere(stage.database, stage.clock, stage.actions, settings, Outbound())


def test_it_runs_what_was_signed_off_and_passes_on_what_its_settings_name(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_HOST", "shop-1")
    monkeypatch.setenv("SHOP_SECRET", "not-for-scripts")
    stage.keep(text_of(block("pwd; env", "run=shell id=a confirm=none")))
    run = stage.start()
    running = runner(
        stage, run_here=True, run_here_as_root=True, run_here_environment="SHOP_HOST", run_here_folder=tmp_path
    )
    running.start()
    try:
        eventually(lambda: stage.run(run).is_over)
    finally:
        running.stop()
    step = stage.run(run).steps[0]
    assert step.state is State.SUCCEEDED
    assert step.runner == here.NAME
    assert step.output.splitlines()[0] == str(tmp_path)
    assert "SHOP_HOST=shop-1" in step.output
    assert "not-for-scripts" not in step.output


@pytest.mark.parametrize(
    ("settings", "root", "may"),
    [
        ({}, False, False),
        ({"run_here": True}, False, True),
        ({"run_here": True}, True, False),
        ({"run_here": True, "run_here_as_root": True}, True, True),
    ],
)
def test_it_is_off_unless_allowed_and_as_root_unless_allowed_too(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, settings: dict[str, object], root: bool, may: bool
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0 if root else 1000)
    running = runner(stage, **settings)
    assert running.may_run is may
    if not may:
        running.start()
        running.stop()
