"""What comes before anything of a stack is touched: it is checked, and its files are written."""

from collections.abc import Callable, Collection

from slipway.errors import ConfigError
from slipway.stack.checks import check
from slipway.stack.files import write_files
from slipway.stack.machine import look
from slipway.stack.plan import Plan


def prepare(plan: Plan, own_pids: Collection[int], say: Callable[[str], None]) -> None:
    """Check a plan on this machine, and write its files.

    `own_pids` are the processes of the stack that run. `say` is told what the stack will do
    without. Raises ConfigError when something is wrong; then the files are as they were.
    """
    findings = check(plan, look(), own_pids)
    errors = [str(finding) for finding in findings if finding.is_error]
    for finding in findings:
        if not finding.is_error:
            say(f"slipway: {finding}")
    if len(errors) > 1:
        for error in errors:
            say(f"slipway: {error}")
        raise ConfigError(f"these {len(errors)} mistakes keep the stack from starting")
    if errors:
        raise ConfigError(errors[0])
    write_files(plan)
