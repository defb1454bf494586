"""Slack's slash command: `/incident open SEV-2 Nobody can pay`. Believed by its signature, as Slack's buttons are; who
acts is whoever has shown, by a verified contact, that they read what is sent to that member of Slack."""

# Annotations are kept as objects for FastAPI.
from typing import Annotated, Any
from urllib.parse import parse_qsl

from fastapi import Request
from sqlalchemy.orm import Session
from starlette.responses import JSONResponse, Response

from watchkeeper.kernel.errors import Refusal, TooLarge
from watchkeeper.kernel.web.access import Actor, public
from watchkeeper.kernel.web.parts import part
from watchkeeper.kernel.web.problems import MalformedRequest
from watchkeeper.kernel.web.wire import page_router
from watchkeeper.modules.identity import public as identity
from watchkeeper.modules.incidents import store
from watchkeeper.modules.incidents.model import Incident, Severity, Status
from watchkeeper.modules.incidents.public import Incidenting
from watchkeeper.modules.incidents.routes import Db, Now, TheIncidenting
from watchkeeper.modules.incidents.service import Incidents
from watchkeeper.modules.incidents.store import IncidentFilter
from watchkeeper.modules.notify.public import Answering
from watchkeeper.modules.oncall.public import Seen, SignatureRefused

router = page_router()
HELP = (
    "open [SEV-1…SEV-4] title: declare one\nlist: what is open\nack NAME: you have it\nstatus NAME STATUS: how far it "
    "is\nupdate NAME text: tell how it is\nresolve NAME reason: it is over"
)
UNKNOWN = "Watchkeeper does not know you by this. Add your member ID as a contact, verify it, and try again."
_LARGEST, _MOST_FIELDS, _MOST_LISTED = 16 * 1024, 50, 10
Signed = Annotated[Actor | None, public("Slack has no account here: a signature proves each request", csrf=False)]
TheAnswering = Annotated[Answering, part(Answering)]
TheSeen = Annotated[Seen, part(Seen)]


@router.post("/integrations/slack/commands")
async def command(
    request: Request,
    who: Signed,
    db: Db,
    clock: Now,
    incidenting: TheIncidenting,
    answering: TheAnswering,
    seen: TheSeen,
) -> Response:
    """Do what a member of Slack asks for; only they see the answer."""
    body, now = await _body(request), clock.now()
    sent_at = request.headers.get("x-slack-request-timestamp", "")
    signature = request.headers.get("x-slack-signature", "")
    channel = await db.ask(lambda session: answering.slack_channel(session, sent_at, body, signature, now))
    if channel is None:
        raise SignatureRefused("It is not signed by the app of a channel here, or not a moment ago.")
    fields = _fields(body)
    seen.require_new(signature, now)

    def write(session: Session) -> str:
        contact = answering.contact_at(session, channel.id, fields.get("user_id", ""))
        staff = [one for one in identity.staff(session) if contact is not None and one.id == contact.person_id]
        if not staff or not staff[0].active or not staff[0].responds:
            return UNKNOWN
        verbs = incidenting.on(session, clock)
        return obey(session, verbs, incidenting, fields.get("text", ""), staff[0].id)

    try:
        said = await db.write(write)
    except Refusal as refusal:
        said = refusal.detail
    return JSONResponse({"response_type": "ephemeral", "text": _plain(said)})


def obey(session: Session, verbs: Incidents, incidenting: Incidenting, text: str, person: str) -> str:
    """Do what the words ask for, and answer in words. Raises the refusals of the verbs."""
    word, _, rest = text.strip().partition(" ")
    rest = rest.strip()
    by: dict[str, Any] = {"by": person, "source": "slack"}
    if word == "open" and rest:
        first, _, title = rest.partition(" ")
        severity = Severity(first.upper()) if first.upper() in set(Severity) else None
        made = verbs.open(title if severity else rest, severity=severity, **by)
        return f"{made.severity} is open: {made.name}\n{incidenting.base_url}/incidents/{made.id}"
    if word == "list":
        found = store.listed(session, IncidentFilter(open=True), limit=_MOST_LISTED)
        return "\n".join(_line(one) for one in found) or "No incident is open."
    name, _, more = rest.partition(" ")
    if word == "ack" and name:
        return f"You have it: {verbs.acknowledge(name, alerts_too=True, **by).title}"
    if word == "status" and more.strip() in set(Status):
        return f"It is {verbs.change_status(name, Status(more.strip()), **by).status}."
    if word == "update" and more.strip():
        verbs.post_update(name, more.strip(), **by)
        return "Posted."
    if word == "resolve" and name:
        return f"Resolved: {verbs.resolve(name, reason=more.strip(), **by).title}"
    return HELP


def _line(one: Incident) -> str:
    return f"{one.severity} {one.status}: {one.title} ({one.name})"


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LARGEST:
            raise TooLarge(f"The body is larger than the {_LARGEST:,} bytes accepted here.")
    return bytes(body)


def _fields(body: bytes) -> dict[str, str]:
    try:
        found = parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise MalformedRequest("A form, encoded as URLs are, was expected.") from None
    if any("\0" in name + value for name, value in found):
        raise MalformedRequest("The form holds a NUL character.")
    return dict(found)


def _plain(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
