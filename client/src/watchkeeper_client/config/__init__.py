"""Reads the configuration in-process: values are decided here, from a snapshot that the server keeps current."""

from watchkeeper_client.config.asynchronous import AsyncClient
from watchkeeper_client.config.client import Client
from watchkeeper_client.config.parameter import Parameter
from watchkeeper_client.config.reading import Decision, Reader
from watchkeeper_client.config.status import Status

__all__ = ["AsyncClient", "Client", "Decision", "Parameter", "Reader", "Status"]
