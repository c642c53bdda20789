"""Reloads over a fake loader: folders on disk, and no server."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from slipway.config.models import read_models
from slipway.config.schema import ModelConfig
from slipway.errors import Code, DataLossError, ServingError
from slipway.lifecycle.manager import Manager
from slipway.lifecycle.retry import Backoff
from slipway.lifecycle.version_policy import Specific
from slipway.servables import ServableId, State
from slipway.server.core import ServerCore
from slipway.server.reload import ReloadRequest, Reloads
from slipway.sources.directory import DirectorySource
from slipway.testing import FakeLoader
from tests.support.waiting import wait_until


@pytest.fixture
def loader() -> FakeLoader:
    return FakeLoader()


@pytest.fixture
def manager(loader: FakeLoader) -> Iterator[Manager]:
    manager = Manager(loader, backoff=Backoff(interval_s=0, patience=1))
    yield manager
    loader.gate.set()
    manager.close()


def open_source(model: ModelConfig) -> DirectorySource:
    return DirectorySource(model.name, model.base_path, model.policy, lambda _: None)


@pytest.fixture
def core(manager: Manager) -> ServerCore:
    core = ServerCore(manager, open_source, pause=lambda _: None)
    core.start([])
    return core


@pytest.fixture
def base_path(tmp_path: Path) -> Path:
    for number in ("1", "2"):
        (tmp_path / number).mkdir()
    return tmp_path


def states(manager: Manager, name: str = "m") -> dict[int, State]:
    return {status.version: status.state for status in manager.statuses().get(name, ())}


def test_a_label_may_follow_a_reload_at_once(
    core: ServerCore, loader: FakeLoader, base_path: Path
) -> None:
    loader.gate.clear()
    both = Specific(frozenset({1, 2}))
    core.reconfigure([ModelConfig("m", base_path, both)])
    core.reconfigure([ModelConfig("m", base_path, both, {"stable": 1})])
    loader.gate.set()
    wait_until(lambda: loader.labels == {"m": {"stable": 1}}, "the label")


def test_a_version_that_vanishes_right_after_a_reload_is_unloaded(
    core: ServerCore, manager: Manager, base_path: Path
) -> None:
    core.reconfigure([ModelConfig("m", base_path)])
    wait_until(lambda: states(manager) == {2: State.AVAILABLE}, "the load")
    for number in ("1", "2"):
        (base_path / number).rmdir()
    core.poll()
    wait_until(lambda: states(manager) == {2: State.END}, "the unload")


def test_a_model_that_is_to_have_no_version_is_not_waited_for(
    core: ServerCore, base_path: Path
) -> None:
    assert core.reconfigure([ModelConfig("m", base_path)]) == {"m"}
    assert core.reconfigure([ModelConfig("none", base_path, Specific(frozenset()))]) == frozenset()


def refusal(request: ReloadRequest) -> ServingError:
    error = request.outcome.exception(0)
    assert isinstance(error, ServingError)
    return error


def config(base_path: Path, *names: str) -> dict[str, Any]:
    models = [
        {"name": name, "base_path": str(base_path), "model_platform": "tensorflow"}
        for name in names
    ]
    return {"model_config_list": {"config": models}}


def test_a_failed_reload_says_why_also_while_the_load_is_tried_again(
    core: ServerCore, manager: Manager, loader: FakeLoader, base_path: Path
) -> None:
    loader.failures[ServableId("m", 2)] = DataLossError("broken")
    reloads = Reloads(core, lambda it: read_models(it, None), attempts=1)
    request = ReloadRequest(config(base_path, "m"), None)
    loader.gate.clear()
    reloads.begin(request)
    loader.gate.set()
    wait_until(lambda: states(manager) == {2: State.END}, "the failure")
    loader.gate.clear()
    manager.retry()
    assert states(manager) == {2: State.LOADING}
    reloads.settle()
    assert refusal(request).code == Code.UNKNOWN
    assert "{name: m version: 2} due to error: DATA_LOSS: broken" in str(refusal(request))
    assert core.configuration.models == {}


@pytest.mark.parametrize("order", ["ab", "ba"])
def test_reloads_that_build_on_one_another_and_fail_leave_nothing_behind(
    core: ServerCore,
    loader: FakeLoader,
    manager: Manager,
    base_path: Path,
    order: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gates = {ServableId(name, 2): threading.Event() for name in order}

    def load(servable: ServableId, _: Path) -> None:
        gates[servable].wait()
        raise DataLossError("broken")

    monkeypatch.setattr(loader, "load", load)
    reloads = Reloads(core, lambda it: read_models(it, None), attempts=1)
    requests = [ReloadRequest(config(base_path, *names), None) for names in ("a", "ab")]
    for request in requests:
        reloads.begin(request)
    for name in order:
        gates[ServableId(name, 2)].set()
        wait_until(lambda: states(manager, name) == {2: State.END}, "the failure")  # noqa: B023
        reloads.settle()
    assert [refusal(request).code for request in requests] == [Code.UNKNOWN] * 2
    assert core.configuration.models == {}


def test_what_a_caller_was_told_is_not_in_force_does_not_come_back(
    core: ServerCore, loader: FakeLoader, manager: Manager, base_path: Path
) -> None:
    loader.gate.clear()
    loader.failures[ServableId("b", 2)] = DataLossError("broken")
    reloads = Reloads(core, lambda it: read_models(it, None), attempts=1)
    overtaken, broken = (ReloadRequest(config(base_path, name), None) for name in "ab")
    reloads.begin(overtaken)
    reloads.begin(broken)
    loader.gate.set()
    wait_until(lambda: states(manager, "b") == {2: State.END}, "the failure")
    reloads.settle()
    assert [refusal(it).code for it in (overtaken, broken)] == [Code.ABORTED, Code.UNKNOWN]
    assert core.configuration.models == {}


def test_a_mistake_in_the_server_is_the_answer_to_its_request_alone(core: ServerCore) -> None:
    def read(_: object) -> list[ModelConfig]:
        raise ValueError("a mistake")

    request = ReloadRequest({}, None)
    Reloads(core, read, attempts=1).begin(request)
    assert isinstance(request.outcome.exception(0), ValueError)
