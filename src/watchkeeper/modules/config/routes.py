"""The API of parameters and environments."""

# Annotations are kept as objects for FastAPI.
import json
from typing import Annotated, Any

from fastapi import Path, Query, Request
from sqlalchemy.orm import Session
from starlette.responses import JSONResponse, Response

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.errors import Complaint, Forbidden, Invalid
from watchkeeper.kernel.web.access import Actor, requires
from watchkeeper.kernel.web.etag import etag_of, require_match, with_etag
from watchkeeper.kernel.web.idempotency import Answer, Once, once
from watchkeeper.kernel.web.paging import DEFAULT_LIMIT, Cursor, Limit, Page, decode_cursor, page_of
from watchkeeper.kernel.web.parts import clock_part, database_part, part, parts_of
from watchkeeper.kernel.web.wire import api_router
from watchkeeper.modules.catalog import public as catalog
from watchkeeper.modules.config import store
from watchkeeper.modules.config.errors import ParameterNotFound
from watchkeeper.modules.config.hub import Hub
from watchkeeper.modules.config.model import Parameter, Setting, is_own, winning_order
from watchkeeper.modules.config.own import Own
from watchkeeper.modules.config.permissions import CHANGE_CONFIG, CHANGE_OWN, MANAGE_ENVIRONMENTS, VIEW_CONFIG
from watchkeeper.modules.config.service import Config, past_a_second_person, version_of
from watchkeeper.modules.config.settings import ConfigSettings
from watchkeeper.modules.config.stale import stale
from watchkeeper.modules.config.wire import (
    EnvironmentEdit,
    EnvironmentView,
    Explanation,
    LayerView,
    NewEnvironment,
    NewParameter,
    ParameterView,
    StaleView,
)
from watchkeeper_client.rules import Definition, Layer, explain

router = api_router("config")

Viewer = Annotated[Actor, requires(VIEW_CONFIG)]
Changer = Annotated[Actor, requires(CHANGE_CONFIG)]
Keeper = Annotated[Actor, requires(MANAGE_ENVIRONMENTS)]
Db = Annotated[Database, database_part()]
Now = Annotated[Clock, clock_part()]
TheHub = Annotated[Hub, part(Hub)]
Settings = Annotated[ConfigSettings, part(ConfigSettings)]
KeyInPath = Annotated[str, Path(min_length=1, max_length=150)]
InEnvironment = Annotated[str, Query(alias="environment", max_length=64, description="Unset: the default one.")]


@router.get("/config/environments")
async def list_environments(who: Viewer, db: Db) -> Page[EnvironmentView]:
    """Where values hold."""
    found = await db.ask(store.all_environments)
    return Page[EnvironmentView](items=[EnvironmentView.of(one) for one in found], next=None)


@router.post("/config/environments", status_code=201, response_model=EnvironmentView)
async def add_environment(
    who: Keeper, order: NewEnvironment, db: Db, clock: Now, hub: TheHub, once: Annotated[Once, once()]
) -> Response:
    """Add an environment, empty or with the values and segment overrides of another."""

    def add(session: Session) -> Answer:
        made = Config(session, clock).add_environment(
            order.name,
            copy_from=order.copy_from,
            needs_approval=order.needs_approval,
            reason=order.reason,
            by=who.id,
            source="api",
        )
        return Answer(EnvironmentView.of(made).model_dump(mode="json"))

    answer = await db.write(lambda session: once.run(session, lambda: add(session)))
    await hub.catch_up()
    return answer.response()


@router.patch("/config/environments/{name}")
async def change_environment(who: Keeper, name: str, order: EnvironmentEdit, db: Db, clock: Now) -> EnvironmentView:
    """Whether changes in an environment wait for a second person."""
    changed = await db.write(
        lambda session: Config(session, clock).set_needs_approval(
            name, order.needs_approval, reason=order.reason, by=who.id, source="api"
        )
    )
    return EnvironmentView.of(changed)


@router.get("/config/parameters")
async def list_parameters(
    who: Viewer,
    db: Db,
    clock: Now,
    settings: Settings,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
    environment: InEnvironment = "",
    group: Annotated[
        str,
        Query(max_length=200, description="Only of this group and those below it; `watchkeeper`: our own settings."),
    ] = "",
    search: Annotated[str, Query(max_length=200, description="Text in the key or the description.")] = "",
) -> Page[ParameterView]:
    """The registry by key, with what is set in one environment."""
    after = decode_cursor(cursor, str) if cursor else ""
    name = environment or settings.default_environment

    def read(session: Session) -> Page[ParameterView]:
        Config(session, clock).environment(name)
        fitting = [one for one in store.all_parameters(session) if one.key > after and _fits(one, group, search)]
        page = page_of(fitting[: limit + 1], limit, lambda one: one.key)
        held = store.held(session, name, [one.key for one in page.items])
        views = [ParameterView.of(one, name, in_order(held.settings.get(one.key, ()))) for one in page.items]
        return Page[ParameterView](items=views, next=page.next)

    return await db.ask(read)


@router.post("/config/parameters", status_code=201, response_model=ParameterView)
async def add_parameter(
    who: Changer,
    order: NewParameter,
    db: Db,
    clock: Now,
    hub: TheHub,
    settings: Settings,
    once: Annotated[Once, once()],
) -> Response:
    """Put a parameter or flag into the registry."""
    name = settings.default_environment

    def add(session: Session) -> Answer:
        definition = order.definition()
        catalog.require_own(session, who, definition.owner)
        made = Config(session, clock).define(
            definition, managed_by="people", by=who.id, source="api", reason=order.reason, only_new=True
        )
        view = ParameterView.of(made, name, in_order(store.held(session, name, [made.key]).settings.get(made.key, ())))
        return Answer(view.model_dump(mode="json"), headers={"ETag": etag_of(version_of(made))})

    answer = await db.write(lambda session: once.run(session, lambda: add(session)))
    await hub.catch_up()
    return answer.response()


@router.get("/config/parameters/{key}", response_model=ParameterView)
async def show_parameter(
    who: Viewer, key: KeyInPath, db: Db, clock: Now, settings: Settings, environment: InEnvironment = ""
) -> Response:
    """A registry entry, and what is set of it. Its ETag is of the definition, which a PUT is bound to."""
    return await db.ask(lambda session: _shown(session, clock, key, environment or settings.default_environment))


@router.put("/config/parameters/{key}", response_model=ParameterView)
async def replace_parameter(
    who: Changer,
    request: Request,
    key: KeyInPath,
    order: NewParameter,
    db: Db,
    clock: Now,
    hub: TheHub,
    settings: Settings,
) -> Response:
    """Say other things of a parameter; refused where something set would not fit. Needs `If-Match`."""
    if order.key != key:
        complaint = Complaint("key", f"{key}, as in the address: a key stays what it is")
        raise Invalid("The key differs from the address.", complaints=[complaint])

    def replace(session: Session) -> Response:
        config = Config(session, clock)
        before = config.parameter(key, lock=True)
        catalog.require_own(session, who, before.definition.owner)
        require_match(request, etag_of(version_of(before)))
        definition = order.definition()
        catalog.require_own(session, who, definition.owner)
        require_redefining(session, who, before, definition)
        config.define(definition, managed_by=before.managed_by, by=who.id, source="api", reason=order.reason)
        return _shown(session, clock, key, settings.default_environment)

    answer = await db.write(replace)
    await hub.catch_up()
    return answer


@router.delete("/config/parameters/{key}", status_code=204)
async def remove_parameter(
    who: Changer,
    key: KeyInPath,
    db: Db,
    clock: Now,
    hub: TheHub,
    reason: Annotated[str, Query(max_length=500, description="Why; kept on the timeline.")] = "",
) -> Response:
    """Take a parameter out of the registry; refused while something uses it."""

    def remove(session: Session) -> None:
        config = Config(session, clock)
        before = config.parameter(key, lock=True)
        catalog.require_own(session, who, before.definition.owner)
        require_redefining(session, who, before, None)
        config.remove(key, by=who.id, source="api", reason=reason)

    await db.write(remove)
    await hub.catch_up()
    return Response(status_code=204)


@router.get("/config/parameters/{key}/explain")
async def explain_parameter(
    who: Viewer,
    request: Request,
    key: KeyInPath,
    hub: TheHub,
    clock: Now,
    settings: Settings,
    environment: InEnvironment = "",
    user: Annotated[str | None, Query(min_length=1, max_length=200, description="Id of a user of the product.")] = None,
    attributes: Annotated[str, Query(max_length=2_000, description="What is known of the user, as JSON.")] = "",
) -> Explanation:
    """What somebody gets, from which layer, and why each other layer lost."""
    held = await hub.fresh(environment or settings.default_environment)
    known = attributes_of(attributes)
    now = clock.now()
    if is_own(key):
        if not who.may(CHANGE_OWN):
            raise Forbidden("How Watchkeeper itself is set up is shown to admins.")
        return _own_explanation(key, held.document["environment"], parts_of(request)[Own].layers(key))
    answer = held.program.outcome(key, user, known)
    if answer is None:
        raise ParameterNotFound.of(key, held.document["environment"])
    layers = explain(held.document, key, now=now, environ=hub.environ, user=user, attributes=known, clock=clock.now)
    return Explanation(
        key=key,
        environment=held.document["environment"],
        value=answer.wire,
        variant=answer.variant,
        reason=answer.reason,
        layer=answer.layer,
        layers=[LayerView.of(one) for one in layers],
    )


@router.get("/config/stale")
async def list_stale(who: Viewer, db: Db, clock: Now) -> Page[StaleView]:
    """Flags and parameters that want clearing up, and why."""
    found = await db.ask(lambda session: stale(session, now=clock.now()))
    return Page[StaleView](items=[StaleView(key=one.key, why=one.why, detail=one.detail) for one in found], next=None)


def _own_explanation(key: str, environment: str, layers: list[Layer]) -> Explanation:
    won = next(one for one in layers if one.won)
    reason = "DEFAULT" if won.layer == "code" else "STATIC"
    views = [LayerView.of(one) for one in layers]
    return Explanation(
        key=key, environment=environment, value=won.value, variant="", reason=reason, layer=won.layer, layers=views
    )


def require_redefining(session: Session, who: Actor, before: Parameter, after: Definition | None) -> None:
    """Raises Forbidden where this would get around the second person that values need, for everybody but admins."""
    if not who.may(MANAGE_ENVIRONMENTS) and past_a_second_person(session, before, after):
        raise Forbidden(
            f"Values of {before.key} need a second person, and this changes by itself what is served: "
            "set a value instead, which somebody approves, or ask an admin."
        )


def in_order(settings: Any) -> list[Setting]:
    """The value for everybody, segments in the order they are asked, users by id."""
    segments = winning_order(one for one in settings if one.slot.startswith("segment:"))
    return (
        [one for one in settings if one.slot == "value"]
        + segments
        + [one for one in settings if one.slot.startswith("user:")]
    )


def attributes_of(text: str) -> dict[str, Any]:
    """The attributes that an address carries as JSON. Raises Invalid."""
    try:
        found = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        found = None
    plain = (str, int, float, bool, list)
    if not isinstance(found, dict) or not all(isinstance(one, plain) for one in found.values()):
        complaint = Complaint("query.attributes", 'a JSON object such as {"country": "NO", "age": 30}')
        raise Invalid("The attributes can't be read.", complaints=[complaint])
    return found


def _shown(session: Session, clock: Clock, key: str, environment: str) -> Response:
    config = Config(session, clock)
    config.environment(environment)
    found = config.parameter(key)
    settings = in_order(store.held(session, environment, [key]).settings.get(key, ()))
    response = JSONResponse(ParameterView.of(found, environment, settings).model_dump(mode="json"))
    return with_etag(response, etag_of(version_of(found)))


def _fits(one: Parameter, group: str, search: str) -> bool:
    words = search.lower()
    said = one.definition
    # The product's are asked for far more often: Watchkeeper's own are listed by their group.
    return (
        (not is_own(one.key) or group.partition("/")[0] == "watchkeeper")
        and (not group or said.group == group or said.group.startswith(f"{group}/"))
        and (not words or words in said.key.lower() or words in said.description.lower())
    )
