"""What Watchkeeper says about itself in every span, log line and metric."""

from __future__ import annotations

import os
import socket
from functools import cache

from opentelemetry.sdk.resources import Resource

import watchkeeper

SERVICE = "watchkeeper"


@cache
def own_resource() -> Resource:
    """The resource of this process."""
    # Not Resource.create: it runs detectors and believes OTEL_* variables that are meant for watched services.
    return Resource(
        {
            "service.name": SERVICE,
            "service.version": watchkeeper.__version__,
            "service.instance.id": f"{socket.gethostname()}-{os.getpid()}",
            "telemetry.sdk.language": "python",
        }
    )
