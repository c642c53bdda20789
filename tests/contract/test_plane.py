"""The seam, on every plane: what the control plane may rely on."""

import shutil
import threading
from pathlib import Path

import pytest

from slipway.dataplane.base import DataPlane
from slipway.errors import Code, FailedPreconditionError, NotFoundError, ServingError
from slipway.servables import ServableId, State, VersionStatus
from tests.support import half
from tests.support.models import SavedModels
from tests.support.rest import Reply, ask
from tests.support.waiting import wait_until

V123 = ServableId(half.HALF, 123)


def predict(plane_address: str | None, path: str = "half") -> Reply:
    assert plane_address
    return ask(plane_address, "POST", f"/v1/models/{path}:predict", {"instances": [1.0, 2.0]})


def test_a_loaded_version_answers_once_it_is_published(
    plane: DataPlane, saved_models: SavedModels
) -> None:
    address = plane.start().rest
    half.load(plane, saved_models, 123)
    assert predict(address).status == 404
    half.publish(plane, saved_models, 123)
    assert predict(address).json == {"predictions": [2.5, 3.0]}


def test_the_highest_published_version_answers_unless_another_is_asked_for(
    plane: DataPlane, saved_models: SavedModels
) -> None:
    address = plane.start().rest
    half.load(plane, saved_models, 123, 124)
    half.publish(plane, saved_models, 123, stable=123)
    assert predict(address, "half/versions/124").status == 404
    half.publish(plane, saved_models, 123, 124, stable=123)
    for path in ("half", "half/versions/123", "half/versions/124", "half/labels/stable"):
        assert predict(address, path).status == 200, path
    unknown = predict(address, "half/labels/canary")
    assert (unknown.status, unknown.error) == (
        400,
        "Unrecognized servable version label: canary",
    )


def test_a_route_to_what_is_not_loaded_changes_nothing(
    plane: DataPlane, saved_models: SavedModels
) -> None:
    address = plane.start().rest
    half.load(plane, saved_models, 123)
    half.publish(plane, saved_models, 123)
    with pytest.raises(FailedPreconditionError, match=r"half version: 124.* not loaded"):
        half.publish(plane, saved_models, 123, 124)
    assert predict(address).status == 200
    assert predict(address, "half/versions/124").status == 404


def test_a_version_is_loaded_once(plane: DataPlane, saved_models: SavedModels) -> None:
    half.load(plane, saved_models, 123)
    with pytest.raises(FailedPreconditionError, match="loaded already"):
        half.load(plane, saved_models, 123)


def test_a_folder_without_a_model_is_not_found(plane: DataPlane, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=tmp_path.name):
        plane.load(V123, tmp_path)


def test_a_version_is_unloaded_after_its_routes_are_gone(
    plane: DataPlane, saved_models: SavedModels
) -> None:
    half.load(plane, saved_models, 123)
    half.publish(plane, saved_models, 123)
    with pytest.raises(FailedPreconditionError, match="still answers"):
        plane.unload(V123, saved_models.version("half", 123))
    half.publish(plane, saved_models)
    plane.unload(V123, saved_models.version("half", 123))
    with pytest.raises(NotFoundError, match="not loaded"):
        plane.unload(V123, saved_models.version("half", 123))
    half.load(plane, saved_models, 123)


def test_the_same_version_from_another_folder_takes_over_without_a_gap(
    plane: DataPlane, saved_models: SavedModels, tmp_path: Path
) -> None:
    address = plane.start().rest
    first, second = saved_models.version("half", 123), tmp_path / "123"
    shutil.copytree(first, second)
    plane.load(V123, first)
    plane.publish({half.HALF: {123: first}}, {}, {})
    plane.load(V123, second)
    with pytest.raises(FailedPreconditionError, match="still answers"):
        plane.unload(V123, first)
    plane.publish({half.HALF: {123: second}}, {}, {})
    plane.unload(V123, first)
    assert predict(address).json == {"predictions": [2.5, 3.0]}
    with pytest.raises(FailedPreconditionError, match="still answers"):
        plane.unload(V123, second)


def test_statuses_are_reported_as_published_the_newest_first(plane: DataPlane) -> None:
    address = plane.start().rest
    assert address
    broken = VersionStatus(3, State.END, Code.DATA_LOSS, "broken")
    plane.publish({}, {}, {"m": [VersionStatus(1, State.LOADING), broken]})
    reply = ask(address, "GET", "/v1/models/m")
    assert reply.json == {
        "model_version_status": [
            {
                "version": "3",
                "state": "END",
                "status": {"error_code": "DATA_LOSS", "error_message": "broken"},
            },
            {
                "version": "1",
                "state": "LOADING",
                "status": {"error_code": "OK", "error_message": ""},
            },
        ]
    }
    one = ask(address, "GET", "/v1/models/m/versions/1").json["model_version_status"]
    assert [status["version"] for status in one] == ["1"]
    for path, message in [
        ("m/versions/2", "Could not find version 2 of model m"),
        ("n", "Could not find any versions of model n"),
    ]:
        reply = ask(address, "GET", f"/v1/models/{path}")
        assert (reply.status, reply.error) == (404, message)


def test_every_answer_is_of_one_snapshot(plane: DataPlane, saved_models: SavedModels) -> None:
    """A label and its route move together: a request by label always finds its version."""
    address = plane.start().rest
    half.load(plane, saved_models, 123, 124)
    half.publish(plane, saved_models, 123, current=123)
    replies: list[Reply] = []
    done = threading.Event()

    def keep_asking() -> None:
        while not done.is_set():
            replies.append(predict(address, "half/labels/current"))

    asking = threading.Thread(target=keep_asking)
    asking.start()
    for _ in range(100):
        half.publish(plane, saved_models, 124, current=124)
        half.publish(plane, saved_models, 123, current=123)
    wait_until(lambda: len(replies) > 20, "some answers")
    done.set()
    asking.join()
    assert {reply.status for reply in replies} == {200}


def test_a_drained_plane_takes_no_connection(plane: DataPlane) -> None:
    address = plane.start().rest
    assert address
    assert plane.drain(5)
    with pytest.raises(ConnectionRefusedError):
        ask(address, "GET", "/v1/models/m")


def test_draining_a_plane_that_is_not_open_is_no_work(plane: DataPlane) -> None:
    assert plane.drain(0)


def test_what_a_plane_raises_has_a_code(plane: DataPlane, tmp_path: Path) -> None:
    with pytest.raises(ServingError) as raised:
        plane.load(V123, tmp_path)
    assert raised.value.code is Code.NOT_FOUND
