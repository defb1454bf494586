"""Duet's runbooks: clean, for every objective that wakes somebody, and their steps do what they say."""

import os
from datetime import date
from pathlib import Path

import httpx
import pytest

from tests.duet.test_supervisor import REPOSITORY, needs_proc, running
from watchkeeper.app.ops.kinds import KINDS
from watchkeeper.app.runbook_files import known_around
from watchkeeper.kernel.clock import SystemClock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.ops import read_directory, read_files
from watchkeeper.kernel.outbound import Outbound
from watchkeeper.modules.runbooks.leasing import Lease
from watchkeeper.modules.runbooks.lint import problems_of
from watchkeeper.modules.runbooks.model import Confirmation, Content, How, Kind, State
from watchkeeper.modules.runbooks.public import for_alert
from watchkeeper.modules.runbooks.reading import content_of
from watchkeeper.modules.runbooks.runner.allow import read_allowed
from watchkeeper.modules.runbooks.runner.executing import Executor
from watchkeeper.modules.runbooks.runs import input_values
from watchkeeper.modules.runbooks.service import Runbooks

DUET = REPOSITORY / "examples" / "duet"
FOLDER = DUET / "ops" / "runbooks"
NAMES = sorted(path.stem for path in FOLDER.glob("*.md"))


def runbook(name: str) -> Content:
    return content_of(name, (FOLDER / f"{name}.md").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", NAMES)
def test_a_runbook_of_duet_is_clean_and_its_steps_are_real(name: str):
    content = runbook(name)
    known = known_around(FOLDER)
    assert known.alerts
    assert known.parameters
    found = problems_of(content, known, date(2026, 12, 1), is_there=lambda path: (FOLDER / path).exists())
    assert [f"{one.where} {one.text}" for one in found] == []
    assert How.MANUAL in {one.how for one in content.steps}
    assert content.kind is Kind.ALERT or How.SHELL in {one.how for one in content.steps}


def test_every_service_has_one():
    desired = read_files(read_directory(DUET / "ops"), KINDS)
    services = {one.value.name for one in desired.objects["service"]}
    assert {runbook(name).service for name in NAMES if runbook(name).kind.value == "service"} == services


def test_a_rule_that_mends_runs_steps_that_need_nobody_beside_them():
    desired = read_files(read_directory(DUET / "ops"), KINDS)
    rules = [one.value.rule() for one in desired.objects["recovery"]]
    assert [one.name for one in rules] == ["chat-bad-release"]
    services = {one.value.name for one in desired.objects["service"]}
    for one in rules:
        assert one.match.service in services
        content = runbook(one.runbook)
        for key in one.steps:
            step = content.step(key)
            assert step is not None
            assert step.how is not How.MANUAL
            assert step.confirm is not Confirmation.SECOND
            assert input_values(content, [step], one.inputs) == one.inputs


def test_whoever_is_woken_by_an_objective_or_a_heartbeat_finds_the_section_about_it(database: Database):
    desired = read_files(read_directory(DUET / "ops"), KINDS)
    with database.begin() as session:
        for name in NAMES:
            Runbooks(session, SystemClock()).put(runbook(name), by="local", source="ops")
    # Other kinds of such files have a space in their name.
    wakes = [one.value for one in desired.objects["slo"] if " " not in one.value.name] + [
        one.value for one in desired.objects["heartbeat"]
    ]
    assert len(wakes) == 16
    with database.read() as session:
        for one in wakes:
            service = one.service if hasattr(one, "service") else one.value.spec.service
            found = for_alert(session, one.name, service)
            assert found is not None, one.name
            held, anchor = found
            section = next(each for each in held.sections if each.anchor == anchor)
            assert section.filled or any(
                each.filled for each in held.sections if each.line > section.line and each.level > section.level
            )


@needs_proc
def test_a_release_is_rolled_back_by_its_step_and_forward_by_its_undo(tmp_path: Path):
    environment = {"PATH": os.environ["PATH"], "DUET_DATA": str(tmp_path)}
    executor = Executor(read_allowed(DUET / "runner.yaml", environment), SystemClock(), Outbound())
    content = runbook("duet-chat")

    def carried_out(key: str) -> str:
        lease = Lease(
            run="run_1",
            number=1,
            token=1,
            key=key,
            runbook=content.name,
            revision=content.revision,
            text=content.text,
            inputs={"release": "v1", "release_after": "v2"},
            lease_seconds=30,
            output_bytes=65_536,
        )
        report = executor.run(lease, *executor.understood(lease), lambda _text, _bytes: False)
        assert report.state is State.SUCCEEDED, report
        return str(httpx.get(f"{urls['chat']}/healthz", trust_env=False).json()["release"])

    with running(tmp_path, "--rate=0", "--release=chat=v2") as (_, urls):
        assert carried_out("rollback") == "v1"
        undo = content.step("rollback").undo
        assert carried_out(undo) == "v2"
