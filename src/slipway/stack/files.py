"""The files of a stack: rendered, checked, and then put in the place of the last good ones."""

import grp
import json
import os
import pwd
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from slipway.config.models import models_of_file
from slipway.config.project_models import models_of_sections
from slipway.config.text import write_models
from slipway.errors import ConfigError
from slipway.stack.nginx import ProxiedRoute, nginx_config
from slipway.stack.plan import Plan
from slipway.stack.supervisor import supervisor_config

_CHECK_S: Final = 120
"""Longer than handlers may reasonably take to be imported."""
_PARSE: Final = """
import sys
from supervisor.options import ServerOptions
options = ServerOptions()
options.configfile = sys.argv[1]
try:
    options.process_config(do_usage=False)
except ValueError as error:
    sys.exit(str(error))
"""


def render(plan: Plan) -> Mapping[Path, str]:
    """Return the text of each file that `write_files` writes, by its path. Raises ConfigError."""
    return _rendered(plan, _account(plan))


def _rendered(plan: Plan, account: "_Account | None") -> Mapping[Path, str]:
    user, group = (account.name, account.group) if account else (None, None)
    files: dict[Path, str] = {}
    if plan.project.models:
        files[plan.models_config] = _models_config(plan)
    if plan.gateways:
        from slipway.stack.gunicorn import gunicorn_config

        files |= {gateway.config: gunicorn_config(plan, gateway) for gateway in plan.gateways}
    if plan.nginx:
        routes = _routes(plan, account)
        files[plan.nginx.config] = nginx_config(plan, routes, user=user, group=group)
    files[plan.supervisor_config] = supervisor_config(plan, user=user)
    return files


def _routes(plan: Plan, account: "_Account | None") -> list[ProxiedRoute]:
    """Return the routes as the handlers have them, imported by whom they are to run as."""
    if not plan.gateways:
        return []
    command = [sys.executable, "-P", "-m", "slipway.gateway.routes", str(plan.file)]
    printed = _run("the handlers cannot be loaded", command, plan, account)
    return [ProxiedRoute(**route) for route in json.loads(printed)]


def write_files(plan: Plan) -> Sequence[Path]:
    """Bring the files of a plan into its run folder; return those that are other than before.

    Each is checked by the program that reads it, whether it has changed or not, since what it names
    may have: certificates, handlers, names of hosts. Raises ConfigError, with that program's
    message; the files of before are untouched then.
    """
    account = _account(plan)
    files = _rendered(plan, account)
    mode = 0o644 if account else 0o600
    _make_folders(plan, account)
    with tempfile.TemporaryDirectory(prefix="candidate-", dir=plan.run) as folder:
        candidates = Path(folder)
        if account:
            candidates.chmod(0o711)
        for path, text in files.items():
            candidate = candidates / path.name
            candidate.write_text(text)
            candidate.chmod(mode)
        _check(plan, candidates, account)
        changed = [path for path, text in files.items() if not _is_current(path, text, mode)]
        for path in changed:
            (candidates / path.name).replace(path)
        copy = candidates / "last"
        copy.touch(0o600)
        shutil.copyfile(plan.file, copy)
        copy.replace(plan.last_file)
    return changed


@dataclass(frozen=True, slots=True)
class _Account:
    """Whom the processes run as, where root starts them."""

    name: str
    group: str
    uid: int
    gid: int
    home: str


def _account(plan: Plan) -> _Account | None:
    user = plan.project.stack.user
    if user is None or os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(user)
        group = grp.getgrgid(entry.pw_gid).gr_name
    except KeyError as error:
        raise ConfigError(f"{plan.file}: stack.user: there is no user {user}") from error
    return _Account(user, group, entry.pw_uid, entry.pw_gid, entry.pw_dir)


def _make_folders(plan: Plan, account: _Account | None) -> None:
    """Make the folders of a stack.

    What root reads, nobody else may write: where root starts the stack, its user gets folders of
    its own within, and may pass through the others.
    """
    own = [plan.handlers, plan.groups, plan.metrics]
    for folder in (plan.run, plan.nginx_folder, plan.logs, *own):
        mode = 0o711 if account and folder not in own else 0o700
        try:
            # Logs may go to a folder that others have too.
            if not folder.exists() or folder != plan.logs:
                folder.mkdir(mode=mode, parents=True, exist_ok=True)
                folder.chmod(mode)
                if account:
                    owner = (account.uid, account.gid) if folder in own else (0, 0)
                    os.chown(folder, *owner)
        except OSError as error:
            raise ConfigError(f"{folder} cannot be used: {error.strerror}") from error


def _check(plan: Plan, candidates: Path, account: _Account | None) -> None:
    """Have each candidate read by the program that it is for. Raises ConfigError."""
    if plan.project.models:
        models_of_file(candidates / plan.models_config.name)
    _run("supervisor refuses its configuration", [sys.executable, "-c", _PARSE,
                        str(candidates / plan.supervisor_config.name)], plan, None)  # fmt: skip
    # Gateways differ in their names and ports alone.
    for gateway in plan.gateways[:1]:
        config = str(candidates / gateway.config.name)
        command = [gateway.command[0], "--check-config", "--config", config]
        _run("Gunicorn refuses its configuration", command, plan, account)
    if plan.nginx:
        command = list(plan.nginx.command)
        command[command.index(str(plan.nginx.config))] = str(candidates / plan.nginx.config.name)
        command = [command[0], "-t", "-q", *command[1:]]
        _run("nginx refuses its configuration", command, plan, None)


def _run(failure: str, command: Sequence[str], plan: Plan, account: _Account | None) -> str:
    """Run a check, as an account where there is one; return what it prints.

    Raises ConfigError with `failure` and what it says of that.
    """
    # It would count as a process of the gateways.
    environ = {key: text for key, text in os.environ.items() if key != "PROMETHEUS_MULTIPROC_DIR"}
    if account:
        environ["HOME"] = account.home
    try:
        run = subprocess.run(
            command,
            cwd=plan.file.parent,
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_CHECK_S,
            check=False,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )
    except OSError as error:
        raise ConfigError(f"{command[0]} cannot be run: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise ConfigError(
            f"{failure} within {_CHECK_S} s; do handlers wait for something while they are "
            "imported?"
        ) from error
    if run.returncode:
        said = "\n".join(line for line in run.stderr.splitlines() if line.strip())
        raise ConfigError(f"{failure}: {_telling(said)}")
    return run.stdout


def _telling(said: str) -> str:
    """Return what is the reason of all that a program said: an error comes last in a traceback."""
    lines = said.splitlines()
    emergencies = [line for line in lines if "[emerg]" in line]
    found = (emergencies or lines[-1:] or ["it does not say why"])[0]
    return found.removeprefix("nginx: ").removeprefix("[emerg] ")


def _models_config(plan: Plan) -> str:
    models = models_of_sections(plan.project.models, plan.file)
    return (
        f"# The models of {' '.join(str(plan.file).split())}\n"
        "# Written by slipway up, from that file: changes belong there.\n" + write_models(models)
    )


def _is_current(path: Path, text: str, mode: int) -> bool:
    """Return whether a file says what it is to say, to whom it is to, and is this user's own.

    Another one has written it where a stack is started by root after it was by somebody else.
    """
    try:
        status = path.stat()
        return (
            path.read_text() == text
            and stat.S_IMODE(status.st_mode) == mode
            and status.st_uid == os.geteuid()
        )
    except OSError:
        return False


def nginx_path() -> Path:
    """Return nginx, or where Debian has it: for files that may be for another machine."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"])
    return Path(shutil.which("nginx", path=path) or "/usr/sbin/nginx")
