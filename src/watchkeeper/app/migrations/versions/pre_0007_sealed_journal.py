"""The journal is sealed: a hash chain over its rows, private values beside it, and checkpoints that leave."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from watchkeeper.kernel.clock import rfc3339
from watchkeeper.kernel.db.metadata import UtcDateTime
from watchkeeper.kernel.journal.verifier import FIELDS, GENESIS, row_hash

revision = "0007_sealed_journal"
down_revision = "0006_keys"
branch_labels = None
depends_on = None
phase = "pre"

_PAGE = 2_000


def upgrade() -> None:
    op.add_column("journal", sa.Column("commitments", sa.Text()))
    op.add_column("journal", sa.Column("prev_hash", sa.String(64), nullable=False, server_default=""))
    op.add_column("journal", sa.Column("hash", sa.String(64), nullable=False, server_default=""))
    op.add_column("journal_head", sa.Column("hash", sa.String(64), nullable=False, server_default=GENESIS))
    op.create_table(
        "journal_private",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, autoincrement=False),
        sa.Column("name", sa.String(40), primary_key=True),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("salt", sa.String(64), nullable=False),
    )
    _checkpoints()
    _seal_what_there_is()
    # An earlier version, should one still run, fails from here on instead of leaving rows that nothing seals.
    op.create_index(op.f("uq_journal_prev_hash"), "journal", ["prev_hash"], unique=True)


def _checkpoints() -> None:
    op.create_table(
        "audit_deliveries",
        sa.Column("sink", sa.String(20), nullable=False),
        sa.Column("seq", sa.BigInteger()),
        sa.Column("delivered_at", UtcDateTime()),
        sa.Column("failing_since", UtcDateTime()),
        sa.Column("error", sa.String(200)),
        sa.PrimaryKeyConstraint("sink", name=op.f("pk_audit_deliveries")),
    )
    op.create_table(
        "audit_witnessed",
        sa.Column("journal", sa.String(64), nullable=False),
        sa.Column("key", sa.String(16), nullable=False),
        sa.Column("public_key", sa.String(64), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("checkpoint", sa.Text(), nullable=False),
        sa.Column("received_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("journal", "key", name=op.f("pk_audit_witnessed")),
    )


def _seal_what_there_is() -> None:
    connection = op.get_bind()
    rows = sa.table("journal", *(sa.column(name, UtcDateTime()) if name == "at" else sa.column(name) for name in _ALL))
    if connection.execute(sa.select(rows.c.seq).limit(1)).first() is None:
        return
    _edits_are_refused(connection, refused=False)
    seq, previous = 0, GENESIS
    while page := connection.execute(sa.select(rows).where(rows.c.seq > seq).order_by(rows.c.seq).limit(_PAGE)).all():
        sealed = []
        for row in page:
            own = row_hash(previous, _with_text_time(row))
            sealed.append({"at_seq": row.seq, "before": previous, "own": own})
            seq, previous = row.seq, own
        statement = sa.update(rows).where(rows.c.seq == sa.bindparam("at_seq"))
        connection.execute(statement.values(prev_hash=sa.bindparam("before"), hash=sa.bindparam("own")), sealed)
    connection.execute(sa.text("UPDATE journal_head SET hash = :hash"), {"hash": previous})
    _edits_are_refused(connection, refused=True)


def _with_text_time(row: Any) -> dict[str, Any]:
    return {**row._mapping, "at": rfc3339(row.at)}


def _edits_are_refused(connection: sa.Connection, *, refused: bool) -> None:
    if connection.dialect.name == "postgresql":
        op.execute(f"ALTER TABLE journal {'ENABLE' if refused else 'DISABLE'} TRIGGER journal_refuses_edits")
    elif refused:
        op.execute(
            "CREATE TRIGGER journal_refuses_update BEFORE UPDATE ON journal "
            "BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END"
        )
    else:
        op.execute("DROP TRIGGER journal_refuses_update")


_ALL = (*FIELDS, "prev_hash", "hash")


def downgrade() -> None:
    for table in ("audit_witnessed", "audit_deliveries", "journal_private"):
        op.drop_table(table)
    op.drop_index(op.f("uq_journal_prev_hash"), "journal")
    for column in ("commitments", "prev_hash", "hash"):
        op.drop_column("journal", column)
    op.drop_column("journal_head", "hash")
