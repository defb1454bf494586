"""Where alerts come in: bare ASGI apps, so that keys in paths pass no log and no trace, and a storm costs little."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

import orjson
import structlog
from sqlalchemy.orm import Session
from starlette.types import Receive, Scope, Send

from watchkeeper.kernel import journal
from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.errors import Refusal
from watchkeeper.kernel.ids import new_id
from watchkeeper.kernel.web.access import Public
from watchkeeper.kernel.web.problems import PROBLEM_JSON, MethodNotAllowed, Unexpected, problem_of
from watchkeeper.modules.alerts import wire_alertmanager, wire_generic, wire_pagerduty
from watchkeeper.modules.alerts.door import Door, Hung, read_body, require_shallow, send_answer
from watchkeeper.modules.alerts.errors import UnknownKey
from watchkeeper.modules.alerts.events import ChangeRecorded
from watchkeeper.modules.alerts.gathering import Gatherer
from watchkeeper.modules.alerts.model import Integration, Kind, Signal
from watchkeeper.modules.alerts.wire_pagerduty import Change, NotAnEvent

_log = structlog.get_logger("watchkeeper.alerts")
Parse = Callable[[bytes, Integration, datetime], list[Signal]]


class EventsApp:
    """PagerDuty's Events API v2 at `/v2/enqueue` and `/v2/change/enqueue`: whoever speaks it needs only another URL."""

    permission = Public("programs send events with an integration's routing key in the body")

    def __init__(self, db: Database, clock: Clock, door: Door, gatherer: Gatherer) -> None:
        self._db, self._clock, self._door, self._gatherer = db, clock, door, gatherer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        path = scope["path"].rstrip("/")
        try:
            if path not in ("/v2/enqueue", "/v2/change/enqueue"):
                await _event_answer(send, 404, "not found", "There are /v2/enqueue and /v2/change/enqueue.")
            elif scope["method"] != "POST":
                await _event_answer(send, 405, "method not allowed", "Events are sent by POST.")
            else:
                with self._door.open():
                    body = await read_body(scope, receive)
                    require_shallow(body)
                    await (self._event(body, send) if path == "/v2/enqueue" else self._change(body, send))
        except NotAnEvent as error:
            await _event_answer(send, 400, "invalid event", "Event object is invalid", *error.errors)
        except UnknownKey:
            await _event_answer(send, 400, "invalid key", "Event object is invalid", "Invalid routing key")
        except Hung:
            return
        except Refusal as refusal:
            status = "throttle exceeded" if refusal.status == 429 else "invalid event"
            body = _event_body(status, refusal.detail, refusal.detail)
            await send_answer(send, refusal.status, body, refusal=refusal)
        except Exception:  # noqa: BLE001 (an edge: clients repeat what they can read as an error of the server)
            error_id = _unexpected()
            await _event_answer(send, 500, "internal error", f"Quote {error_id} when you report this.")

    async def _event(self, body: bytes, send: Send) -> None:
        event = wire_pagerduty.parse_event(body)
        integration = await self._door.integration(event.routing_key, Kind.PAGERDUTY)
        self._door.rates.require(integration.id, integration.rate_per_minute)
        await self._gatherer.accept([wire_pagerduty.signal_of(event, integration, self._clock.now())])
        answer = {"status": "success", "message": "Event processed", "dedup_key": event.dedup_key}
        await send_answer(send, 202, orjson.dumps(answer))

    async def _change(self, body: bytes, send: Send) -> None:
        change = wire_pagerduty.parse_change(body)
        integration = await self._door.integration(change.routing_key, Kind.PAGERDUTY)
        self._door.rates.require(integration.id, integration.rate_per_minute)
        at = self._clock.now()
        await self._db.write(lambda session: _record_change(session, change, integration, at))
        await send_answer(send, 202, orjson.dumps({"status": "success", "message": "Change event processed"}))


class WebhookApp:
    """Webhooks of one format at `/integrations/<format>/<key>`."""

    permission = Public("monitoring systems send webhooks with an integration's key in the path")

    def __init__(self, kind: Kind, parse: Parse, clock: Clock, door: Door, gatherer: Gatherer) -> None:
        self._kind, self._parse, self._clock = kind, parse, clock
        self._door, self._gatherer = door, gatherer
        self._methods = ("POST", "PUT") if kind is Kind.GRAFANA else ("POST",)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        try:
            if scope["method"] not in self._methods:
                raise MethodNotAllowed(f"Send a webhook by {' or '.join(self._methods)}.")
            with self._door.open():
                signals = await self._take(scope, receive)
            await send_answer(send, 200, orjson.dumps({"status": "success", "alerts": len(signals)}))
        except Hung:
            return
        except Refusal as refusal:
            await send_problem(send, refusal)
        except Exception:  # noqa: BLE001 (an edge: senders repeat what they can read as an error of the server)
            await send_problem(send, Unexpected(f"Quote {_unexpected()} when you report this."))

    async def _take(self, scope: Scope, receive: Receive) -> list[Signal]:
        key = scope["path"].rstrip("/").rpartition("/")[2]
        integration = await self._door.integration(key, self._kind)
        body = await read_body(scope, receive)
        require_shallow(body)
        signals = self._parse(body, integration, self._clock.now())
        self._door.rates.require(integration.id, integration.rate_per_minute, max(1, len(signals)))
        await self._gatherer.accept(signals)
        return signals


def webhook_apps(clock: Clock, door: Door, gatherer: Gatherer) -> dict[str, WebhookApp]:
    """By the prefix of their paths."""
    parsers: Sequence[tuple[Kind, Parse]] = (
        (Kind.ALERTMANAGER, wire_alertmanager.parse),
        (Kind.GRAFANA, wire_alertmanager.parse),
        (Kind.GENERIC, wire_generic.parse),
    )
    return {f"/integrations/{kind.value}": WebhookApp(kind, parse, clock, door, gatherer) for kind, parse in parsers}


async def send_problem(send: Send, refusal: Refusal) -> None:
    """A refusal as problem+json."""
    await send_answer(
        send, refusal.status, orjson.dumps(problem_of(refusal).model_dump()), PROBLEM_JSON, refusal=refusal
    )


def _record_change(session: Session, change: Change, integration: Integration, at: datetime) -> None:
    fact = ChangeRecorded(
        integration=integration.name,
        service_name=integration.service,
        summary=change.summary[:500],
        origin=change.origin,
        happened_at=change.happened_at,
        links=[{"text": one.text, "url": one.url} for one in change.links],
        details=change.details,
    )
    journal.append(session, fact, by=f"system:{integration.name}", source="intake", at=at)


async def _event_answer(send: Send, status: int, word: str, message: str, *errors: str) -> None:
    await send_answer(send, status, _event_body(word, message, *errors))


def _event_body(word: str, message: str, *errors: str) -> bytes:
    return orjson.dumps({"status": word, "message": message, "errors": list(errors) or [message]})


def _unexpected() -> str:
    error_id = new_id("err")
    # Neither path nor body: both may hold a key.
    _log.exception("an alert could not be taken in", error_id=error_id)
    return error_id
