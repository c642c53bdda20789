"""Which stack keeps a process running, of all that are on this machine."""

from pathlib import Path

from slipway.stack.processes import command_of, facts_of
from slipway.stack.supervisor import project_of
from slipway.stack.supervisord import config_in


def stack_of(pid: int) -> Path | None:
    """Return the slipway.toml of the stack that a process belongs to.

    None when it belongs to none, or nobody may know.
    """
    # Every process is a descendant of the first, whose parent is 0.
    while facts := facts_of(pid):
        if config := config_in(command_of(pid)):
            return project_of(config)
        pid = facts.parent
    return None
