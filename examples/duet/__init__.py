"""Duet, a small two-sided matching product that shows Watchkeeper at work. See README.md."""
