"""What status pages ask for."""

from __future__ import annotations

from watchkeeper.kernel.web.access import Permission, Scope

VIEW_STATUS = Permission("status.view", Scope.READ)
DRAFT_UPDATES = Permission("status.draft", Scope.RESPOND)
PUBLISH_UPDATES = Permission("status.publish", Scope.WRITE)
MANAGE_STATUS = Permission("status.manage", Scope.WRITE)
