"""How Watchkeeper watches itself: logs, traces and metrics of its own."""
