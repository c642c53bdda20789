from collections.abc import Iterator
from pathlib import Path

import pytest

from slipway.lifecycle.manager import Manager
from slipway.lifecycle.source import Found, SourceUnavailableError
from slipway.servables import State
from slipway.sources.watcher import Watcher
from slipway.testing import FakeLoader
from tests.support.waiting import wait_until


class FakeSource:
    """A source that has what a test says."""

    def __init__(self) -> None:
        self.model = "m"
        self.found: Found | None = Found({})

    def poll(self) -> Found:
        if self.found is None:
            raise SourceUnavailableError("Could not find base path")
        return self.found


@pytest.fixture
def source() -> FakeSource:
    return FakeSource()


@pytest.fixture
def manager() -> Iterator[Manager]:
    manager = Manager(FakeLoader())
    yield manager
    manager.close()


def following(source: FakeSource, manager: Manager) -> Watcher:
    watcher = Watcher(manager)
    watcher.follow([source], {})
    return watcher


def of(*numbers: int) -> Found:
    return Found({number: Path(f"/models/m/{number}") for number in numbers})


def states(manager: Manager) -> dict[int, State]:
    return {status.version: status.state for status in manager.statuses().get("m", ())}


def test_nothing_is_aspired_before_there_is_a_version(source: FakeSource, manager: Manager) -> None:
    watcher = following(source, manager)
    watcher.poll()
    assert manager.statuses() == {}
    source.found = of(1)
    watcher.poll()
    wait_until(lambda: states(manager) == {1: State.AVAILABLE}, "the load")


def test_when_all_versions_are_gone_the_model_is_unloaded(
    source: FakeSource, manager: Manager
) -> None:
    watcher = following(source, manager)
    for source.found, state in ((of(1), State.AVAILABLE), (of(), State.END)):
        watcher.poll()
        wait_until(lambda: states(manager) == {1: state}, state)  # noqa: B023


def test_the_last_version_answers_after_its_removal_until_an_incomplete_one_can_take_over(
    source: FakeSource, manager: Manager
) -> None:
    watcher = following(source, manager)
    source.found = of(1)
    watcher.poll()
    wait_until(lambda: states(manager) == {1: State.AVAILABLE}, "the load")
    source.found = Found({}, {2: "its files may still be growing"})
    watcher.poll()
    assert states(manager) == {1: State.AVAILABLE}
    source.found = of(2)
    watcher.poll()
    wait_until(
        lambda: states(manager) == {2: State.AVAILABLE, 1: State.END}, "version 2 to take over"
    )


def test_when_an_incomplete_version_vanishes_too_the_model_is_unloaded(
    source: FakeSource, manager: Manager
) -> None:
    watcher = following(source, manager)
    source.found = of(1)
    watcher.poll()
    wait_until(lambda: states(manager) == {1: State.AVAILABLE}, "the load")
    for source.found in (Found({}, {2: "saved_model.pb is missing"}), of()):
        watcher.poll()
    wait_until(lambda: states(manager) == {1: State.END}, "the unload")


def test_a_base_path_that_vanishes_changes_nothing(source: FakeSource, manager: Manager) -> None:
    watcher = following(source, manager)
    source.found = of(1)
    watcher.poll()
    wait_until(lambda: states(manager) == {1: State.AVAILABLE}, "the load")
    source.found = None
    watcher.poll()
    assert states(manager) == {1: State.AVAILABLE}


def test_what_is_waited_for_is_said_at_the_second_poll_and_now_and_then(
    source: FakeSource, manager: Manager, caplog: pytest.LogCaptureFixture
) -> None:
    now = 0.0
    watcher = Watcher(manager, reminder_s=10, clock=lambda: now)
    watcher.follow([source], {})
    source.found = Found({}, {7: "variables/variables.index is missing"})
    for now in (0.0, 1.0, 10.9, 11.0, 12.0):  # noqa: B007
        watcher.poll()
    assert [record.message for record in caplog.records] == [
        "Waiting: Version 7 of servable m is not complete: variables/variables.index is missing"
    ] * 2
    source.found = of()
    watcher.poll()
    source.found = Found({}, {7: "variables/variables.index is missing"})
    watcher.poll()
    assert len(caplog.records) == 2, "it is news again"


def test_a_hurried_look_is_at_those_models_alone(source: FakeSource, manager: Manager) -> None:
    watcher = following(source, manager)
    source.found = of(1)
    watcher.hurry(["other"])
    assert states(manager) == {}
    watcher.hurry(["m"])
    wait_until(lambda: states(manager) == {1: State.AVAILABLE}, "the load")
