"""The line that opens a block: ```` ```sh {run=shell id=restart confirm=second timeout=2m} ````."""

from __future__ import annotations

import difflib
import re
import shlex
from dataclasses import dataclass
from typing import Any

from watchkeeper.modules.runbooks.model import LONGEST_SECONDS, Confirmation, How

_BLOCK = re.compile(r"^(?P<language>[^\s{]*)\s*\{(?P<said>[^{}]*)\}\s*$")
_KEY = re.compile(r"[a-z0-9]([a-z0-9-]{0,58}[a-z0-9])?")
_TIME = re.compile(r"(\d{1,5})(s|m|h)?")
_SECONDS = {None: 1, "s": 1, "m": 60, "h": 3600}
_WORDS = ("run", "id", "title", "confirm", "timeout", "expect", "undo", "repeatable")
SHELLS = ("sh", "bash")


@dataclass(frozen=True)
class Wrong:
    """What an info string should have said; `column` counts from 1 within it."""

    column: int
    expected: str


def read_info(info: str) -> tuple[dict[str, Any] | None, list[Wrong]]:
    """What an info string says of a step, by the fields of Step. None: the block is only shown, not run."""
    found = _BLOCK.match(info.strip())
    if found is None:
        begun = "run=" in info or "{run" in info
        return None, [Wrong(1, "the step in braces, such as `sh {run=shell id=restart}`")] if begun else []
    try:
        words = shlex.split(found["said"])
    except ValueError:
        return None, [Wrong(found.start("said") + 1, "quotes that are closed")]
    said = dict(word.partition("=")[::2] for word in words)
    if "run" not in said:
        return None, []
    fields, wrong = _fields(said, found["language"])
    return fields, [Wrong(max(info.find(word), 0) + 1, expected) for word, expected in wrong]


def _fields(said: dict[str, str], language: str) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    wrong: list[tuple[str, str]] = []
    run = said["run"]
    fields: dict[str, Any] = {"language": language, "title": said.get("title", "")[:200]}
    if run == "shell":
        fields["how"] = How.SHELL
        if language not in SHELLS:
            wrong.append(("run", f"a shell before the braces, {' or '.join(SHELLS)}, found {language[:20]!r}"))
    elif run == "http":
        fields["how"] = How.HTTP
    elif _KEY.fullmatch(run):
        fields |= {"how": How.ACTION, "action": run}
    else:
        wrong.append(("run", f"run=shell, run=http or the name of an action, found {run[:40]!r}"))
    for name in said:
        if name not in _WORDS:
            close = difflib.get_close_matches(name, _WORDS, n=1)
            hint = f": did you mean {close[0]}?" if close else ""
            wrong.append((name, f"one of {', '.join(_WORDS)}, found {name[:40]!r}{hint}"))
    _read_key(said, fields, wrong)
    _read_rest(said, fields, wrong)
    return fields, wrong


def _read_key(said: dict[str, str], fields: dict[str, Any], wrong: list[tuple[str, str]]) -> None:
    for name, field in (("id", "key"), ("undo", "undo")):
        if name not in said:
            continue
        if _KEY.fullmatch(said[name]):
            fields[field] = said[name]
        else:
            wrong.append((name, f"{name}= small letters, digits and dashes, found {said[name][:40]!r}"))
    if "id" not in said:
        wrong.append(("run", "an id, such as id=restart, by which runs and rules name the step"))


def _read_rest(said: dict[str, str], fields: dict[str, Any], wrong: list[tuple[str, str]]) -> None:
    levels = [one.value for one in Confirmation]
    if said.get("confirm", "confirm") in levels:
        fields["confirm"] = Confirmation(said.get("confirm", "confirm"))
    else:
        wrong.append(("confirm", f"confirm= one of {', '.join(levels)}, found {said['confirm'][:40]!r}"))
    if "timeout" in said:
        found = _TIME.fullmatch(said["timeout"])
        seconds = int(found[1]) * _SECONDS[found[2]] if found else 0
        if 0 < seconds <= LONGEST_SECONDS:
            fields["timeout"] = seconds
        else:
            wrong.append(("timeout", f"timeout= such as 90s or 5m, at most 6h, found {said['timeout'][:40]!r}"))
    fields["expect"] = said.get("expect", "")[:500]
    if "repeatable" in said:
        if said["repeatable"] in ("", "true", "yes", "no", "false"):
            fields["repeatable"] = said["repeatable"] in ("", "true", "yes")
        else:
            wrong.append(("repeatable", f"the word repeatable alone, found {said['repeatable'][:40]!r}"))
