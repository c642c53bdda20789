"""A stack whose disk is full: what runs goes on, and its state says why nothing else does."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from slipway.errors import SlipwayError
from slipway.stack.control import Stack
from tests.support.fake_stack import make_stack, program
from tests.support.waiting import wait_until

TIMEOUT_S = 20.0


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of 4 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a small disk, where the system lets it")
    try:
        yield folder
        make_stack(folder, []).down()
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(disk: Path) -> Path:
    """Fill a disk with a file, and return that."""
    path = disk / "filling"
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    return path


def up(stack: Stack) -> None:
    with stack.locked():
        stack.up(TIMEOUT_S)
    assert not stack.wait_until_ready(TIMEOUT_S).unready


def test_it_goes_on_says_so_and_recovers(disk: Path) -> None:
    stack = make_stack(disk, [program("a"), program("b")])
    up(stack)
    assert stack.status().problems == []
    filling = fill(disk)
    [problem] = {text.replace("/logs", "") for text in stack.status().problems}
    assert problem.startswith(f"the disk of {disk / 'run'} is full")
    pid = stack.status().processes[0].pid
    assert pid
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: stack.status().processes[0].pid not in (None, pid), "another pid")
    with stack.locked(), pytest.raises((SlipwayError, OSError), match="No space left"):
        stack.up(TIMEOUT_S)
    assert not stack.wait_until_ready(TIMEOUT_S).unready
    filling.unlink()
    up(stack)
    assert stack.status().problems == []
