"""gRPC over a Unix socket, beside the port or in its place."""

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import slipway
from slipway.dataplane.base import PlaneConfig
from slipway.dataplane.native import NativePlane
from slipway.errors import UnavailableError
from tests.support import half
from tests.support.models import SavedModels
from tests.support.waiting import wait_until

X = np.asarray([1, 2, 5], np.float32)

Open = Callable[[Path], NativePlane]


@pytest.fixture
def open_at(saved_models: SavedModels) -> Iterator[Open]:
    """Opens planes that serve `half` at a path and at no port."""
    planes: list[NativePlane] = []

    def open_at(path: Path) -> NativePlane:
        plane = NativePlane(PlaneConfig(grpc_socket_path=path))
        planes.append(plane)
        half.load(plane, saved_models, 123)
        half.publish(plane, saved_models, 123)
        assert plane.start().grpc_socket == path
        return plane

    yield open_at
    for plane in planes:
        plane.drain(5)


def predict(address: str) -> list[float]:
    with slipway.Client(address) as client:
        outputs: list[float] = client.predict("half", {"x": X})["y"].tolist()
        return outputs


def test_the_socket_answers_beside_the_port(
    saved_models: SavedModels, stubs: Any, tmp_path: Path
) -> None:
    path = tmp_path / "socket"
    plane = NativePlane(PlaneConfig(grpc_port=0, grpc_socket_path=path))
    half.load(plane, saved_models, 123)
    half.publish(plane, saved_models, 123)
    addresses = plane.start()
    assert addresses.grpc
    for address in (addresses.grpc, f"unix:{path}"):
        assert predict(address) == [2.5, 3.0, 4.5]
        client = stubs.OfficialClient(address)
        answer = client.predict(stubs.model_spec("half"), x=X).outputs["y"]
        assert list(answer.float_val) == [2.5, 3.0, 4.5]
        client.channel.close()
    assert plane.drain(5)


def test_a_drained_plane_leaves_no_socket_behind(open_at: Open, tmp_path: Path) -> None:
    path = tmp_path / "socket"
    plane = open_at(path)
    assert path.is_socket()
    assert plane.drain(5)
    assert not path.exists()
    with pytest.raises(UnavailableError, match=f"unix:{path}: cannot connect"):
        predict(f"unix:{path}")


def test_a_socket_that_was_left_behind_is_taken_over(open_at: Open, tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as crashed:
        crashed.bind(str(path))
    assert path.is_socket()
    open_at(path)
    assert predict(f"unix:{path}") == [2.5, 3.0, 4.5]


def test_the_socket_of_a_successor_is_left_alone(open_at: Open, tmp_path: Path) -> None:
    path = tmp_path / "socket"
    first = open_at(path)
    open_at(path)
    assert first.drain(5)
    assert predict(f"unix:{path}") == [2.5, 3.0, 4.5]


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_what_is_no_socket_is_not_replaced(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "precious"
    match kind:
        case "file":
            path.write_text("text")
        case "folder":
            path.mkdir()
        case "link":
            path.symlink_to(tmp_path / "nowhere")
    before = path.lstat()
    plane = NativePlane(PlaneConfig(grpc_port=0, grpc_socket_path=path))
    with pytest.raises(OSError, match=f"cannot listen on unix:{path}: something .* no socket"):
        plane.start()
    assert path.lstat() == before
    plane.drain(5)


def test_a_socket_in_no_folder_is_named(tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "socket"
    plane = NativePlane(PlaneConfig(grpc_socket_path=path))
    with pytest.raises(OSError, match=f"cannot listen on unix:{path}: No such file"):
        plane.start()


def test_a_call_over_the_socket_is_answered_before_the_drain_ends(
    stubs: Any, tmp_path: Path
) -> None:
    path = tmp_path / "socket"
    begun, finish = threading.Event(), threading.Event()

    def on_reload(_config: Any, _deadline_s: float | None) -> None:
        begun.set()
        finish.wait(30)

    plane = NativePlane(PlaneConfig(grpc_socket_path=path), on_reload=on_reload)
    plane.start()
    client = stubs.OfficialClient(f"unix:{path}")
    request = stubs.reload_request()
    request.config.model_config_list.SetInParent()
    answers: list[Any] = []
    drained: list[bool] = []
    asking = threading.Thread(target=lambda: answers.append(client.reload(request)))
    asking.start()
    assert begun.wait(30)
    draining = threading.Thread(target=lambda: drained.append(plane.drain(30)))
    draining.start()
    wait_until(lambda: not path.exists(), "the socket to be removed")
    assert not answers
    assert not drained
    finish.set()
    asking.join()
    draining.join()
    assert [answer.status.error_code for answer in answers] == [0]
    assert drained == [True]
    client.channel.close()
