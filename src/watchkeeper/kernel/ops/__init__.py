"""Operations as code: files to a plan, a plan to changes, all or nothing.

A module brings an `OpsKind`; `app` lists them. Files are a mapping from path to text, wherever they came from.
"""

from watchkeeper.kernel.ops.directory import read_directory
from watchkeeper.kernel.ops.documents import Complaints, Document, Located, OpsInvalid, Position
from watchkeeper.kernel.ops.export import Export, export_files, kind_file
from watchkeeper.kernel.ops.kind import Action, Change, Drifted, OpsKind
from watchkeeper.kernel.ops.plan import Desired, Plan, PlanOutdated, apply_plan, differences, make_plan, read_files
from watchkeeper.kernel.ops.schema import json_schema, json_schemas
from watchkeeper.kernel.ops.writer import write_documents

__all__ = [
    "Action",
    "Change",
    "Complaints",
    "Desired",
    "Document",
    "Drifted",
    "Export",
    "Located",
    "OpsInvalid",
    "OpsKind",
    "Plan",
    "PlanOutdated",
    "Position",
    "apply_plan",
    "differences",
    "export_files",
    "json_schema",
    "json_schemas",
    "kind_file",
    "make_plan",
    "read_directory",
    "read_files",
    "write_documents",
]
