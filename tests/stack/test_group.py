"""Process groups that are found again, and ended."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from slipway.stack.group import ProcessGroup, end_groups
from slipway.stack.processes import members
from tests.support.waiting import wait_until

PARENT = """
import os, time
if os.fork():
    os.waitpid(-1, 0)
time.sleep(600)
"""
"""A master and its worker."""


@contextmanager
def launched(
    file: Path, script: str, moment: str = "before"
) -> Iterator["subprocess.Popen[bytes]"]:
    """Start a script the way supervisord does."""
    command = [sys.executable, "-m", "slipway.stack.launch", str(file), "TERM", moment]
    process = subprocess.Popen(
        [*command, sys.executable, "-c", script], start_new_session=True, cwd=file.parent
    )
    try:
        yield process
    finally:
        for facts in members(process.pid):
            os.kill(facts.pid, signal.SIGKILL)
        process.kill()
        process.wait()


def group_of(file: Path, processes: int) -> ProcessGroup:
    """Return the group that a file names, once it has its processes."""

    def count() -> int:
        group = ProcessGroup.read(file)
        return len(group.pids()) if group else 0

    wait_until(lambda: count() == processes, f"{processes} processes in {file}")
    group = ProcessGroup.read(file)
    assert group
    return group


def test_workers_are_found_when_their_master_was_killed(tmp_path: Path) -> None:
    with launched(tmp_path / "nginx", PARENT) as master:
        group = group_of(tmp_path / "nginx", 2)
        assert group.leader == master.pid
        master.kill()
        master.wait()
        assert len(group.pids()) == 1
        assert end_groups([tmp_path / "nginx"], 5) == ["nginx"]
        assert members(master.pid) == []
    assert not (tmp_path / "nginx").exists()


def test_the_next_one_ends_what_is_left_of_the_last(tmp_path: Path) -> None:
    with launched(tmp_path / "nginx", PARENT) as first:
        group = group_of(tmp_path / "nginx", 2)
        first.kill()
        first.wait()
        with launched(tmp_path / "nginx", PARENT) as second:
            wait_until(lambda: not group.pids(), "the end of the first")
            assert group_of(tmp_path / "nginx", 2).leader == second.pid


def test_the_next_one_may_have_workers_before_the_last_is_ended(tmp_path: Path) -> None:
    with launched(tmp_path / "nginx", PARENT, "after") as first:
        left = group_of(tmp_path / "nginx", 2)
        first.kill()
        first.wait()
        late = (
            f"import os, time\nwhile not os.path.exists({str(tmp_path / 'go')!r}): time.sleep(0.01)"
        )
        with launched(tmp_path / "nginx", late + PARENT, "after") as second:
            assert group_of(tmp_path / "nginx", 2).leader == second.pid
            assert len(left.pids()) == 1
            (tmp_path / "go").touch()
            wait_until(lambda: not left.pids(), "the end of what was left")
            assert group_of(tmp_path / "nginx", 2).leader == second.pid


def test_what_is_left_is_ended_too_where_the_next_one_fails(tmp_path: Path) -> None:
    with launched(tmp_path / "nginx", PARENT, "after") as first:
        left = group_of(tmp_path / "nginx", 2)
        first.kill()
        first.wait()
        with launched(tmp_path / "nginx", "raise SystemExit(1)", "after") as second:
            assert second.wait() == 1
            wait_until(lambda: not left.pids(), "the end of what was left")


def test_who_does_not_listen_is_ended_with_force(tmp_path: Path) -> None:
    deaf = "import signal; signal.signal(15, signal.SIG_IGN); print(flush=True);" + PARENT
    with launched(tmp_path / "deaf", deaf) as process:
        group = group_of(tmp_path / "deaf", 2)
        assert group.end(0.1)
        process.wait()
        assert group.pids() == []


def test_processes_of_others_are_left_alone(tmp_path: Path) -> None:
    with launched(tmp_path / "server-1", PARENT) as process:
        group = group_of(tmp_path / "server-1", 2)
        # The number was given to somebody else since, or the machine started anew.
        assert replace(group, started=group.started - 1).pids() == []
        assert replace(group, boot="another").pids() == []
        # A user that is not root has written down what is not its own.
        assert replace(group, writer=12345).pids() == []
        process.kill()
        process.wait()
        assert len(group.pids()) == 1
        assert replace(group, folder="/elsewhere").pids() == []
        assert replace(group, programs=["/bin/other"]).pids() == []


def test_a_file_that_says_nothing_names_no_group(tmp_path: Path) -> None:
    (tmp_path / "bad").write_text("{")
    assert ProcessGroup.read(tmp_path / "bad") is None
    assert end_groups([tmp_path / "bad", tmp_path / "none"], 1) == []
