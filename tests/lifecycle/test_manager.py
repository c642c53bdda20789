"""The manager over a fake loader: no server, no disk, no TensorFlow."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from slipway.errors import Code, DataLossError
from slipway.lifecycle.manager import Manager, Wanted
from slipway.lifecycle.retry import Backoff
from slipway.lifecycle.states import Failure
from slipway.servables import ServableId, State, VersionStatus
from slipway.testing import FakeLoader
from tests.support.waiting import wait_until


@pytest.fixture
def loader() -> FakeLoader:
    return FakeLoader()


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def manager(loader: FakeLoader, clock: Clock) -> Iterator[Manager]:
    manager = Manager(loader, clock=clock, backoff=Backoff(interval_s=10, patience=1))
    yield manager
    loader.gate.set()
    manager.close()


def paths(*numbers: int) -> dict[int, Path]:
    return {number: Path(f"/models/m/{number}") for number in numbers}


def states(manager: Manager, model: str = "m") -> dict[int, State]:
    return {status.version: status.state for status in manager.statuses()[model]}


def test_an_aspired_version_is_loaded_and_then_routed_to(
    loader: FakeLoader, manager: Manager
) -> None:
    manager.aspire("m", paths(1))
    wait_until(lambda: loader.routes == {"m": [1]}, "version 1")
    assert loader.history == [{"m": []}, {"m": [1]}]
    assert states(manager) == {1: State.AVAILABLE}


def test_the_old_version_answers_until_the_new_one_does(
    loader: FakeLoader, manager: Manager
) -> None:
    manager.aspire("m", paths(1))
    wait_until(lambda: loader.routes == {"m": [1]}, "version 1")
    manager.aspire("m", paths(2))
    wait_until(lambda: states(manager) == {1: State.END, 2: State.AVAILABLE}, "the switch")
    assert [] not in [routes["m"] for routes in loader.history[1:]]
    assert loader.routes == {"m": [2]}
    assert loader.calls[-1] == "unload {name: m version: 1}"


def test_a_version_that_cannot_be_loaded_ends_with_its_error_and_the_old_one_stays(
    loader: FakeLoader, manager: Manager
) -> None:
    loader.failures[ServableId("m", 2)] = DataLossError("broken at /models/m/2/variables")
    manager.aspire("m", paths(1))
    wait_until(lambda: loader.routes == {"m": [1]}, "version 1")
    manager.aspire("m", paths(2))
    wait_until(lambda: states(manager)[2] is State.END, "the failure")
    assert manager.statuses()["m"][0] == VersionStatus(
        2, State.END, Code.DATA_LOSS, "broken at 2/variables"
    )
    assert loader.routes == {"m": [1]}


def test_a_failed_load_is_tried_again_when_its_pause_is_over(
    loader: FakeLoader, manager: Manager, clock: Clock
) -> None:
    servable = ServableId("m", 1)
    loader.failures[servable] = DataLossError("broken")
    manager.aspire("m", paths(1))
    # The second pause is twice as long: patience was for one.
    for attempts, (too_soon, due) in enumerate([(9, 10), (29, 30)], start=1):
        failure = {servable: Failure(attempts, Code.DATA_LOSS, "broken")}
        wait_until(lambda: manager.failures() == failure, "the failure")  # noqa: B023
        assert states(manager) == {1: State.END}
        clock.now = too_soon
        manager.retry()
        assert len(loader.calls) == attempts
        if attempts == 2:
            del loader.failures[servable]
        clock.now = due
        manager.retry()
    wait_until(lambda: loader.routes == {"m": [1]}, "the load")
    assert manager.statuses()["m"] == [VersionStatus(1, State.AVAILABLE)]
    assert manager.failures() == {}


def test_a_version_that_is_wanted_no_more_is_not_tried_again(
    loader: FakeLoader, manager: Manager, clock: Clock
) -> None:
    loader.failures[ServableId("m", 1)] = DataLossError("broken")
    manager.aspire("m", paths(1))
    wait_until(lambda: states(manager)[1] is State.END, "the failure")
    manager.aspire("m", {})
    clock.now = 1000
    manager.retry()
    assert len(loader.calls) == 1
    assert manager.failures() == {}


def test_a_version_that_comes_back_is_loaded_anew(loader: FakeLoader, manager: Manager) -> None:
    for lives in (1, 2):
        manager.aspire("m", paths(1))
        wait_until(lambda: loader.routes == {"m": [1]}, "the load")
        manager.aspire("m", {})
        wait_until(lambda: states(manager)[1] is State.END, "the unload")
        assert loader.calls.count("load {name: m version: 1}") == lives
    assert loader.routes == {"m": []}


def test_a_version_wanted_again_on_its_way_out_is_loaded_when_it_is_gone(
    loader: FakeLoader, manager: Manager
) -> None:
    manager.aspire("m", paths(1))
    wait_until(lambda: loader.routes == {"m": [1]}, "the load")
    loader.gate.clear()
    manager.aspire("m", {})
    wait_until(lambda: loader.calls[-1].startswith("unload"), "the unload to begin")
    manager.aspire("m", paths(1))
    assert states(manager)[1] is State.UNLOADING
    loader.gate.set()
    wait_until(lambda: loader.routes == {"m": [1]}, "the second load")
    assert loader.calls == [f"{deed} {{name: m version: 1}}" for deed in ("load", "unload", "load")]


def test_a_load_in_one_model_does_not_hold_up_another(loader: FakeLoader, manager: Manager) -> None:
    manager.aspire("other", {})
    loader.gate.clear()
    manager.aspire("m", paths(1))
    wait_until(lambda: len(loader.calls) == 1, "the first load")
    manager.aspire("other", {7: Path("/models/other/7")})
    wait_until(lambda: len(loader.calls) == 2, "the second load")
    assert states(manager)[1] is State.LOADING


def test_a_mistake_in_the_loader_is_an_error_of_the_version(
    manager: Manager, loader: FakeLoader, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(servable: ServableId, path: Path) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(loader, "load", fail)
    manager.aspire("m", paths(1))
    wait_until(lambda: states(manager)[1] is State.END, "the failure")
    assert manager.statuses()["m"][0].code is Code.INTERNAL


def test_whoever_is_woken_sees_the_new_state(loader: FakeLoader) -> None:
    seen: list[State] = []

    def look() -> None:
        seen.append(states(subject)[1])

    subject = Manager(loader, on_change=look)
    try:
        subject.aspire("m", paths(1))
        wait_until(lambda: State.AVAILABLE in seen, "the change")
    finally:
        subject.close()


def test_wanting_what_is_wanted_already_wakes_nobody(loader: FakeLoader) -> None:
    changes: list[None] = []
    subject = Manager(loader, on_change=lambda: changes.append(None))
    try:
        subject.aspire("m", paths(1))
        wait_until(lambda: len(changes) == 2, "the version to be wanted and loaded")
        subject.aspire("m", paths(1))
        assert len(changes) == 2
        assert loader.calls == ["load {name: m version: 1}"]
    finally:
        subject.close()


def test_a_version_from_another_folder_is_loaded_before_the_first_is_unloaded(
    loader: FakeLoader, manager: Manager
) -> None:
    manager.aspire("m", paths(1))
    wait_until(lambda: loader.routes == {"m": [1]}, "the load")
    loader.gate.clear()
    manager.aspire("m", {1: Path("/elsewhere/1")})
    wait_until(lambda: len(loader.calls) == 2, "the second load")
    assert states(manager) == {1: State.AVAILABLE}
    loader.gate.set()
    wait_until(lambda: len(loader.calls) == 3, "the unload")
    assert [call.split()[0] for call in loader.calls] == ["load", "load", "unload"]
    assert [] not in [routes["m"] for routes in loader.history[1:]]
    wait_until(lambda: loader.paths == {"m": {1: Path("/elsewhere/1")}}, "the switch")


def test_a_failed_version_is_tried_at_once_from_another_folder(
    loader: FakeLoader, manager: Manager
) -> None:
    servable = ServableId("m", 1)
    loader.failures[servable] = DataLossError("broken")
    manager.aspire("m", paths(1))
    wait_until(lambda: states(manager) == {1: State.END}, "the failure")
    del loader.failures[servable]
    manager.aspire("m", {1: Path("/elsewhere/1")})
    wait_until(lambda: states(manager) == {1: State.AVAILABLE}, "the load")


def test_folders_that_change_faster_than_they_load_end_at_the_last(
    loader: FakeLoader, manager: Manager
) -> None:
    manager.aspire("m", paths(1))
    wait_until(lambda: loader.routes == {"m": [1]}, "the load")
    loader.gate.clear()
    for folder in ("b", "c"):
        manager.aspire("m", {1: Path(f"/{folder}/1")})
    manager.aspire("m", paths(1))
    loader.gate.set()
    wait_until(
        lambda: loader.paths == {"m": paths(1)} and loader.calls.count(unload(1)) == 2,
        "what is wanted no more to leave",
    )
    assert [] not in [routes["m"] for routes in loader.history[1:]]


def unload(number: int) -> str:
    return f"unload {{name: m version: {number}}}"


def test_models_that_are_configured_no_more_are_unloaded_and_still_reported(
    loader: FakeLoader, manager: Manager
) -> None:
    manager.configure({"m": Wanted(paths(1)), "n": Wanted({1: Path("/models/n/1")})})
    wait_until(lambda: loader.routes == {"m": [1], "n": [1]}, "the loads")
    manager.configure({"n": Wanted(None)})
    wait_until(lambda: states(manager) == {1: State.END}, "the unload")
    assert loader.routes == {"n": [1]}
    assert states(manager, "n") == {1: State.AVAILABLE}


def test_a_label_moves_when_its_version_answers(loader: FakeLoader, manager: Manager) -> None:
    manager.configure({"m": Wanted(paths(1), {"stable": 1})})
    wait_until(lambda: loader.labels == {"m": {"stable": 1}}, "the label")
    loader.gate.clear()
    manager.configure({"m": Wanted(paths(1, 2), {"stable": 2, "canary": 2})})
    assert loader.labels == {"m": {"stable": 1}}
    loader.gate.set()
    wait_until(lambda: loader.labels == {"m": {"stable": 2, "canary": 2}}, "the label to move")
    assert loader.routes == {"m": [1, 2]}


def test_several_versions_from_another_folder_take_over_without_a_gap(
    loader: FakeLoader, manager: Manager
) -> None:
    manager.aspire("m", paths(1, 2))
    wait_until(lambda: loader.routes == {"m": [1, 2]}, "the loads")
    loader.gate.clear()
    elsewhere = {number: Path(f"/elsewhere/{number}") for number in (1, 2)}
    manager.aspire("m", elsewhere)
    assert states(manager) == {1: State.AVAILABLE, 2: State.AVAILABLE}
    loader.gate.set()
    wait_until(lambda: loader.paths == {"m": elsewhere}, "the switch")
    both = loader.history.index({"m": [1, 2]})
    assert loader.history[both:] == [{"m": [1, 2]}]


def test_a_label_never_points_at_nothing_while_its_version_loads(
    loader: FakeLoader, manager: Manager
) -> None:
    manager.configure({"m": Wanted(paths(1, 2), {"stable": 1})})
    wait_until(lambda: loader.routes == {"m": [1, 2]}, "the loads")
    loader.gate.clear()
    manager.configure({"m": Wanted(paths(2, 3), {"stable": 3})})
    assert loader.labels == {"m": {"stable": 1}}
    assert loader.routes == {"m": [1, 2]}
    loader.gate.set()
    wait_until(lambda: loader.routes == {"m": [2, 3]}, "the old version to leave")
    assert loader.labels == {"m": {"stable": 3}}


def test_a_load_that_is_taken_back_never_answers(
    loader: FakeLoader, manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering: set[Path] = set()
    publish = loader.publish

    def remember(
        routes: Mapping[str, Mapping[int, Path]],
        labels: Mapping[str, Mapping[str, int]],
        statuses: Mapping[str, Sequence[VersionStatus]],
    ) -> None:
        answering.update(path for versions in routes.values() for path in versions.values())
        publish(routes, labels, statuses)

    monkeypatch.setattr(loader, "publish", remember)
    manager.configure({"m": Wanted(paths(1))})
    wait_until(lambda: loader.routes == {"m": [1]}, "the load")
    loader.gate.clear()
    manager.aspire("m", paths(2))
    manager.configure({})
    elsewhere = {2: Path("/elsewhere/2")}
    manager.configure({"m": Wanted(elsewhere)})
    loader.gate.set()
    wait_until(lambda: loader.calls.count(unload(2)) == 1, "the first load to be undone")
    wait_until(lambda: loader.paths == {"m": elsewhere}, "the second load")
    assert answering == {*paths(1).values(), *elsewhere.values()}


def test_a_load_that_was_cancelled_says_so(loader: FakeLoader, manager: Manager) -> None:
    manager.aspire("m", paths(1))
    wait_until(lambda: loader.routes == {"m": [1]}, "the load")
    loader.gate.clear()
    manager.aspire("m", paths(1, 2))
    manager.aspire("m", paths(1))
    loader.gate.set()
    wait_until(lambda: states(manager) == {1: State.AVAILABLE, 2: State.END}, "the end")
    assert manager.statuses()["m"][0] == VersionStatus(
        2, State.END, Code.CANCELLED, "Loading of servable cancelled"
    )
    assert [2] not in [versions for routes in loader.history for versions in routes.values()]


def test_of_two_folders_of_a_number_the_wanted_one_is_reported(
    loader: FakeLoader, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = {1: Path("/elsewhere/1")}
    gate = threading.Event()
    load = loader.load

    def fail_elsewhere(servable: ServableId, path: Path) -> None:
        if path not in elsewhere.values():
            return load(servable, path)
        gate.wait()
        raise DataLossError("broken")

    monkeypatch.setattr(loader, "load", fail_elsewhere)
    loader.gate.clear()
    # While one thread loads, the other does what it is given in turn.
    subject = Manager(loader, load_threads=2)
    try:
        for versions in (paths(1), elsewhere, paths(1)):
            subject.aspire("m", versions)
        subject.aspire("n", elsewhere)
        gate.set()
        wait_until(lambda: states(subject, "n") == {1: State.END}, "the failures")
        assert states(subject) == {1: State.LOADING}
    finally:
        loader.gate.set()
        subject.close()


def test_labels_on_what_is_not_there_are_published_where_that_is_allowed(
    loader: FakeLoader,
) -> None:
    subject = Manager(loader, allow_unavailable_labels=True)
    try:
        subject.configure({"m": Wanted({}, {"later": 7})})
        assert loader.labels == {"m": {"later": 7}}
    finally:
        subject.close()


def test_i10_a_failed_version_keeps_the_highest_old_one_until_a_good_one_comes(
    loader: FakeLoader, manager: Manager
) -> None:
    manager.aspire("m", paths(0, 1))
    wait_until(lambda: loader.routes == {"m": [0, 1]}, "0 and 1")
    loader.failures[ServableId("m", 7)] = DataLossError("broken")
    manager.aspire("m", paths(7))
    wait_until(lambda: states(manager)[7] is State.END, "7 to fail")
    wait_until(lambda: loader.routes == {"m": [1]}, "0 to leave")
    manager.aspire("m", paths(8))
    wait_until(lambda: loader.routes == {"m": [8]}, "8 to take over")
    assert [] not in [routes["m"] for routes in loader.history[1:]]


def test_i11_a_step_back_loads_the_older_version_first(
    loader: FakeLoader, manager: Manager
) -> None:
    manager.aspire("m", paths(1))
    wait_until(lambda: loader.routes == {"m": [1]}, "1")
    manager.aspire("m", paths(0))
    wait_until(lambda: states(manager) == {0: State.AVAILABLE, 1: State.END}, "the step back")
    assert [] not in [routes["m"] for routes in loader.history[1:]]
