"""What other modules and `app` may ask of status pages."""

from __future__ import annotations

from watchkeeper.modules.status.exporting import export_files, kept_export, write_export
from watchkeeper.modules.status.model import Component, State
from watchkeeper.modules.status.snapshot import Snapshot
from watchkeeper.modules.status.snapshot import take as summary
from watchkeeper.modules.status.store import components

__all__ = ["Component", "Snapshot", "State", "components", "export_files", "kept_export", "summary", "write_export"]
