"""Planes to run one suite against: the native one and the double in memory."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from slipway.dataplane.base import DataPlane, PlaneConfig
from slipway.dataplane.memory import Arrays, MemoryModel, MemoryPlane
from slipway.dataplane.native import NativePlane
from slipway.servables import ServableId, State, VersionStatus
from tests.support.inference import Ask, OverGrpc, OverRest
from tests.support.models import SavedModels


def half_plus_two(inputs: Arrays) -> Arrays:
    return {"y": inputs["x"] * np.float32(0.5) + np.float32(2)}


def open_half_plus_two(path: Path) -> MemoryModel:
    """Stand in for the SavedModel of the same folder."""
    (path / "saved_model.pb").read_bytes()
    return MemoryModel(half_plus_two, {"x": np.float32})


@pytest.fixture(params=["native", "memory"])
def plane(request: pytest.FixtureRequest) -> Iterator[DataPlane]:
    """A plane with free ports, not open yet."""
    config = PlaneConfig(grpc_port=0, rest_port=0)
    plane: DataPlane = (
        NativePlane(config)
        if request.param == "native"
        else MemoryPlane(config, open_half_plus_two)
    )
    yield plane
    plane.drain(5)


@dataclass(frozen=True)
class Serving:
    """An open native plane with every exported model."""

    grpc: str
    rest: str
    folder: Path


@pytest.fixture(scope="session")
def serving(saved_models: SavedModels) -> Iterator[Serving]:
    """Every exported model, each in all its versions, over gRPC and REST."""
    plane = NativePlane(PlaneConfig(grpc_port=0, rest_port=0))
    routes: dict[str, dict[int, Path]] = {}
    for base_path in filter(Path.is_dir, saved_models.folder.iterdir()):
        versions = {int(path.name): path for path in base_path.iterdir() if path.is_dir()}
        routes[base_path.name] = versions
        for number, path in versions.items():
            plane.load(ServableId(base_path.name, number), path)
    statuses = {
        model: [VersionStatus(number, State.AVAILABLE) for number in numbers]
        for model, numbers in routes.items()
    }
    plane.publish(routes, {"half": {"stable": 123}}, statuses)
    addresses = plane.start()
    assert addresses.grpc
    assert addresses.rest
    yield Serving(addresses.grpc, addresses.rest, saved_models.folder)
    plane.drain(5)


CheckRefusal = Callable[[tuple[Any, str], Any, str], None]


@pytest.fixture
def check_refusal(saved_models: SavedModels) -> CheckRefusal:
    """Check status and message of a failed call: a part of it, and that it tells no path."""

    def check(found: tuple[Any, str], status: Any, message: str) -> None:
        assert found[0] == status, found[1]
        assert message in found[1]
        assert str(saved_models.folder) not in found[1]

    return check


@pytest.fixture
def client(stubs: Any, serving: Serving) -> Iterator[Any]:
    """The official client of the server with every exported model."""
    client = stubs.OfficialClient(serving.grpc)
    yield client
    client.channel.close()


@pytest.fixture(params=["grpc", "rest"])
def over(request: pytest.FixtureRequest, serving: Serving, client: Any, stubs: Any) -> Ask:
    """Classify and Regress over each of the protocols, of every exported model."""
    return OverGrpc(client, stubs) if request.param == "grpc" else OverRest(serving.rest)
