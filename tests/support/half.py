"""The model `half` on a plane, in as few words as a test can spare."""

from slipway.dataplane.base import DataPlane
from slipway.servables import ServableId, State, VersionStatus
from tests.support.models import SavedModels

HALF = "half"


def load(plane: DataPlane, models: SavedModels, *versions: int) -> None:
    """Load these versions; no request reaches them yet."""
    for number in versions:
        plane.load(ServableId(HALF, number), models.version("half", number))


def publish(plane: DataPlane, models: SavedModels, *versions: int, **labels: int) -> None:
    """Route to these loaded versions, and to no other."""
    plane.publish(
        {HALF: {number: models.version("half", number) for number in versions}},
        {HALF: labels},
        {HALF: [VersionStatus(number, State.AVAILABLE) for number in versions]},
    )
