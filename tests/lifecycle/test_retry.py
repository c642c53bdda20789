import pytest

from slipway.lifecycle.retry import Backoff


@pytest.mark.parametrize(
    ("failures", "pause_s"),
    [(1, 60), (5, 60), (6, 120), (7, 240), (8, 480), (9, 600), (10**6, 600)],
)
def test_pauses_are_even_at_first_and_then_grow_to_a_limit(failures: int, pause_s: float) -> None:
    assert Backoff().pause_s(failures) == pause_s


def test_an_interval_beyond_the_limit_is_kept() -> None:
    assert Backoff(interval_s=3600).pause_s(9) == 3600


def test_without_an_interval_only_the_attempts_that_are_awaited_have_no_pause() -> None:
    backoff = Backoff(interval_s=0, patience=2)
    assert [backoff.pause_s(failures) for failures in (1, 2, 3, 4)] == [0, 0, 2, 4]
