"""Rules whose steps leave the server: a runner takes them, or none does."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.recovery.support import Stage, rule
from watchkeeper.kernel.journal import FactFilter, read_facts
from watchkeeper.modules.runbooks.leasing import Lease, Leases, Report
from watchkeeper.modules.runbooks.model import State
from watchkeeper.modules.runbooks.settings import RunbookSettings

BOOK = """\
---
title: "Shop"
service: shop
owners: [team-shop]
inputs:
  - {name: release, type: text, default: v2}
---

# Shop

## Rollback

```sh {run=shell id=rollback confirm=confirm undo=forward}
./release "$WK_RELEASE"
```

```sh {run=shell id=forward confirm=second}
./release v2
```
"""
SECOND = timedelta(seconds=1)


@pytest.fixture
def shop(stage: Stage) -> Stage:
    """A shop that is rolled back by a runner, by a rule that Olga armed."""
    stage.keep(BOOK)
    stage.put(rule(steps=["rollback"], inputs={"release": "v1"}))
    return stage


def leased(stage: Stage) -> Lease | None:
    with stage.database.begin() as session:
        return Leases(session, stage.clock, stage.actions, RunbookSettings()).claim("build-1", by="tok_runner")


def carried_out(stage: Stage, lease: Lease, state: State = State.SUCCEEDED) -> None:
    """A runner does it, and what follows is heard."""
    with stage.database.begin() as session:
        leases = Leases(session, stage.clock, stage.actions, RunbookSettings())
        leases.begin(lease.run, lease.number, lease.token)
        leases.finish(lease.run, lease.number, lease.token, Report(state=state, exit_code=1, detail="no such release"))
    stage.hear()


def test_a_step_that_asks_is_confirmed_by_whoever_armed_the_rule_and_the_run_says_so(shop: Stage) -> None:
    shop.fire("shop")
    assert shop.states() == ["running"]
    lease = leased(shop)
    assert lease is not None
    assert (lease.key, lease.inputs) == ("rollback", {"release": "v1"})
    with shop.database.read() as session:
        (started,) = read_facts(session, FactFilter(kinds=("runbooks.run_started",)))
    assert started.actor == "system:recovery"
    assert started.data["reason"].startswith("recovery rule shop, armed by ")
    carried_out(shop, lease)
    (one,) = shop.attempts()
    assert (one.state.value, one.acted_at) == ("verifying", shop.clock.now())
    shop.settle("shop")
    assert shop.states() == ["recovered"]
    assert leased(shop) is None


def test_a_step_that_no_runner_begins_is_given_up_and_somebody_is_paged(shop: Stage) -> None:
    shop.fire("shop")
    shop.look(119 * SECOND)
    assert shop.states() == ["running"]
    shop.look(SECOND)
    (one,) = shop.attempts()
    assert (one.state.value, one.detail) == ("failed", "no runner began the step rollback")
    group = shop.own_group("breaker:shop")
    assert group is not None
    assert group.is_open
    assert leased(shop) is None, "what was given up is not done later"


def test_a_step_that_a_runner_has_is_waited_for(shop: Stage) -> None:
    shop.fire("shop")
    lease = leased(shop)
    assert lease is not None
    shop.look(29 * SECOND)
    carried_out(shop, lease)
    assert shop.states() == ["verifying"]


def test_a_step_that_fails_on_its_runner_opens_the_breaker(shop: Stage) -> None:
    shop.fire("shop")
    lease = leased(shop)
    assert lease is not None
    carried_out(shop, lease, State.FAILED)
    assert shop.states() == ["failed"]
    assert shop.held().breaker.is_open


def test_a_rule_that_undoes_what_an_armed_one_does_can_not_be_armed(shop: Stage) -> None:
    shop.keep(BOOK.replace("confirm=second", "confirm=confirm"))
    shop.put(rule("forward", steps=["forward"]), mode=None)
    refused = shop.complaints_of_arming("forward")
    assert refused == [
        "steps what does not fight the armed rule shop: they do opposite things to the step rollback of shop"
    ]
    shop.act(lambda verbs: verbs.rules.disarm("shop", reason="the other one", by="per_olga", source="test"))
    assert shop.complaints_of_arming("forward") == []
