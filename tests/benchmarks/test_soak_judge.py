"""Whether the soak sees a wrong version: a judge that objects to nothing would let it pass."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from soak_judge import LATEST, Ledger, Record


@pytest.fixture
def ledger() -> Ledger:
    """Version 1 until 20, at the latest; version 2 from 10, at the earliest."""
    ledger = Ledger()
    ledger.may_answer(1, 0)
    ledger.must_answer(1, 1)
    ledger.need_not_answer(1, 10)
    ledger.may_answer(2, 10)
    ledger.must_answer(2, 15)
    ledger.has_left(1, 20)
    return ledger


def asked(begin: float, end: float, pinned: int | None = LATEST) -> Record:
    return Record("a test", "small", begin, end, pinned)


@pytest.mark.parametrize(
    ("begin", "end", "pinned", "answered"),
    [
        (2, 3, LATEST, 1),
        (9, 11, LATEST, 1),
        (9, 11, LATEST, 2),
        (14, 30, LATEST, 1),
        (16, 17, LATEST, 2),
        (16, 17, 1, 1),
    ],
)
def test_a_version_that_was_there_may_answer(
    ledger: Ledger, begin: float, end: float, pinned: int | None, answered: int
) -> None:
    record = replace(asked(begin, end, pinned), answered=answered)
    assert ledger.objection(record) is None


@pytest.mark.parametrize(
    ("begin", "end", "pinned", "answered", "objection"),
    [
        (2, 9, LATEST, 2, "2 answered, which was not there"),
        (2, 9, LATEST, 7, "7 answered, which was not there"),
        (21, 22, 1, 1, "1 answered, which was not there"),
        (16, 17, LATEST, 1, "1 answered while 2 was available"),
        (16, 17, 1, 2, "2 answered in place of 1"),
        (2, 3, LATEST, None, "does not say of what version it is"),
    ],
)
def test_a_version_that_was_not_there_or_had_been_replaced_may_not(
    ledger: Ledger,
    begin: float,
    end: float,
    pinned: int | None,
    answered: int | None,
    objection: str,
) -> None:
    record = replace(asked(begin, end, pinned), answered=answered)
    assert ledger.objection(record) == objection


def test_what_an_answer_says_of_itself_agrees_with_its_numbers(ledger: Ledger) -> None:
    record = replace(asked(2, 3), answered=1, named=2)
    assert ledger.objection(record) == "says it is version 2 and has the numbers of 1"


@pytest.mark.parametrize(
    ("begin", "end", "pinned", "is_not_found", "is_failure"),
    [
        (9, 11, LATEST, True, True),
        (2, 3, 1, True, True),
        (9, 11, 1, True, False),
        (9, 11, 1, False, True),
        (16, 17, 1, True, False),
    ],
)
def test_only_a_version_that_may_leave_may_be_not_found(
    ledger: Ledger,
    begin: float,
    end: float,
    pinned: int | None,
    is_not_found: bool,
    is_failure: bool,
) -> None:
    record = replace(asked(begin, end, pinned), error="an error", is_not_found=is_not_found)
    assert ledger.is_failure(record) is is_failure
