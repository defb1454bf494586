"""What postmortems ask for."""

from __future__ import annotations

from watchkeeper.kernel.web.access import Permission, Scope

VIEW_POSTMORTEMS = Permission("postmortems.view", Scope.READ)
# It computes, and keeps nothing.
CHECK_WORDS = Permission("postmortems.check", Scope.READ)
# Who responded writes down what was learned, whichever team a service belongs to: an incident rarely keeps to one.
EDIT_POSTMORTEMS = Permission("postmortems.edit", Scope.RESPOND)
SHARE_POSTMORTEMS = Permission("postmortems.share", Scope.WRITE)
MANAGE_TRACKER = Permission("postmortems.manage_tracker", Scope.ADMIN)
