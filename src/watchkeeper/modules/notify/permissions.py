"""What notifications ask for."""

from __future__ import annotations

from watchkeeper.kernel.web.access import Permission, Scope

VIEW = Permission("notify.view", Scope.READ)
USE_CONTACTS = Permission("notify.use_contacts", Scope.READ)
CHANGE_CHANNELS = Permission("notify.change_channels", Scope.ADMIN)
