"""Models for benchmarks, exported by a process of its own.

Importing TensorFlow takes seconds and hundreds of megabytes, which would lie on the machine that is
being measured.
"""

import os
import subprocess
import sys
from pathlib import Path


class ExportError(Exception):
    """A model could not be exported; the text has the reason."""


def export(script: str, folder: Path) -> None:
    """Have a script beside this one write its model to `folder`."""
    command: list[str | Path] = [sys.executable, Path(__file__).with_name(script), folder]
    environ = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"}
    run = subprocess.run(command, capture_output=True, text=True, check=False, env=environ)
    if run.returncode:
        raise ExportError(f"{script} failed:\n{run.stderr}")
