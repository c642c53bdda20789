"""What the soak has found, as tables, and as bars that are met or not."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from report import table
from soak_changes import Changes
from soak_judge import Record
from soak_versions import MODEL

BASE_CYCLE = 5
END_CYCLE = 30
GROWTH = 1.03
MORE_DESCRIPTORS = 2
"""Connections that may just be coming or going when they are counted."""


@dataclass(frozen=True)
class Footprint:
    """What the server holds, with one version loaded."""

    resident_mib: float
    proportional_mib: float
    anonymous_mib: float
    threads: int
    descriptors: int


@dataclass(frozen=True)
class Footprints:
    """What there was at the end of a cycle."""

    server: Footprint
    clients: Mapping[str, Footprint]
    """The processes that ask with our clients, by name."""


def runs_across(changes: Changes, records: list[Record]) -> int:
    """Return how many versions were retired while a run on them was under way."""
    return sum(
        any(r.answered == version and r.begin < seen < r.end for r in records)
        for version, seen in changes.handovers
    )


def complaints(changes: Changes, records: list[Record], log: str) -> dict[str, list[str]]:
    """Return everything that was not as it should be, by what is counted."""
    failed, wrong = [], []
    for record in records:
        what = f"{record.way}: {record.kind}"
        if changes.ledger.is_failure(record):
            failed.append(f"{what}, version {record.pinned or 'latest'}: {record.error}")
        elif record.error is None and (objection := changes.ledger.objection(record)):
            wrong.append(f"{what}: {objection}")
    refused = [
        line
        for line in log.splitlines()
        if " ERROR " in line
        and not any(f"{{name: {MODEL} version: {number}}}" in line for number in changes.may_fail)
    ]
    return {
        "failed requests": failed,
        "wrong versions": wrong,
        "good versions that failed to load": refused,
    }


def memory_table(footprints: Sequence[Footprints]) -> str:
    """Return what the server held, every few cycles, and what the processes of our clients did."""
    rows = []
    for number, at in enumerate(footprints, 1):
        if number in {1, len(footprints)} or number % BASE_CYCLE == 0:
            server = at.server
            memory = (server.resident_mib, server.proportional_mib, server.anonymous_mib)
            rows.append(
                [
                    str(number),
                    *(f"{mib:.1f}" for mib in memory),
                    str(server.threads),
                    str(server.descriptors),
                    *(f"{client.resident_mib:.1f}" for client in at.clients.values()),
                ]
            )
    return table(
        [
            "after cycle", "RSS, MiB", "PSS", "anonymous", "threads", "descriptors",
            *(f"RSS of {name}" for name in footprints[0].clients),
        ],
        rows,
    )  # fmt: skip


def request_table(records: Sequence[Record]) -> str:
    """Return how many requests there were, by way and kind, and what the slowest took."""
    number = Counter((record.way, record.kind) for record in records)
    slowest_s: dict[str, float] = defaultdict(float)
    for record in records:
        for of in (record.way, record.kind):
            slowest_s[of] = max(slowest_s[of], record.end - record.begin)
    kinds = list(dict.fromkeys(record.kind for record in records))
    ways = sorted({record.way for record in records})
    rows = [
        [
            way,
            *(f"{number[way, kind]:,}" if number[way, kind] else "" for kind in kinds),
            f"{1000 * slowest_s[way]:.0f}",
        ]
        for way in ways
    ]
    totals = (sum(number[way, kind] for way in ways) for kind in kinds)
    rows.append(["all", *map("{:,}".format, totals), ""])
    rows.append(["slowest, ms", *(f"{1000 * slowest_s[kind]:.0f}" for kind in kinds), ""])
    return table(["requests", *kinds, "slowest, ms"], rows)


@dataclass(frozen=True)
class Verdict:
    """A bar, and what was measured."""

    name: str
    measured: str
    bar: str
    is_met: bool


def verdicts(
    problems: Mapping[str, Sequence[str]], footprints: Sequence[Footprints]
) -> list[Verdict]:
    """Hold everything against its bar."""
    last = min(END_CYCLE, len(footprints))
    base, end = footprints[BASE_CYCLE - 1].server, footprints[last - 1].server
    growth = end.resident_mib / base.resident_mib
    threads, descriptors = end.threads - base.threads, end.descriptors - base.descriptors
    return [
        *(Verdict(name, str(len(found)), "0", not found) for name, found in problems.items()),
        Verdict(
            f"RSS, cycle {last} / cycle {BASE_CYCLE}", f"{growth:.3f}", f"<= {GROWTH}",
            growth <= GROWTH,
        ),
        Verdict("more threads", str(threads), "<= 0", threads <= 0),
        Verdict(
            "more descriptors", str(descriptors), f"<= {MORE_DESCRIPTORS}",
            descriptors <= MORE_DESCRIPTORS,
        ),
    ]  # fmt: skip


def verdict_table(verdicts: Sequence[Verdict]) -> str:
    """Return the bars."""
    return table(
        ["", "measured", "bar", ""],
        [[v.name, v.measured, v.bar, "met" if v.is_met else "not met"] for v in verdicts],
    )
