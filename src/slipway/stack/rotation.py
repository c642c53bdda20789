"""A listener of supervisord's that rotates the access log of nginx.

python -m slipway.stack.rotation LOG PIDFILE

nginx leaves that to others, and a log that grows fills the disk. supervisord says on stdin when a
minute has passed; the answer goes to stdout.
"""

import contextlib
import os
import signal
import sys
from pathlib import Path
from typing import Final

MAX_BYTES: Final = 50 * 2**20
KEPT: Final = 5


def rotate(log: Path, pid_file: Path, max_bytes: int = MAX_BYTES) -> bool:
    """Rotate a log that is larger than `max_bytes`, and have nginx open the new one.

    Returns whether it was. `LOG.1` is the youngest that is kept. Raises OSError.
    """
    if not log.exists() or log.stat().st_size <= max_bytes:
        return False
    for number in range(KEPT, 0, -1):
        older = _numbered(log, number - 1)
        if older.exists():
            older.replace(_numbered(log, number))
    # Where it does not run, it opens the new log when it does.
    with contextlib.suppress(OSError, ValueError):
        os.kill(int(pid_file.read_text()), signal.SIGUSR1)
    return True


def main() -> None:
    """Listen until stdin ends."""
    log, pid_file = map(Path, sys.argv[1:])
    while True:
        _say("READY\n")
        head = sys.stdin.readline()
        if not head:
            return
        fields = dict(field.split(":", 1) for field in head.split())
        sys.stdin.read(int(fields["len"]))
        try:
            rotate(log, pid_file)
        except OSError as error:
            # A full disk, most likely: it is tried again in a minute.
            print(f"slipway: {log} cannot be rotated: {error}", file=sys.stderr, flush=True)
        _say("RESULT 2\nOK")


def _numbered(log: Path, number: int) -> Path:
    return log.with_name(f"{log.name}.{number}") if number else log


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


if __name__ == "__main__":
    main()
