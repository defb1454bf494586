"""From what is to the files that say it: an apply of an export changes nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError
from sqlalchemy.orm import Session

from watchkeeper.kernel.ops.kind import OpsKind
from watchkeeper.kernel.ops.schema import schema_line
from watchkeeper.kernel.ops.writer import write_documents


@dataclass(frozen=True)
class Export:
    """Path to text of the files, and what could not be put into any."""

    files: Mapping[str, str]
    notices: tuple[str, ...]


def export_files(session: Session, kinds: Sequence[OpsKind]) -> Export:
    """Everything that people or files made. The same state gives the same files, to the byte."""
    files: dict[str, str] = {}
    notices = []
    for kind in kinds:
        documents: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for file, document in kind.export(session):
            if _reads_back(kind.model, document):
                documents[file].append(document)
            else:
                notices.append(f"{kind.name} {document['name']!r}: left out, no file can hold it")
        files |= {file: kind_file(kind, file, found) for file, found in documents.items()}
    return Export(dict(sorted(files.items())), tuple(notices))


def kind_file(kind: OpsKind, file: str, documents: Sequence[Mapping[str, Any]]) -> str:
    """The text of one file, which names its schema to editors."""
    return write_documents(documents, schema_line(kind, file))


def _reads_back(model: type[BaseModel], document: dict[str, Any]) -> bool:
    # What telemetry calls a thing may hold characters that nobody can write in a file.
    try:
        name: Any = getattr(model.model_validate(document), "name", None)
    except ValidationError:
        return False
    return bool(name == document["name"])
