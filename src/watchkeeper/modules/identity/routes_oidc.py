"""The API of accounts elsewhere."""

# Annotations are kept as objects for FastAPI.
from typing import Annotated

from fastapi import Response

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.web.access import Actor, requires
from watchkeeper.kernel.web.parts import clock_part, database_part, part
from watchkeeper.kernel.web.wire import api_router
from watchkeeper.modules.identity.external import ExternalAccounts
from watchkeeper.modules.identity.permissions import UNLINK_ACCOUNTS
from watchkeeper.modules.identity.settings import IdentitySettings

router = api_router("people")


@router.delete("/people/{person_id}/external-accounts", status_code=204)
async def unlink_external_accounts(
    who: Annotated[Actor, requires(UNLINK_ACCOUNTS)],
    person_id: str,
    db: Annotated[Database, database_part()],
    clock: Annotated[Clock, clock_part()],
    settings: Annotated[IdentitySettings, part(IdentitySettings)],
) -> Response:
    """Forget which accounts of OpenID providers are this person's. The next one with their verified e-mail is linked
    anew; sessions go on. Unlinking again changes nothing."""
    await db.write(lambda session: ExternalAccounts(session, clock, settings).unlink(person_id, by=who))
    return Response(status_code=204)
