"""`slipway start`, `stop`, `restart`, `reload` and `down`: changing a stack that runs."""

from collections.abc import Sequence
from pathlib import Path

import click

from slipway.cli.project import (
    patience,
    process_names,
    project_file,
    say,
    stack_of,
    stack_that_runs,
)


@click.command()
@process_names
@project_file
def start(names: Sequence[str], path: Path) -> None:
    """Start the processes NAME of the stack, or all that do not run."""
    stack = stack_of(path)
    with stack.locked():
        stack.start(names)


@click.command()
@process_names
@project_file
def stop(names: Sequence[str], path: Path) -> None:
    """Stop the processes NAME of the stack, or all.

    Each finishes the requests that it has begun. It stays stopped until slipway start or up.
    """
    stack = stack_that_runs(path)
    with stack.locked():
        stack.stop(names)


@click.command()
@process_names
@project_file
@patience
def restart(names: Sequence[str], path: Path, timeout_s: float) -> None:
    """Restart the processes NAME of the stack, or all, with what slipway.toml says now.

    One after the other, each once the last one is ready: where there are two of a kind, one of them
    answers at any time. Where one does not become ready, those after it go on as they are.
    """
    stack = stack_of(path)
    with stack.locked():
        stack.restart(names, timeout_s)


@click.command()
@project_file
@patience
def reload(path: Path, timeout_s: float) -> None:
    """Have the stack take up configuration, models and handlers, and lose no request.

    What only a restart can change is named: flags of the model servers, replicas, ports.
    """
    stack = stack_of(path)
    with stack.locked():
        left = stack.reload(timeout_s)
    for line in left:
        click.echo(line)


@click.command()
@project_file
def down(path: Path) -> None:
    """End the stack, and return when nothing of it runs any more.

    Each process finishes the requests that it has begun; nginx ends first.
    """
    stack = stack_that_runs(path)
    with stack.locked():
        if not stack.down():
            say("the stack does not run")
