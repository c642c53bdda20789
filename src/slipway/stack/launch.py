"""What supervisord starts in place of a program: ends what is left of the last one, and becomes it.

python -m slipway.stack.launch RUN/groups/NAME SIGNAL COMMAND...

supervisord restarts a program as soon as its first process has ended. Workers of nginx outlive
their master when that was killed, and hold its port: the next nginx would fail until somebody ends
them. SIGNAL is what they end after gracefully.
"""

import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Final

from slipway.stack.group import ProcessGroup

PATIENCE_S: Final = 10.0
"""What is left of the last one may take as long for the requests that it still answers."""


def main() -> None:
    """Do as this module says. Returns only where it raises: SystemExit with what is wrong."""
    file, name, *command = sys.argv[1:]
    path = Path(file)
    program = shutil.which(command[0])
    if program is None:
        sys.exit(f"slipway: {command[0]} cannot be run: it is not there, or no program")
    last = ProcessGroup.read(path)
    if last and last.leader != os.getpid():
        last.end(PATIENCE_S)
    try:
        ProcessGroup.of_this_process(Path(program), signal.Signals[f"SIG{name}"]).write(path)
    except OSError as error:
        # It would answer as well without; `slipway up` would not find it again.
        print(f"slipway: {path} cannot be written: {error.strerror}", file=sys.stderr, flush=True)
    os.execv(program, command)  # noqa: S606


if __name__ == "__main__":
    main()
