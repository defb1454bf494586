"""Files that may be added to an incident: small ones, of kinds that a browser saves and never runs."""

from __future__ import annotations

import re
from collections.abc import Mapping

from watchkeeper.kernel.errors import Complaint
from watchkeeper.modules.incidents.errors import AttachmentRefused, AttachmentTooLarge

MOST = 50
# By the end of the name. HTML and SVG are none: they carry programs.
TYPES: Mapping[str, str] = {
    "txt": "text/plain",
    "log": "text/plain",
    "md": "text/plain",
    "csv": "text/csv",
    "json": "application/json",
    "yaml": "text/plain",
    "yml": "text/plain",
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "webp": "image/webp",
    "pdf": "application/pdf",
    "gz": "application/gzip",
    "zip": "application/zip",
    "har": "application/json",
}
_BEGINNINGS = {
    "image/png": (b"\x89PNG\r\n\x1a\n",),
    "image/jpeg": (b"\xff\xd8\xff",),
    "image/gif": (b"GIF87a", b"GIF89a"),
    "image/webp": (b"RIFF",),
    "application/pdf": (b"%PDF-",),
    "application/gzip": (b"\x1f\x8b",),
    "application/zip": (b"PK",),
}


def taken(file_name: str, content: bytes, *, largest: int) -> tuple[str, str]:
    """The name and the type under which a file is kept. Raises AttachmentRefused or AttachmentTooLarge."""
    if len(content) > largest:
        raise AttachmentTooLarge(f"It has {len(content):,} bytes; {largest:,} are taken at most.")
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", file_name.replace("\\", "/").rpartition("/")[2]).strip("-.")[-100:]
    media_type = TYPES.get(name.rpartition(".")[2].casefold()) if "." in name else None
    if media_type is None:
        raise _refused("file", f"a name that ends in one of {', '.join(TYPES)}")
    if not content:
        raise _refused("file", "a file with something in it")
    begins = _BEGINNINGS.get(media_type)
    if begins is not None and not content.startswith(begins):
        raise _refused("file", f"what begins as {media_type} does")
    return name, media_type


def _refused(where: str, expected: str) -> AttachmentRefused:
    return AttachmentRefused("This file is not taken.", complaints=[Complaint(where, expected)])
