"""`slipway serve` as a process of its own."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.ports import free_port
from tests.support.waiting import wait_until

SLIPWAY = Path(sys.executable).parent / "slipway"


class ServeProcess:
    """The installed command, ended with the block it is used in.

    `grpc` is where another one listened before, if it is to take that one's place.
    """

    def __init__(
        self, *flags: str, grpc: str | None = None, environ: dict[str, str] | None = None
    ) -> None:
        self.grpc = grpc or f"127.0.0.1:{free_port()}"
        self.rest = f"127.0.0.1:{free_port()}"
        ports = (f"--port={self.grpc.split(':')[1]}", f"--rest_api_port={self.rest.split(':')[1]}")
        self._lines: list[str] = []
        self._process = subprocess.Popen(
            [SLIPWAY, "serve", *ports, *flags],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **(environ or {})},
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def log(self) -> str:
        """What came on stderr so far."""
        return "".join(self._lines)

    def wait_for(self, text: str) -> None:
        """Return when the log has `text`; fail when the process ends first."""
        wait_until(lambda: text in self.log or self._process.poll() is not None, repr(text))
        assert text in self.log, self.log

    def wait_until_open(self) -> None:
        self.wait_for("Exporting HTTP/REST API")

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def exit_status(self) -> int:
        """Wait for the end; return the status, negative for a signal."""
        status = self._process.wait(30)
        self._reader.join(30)
        return status

    def _read(self) -> None:
        assert self._process.stderr
        for line in self._process.stderr:
            self._lines.append(line)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._reader.join(30)
        if error:
            print(self.log)
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe:
                pipe.close()


def run_slipway(arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    return subprocess.run(
        [SLIPWAY, *arguments], capture_output=True, text=True, timeout=60, check=False
    )
