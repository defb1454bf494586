"""Watchkeeper inside your own services: `telemetry.set_up(...)` sends telemetry, `Watchkeeper` asks the server."""

from watchkeeper_client.client import Watchkeeper
from watchkeeper_client.errors import Problem, Refused, Unreachable, WatchkeeperError
from watchkeeper_client.model import Fact, Seen, Service

__all__ = ["Fact", "Problem", "Refused", "Seen", "Service", "Unreachable", "Watchkeeper", "WatchkeeperError"]
