"""Watchkeeper: the operations side of a product, in one process."""

__version__ = "0.1.0"
