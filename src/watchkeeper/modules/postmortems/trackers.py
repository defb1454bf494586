"""Where issues go: one repository, and a token that is sealed."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from watchkeeper.kernel import journal
from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.errors import Complaint
from watchkeeper.modules.postmortems import store_actions
from watchkeeper.modules.postmortems.errors import TrackerInvalid
from watchkeeper.modules.postmortems.events import TrackerChanged
from watchkeeper.modules.postmortems.github import GitHub, check_tracker, seal_token
from watchkeeper.modules.postmortems.store_actions import Tracker


@dataclass(frozen=True)
class Trackers:
    """The tracker, on one session."""

    session: Session
    clock: Clock
    github: GitHub

    def put(self, repository: str, api_url: str, token: str | None, *, by: str, source: str) -> Tracker:
        """Raises TrackerInvalid. A kept token stays with its address: sent elsewhere, it would be given away."""
        repository, api_url, token = repository.strip(), api_url.strip().rstrip("/"), (token or "").strip() or None
        check_tracker(self.github.outbound, api_url, repository, token)
        held = store_actions.tracker(self.session)
        if token is None and (held is None or held.api_url != api_url):
            raise TrackerInvalid(
                "A new address needs its token.", complaints=[Complaint("token", "the token for this address")]
            )
        sealed = seal_token(self.github.key, token) if token is not None else held.token_sealed if held else ""
        now = self.clock.now()
        made = Tracker(api_url=api_url, repository=repository, token_sealed=sealed, updated_at=now, updated_by=by)
        store_actions.put_tracker(self.session, made)
        fact = TrackerChanged(before=_shown(held), after=_shown(made), token_changed=token is not None)
        journal.append(self.session, fact, by=by, source=source, at=now)
        return made

    def forget(self, *, by: str, source: str) -> None:
        """No issue is opened any more, and the token is gone. Those that are there stay as they are."""
        held = store_actions.tracker(self.session)
        if held is None:
            return
        store_actions.forget_tracker(self.session)
        fact = TrackerChanged(before=_shown(held), after={}, token_changed=True)
        journal.append(self.session, fact, by=by, source=source, at=self.clock.now())


def _shown(one: Tracker | None) -> dict[str, str]:
    return {} if one is None else {"repository": one.repository, "api_url": one.api_url}
