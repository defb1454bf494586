"""Another release for a service that runs: what a deployment of Duet is, and what takes one back.

The command writes what is wanted into a file beside Duet's data; the supervisor looks at it each second, starts the
other release beside the old one on the same port, ends the old one once the new one answers, and says so in a second
file. A release that does not come up leaves the old one running.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from examples.duet.releases import RELEASES, SERVICES, UnknownRelease

VARIABLE = "DUET_DATA"
_WANTED, _RUNNING = "releases-wanted.json", "releases.json"
_WITHIN = 90.0


class NotRolledOut(Exception):
    """Duet does not run there, or the release did not come up."""


def wanted(data: Path) -> dict[str, str]:
    """The release that somebody asked for, by service; what is no service or release is left out."""
    return _read(data / _WANTED)


def note(data: Path, releases: Mapping[str, str], *, refused: Sequence[str] = ()) -> None:
    """Say what runs, and which of what was wanted did not come up."""
    _write(data / _RUNNING, {"releases": dict(releases), "refused": list(refused), "pid": os.getpid()})


def forget(data: Path) -> None:
    """Nothing runs, and nothing is wanted."""
    for name in (_WANTED, _RUNNING):
        (data / name).unlink(missing_ok=True)


def roll_out(data: Path, choices: Sequence[str], *, within: float = _WITHIN, wait: float = 0) -> dict[str, str]:
    """Have these releases run, such as `chat=v1`; what runs then. `wait`: seconds in which Duet may still be starting.

    Raises UnknownRelease or NotRolledOut.
    """
    chosen = _chosen(choices)
    before = _first_state(data, time.monotonic() + wait)
    _write(data / _WANTED, {**wanted(data), **chosen})
    until = time.monotonic() + within
    while time.monotonic() < until:
        state = _state(data)
        running, refused = state["releases"], state["refused"]
        if all(running.get(service) == release for service, release in chosen.items()):
            return dict(running)
        for service, release in chosen.items():
            if f"{service}={release}" in refused and refused != before["refused"]:
                raise NotRolledOut(f"{service} {release} did not come up; {running.get(service)} goes on")
        time.sleep(0.1)
    raise NotRolledOut(f"nothing changed within {within:.0f} s")


def _chosen(choices: Sequence[str]) -> dict[str, str]:
    chosen = dict(choice.split("=", 1) for choice in choices if "=" in choice)
    if len(chosen) != len(choices):
        raise UnknownRelease("a release of one service was expected, such as chat=v1")
    for service, release in chosen.items():
        if service not in SERVICES or release not in RELEASES:
            known = f"one of {', '.join(SERVICES)}, and {' or '.join(RELEASES)}"
            raise UnknownRelease(f"{service}={release} is unknown: {known} were expected")
    return chosen


def _first_state(data: Path, latest: float) -> dict[str, object]:
    while True:
        try:
            return _state(data)
        except NotRolledOut:
            if time.monotonic() >= latest:
                raise
        time.sleep(0.2)


def _state(data: Path) -> dict[str, object]:
    try:
        found = json.loads((data / _RUNNING).read_text(encoding="utf-8"))
        os.kill(int(found["pid"]), 0)
    except (OSError, ValueError, KeyError, TypeError):
        raise NotRolledOut(f"no Duet runs with its data in {data}") from None
    return found


def _read(file: Path) -> dict[str, str]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {service: release for service, release in found.items() if service in SERVICES and release in RELEASES}


def _write(file: Path, content: Mapping[str, object]) -> None:
    """As a whole: whoever reads meanwhile sees the old one or the new one."""
    part = file.with_name(f"{file.name}.{os.getpid()}")
    part.write_text(json.dumps(content), encoding="utf-8")
    part.replace(file)
