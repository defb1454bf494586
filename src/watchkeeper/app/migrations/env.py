"""Alembic's entry: runs on the connection it is handed, in that connection's transaction."""

from __future__ import annotations

from alembic import context

from watchkeeper.app.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transaction_per_migration=False,
    compare_type=True,
)
context.run_migrations()
