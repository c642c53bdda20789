"""Server processes: started, waited for, measured and stopped."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_START_TIMEOUT_S = 60
_STOP_TIMEOUT_S = 15


class ServerError(Exception):
    """A server that did not come up."""


@dataclass(frozen=True)
class Server:
    """A running server process."""

    process: subprocess.Popen[bytes]

    def cpu_s(self) -> float:
        """Return the CPU time that the process took so far, user and system, in seconds."""
        stat = Path(f"/proc/{self.process.pid}/stat").read_text()
        # The second field is the command in parentheses; utime and stime are the 14th and 15th.
        user, system = stat.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def pin(self, cpus: Sequence[int]) -> None:
        """Let every thread of the process run on these CPUs only."""
        listed = ",".join(map(str, cpus))
        command = ["taskset", "--all-tasks", "--cpu-list", "--pid", listed, str(self.process.pid)]
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)


@contextmanager
def started(command: Sequence[str | Path], ports: Sequence[int], log: Path) -> Iterator[Server]:
    """Run a server until the end of the block; it begins when all ports accept connections.

    Raises ServerError, with the last lines of the server's log, when they do not.
    """
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    try:
        end = time.monotonic() + _START_TIMEOUT_S
        while not all(_accepts(port) for port in ports):
            if process.poll() is not None or time.monotonic() > end:
                tail = "\n".join(log.read_text(errors="replace").splitlines()[-10:])
                raise ServerError(f"{Path(command[0]).name} did not start:\n{tail}")
            time.sleep(0.05)
        yield Server(process)
    finally:
        stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process, with force when it does not follow SIGTERM."""
    process.terminate()
    try:
        process.wait(_STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def free_ports(count: int) -> list[int]:
    """Return ports that were free a moment ago."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
