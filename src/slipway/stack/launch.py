"""What supervisord starts in place of a program: sees off what is left of the last one.

python -m slipway.stack.launch RUN/groups/NAME SIGNAL before|after COMMAND...

supervisord restarts a program as soon as its first process has ended. Workers of nginx outlive
their master when that was killed, and hold its port. SIGNAL is what they end after gracefully:
before the program starts, which may need what they hold, or after it has workers of its own, where
it can listen beside them and nobody is refused in between.
"""

import os
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Final

from slipway.stack.group import ProcessGroup
from slipway.stack.processes import children, facts_of

PATIENCE_S: Final = 10.0
"""What is left of the last one may take as long for the requests that it still answers."""
_POLL_S: Final = 0.02


def main() -> None:
    """Do as this module says. Returns only where it raises: SystemExit with what is wrong."""
    file, name, moment, *command = sys.argv[1:]
    path = Path(file)
    program = shutil.which(command[0])
    if program is None:
        sys.exit(f"slipway: {command[0]} cannot be run: it is not there, or no program")
    last = ProcessGroup.read(path)
    if last and last.leader != os.getpid() and last.pids():
        if moment == "after":
            _end_after(last, successor=os.getpid())
        else:
            last.end(PATIENCE_S)
    try:
        ProcessGroup.of_this_process(Path(program), signal.Signals[f"SIG{name}"]).write(path)
    except OSError as error:
        # It would answer as well without; `slipway up` would not find it again.
        print(f"slipway: {path} cannot be written: {error.strerror}", file=sys.stderr, flush=True)
    os.execv(program, command)  # noqa: S606


def _end_after(last: ProcessGroup, successor: int) -> None:
    """Have a process of its own end a group once another process has workers, or has failed."""
    if child := os.fork():
        os.waitpid(child, 0)
        return
    # The parent of this one ends at once: the successor is to have no child that it does not know.
    if os.fork() == 0:
        end = time.monotonic() + PATIENCE_S
        while not children(successor) and facts_of(successor) and time.monotonic() < end:
            time.sleep(_POLL_S)
        last.end(PATIENCE_S)
    os._exit(0)


if __name__ == "__main__":
    main()
