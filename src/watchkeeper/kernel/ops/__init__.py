"""Operations as code: files to a plan, a plan to changes, all or nothing.

A module brings an `OpsKind`; `app` lists them. Files are a mapping from path to text, wherever they came from.
"""

from watchkeeper.kernel.ops.directory import read_directory
from watchkeeper.kernel.ops.documents import Complaints, Document, Located, OpsInvalid, Position
from watchkeeper.kernel.ops.plan import (
    Change,
    Desired,
    OpsKind,
    Plan,
    PlanOutdated,
    apply_plan,
    differences,
    make_plan,
    read_files,
)
from watchkeeper.kernel.ops.schema import json_schema, json_schemas

__all__ = [
    "Change",
    "Complaints",
    "Desired",
    "Document",
    "Located",
    "OpsInvalid",
    "OpsKind",
    "Plan",
    "PlanOutdated",
    "Position",
    "apply_plan",
    "differences",
    "json_schema",
    "json_schemas",
    "make_plan",
    "read_directory",
    "read_files",
]
