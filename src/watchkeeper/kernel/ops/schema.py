"""JSON Schemas of the files, for editors: made from the same models that check them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from watchkeeper.kernel.ops.plan import OpsKind

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema(kind: OpsKind) -> dict[str, Any]:
    """The schema of one document of this kind's files."""
    schema = kind.model.model_json_schema()
    title = schema.pop("title", kind.name)
    return {"$schema": DIALECT, "title": title, "$comment": f"ops/{kind.pattern}", **schema}


def json_schemas(kinds: Sequence[OpsKind]) -> dict[str, dict[str, Any]]:
    """File name, such as `service.schema.json`, to schema."""
    return {f"{kind.name}.schema.json": json_schema(kind) for kind in kinds}
