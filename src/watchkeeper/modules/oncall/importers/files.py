"""What was imported as files of an `ops/` directory, to be looked at and applied."""

from __future__ import annotations

from watchkeeper.kernel.ops.export import family_file
from watchkeeper.modules.oncall.importers.result import Imported
from watchkeeper.modules.oncall.ops import OPS_KINDS, document_of


def files_of(found: Imported) -> dict[str, str]:
    """Path below `ops/` to text: each schedule and policy in a file of its own, named as an export names it."""
    schedules, policies = OPS_KINDS
    files = {}
    for schedule in found.schedules:
        file = schedules.file_of(schedule.name)
        files[file] = family_file(OPS_KINDS, file, {schedules.name: [document_of(schedule)]})
    for policy in found.policies:
        file = policies.file_of(policy.name)
        files[file] = family_file(OPS_KINDS, file, {policies.name: [document_of(policy)]})
    return files
