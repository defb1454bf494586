"""State: one SQLite file with one writer, or PostgreSQL; the same code on both."""
