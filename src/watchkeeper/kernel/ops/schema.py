"""JSON Schemas of the files, for editors: made from the same models that check them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from watchkeeper.kernel.ops.kind import ListedKind, OpsKind, name_field
from watchkeeper.kernel.ops.listed import family_of

DIALECT = "https://json-schema.org/draft/2020-12/schema"
FOLDER = ".schemas"  # below ops/; hidden, so that no plan reads it


def json_schema(kind: OpsKind, kinds: Sequence[OpsKind] = ()) -> dict[str, Any]:
    """The schema of one document of this kind's files; editors check each document of a file by itself.

    `kinds` are those that may share the files.
    """
    family = family_of(kind, kinds or (kind,))
    words = " and ".join(one.name for one in family)
    head = {"$schema": DIALECT, "title": f"Watchkeeper {words}", "$comment": f"ops/{editor_pattern(kind)}"}
    listed = [one for one in family if isinstance(one, ListedKind)]
    schema = _of_lists(listed) if listed else kind.model.model_json_schema()
    return head | {name: value for name, value in schema.items() if name != "title"}


def json_schemas(kinds: Sequence[OpsKind]) -> dict[str, dict[str, Any]]:
    """File name, such as `service.schema.json`, to schema."""
    return {schema_file(kind): json_schema(kind, kinds) for kind in kinds}


def schema_texts(kinds: Sequence[OpsKind]) -> dict[str, str]:
    """File name to the text of the schema's file."""
    schemas = json_schemas(kinds).items()
    return {name: json.dumps(schema, indent=2, ensure_ascii=False) + "\n" for name, schema in schemas}


def schema_file(kind: OpsKind) -> str:
    """The file's name; kinds that share files share their schema."""
    shared = kind.pattern.split()[0].removesuffix(".yaml").removesuffix("/*") if isinstance(kind, ListedKind) else ""
    return f"{shared or kind.name}.schema.json"


def schema_line(kind: OpsKind, file: str) -> str:
    """The comment by which editors find the schema in `ops/.schemas/`, from where `file` is."""
    return f"# yaml-language-server: $schema={'../' * file.count('/')}{FOLDER}/{schema_file(kind)}"


def editor_pattern(kind: OpsKind) -> str:
    """The kind's pattern in the way of editors and `.gitignore`, where `*` stops at a slash."""
    return kind.pattern.replace("/*", "/**/*")


def _of_lists(kinds: Sequence[ListedKind]) -> dict[str, Any]:
    """The schema of a document with a list of each kind."""
    lists: dict[str, Any] = {}
    parts: dict[str, Any] = {}
    for kind in kinds:
        item = kind.model.model_json_schema()
        parts |= item.pop("$defs", {})
        parts[kind.name] = item
        text = {"type": "string", "description": f"The {name_field(kind.model)} alone."}
        lists[kind.listed_under] = {
            "type": ["array", "null"],
            "description": item.get("description", ""),
            "items": {"anyOf": [{"$ref": f"#/$defs/{kind.name}"}, text]},
        }
    return {"type": "object", "properties": lists, "additionalProperties": False, "$defs": parts}
