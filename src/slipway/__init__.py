"""Slipway serves TensorFlow models over the TensorFlow Serving contract, or runs them here."""

from importlib import import_module
from typing import TYPE_CHECKING

from slipway.errors import ServingError, SlipwayError

if TYPE_CHECKING:
    from slipway.client.aio import AsyncClient
    from slipway.client.client import Client
    from slipway.gateway.handler import Handler
    from slipway.saved_model import SavedModel, load

__all__ = ["AsyncClient", "Client", "Handler", "SavedModel", "ServingError", "SlipwayError", "load"]

# Imported when they are asked for: they bring in NumPy and the native library.
_WHERE = {
    "AsyncClient": "slipway.client.aio",
    "Client": "slipway.client.client",
    "Handler": "slipway.gateway.handler",
    "SavedModel": "slipway.saved_model",
    "load": "slipway.saved_model",
}


def __getattr__(name: str) -> object:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_WHERE[name]), name)
