"""What is known of the machine. Checks decide on these values; only `look` asks for them."""

import re
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final

from slipway.errors import RuntimeNotFoundError
from slipway.runtime import find_runtime
from slipway.stack.access import Account, own_account
from slipway.stack.keeper import stack_of
from slipway.stack.ports import Holder, bind_error, holders_of, users_of

_PACKAGES: Final = (
    "flask", "gevent", "gunicorn", "pillow", "prometheus-client", "rjieba", "supervisor",
    "tensorflow", "tensorflow-cpu", "tornado",
)  # fmt: skip
_INSTALLS: Final = {
    "apt-get": "apt-get install -y nginx",
    "dnf": "dnf install -y nginx",
    "apk": "apk add nginx",
    "pacman": "pacman -S nginx",
    "zypper": "zypper install nginx",
    "brew": "brew install nginx",
}
# Not in the PATH of every user.
_SYSTEM_FOLDERS: Final = ("/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin")
_PROGRAM_TIMEOUT_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class NginxProgram:
    """An installed nginx."""

    path: Path
    version: str
    arguments: str
    """Those of its ./configure."""


@dataclass(frozen=True, slots=True)
class Machine:
    """The machine, as far as starting a stack depends on it."""

    account: Account
    is_root: bool
    installed: Mapping[str, str]
    """Versions of those Python packages that parts of a stack need."""
    runtime: Path | None
    """TensorFlow's library; None where there is none."""
    runtime_advice: str
    """What adds one; empty where there is one."""
    nginx: NginxProgram | None
    nginx_install: str
    """The command that adds nginx."""
    bind_error: Callable[[str, int], OSError | None] = bind_error
    holders_of: Callable[[int], Sequence[Holder]] = holders_of
    users_of: Callable[[int], Sequence[str]] = users_of
    stack_of: Callable[[int], Path | None] = stack_of


def look() -> Machine:
    """Return this machine, as it is now."""
    account = own_account()
    try:
        runtime, advice = find_runtime(), ""
    except RuntimeNotFoundError as error:
        runtime, advice = None, str(error)
    return Machine(
        account=account,
        is_root=account.uid == 0,
        installed={name: version for name in _PACKAGES if (version := _version(name))},
        runtime=runtime,
        runtime_advice=advice,
        nginx=find_nginx(),
        nginx_install=_nginx_install(is_root=account.uid == 0),
    )


def find_nginx() -> NginxProgram | None:
    """Return the nginx of this machine; None when there is none that runs."""
    found = shutil.which("nginx") or shutil.which("nginx", path=":".join(_SYSTEM_FOLDERS))
    if not found:
        return None
    try:
        run = subprocess.run(
            [found, "-V"], capture_output=True, text=True, timeout=_PROGRAM_TIMEOUT_S, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    version = re.search(r"nginx version: \w+/(\S+)", run.stderr)
    arguments = re.search(r"configure arguments: (.*)", run.stderr)
    return NginxProgram(
        Path(found), version[1] if version else "", arguments[1] if arguments else ""
    )


def _nginx_install(*, is_root: bool) -> str:
    for packager, command in _INSTALLS.items():
        if shutil.which(packager):
            return command if is_root or packager == "brew" else f"sudo {command}"
    return "install nginx with the packages of your system"


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
