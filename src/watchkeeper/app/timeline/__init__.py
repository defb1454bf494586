"""The timeline: the journal as people read it."""
