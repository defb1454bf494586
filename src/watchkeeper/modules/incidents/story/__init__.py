"""The story of an incident: what happened around it, what may be to blame, and how to undo that."""
