"""A change is looked at before it is made: what it does, whom it reaches, whether it waits for somebody."""

# Annotations are kept as objects for FastAPI.
import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Annotated, Any

import orjson
from fastapi import Form, Request
from pydantic import Field
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.errors import Complaint
from watchkeeper.kernel.web.access import Actor
from watchkeeper.kernel.web.idempotency import Answer, idempotent
from watchkeeper.kernel.web.pages import render
from watchkeeper.kernel.web.wire import PageForm, page_router
from watchkeeper.modules.config import store
from watchkeeper.modules.config.authority import require_keys
from watchkeeper.modules.config.changes import Changes
from watchkeeper.modules.config.errors import ChangeInvalid
from watchkeeper.modules.config.model import ChangeSet, ChangeState, Operation, Parameter
from watchkeeper.modules.config.pages_reach import Reach, reach
from watchkeeper.modules.config.pages_shared import Place, place, step_shown
from watchkeeper.modules.config.routes import Changer, Db, Now, TheHub

router = page_router()

_ONCE = re.compile(r"[A-Za-z0-9_-]{16,64}")
_MOST_REACHED = 20


@dataclass(frozen=True)
class Proposal:
    """What somebody wants to change, why, and when: at once, if nothing else is said."""

    environment: str
    operations: Sequence[Operation]
    reason: str
    due_at: datetime | None = None

    def make(self, verbs: Changes, *, by: str) -> ChangeSet:
        """Propose it. Raises what `Changes.propose` raises."""
        return verbs.propose(
            self.environment, self.operations, reason=self.reason, by=by, source="console", due_at=self.due_at
        )

    def as_text(self) -> str:
        """The operations for the form that makes them."""
        said = [[one.key, one.slot, one.value, one.expected_version] for one in self.operations]
        return orjson.dumps(said).decode()


class MakeForm(PageForm):
    """A proposal that was looked at. `once` names the look: the same form sent again makes nothing twice."""

    environment: str = Field("", max_length=64)
    operations: str = Field("", max_length=900_000)
    reason: str = Field("", max_length=1_000)
    at: str = Field("", max_length=40)
    once: str = Field("", max_length=100)

    def proposal(self) -> Proposal:
        """Raises ChangeInvalid."""
        try:
            said = orjson.loads(self.operations)
            operations = [Operation(str(key), str(slot), value, int(seen)) for key, slot, value, seen in said]
        except (ValueError, TypeError):
            raise ChangeInvalid("The form did not arrive whole; go back and look again.") from None
        return Proposal(self.environment, operations, self.reason, instant(self.at))


class _OnlyLooked(Exception):
    """Ends the transaction of a look, so that nothing of it stays."""

    def __init__(self, change: ChangeSet) -> None:
        super().__init__()
        self.change = change


@dataclass(frozen=True)
class Preview:
    """What would become of a proposal."""

    place: Place
    change: ChangeSet
    known: dict[str, Parameter]
    reach: tuple[Reach, ...]


async def look(db: Database, clock: Clock, who: Actor, verb: Callable[[Changes], ChangeSet]) -> Preview:
    """The verb itself, taken back before anything of it stays. Raises what it raises."""

    def attempt(session: Session) -> None:
        change = verb(Changes(session, clock))
        require_keys(session, who, change.keys)
        raise _OnlyLooked(change)

    try:
        await db.write(attempt)
    except _OnlyLooked as seen:
        change = seen.change

    def read(session: Session) -> Preview:
        # Counting takes a while with many subjects; it must not hold up who writes.
        reached = reach(session, change.environment, change.steps[:_MOST_REACHED], clock.now())
        here = place(session, clock, change.environment)
        return Preview(here, change, store.parameters_of(session, change.keys), tuple(reached))

    return await db.ask(read)


def preview_page(request: Request, preview: Preview, *, back: str) -> Response:
    """The change as it would be, and the button that makes it."""
    change = preview.change
    proposal = Proposal(
        change.environment,
        [Operation(one.key, one.slot, one.after, one.version) for one in change.steps],
        change.reason,
        change.due_at,
    )
    definitions = {key: one.definition for key, one in preview.known.items()}
    return render(
        request,
        "config/preview.html",
        place=preview.place,
        change=change,
        steps=[step_shown(definitions.get(s.key), s.key, s.slot, s.before, s.after) for s in change.steps],
        known=definitions,
        reach=preview.reach,
        unreached=len(change.steps) - len(preview.reach),
        waits=change.state is ChangeState.WAITING_APPROVAL,
        operations=proposal.as_text(),
        once=secrets.token_urlsafe(16),
        at=f"{change.due_at:%Y-%m-%dT%H:%M}" if change.due_at else "",
        back=back,
    )


@router.post("/config/changes")
async def make(
    who: Changer, request: Request, form: Annotated[MakeForm, Form()], db: Db, clock: Now, hub: TheHub
) -> Response:
    """Make a change that was looked at, put it on the calendar, or send it for approval."""
    proposal = form.proposal()

    def run(session: Session) -> Answer:
        require_keys(session, who, [one.key for one in proposal.operations])
        return Answer({"id": proposal.make(Changes(session, clock), by=who.id).id})

    answer = await db.write(lambda session: _once(session, who, form, clock, lambda: run(session)))
    await hub.catch_up()
    return RedirectResponse(f"/config/changes/{answer.body['id']}", status_code=303)


def instant(text: str) -> datetime | None:
    """The instant of a form's field, in UTC. Raises ChangeInvalid."""
    if not text.strip():
        return None
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ChangeInvalid(
            "The time can't be read; nothing was changed.",
            complaints=[Complaint("at", "a date and a time such as 2026-11-30T09:00")],
        ) from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _once(session: Session, who: Actor, form: MakeForm, clock: Clock, run: Any) -> Answer:
    return idempotent(
        session,
        form.once if _ONCE.fullmatch(form.once) else secrets.token_urlsafe(16),
        who.id,
        sha256(form.model_dump_json(exclude={"csrf_token"}).encode()).hexdigest(),
        run,
        route="POST /config/changes",
        at=clock.now(),
    )
