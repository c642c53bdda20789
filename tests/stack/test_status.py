"""How a process is, for what was found out about it."""

import pytest

from slipway.stack.history import History
from slipway.stack.status import (
    Answer,
    Evidence,
    ProcessState,
    ProcessStatus,
    StackStatus,
    decide,
)
from slipway.stack.supervisord import Program, ProgramState

NOW = 1000.0
WELL = Answer()
SILENT = Answer("it does not answer")


def program(state: ProgramState, error: str = "") -> Program:
    pid = 7 if state in (ProgramState.STARTING, ProgramState.RUNNING) else None
    return Program("server-1", state, pid, 5.0 if pid else None, error)


def state_of(evidence: Evidence) -> ProcessState:
    return decide("server-1", evidence, NOW).state


@pytest.mark.parametrize(
    ("state", "answer", "expected"),
    [
        (ProgramState.STOPPED, None, "stopped"),
        (ProgramState.STARTING, SILENT, "starting"),
        (ProgramState.STARTING, WELL, "ready"),
        (ProgramState.RUNNING, SILENT, "unready"),
        (ProgramState.RUNNING, WELL, "ready"),
        (ProgramState.BACKOFF, None, "crashing"),
        (ProgramState.STOPPING, SILENT, "stopping"),
        (ProgramState.EXITED, None, "starting"),
        (ProgramState.FATAL, None, "failed"),
    ],
)
def test_each_state_of_supervisor_has_one_of_ours(
    state: ProgramState, answer: Answer | None, expected: str
) -> None:
    assert state_of(Evidence(program(state), answer=answer)) == expected


def test_who_answers_between_two_crashes_is_crashing() -> None:
    history = History(restarts=3, last_exit="exit status 1", ends=(NOW - 50, NOW - 30, NOW - 10))
    assert state_of(Evidence(program(ProgramState.RUNNING), history, WELL)) == "crashing"


def test_who_crashed_long_ago_is_ready() -> None:
    history = History(restarts=3, last_exit="exit status 1", ends=(NOW - 500, NOW - 300, NOW - 61))
    status = decide("server-1", Evidence(program(ProgramState.RUNNING), history, WELL), NOW)
    assert (status.state, status.restarts) == ("ready", 3)
    assert status.reason == "ended before: exit status 1"


def test_a_crash_has_its_reason_from_the_log() -> None:
    history = History(last_exit="exit status 1", ends=(NOW,), ends_in_a_row=1)
    evidence = Evidence(
        program(ProgramState.BACKOFF, "Exited too quickly"), history, last_line="port in use"
    )
    assert decide("server-1", evidence, NOW).reason == "exit status 1: port in use"


def test_who_was_killed_had_no_time_to_say_why() -> None:
    history = History(last_exit="terminated by SIGKILL", ends_in_a_row=1)
    evidence = Evidence(program(ProgramState.BACKOFF), history, last_line="Listening")
    assert decide("server-1", evidence, NOW).reason == "terminated by SIGKILL"


def test_what_runs_without_supervisord_is_orphaned() -> None:
    status = decide("server-1", Evidence(orphan=9), NOW)
    assert (status.state, status.pid) == ("orphaned", 9)


def test_what_runs_while_supervisord_ends_is_stopping() -> None:
    status = decide("server-1", Evidence(orphan=9, is_ending=True), NOW)
    assert (status.state, status.pid, status.reason) == ("stopping", 9, "")


def stack(**states: str) -> StackStatus:
    return StackStatus(
        [
            ProcessStatus(name.replace("_", "-"), ProcessState(state), None, None, 0, "")
            for name, state in states.items()
        ]
    )


@pytest.mark.parametrize(
    ("status", "is_ready"),
    [
        (stack(server_1="ready", gateway_1="ready", nginx="ready"), True),
        (stack(server_1="ready", gateway_1="ready", gateway_2="stopped"), True),
        (stack(server_1="ready", gateway_1="ready", gateway_2="crashing"), False),
        (stack(server_1="stopped", gateway_1="ready"), False),
        (stack(), False),
    ],
)
def test_it_is_ready_when_each_kind_answers_and_nothing_is_wrong(
    status: StackStatus, is_ready: bool
) -> None:
    assert status.is_ready is is_ready
