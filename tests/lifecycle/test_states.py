from pathlib import Path

import pytest

from slipway.errors import Code, NotFoundError
from slipway.lifecycle.states import MOVES, Failure, Version
from slipway.servables import ServableId, State, VersionStatus


def version() -> Version:
    return Version(ServableId("lstm", 3), Path("/models/lstm/3"))


def test_a_version_lives_from_start_to_end() -> None:
    subject = version()
    seen = [subject.state]
    for move in (subject.begin_load, subject.finish_load, subject.begin_unload):
        move()
        seen.append(subject.state)
    subject.finish_unload()
    assert [*seen, subject.state] == list(State)
    assert subject.status == VersionStatus(3, State.END)


def test_a_failed_load_ends_with_its_error_and_no_path_above_the_version() -> None:
    subject = version()
    subject.begin_load()
    subject.fail_load(NotFoundError("no SavedModel at /models/lstm/3/saved_model.pb"))
    assert subject.status == VersionStatus(
        3, State.END, Code.NOT_FOUND, "no SavedModel at 3/saved_model.pb"
    )


def test_a_move_that_is_not_written_down_is_a_bug() -> None:
    with pytest.raises(AssertionError, match=r"lstm version: 3.*this is a bug"):
        version().finish_load()


def test_every_state_says_where_it_leads() -> None:
    assert set(MOVES) == set(State)


def test_a_version_that_is_tried_again_reports_no_error_while_it_loads() -> None:
    subject = version()
    subject.begin_load()
    subject.fail_load(NotFoundError("gone"))
    subject.try_again()
    assert subject.status == VersionStatus(3, State.START)
    assert subject.failure == Failure(1, Code.NOT_FOUND, "gone")
    subject.begin_load()
    subject.finish_load()
    assert subject.status == VersionStatus(3, State.AVAILABLE)
    assert not subject.failure
