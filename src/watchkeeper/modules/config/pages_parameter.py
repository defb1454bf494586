"""The page of one parameter or flag: all layers, the editor, the history, and who gets what."""

# Annotations are kept as objects for FastAPI.
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any

from fastapi import Query, Request
from starlette.responses import Response

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.errors import Invalid, Refusal
from watchkeeper.kernel.web.access import Actor
from watchkeeper.kernel.web.pages import render
from watchkeeper.kernel.web.paging import Cursor
from watchkeeper.kernel.web.wire import page_router
from watchkeeper.modules.config.hub import Hub
from watchkeeper.modules.config.pages_about import About, about
from watchkeeper.modules.config.pages_flag import PERCENT, RuleTyped, StateForm, places_of, served, spoken
from watchkeeper.modules.config.pages_layers import MOST_USERS, TITLES, editable
from watchkeeper.modules.config.pages_list import LAYERS
from watchkeeper.modules.config.pages_own import may_change_own, own_layers
from watchkeeper.modules.config.pages_shared import STATE_WORDS, InAddress, pretty
from watchkeeper.modules.config.permissions import CHANGE_CONFIG
from watchkeeper.modules.config.routes import Db, KeyInPath, Now, Settings, TheHub, Viewer, attributes_of
from watchkeeper_client.rules import Layer, explain, text_of

router = page_router()


@dataclass(frozen=True)
class Typed:
    """What somebody typed and has to type again, and why."""

    form: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    state: StateForm | None = None
    refusal: Refusal | None = None


@dataclass(frozen=True)
class Explained:
    """What somebody gets and why; `known` are the attributes that it went by."""

    value: str = ""
    layers: tuple[Layer, ...] = ()
    known: Mapping[str, Any] = field(default_factory=dict)
    refusal: Refusal | None = None


@router.get("/config/parameters/{key}")
async def parameter(
    who: Viewer,
    request: Request,
    key: KeyInPath,
    db: Db,
    clock: Now,
    hub: TheHub,
    settings: Settings,
    environment: InAddress = "",
    cursor: Cursor = None,
    user: Annotated[str, Query(max_length=200)] = "",
    attributes: Annotated[str, Query(max_length=8_000)] = "",
) -> Response:
    """Everything about one parameter in one environment."""
    found = await db.ask(
        lambda session: about(session, clock, key, environment or settings.default_environment, cursor)
    )
    explained = None
    if (user or attributes) and found.parameter.managed_by != "watchkeeper":
        explained = await _explained(clock, hub, found, user.strip(), attributes)
    return parameter_page(request, who, found, explained=explained, asked=(user, attributes))


def parameter_page(
    request: Request,
    who: Actor,
    found: About,
    *,
    explained: Explained | None = None,
    asked: tuple[str, str] = ("", ""),
    typed: Typed | None = None,
) -> Response:
    """The page, with what somebody typed if it has to be typed again."""
    definition, typed = found.definition, typed or Typed()
    own = found.parameter.managed_by == "watchkeeper"
    may_change = may_change_own(who, found.parameter, found.place.name) if own else who.may(CHANGE_CONFIG)
    found = replace(found, layers=own_layers(request, who, definition, found.layers)) if own else found
    may_change, others = may_change and who.acts_for(found.team), found.team if may_change else None
    is_flag, refusal = definition.type == "flag", typed.refusal
    return render(
        request,
        "config/flag.html" if is_flag else "config/parameter.html",
        status=refusal.status if refusal else 200,
        about=found,
        place=found.place,
        definition=definition,
        layers=found.layers,
        may_change=may_change,
        others=None if may_change else others,
        typed=typed,
        override=typed.values.get("override") or _override(found, request),
        errors=places_of(refusal.complaints) if refusal else {},
        value=typed.values.get("value", editable(definition, found.value)),
        own=own,
        parts=_parts(is_flag, own, may_change),
        titles=TITLES,
        layer_words=LAYERS,
        most_users=MOST_USERS,
        state_words=STATE_WORDS,
        default_pretty=pretty(definition, definition.default),
        value_pretty=pretty(definition, found.value.value) if found.value else "",
        explained=explained,
        asked=asked,
        **(_of_flag(found, typed) if is_flag else {}),
    )


def _of_flag(found: About, typed: Typed) -> dict[str, Any]:
    """What only the page of a flag shows."""
    state = found.value.value if found.value is not None else {}
    form = typed.state or StateForm.of(found.definition, state, found.value.version if found.value else 0)
    variants = [(name, name) for name in found.definition.variants]
    return {
        "state": state,
        "form": form,
        "rules": _rules(form),
        "serves": [("", "the default variant"), *variants, (PERCENT, "a percentage")],
        "spoken": spoken,
        "served": served,
    }


def _parts(is_flag: bool, own: bool, may_change: bool) -> list[tuple[str, str, bool]]:
    """Where to jump to on a long page."""
    found = [("Now", "#now")]
    found += [("Rules and rollout", "#edit")] if is_flag and may_change else []
    found += [("Layers", "#layers")]
    found += [("Overrides", "#override")] if may_change and not own else []
    found += [("Who gets what", "#explain"), ("How often", "#counts")] if not own else []
    found += [("History", "#history")]
    return [(label, href, False) for label, href in found]


def _override(found: About, request: Request) -> dict[str, str]:
    """The form of an override, filled in with the one that the address names."""
    kind, target = request.query_params.get("kind", "user"), request.query_params.get("target", "")[:200]
    slots = found.layers.slots
    held = next((one for one in (*slots.segments, *slots.users) if one.slot == f"{kind}:{target}"), None)
    # A flag's value for everybody is a state, and says nothing of one variant.
    value = editable(found.definition, held or (None if found.definition.type == "flag" else found.value))
    priority = str(held.priority if held is not None else 0)
    return {"kind": kind, "target": target, "value": value, "priority": priority, "reason": ""}


def _rules(form: StateForm) -> list[RuleTyped]:
    """The rules in the form, and an empty one for the next."""
    try:
        rules = form.rules()
    except Invalid:
        rules = []
    return [*rules, RuleTyped(str(len(rules) + 1), "", "", "", "", "", "")]


async def _explained(clock: Clock, hub: Hub, found: About, user: str, attributes: str) -> Explained:
    """Goes by the attributes given, as services do: what is stored of a user is not for everybody to see."""
    try:
        known = attributes_of(attributes.strip())
    except Invalid as refusal:
        return Explained(refusal=refusal)
    held = await hub.fresh(found.place.name)
    answer = held.program.outcome(found.definition.key, user or None, known)
    if answer is None:
        return Explained()
    layers = explain(
        held.document,
        found.definition.key,
        now=clock.now(),
        environ=hub.environ,
        user=user or None,
        attributes=known,
        clock=clock.now,
    )
    value = answer.variant if found.definition.type == "flag" else text_of(found.definition.type, answer.wire)
    return Explained(value, tuple(layers), known)
