"""`slipway tail`: the logs of a stack."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import click

from slipway.cli.project import plan_that_runs, process_names, project_file
from slipway.errors import ConfigError

_SUPERVISORD = "supervisord"


@click.command()
@process_names
@project_file
@click.option("-f", "--follow", "follows", is_flag=True, help="Go on until Ctrl-C.")
@click.option(
    "-n",
    "count",
    type=click.IntRange(min=0),
    default=10,
    show_default=True,
    help="Lines of each log to begin with.",
)
def tail(names: Sequence[str], path: Path, follows: bool, count: int) -> None:
    """Show the logs of the processes NAME, or of all and of supervisord."""
    plan = plan_that_runs(path)
    known = [*(process.name for process in plan.processes), _SUPERVISORD]
    # Of others too that are there, such as those of replicas that the file had before.
    there = [file.stem for file in sorted(plan.logs.glob("*.log"))]
    if unknown := [name for name in names if name not in known and name not in there]:
        listed = ", ".join(dict.fromkeys((*known, *there)))
        raise ConfigError(f"there is no log {unknown[0]}; there are {listed}")
    logs = {name: plan.logs / f"{name}.log" for name in names or known}
    with contextlib.suppress(KeyboardInterrupt, BrokenPipeError):
        print_lines(logs, count=count, follows=follows, ends=lambda: False)


def print_lines(
    logs: Mapping[str, Path], *, count: int, follows: bool, ends: Callable[[], bool]
) -> None:
    """Print the last lines of logs, and with `follows` the next ones until it `ends`.

    Where there are several logs, each line has the name of its own in front.
    """
    from slipway.stack.logs import follow, last_lines

    width = max(map(len, logs))

    def show(name: str, line: str) -> None:
        click.echo(f"{name:{width}} | {line}" if len(logs) > 1 else line)

    # Where to go on is known before the last lines are read: one may be shown twice, none is lost.
    news = follow(logs) if follows else iter(())
    next(news, None) if follows else None
    for name, path in logs.items():
        for line in last_lines(path, count):
            show(name, line)
    for item in news:
        if item:
            show(*item)
        elif ends():
            return
