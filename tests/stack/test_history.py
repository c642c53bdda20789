"""What supervisord's log tells."""

from slipway.stack.history import History, read_history

BEGIN = "2026-11-22 23:00:00,001 INFO supervisord started with pid 1"
SPAWNED = "2026-11-22 23:00:01,001 INFO spawned: 'server-1' with pid 2"
ENDED = "2026-11-22 23:00:05,001 WARN exited: server-1 (exit status 1; not expected)"
KILLED = "2026-11-22 23:00:05,001 WARN exited: server-1 (terminated by SIGKILL; not expected)"
LASTED = (
    "2026-11-22 23:00:03,001 INFO success: server-1 entered RUNNING state, process has stayed up "
    "for > than 1 seconds (startsecs)"
)
STOPPED = "2026-11-22 23:00:06,001 WARN stopped: server-1 (terminated by SIGTERM)"


def history(*lines: str) -> History:
    return read_history([BEGIN, *lines])["server-1"]


def test_a_start_is_no_restart() -> None:
    assert history(SPAWNED, LASTED) == History()


def test_a_start_after_an_end_that_nobody_asked_for_is_one() -> None:
    found = history(SPAWNED, LASTED, KILLED, SPAWNED)
    assert (found.restarts, found.last_exit) == (1, "terminated by SIGKILL")


def test_a_start_after_a_stop_is_none() -> None:
    assert history(SPAWNED, LASTED, STOPPED, SPAWNED).restarts == 0


def test_ends_in_a_row_are_those_without_a_long_life_between() -> None:
    assert history(SPAWNED, ENDED, SPAWNED, ENDED).ends_in_a_row == 2
    assert history(SPAWNED, ENDED, SPAWNED, LASTED).ends_in_a_row == 0


def test_it_begins_anew_with_supervisord() -> None:
    assert history(SPAWNED, KILLED, SPAWNED, BEGIN, SPAWNED).restarts == 0


def test_what_is_no_line_of_its_own_is_passed_over() -> None:
    assert read_history(["Traceback", "2026-11-22 23:00:00,001 INFO reaped unknown pid 7"]) == {}
