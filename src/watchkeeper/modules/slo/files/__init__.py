"""Objectives as files: OpenSLO v1 and Sloth's `prometheus/v1`, read with positions, written to read back."""
