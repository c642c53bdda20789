"""What must hold before anything of a plan starts: all that is wrong, each with its remedy."""

import os
import shutil
import sys
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from slipway.config.project_file import line_of
from slipway.stack.access import Account, barrier, find_account, owner_of
from slipway.stack.check_flags import check_flags
from slipway.stack.check_models import check_models
from slipway.stack.check_ports import check_ports
from slipway.stack.check_proxy import check_proxy
from slipway.stack.check_routes import check_gunicorn, check_routes
from slipway.stack.finding import Finding
from slipway.stack.machine import Machine
from slipway.stack.plan import Plan
from slipway.stack.supervisord import LONGEST_SOCKET_PATH

_GATEWAY_PACKAGES: Final = ("flask", "gunicorn", "pillow", "prometheus-client")
_LEAST_FREE_BYTES: Final = 50 * 2**20


def check(plan: Plan, machine: Machine, own_pids: Collection[int] = ()) -> list[Finding]:
    """Return all that is wrong with a plan on a machine; nothing is started or changed.

    `own_pids` are the processes of this stack that run already: what they hold is theirs.
    Findings that are no errors say what the stack will do without.
    """
    account = _account(plan, machine)
    found = [
        *_check_user(plan, machine),
        *_check_anything(plan),
        *check_models(plan, account),
        *check_flags(plan.project.server),
        *check_routes(plan, account, machine.installed),
        *check_gunicorn(plan.project.gateway, machine.installed),
        *check_proxy(plan, machine),
        *_check_programs(plan, machine),
        *_check_folders(plan, machine),
        *check_ports(plan, machine, own_pids),
    ]
    places = {
        finding.key: f"{plan.file.name}:{line_of(plan.file, finding.key)}" for finding in found
    }
    return [replace(finding, place=places[finding.key]) for finding in found]


def _account(plan: Plan, machine: Machine) -> Account:
    """Return the account that the processes get."""
    named = plan.project.stack.user if machine.is_root else None
    return (find_account(named) if named else None) or machine.account


def _check_user(plan: Plan, machine: Machine) -> Iterator[Finding]:
    user = plan.project.stack.user
    key = ("stack", "user")
    if not user:
        if machine.is_root:
            yield Finding(
                key,
                "root starts the stack, and it is not said as whom it shall run",
                'set user = "..." in [stack] to one without rights of its own, '
                "or start it as that user",
            )
        return
    account = find_account(user)
    if account is None:
        yield Finding(
            key, f"there is no user {user}", f"add it: sudo useradd --system --create-home {user}"
        )
    elif not machine.is_root and account.uid != machine.account.uid:
        yield Finding(
            key,
            f"{machine.account.name} cannot start processes as {user}",
            f"start the stack as root or as {user}, or leave the key out",
        )
    elif closed := _closed_python(account):
        yield Finding(
            key,
            f"{user} cannot run {sys.executable}, as {closed} is closed to it",
            f"install Slipway elsewhere, such as /opt, or allow it: chmod o+rx {closed}",
        )
    elif closed := barrier(account, plan.file, os.R_OK):
        reason = f", as {closed} is closed to it" if closed.is_dir() else ""
        yield Finding(
            key,
            f"{user} cannot read {plan.file}{reason}",
            "move the project to where it can, such as /srv, or allow it: "
            f"chmod o+r{'x' if reason else ''} {closed}",
        )
    elif account.uid == 0:
        yield Finding(
            key,
            "the stack runs as root, handlers and all",
            "name a user without rights of its own",
            is_error=False,
        )


def _closed_python(account: Account) -> Path | None:
    """Return what keeps an account from running the Python of this process, with this package."""
    python = Path(sys.executable)
    return (
        barrier(account, python, os.X_OK)
        # It may be a link to one outside of its virtual environment.
        or barrier(account, python.parent, os.X_OK)
        or barrier(account, Path(__file__), os.R_OK)
    )


def _check_anything(plan: Plan) -> Iterator[Finding]:
    proxy = plan.project.proxy
    forwards = plan.nginx and (proxy.gateways or proxy.servers)
    if not plan.servers and not plan.gateways and not forwards:
        yield Finding(
            (),
            "there is nothing to run: no models, and no routes",
            "add [[models]] with a name and a base_path",
        )


def _check_programs(plan: Plan, machine: Machine) -> Iterator[Finding]:
    if plan.servers and machine.runtime is None:
        yield Finding(
            ("models",), "there is no TensorFlow to run models with", machine.runtime_advice
        )
    if plan.gateways:
        missing = [name for name in _GATEWAY_PACKAGES if name not in machine.installed]
        if missing:
            yield Finding(
                ("gateway",),
                f"the gateway needs {', '.join(missing)}",
                "pip install 'slipway[gateway]'",
            )
    if "supervisor" not in machine.installed:
        yield Finding(("stack",), "supervisor is not installed", "pip install 'slipway[stack]'")


def _check_folders(plan: Plan, machine: Machine) -> Iterator[Finding]:
    socket = str(plan.supervisor_socket)
    if len(os.fsencode(socket)) > LONGEST_SOCKET_PATH:
        yield Finding(
            ("stack", "run_folder"),
            f"{socket} is longer than the {LONGEST_SOCKET_PATH} bytes a socket's path may have",
            "set run_folder to a shorter path",
        )
    account = _account(plan, machine)
    if os.path.isdir(plan.run) and plan.run.stat().st_uid not in {account.uid, machine.account.uid}:
        # It holds the configuration that is run: its owner decides what that is.
        yield Finding(
            ("stack", "run_folder"),
            f"{plan.run} belongs to {owner_of(plan.run)}, and not to {account.name}",
            f"take another folder, or: sudo chown -R {account.name} {plan.run}",
        )
        return
    for name, folder in (("run_folder", plan.run), ("log_folder", plan.logs)):
        yield from _check_folder(name, folder, machine.account)


def _check_folder(name: str, folder: Path, starter: Account) -> Iterator[Finding]:
    """Yield why who starts the stack could not make a folder, or write into it."""
    key = ("stack", name)
    there = next(path for path in (folder, *folder.parents) if os.path.exists(path))
    if not there.is_dir():
        yield Finding(key, f"{there} is no folder", "take it away, or name another folder")
    elif closed := barrier(starter, there, os.W_OK | os.X_OK):
        reason = f", as {closed} is closed to it" if closed != there else ""
        yield Finding(
            key,
            f"{starter.name} may not write to {there}{reason}",
            f"name another folder, or: sudo install -d -o {starter.name} -m 700 {folder}",
        )
    elif (free := shutil.disk_usage(there).free) < _LEAST_FREE_BYTES:
        yield Finding(
            key,
            f"the disk of {there} has {free >> 20} MiB left",
            "make room, or name a folder on another disk",
        )
