"""A stack of small programs: started, changed, faulty and ended."""

import errno
import getpass
import os
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from slipway.errors import ConfigError, SlipwayError
from slipway.stack.control import Stack, StackError
from slipway.stack.processes import all_processes, command_of, facts_of
from slipway.stack.status import ProcessState, ProcessStatus, StackStatus
from tests.support.fake_stack import make_stack, program
from tests.support.ports import free_port
from tests.support.waiting import wait_until

TIMEOUT_S = 20.0


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder whose stack is ended afterwards, whatever it is then."""
    yield tmp_path
    make_stack(tmp_path, []).down()
    assert pids_below(tmp_path) == []


def pids_below(folder: Path) -> list[int]:
    """Return the processes that were started with a path below a folder."""
    return [
        facts.pid
        for facts in all_processes()
        if any(str(folder) in word for word in command_of(facts.pid))
    ]


def up(stack: Stack) -> Stack:
    with stack.locked():
        stack.up(TIMEOUT_S)
    assert not stack.wait_until_ready(TIMEOUT_S).unready
    return stack


def one(stack: Stack, name: str) -> ProcessStatus:
    return next(process for process in stack.status().processes if process.name == name)


def pid_of(stack: Stack, name: str) -> int:
    pid = one(stack, name).pid
    assert pid
    return pid


def test_what_is_up_stays_as_it_is(folder: Path) -> None:
    stack = up(make_stack(folder, [program("a"), program("b")]))
    before = stack.status().processes
    up(stack)
    assert [one.pid for one in stack.status().processes] == [one.pid for one in before]
    assert [one.restarts for one in before] == [0, 0]


def test_two_at_once_start_it_once(folder: Path) -> None:
    programs = [program("a")]
    stacks = [make_stack(folder, programs) for _ in range(3)]
    threads = [threading.Thread(target=up, args=[stack]) for stack in stacks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log = (folder / "run" / "logs" / "supervisord.log").read_text()
    assert log.count("supervisord started") == 1
    assert log.count("spawned: 'a'") == 1


def test_up_applies_what_has_changed_and_nothing_else(folder: Path) -> None:
    a, b = free_port(), free_port()
    programs = [program("a", port=a), program("b", port=b), program("c")]
    stack = up(make_stack(folder, programs))
    before = {process.name: process.pid for process in stack.status().processes}
    changed = [program("a", port=a), program("b", port=b, environ={"WORD": "new"}), program("d")]
    stack = up(make_stack(folder, changed))
    after = {process.name: process.pid for process in stack.status().processes}
    assert after["a"] == before["a"]
    assert after["b"] != before["b"]
    assert list(after) == ["a", "b", "d"]
    gone = before["c"]
    assert gone
    assert facts_of(gone) is None


def test_what_was_stopped_stays_so_until_it_is_started(folder: Path) -> None:
    stack = up(make_stack(folder, [program("a"), program("b")]))
    stack.stop(["a"])
    stack.stop(["a"])
    assert (one(stack, "a").state, one(stack, "a").pid) == (ProcessState.STOPPED, None)
    stack.start(["a"])
    assert not stack.wait_until_ready(TIMEOUT_S).unready
    stack.stop([])
    assert {process.state for process in stack.status().processes} == {ProcessState.STOPPED}
    up(stack)


def test_a_restart_goes_on_only_when_the_last_one_is_ready(folder: Path) -> None:
    switch = folder / "broken"
    before = f"import os, sys; os.path.exists({str(switch)!r}) and sys.exit(3); "
    stack = up(make_stack(folder, [program("a-1", before=before), program("a-2")]))
    second = pid_of(stack, "a-2")
    switch.touch()
    with pytest.raises(StackError, match=r"a-1 is (crashing|failed): exit status 3"):
        stack.restart([], TIMEOUT_S)
    assert pid_of(stack, "a-2") == second


def test_who_is_killed_comes_back_and_is_counted(folder: Path) -> None:
    stack = up(make_stack(folder, [program("a")]))
    for restarts in (1, 2):
        pid = pid_of(stack, "a")
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: one(stack, "a").pid not in (None, pid), "another pid")  # noqa: B023
        assert one(stack, "a").restarts == restarts
        wait_until(lambda: "entered RUNNING" in log(folder, restarts), "a long life")  # noqa: B023
    assert one(stack, "a").reason == "ended before: terminated by SIGKILL"


def log(folder: Path, restarts: int) -> str:
    """Return supervisord's log from the given restart on."""
    text = (folder / "run" / "logs" / "supervisord.log").read_text()
    return text.split("spawned: 'a'", restarts + 1)[-1]


def test_a_taken_port_is_the_reason_of_a_crash(folder: Path) -> None:
    port = free_port()
    stack = up(make_stack(folder, [program("a", port=port)]))
    stack.stop(["a"])
    with socket.create_server(("127.0.0.1", port)):
        stack.start(["a"])
        wait_until(lambda: one(stack, "a").state == ProcessState.CRASHING, "a crash")
        reason = one(stack, "a").reason
    assert reason == "exit status 1: OSError: [Errno 98] Address already in use"
    up(stack)


def test_orphans_of_a_killed_supervisord_are_ended_before_the_next_one_starts(
    folder: Path,
) -> None:
    said: list[str] = []
    port = free_port()
    programs = [program("a", port=port), program("b")]
    stack = up(make_stack(folder, programs, said.append))
    before = {process.pid for process in stack.status().processes}
    os.kill(int((folder / "run" / "supervisord.pid").read_text()), signal.SIGKILL)
    wait_until(lambda: not stack.is_running, "the end of supervisord")
    orphans = stack.status().processes
    assert {process.state for process in orphans} == {ProcessState.ORPHANED}
    assert {process.pid for process in orphans} == before
    up(stack)
    assert said == [f"{name}: ended, supervisord had left it behind" for name in ("b", "a")]
    assert not before & {process.pid for process in stack.status().processes}


def test_down_ends_orphans_too_and_leaves_nothing(folder: Path) -> None:
    stack = up(make_stack(folder, [program("a")]))
    os.kill(int((folder / "run" / "supervisord.pid").read_text()), signal.SIGKILL)
    wait_until(lambda: not stack.is_running, "the end of supervisord")
    assert stack.down()
    assert pids_below(folder) == []
    assert not stack.down()
    left = {path.name for path in (folder / "run").rglob("*") if not path.name.endswith(".log")}
    assert left <= {"lock", "logs", "groups", "metrics", "supervisord.conf"}


def test_what_is_asked_while_it_ends_says_so(folder: Path) -> None:
    held = folder / "held"
    held.touch()
    slow = (
        "import os, signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: ("
        f"[time.sleep(0.01) for _ in iter(lambda: os.path.exists('{held}'), False)], sys.exit())); "
    )
    stack = up(make_stack(folder, [program("a", before=slow)]))
    pid = pid_of(stack, "a")
    waiting: list[StackStatus] = []
    ending = threading.Thread(target=stack.down)
    ending.start()
    wait_until(lambda: one(stack, "a").state == ProcessState.STOPPING, "its end")
    assert pid_of(stack, "a") == pid
    # As slipway up does, when slipway down is run meanwhile.
    waiter = threading.Thread(target=lambda: waiting.append(stack.wait_until_ready(TIMEOUT_S)))
    waiter.start()
    held.unlink()
    ending.join()
    waiter.join()
    assert not stack.is_running
    assert [process.name for process in waiting[0].unready] == ["a"]
    assert one(stack, "a").state == ProcessState.STOPPED


def test_a_pid_file_of_somebody_else_is_no_supervisord(folder: Path) -> None:
    (folder / "run").mkdir()
    (folder / "run" / "supervisord.pid").write_text(f"{os.getpid()}\n")
    (folder / "run" / "supervisor.sock").touch()
    stack = make_stack(folder, [program("a")])
    assert not stack.is_running
    up(stack)


def test_a_stack_is_left_to_who_has_started_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = up(make_stack(folder, [program("a")]))
    pid, user = pid_of(stack, "a"), getpass.getuser()
    with monkeypatch.context() as somebody:
        somebody.setattr(os, "geteuid", lambda: os.getuid() + 1)
        for change in (
            lambda: stack.up(TIMEOUT_S),
            lambda: stack.restart([], TIMEOUT_S),
            lambda: stack.reload(TIMEOUT_S),
            stack.down,
        ):
            with pytest.raises(SlipwayError, match=f"was started by {user}; do this as {user}"):
                change()
    assert pid_of(stack, "a") == pid


def test_a_run_folder_of_somebody_else_is_said_to_be_theirs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(*_: object) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    user = getpass.getuser()
    with monkeypatch.context() as somebody:
        somebody.setattr(os, "open", closed)
        somebody.setattr(os, "geteuid", lambda: os.getuid() + 1)
        with (
            pytest.raises(ConfigError, match=f"it belongs to {user}; do this as {user}"),
            make_stack(tmp_path, []).locked(),
        ):
            pass


def test_what_needs_a_stack_says_how_to_start_one(folder: Path) -> None:
    stack = make_stack(folder, [program("a")])
    with pytest.raises(ConfigError, match="slipway up"):
        stack.start([])
    with pytest.raises(ConfigError, match="slipway up"):
        stack.restart([], TIMEOUT_S)
    with pytest.raises(ConfigError, match="slipway up"):
        stack.reload(TIMEOUT_S)


def test_an_unknown_name_is_told_with_those_that_there_are(folder: Path) -> None:
    stack = make_stack(folder, [program("a"), program("b")])
    with pytest.raises(ConfigError, match="there is no process c; there are a, b"):
        stack.stop(["c"])


def test_a_path_too_long_for_a_socket_is_told_before_anything_starts(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 20)
    folder.mkdir()
    stack = make_stack(folder, [program("a")])
    with pytest.raises(ConfigError, match="name a shorter run_folder"):
        up(stack)
    assert pids_below(folder) == []
