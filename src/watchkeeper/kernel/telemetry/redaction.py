"""Keeps secrets out of logs: by the name of a field, and by the look of a text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

HIDDEN = "[redacted]"
_DEPTH = 6
_NAMES = re.compile(
    r"authorization|cookie|passw|secret|token|api[_-]?key|csrf|credential|private[_-]?key", re.IGNORECASE
)
# "token_id" names a token without giving it away.
_HARMLESS = re.compile(r"_(id|count|name|kind)$", re.IGNORECASE)
_LOOKS = (
    (re.compile(r"\b(wk[a-z]{0,8})_[A-Za-z0-9_-]{16,}"), rf"\1_{HIDDEN}"),
    (re.compile(r"\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{6,}", re.IGNORECASE), rf"\1 {HIDDEN}"),
    (re.compile(r"(\w://[^\s/:@]*):[^\s/@]+@"), rf"\1:{HIDDEN}@"),
    (re.compile(r"(/(?:setup|login/link|ping|integrations/\w+)/)[A-Za-z0-9_-]{16,}"), rf"\1{HIDDEN}"),
)


def redact(name: str, value: Any, depth: int = 0) -> Any:
    """`value` without secrets, when it stands under `name`; nested too deeply, it is left out altogether."""
    if _NAMES.search(name) and not _HARMLESS.search(name) and value is not None and not isinstance(value, bool):
        return HIDDEN
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    if depth >= _DEPTH and isinstance(value, (Mapping, list, tuple)):
        return "…"
    if isinstance(value, Mapping):
        return {str(key): redact(str(key), one, depth + 1) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [redact(name, one, depth + 1) for one in value]
    return value


def redact_text(text: str) -> str:
    """`text` with whatever looks like a token, a password in an address or a one-time link hidden."""
    for look, instead in _LOOKS:
        text = look.sub(instead, text)
    return text
