"""Pages of error-budget policies and of data sources."""

# Annotations are kept as objects for FastAPI.
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

import yaml
from fastapi import Form, Query, Request
from pydantic import Field, ValidationError
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.errors import Conflict, Forbidden, Invalid, Refusal
from watchkeeper.kernel.outbound import Outbound, OutboundSettings
from watchkeeper.kernel.web.access import Actor
from watchkeeper.kernel.web.pages import render
from watchkeeper.kernel.web.parts import parts_of
from watchkeeper.kernel.web.wire import PageForm, page_router
from watchkeeper.modules.slo import pages_words as say
from watchkeeper.modules.slo import public, store
from watchkeeper.modules.slo.definition import DataSource, Definition, Policy
from watchkeeper.modules.slo.engine import Engine
from watchkeeper.modules.slo.errors import RecordInvalid
from watchkeeper.modules.slo.pages import sections
from watchkeeper.modules.slo.pages_form import Long, WhyForm, complaint_of, in_model, reason_of
from watchkeeper.modules.slo.permissions import CHANGE_DATA_SOURCES, CHANGE_SLOS
from watchkeeper.modules.slo.policy import BUILT_IN
from watchkeeper.modules.slo.public import Verdict
from watchkeeper.modules.slo.routes import Changer, Db, NameInPath, Now, TheEngine, Viewer, require_own
from watchkeeper.modules.slo.routes_records import Keeper
from watchkeeper.modules.slo.service import Slos
from watchkeeper.modules.slo.sources import source_of
from watchkeeper_client.rules import duration_text

router = page_router()
EXAMPLE = """\
name: default
services: []  # every service that no other policy names
burn_window: 6h
steps:
  - {burn: 2, action: freeze_non_critical}
  - {burn: 5, action: freeze_all}
  - {burn: 10, action: emergency}
  - {budget_left: 0, action: freeze_non_critical}
postmortem_from: 0.2
"""
_MOST_VERDICTS = 100


class PolicyForm(PageForm):
    """A policy as text."""

    text: Long = ""


class SourceForm(PageForm):
    """A Prometheus-compatible server."""

    name: str = Field(default="", max_length=100)
    url: str = Field(default="", max_length=3_000)
    scrape_interval: str = Field(default="15s", max_length=30)
    token_env: str = Field(default="", max_length=200)
    description: str = Field(default="", max_length=3_000)


@dataclass(frozen=True)
class Asked:
    """What SLOs ask, which of them, and how it answers: a server, or what a service sends here (`source` None)."""

    name: str
    slos: tuple[str, ...]
    problem: str | None
    problem_since: datetime | None
    newest: datetime | None
    source: DataSource | None = None


@router.get("/slos/policies")
async def policies(
    who: Viewer,
    request: Request,
    db: Db,
    clock: Now,
    engine: TheEngine,
    edit: Annotated[str, Query(max_length=63)] = "",
) -> Response:
    """What a spent budget means, and what that is for each service now."""
    return await _policies_page(request, who, db, clock, engine, edit=edit)


@router.post("/slos/policies")
async def put_policy(
    who: Changer, request: Request, form: Annotated[PolicyForm, Form()], db: Db, clock: Now, engine: TheEngine
) -> Response:
    """Say a policy, or say it anew."""

    def write(session: Session) -> None:
        policy = in_model(form.text, Policy)
        before = store.record(session, Policy, policy.name)
        for one in (policy, before.content if before is not None else None):
            for service in one.services if isinstance(one, Policy) else ():
                require_own(session, who, service)
        Slos(session, clock).put_record(policy, by=who.id, source="console")

    try:
        await db.write(write)
    except Invalid as refusal:
        return await _policies_page(request, who, db, clock, engine, text=form.text, refusal=refusal)
    return RedirectResponse("/slos/policies", status_code=303)


@router.post("/slos/policies/{name}/delete")
async def delete_policy(
    who: Changer,
    request: Request,
    name: NameInPath,
    form: Annotated[WhyForm, Form()],
    db: Db,
    clock: Now,
    engine: TheEngine,
) -> Response:
    """Delete a policy; its services are then held to the built-in one."""

    def write(session: Session) -> None:
        why = reason_of(form)
        before = store.record(session, Policy, name)
        for service in before.content.services if before is not None and isinstance(before.content, Policy) else ():
            require_own(session, who, service)
        Slos(session, clock).remove_record(Policy, name, by=who.id, source="console", reason=why)

    try:
        await db.write(write)
    except Invalid as refusal:
        return await _policies_page(request, who, db, clock, engine, refusal=refusal)
    return RedirectResponse("/slos/policies", status_code=303)


@router.get("/slos/data-sources")
async def data_sources(who: Viewer, request: Request, db: Db, engine: TheEngine) -> Response:
    """Prometheus-compatible servers, and how they answer."""
    return await _sources_page(request, who, db, engine, SourceForm())


@router.post("/slos/data-sources")
async def put_source(
    who: Keeper, request: Request, form: Annotated[SourceForm, Form()], db: Db, clock: Now, engine: TheEngine
) -> Response:
    """Name a server that may be asked; only addresses that requests may be sent to."""
    try:
        source = _source(form)
        Outbound.of(parts_of(request)[OutboundSettings]).require(source.url)
        await db.write(lambda session: Slos(session, clock).put_record(source, by=who.id, source="console"))
    except (Invalid, Forbidden) as refusal:
        return await _sources_page(request, who, db, engine, form, refusal)
    return RedirectResponse("/slos/data-sources", status_code=303)


@router.post("/slos/data-sources/{name}/delete")
async def delete_source(
    who: Keeper,
    request: Request,
    name: NameInPath,
    form: Annotated[WhyForm, Form()],
    db: Db,
    clock: Now,
    engine: TheEngine,
) -> Response:
    """Delete a server that no SLO asks."""

    def write(session: Session) -> None:
        Slos(session, clock).remove_record(DataSource, name, by=who.id, source="console", reason=reason_of(form))

    try:
        await db.write(write)
    except (Conflict, Invalid) as refusal:
        return await _sources_page(request, who, db, engine, SourceForm(), refusal)
    return RedirectResponse("/slos/data-sources", status_code=303)


def asked(engine: Engine, definitions: Iterable[Definition], sources: Iterable[DataSource]) -> list[Asked]:
    """Every data source, asked or not, then every service whose own telemetry is asked; silent ones first."""
    slos: dict[str, list[str]] = {}
    for one in definitions:
        if source_of(one):
            slos.setdefault(source_of(one), []).append(one.name)
    servers = {f"data_source:{one.name}": one for one in sources}
    found = []
    for key in [*servers, *(key for key in sorted(slos) if key not in servers)]:
        problem, since = engine.problems.get(key, (None, None))
        newest = engine.newest.get(key)
        at = datetime.fromtimestamp(newest, UTC) if newest is not None else None
        name = key.partition(":")[2]
        found.append(Asked(name, tuple(slos.get(key, ())), problem, since, at, servers.get(key)))
    return sorted(found, key=lambda one: one.problem is None)


async def _policies_page(
    request: Request,
    who: Actor,
    db: Database,
    clock: Clock,
    engine: Engine,
    *,
    edit: str = "",
    text: str = "",
    refusal: Refusal | None = None,
) -> Response:
    def read(session: Session) -> tuple[list[Policy], list[tuple[str, Verdict]]]:
        services = sorted({one.definition.service for one in store.all_definitions(session)})[:_MOST_VERDICTS]
        return store.policies(session), [
            (service, public.verdict(session, engine, service, clock.now())) for service in services
        ]

    found, verdicts = await db.ask(read)
    edited = next((one for one in found if one.name == edit), None)
    return render(
        request,
        "slo/policies.html",
        status=refusal.status if refusal else 200,
        tabs=sections("Policies"),
        policies=[(one, True) for one in found] + [(BUILT_IN, False)],
        verdicts=verdicts,
        text=text or (_in_yaml(edited) if edited is not None else EXAMPLE),
        refusal=refusal,
        words=say.POLICY_WORDS,
        say=say,
        duration_text=duration_text,
        may_change=who.may(CHANGE_SLOS),
    )


async def _sources_page(
    request: Request, who: Actor, db: Database, engine: Engine, form: SourceForm, refusal: Refusal | None = None
) -> Response:
    def read(session: Session) -> list[Asked]:
        return asked(engine, [one.definition for one in engine.definitions(session)], store.data_sources(session))

    found = await db.ask(read)
    return render(
        request,
        "slo/data_sources.html",
        status=refusal.status if refusal else 200,
        tabs=sections("Data sources"),
        servers=[one for one in found if one.source is not None],
        services=[one for one in found if one.source is None],
        form=form,
        refusal=refusal,
        errors={one.where: one.expected for one in refusal.complaints} if refusal is not None else {},
        duration_text=duration_text,
        may_change=who.may(CHANGE_DATA_SOURCES),
    )


def _source(form: SourceForm) -> DataSource:
    said = form.model_dump(exclude={"csrf_token"})
    try:
        return DataSource.model_validate({**said, "token_env": form.token_env or None})
    except ValidationError as error:
        complaints = [complaint_of(one["loc"], str(one["msg"]), one["type"]) for one in error.errors()]
        raise RecordInvalid("The data source is not valid.", complaints=complaints) from None


def _in_yaml(policy: Policy) -> str:
    text: str = yaml.safe_dump(policy.model_dump(mode="json", exclude_none=True), sort_keys=False, allow_unicode=True)
    return text
