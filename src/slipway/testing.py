"""Fakes that Slipway is tested with, for tests of your own.

`slipway.dataplane.memory.MemoryPlane` is the larger one: a data plane that answers requests.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from slipway.errors import FailedPreconditionError, NotFoundError, ServingError
from slipway.servables import ServableId, VersionStatus

if TYPE_CHECKING:
    from slipway.gateway.handler import Handler


class Model(Protocol):
    """What a `SavedModel` of `slipway.load` is too."""

    def predict(
        self, inputs: Mapping[str, Any], *, signature: str, output_filter: Sequence[str]
    ) -> dict[str, Any]: ...


class FakeModels:
    """Models for handlers, by name: functions of the inputs, or models of `slipway.load`.

    For `run_handler`, or for all of an app: `create_app(config, models=FakeModels({...}))`.
    """

    def __init__(
        self, models: Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]] | Model]
    ) -> None:
        self._models = models
        self.calls: list[tuple[str, Mapping[str, Any]]] = []
        """The name and the inputs of each call."""
        self.settings: list[Mapping[str, Any]] = []
        """What else each call asked for: version, label, signature, timeout_s and idempotent."""

    def predict(
        self,
        model: str,
        inputs: Mapping[str, Any],
        *,
        signature: str,
        output_filter: Sequence[str],
        **settings: Any,
    ) -> dict[str, Any]:
        self.calls.append((model, inputs))
        self.settings.append({"signature": signature, **settings})
        if model not in self._models:
            raise NotFoundError(f"Servable not found for request: Latest({model})")
        found = self._models[model]
        if callable(found):
            return found(inputs)
        return found.predict(inputs, signature=signature, output_filter=output_filter)

    def unready_reason(self, model: str, **settings: Any) -> str | None:
        return None if model in self._models else f"{model} is not loaded"


def run_handler(
    handler: "Handler",
    models: "FakeModels | Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]] | Model]",
    /,
    **values: Any,
) -> Any:
    """Return what a handler of the gateway answers, without HTTP and without a model server.

    `values` are its parameters as the handler gets them, an image as a `PIL.Image.Image`; those
    left out have their defaults. Raises TypeError for values that it does not take, and what the
    handler raises.

        answer = run_handler(Sentence(), {"sentiment": slipway.load(path)}, line="很 喜欢")
    """
    from slipway.gateway.route import Route

    route = Route(handler)
    if unknown := values.keys() - route.parameters.keys():
        raise TypeError(f"{handler!r} takes no {', '.join(sorted(unknown))}")
    given = {name: p.default for name, p in route.parameters.items() if not p.is_required} | values
    if missing := route.parameters.keys() - given.keys():
        raise TypeError(f"{handler!r} takes {', '.join(sorted(missing))} too")
    fakes = models if isinstance(models, FakeModels) else FakeModels(models)
    return route.answer(fakes, given, _TIMEOUT_S)


_TIMEOUT_S = 60.0


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
