"""Mixed requests all along, while versions of the model come, go and break every few seconds.

    python benchmarks/soak.py [--seconds=600] [--cycle-seconds=20]

`make soak` runs a short one. It serves a model whose answers are of a different number for each
version, so that a wrong version shows in the numbers, and ends with status 1 when a request failed,
when a version answered that should not have, when a good version was not loaded at its first
attempt, or when memory grew. Linux only.
"""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

from saved_models import ExportError, export
from servers import ServerError, free_ports, started, stop
from soak_changes import WAIT_S, Changes, SoakError
from soak_judge import Record
from soak_report import (
    BASE_CYCLE,
    Footprint,
    Footprints,
    complaints,
    memory_table,
    request_table,
    runs_across,
    verdict_table,
    verdicts,
)
from soak_versions import MODEL, Versions

import slipway

HERE = Path(__file__).parent
CLIENTS = {"Client": "client", "AsyncClient": "async"}
WAYS = (*CLIENTS.values(), "http", "stubs")
LOOKS = 20


def footprint(pid: int, looks: int) -> Footprint:
    """Look at a process. Memory is the median of many looks, since requests go on meanwhile."""
    samples = []
    for _ in range(looks):
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        fields = re.findall(r"^(Rss|Pss|Anonymous): +(\d+) kB", rollup, re.MULTILINE)
        samples.append({name: int(kib) / 1024 for name, kib in fields})
        time.sleep(0.1)
    return Footprint(
        resident_mib=median(sample["Rss"] for sample in samples),
        proportional_mib=median(sample["Pss"] for sample in samples),
        anonymous_mib=median(sample["Anonymous"] for sample in samples),
        threads=len(os.listdir(f"/proc/{pid}/task")),
        descriptors=len(os.listdir(f"/proc/{pid}/fd")),
    )


def main() -> None:
    """Export, serve, have it asked and changed, judge, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--cycle-seconds", type=float, default=20, help="a cycle takes 15 or more")
    arguments = parser.parse_args()
    cycles = int(arguments.seconds / arguments.cycle_seconds)
    if cycles <= BASE_CYCLE:
        parser.error(f"cycle {BASE_CYCLE} is what a later one is compared with")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        try:
            is_good = run(stack, folder, cycles, arguments.cycle_seconds)
        except (ExportError, ServerError, SoakError) as error:
            log = folder / "slipway.log"
            tail = log.read_text(errors="replace").splitlines()[-20:] if log.exists() else []
            sys.exit("\n".join([*tail, f"soak: {error}"]))
    sys.exit(0 if is_good else 1)


def run(stack: ExitStack, folder: Path, cycles: int, cycle_s: float) -> bool:
    """Run so many cycles, print what came of them; return whether every bar is met."""
    for name in ("base", "scratch"):
        (folder / name).mkdir()
    exported = folder / "exported"
    export("soak_model.py", exported)
    ports = free_ports(2)
    client = slipway.Client(f"http://127.0.0.1:{ports[1]}", timeout_s=WAIT_S)
    changes = Changes(Versions(exported, folder / "base", folder / "scratch"), client)
    changes.begin()
    log = folder / "slipway.log"
    server = stack.enter_context(started(serve(ports, folder / "base"), ports, log))
    changes.settle()
    begin = time.monotonic()
    with ExitStack() as calling:
        # Longer than the run can take, and bounded.
        limit_s = 3 * cycles * cycle_s + 60
        callers = {way: calling.enter_context(caller(way, ports, folder, limit_s)) for way in WAYS}
        clients = {name: callers[way].pid for name, way in CLIENTS.items()}
        footprints = go_through(changes, cycles, cycle_s, server.process.pid, clients)
    elapsed_s = time.monotonic() - begin
    records = [
        Record(*json.loads(line))
        for way in WAYS
        for line in (folder / f"{way}.records").read_text().splitlines()
    ]
    problems = complaints(changes, records, log.read_text(errors="replace"))
    for name, examples in problems.items():
        for example in examples[:10]:
            print(f"{name}: {example}", file=sys.stderr)
    held = verdicts(problems, footprints)
    summary = (
        f"{cycles} cycles in {elapsed_s:.0f} s, {len(records):,} requests. "
        f"{changes.came} versions came, {len(changes.handovers)} took over, "
        f"{runs_across(changes, records)} of these while a run on the old one was under way. "
        f"{sum(record.is_not_found for record in records)} requests found the version that they "
        f"asked for to have left."
    )
    tables = [memory_table(footprints), request_table(records), verdict_table(held)]
    print("\n\n".join([summary, *tables]))
    return all(verdict.is_met for verdict in held)


def serve(ports: list[int], base_path: Path) -> list[str | Path]:
    """Return the command of the server; broken versions are tried again while they are there."""
    return [
        Path(sys.executable).with_name("slipway"), "serve", f"--port={ports[0]}",
        f"--rest_api_port={ports[1]}", f"--model_name={MODEL}",
        f"--model_base_path={base_path}", "--load_retry_interval_micros=500000",
    ]  # fmt: skip


@contextmanager
def caller(
    way: str, ports: list[int], folder: Path, seconds: float
) -> Iterator[subprocess.Popen[bytes]]:
    """Have a process ask until the end of the block; its records are in `folder`."""
    command: list[str | Path] = [
        sys.executable, HERE / "soak_asking.py", way, "--ports", *map(str, ports),
        f"--seconds={seconds}",
    ]  # fmt: skip
    environ = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"}
    with (folder / f"{way}.records").open("wb") as records:
        process = subprocess.Popen(command, stdout=records, env=environ)
    try:
        yield process
        was_running = process.poll() is None
    finally:
        stop(process)
    if not was_running or process.returncode:
        raise SoakError(f"the callers by way of {way} have not asked to the end")


def go_through(
    changes: Changes, cycles: int, cycle_s: float, server: int, clients: Mapping[str, int]
) -> list[Footprints]:
    """Go through all cycles; return what the server and the clients, by pid, held after each."""
    footprints = []
    for number in range(1, cycles + 1):
        end = time.monotonic() + cycle_s
        changes.cycle(number)
        held = footprint(server, LOOKS)
        of_clients = {name: footprint(pid, LOOKS // 4) for name, pid in clients.items()}
        footprints.append(Footprints(held, of_clients))
        left_s = max(0.0, end - time.monotonic())
        print(
            f"cycle {number} of {cycles}: {held.resident_mib:.0f} MiB, {left_s:.1f} s to spare",
            file=sys.stderr,
        )
        time.sleep(left_s)
    return footprints


if __name__ == "__main__":
    main()
