"""The Rust plane: the one module that imports `_native`."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from slipway import _native
from slipway.dataplane.base import Addresses, PlaneConfig, ReloadHandler, Tls
from slipway.errors import ServingError
from slipway.runtime import find_runtime
from slipway.servables import ServableId, VersionStatus

logger = logging.getLogger(__name__)


class NativePlane:
    """A `DataPlane` over TensorFlow's C API, with gRPC and REST.

    Raises RuntimeNotFoundError when TensorFlow is not installed, and what `check_tls` does.
    """

    def __init__(self, config: PlaneConfig, *, on_reload: ReloadHandler | None = None) -> None:
        self._server = _native.Server(
            config, library=find_runtime(), on_reload=on_reload and _logged(on_reload)
        )

    def start(self) -> Addresses:
        return Addresses(*self._server.start())

    def load(self, servable: ServableId, path: Path) -> None:
        self._server.load(servable.model, servable.version, path)

    def publish(
        self,
        routes: Mapping[str, Mapping[int, Path]],
        labels: Mapping[str, Mapping[str, int]],
        statuses: Mapping[str, Sequence[VersionStatus]],
    ) -> None:
        self._server.publish(
            {model: dict(versions) for model, versions in routes.items()},
            {model: dict(versions) for model, versions in labels.items()},
            {model: list(versions) for model, versions in statuses.items()},
        )

    def describe(self, config: str) -> None:
        self._server.describe(config)

    def unload(self, servable: ServableId, path: Path) -> None:
        self._server.unload(servable.model, servable.version, path)

    def drain(self, timeout_s: float) -> bool:
        return self._server.drain(timeout_s)


def incomplete_reason(path: Path) -> str | None:
    """Say why the SavedModel in the folder `path` is not all there yet; None when it is."""
    return _native.incomplete_reason(path)


def check_tls(tls: Tls) -> None:
    """Raise ValueError, naming the field, for keys and certificates that no port can have."""
    _native.check_tls(tls)


def runtime_version() -> str:
    """Return the version of the installed TensorFlow.

    Raises RuntimeNotFoundError when there is none, ServingError when it cannot be opened.
    """
    return _native.runtime_version(find_runtime())


def parse_text(message: str, text: str) -> dict[str, Any]:
    """Read the protobuf text form of the message named `message`, such as
    "tensorflow.serving.ModelServerConfig", into a dict of the fields that are set.

    Raises TextFormatError with line and column.
    """
    return _native.parse_text(message, text)


def _logged(on_reload: ReloadHandler) -> ReloadHandler:
    """Log what the caller over the network is not told of: a mistake in the handler itself."""

    def handle(config: Mapping[str, Any], deadline_s: float | None) -> None:
        try:
            on_reload(config, deadline_s)
        except ServingError:
            raise
        except Exception:
            logger.exception("Cannot apply a new configuration")
            raise

    return handle
