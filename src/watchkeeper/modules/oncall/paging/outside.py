"""Whether somebody outside would notice that this server died: what the banner and `doctor` both say of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from watchkeeper.modules.oncall import store as definitions
from watchkeeper.modules.oncall.definition import Schedule
from watchkeeper.modules.oncall.paging import store
from watchkeeper.modules.oncall.policy import Policy
from watchkeeper.modules.oncall.settings import OncallSettings

OLD = timedelta(minutes=2)


@dataclass(frozen=True)
class Outside:
    """`wrong`: why nobody would notice, in a sentence; None while somebody would. `pages`: whether anybody is paged."""

    pages: bool
    wrong: str | None = None
    told_at: datetime | None = None


def outside(session: Session, settings: OncallSettings, now: datetime) -> Outside:
    """Set-up is done only once the outside has heard. Whoever has no policy and no schedule yet does not page."""
    if not definitions.all_of(session, Policy) and not definitions.all_of(session, Schedule):
        return Outside(pages=False)
    if not settings.heartbeat_url:
        why = "Set-up is not done: nobody outside notices when this server dies. Set WATCHKEEPER_ONCALL_HEARTBEAT_URL."
        return Outside(True, why)
    watch = store.watch(session)
    told = watch.heartbeat_at if watch is not None else None
    if watch is not None and watch.heartbeat_failure:
        return Outside(True, f"The outside did not take the last word about paging: {watch.heartbeat_failure}.", told)
    if watch is None or told is None:
        return Outside(True, "Set-up is not done: the outside has not heard yet that paging works.", told)
    # Of a server that does not run nothing is expected.
    if not watch.findings and now - watch.looked_at <= OLD < now - told:
        return Outside(True, f"The outside has not heard since {told:%Y-%m-%d %H:%M} UTC that paging works.", told)
    return Outside(True, None, told)
