"""Watchkeeper's own settings on the pages of parameters: read at the start, and some of them live."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from fastapi import Request

from watchkeeper.kernel.web.access import Actor
from watchkeeper.kernel.web.parts import parts_of
from watchkeeper.modules.config.errors import ParameterNotFound
from watchkeeper.modules.config.model import Parameter, is_own, shown
from watchkeeper.modules.config.own import Own
from watchkeeper.modules.config.pages_layers import Layers, Said
from watchkeeper.modules.config.pages_list import Row
from watchkeeper.modules.config.permissions import CHANGE_OWN
from watchkeeper_client.rules import Definition, Layer


def may_change_own(who: Actor, parameter: Parameter, environment: str) -> bool:
    """Whether this setting is live, is set in this environment, and is the actor's to change."""
    said = parameter.applied or {}
    return bool(said.get("live")) and said.get("environment") == environment and who.may(CHANGE_OWN)


def as_they_are(request: Request, who: Actor, rows: Iterable[Row]) -> Iterator[Row]:
    """Rows with what this server really works with; how it was started is for who administers it."""
    for row in rows:
        found = _layers(request, who, row.definition)
        won = next((one for one in found if one.won), None)
        yield row if won is None else replace(row, value=_text(row.definition, won), layer=won.layer, note="")


def own_layers(request: Request, who: Actor, definition: Definition, held: Layers) -> Layers:
    """The layers of a setting of this server, in the place of those that services report."""
    found = _layers(request, who, definition)
    if not found:
        return held
    said = tuple(
        Said(
            one.layer,
            one.name if one.layer == "env" else "",
            _text(definition, one) if one.value is not None else "",
            ("ok", "decides") if one.won else ("muted", one.why),
            setting=held.slots.value if one.layer == "system_config" else None,
        )
        for one in found
    )
    won = next(one for one in found if one.won)
    return Layers(said, held.slots, _text(definition, won), won.layer)


def _layers(request: Request, who: Actor, definition: Definition) -> list[Layer]:
    own = parts_of(request).find(Own) if is_own(definition.key) and who.may(CHANGE_OWN) else None
    try:
        return own.layers(definition.key) if own is not None else []
    except ParameterNotFound:
        return []  # of another version of Watchkeeper


def _text(definition: Definition, layer: Layer) -> str:
    if layer.value is None:
        return "nothing"
    # Of a secret only that it is set, which no type but text has.
    is_plain = isinstance(layer.value, str) and definition.type != "json"
    return (layer.value or "empty text") if is_plain else shown(definition, layer.value)
