"""One command at a time changes a stack."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from slipway.errors import ConfigError
from slipway.stack.access import owner_of


@contextmanager
def locked(run: Path, *, on_wait: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock of a run folder, which is made when it is not there.

    Where another command holds it, `on_wait` is told which, and this one waits for it to end. The
    system gives the lock back when a process dies, however it does. Raises ConfigError.
    """
    try:
        run.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = os.open(run / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigError(f"the run folder {run} cannot be used: {_reason(error, run)}") from error
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            on_wait(os.pread(file, 100, 0).decode(errors="replace").strip() or "another command")
            fcntl.flock(file, fcntl.LOCK_EX)
        os.ftruncate(file, 0)
        os.pwrite(file, f"a command with pid {os.getpid()}".encode(), 0)
        yield
    finally:
        os.close(file)


def _reason(error: OSError, run: Path) -> str | None:
    if isinstance(error, PermissionError) and run.exists() and run.stat().st_uid != os.geteuid():
        return f"it belongs to {owner_of(run)}; do this as {owner_of(run)}"
    return error.strerror
