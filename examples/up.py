"""Run the stack of `examples/stack`, leave it running, and say where it can be tried.

    make up
    make down

    python examples/up.py FOLDER [FIRST_PORT]

The project is written into FOLDER. Run again, it takes up what has changed in `examples/stack`.
"""

import subprocess
import sys
from pathlib import Path

from stack_project import write_project

SLIPWAY = Path(sys.executable).parent / "slipway"


def main(folder: str, first_port: str | None = None) -> None:
    """Exit with the status of `slipway up`."""
    if first_port and not first_port.isdecimal():
        sys.exit(f"up: {first_port} is no port: take a number, such as 21000")
    try:
        file = write_project(Path(folder), int(first_port) if first_port else None)
    except OSError as error:
        sys.exit(f"up: {error.filename}: {error.strerror}")
    run = subprocess.run(
        [SLIPWAY, "up", f"--config={file}"], stdout=subprocess.PIPE, text=True, check=False
    )
    print(run.stdout, end="")
    if run.returncode:
        sys.exit(run.returncode)
    url = run.stdout.split()[-1]
    print(f"Try it: {url}/try")
    print(f"How it is: .venv/bin/slipway status --config={file}")
    print("End it: make down")


if __name__ == "__main__":
    main(*sys.argv[1:])
