"""What backup and restore refuse. The titles are safe to keep in the journal; details may name files."""

from __future__ import annotations

from watchkeeper.kernel.errors import Conflict, NotFound, Refusal


class BackupDamaged(Refusal):
    """Something in the file is not what was written; `part` says where."""

    code = "backup.damaged"
    status = 422
    title = "The backup is damaged"

    def __init__(self, part: str, reason: str) -> None:
        super().__init__(f"The backup is damaged: {part}: {reason}.")
        self.part = part


class FormatUnknown(Refusal):
    code = "backup.format_unknown"
    status = 422
    title = "The backup was made by a newer version"


class WrongKey(Refusal):
    code = "backup.wrong_key"
    status = 422
    title = "The backup does not open with this passphrase or key"


class PassphraseRefused(Refusal):
    code = "backup.passphrase_refused"
    status = 422
    title = "The passphrase can't be used"


class KeyInsideOnly(Conflict):
    """The only key that would open the backup would lie in the backup."""

    code = "backup.key_inside_only"
    title = "Nobody could open this backup"


class TargetUnusable(Refusal):
    code = "backup.target_unusable"
    status = 503
    title = "The place for backups can't be used"


class TargetRefused(Refusal):
    code = "backup.target_refused"
    status = 422
    title = "Backups can't go there"


class TargetFull(TargetUnusable):
    code = "backup.target_full"
    title = "The disk is full"


class StateUnreadable(Refusal):
    """The database could not be copied or loaded."""

    code = "backup.state_unreadable"
    status = 503
    title = "The database could not be copied or loaded"


class ToolMissing(Refusal):
    code = "backup.tool_missing"
    status = 503
    title = "A program of PostgreSQL is missing or too old"


class PlaceNotEmpty(Conflict):
    code = "backup.place_not_empty"
    title = "Only an empty place is restored into"


class OtherEngine(Conflict):
    code = "backup.other_engine"
    title = "The backup is of another kind of database"


class BackupNotFound(NotFound):
    code = "backup.not_found"
    title = "There is no such backup"


class BackupRunning(Conflict):
    code = "backup.running"
    title = "A backup or a drill is running already"


class Interrupted(Refusal):
    code = "backup.interrupted"
    status = 503
    title = "Interrupted: the server stopped"
