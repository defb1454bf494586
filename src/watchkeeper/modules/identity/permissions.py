"""What identity asks for."""

from __future__ import annotations

from watchkeeper.kernel.web.access import Actor, Permission, Scope
from watchkeeper.modules.identity.errors import PeopleOnly

USE_ACCOUNT = Permission("identity.use_account", Scope.READ)
VIEW_PEOPLE = Permission("identity.view_people", Scope.READ)
MANAGE_PEOPLE = Permission("identity.manage_people", Scope.ADMIN)
MANAGE_TOKENS = Permission("identity.manage_tokens", Scope.ADMIN)
UNLINK_ACCOUNTS = Permission("identity.unlink_accounts", Scope.ADMIN)


def own_session(who: Actor) -> tuple[str, str]:
    """The ids of the person and the session of this actor. Raises PeopleOnly for tokens and the command line."""
    if who.kind != "person" or who.session_id is None:
        raise PeopleOnly
    return who.id, who.session_id
