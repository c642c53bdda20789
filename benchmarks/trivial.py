"""The trivial model over gRPC and REST, next to a C++ server and to no server at all.

`make bench` runs it. Only ratios taken in one run mean anything: a machine that does other work
at the same time changes every rate. Linux only; needs h2load and cargo.
"""

import argparse
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import floor
import h2load
import half_plus_two
from half_plus_two import MODEL, VERSION, WrongAnswerError
from report import FLOOR, FLOOR_CALLER, GRPC, REST, Round, Sample, bars, report
from servers import Server, ServerError, free_ports, started

from slipway.errors import SlipwayError
from slipway.runtime import find_runtime

ROOT = Path(__file__).parents[1]
BASE_PATH = ROOT / "examples" / MODEL
TOOLS = {
    "h2load": "apt-get install -y nghttp2-client",
    "taskset": "apt-get install -y util-linux",
    "cargo": "https://rustup.rs",
}
CHECKED_REQUESTS = 400
LOOP_SECONDS = 1


@dataclass(frozen=True)
class Cell:
    """How the servers are asked; every server is asked the same way."""

    name: str
    connections: int
    requests: int
    client_cpu: int | None = None
    server_cpu: int | None = None


@dataclass(frozen=True)
class Target:
    """A server, and the request it is sent."""

    server: Server
    request: h2load.Request


def main() -> None:
    """Check the tools, start the servers, measure in rounds, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--floor", type=Path, help="folder with the source of the C++ server")
    parser.add_argument("--rounds", type=int, default=5, help="at least 3 for a usable median")
    arguments = parser.parse_args()
    if arguments.rounds < 1:
        parser.error("--rounds must be at least 1")
    for tool, remedy in TOOLS.items():
        if shutil.which(tool) is None:
            sys.exit(f"{tool} is missing. Add it: {remedy}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))

    cells = make_cells(sorted(os.sched_getaffinity(0)))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        print("building the bare loop", file=sys.stderr)
        runtime, _ = session_loop(0.1)
        print(describe_machine(runtime, arguments.rounds), flush=True)
        try:
            targets = start_slipway(stack, folder)
            targets |= start_floors(stack, folder, arguments.floor)
            for cell in cells:
                for target in targets.values():
                    measure(cell, target, cell.requests // 10)
            rounds = [run_round(number, cells, targets) for number in range(arguments.rounds)]
        except (SlipwayError, ServerError, WrongAnswerError, h2load.LoadError) as error:
            sys.exit(f"benchmark: {error}")
    names = [cell.name for cell in cells]
    single = [cell.name for cell in cells if cell.connections == 1]
    print(f"\n{report(rounds, names, list(targets), bars(single))}")


def make_cells(cpus: Sequence[int]) -> list[Cell]:
    """Return what is measured, on these CPUs.

    With one connection the rate hangs on whether client and server happen to share a CPU: waking
    another one takes longer than the request. So that case is measured both ways as well.
    """
    one = 10_000
    cells = [Cell("1", 1, one)]
    if len(cpus) > 1:
        cells.append(Cell("1, same CPU", 1, one, client_cpu=cpus[0], server_cpu=cpus[0]))
        cells.append(Cell("1, two CPUs", 1, one, client_cpu=cpus[0], server_cpu=cpus[1]))
    return [*cells, Cell("8", 8, 50_000), Cell("32", 32, 50_000)]


def start_slipway(stack: ExitStack, folder: Path) -> dict[str, Target]:
    """Start `slipway serve`, check its answers, and return its two ports as targets."""
    grpc_port, rest_port = free_ports(2)
    command: list[str | Path] = [
        Path(sys.executable).with_name("slipway"),
        "serve",
        f"--port={grpc_port}",
        f"--rest_api_port={rest_port}",
        f"--model_name={MODEL}",
        f"--model_base_path={BASE_PATH}",
    ]
    ports = [grpc_port, rest_port]
    server = stack.enter_context(started(command, ports, folder / "slipway.log"))
    return {
        GRPC: Target(server, checked_grpc(grpc_port, folder)),
        REST: Target(server, checked_rest(rest_port, folder)),
    }


def start_floors(stack: ExitStack, folder: Path, source: Path | None) -> dict[str, Target]:
    """Build and start the C++ server with both of its configurations, where that is possible."""
    if source is None:
        print("No C++ server to measure against: its source was not given (--floor)")
        return {}
    try:
        program = floor.build(source, folder)
    except floor.FloorError as error:
        print(f"No C++ server to measure against: {error}")
        return {}
    config = folder / "caller.config"
    config.write_bytes(floor.CALLER_CONFIG)
    model = BASE_PATH / str(VERSION)
    targets = {}
    for name, arguments in ((FLOOR, []), (FLOOR_CALLER, [config])):
        (port,) = free_ports(1)
        command: list[str | Path] = [program, model, str(port), find_runtime(), *arguments]
        server = stack.enter_context(started(command, [port], folder / f"{name}.log"))
        targets[name] = Target(server, checked_grpc(port, folder))
    return targets


def checked_grpc(port: int, folder: Path) -> h2load.Request:
    """Ask over 1, 8 and 32 connections and check every answer; return the request for h2load."""
    for connections in (1, 8, 32):
        answer_bytes = half_plus_two.check_grpc(port, connections, CHECKED_REQUESTS)
    body = folder / "request.grpc"
    body.write_bytes(half_plus_two.grpc_frame(half_plus_two.GRPC_REQUEST))
    flags = ("--header=content-type: application/grpc", "--header=te: trailers")
    url = f"http://127.0.0.1:{port}{half_plus_two.GRPC_METHOD}"
    return h2load.Request(url, body, flags, answer_bytes)


def checked_rest(port: int, folder: Path) -> h2load.Request:
    """Do for REST what `checked_grpc` does for gRPC."""
    for connections in (1, 8, 32):
        answer_bytes = half_plus_two.check_rest(port, connections, CHECKED_REQUESTS)
    body = folder / "request.json"
    body.write_bytes(half_plus_two.REST_REQUEST)
    flags = ("--h1", "--header=content-type: application/json")
    url = f"http://127.0.0.1:{port}{half_plus_two.REST_PATH}"
    return h2load.Request(url, body, flags, answer_bytes)


def run_round(number: int, cells: Sequence[Cell], targets: Mapping[str, Target]) -> Round:
    """Measure every cell of every target once, and the bare loop."""
    print(f"measuring, round {number + 1}", file=sys.stderr)
    # There and back again, so that a machine that warms up or tires favours nobody.
    order = list(targets.items())[:: -1 if number % 2 else 1]
    samples = {
        (cell.name, name): measure(cell, target, cell.requests)
        for cell in cells
        for name, target in order
    }
    _, loop = session_loop(LOOP_SECONDS)
    return Round(samples, loop)


def measure(cell: Cell, target: Target, requests: int) -> Sample:
    """Run h2load once."""
    allowed = sorted(os.sched_getaffinity(0))
    target.server.pin(allowed if cell.server_cpu is None else [cell.server_cpu])
    before = target.server.cpu_s()
    rate = h2load.run(target.request, cell.connections, requests, cell.client_cpu)
    return Sample(rate, (target.server.cpu_s() - before) / requests * 1e6)


def session_loop(seconds: float) -> tuple[str, dict[str, float]]:
    """Run the model with no server around it, in a loop on one thread.

    Returns TensorFlow's version, and runs a second by who executes the ops.
    """
    cargo = ["cargo", "run", "--quiet", "--release", "--locked", "--package=slipway-tensorflow"]
    arguments = [str(find_runtime()), str(BASE_PATH / str(VERSION)), str(seconds)]
    result = subprocess.run(
        [*cargo, "--example=session_loop", "--", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode != 0:
        sys.exit(f"benchmark: the bare loop failed:\n{result.stderr}")
    printed = dict(line.split() for line in result.stdout.splitlines())
    return printed.pop("tensorflow"), {name: float(rate) for name, rate in printed.items()}


def describe_machine(runtime: str, rounds: int) -> str:
    """Say what was measured, on what, and how busy that was at the start."""
    cpuinfo = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.partition(":")[2].strip() for line in cpuinfo if line.startswith("model name")]
    cpu = models[0] if models else platform.machine()
    return (
        f"slipway {version('slipway')}, TensorFlow {runtime}, h2load {h2load.version()}; {cpu}, "
        f"{len(os.sched_getaffinity(0))} CPUs, load average {os.getloadavg()[0]:.2f}; "
        f"medians of {rounds} rounds"
    )


if __name__ == "__main__":
    main()
