"""What a stack loses when its parts are killed, stopped, replaced and reloaded under steady load.

    python benchmarks/reliability.py [--seconds=600] [--rate=60]

A stack with two model servers, two gateways and nginx is asked all the time, at a steady rate: a
sentence through the gateway, the model over REST, and the model over gRPC, all through nginx. One
thing after the other is done to it, each in the same share of the time. A row has what was asked
from then on until the next, what failed, and after which time all of the stack was ready again.

It needs nginx: apt-get install nginx. Ends with status 1 where the stack did not become ready.
"""

import argparse
import getpass
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from reliability_callers import Answers, Callers
from report import table
from servers import free_ports

from slipway import models
from slipway.servables import State
from slipway.stack.control import Stack
from slipway.stack.machine import find_nginx
from slipway.stack.plan import make_plan
from slipway.stack.processes import children

READY_S = 60.0
POLL_S = 0.1
BINARIES = Path(sys.executable).parent
HANDLER = """
from slipway.examples import sentiment


class Sentence(sentiment.Sentence):
    route = "/sentence"
"""
PROJECT = """
[[models]]
name = "sentiment"
base_path = "models/sentiment"

[server]
port = {server}
rest_api_port = {rest}
replicas = 2
flags = {{ file_system_poll_wait_seconds = 1 }}

[gateway]
port = {gateway}
replicas = 2

[[gateway.routes]]
handler = "handlers:Sentence"

[proxy]
port = {proxy}
grpc_port = {grpc}
"""


class NotReadyError(Exception):
    """The stack did not become ready."""


@dataclass(frozen=True)
class Row:
    """What was done, and what came of it."""

    deed: str
    answers: Answers
    ready_s: float


class Victim:
    """The stack, and what can be done to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        nginx = find_nginx()
        if nginx is None:
            sys.exit("benchmark: nginx is not installed: apt-get install nginx")
        self._base_path = folder / "models" / "sentiment"
        shutil.copytree(models.path_of("sentiment"), self._base_path)
        # Versions are dropped in below; the first is the one that comes with Slipway.
        self._newest = max(int(path.name) for path in self._base_path.iterdir())
        (folder / "handlers.py").write_text(HANDLER)
        server, gateway = _rows_of_ports()
        self.proxy, self.grpc = free_ports(2)
        user = f'[stack]\nuser = "{getpass.getuser()}"\n' if os.geteuid() == 0 else ""
        (folder / "slipway.toml").write_text(
            PROJECT.format(
                server=server, rest=server + 1, gateway=gateway, proxy=self.proxy, grpc=self.grpc
            )
            + user
        )
        self._stack = Stack(make_plan(folder / "slipway.toml", nginx=nginx.path))

    def slipway(self, *arguments: str) -> None:
        """Run a command of slipway. Raises NotReadyError where it fails."""
        run = subprocess.run(
            [BINARIES / "slipway", *arguments],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        if run.returncode:
            raise NotReadyError(f"slipway {' '.join(arguments)}: {run.stderr}{run.stdout}")

    def kill(self, name: str) -> None:
        """Kill the first process of a part, and return when it has another one."""
        pid = self._pid(name)
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        _wait_until(lambda: self._pid(name) not in (pid, None), f"{name} was not started again")

    def kill_worker(self, name: str) -> None:
        """Kill a process that the first one of a part has started, and wait for another one."""
        pid = self._pid(name)
        assert pid is not None
        workers = children(pid)
        os.kill(min(workers), signal.SIGKILL)
        _wait_until(lambda: bool(children(pid) - workers), f"{name} has started no other worker")

    def kill_supervisord(self) -> None:
        os.kill(int((self.folder / "run" / "supervisord.pid").read_text()), signal.SIGKILL)

    def add_version(self) -> None:
        source = self._base_path / str(self._newest)
        self._newest += 1
        draft = self.folder / "draft"
        shutil.copytree(source, draft)
        draft.rename(self._base_path / str(self._newest))
        self._wait_for_version()

    def remove_version(self) -> None:
        gone = self._base_path / str(self._newest)
        self._newest -= 1
        gone.rename(self.folder / "gone")
        shutil.rmtree(self.folder / "gone")
        self._wait_for_version()

    def change_code(self) -> None:
        with (self.folder / "handlers.py").open("a") as file:
            file.write("# Changed.\n")

    def wait_until_ready(self, *, but: Sequence[str] = ()) -> None:
        """Return when all processes are ready. Raises NotReadyError."""
        _wait_until(
            lambda: all(one.name in but for one in self._stack.status().unready),
            "the stack is not ready",
        )

    def _wait_for_version(self) -> None:
        """Return when all servers serve the newest version, and no other."""

        def is_served() -> bool:
            found = [
                [one.version for one in model.versions if one.state is State.AVAILABLE]
                for model in self._stack.status().models
            ]
            return bool(found) and all(versions == [self._newest] for versions in found)

        _wait_until(is_served, f"the servers do not serve version {self._newest}")

    def _pid(self, name: str) -> int | None:
        status = self._stack.status()
        return next(process.pid for process in status.processes if process.name == name)


def deeds(victim: Victim) -> Iterator[tuple[str, Sequence[str]]]:
    """Do one thing after the other; yield what was done, and who is not to be ready after it."""
    for name in ("server-1", "server-2", "gateway-1", "gateway-2"):
        victim.kill(name)
        yield f"kill -9 {name}", ()
    victim.kill_worker("gateway-1")
    yield "kill -9 of a worker of gateway-1", ()
    victim.slipway("reload")
    yield "slipway reload", ()
    victim.change_code()
    victim.slipway("reload")
    yield "slipway reload with other code", ()
    victim.add_version()
    yield "a new version of the model", ()
    victim.remove_version()
    yield "that version removed", ()
    for name in ("server-2", "gateway-2"):
        victim.slipway("stop", name)
        yield f"slipway stop {name}", (name,)
        victim.slipway("start", name)
        yield f"slipway start {name}", ()
    victim.slipway("restart", "server-1", "server-2", "gateway-1", "gateway-2")
    yield "slipway restart of all replicas", ()
    victim.kill_worker("nginx")
    yield "kill -9 of a worker of nginx", ()
    victim.kill("nginx")
    yield "kill -9 nginx", ()
    victim.kill_supervisord()
    yield "kill -9 supervisord", SUPERVISED
    victim.slipway("up")
    yield "slipway up after that", ()


SUPERVISED = ("server-1", "server-2", "gateway-1", "gateway-2", "nginx")
NUMBER_OF_DEEDS = 18
"""So that each gets the same share of the time; `main` demands that it is right."""


def main() -> None:
    """Do everything to a stack under load, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--rate", type=float, default=60, help="requests a second, of all kinds")
    arguments = parser.parse_args()
    share_s = arguments.seconds / (NUMBER_OF_DEEDS + 1)
    with victim_under_way() as victim:
        address = f"127.0.0.1:{victim.proxy}"
        with Callers(address, f"127.0.0.1:{victim.grpc}", arguments.rate) as callers:
            time.sleep(share_s)
            rows = [Row("nothing", callers.take(), 0.0)]
            done = deeds(victim)
            for _ in range(NUMBER_OF_DEEDS):
                begin = time.monotonic()
                deed, unready = next(done)
                victim.wait_until_ready(but=unready)
                ready_s = time.monotonic() - begin
                time.sleep(max(begin + share_s - time.monotonic(), 0))
                rows.append(Row(deed, callers.take(), ready_s))
                print(rows[-1], file=sys.stderr)
            assert next(done, None) is None, "NUMBER_OF_DEEDS is too small: this is a bug"
    print(report(rows))


@contextmanager
def victim_under_way() -> Iterator[Victim]:
    """Run the stack until the end of the block."""
    with tempfile.TemporaryDirectory() as name:
        victim = Victim(Path(name))
        try:
            victim.slipway("up")
            yield victim
        finally:
            victim.slipway("down")


def _wait_until(condition: Callable[[], bool], otherwise: str) -> None:
    """Return when a condition holds. Raises NotReadyError."""
    end = time.monotonic() + READY_S
    while not condition():
        if time.monotonic() > end:
            raise NotReadyError(otherwise)
        time.sleep(POLL_S)


def _rows_of_ports() -> tuple[int, int]:
    """Return first ports of the servers and of the gateways, each with free ones after it."""
    while True:
        first = free_ports(1)[0]
        if first < 65_000:
            return first, first + 20


def report(rows: Sequence[Row]) -> str:
    """Return the table, and what failed how often."""
    lines = [
        [
            row.deed,
            f"{row.answers.asked:,}",
            str(row.answers.failed),
            str(row.answers.again),
            f"{row.answers.slowest_s * 1000:,.0f}",
            f"{row.answers.gap_s * 1000:,.0f}",
            f"{row.ready_s:.1f}",
        ]
        for row in rows
    ]
    total: Mapping[str, int] = {
        "asked": sum(row.answers.asked for row in rows),
        "failed": sum(row.answers.failed for row in rows),
    }
    head = ["done", "requests", "failed", "sent again", "slowest, ms", "gap, ms", "ready after, s"]
    failures = "\n".join(
        f"- {row.deed}: " + ", ".join(f"{n} {what}" for what, n in row.answers.failures.items())
        for row in rows
        if row.answers.failed
    )
    return "\n\n".join(
        [
            table(head, lines),
            f"{total['asked']:,} requests, {total['failed']} failed.",
            *([failures] if failures else []),
        ]
    )


if __name__ == "__main__":
    main()
