"""The sealed journal kept honest: checkpoints that leave the machine, the record as pages, and its verification."""
