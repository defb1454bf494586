"""Paging: from an alert group that is open to a person who has it, step by step, over any death on the way."""
