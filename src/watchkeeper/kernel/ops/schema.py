"""JSON Schemas of the files, for editors: made from the same models that check them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from watchkeeper.kernel.ops.kind import OpsKind

DIALECT = "https://json-schema.org/draft/2020-12/schema"
FOLDER = ".schemas"  # below ops/; hidden, so that no plan reads it


def json_schema(kind: OpsKind) -> dict[str, Any]:
    """The schema of one document of this kind's files; editors check each document of a file by itself."""
    schema = kind.model.model_json_schema()
    head = {"$schema": DIALECT, "title": f"Watchkeeper {kind.name}", "$comment": f"ops/{editor_pattern(kind)}"}
    return head | {name: value for name, value in schema.items() if name != "title"}


def json_schemas(kinds: Sequence[OpsKind]) -> dict[str, dict[str, Any]]:
    """File name, such as `service.schema.json`, to schema."""
    return {schema_file(kind): json_schema(kind) for kind in kinds}


def schema_texts(kinds: Sequence[OpsKind]) -> dict[str, str]:
    """File name to the text of the schema's file."""
    schemas = json_schemas(kinds).items()
    return {name: json.dumps(schema, indent=2, ensure_ascii=False) + "\n" for name, schema in schemas}


def schema_file(kind: OpsKind) -> str:
    return f"{kind.name}.schema.json"


def schema_line(kind: OpsKind, file: str) -> str:
    """The comment by which editors find the schema in `ops/.schemas/`, from where `file` is."""
    return f"# yaml-language-server: $schema={'../' * file.count('/')}{FOLDER}/{schema_file(kind)}"


def editor_pattern(kind: OpsKind) -> str:
    """The kind's pattern in the way of editors and `.gitignore`, where `*` stops at a slash."""
    return kind.pattern.replace("/*", "/**/*")
