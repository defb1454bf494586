"""From what is to the files that say it: an apply of an export changes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError
from sqlalchemy.orm import Session

from watchkeeper.kernel.ops.kind import OpsKind, ReadingKind, TextKind, name_field
from watchkeeper.kernel.ops.listed import families, joined
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
    for family in families(kinds):
        documents: dict[str, dict[str, list[dict[str, Any]]]] = {}
        for kind in family:
            for file, document in kind.export(session):
                if isinstance(kind, (ReadingKind, TextKind)) or _reads_back(kind.model, document):
                    documents.setdefault(file, {}).setdefault(kind.name, []).append(document)
                else:
                    notices.append(f"{kind.name} {document[name_field(kind.model)]!r}: left out, no file can hold it")
        files |= {file: family_file(family, file, found) for file, found in documents.items()}
    return Export(dict(sorted(files.items())), tuple(notices))


def kind_file(kind: OpsKind, file: str, documents: Sequence[Mapping[str, Any]]) -> str:
    """The text of one file of objects of one kind, which names its schema to editors."""
    return family_file((kind,), file, {kind.name: documents})


def family_file(family: Sequence[OpsKind], file: str, documents: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """The text of one file of objects of kinds that share it, by the names of the kinds."""
    if isinstance(family[0], TextKind):
        return family[0].write_text(documents[family[0].name][0])
    return write_documents(joined(family, documents), schema_line(family[0], file))


def _reads_back(model: type[BaseModel], document: dict[str, Any]) -> bool:
    # What telemetry calls a thing may hold characters that nobody can write in a file.
    try:
        name: Any = getattr(model.model_validate(document), "name", None)
    except ValidationError:
        return False
    return bool(name == document[name_field(model)])
