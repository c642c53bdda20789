"""`slipway up`: the whole stack of a project."""

import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import click

from slipway.cli.project import patience, plan_of, project_file, say
from slipway.cli.tail import print_lines

if TYPE_CHECKING:
    from slipway.stack.control import Stack
    from slipway.stack.plan import Plan
    from slipway.stack.status import StackStatus

_LINES = 10
"""Of the log of each process that is not ready."""


@click.command()
@project_file
@patience
@click.option(
    "--foreground", is_flag=True, help="Stay, show the logs, and end the stack with Ctrl-C."
)
def up(path: Path, timeout_s: float, foreground: bool) -> int:
    """Run model servers, gateways and nginx as slipway.toml says, and keep them running.

    Returns when all of them are ready; with status 1 when one is not, and says why. The stack goes
    on in both cases, until slipway down. Run again, it starts what was stopped and applies what has
    changed in the file.
    """
    from slipway.stack.control import Stack

    plan = plan_of(path)
    stack = Stack(plan, say=say)
    if foreground:
        return _stay(stack, plan, timeout_s)
    with stack.locked():
        stack.up(timeout_s)
    # Without the lock: who has waited too long may run slipway down.
    return _report(stack, plan, stack.wait_until_ready(timeout_s))


def _stay(stack: "Stack", plan: "Plan", timeout_s: float) -> int:
    """Run the stack until it ends, or SIGINT or SIGTERM ends it."""
    asked = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: asked.set())
    with stack.locked():
        child = stack.up_below()
    waiting = threading.Thread(
        target=lambda: _report(stack, plan, stack.wait_until_ready(timeout_s)), daemon=True
    )
    waiting.start()
    names = [process.name for process in plan.processes]
    print_lines(
        {name: stack.log_of(name) for name in names},
        count=0,
        follows=True,
        ends=lambda: asked.is_set() or child.poll() is not None,
    )
    with stack.locked():
        stack.down()
    child.wait()
    return 0 if asked.is_set() or child.returncode == 0 else 1


def _report(stack: "Stack", plan: "Plan", status: "StackStatus") -> int:
    """Say where the stack answers, or what keeps it from that; return the exit status."""
    if not status.unready:
        click.echo(f"Ready: {plan.url}" if plan.nginx or plan.gateways else "Ready")
        return 0
    from slipway.stack.logs import last_lines

    if not stack.is_running:
        click.echo("slipway: the stack has been ended meanwhile", err=True)
        return 1
    for process in status.unready:
        reason = f": {process.reason}" if process.reason else ""
        click.echo(f"slipway: {process.name} is {process.state}{reason}", err=True)
        for line in last_lines(stack.log_of(process.name), _LINES):
            click.echo(f"  {line}", err=True)
    return 1
