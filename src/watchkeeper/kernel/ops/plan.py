"""From files to a plan, and from a plan to changes. Modules bring the kinds; this brings the order."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from watchkeeper.kernel import journal
from watchkeeper.kernel.errors import Complaint, Conflict
from watchkeeper.kernel.ops.directory import LONGEST_PATH, MOST_BYTES, MOST_FILES, is_clean
from watchkeeper.kernel.ops.documents import Complaints, Document, Located, OpsInvalid, Position, check
from watchkeeper.kernel.ops.events import FilesApplied
from watchkeeper.kernel.ops.kind import Action, Change, OpsKind, ReadingKind, TextKind, fits, name_path
from watchkeeper.kernel.ops.listed import families, split
from watchkeeper.kernel.ops.yaml_file import Budget, parse

# Names of the design that this version does not read yet: a directory written for a later one is no mistake.
LATER = ("recovery/*", "cohorts.yaml", "deploy/*")
_NOBODYS = ("README.md", "*/README.md")
_COUNTED: Mapping[Action, str] = {"create": "created", "update": "changed", "delete": "deleted", "adopt": "adopted"}
_ADVISORY_LOCK = 7_238_411_605  # any number, the same on every replica


class PlanOutdated(Conflict):
    """Something changed since the plan was made; `plan` is what it is now."""

    code = "kernel.plan_outdated"
    title = "The plan is out of date"

    def __init__(self, detail: str, plan: Plan | None = None) -> None:
        super().__init__(detail)
        self.plan = plan


@dataclass(frozen=True)
class Plan:
    """Every object that the files name or leave out. `fingerprint` is of the changes and of what they start from."""

    changes: tuple[Change, ...]
    notices: tuple[str, ...]
    fingerprint: str

    @property
    def is_empty(self) -> bool:
        """Whether everything is as the files say."""
        return not self.effective

    @property
    def effective(self) -> tuple[Change, ...]:
        """The changes that change what is said of an object."""
        return tuple(change for change in self.changes if change.action not in ("adopt", "unchanged"))

    @property
    def adopted(self) -> tuple[Change, ...]:
        """Objects that are as the files say and belong to them from the apply on."""
        return tuple(change for change in self.changes if change.action == "adopt")

    def count(self, action: Action) -> int:
        return sum(change.action == action for change in self.changes)


@dataclass(frozen=True)
class Desired:
    """What files say, checked: the objects of each kind, and notices about files nobody reads yet."""

    objects: Mapping[str, list[Located[Any]]]
    notices: tuple[str, ...]


def read_files(files: Mapping[str, str], kinds: Sequence[OpsKind]) -> Desired:
    """Parse and check path → text. Needs no database, and up to seconds: keep it out of transactions.

    Raises OpsInvalid with every complaint.
    """
    _refuse_too_much(files)
    complaints = Complaints()
    objects: dict[str, list[Located[Any]]] = {kind.name: [] for kind in kinds}
    notices = []
    budget = Budget()
    for file in sorted(files):
        if budget.values < 0:
            break  # complained of already
        family = next((one for one in families(kinds) if fits(one[0], file)), None)
        if not is_clean(file):
            complaints.add(Position(_shown(file)), "a path inside ops/, such as services/web.yaml")
        elif family is not None:
            for kind, found in _of_file(file, files[file], family, complaints, budget):
                objects[kind.name].append(found)
        elif _fits(file, LATER):
            notices.append(f"{file}: not read by this version")
        elif not _fits(file, _NOBODYS):
            complaints.add(Position(file), f"a file that is known here: {_known(kinds)}")
    for kind in kinds:
        _refuse_doubles(objects[kind.name], name_path(kind), complaints)
    complaints.refuse_if_any()
    return Desired(objects, tuple(notices))


def _of_file(
    file: str, text: str, family: Sequence[OpsKind], complaints: Complaints, budget: Budget
) -> Iterable[tuple[OpsKind, Located[Any]]]:
    kind = family[0]
    if not isinstance(kind, TextKind):
        return _objects(parse(file, text, complaints, budget), family, complaints)
    # It explains the folder to whoever looks at it, where every file is Markdown.
    return [] if _fits(file, _NOBODYS) else [(kind, one) for one in kind.read_text(file, text, complaints)]


def _objects(
    documents: Iterable[Document], family: Sequence[OpsKind], complaints: Complaints
) -> Iterator[tuple[OpsKind, Located[Any]]]:
    for document in documents:
        for kind, part in split(document, family, complaints):
            if isinstance(kind, ReadingKind):
                yield from ((kind, one) for one in kind.read(part, complaints))
            elif (found := check(part, kind.model, complaints)) is not None:
                yield kind, found


def _refuse_too_much(files: Mapping[str, str]) -> None:
    size = 0
    for number, file in enumerate(sorted(files), start=1):
        size += len(files[file])
        if number > MOST_FILES or size > MOST_BYTES:
            most = f"at most {MOST_FILES:,} files and {MOST_BYTES // 1_000_000} MB"
            complaint = Complaint(
                str(Position(file if is_clean(file) else repr(file)[:LONGEST_PATH])), f"expected {most} in all"
            )
            raise OpsInvalid(f"A{most[1:]} are read; nothing was changed.", complaints=[complaint])


def make_plan(session: Session, desired: Desired, kinds: Sequence[OpsKind]) -> Plan:
    """What applying would do. Raises OpsInvalid with every complaint."""
    named = {kind: frozenset(str(one.value.name) for one in found) for kind, found in desired.objects.items()}
    complaints = Complaints(named)
    changes = [change for kind in kinds for change in kind.plan(session, desired.objects[kind.name], complaints)]
    complaints.refuse_if_any()
    return Plan(tuple(changes), desired.notices, _fingerprint(changes))


def apply_plan(
    session: Session,
    desired: Desired,
    kinds: Sequence[OpsKind],
    *,
    by: str,
    at: datetime,
    fingerprint: str | None = None,
) -> Plan:
    """Make all changes with their facts in the caller's transaction, and answer what they were.

    Raises OpsInvalid, or PlanOutdated when `fingerprint` is of another plan than the one that would be applied now.
    """
    _one_at_a_time(session)
    plan = make_plan(session, desired, kinds)
    if fingerprint is not None and fingerprint != plan.fingerprint:
        raise PlanOutdated("Something changed since this plan was made. Here is the plan as it is now.", plan)
    by_kind = {kind.name: kind for kind in kinds}
    wanted = {kind: {str(one.value.name): one.value for one in found} for kind, found in desired.objects.items()}
    for change in _in_order(plan):
        by_kind[change.kind].apply(session, change, wanted[change.kind].get(change.name), by=by, at=at)
    if plan.effective or plan.adopted:
        counts = {said: plan.count(action) for action, said in _COUNTED.items()}
        journal.append(session, FilesApplied(**counts, fingerprint=plan.fingerprint), by=by, source="ops", at=at)
    return plan


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Fields that differ, as (before, after); for kinds that compare plain values."""
    names = [*before, *(name for name in after if name not in before)]
    return {name: (before.get(name), after.get(name)) for name in names if before.get(name) != after.get(name)}


def _in_order(plan: Plan) -> Iterable[Change]:
    # What is deleted goes last and in the reverse order of kinds: later kinds refer to earlier ones.
    yield from (change for change in (*plan.effective, *plan.adopted) if change.action != "delete")
    yield from reversed([change for change in plan.effective if change.action == "delete"])


def _fingerprint(changes: Iterable[Change]) -> str:
    # By way of JSON: equal plans have equal fingerprints, whatever made them. Where it stands in a file is no matter.
    plain = [{**asdict(change), "where": ""} for change in changes]
    canonical = json.dumps(plain, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(canonical.encode()).hexdigest()[:32]


def _one_at_a_time(session: Session) -> None:
    # On SQLite the write transaction itself sees to it.
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})


def _shown(file: str) -> str:
    return file if is_clean(file) else repr(file)[:LONGEST_PATH]


def _fits(file: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(file, pattern) for pattern in patterns)


def _known(kinds: Sequence[OpsKind]) -> str:
    patterns = (pattern for kind in kinds for pattern in kind.pattern.split())
    return ", ".join(dict.fromkeys([*patterns, *LATER]))


def _refuse_doubles(found: list[Located[Any]], path: tuple[str, ...], complaints: Complaints) -> None:
    first: dict[str, Position] = {}
    for one in found:
        name, at = str(one.value.name), one.document.place(path)
        if name in first:
            complaints.add(at, f"each {path[-1]} once, found {name!r}, which is also at {first[name]}")
        first.setdefault(name, at)
