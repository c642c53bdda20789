"""Whether the judge of random reconfigurations sees what is wrong, and nothing else."""

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from reconfigure_judge import Ledger, Record
from reconfigure_plan import (
    ORIGINS,
    Origin,
    Planner,
    Served,
    Topic,
    first_plan,
    is_sound,
    truth,
    versions,
)

from slipway.lifecycle.version_policy import All, Latest, Specific

DISK = frozenset(ORIGINS.values())
A = {"tiny": Served("a", Specific(frozenset({1, 2})), {"stable": 1})}
B = {"tiny": Served("b", Specific(frozenset({2, 3})), {"stable": 2})}


@dataclass
class Clock:
    """A clock that stands until it is moved."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def ledger() -> Ledger:
    """`A` until 10 at least, `B` from 20 at most."""
    clock = Clock()
    ledger = Ledger(clock)
    ledger.follows(truth(A, DISK))
    clock.now = 10
    ledger.changes(truth(B, DISK))
    clock.now = 20
    ledger.follows(truth(B, DISK))
    return ledger


def of(folder: str, number: int) -> Origin:
    return Origin("tiny", folder, number)


def asked(begin: float, end: float, number: int | None = None, label: str | None = None) -> Record:
    return Record("a test", Topic("tiny", number, label), begin, end)


@pytest.mark.parametrize(
    ("record", "answered"),
    [
        (asked(1, 2), of("a", 2)),
        (asked(1, 2, 1), of("a", 1)),
        (asked(9, 11), of("b", 3)),
        (asked(12, 30, 2), of("a", 2)),
        (asked(12, 30, 2), of("b", 2)),
        (asked(12, 13, label="stable"), of("a", 1)),
        (asked(12, 13, label="stable"), of("b", 2)),
    ],
)
def test_old_and_new_may_answer_while_one_follows_the_other(
    ledger: Ledger, record: Record, answered: Origin
) -> None:
    assert ledger.objection(replace(record, answered=answered)) is None


@pytest.mark.parametrize(
    ("record", "answered", "objection"),
    [
        (asked(1, 9), of("b", 3), "was not configured"),
        (asked(21, 22, 2), of("a", 2), "was not configured"),
        (asked(1, 9), of("a", 1), "answered while 2 was available"),
        (asked(12, 13), of("a", 1), "answered while 2 was available"),
        (asked(1, 9, 1), of("a", 2), "answered"),
        (asked(1, 9), Origin("small", "a", 2), "answered"),
        (asked(1, 9, label="stable"), of("a", 2), "did not have the label"),
    ],
)
def test_what_was_not_there_or_not_asked_for_may_not_answer(
    ledger: Ledger, record: Record, answered: Origin, objection: str
) -> None:
    assert objection in (ledger.objection(replace(record, answered=answered)) or "")


def test_what_an_answer_says_of_itself_agrees_with_its_numbers(ledger: Ledger) -> None:
    record = replace(asked(1, 2), answered=of("a", 2), named=1)
    assert "says it is version 1" in (ledger.objection(record) or "")


@pytest.mark.parametrize(
    ("record", "code", "is_failure"),
    [
        (asked(1, 2, 1), "NOT_FOUND", True),
        (asked(9, 11, 1), "NOT_FOUND", False),
        (asked(9, 11, 1), "UNAVAILABLE", True),
        (asked(5, 25, 2), "NOT_FOUND", True),
        (asked(5, 25), "NOT_FOUND", True),
        (asked(5, 25, label="stable"), "INVALID_ARGUMENT", True),
        (asked(1, 2, 5), "NOT_FOUND", False),
        (asked(1, 2, label="canary"), "INVALID_ARGUMENT", False),
        (asked(1, 2, label="canary"), "NOT_FOUND", True),
    ],
)
def test_only_what_need_not_answer_may_be_not_there(
    ledger: Ledger, record: Record, code: str, is_failure: bool
) -> None:
    assert bool(ledger.objection(replace(record, code=code))) is is_failure


@pytest.mark.parametrize(
    ("record", "states", "is_wrong"),
    [
        (asked(1, 2), {1: "AVAILABLE", 2: "AVAILABLE"}, False),
        (asked(1, 2), {1: "LOADING", 2: "AVAILABLE"}, True),
        (asked(9, 11), {1: "UNLOADING", 2: "AVAILABLE", 3: "LOADING"}, False),
        (asked(9, 11), {1: "UNLOADING", 3: "AVAILABLE"}, True),
        (asked(21, 22), {1: "AVAILABLE", 2: "AVAILABLE", 3: "AVAILABLE"}, True),
    ],
)
def test_states_agree_with_what_is_bound_to_answer_and_may(
    ledger: Ledger, record: Record, states: dict[int, str], is_wrong: bool
) -> None:
    assert bool(ledger.objection(replace(record, states=states))) is is_wrong


def test_a_new_model_is_bound_to_answer_when_its_reload_has_returned() -> None:
    clock = Clock()
    ledger = Ledger(clock)
    ledger.changes(truth(A, DISK))
    clock.now = 1
    ledger.answers(["tiny"])
    missing = replace(asked(0.5, 2), code="NOT_FOUND")
    assert ledger.objection(missing) is None
    assert ledger.objection(replace(missing, begin=1.5)) is not None


def test_what_a_topic_is_answered_by() -> None:
    now = truth(A, DISK)
    assert now.answer(Topic("tiny")) == of("a", 2)
    assert now.answer(Topic("tiny", 1)) == of("a", 1)
    assert now.answer(Topic("tiny", label="stable")) == of("a", 1)
    assert now.answer(Topic("tiny", label="canary")) is None
    assert now.answer(Topic("tiny", 3)) is None
    assert now.answer(Topic("small")) is None


def test_a_seed_always_makes_the_same_plans_and_all_of_them_can_be_served() -> None:
    runs = []
    for _ in range(2):
        planner, plan = Planner(Random(7)), first_plan()
        for _ in range(200):
            plan = planner.next_plan(plan, DISK, DISK)
            assert is_sound(plan, DISK)
            runs.append(plan)
    assert runs[:200] == runs[200:]


def test_versions_are_those_on_disk_that_the_policy_wants() -> None:
    disk = DISK - {of("a", 3)}
    assert versions("tiny", Served("a", Latest()), disk) == {2}
    assert versions("tiny", Served("a", All()), disk) == {1, 2}
    assert versions("tiny", Served("c", Latest()), disk) == {5}
