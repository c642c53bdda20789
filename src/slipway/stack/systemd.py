"""A unit of systemd for a stack: it starts at boot."""

import re
import sys
from collections.abc import Mapping
from math import ceil
from pathlib import Path
from typing import Final

from slipway.errors import ConfigError
from slipway.stack.plan import Plan
from slipway.stack.timing import gateway_stop_s, nginx_stop_s, server_stop_s

UNITS: Final = Path("/etc/systemd/system")
_UNNAMEABLE: Final = re.compile(r"[^\w.-]+", re.ASCII)
_PRIVILEGED: Final = 1024


def systemd_units(plan: Plan, *, user: str) -> Mapping[str, str]:
    """Return the text of each unit by its name. `user` is whom it runs as.

    Raises ConfigError for what systemd cannot be told.
    """
    name = unit_name(plan)
    return {name: _unit(plan, name, plan.project.stack.user or user)}


def unit_name(plan: Plan) -> str:
    """Return a name by which stacks on one machine can be told apart: that of the folder."""
    folder = _UNNAMEABLE.sub("-", plan.file.parent.name).strip("-.")
    return f"slipway-{folder}.service" if folder else "slipway.service"


def _unit(plan: Plan, name: str, user: str) -> str:
    slipway = _word(Path(sys.executable).parent / "slipway")
    config = f"--config={plan.file}"
    ports = [port for process in plan.processes for _, port in process.ports]
    privileged = (
        "# For ports below 1024, without being root.\nAmbientCapabilities=CAP_NET_BIND_SERVICE\n"
        if any(port < _PRIVILEGED for port in ports)
        else ""
    )
    return f"""\
# {name}: the stack of {_line(plan.file)}, from boot to shutdown.
#
#   slipway render {name} | sudo tee {UNITS}/{name}
#   sudo systemctl daemon-reload
#   sudo systemctl enable --now {name}
#
# Without root: put it into ~/.config/systemd/user, leave out User=, write default.target in place
# of multi-user.target, and have it started without a login:
#
#   systemctl --user enable --now {name}
#   loginctl enable-linger

[Unit]
Description=slipway {_line(plan.file.parent.name)}
# Addresses to listen on, and names of upstreams on other machines.
Wants=network-online.target
After=network-online.target

[Service]
Type=exec
{"# Set user in [stack]: as root alone it does not start." + chr(10) if user == "root" else ""}\
User={_line(user)}
WorkingDirectory={_line(plan.file.parent)}
ExecStart={slipway} up --foreground {_word(config)}
ExecReload={slipway} reload {_word(config)}
# supervisor restarts the processes; this restarts supervisor.
Restart=always
RestartSec=2s
# slipway is told, and ends the others in turn, each after the requests that it has.
KillMode=mixed
TimeoutStopSec={_stop_s(plan)}s
# nginx and the model servers need a file for each connection.
LimitNOFILE=65536
NoNewPrivileges=true
{privileged}
[Install]
WantedBy=multi-user.target
"""


def _stop_s(plan: Plan) -> int:
    project = plan.project
    total = (
        len(plan.servers) * server_stop_s(project)
        + len(plan.gateways) * gateway_stop_s(project.gateway)
        + (nginx_stop_s(project) if plan.nginx else 0)
    )
    return ceil(total) + 10


def _word(value: object) -> str:
    """Return a word of a command line."""
    text = _line(value).replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$")
    return text if re.fullmatch(r"[\w./=%:@+-]+", text) else f'"{text}"'


def _line(value: object) -> str:
    """Return a value of a single line; what follows % would stand for something else."""
    text = str(value)
    if not text.isprintable():
        raise ConfigError(f"{text!r} has control characters, which systemd does not take")
    return text.replace("%", "%%")
