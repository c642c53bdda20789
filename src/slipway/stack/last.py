"""Finding a stack that runs when its slipway.toml cannot be read any more.

`slipway up` keeps a copy of the file in the run folder (`Plan.last_file`). That folder is the usual
one, or that of a supervisord that runs; whose stack it holds says the first line of its
configuration.
"""

from collections.abc import Iterator
from pathlib import Path

from slipway.config.project import StackSection
from slipway.errors import ConfigError
from slipway.stack.plan import CONFIG_NAME, Plan, make_plan
from slipway.stack.processes import all_processes, command_of
from slipway.stack.supervisor import headline


def last_plan(file: Path, *, nginx: Path | None) -> Plan | None:
    """Return the plan by which the stack of a slipway.toml was last started; None without one."""
    file = file.absolute()
    for run in _run_folders(file):
        try:
            head = (run / CONFIG_NAME).read_text().partition("\n")[0]
            plan = make_plan(file, nginx=nginx, source=run / file.name)
        except (OSError, ValueError, ConfigError):
            continue
        if head == headline(file) and plan.run == run:
            return plan
    return None


def _run_folders(file: Path) -> Iterator[Path]:
    yield file.parent / StackSection().run_folder
    for facts in all_processes():
        command = command_of(facts.pid)
        if "supervisor.supervisord" in command:
            arguments = command[command.index("supervisor.supervisord") + 1 :]
            yield from (Path(word).parent for word in arguments if word.endswith(CONFIG_NAME))
