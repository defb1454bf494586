"""What subjects and segments ask for."""

from __future__ import annotations

from watchkeeper.kernel.web.access import Permission, Scope

VIEW_COUNTS = Permission("subjects.view_counts", Scope.READ)
SEND_SUBJECTS = Permission("subjects.send", Scope.INTAKE)
# Looking at single users of the product is a duty, and so is erasing one: no role brings them along.
LOOK_UP_SUBJECTS = Permission("subjects.look_up", Scope.SAFETY)
ERASE_SUBJECTS = Permission("subjects.erase", Scope.PRIVACY)
VIEW_SEGMENTS = Permission("subjects.view_segments", Scope.READ)
EDIT_SEGMENTS = Permission("subjects.edit_segments", Scope.WRITE)
