"""`slipway doctor`: what is missing or set wrongly, and what mends it."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from slipway.config.project import PROJECT_FILE

if TYPE_CHECKING:
    from slipway.stack.doctor import Line

_COLOURS = {"ok": "green", "warning": "yellow", "problem": "bold red"}


@click.command()
@click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path),
    help=f"File of the project. Default: {PROJECT_FILE}, if this folder has one.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def doctor(path: Path | None, as_json: bool) -> int:
    """Say what is missing or set wrongly, and the command that mends it.

    Looks at the machine, and at the project in the current folder if there is one. Changes nothing.
    Ends with status 1 when there are problems; with warnings a stack runs, and lacks something.
    """
    from slipway.stack.doctor import examine, has_problems

    lines = examine(path)
    if as_json:
        report = {"ok": not has_problems(lines), "lines": [asdict(line) for line in lines]}
        click.echo(json.dumps(report, indent=1, ensure_ascii=False))
    else:
        _show(lines)
    return 1 if has_problems(lines) else 0


def _show(lines: Sequence["Line"]) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    marks = max(len(line.mark) for line in lines)
    subjects = max(len(line.subject) for line in lines)
    for line in lines:
        text = Text()
        text.append(f"{line.mark:<{marks}}", _COLOURS[line.mark])
        text.append(f"  {line.subject:<{subjects}}  {line.found}")
        if line.remedy:
            text.append(f"\n{'':<{marks + subjects + 4}}")
            text.append(line.remedy, "bold")
        # Long lines are the terminal's to break: commands are copied from them.
        console.print(text, soft_wrap=True)
