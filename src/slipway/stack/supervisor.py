"""The configuration of supervisor, which keeps the processes of a stack running."""

import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from slipway.errors import ConfigError
from slipway.stack.plan import Nginx, Plan, Process, Server
from slipway.stack.timing import gateway_stop_s, nginx_stop_s, server_stop_s

_HEAD: Final = "; The stack of "
_COMMENT: Final = re.compile(r"(?<=\s)(?=[#;])")
"""Where a comment would begin: there is no way to escape one."""
_PYTHON: Final = sys.executable, "-P", "-m"
"""Without the folder of the project, whose modules may have the names of others."""
_LEFT: Final = {
    "before": "What is left of the last one is ended first: it may hold the ports.",
    "after": "What is left of the last one is ended once this one listens beside it.",
}
_PRIORITY: Final = {"server": 100, "gateway": 200, "nginx": 300}


def supervisor_config(plan: Plan, *, user: str | None = None) -> str:
    """Return the configuration; `user` is whom the processes run as, where root starts them.

    Raises ConfigError for paths that supervisor cannot be told.
    """
    sections = [_own(plan, user), *(_program(plan, process, user) for process in plan.processes)]
    if plan.nginx:
        sections.append(_rotation(plan))
    return "\n".join(sections)


def project_of(config: Path) -> Path | None:
    """Return the slipway.toml that a configuration was written for; None when it does not say."""
    try:
        with config.open() as file:
            head, found, path = file.readline().partition(_HEAD)
    except (OSError, ValueError):
        return None
    return Path(path.strip()) if found and not head else None


def headline(file: Path) -> str:
    """Return the first line of the configuration: whose stack it is of."""
    return f"{_HEAD}{' '.join(str(file).split())}"


def _own(plan: Plan, user: str | None) -> str:
    # Without the line it warns that it is root; programs have users of their own.
    root = "user=root\n" if user else ""
    return f"""\
{headline(plan.file)}
; Written by slipway up, from that file: changes belong there.
; supervisorctl -c with this file works too.

[supervisord]
pidfile={_value(plan.supervisor_pid)}
logfile={_value(plan.logs / "supervisord.log")}
logfile_maxbytes=10MB
logfile_backups=5
; Logs of programs without one of their own; there are none.
childlogdir={_value(plan.logs)}
; Open files of a process: connections, mostly. It is refused where the system allows fewer.
minfds=1024
{root}
[unix_http_server]
; Whoever may write to the socket may run programs as us: nobody else may.
file={_value(plan.supervisor_socket)}
chmod=0600

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface

[supervisorctl]
serverurl=unix://{_value(plan.supervisor_socket)}
"""


def _program(plan: Plan, process: Process, user: str | None) -> str:
    kind, signal, stop_s, reason = _end(plan, process)
    is_roots = isinstance(process, Nginx)
    left = _LEFT["after" if is_roots else "before"]
    return f"""
[program:{process.name}]
; {left}
command={_command(_launched(plan, process, signal))}
directory={_value(plan.file.parent)}
{_environment(process.environ)}{f"user={_value(user)}{chr(10)}" if user and not is_roots else ""}\
priority={_PRIORITY[kind]}
; Whatever it ends with, it is started again. One that ends within 5 seconds of its start waits
; before the next one, a second longer each time; it is given up after days.
autorestart=true
startsecs=5
startretries=1000
; {reason}
stopsignal={signal}
stopwaitsecs={stop_s}
; Its first process tells the others; who does not end in time is killed with all of them.
stopasgroup=false
killasgroup=true
redirect_stderr=true
{_log(plan, process.name)}"""


def _end(plan: Plan, process: Process) -> tuple[str, str, int, str]:
    """Return the kind of a process, what ends it gracefully, and how long that may take."""
    project = plan.project
    if isinstance(process, Server):
        return "server", "TERM", server_stop_s(project), "It answers what it has, and ends."
    if isinstance(process, Nginx):
        stop_s = nginx_stop_s(project)
        return "nginx", "QUIT", stop_s, "TERM would cut off the requests under way."
    stop_s = gateway_stop_s(project.gateway)
    return "gateway", "TERM", stop_s, "Gunicorn finishes the requests under way; QUIT would not."


def _launched(plan: Plan, process: Process, signal: str) -> Sequence[str]:
    """Return the command that ends the process's predecessor, and becomes the process."""
    file = str(plan.group_file(process))
    moment = "after" if isinstance(process, Nginx) else "before"
    return [*_PYTHON, "slipway.stack.launch", file, signal, moment, *process.command]


def _rotation(plan: Plan) -> str:
    command = [
        *_PYTHON, "slipway.stack.rotation", str(plan.access_log), str(plan.nginx_pid),
    ]  # fmt: skip
    return f"""
[eventlistener:rotation]
; nginx does not rotate its log itself. This listens to supervisor's clock.
command={_command(command)}
events=TICK_60
autorestart=true
startretries=1000
stderr_logfile={_log_file(plan.logs / "rotation.log")}
stderr_logfile_maxbytes=1MB
stderr_logfile_backups=1
"""


def _log(plan: Plan, name: str) -> str:
    return f"""\
stdout_logfile={_log_file(plan.logs / f"{name}.log")}
stdout_logfile_maxbytes=10MB
stdout_logfile_backups=5
"""


def _log_file(path: Path) -> str:
    """Return the path of a program's log, in which supervisor replaces its variables twice."""
    return _value(path).replace("%", "%%")


def _value(value: object) -> str:
    """Return a value that is taken as it is. Raises ConfigError."""
    text = str(value)
    if _COMMENT.search(text) or text != text.strip() or not text.isprintable():
        raise ConfigError(
            f"{text!r}: supervisor takes no paths with a blank before # or ;, at an end, or with "
            "control characters: rename it"
        )
    # What stands for a variable of its own.
    return text.replace("%", "%%")


def _command(words: Sequence[str]) -> str:
    """Return a command line. Quotes that hold nothing part a blank from what is no comment."""
    return _value(_COMMENT.sub("''", shlex.join(words)))


def _environment(environ: Mapping[str, str]) -> str:
    if not environ:
        return ""
    return f"environment={','.join(f'{name}={_quoted(text)}' for name, text in environ.items())}\n"


def _quoted(text: str) -> str:
    """Return a value of the environment. Raises ConfigError."""
    # Within quotes there is no way to write the same quote, and those at the ends are taken off.
    quote = "'" if '"' in text else '"'
    if quote in text or text.strip("'\"") != text:
        raise ConfigError(f"{text!r}: supervisor takes no paths with both kinds of quotes")
    return f"{quote}{_value(text)}{quote}"
