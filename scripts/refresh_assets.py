"""Bring the vendored front-end files to the versions in `assets.lock.json`; needs npm and its registry.

python scripts/refresh_assets.py                      fetch again what the lock names, and compare
python scripts/refresh_assets.py htmx.org=2.0.12      move one package to another version and rewrite the lock
python scripts/refresh_assets.py --check              only compare the files here with the lock, offline
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

VENDOR = Path(__file__).parent.parent / "src/watchkeeper/kernel/web/static/vendor"
LOCK = VENDOR / "assets.lock.json"


def main() -> int:
    """Exit code 0: files and lock agree."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare offline and change nothing")
    parser.add_argument("moves", nargs="*", metavar="NAME=VERSION")
    options = parser.parse_args()
    lock = json.loads(LOCK.read_text(encoding="utf-8"))
    if not options.check:
        moves = dict(move.split("=", 1) for move in options.moves)
        unknown = moves.keys() - {asset["name"] for asset in lock["assets"]}
        if unknown:
            sys.stderr.write(f"not in the lock: {', '.join(sorted(unknown))}\n")
            return 2
        for asset in lock["assets"]:
            refresh(asset, moves.get(asset["name"]))
        LOCK.write_text(json.dumps(lock, indent=2) + "\n", encoding="utf-8")
    wrong = differences(lock)
    sys.stdout.write(("\n".join(wrong) or "files and lock agree") + "\n")
    return 1 if wrong else 0


def refresh(asset: dict[str, Any], version: str | None) -> None:
    """Fetch one package and write its files; raises SystemExit when the registry gives other bytes than before."""
    with tempfile.TemporaryDirectory() as folder:
        wanted = f"{asset['name']}@{version or asset['version']}"
        subprocess.run(["npm", "pack", wanted, "--silent"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        tarball = next(Path(folder).glob("*.tgz"))
        integrity = "sha512-" + base64.b64encode(hashlib.sha512(tarball.read_bytes()).digest()).decode()
        if version is None and integrity != asset["integrity"]:
            raise SystemExit(f"{wanted}: the tarball is not the one in the lock")
        asset["version"], asset["integrity"] = version or asset["version"], integrity
        with tarfile.open(tarball) as archive:
            for name, entry in asset["files"].items():
                if entry["from"] is not None:
                    write(archive, entry, VENDOR / asset["folder"] / name)


def write(archive: tarfile.TarFile, entry: dict[str, Any], target: Path) -> None:
    """Copy one file out of the package, byte for byte."""
    member = archive.extractfile(f"package/{entry['from']}")
    if member is None:
        raise SystemExit(f"{entry['from']}: no such file in the package")
    content = member.read()
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(content)
    entry["sha512"] = hashlib.sha512(content).hexdigest()


def differences(lock: dict[str, Any]) -> list[str]:
    """What stands between the lock and the folder, a line each."""
    expected = {
        f"{asset['folder']}/{name}": entry["sha512"]
        for asset in lock["assets"]
        for name, entry in asset["files"].items()
    }
    found = {
        file.relative_to(VENDOR).as_posix(): hashlib.sha512(file.read_bytes()).hexdigest()
        for file in VENDOR.rglob("*")
        if file.is_file() and file != LOCK
    }
    lines = [f"{name}: not in the lock" for name in sorted(found.keys() - expected.keys())]
    lines += [f"{name}: missing" for name in sorted(expected.keys() - found.keys())]
    lines += [f"{name}: changed" for name in sorted(found.keys() & expected.keys()) if found[name] != expected[name]]
    return lines


if __name__ == "__main__":
    sys.exit(main())
