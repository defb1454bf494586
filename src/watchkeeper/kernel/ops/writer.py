"""Writing YAML that reads back as exactly what was written, here and in every editor: one way for each value.

Text is quoted wherever YAML 1.2 or the older 1.1 would take it for something else: `no`, `1_000`, `12:30`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import yaml

from watchkeeper.kernel.ops.yaml_file import plain_value

_STR = "tag:yaml.org,2002:str"
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}
# Other readers of YAML 1.1 than the one asked below take these for true and false.
_OLD_BOOLEANS = ("y", "n", "yes", "no", "on", "off")
_LARGEST_NUMBER = 10**18
_RESOLVER: Any = yaml.SafeLoader("")


def write_documents(documents: Iterable[Mapping[str, Any]], first_line: str = "") -> str:
    """The text of a file that holds these documents of plain values; `first_line`, a comment, begins each of them.

    Editors take what such a comment says for its own document only. Raises ValueError for what plain YAML can't hold.
    """
    head = f"{first_line}\n" if first_line else ""
    return "---\n".join(head + "".join(f"{line}\n" for line in _block(document)) for document in documents)


def _block(value: Any) -> list[str]:
    """The lines of a mapping or a list."""
    if isinstance(value, Mapping):
        return [line for key, one in value.items() for line in _entry(str(key), one)] or ["{}"]
    return [line for one in value for line in _item(one)] or ["[]"]


def _entry(key: str, value: Any) -> list[str]:
    head = f"{_text(key)}:"
    if _has_parts(value):
        return [head, *(f"  {line}" for line in _block(value))]
    first, *rest = _scalar(value)
    return [f"{head} {first}", *(f"  {line}" if line else "" for line in rest)]


def _item(value: Any) -> list[str]:
    first, *rest = _block(value) if _has_parts(value) else _scalar(value)
    return [f"- {first}", *(f"  {line}" if line else "" for line in rest)]


def _has_parts(value: Any) -> bool:
    return isinstance(value, (Mapping, Sequence)) and not isinstance(value, str) and len(value) > 0


def _scalar(value: Any) -> list[str]:
    """A value without parts; text of several lines gives several."""
    if isinstance(value, str):
        return _lines(value) or [_text(value)]
    if value is None:
        return ["null"]
    if isinstance(value, bool):
        return ["true" if value else "false"]
    if isinstance(value, (int, float)):
        return [_number(value)]
    return _block(value)


def _number(value: float) -> str:
    if isinstance(value, int) and abs(value) >= _LARGEST_NUMBER:
        raise ValueError("a number of at most 18 digits")
    text = repr(value)
    return {"inf": ".inf", "-inf": "-.inf", "nan": ".nan"}.get(text, text)


def _lines(text: str) -> list[str]:
    """A literal block, where that shows the text as it is; else nothing."""
    ends = text.endswith("\n")
    lines = text[: -1 if ends else None].split("\n")
    if len(lines) + ends < 2 or not lines[0] or not lines[-1] or lines[0].startswith(" "):
        return []
    if any(not line.isprintable() or line.endswith(" ") for line in lines):
        return []
    return ["|" if ends else "|-", *lines]


def _text(text: str) -> str:
    return text if _is_plain(text) else f'"{"".join(map(_character, text))}"'


def _is_plain(text: str) -> bool:
    if not text or not (text[0].isalnum() or text[0] in "/_(") or text[-1] in " :":
        return False
    if not text.isprintable() or ": " in text or " #" in text or text.lower() in _OLD_BOOLEANS:
        return False
    return isinstance(plain_value(text), str) and bool(_RESOLVER.resolve(yaml.ScalarNode, text, (True, False)) == _STR)


def _character(one: str) -> str:
    if one in _ESCAPES:
        return _ESCAPES[one]
    if one.isprintable():
        return one
    code = ord(one)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
