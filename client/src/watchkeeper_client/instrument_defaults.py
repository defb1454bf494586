"""Lets `opentelemetry-instrument` reach Watchkeeper with nothing but `OTEL_EXPORTER_OTLP_ENDPOINT` set.

OpenTelemetry's distribution for Python sends by gRPC unless `OTEL_EXPORTER_OTLP_PROTOCOL` says otherwise, and starts
the application without any telemetry when the gRPC exporter is not installed. Watchkeeper speaks OTLP over HTTP, and
`watchkeeper-client[otel]` brings only that exporter. So where nobody chose a protocol and gRPC could not work anyway,
HTTP is chosen. The command loads this module before it starts the application, through the entry point
`opentelemetry_environment_variables`: the only place early enough to hear what the user set.
"""

from __future__ import annotations

import os
from collections.abc import MutableMapping
from importlib.metadata import entry_points

PROTOCOL = "OTEL_EXPORTER_OTLP_PROTOCOL"


def choose_protocol(environ: MutableMapping[str, str]) -> None:
    """Set HTTP where an endpoint is named, no protocol is, and only the HTTP exporter is installed."""
    if "OTEL_EXPORTER_OTLP_ENDPOINT" not in environ or environ.get(PROTOCOL):
        return
    installed = {exporter.name for exporter in entry_points(group="opentelemetry_traces_exporter")}
    if "otlp_proto_http" in installed and "otlp_proto_grpc" not in installed:
        environ[PROTOCOL] = "http/protobuf"


choose_protocol(os.environ)
