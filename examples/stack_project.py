"""The project of `examples/stack`, written anew for this machine: with its ports, and its user."""

import os
import pwd
import random
import re
import socket
import subprocess
import sys
from pathlib import Path

from slipway import models

ROOT = Path(__file__).resolve().parents[1]
FILE = ROOT / "examples" / "stack" / "slipway.toml"
PORT = re.compile(r"(?<=port = )\d+")
# Between two ports of the file there is room for a second gateway's.
STEP = 2


def write_project(folder: Path, first_port: int | None = None) -> Path:
    """Write the project into a folder, and return its slipway.toml.

    Its ports are those of `examples/stack`, or count on from `first_port`. Where root is to run it,
    it says as whom.
    """
    text = FILE.read_text()
    if first_port is not None:
        ports = iter(range(first_port, first_port + len(PORT.findall(text)) * STEP, STEP))
        text = PORT.sub(lambda _: str(next(ports)), text)
    folder.mkdir(parents=True, exist_ok=True)
    if os.geteuid() == 0:
        # To be read by another user.
        folder.chmod(0o755)
        text += f'\n[stack]\nuser = "{user_for_root(folder)}"\n'
    # A stack that runs there finds what was there before, or this.
    link = folder / "models.new"
    link.unlink(missing_ok=True)
    link.symlink_to(models.path_of("sentiment").parent)
    link.replace(folder / "models")
    draft = folder / "slipway.toml.new"
    draft.write_text(text)
    draft.chmod(0o644)
    return draft.replace(folder / "slipway.toml")


def user_for_root(folder: Path) -> str:
    """Return as whom the stack shall run that root starts in a folder.

    As the one who has this checkout, or as nobody; as root itself where neither can run what is
    here, as below /root.
    """
    try:
        owner = pwd.getpwuid(ROOT.stat().st_uid).pw_name
    except KeyError:
        owner = "root"
    users = [name for name in (owner, "nobody") if name != "root"]
    for name in users:
        if can_run(name, folder):
            return name
    print(
        f"{' and '.join(users)} cannot run {sys.executable}, or not in {folder}, so the stack runs "
        "as root.\nA checkout and a Python outside of /root, which others may read, would do.",
        file=sys.stderr,
    )
    return "root"


def can_run(user: str, folder: Path) -> bool:
    """Return whether a user can run this Python with this package in a folder, by trying it."""
    try:
        account = pwd.getpwnam(user)
        script = "import os, sys, slipway._native; os.chdir(sys.argv[1])"
        run = subprocess.run(
            [sys.executable, "-c", script, str(folder.absolute())],
            cwd="/", stderr=subprocess.DEVNULL, check=False,
            user=account.pw_uid, group=account.pw_gid, extra_groups=[],
        )  # fmt: skip
    except (KeyError, OSError, subprocess.SubprocessError):
        return False
    return run.returncode == 0


def free_first_port() -> int:
    """Return a first port for `write_project`, from which on all were free a moment ago.

    They are below those that the system gives to connections, which would take one meanwhile.
    """
    count = len(PORT.findall(FILE.read_text())) * STEP
    while True:
        first = random.randrange(20_000, 32_000 - count)  # noqa: S311 it keeps no secret
        if all(map(is_free, range(first, first + count))):
            return first


def is_free(port: int) -> bool:
    """Return whether nobody listens on a port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
