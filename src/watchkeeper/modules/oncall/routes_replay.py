"""The API that tries a policy on alerts of the past."""

# Annotations are kept as objects for FastAPI.
from datetime import datetime
from typing import Annotated

from sqlalchemy.orm import Session

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.web.access import Actor, requires
from watchkeeper.kernel.web.wire import api_router
from watchkeeper.modules.identity import public as identity
from watchkeeper.modules.oncall.paging.replaying import replay_policy, stretch_of
from watchkeeper.modules.oncall.people import Addresses
from watchkeeper.modules.oncall.permissions import REPLAY_POLICIES
from watchkeeper.modules.oncall.policy import Policy
from watchkeeper.modules.oncall.routes import Db, Now
from watchkeeper.modules.oncall.wire_replay import ReplayOrder, ReplayView, ids_in

router = api_router("oncall", prefix="/api/v1/oncall")
# Whoever may look may try: it computes, and is a POST because of its body.
Replayer = Annotated[Actor, requires(REPLAY_POLICIES)]


@router.post("/policies/replay")
async def replay(who: Replayer, order: ReplayOrder, db: Db, clock: Now) -> ReplayView:
    """Who would have been paged when, had this policy been in force; nothing is saved, and nobody is called."""
    since, until = stretch_of(order.since, order.until, clock)
    return await db.ask(lambda session: replayed(session, order.policy, since, until, clock, every=order.every))


def replayed(
    session: Session, policy: Policy, since: datetime, until: datetime, clock: Clock, *, every: bool
) -> ReplayView:
    """A policy as people write it, replayed."""
    draft = Addresses.read(session).kept(policy)
    found = replay_policy(session, draft, since, until, clock, every=every)
    return ReplayView.of(found, identity.names(session, ids_in(found)))
