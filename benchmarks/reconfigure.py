"""Six models of different sizes, reconfigured at random under load.

    python benchmarks/reconfigure.py [--seconds=300] [--seed=1]

`make reconfigure` runs it. Every 0.5 to 2 seconds models, policies, labels and base paths change,
versions come and go on disk, reloads overlap, or a configuration is refused; meanwhile every way to
ask asks by name, version and label. Each version of each folder answers another number. It ends
with status 1 when an answer was not right for what was configured, when what stayed configured
failed, or when the states that are reported were not the true ones. Linux only.
"""

import argparse
import os
import re
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from random import Random
from statistics import median

from reconfigure_callers import WAYS, Asking
from reconfigure_changes import Changes, Folders
from reconfigure_judge import Ledger, Record
from reconfigure_plan import config_text, first_plan
from report import table
from saved_models import ExportError, export
from servers import Server, ServerError, free_ports, started
from soak import footprint
from soak_report import Footprint

import slipway

KINDS = ("by name", "by version", "by label", "status")
LOOKS = 20
WRONG_LINES = re.compile(r"Traceback|this is a bug|panicked|Cannot unload|failed for a reason in")


def main() -> None:
    """Export, serve, reconfigure while everybody asks, judge, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        try:
            is_good = run(stack, folder, arguments.seconds, arguments.seed)
        except (ExportError, ServerError) as error:
            sys.exit(f"reconfigure: {error}")
    sys.exit(0 if is_good else 1)


def run(stack: ExitStack, folder: Path, seconds: float, seed: int) -> bool:
    """Run for so long and print what came of it; return whether nothing was wrong."""
    export("reconfigure_model.py", folder / "exported")
    folders = Folders(folder / "exported", folder / "models", folder / "scratch")
    config = folder / "models.config"
    config.write_text(config_text(first_plan(), folders.root))
    ports = free_ports(2)
    log = folder / "slipway.log"
    server = stack.enter_context(started(serve(ports, config), ports, log))
    grpc, rest = (f"127.0.0.1:{port}" for port in ports)
    ledger = Ledger()
    lookers = {way: make(grpc, rest) for way, make in WAYS.items()}
    changes = Changes(folders, slipway.Client(grpc), lookers, ledger, Random(seed))
    changes.settle()
    stopped = threading.Event()
    asking = [
        Asking(
            way, make(grpc, rest), lambda: ledger.topics, stopped, Random(f"{seed} {way} {turn}")
        )
        for way, make in WAYS.items()
        for turn in range(2)
    ]
    for thread in asking:
        thread.start()
    begin = time.monotonic()
    footprints, highest_mib = go_on(changes, server, seconds, Random(f"{seed} pauses"))
    stopped.set()
    for thread in asking:
        thread.join()
    elapsed_s = time.monotonic() - begin
    records = [record for thread in asking for record in thread.records]
    problems = complaints(changes, ledger, records, log.read_text(errors="replace"))
    for name, examples in problems.items():
        for example in examples[:10]:
            print(f"{name}: {example}", file=sys.stderr)
    if any(problems.values()):
        kept = Path(tempfile.gettempdir()) / f"reconfigure-{seed}.log"
        kept.write_text(log.read_text(errors="replace"))
        print(f"the server's log is {kept}", file=sys.stderr)
    reloads = sum(len(changes.took_s[kind]) for kind in ("applied", "overlap"))
    summary = (
        f"Seed {seed}, {elapsed_s:.0f} s: {reloads} reloads, {len(records):,} requests, "
        f"{sum(map(len, problems.values()))} violations."
    )
    tables = [
        change_table(changes), request_table(records), memory_table(footprints, highest_mib),
        problem_table(problems),
    ]  # fmt: skip
    print("\n\n".join([summary, *tables]))
    return not any(problems.values())


def serve(ports: Sequence[int], config: Path) -> list[str | Path]:
    """Return the command of the server; a load fails at once, and is soon tried again."""
    return [
        Path(sys.executable).with_name("slipway"), "serve", f"--port={ports[0]}",
        f"--rest_api_port={ports[1]}", f"--model_config_file={config}",
        "--max_num_load_retries=0", "--load_retry_interval_micros=500000",
    ]  # fmt: skip


def go_on(
    changes: Changes, server: Server, seconds: float, random: Random
) -> tuple[dict[str, Footprint], float]:
    """Change and change; return what the server held whenever it served what it served first, and
    the most that was resident at any time, in MiB.
    """
    pid = server.process.pid
    footprints = {"start": footprint(pid, LOOKS)}
    begin = time.monotonic()
    for when, end in (("half", begin + seconds / 2), ("end", begin + seconds)):
        while (now := time.monotonic()) < end:
            next_at = now + random.uniform(0.5, 2)
            changes.change()
            if random.random() < 0.6:
                changes.settle()
            time.sleep(max(0.0, next_at - time.monotonic()))
        changes.go_home()
        footprints[when] = footprint(pid, LOOKS)
    status = Path(f"/proc/{pid}/status").read_text()
    [highest_kib] = re.findall(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
    return footprints, int(highest_kib) / 1024


def complaints(
    changes: Changes, ledger: Ledger, records: Sequence[Record], log: str
) -> dict[str, list[str]]:
    """Return all that went wrong, by kind."""
    problems: dict[str, list[str]] = {
        "wrong answers": [], "wrong states": [], "failed requests": [],
        "failed reloads": [], "wrong refusals": [], "states that did not come true": [],
        "states that did not last": [],
    }  # fmt: skip
    for record in records:
        if objection := ledger.objection(record):
            name = "wrong answers" if record.answered else "failed requests"
            name = "wrong states" if record.states is not None else name
            problems[name].append(f"{record.begin:.3f} {record.way}: {record.topic}: {objection}")
    for name, found in changes.problems.items():
        problems[name] += found
    problems["errors in the log"] = [line for line in log.splitlines() if WRONG_LINES.search(line)]
    return problems


def change_table(changes: Changes) -> str:
    """Return how often what was done, and how long it took."""
    names = {
        "applied": "reloads, one at a time", "overlap": "reloads, two at once",
        "refused, a mistake": "refused: a mistake",
        "refused, a model that fails": "refused: a model that fails",
        "folders that came or went": "folders that came or went",
        "settled": "waits until all was as it should",
    }  # fmt: skip
    rows = [
        [name, str(len(times)), f"{1000 * median(times):.0f}", f"{1000 * max(times):.0f}"]
        for kind, name in names.items()
        if (times := changes.took_s[kind])
    ]
    return table(["changes", "number", "median, ms", "slowest, ms"], rows)


def request_table(records: Sequence[Record]) -> str:
    """Return how many requests there were, by way and kind, and what the slowest took."""
    number = Counter((record.way, record.kind) for record in records)
    rows = [_requests(way, number, [r for r in records if r.way == way]) for way in WAYS]
    totals = Counter(("all", record.kind) for record in records)
    rows.append(_requests("all", totals, records))
    return table(["requests", *KINDS, "of these not there", "slowest, ms"], rows)


def _requests(
    way: str, number: Mapping[tuple[str, str], int], records: Sequence[Record]
) -> list[str]:
    slowest_s = max(record.end - record.begin for record in records)
    return [
        way,
        *(f"{number[way, kind]:,}" for kind in KINDS),
        f"{sum(bool(record.code) for record in records):,}",
        f"{1000 * slowest_s:.0f}",
    ]


def memory_table(footprints: Mapping[str, Footprint], highest_mib: float) -> str:
    """Return what the server held while it served what it served first, and at most."""
    rows = [
        [
            when, f"{held.resident_mib:.0f}", f"{held.anonymous_mib:.0f}", str(held.threads),
            str(held.descriptors),
        ]
        for when, held in footprints.items()
    ]  # fmt: skip
    rows.append(["most ever", f"{highest_mib:.0f}", "", "", ""])
    return table(["memory at", "RSS, MiB", "anonymous", "threads", "descriptors"], rows)


def problem_table(problems: Mapping[str, Sequence[str]]) -> str:
    """Return how often what went wrong."""
    return table(
        ["violations", "number"], [[name, str(len(found))] for name, found in problems.items()]
    )


if __name__ == "__main__":
    main()
