"""`slipway serve`, `slipway gateway` and `gunicorn` as processes of their own."""

import os
import re
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
GUNICORN = SLIPWAY.with_name("gunicorn")


class SlipwayProcess:
    """The installed command, ended with the block it is used in.

    `program` is another one that becomes it.
    """

    def __init__(
        self,
        *arguments: str,
        environ: dict[str, str] | None = None,
        folder: Path | None = None,
        program: Path = SLIPWAY,
        inherits: bool = True,
    ) -> None:
        self._lines: list[str] = []
        self._process = subprocess.Popen(
            [program, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**(os.environ if inherits else {}), **(environ or {})},
            cwd=folder,
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


class ServeProcess(SlipwayProcess):
    """`slipway serve` on ports of its own; a server that comes back names its gRPC address."""

    def __init__(
        self,
        *flags: str,
        environ: dict[str, str] | None = None,
        grpc: str | None = None,
        folder: Path | None = None,
    ) -> None:
        self.grpc = grpc or f"127.0.0.1:{free_port()}"
        self.rest = f"127.0.0.1:{free_port()}"
        ports = (f"--port={self.grpc.split(':')[1]}", f"--rest_api_port={self.rest.split(':')[1]}")
        super().__init__("serve", *ports, *flags, environ=environ, folder=folder)

    def wait_until_open(self) -> None:
        self.wait_for("Exporting HTTP/REST API")


class GunicornProcess(SlipwayProcess):
    """A command that is Gunicorn, or ends up as it, on a port that it chooses."""

    @property
    def url(self) -> str:
        found = re.search(r"Listening at: (http://\S+)", self.log)
        assert found, self.log
        return found[1]

    def wait_until_open(self) -> None:
        """Return when a worker answers."""
        self.wait_for("Listening at: ")
        self.wait_for("Booting worker")


class GatewayProcess(GunicornProcess):
    """`slipway gateway` of the project in a folder."""

    def __init__(self, folder: Path, *flags: str) -> None:
        super().__init__("gateway", "--port=0", *flags, folder=folder)


def run_slipway(arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    return subprocess.run(
        [SLIPWAY, *arguments], capture_output=True, text=True, timeout=60, check=False
    )
