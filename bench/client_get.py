"""What one read of a value costs, beside a bare dict and the clients of others, all in one process and one run.

`python -m bench.client_get`

Two questions. Static: what is this flag for everybody? Rule: is it on for this user, who gets it in Norway, and else
when among the first 25 %? The user is another of 1,000 each time. Nobody asks a network: each client is given its flags
from memory. The others live in an environment of their own below var/, made from requirements/rivals.lock.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from bench.support import headline

ROOT = Path(__file__).resolve().parents[1]
RIVALS = ROOT / "var" / "rivals"
GOAL_STATIC_NS, GOAL_RULE_NS, GOAL_RATIO = 500, 1_500, 5


def main() -> None:
    """Measure, print, and exit with 1 when a goal is missed."""
    _prepare()
    headline("One read of a value")
    environ = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'client' / 'src'}"}
    command = [str(RIVALS / "bin" / "python"), "-m", "bench.client_get_rivals"]
    told = subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, text=True, check=False)
    if told.returncode:
        raise SystemExit(told.stderr)
    found = {tuple(line.split("\t")[:2]): float(line.split("\t")[2]) for line in told.stdout.splitlines()}
    failed = False
    for question, goal in (("static", GOAL_STATIC_NS), ("rule", GOAL_RULE_NS)):
        ours = found[question, "watchkeeper"]
        others = {
            who: ns for (asked, who), ns in found.items() if asked == question and who not in ("watchkeeper", "dict")
        }
        print(f"  {question}: watchkeeper {ours:,.0f} ns; bare dict {found[question, 'dict']:,.0f} ns")
        for who, ns in sorted(others.items(), key=lambda one: one[1]):
            print(f"    {who}: {ns:,.0f} ns, {ns / ours:.1f} times ours")
        failed |= ours > goal or min(others.values()) / ours < GOAL_RATIO
    if failed:
        raise SystemExit(1)


def _prepare() -> None:
    lock, stamp = ROOT / "requirements" / "rivals.lock", RIVALS / ".ready"
    if stamp.exists() and stamp.stat().st_mtime > lock.stat().st_mtime:
        return
    uv = shutil.which("uv") or str(ROOT / ".venv" / "bin" / "uv")
    subprocess.run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(RIVALS)], check=True)
    index = _index()
    environ = {**os.environ, "VIRTUAL_ENV": str(RIVALS), **({"UV_DEFAULT_INDEX": index} if index else {})}
    subprocess.run([uv, "pip", "sync", "--quiet", "--require-hashes", str(lock)], check=True, env=environ)
    stamp.touch()


def _index() -> str | None:
    """A mirror, from the usual variables or pip's own configuration."""
    for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL"):
        if os.environ.get(name):
            return os.environ[name]
    told = subprocess.run(
        [sys.executable, "-m", "pip", "config", "get", "global.index-url"], capture_output=True, text=True, check=False
    )
    return told.stdout.strip() or None


if __name__ == "__main__":
    main()
