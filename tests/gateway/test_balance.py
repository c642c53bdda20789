"""The choice of a server, and of the error to raise."""

import pytest

from slipway import errors
from slipway.errors import ServingError
from slipway.gateway.balance import ELSEWHERE, Load, choose, most_telling


def load(under_way: int, turn: int, *, away: bool = False) -> Load:
    return Load(under_way=under_way, turn=turn, is_away=away)


def test_the_least_loaded_server_is_next() -> None:
    servers = [load(2, 0), load(1, 9), load(3, 1)]
    assert choose(servers) is servers[1]


def test_of_several_the_one_whose_turn_is_longest_ago() -> None:
    servers = [load(1, 3), load(1, 2), load(1, 4)]
    assert choose(servers) is servers[1]


def test_one_that_is_away_is_not_asked_while_another_is_not() -> None:
    servers = [load(0, 0, away=True), load(7, 9)]
    assert choose(servers) is servers[1]
    assert choose(servers, [servers[1]]) is None


def test_those_that_are_away_take_turns_when_all_are() -> None:
    servers = [load(0, 3, away=True), load(5, 1, away=True), load(0, 2, away=True)]
    assert choose(servers) is servers[1]
    assert choose(servers, [servers[1]]) is servers[2]
    assert choose(servers, servers) is None


def test_another_attempt_goes_to_another_server() -> None:
    servers = [load(0, 0), load(4, 1)]
    assert choose(servers, [servers[0]]) is servers[1]
    assert choose(servers, servers) is None


NOT_FOUND, UNAVAILABLE = errors.NotFoundError("n"), errors.UnavailableError("u")
EXHAUSTED, PRECONDITION = errors.ResourceExhaustedError("e"), errors.FailedPreconditionError("p")


@pytest.mark.parametrize(
    ("found", "raised"),
    [
        ([NOT_FOUND, UNAVAILABLE], UNAVAILABLE),
        ([UNAVAILABLE, EXHAUSTED], EXHAUSTED),
        ([NOT_FOUND, PRECONDITION], PRECONDITION),
        ([PRECONDITION, UNAVAILABLE], UNAVAILABLE),
        ([NOT_FOUND, EXHAUSTED, UNAVAILABLE], EXHAUSTED),
    ],
)
def test_the_most_telling_error_is_raised(found: list[ServingError], raised: ServingError) -> None:
    assert most_telling(found) is raised
    assert most_telling(found[::-1]) is raised


def test_of_two_like_errors_the_first_is_raised() -> None:
    assert most_telling([NOT_FOUND, errors.NotFoundError("second")]) is NOT_FOUND


def test_each_error_that_is_tried_elsewhere_has_a_rank() -> None:
    assert {most_telling([error("")]).code for error in ELSEWHERE} == {e.code for e in ELSEWHERE}
