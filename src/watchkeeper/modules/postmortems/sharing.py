"""The public version of a postmortem: made by the rule, looked at, shared by a link, and taken back."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from watchkeeper.kernel import journal
from watchkeeper.kernel.clock import Clock, rfc3339
from watchkeeper.kernel.ids import is_id, new_id
from watchkeeper.kernel.keys import InstallationKey
from watchkeeper.modules.identity import public as identity
from watchkeeper.modules.postmortems import store, store_actions, store_shares
from watchkeeper.modules.postmortems.drafting import words_of
from watchkeeper.modules.postmortems.errors import PostmortemNotFound, ShareNotFound, ShareStale, StateRefused
from watchkeeper.modules.postmortems.events import PostmortemShared, ShareRevoked
from watchkeeper.modules.postmortems.model import TITLES, ActionItem, Moment, Postmortem, SectionText, State
from watchkeeper.modules.postmortems.redaction import Redacted, Rule
from watchkeeper.modules.postmortems.settings import PostmortemSettings
from watchkeeper.modules.postmortems.store_shares import Share

# Begins like every secret of ours, so that logs hide it.
_PREFIX = "wkp_"
# What a draft asks for, in italics: nobody outside has to answer it.
_ASKED = re.compile(r"^\*[^*\n]+\*$|(?<=\S) \*[^*\n]+\?\*", re.MULTILINE)
_MAC = 24


@dataclass(frozen=True)
class ShareLinks:
    """Makes and reads them. None is stored: each follows from the key and the share, and opens nothing else."""

    key: InstallationKey
    base_url: str

    def url_of(self, share_id: str) -> str:
        """The address that is given away."""
        return f"{self.base_url}{self.path_of(share_id)}"

    def path_of(self, share_id: str) -> str:
        """The same without the host."""
        return f"/shared/postmortems/{_PREFIX}{share_id.removeprefix('shr_')}-{self._mac(share_id)}"

    def share_of(self, secret: str) -> str | None:
        """The share that a secret opens; None for anything else, in the same time."""
        name, _, mac = secret.removeprefix(_PREFIX).partition("-")
        share_id = f"shr_{name}"
        right = hmac.compare_digest(mac.encode(), self._mac(share_id).encode())
        return share_id if right and is_id(share_id, "shr") and secret.startswith(_PREFIX) else None

    def _mac(self, share_id: str) -> str:
        made = hmac.new(self.key.derive("postmortems.share"), share_id.encode(), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(made[:_MAC]).decode().replace("-", "0")


@dataclass(frozen=True)
class PublicVersion:
    """What others would read. `version` is the postmortem's that it was made from."""

    content: Mapping[str, Any]
    removed: Mapping[str, int]
    version: int

    @property
    def tag(self) -> str:
        """Names just this content: what is shared is what somebody looked at."""
        plain = json.dumps(self.content, sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(plain.encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Sharing:
    """Public versions, on one session."""

    session: Session
    clock: Clock
    settings: PostmortemSettings

    def preview(self, postmortem_id: str) -> PublicVersion:
        """As it would be shared now. Raises PostmortemNotFound."""
        found = self._get(postmortem_id)
        names = tuple(name for one in identity.staff(self.session) for name in (one.name, one.email or "") if name)
        return public_version(
            found,
            tuple(store.sections_of(self.session, found.id).values()),
            store.moments_of(self.session, found.id),
            store_actions.listed(self.session, store_actions.ActionFilter(postmortem=found.id)),
            Rule(names, self.settings.hosts()),
        )

    def share(self, postmortem_id: str, *, tag: str, by: str, source: str) -> Share:
        """Share what was looked at: `tag` is that of the preview. What is edited later stays inside.

        Raises StateRefused before it was reviewed, and ShareStale when it changed since the preview.
        """
        found = self._get(postmortem_id)
        if found.state not in (State.REVIEWED, State.PUBLISHED):
            raise StateRefused("Only what was reviewed is shared.")
        made = self.preview(postmortem_id)
        if made.tag != tag:
            raise ShareStale("It changed since you looked at the preview: look at it again.")
        one = Share(
            id=new_id("shr"),
            postmortem=found.id,
            content=made.content,
            version=made.version,
            at=self.clock.now(),
            by=by,
        )
        store_shares.add(self.session, one)
        fact = PostmortemShared(
            postmortem=found.id,
            incident=found.incident,
            service_name=found.service,
            share=one.id,
            removed=sum(made.removed.values()),
        )
        journal.append(self.session, fact, by=by, source=source, at=one.at)
        return one

    def revoke(self, postmortem_id: str, share_id: str, *, by: str, source: str) -> None:
        """The link opens nothing any more. Raises ShareNotFound. Harmless when repeated."""
        found, one = self._get(postmortem_id), store_shares.by_id(self.session, share_id)
        if one is None or one.postmortem != found.id:
            raise ShareNotFound("This postmortem has no such link.")
        if one.revoked_at is not None:
            return
        now = self.clock.now()
        store_shares.revoke(self.session, share_id, at=now, by=by)
        fact = ShareRevoked(postmortem=found.id, incident=found.incident, service_name=found.service, share=share_id)
        journal.append(self.session, fact, by=by, source=source, at=now)

    def opened(self, share_id: str | None) -> Share:
        """What a link opens. Raises ShareNotFound: for one that was revoked with the same words as for any other."""
        one = store_shares.by_id(self.session, share_id) if share_id is not None else None
        if one is None or one.revoked_at is not None:
            raise ShareNotFound("Ask whoever gave it to you for another one.")
        return one

    def _get(self, postmortem_id: str) -> Postmortem:
        found = store.by_id(self.session, postmortem_id)
        if found is None:
            raise PostmortemNotFound(f"There is no postmortem {postmortem_id[:60]!r}.")
        return found


def public_version(
    found: Postmortem,
    texts: Sequence[SectionText],
    moments: Sequence[Moment],
    actions: Sequence[ActionItem],
    rule: Rule,
) -> PublicVersion:
    """Pure. Of the timeline what tells the story by itself; of actions what is done, not who does it."""
    removed: Counter[str] = Counter()

    def clean(text: str) -> str:
        redacted: Redacted = rule(text)
        removed.update(redacted.removed)
        return redacted.text

    measures = found.measures
    content: dict[str, Any] = {
        "title": clean(found.title),
        "severity": found.severity,
        "drill": found.drill,
        "started_at": rfc3339(measures.started_at),
        "lasted": words_of(measures.to_resolve),
        "detected_after": words_of(measures.to_detect),
        "sections": [
            {"name": one.name.value, "title": TITLES[one.name], "text": clean(text)}
            for one in texts
            if (text := _ASKED.sub("", one.text).strip())
        ],
        "timeline": [
            {"at": _minute(one.at), "text": clean(one.text)} for one in moments if one.first_class and not one.hidden
        ],
        "actions": [{"title": clean(one.title), "state": one.state.value.replace("_", " ")} for one in actions],
    }
    return PublicVersion(content, dict(removed), found.version)


def _minute(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
