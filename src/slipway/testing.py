"""Fakes that Slipway is tested with, for tests of your own.

`slipway.dataplane.memory.MemoryPlane` is the larger one: a data plane that answers requests.
"""

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from slipway.errors import FailedPreconditionError, ServingError
from slipway.servables import ServableId, VersionStatus


class FakeLoader:
    """A `Loader` that holds nothing, remembers what it was asked, and obeys the test.

    Loads of a version in `failures` raise that error. While `gate` is closed, loads and unloads
    wait at it.
    """

    def __init__(self) -> None:
        self.failures: dict[ServableId, ServingError] = {}
        self.gate = threading.Event()
        self.gate.set()
        self.calls: list[str] = []
        """`load {name: m version: 1}` and `unload ...`, in the order they began."""
        self.routes: dict[str, list[int]] = {}
        """What was published last, sorted."""
        self.history: list[dict[str, list[int]]] = []
        """Each value that `routes` has had."""
        self.labels: dict[str, dict[str, int]] = {}
        """What was published last."""
        self.paths: dict[str, dict[int, Path]] = {}
        """The folders behind `routes`."""

    def load(self, servable: ServableId, path: Path) -> None:
        self.calls.append(f"load {servable}")
        self.gate.wait()
        if error := self.failures.get(servable):
            raise error

    def publish(
        self,
        routes: Mapping[str, Mapping[int, Path]],
        labels: Mapping[str, Mapping[str, int]],
        statuses: Mapping[str, Sequence[VersionStatus]],
    ) -> None:
        self.paths = {model: dict(versions) for model, versions in routes.items()}
        self.labels = {model: dict(versions) for model, versions in labels.items()}
        self.routes = {model: sorted(versions) for model, versions in routes.items()}
        if not self.history or self.history[-1] != self.routes:
            self.history.append(self.routes)

    def unload(self, servable: ServableId, path: Path) -> None:
        if self.paths.get(servable.model, {}).get(servable.version) == path:
            raise FailedPreconditionError(f"{servable} still answers requests")
        self.calls.append(f"unload {servable}")
        self.gate.wait()
