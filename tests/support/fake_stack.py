"""Stacks of small programs, under a real supervisord."""

import getpass
import sys
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from slipway.config.project import GatewaySection, Project
from slipway.stack.control import Stack
from slipway.stack.plan import Plan, Process
from tests.support.ports import free_port

_LISTENER = (
    "import socket, time; s = socket.socket(); "
    "s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); "
    "s.bind(('127.0.0.1', {port})); s.listen(); time.sleep(600)"
)


def program(
    name: str, *, port: int = 0, before: str = "", environ: dict[str, str] | None = None
) -> Process:
    """Return a process that opens a port; `before` that it does what that script says.

    It ends with `OSError: Address already in use` where somebody else has the port.
    """
    port = port or free_port()
    return Process(
        name=name,
        command=[sys.executable, "-c", before + _LISTENER.format(port=port)],
        environ=environ or {},
        ports=[("127.0.0.1", port)],
    )


class FakePlan(Plan):
    """A plan of any programs."""

    __slots__ = ("programs",)
    programs: Sequence[Process]

    @property
    def processes(self) -> list[Process]:
        return list(self.programs)


def make_plan(folder: Path, programs: Sequence[Process]) -> Plan:
    """Return the plan of some programs, in a folder of its own."""
    plan = FakePlan(
        file=folder / "slipway.toml",
        project=Project(gateway=GatewaySection()),
        run=folder / "run",
        logs=folder / "run" / "logs",
        servers=[],
        gateways=[],
        nginx=None,
    )
    object.__setattr__(plan, "programs", programs)
    return plan


def make_stack(
    folder: Path, programs: Sequence[Process], say: Callable[[str], None] = lambda _: None
) -> Stack:
    """Return the stack of some programs; nothing is started yet."""
    return Stack(make_plan(folder, programs), say=say, prepare=write)


def write(plan: Plan, own_pids: Collection[int], say: Callable[[str], None]) -> None:
    """Write the least that supervisord needs for a plan."""
    for path in (plan.run, plan.logs, plan.groups):
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    sections = [
        f"[unix_http_server]\nfile={plan.supervisor_socket}\n",
        "[rpcinterface:supervisor]\n"
        "supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n",
        f"[supervisord]\npidfile={plan.supervisor_pid}\nlogfile={plan.logs}/supervisord.log\n"
        f"user={getpass.getuser()}\n",
        *(_section(plan, process) for process in plan.processes),
    ]
    plan.supervisor_config.write_text("\n".join(sections))


def _section(plan: Plan, process: Process) -> str:
    launch = [
        sys.executable,
        "-m",
        "slipway.stack.launch",
        str(plan.group_file(process)),
        "TERM",
        "before",
    ]
    words = " ".join(f'"{word}"' for word in [*launch, *process.command])
    environ = ",".join(f'{name}="{value}"' for name, value in process.environ.items())
    return (
        f"[program:{process.name}]\ncommand={words}\ndirectory={plan.file.parent}\n"
        f"environment={environ}\nautorestart=true\nstartsecs=1\nstartretries=3\nstopwaitsecs=5\n"
        f"redirect_stderr=true\nstdout_logfile={plan.logs}/{process.name}.log\n"
    )
