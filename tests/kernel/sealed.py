"""A sealed journal, and what somebody who owns its database can do to it."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

from sqlalchemy.orm import Session

from tests.conftest import NOON, SCRIPTS
from watchkeeper.kernel import journal
from watchkeeper.kernel.db.database import open_database
from watchkeeper.kernel.db.migrations import Migrations
from watchkeeper.kernel.journal import Event
from watchkeeper.kernel.journal.checkpoints import SigningKey, next_checkpoint
from watchkeeper.kernel.journal.origin import Origin, coming_from
from watchkeeper.kernel.journal.verifier import (
    Chain,
    ChainBroken,
    Checkpoint,
    row_hash,
)
from watchkeeper.kernel.journal.verify import sealed_rows

Row = dict[str, Any]
ROWS = 1_500


@dataclass(frozen=True, kw_only=True)
class LampLit(Event):
    kind: ClassVar[str] = "harbour.lamp_lit"

    lamp: str
    watts: int = 40


def light(session: Session, count: int = 1, **more: Any) -> int:
    seq = 0
    for number in range(count):
        seq = journal.append(
            session,
            LampLit(lamp=f"lamp_{number}"),
            by="per_alice",
            source="test",
            at=NOON + timedelta(seconds=number),
            **more,
        )
    return seq


@dataclass(frozen=True)
class Sealed:
    """A journal as it was written, and what left the machine meanwhile."""

    rows: list[Row]
    checkpoints: list[Checkpoint]

    def honest(self) -> Iterator[tuple[int, Chain]]:
        """Each seq, with a verifier that has seen all rows before it."""
        chain = Chain(self.checkpoints)
        for row in self.rows:
            yield row["seq"], copy.deepcopy(chain) if row["seq"] % 50 == 1 else copied(chain)
            chain.add(row)


def copied(chain: Chain) -> Chain:
    twin = Chain(())
    twin.state = copy.copy(chain.state)
    twin._coming, twin._open = list(chain._coming), list(chain._open)
    return twin


def sealed_in(folder: Path) -> Sealed:
    """A journal of 1,500 facts with addresses, and a checkpoint each hundred."""
    database = open_database(None, folder)
    try:
        Migrations(SCRIPTS).migrate(database.engine)
        key = SigningKey.kept_in(folder / "checkpoint.key")
        made: list[Checkpoint] = []
        for _ in range(ROWS // 100):
            with database.begin() as session, coming_from(Origin(address="203.0.113.9")):
                light(session, 100)
            with database.read() as session:
                made += [found] if (found := next_checkpoint(session, key, made[-1].seq if made else 0, NOON)) else []
        with database.read() as session:
            return Sealed(list(sealed_rows(session)), made)
    finally:
        database.close()


def first_bad(chain: Chain, rest: list[Row]) -> int | None:
    """The seq that a verifier names which goes on with these rows; None when it finds nothing."""
    try:
        for row in rest:
            chain.add(row)
        chain.finish()
    except ChainBroken as broken:
        return broken.seq
    return None


def resealed(rows: list[Row], previous: str) -> list[Row]:
    """The same rows with hashes that fit: what somebody does who owns the database and knows the format."""
    done = []
    for row in rows:
        own = row_hash(previous, row)
        done.append(row | {"prev_hash": previous, "hash": own})
        previous = own
    return done


def changed(row: Row, name: str) -> Row:
    value = row[name]
    other = value + 1 if isinstance(value, int) else f"{value or ''}x"
    return row | {name: other}
