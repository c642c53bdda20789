"""What `slipway.Client` asks beyond models one by one: which there are, and to serve others."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

import slipway
from slipway.dataplane.base import PlaneConfig
from slipway.dataplane.native import NativePlane
from slipway.errors import FailedPreconditionError, TextFormatError, UnimplementedError
from tests.contract.conftest import Serving
from tests.support import half
from tests.support.foreign import grpc_server
from tests.support.models import SavedModels

CONFIG = """
model_config_list {
  config { name: "m" base_path: "/m" model_platform: "tensorflow"
           version_labels { key: "stable" value: 3 } }
}
"""


def nothing(*_: Any) -> Any:
    raise AssertionError("nobody asks for this")


def test_the_models_are_those_that_are_configured(
    serving: Serving, saved_models: SavedModels
) -> None:
    names = sorted(path.name for path in saved_models.folder.iterdir() if path.is_dir())

    async def ask() -> list[str]:
        async with slipway.AsyncClient(serving.grpc) as client:
            return await client.models()

    with slipway.Client(serving.grpc) as client:
        assert client.models() == names
    assert asyncio.run(ask()) == names


def test_a_model_without_a_version_is_one_too_however_many_there_are() -> None:
    plane = NativePlane(PlaneConfig(grpc_port=0))
    address = plane.start().grpc
    assert address
    names = [f"model_{number:03}" for number in range(300)]
    with slipway.Client(address) as client:
        assert client.models() == []
        plane.publish({name: {} for name in names}, {}, {})
        assert client.models() == names
        plane.publish({"m": {}}, {}, {})
        assert client.models() == ["m"]
    plane.drain(5)


def test_the_official_health_service_is_understood() -> None:
    class Health(health_pb2_grpc.HealthServicer):  # type: ignore[misc]
        def List(self, request: Any, context: Any) -> Any:  # noqa: N802
            statuses = {name: health_pb2.HealthCheckResponse(status=1) for name in ("b", "", "a")}
            return health_pb2.HealthListResponse(statuses=statuses)

    server = grpc.server(ThreadPoolExecutor(1))
    health_pb2_grpc.add_HealthServicer_to_server(Health(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with slipway.Client(f"127.0.0.1:{port}") as client:
        assert client.models() == ["a", "b"]
    server.stop(None).wait()


@pytest.fixture
def reloads() -> Iterator[tuple[str, list[Any]]]:
    """The address of a plane, and the configurations that it was given; it refuses empty ones."""
    received: list[Any] = []

    def on_reload(config: Any, _deadline_s: float | None) -> None:
        received.append(config)
        if not config["model_config_list"]:
            raise FailedPreconditionError("not now")

    plane = NativePlane(PlaneConfig(grpc_port=0), on_reload=on_reload)
    address = plane.start().grpc
    assert address
    yield address, received
    plane.drain(5)


def test_a_configuration_goes_to_the_server(reloads: tuple[str, list[Any]]) -> None:
    address, received = reloads

    async def ask() -> None:
        async with slipway.AsyncClient(address) as client:
            await client.reload(CONFIG)

    with slipway.Client(address) as client:
        client.reload(CONFIG)
    asyncio.run(ask())
    model = {
        "name": "m",
        "base_path": "/m",
        "model_platform": "tensorflow",
        "version_labels": {"stable": 3},
    }
    assert received == [{"model_config_list": {"config": [model]}}] * 2


def test_a_refused_configuration_raises_what_the_server_says(
    reloads: tuple[str, list[Any]],
) -> None:
    address, received = reloads
    with slipway.Client(address) as client:
        with pytest.raises(FailedPreconditionError, match="not now"):
            client.reload("model_config_list {}")
        with pytest.raises(TextFormatError, match=r"konfig") as raised:
            client.reload("model_config_list {\n  konfig {}\n}")
    assert (raised.value.line, raised.value.column) == (2, 3)
    assert len(received) == 1


def test_a_reload_takes_no_thread_from_those_that_run_models(saved_models: SavedModels) -> None:
    begun, finish = threading.Event(), threading.Event()

    def on_reload(_config: Any, _deadline_s: float | None) -> None:
        begun.set()
        finish.wait(30)

    plane = NativePlane(PlaneConfig(grpc_port=0, run_threads=1), on_reload=on_reload)
    half.load(plane, saved_models, 123)
    half.publish(plane, saved_models, 123)
    address = plane.start().grpc
    assert address
    with slipway.Client(address, timeout_s=30) as client:
        reloading = threading.Thread(target=lambda: client.reload(CONFIG))
        reloading.start()
        assert begun.wait(30)
        # So large that a network thread does not even read it.
        large = np.ones(100_000, np.float32)
        assert client.predict("half", {"x": large})["y"][-1] == 2.5
        assert reloading.is_alive()
        finish.set()
        reloading.join()
    plane.drain(5)


def test_servers_without_either_are_unimplemented(stubs: Any, serving: Serving) -> None:
    with (
        grpc_server(stubs, nothing) as foreign,
        slipway.Client(foreign) as grpc_client,
        slipway.Client(f"http://{serving.rest}") as rest_client,
    ):
        for client, text in (
            (grpc_client, "Method not found"),
            (rest_client, "not part of the REST"),
        ):
            with pytest.raises(UnimplementedError, match=text):
                client.models()
            with pytest.raises(UnimplementedError, match=text):
                client.reload(CONFIG)
