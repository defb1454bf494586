"""From e-mail addresses to ids and back: people are written as addresses, and kept as ids."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from watchkeeper.modules.identity import public as identity
from watchkeeper.modules.oncall import definition, policy
from watchkeeper.modules.oncall.definition import Schedule
from watchkeeper.modules.oncall.policy import Policy
from watchkeeper.modules.oncall.store import ContentT


@dataclass(frozen=True)
class Addresses:
    """Everybody's address by id, and everybody's id by address."""

    of_id: Mapping[str, str] = field(default_factory=dict)
    ids: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, session: Session) -> Addresses:
        """As they are now. Whoever has no address is called by id."""
        found = [one for one in identity.staff(session) if one.email is not None]
        return cls(
            {one.id: str(one.email) for one in found}, {str(one.email).strip().casefold(): one.id for one in found}
        )

    def id_of(self, said: str) -> str:
        """The id of who has this address; anything else as it is, for the checks to complain of."""
        return self.ids.get(said.strip().casefold(), said)

    def address_of(self, who: str) -> str:
        """The address of who has this id; the id where there is none."""
        return self.of_id.get(who, who)

    def kept(self, content: ContentT) -> ContentT:
        """With ids."""
        return called(content, self.id_of)

    def written(self, content: ContentT) -> ContentT:
        """With addresses."""
        return called(content, self.address_of)


def called(content: ContentT, call: Callable[[str], str]) -> ContentT:
    """The same schedule or policy with everybody called otherwise."""
    if isinstance(content, Schedule):
        return definition.with_people(content, call)
    return policy.with_people(content, call)


def people_in(content: Schedule | Policy) -> list[str]:
    """Everybody whom it names, each once."""
    named = definition.people_of(content) if isinstance(content, Schedule) else policy.people_of(content)
    return list(dict.fromkeys(who for _, who in named))
