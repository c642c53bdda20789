"""Native planes with models of their own."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from slipway.dataplane.base import Addresses, PlaneConfig
from slipway.dataplane.native import NativePlane
from slipway.servables import ServableId, State, VersionStatus
from tests.support.models import SavedModels


@contextmanager
def plane_of(
    saved_models: SavedModels, models: Sequence[str], config: PlaneConfig
) -> Iterator[Addresses]:
    """A plane that serves the first version of these exported models."""
    plane = NativePlane(config)
    versions = {
        model: min(saved_models.base_path(model).glob("[0-9]*"), key=lambda path: int(path.name))
        for model in models
    }
    for model, path in versions.items():
        plane.load(ServableId(model, int(path.name)), path)
    plane.publish(
        {model: {int(path.name): path} for model, path in versions.items()},
        {},
        {
            model: [VersionStatus(int(path.name), State.AVAILABLE)]
            for model, path in versions.items()
        },
    )
    yield plane.start()
    plane.drain(5)
