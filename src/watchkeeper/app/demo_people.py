"""Who is on call in `watchkeeper demo`: sample people, each with a contact on a phone that the demo answers for."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import TypeAdapter

from watchkeeper.kernel.keys import InstallationKey
from watchkeeper.kernel.ops import Complaints, yaml_file
from watchkeeper.kernel.web.wire import StrictModel
from watchkeeper.modules.identity import public as identity
from watchkeeper.modules.notify import store as contacts
from watchkeeper.modules.notify.codes import code_of
from watchkeeper.modules.notify.model import ChannelKind
from watchkeeper.modules.notify.service import Verbs

if TYPE_CHECKING:
    from watchkeeper.app.server import Watchkeeper

STAFF = "staff.yaml"
CHANNEL = "phones"
_BY = "system:demo"


class Sample(StrictModel):
    """Somebody of the sample product's team."""

    name: str
    email: str
    role: Literal["viewer", "responder", "operator", "admin"]

    @property
    def topic(self) -> str:
        """Of their phone."""
        return "phone-" + re.sub(r"[^A-Za-z0-9_-]", "-", self.email.partition("@")[0])


def staff_of(product: Path) -> list[Sample]:
    """The product's people; nobody where it names none."""
    file, complaints = product / STAFF, Complaints()
    if not file.is_file():
        return []
    documents = yaml_file.parse(STAFF, file.read_text(encoding="utf-8"), complaints)
    complaints.refuse_if_any()
    return TypeAdapter(list[Sample]).validate_python([one.value for one in documents])


def seat(watchkeeper: Watchkeeper, people: list[Sample], url: str) -> None:
    """Have them be here, each with a verified contact. Doing it again changes only where their phones are."""
    parts, clock = watchkeeper.app.state.parts, watchkeeper.clock
    with watchkeeper.db.begin() as session:
        verbs = parts[Verbs].on(session)
        verbs.put_channel(CHANNEL, ChannelKind.NTFY, settings={"url": url}, secrets={}, by=_BY, source="demo")
        for one in people:
            person = identity.ensure_sample_person(
                session, clock, watchkeeper.configuration.identity, name=one.name, email=one.email, role=one.role
            )
            if not contacts.contacts_of(session, person.id):
                said = {"by": person.id, "source": "demo"}
                made = verbs.add_contact(person.id, CHANNEL, one.topic, "phone in the demo", **said)
                row = contacts.contact_row(session, made.id)
                if row is not None and row.code_until is not None:
                    code = code_of(parts[InstallationKey], made.id, row.code_until)
                    verbs.verify(person.id, made.id, code, **said)
