"""Where Twilio and Slack bring answers to pages. Each request is believed by its signature, and by nothing else."""

# Annotations are kept as objects for FastAPI.
import json
from html import escape
from typing import Annotated, Any
from urllib.parse import parse_qsl

from fastapi import Path, Request
from starlette.responses import Response

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.errors import TooLarge
from watchkeeper.kernel.web.access import Actor, public
from watchkeeper.kernel.web.parts import clock_part, part
from watchkeeper.kernel.web.problems import MalformedRequest
from watchkeeper.kernel.web.wire import page_router
from watchkeeper.modules.notify.public import BUTTON, Answering, Channel, ChannelKind
from watchkeeper.modules.oncall.paging.errors import SignatureRefused
from watchkeeper.modules.oncall.paging.replies import Replies
from watchkeeper.modules.oncall.routes_paging import Db

router = page_router()
_LARGEST = 64 * 1024
_MOST_FIELDS = 200
Signed = Annotated[
    Actor | None, public("Twilio and Slack have no account here: a signature proves each request", csrf=False)
]
TheReplies = Annotated[Replies, part(Replies)]
TheAnswering = Annotated[Answering, part(Answering)]
Now = Annotated[Clock, clock_part()]
Secret = Annotated[str, Path(min_length=10, max_length=200)]


@router.post("/integrations/twilio/sms")
async def text_message(request: Request, who: Signed, db: Db, replies: TheReplies, answering: TheAnswering) -> Response:
    """A reply to a text message, answered in TwiML."""
    fields, channel = await _from_twilio(request, db, replies, answering, ChannelKind.SMS)
    sender, text = fields.get("From", ""), fields.get("Body", "")
    said = await db.write(lambda session: replies.by_text(session, answering, channel, sender, text[:500]))
    return _twiml(f"<Message>{escape(said, quote=False)}</Message>")


@router.post("/integrations/twilio/voice/{secret}")
async def key(
    request: Request, who: Signed, secret: Secret, db: Db, replies: TheReplies, answering: TheAnswering
) -> Response:
    """A key that was pressed during a call."""
    fields, channel = await _from_twilio(request, db, replies, answering, ChannelKind.VOICE)
    digits = fields.get("Digits", "")
    said = await db.write(lambda session: replies.by_key(session, channel, secret, digits))
    return _twiml(f"<Say>{escape(said, quote=False)}</Say>")


@router.post("/integrations/slack/interactions")
async def button(
    request: Request, who: Signed, db: Db, clock: Now, replies: TheReplies, answering: TheAnswering
) -> Response:
    """A button in Slack. Its message is changed afterwards, as Slack waits three seconds only."""
    body, now = await _body(request), clock.now()
    sent_at = request.headers.get("x-slack-request-timestamp", "")
    signature = request.headers.get("x-slack-signature", "")
    channel = await db.ask(lambda session: answering.slack_channel(session, sent_at, body, signature, now))
    if channel is None:
        raise SignatureRefused("It is not signed by the app of a channel here, or not a moment ago.")
    pressed = _pressed(_fields(body))
    replies.seen.require_new(signature, now)
    if pressed is not None:
        user, secret, place, ts = pressed
        await db.write(lambda session: replies.by_button(session, answering, channel, user, secret, place, ts))
    return Response(status_code=200)


async def _from_twilio(
    request: Request, db: Db, replies: Replies, answering: Answering, kind: ChannelKind
) -> tuple[dict[str, str], Channel]:
    fields = _fields(await _body(request))
    query = f"?{request.url.query}" if request.url.query else ""
    url = f"{replies.links.base_url}{request.url.path}{query}"
    signature = request.headers.get("x-twilio-signature", "")
    channel = await db.ask(lambda session: answering.twilio_channel(session, kind, url, fields, signature))
    if channel is None:
        raise SignatureRefused("It is not signed by the account of a channel here that takes replies.")
    return dict(fields), channel


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LARGEST:
            raise TooLarge(f"The body is larger than the {_LARGEST:,} bytes accepted here.")
    return bytes(body)


def _fields(body: bytes) -> list[tuple[str, str]]:
    try:
        found = parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise MalformedRequest("A form, encoded as URLs are, was expected.") from None
    if any("\0" in name + value for name, value in found):
        raise MalformedRequest("The form holds a NUL character.")
    return found


def _pressed(fields: list[tuple[str, str]]) -> tuple[str, str, str, str] | None:
    """Who, which page's secret, and which message of which place; None for a button that is a link."""
    try:
        said: Any = json.loads(dict(fields)["payload"])
        if said["type"] != "block_actions":
            return None
        action = next((one for one in said["actions"] if one.get("action_id") == BUTTON), None)
        if action is None:
            return None
        found = (said["user"]["id"], action["value"], said["channel"]["id"], said["message"]["ts"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise MalformedRequest("A payload of Slack's block actions was expected.") from None
    if not all(isinstance(one, str) and len(one) <= 250 and one.isascii() and one.isprintable() for one in found):
        raise MalformedRequest("A payload of Slack's block actions was expected.")
    return found


def _twiml(inner: str) -> Response:
    return Response(f'<?xml version="1.0" encoding="UTF-8"?><Response>{inner}</Response>', media_type="application/xml")
