"""What a machine offers to any process: runtime, limits, memory, and a start at boot."""

import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_RUNTIME_TIMEOUT_S: Final = 120.0
_VERSION_SCRIPT: Final = (
    "from slipway.dataplane.native import runtime_version; print(runtime_version())"
)
_CGROUPS: Final = Path("/sys/fs/cgroup")
_UNLIMITED: Final = 2**60
"""The first version of cgroups says a very large number where there is no limit."""


@dataclass(frozen=True, slots=True)
class RuntimeTrial:
    """TensorFlow's library, loaded once for a trial."""

    version: str
    """Empty when it could not be loaded."""
    reason: str
    """Why not."""
    seconds: float
    signal: int = 0
    """The one that ended it; 0 for none."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit of systemd that starts the stack."""

    name: str
    is_enabled: bool
    is_users: bool
    """Whether it belongs to the user's systemd, and not to the system's."""


@dataclass(frozen=True, slots=True)
class Host:
    """The machine as `slipway doctor` sees it, besides what starting a stack depends on."""

    python: tuple[int, int, int]
    trial: RuntimeTrial | None
    """None where there is no library to load."""
    open_files: tuple[int, int]
    """Soft and hard limit."""
    memory_bytes: int | None
    memory_limit_bytes: int | None
    """That of the cgroup, if there is one."""
    shared_memory_bytes: int | None
    """What is free in /dev/shm; None where there is none."""
    has_systemd: bool
    units: Sequence[Unit]
    """Those that name the project."""


def look_at_host(*, has_runtime: bool, project: Path | None) -> Host:
    """Return this machine; loads TensorFlow's library in a process of its own, for a trial.

    `project` is the slipway.toml whose units are looked for.
    """
    return Host(
        python=sys.version_info[:3],
        trial=_try_runtime() if has_runtime else None,
        open_files=resource.getrlimit(resource.RLIMIT_NOFILE),
        memory_bytes=_memory(),
        memory_limit_bytes=_memory_limit(),
        shared_memory_bytes=_free_bytes(Path("/dev/shm")),  # noqa: S108 asked for, not written to
        has_systemd=Path("/run/systemd/system").is_dir(),
        units=list(_units(project)) if project else [],
    )


def _try_runtime() -> RuntimeTrial:
    begin = time.monotonic()
    try:
        run = subprocess.run(
            [sys.executable, "-c", _VERSION_SCRIPT],
            capture_output=True,
            text=True,
            timeout=_RUNTIME_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return RuntimeTrial("", f"it takes more than {_RUNTIME_TIMEOUT_S:g} s", _RUNTIME_TIMEOUT_S)
    seconds = time.monotonic() - begin
    if run.returncode < 0:
        number = -run.returncode
        return RuntimeTrial("", f"the process was ended by signal {number}", seconds, number)
    if run.returncode:
        lines = run.stderr.strip().splitlines()
        return RuntimeTrial("", lines[-1] if lines else f"status {run.returncode}", seconds)
    return RuntimeTrial(run.stdout.strip(), "", seconds)


def _memory() -> int | None:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return None


def _memory_limit() -> int | None:
    """Return the least limit of the cgroups that this process is in."""
    limits = list(_memory_limits())
    return min(limits) if limits else None


def _memory_limits() -> Iterator[int]:
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            root, name = _CGROUPS, "memory.max"
        elif "memory" in controllers.split(","):
            root, name = _CGROUPS / "memory", "memory.limit_in_bytes"
        else:
            continue
        # In a container the path may be one of the machine around it; its own group is the root.
        group = root / path.lstrip("/")
        for folder in (group, *group.parents):
            if not folder.is_relative_to(root):
                break
            try:
                limit = int((folder / name).read_text())
            except (OSError, ValueError):
                continue
            if limit < _UNLIMITED:
                yield limit


def _free_bytes(folder: Path) -> int | None:
    try:
        found = os.statvfs(folder)
    except OSError:
        return None
    return found.f_bavail * found.f_frsize


def _units(project: Path) -> Iterator[Unit]:
    """Yield the units whose text names the slipway.toml of a project, or its folder."""
    # Unlike Path.home, it takes users that have no name, as in containers.
    own = Path(os.path.expanduser("~")) / ".config" / "systemd" / "user"
    for folder, is_users in ((Path("/etc/systemd/system"), False), (own, True)):
        for path in sorted(folder.glob("*.service")):
            try:
                words = path.read_text(errors="replace").replace("=", " ").split()
            except OSError:
                continue
            if {str(project), str(project.parent)} & set(words):
                is_enabled = any(folder.glob(f"*.wants/{path.name}"))
                yield Unit(path.name, is_enabled, is_users)
