"""What commands of a project have in common: its file, and the stack that it says."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from slipway.config.project import PROJECT_FILE
from slipway.errors import ConfigError

if TYPE_CHECKING:
    from slipway.stack.control import Stack
    from slipway.stack.plan import Plan

project_file = click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path),
    default=PROJECT_FILE,
    show_default=True,
    help="File of the project.",
)
patience = click.option(
    "--timeout_s",
    type=click.FloatRange(min=0, min_open=True),
    default=300.0,
    show_default=True,
    help="Seconds that a process may take until it is ready.",
)
process_names = click.argument("names", nargs=-1, metavar="[NAME]...")


def plan_of(path: Path) -> "Plan":
    """Return the plan of a slipway.toml. Raises ConfigError."""
    from slipway.stack.machine import find_nginx
    from slipway.stack.plan import make_plan

    program = find_nginx()
    return make_plan(path, nginx=program.path if program else None)


def stack_of(path: Path) -> "Stack":
    """Return the stack of a slipway.toml, which says on stderr what it does. Raises ConfigError."""
    from slipway.stack.control import Stack

    return Stack(plan_of(path), say=say)


def plan_that_runs(path: Path) -> "Plan":
    """Return the plan of a slipway.toml, or where it cannot be read that of its stack that runs.

    The mistake is said on stderr then. Raises ConfigError when there is no such stack.
    """
    from slipway.stack.last import last_plan
    from slipway.stack.machine import find_nginx

    try:
        return plan_of(path)
    except ConfigError as error:
        program = find_nginx()
        plan = last_plan(path, nginx=program.path if program else None)
        if plan is None:
            raise
        say(f"slipway: {error}; what follows is about the stack as it was last started")
        return plan


def stack_that_runs(path: Path) -> "Stack":
    """Return the stack of `plan_that_runs`."""
    from slipway.stack.control import Stack

    return Stack(plan_that_runs(path), say=say)


def say(line: str) -> None:
    """Tell the operator what is done."""
    click.echo(line, err=True)
