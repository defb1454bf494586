"""Recovery by files, API and console."""

from __future__ import annotations

import pytest

from tests.kernel.web.support import bearer
from tests.recovery.support import BOOK, Stage, rule
from watchkeeper.kernel.ops import OpsInvalid, apply_plan, make_plan, read_files
from watchkeeper.modules.recovery.model import Mode
from watchkeeper.modules.recovery.ops import OPS_KINDS

FILE = """\
name: shop-down
match:
  service: shop
runbook: shop
steps: [fix]
touches: {WORKERS: up}
guards:
  most_runs: 2
  window: 90m
"""


def plan(stage: Stage, **files: str) -> list[tuple[str, str, str]]:
    """(action, name, note) of a plan, which is applied."""
    desired = read_files({f"recovery/{name}.yaml": text for name, text in files.items()}, OPS_KINDS)
    with stage.database.begin() as session:
        made = make_plan(session, desired, OPS_KINDS)
        apply_plan(session, desired, OPS_KINDS, by="local", at=stage.clock.now())
    return [(one.action, one.name, one.note) for one in made.changes]


def complaints(stage: Stage, **files: str) -> str:
    with pytest.raises(OpsInvalid) as refused:
        plan(stage, **files)
    return "\n".join(f"{one.where} {one.expected}" for one in refused.value.complaints)


def test_a_file_is_a_rule_that_begins_in_dry_run_and_a_second_apply_changes_nothing(stage: Stage) -> None:
    assert plan(stage, a=FILE) == [("create", "shop-down", "begins in dry run")]
    assert stage.held("shop-down").rule.mode is Mode.DRY_RUN
    assert plan(stage, a=FILE) == [("unchanged", "shop-down", "")]
    assert plan(stage, a=FILE.replace("2", "3"))[0][0] == "update"
    assert plan(stage) == [("delete", "shop-down", "no file names it any more")]


def test_rules_that_work_against_each_other_are_refused_where_they_stand(stage: Stage) -> None:
    other = FILE.replace("shop-down", "shop-cheap").replace("WORKERS: up", "WORKERS: down")
    said = complaints(stage, a=FILE, b=other)
    assert "recovery/a.yaml:6" in said
    assert "opposite things to WORKERS" in said


def test_rules_that_set_one_parameter_to_different_values_are_refused_though_neither_says_that_it_touches_it(
    stage: Stage,
) -> None:
    stage.keep(BOOK.format(value=2, confirm="none"), "cheap")
    first = FILE.replace("touches: {WORKERS: up}\n", "")
    other = first.replace("shop-down", "cheap").replace("runbook: shop", "runbook: cheap")
    for here in (other, other.replace("service: shop", "service: db")):
        said = complaints(stage, a=first, b=here)
        assert "recovery/a.yaml:5" in said
        assert "opposite things to WORKERS in production" in said
    stage.keep(BOOK.format(value=8, confirm="none"), "cheap")
    assert len(plan(stage, a=first, b=other)) == 2


def test_a_rehearsal_in_the_place_of_the_alerts_is_refused_as_it_acts_for_real(stage: Stage) -> None:
    said = FILE + "rehearse: {every: 7d, environment: production}\n"
    assert "rehearsals act for real" in complaints(stage, a=said)
    assert "rehearsals act for real" in complaints(
        stage, a=said.replace("production", "qa").replace("service: shop", "service: shop\n  environment: qa")
    )
    plan(stage, a=said.replace("production", "qa"))


def test_rules_for_the_same_alerts_are_told_in_the_plan(stage: Stage) -> None:
    other = FILE.replace("shop-down", "shop-again")
    assert [note for _, _, note in plan(stage, a=FILE, b=other)] == [
        "for the same alerts as shop-down: they never act at the same time",
        "for the same alerts as shop-again: they never act at the same time",
    ]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("service: shop", "severities: [critical]"),
        ("steps: [fix]", "steps: [fly]"),
        ("steps: [fix]", "steps: [fix, fix]"),
        ("steps: [fix]", "steps: []"),
        ("window: 90m", "window: soon"),
        ("most_runs: 2", "most_runs: 0"),
        ("name: shop-down", "name: Shop Down"),
        ("runbook: shop", "runbook: shop\nmode: automatic"),
    ],
)
def test_a_file_that_is_no_rule_is_refused(stage: Stage, said: str, expected: str) -> None:
    assert "recovery/a.yaml" in complaints(stage, a=FILE.replace(said, expected))


def test_an_export_says_the_same(stage: Stage) -> None:
    plan(stage, a=FILE)
    with stage.database.read() as session:
        ((path, document),) = OPS_KINDS[0].export(session)
    assert path == "recovery/shop-down.yaml"
    assert document["guards"] == {"most_runs": 2, "window": "90m"}


def test_the_api_arms_disarms_and_resets(stage: Stage) -> None:
    stage.put(rule(), mode=None)
    web, path = stage.web(), "/api/v1/recovery/rules/shop"
    order = {"mode": "automatic", "reason": "it was rehearsed"}
    assert web.post(f"{path}/arm", json=order, headers=bearer("respond")).status_code == 403
    assert web.post(f"{path}/arm", json={**order, "mode": "wild"}, headers=bearer("write")).status_code == 422
    assert web.post(f"{path}/arm", json=order, headers=bearer("write")).json()["mode"] == "automatic"
    assert web.post(f"{path}/disarm", json={"reason": "x"}, headers=bearer("respond")).json()["armed"] is False
    assert web.post(f"{path}/reset", json={"reason": "x"}, headers=bearer("write")).status_code == 200
    assert web.get(f"{path}x", headers=bearer("read")).status_code == 404
    assert web.get("/api/v1/recovery/rules").status_code == 401
    assert [one["name"] for one in web.get("/api/v1/recovery/rules", headers=bearer("read")).json()["items"]] == [
        "shop"
    ]


def test_attempts_are_listed_and_what_is_not_there_is_not_found(stage: Stage) -> None:
    stage.put(rule(), mode=Mode.APPROVAL)
    stage.fire("shop")
    web = stage.web()
    (one,) = web.get("/api/v1/recovery/attempts?rule=shop", headers=bearer("read")).json()["items"]
    assert one["state"] == "waiting_approval"
    path = f"/api/v1/recovery/attempts/{one['id']}"
    assert web.get(path, headers=bearer("read")).json() == one
    assert web.post(f"{path}/decline", json={"reason": "no"}, headers=bearer("read")).status_code == 403
    assert web.post(f"{path}/decline", json={"reason": "no"}, headers=bearer("respond")).json()["state"] == "declined"
    assert web.post(f"{path}/decline", json={"reason": "no"}, headers=bearer("respond")).status_code == 409
    assert web.post(f"{path}x/decline", json={"reason": "no"}, headers=bearer("respond")).status_code == 404


def test_the_page_of_an_attempt_asks_and_the_page_of_a_rule_arms(stage: Stage) -> None:
    stage.put(rule(description="<script>alert(1)</script>"), mode=None)
    pages = stage.pages()
    assert "only says what it would do" in pages.text("/recovery")
    assert "<script>alert" not in pages.get("/recovery/rules/shop").text
    shown = " ".join(pages.text("/recovery/rules/shop").split())
    assert "3 within 1h, 10m after the last one, for 1 service at once" in shown, "also what its file leaves unsaid"
    arm = {"mode": "approval", "reason": "good"}
    assert pages.post("/recovery/rules/shop/arm", page="/recovery", **arm).status_code == 303
    assert pages.post("/recovery/rules/shop/arm", page="/recovery", mode="wild", reason="x").status_code == 422
    stage.fire("shop")
    (one,) = stage.attempts()
    path = f"/recovery/attempts/{one.id}"
    assert "It asks before it acts" in pages.text(path)
    assert pages.post(f"{path}/decline", page=path, reason="later").status_code == 303
    assert "declined: later" in pages.text(path)
    assert pages.post(f"{path}/decline", page=path, reason="later").status_code == 409
    assert "declined" in pages.text("/recovery")


def test_who_may_only_read_gets_no_buttons(stage: Stage) -> None:
    stage.put(rule(), mode=Mode.APPROVAL)
    stage.fire("shop")
    (one,) = stage.attempts()
    for path in ("/recovery", "/recovery/rules/shop", f"/recovery/attempts/{one.id}"):
        assert 'method="post"' not in stage.pages("bob").get(path).text.partition("<main")[2]


def test_no_rules_teach_the_first_step(stage: Stage) -> None:
    assert "No rules yet" in stage.pages().text("/recovery")
