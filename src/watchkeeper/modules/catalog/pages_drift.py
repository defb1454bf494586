"""What a service's page says of `ops/`: who changed which field since the files were applied, and the file itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlencode

from sqlalchemy.orm import Session

from watchkeeper.kernel.clock import rfc3339
from watchkeeper.kernel.journal import Fact
from watchkeeper.kernel.ops import kind_file
from watchkeeper.kernel.ops.drift import Edit, edits_of
from watchkeeper.modules.catalog.model import Service
from watchkeeper.modules.catalog.ops import ServiceKind, document_of, drift_of, file_of
from watchkeeper.modules.identity import public as identity


@dataclass(frozen=True)
class ShownEdit:
    """A field that differs from the files, who changed it, and where that stands on the timeline."""

    edit: Edit
    by: str
    href: str


@dataclass(frozen=True)
class AsFile:
    """The service as a file below ops/."""

    path: str
    text: str


def shown_edits(session: Session, service: Service) -> list[ShownEdit]:
    """Nothing where nothing differs."""
    drifted = drift_of(service)
    if drifted is None:
        return []
    edits = edits_of(session, drifted)
    names = identity.names(session, {one.fact.actor for one in edits if one.fact})
    return [
        ShownEdit(one, names[one.fact.actor], _on_the_timeline(one.fact)) if one.fact else ShownEdit(one, "", "")
        for one in edits
    ]


def as_file(service: Service) -> AsFile:
    """What an export writes, also for a service that nobody described yet."""
    path = file_of(service.name)
    return AsFile(path, kind_file(ServiceKind(), path, [document_of(service)]))


def _on_the_timeline(fact: Fact) -> str:
    instant = {"since": rfc3339(fact.at), "until": rfc3339(fact.at + timedelta(microseconds=1))}
    return f"/timeline?{urlencode({'service': fact.service or '', 'kind': fact.kind, **instant})}"
