"""`slipway status`: how a stack is."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from slipway.cli.project import project_file, stack_that_runs
from slipway.servables import VersionStatus

if TYPE_CHECKING:
    from rich.console import RenderableType

    from slipway.stack.status import StackStatus

_STYLES = {
    "ready": "green", "starting": "yellow", "unready": "yellow", "stopping": "yellow",
    "stopped": "dim", "crashing": "red", "failed": "red", "orphaned": "red",
}  # fmt: skip


@click.command()
@project_file
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(path: Path, as_json: bool) -> int:
    """Show each process of the stack, the models, and the requests per second.

    Ends with status 1 when the stack is not ready: a process that was not stopped on purpose does
    not answer, or none of its kind does.

    \b
    ready     it answers
    starting  started a moment ago, it does not answer yet
    unready   it runs, and does not answer; the reason says why
    crashing  it ends again and again, and is started each time, after longer pauses
    failed    it ended so often that it is not started any more; slipway start does
    stopping  it finishes the requests that it has begun
    stopped   nobody has started it, or somebody has stopped it
    orphaned  it runs, and will not be restarted: supervisord has ended; slipway up
    """
    found = stack_that_runs(path).status(rate=True)
    if as_json:
        click.echo(json.dumps(_as_dict(found), indent=2, ensure_ascii=False))
    else:
        _print(found)
    return 0 if found.is_ready else 1


def _as_dict(found: "StackStatus") -> dict[str, Any]:
    return {
        "ready": found.is_ready,
        "requests_per_s": _rounded(found.requests_per_s),
        "problems": list(found.problems),
        "processes": [
            {
                "name": one.name,
                "state": str(one.state),
                "pid": one.pid,
                "uptime_s": _rounded(one.uptime_s),
                "restarts": one.restarts,
                "reason": one.reason,
            }
            for one in found.processes
        ],
        "models": [
            {
                "server": model.server,
                "name": model.name,
                "versions": [
                    {
                        "version": version.version,
                        "state": str(version.state),
                        "message": version.message,
                    }
                    for version in model.versions
                ],
            }
            for model in found.models
        ],
    }


def _print(found: "StackStatus") -> None:
    from rich.console import Console

    console = Console(highlight=False)
    # Of a pipe the width is not known, and 80 columns would cut what a script looks for.
    if not console.is_terminal:
        console.width = 10_000
    console.print(_processes(found))
    if found.models:
        console.print(_models(found))
    for problem in found.problems:
        console.print(problem, markup=False, soft_wrap=True)
    if found.requests_per_s is not None:
        console.print(f"{found.requests_per_s:.1f} requests/s in the last half second")
    console.print("ready" if found.is_ready else "not ready")


def _processes(found: "StackStatus") -> "RenderableType":
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("process", "state", "pid", "uptime", "restarts", "reason"):
        table.add_column(title, justify="right" if title in ("pid", "restarts") else "left")
    for one in found.processes:
        table.add_row(
            one.name,
            Text(one.state, style=_STYLES[one.state]),
            str(one.pid or "-"),
            "-" if one.uptime_s is None else _duration(one.uptime_s),
            str(one.restarts),
            # Its brackets are no markup.
            Text(one.reason),
        )
    return table


def _models(found: "StackStatus") -> "RenderableType":
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("model", "server", "versions"):
        table.add_column(title)
    for model in found.models:
        versions = ", ".join(map(_version, model.versions))
        table.add_row(model.name, model.server, Text(versions or "-"))
    return table


def _version(status: VersionStatus) -> str:
    message = f" ({status.message})" if status.message else ""
    return f"{status.version} {status.state}{message}"


def _duration(seconds: float) -> str:
    """Return a time as people say it, in its two largest units."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    units = [(days, "d"), (hours, "h"), (minutes, "min"), (rest, "s")]
    first = next((at for at, (number, _) in enumerate(units) if number), len(units) - 1)
    return " ".join(f"{number} {unit}" for number, unit in units[first : first + 2])


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)
