"""The API around objectives: the policy's verdict, policies, data sources, exclusions, adjustments, alerts."""

# Annotations are kept as objects for FastAPI.
from datetime import timedelta
from typing import Annotated, Literal

from fastapi import Query
from sqlalchemy.orm import Session
from starlette.responses import Response

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.outbound import Outbound, OutboundSettings
from watchkeeper.kernel.web.access import Actor, requires
from watchkeeper.kernel.web.idempotency import Answer, Once, once
from watchkeeper.kernel.web.parts import part
from watchkeeper.kernel.web.wire import api_router
from watchkeeper.modules.slo import public, store, store_counts
from watchkeeper.modules.slo.definition import DataSource, Policy
from watchkeeper.modules.slo.permissions import (
    CHANGE_DATA_SOURCES,
    CHANGE_SLOS,
    DECIDE_ADJUSTMENTS,
    RECORD_EXCLUSIONS,
)
from watchkeeper.modules.slo.records import Records
from watchkeeper.modules.slo.routes import Changer, Db, NameInPath, Now, OfService, TheEngine, Viewer, require_own
from watchkeeper.modules.slo.service import Slos
from watchkeeper.modules.slo.wire import AlertList, AlertView
from watchkeeper.modules.slo.wire_records import (
    AdjustmentList,
    AdjustmentView,
    DataSourceList,
    ExclusionList,
    ExclusionView,
    NewAdjustment,
    NewExclusion,
    PolicyList,
    VerdictView,
    Why,
)

router = api_router("slo")

Responder = Annotated[Actor, requires(RECORD_EXCLUSIONS)]
Decider = Annotated[Actor, requires(DECIDE_ADJUSTMENTS)]
Keeper = Annotated[Actor, requires(CHANGE_DATA_SOURCES)]
Proposer = Annotated[Actor, requires(CHANGE_SLOS)]


class DataSourceBody(DataSource):
    """A Prometheus-compatible server as it is to be."""


class PolicyBody(Policy):
    """An error-budget policy as it is to be."""


@router.get("/slo/policy")
async def verdict(
    who: Viewer, db: Db, clock: Now, engine: TheEngine, service: Annotated[str, Query(min_length=1, max_length=200)]
) -> VerdictView:
    """What the error-budget policy says of a service now: whether it may deploy, and why not."""
    found = await db.ask(lambda session: public.verdict(session, engine, service, clock.now()))
    return VerdictView(
        service=service,
        policy=found.policy.name,
        action=found.action,
        may_deploy=found.may_deploy,
        may_deploy_critical=found.may_deploy_critical,
        reasons=list(found.reasons),
        postmortems_due=list(found.postmortems_due),
    )


@router.get("/slo/policies")
async def policies(who: Viewer, db: Db) -> PolicyList:
    """Every error-budget policy by name; services of none are held to a built-in one."""
    return PolicyList(items=await db.ask(store.policies))


@router.put("/slo/policies/{name}")
async def put_policy(who: Changer, name: NameInPath, order: PolicyBody, db: Db, clock: Now) -> Policy:
    """Say a policy, or say it anew; the name is the address's."""
    policy = Policy.model_validate({**order.model_dump(), "name": name})

    def write(session: Session) -> None:
        for service in policy.services:
            require_own(session, who, service)
        Slos(session, clock).put_record(policy, by=who.id, source="api", managed_by="api")

    await db.write(write)
    return policy


@router.delete("/slo/policies/{name}", status_code=204)
async def remove_policy(who: Changer, name: NameInPath, db: Db, clock: Now) -> None:
    """Remove a policy."""
    await db.write(lambda session: Slos(session, clock).remove_record(Policy, name, by=who.id, source="api"))


@router.get("/slo/data-sources")
async def data_sources(who: Viewer, db: Db) -> DataSourceList:
    """Every Prometheus-compatible server by name."""
    return DataSourceList(items=await db.ask(store.data_sources))


@router.put("/slo/data-sources/{name}")
async def put_data_source(
    who: Keeper,
    name: NameInPath,
    order: DataSourceBody,
    db: Db,
    clock: Now,
    outbound: Annotated[OutboundSettings, part(OutboundSettings)],
) -> DataSource:
    """Name a server that may be asked; only addresses that requests may be sent to."""
    source = DataSource.model_validate({**order.model_dump(), "name": name})
    Outbound.of(outbound).require(source.url)
    await db.write(lambda session: Slos(session, clock).put_record(source, by=who.id, source="api", managed_by="api"))
    return source


@router.delete("/slo/data-sources/{name}", status_code=204)
async def remove_data_source(who: Keeper, name: NameInPath, db: Db, clock: Now) -> None:
    """Remove a server that no SLO asks."""
    await db.write(lambda session: Slos(session, clock).remove_record(DataSource, name, by=who.id, source="api"))


@router.get("/slo/alerts")
async def alerts(
    who: Viewer,
    db: Db,
    state: Annotated[Literal["open", "all"], Query(description="Only open ones, or the newest hundred.")] = "open",
) -> AlertList:
    """Episodes of alerts, newest first."""
    found = await db.ask(lambda session: store_counts.episodes(session, open_only=state == "open"))
    return AlertList(items=[AlertView.of(one) for one in found])


@router.get("/slo/exclusions")
async def exclusions(who: Viewer, db: Db, clock: Now, service: OfService = None) -> ExclusionList:
    """Recorded exclusions of the last 400 days, newest first."""
    since = clock.now() - timedelta(days=400)
    found = await db.ask(lambda session: store.all_exclusions(session, service=service, since=since))
    return ExclusionList(items=[ExclusionView.of(one) for one in found])


@router.post("/slo/exclusions", status_code=201, response_model=ExclusionView)
async def exclude(who: Responder, order: NewExclusion, db: Db, clock: Now, once: Annotated[Once, once()]) -> Response:
    """Record a stretch whose events do not count, such as maintenance."""

    def make(session: Session) -> Answer:
        require_own(session, who, order.service)
        for name in order.slos:
            require_own(session, who, Slos(session, clock).slo(name).definition.service)
        made = Records(session, clock).exclude(
            order.kind,
            service=order.service,
            slos=tuple(order.slos),
            since=order.since,
            until=order.until,
            reason=order.reason,
            by=who.id,
            source="api",
        )
        return Answer(ExclusionView.of(made).model_dump(mode="json"))

    answer = await db.write(lambda session: once.run(session, lambda: make(session)))
    return answer.response()


@router.post("/slo/exclusions/{exclusion_id}/end")
async def end_exclusion(who: Responder, exclusion_id: str, db: Db, clock: Now) -> ExclusionView:
    """End one that runs: events count again from now on."""
    found = await db.write(lambda session: Records(session, clock).end_exclusion(exclusion_id, by=who.id, source="api"))
    return ExclusionView.of(found)


@router.post("/slo/exclusions/{exclusion_id}/withdraw")
async def withdraw_exclusion(who: Responder, exclusion_id: str, order: Why, db: Db, clock: Now) -> ExclusionView:
    """Let its events count after all."""
    found = await db.write(
        lambda session: Records(session, clock).withdraw_exclusion(
            exclusion_id, reason=order.reason, by=who.id, source="api"
        )
    )
    return ExclusionView.of(found)


@router.get("/slo/adjustments")
async def adjustments(
    who: Viewer, db: Db, slo: Annotated[str | None, Query(max_length=63, description="Only those of this SLO.")] = None
) -> AdjustmentList:
    """Adjustments of budgets, newest first."""
    found = await db.ask(lambda session: store.all_adjustments(session, slo=slo))
    return AdjustmentList(items=[AdjustmentView.of(one) for one in found])


@router.post("/slo/adjustments", status_code=201, response_model=AdjustmentView)
async def propose_adjustment(
    who: Proposer, order: NewAdjustment, db: Db, clock: Now, once: Annotated[Once, once()]
) -> Response:
    """Ask for bad events to be given back to a budget; a second person decides."""

    def make(session: Session) -> Answer:
        require_own(session, who, Slos(session, clock).slo(order.slo).definition.service)
        made = Records(session, clock).propose_adjustment(
            order.slo,
            order.objective,
            events=order.events,
            at=order.at or clock.now(),
            reason=order.reason,
            incident=order.incident,
            by=who.id,
            source="api",
        )
        return Answer(AdjustmentView.of(made).model_dump(mode="json"))

    answer = await db.write(lambda session: once.run(session, lambda: make(session)))
    return answer.response()


@router.post("/slo/adjustments/{adjustment_id}/approve")
async def approve_adjustment(who: Decider, adjustment_id: str, db: Db, clock: Now) -> AdjustmentView:
    """Give them back; not by whoever proposed it."""
    return await _decide(db, clock, who, adjustment_id, "approved")


@router.post("/slo/adjustments/{adjustment_id}/reject")
async def reject_adjustment(who: Decider, adjustment_id: str, db: Db, clock: Now) -> AdjustmentView:
    """Say no."""
    return await _decide(db, clock, who, adjustment_id, "rejected")


async def _decide(
    db: Database, clock: Clock, who: Actor, adjustment_id: str, decision: Literal["approved", "rejected"]
) -> AdjustmentView:
    found = await db.write(
        lambda session: Records(session, clock).decide_adjustment(adjustment_id, decision, by=who.id, source="api")
    )
    return AdjustmentView.of(found)
