"""What is missing or set wrongly, on the machine and in the project, and what mends it."""

import signal
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from slipway.config.project import PROJECT_FILE
from slipway.config.project_file import mistakes_of
from slipway.stack.check_models import models_of, served_bytes
from slipway.stack.checks import check
from slipway.stack.host import Host, look_at_host
from slipway.stack.machine import Machine, NginxProgram, look
from slipway.stack.plan import Plan, make_plan
from slipway.stack.ports import command_of, family_of

_OLDEST_PYTHON: Final = (3, 11)
_NEWEST_PYTHON: Final = (3, 13)
"""The last that TensorFlow has wheels for."""
_ENOUGH_FILES: Final = 4096
_WISHED_FILES: Final = 65536
_SERVER_BYTES: Final = 450 * 2**20
"""What a model server takes before the weights of its models."""
_WORKER_BYTES: Final = 120 * 2**20
"""What a process of the gateway takes."""
_LEAST_SHARED_BYTES: Final = 2**20
_PACKAGES: Final = {
    "gateway": ("flask", "gunicorn", "pillow", "prometheus-client"),
    "stack": ("supervisor",),
    "examples": ("rjieba",),
}
"""By extra, what it brings."""


class Mark(StrEnum):
    """How it stands with one thing."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that was looked at."""

    mark: Mark
    subject: str
    found: str
    remedy: str = ""
    """What mends it; empty when nothing has to be."""


def examine(path: Path | None) -> list[Line]:
    """Look at this machine and at a project, and say how it stands with both.

    None is the slipway.toml of the current folder, if there is one. Takes as long as loading
    TensorFlow's library.
    """
    machine = look()
    file = path or Path(PROJECT_FILE)
    is_there = file.exists()
    has_runtime = machine.runtime is not None
    host = look_at_host(has_runtime=has_runtime, project=file.absolute() if is_there else None)
    lines = list(diagnose_machine(machine, host))
    if not path and not is_there:
        found = "there is none in this folder, so only the machine was looked at"
        return [*lines, Line(Mark.OK, PROJECT_FILE, found)]
    if mistakes := mistakes_of(file):
        return [*lines, *(Line(Mark.PROBLEM, file.name, mistake) for mistake in mistakes)]
    plan = make_plan(file, nginx=machine.nginx.path if machine.nginx else None)
    ours = running_processes(plan)
    project = list(diagnose_project(plan, machine, host, ours))
    # What the project needs is said with the key that needs it.
    said = {line.remedy for line in project if line.remedy}
    return [*(line for line in lines if line.remedy not in said), *project]


def running_processes(plan: Plan) -> frozenset[int]:
    """Return the processes of a plan's stack that run now."""
    try:
        pid = int(plan.supervisor_pid.read_text())
    except (OSError, ValueError):
        return frozenset()
    # The number of one that was killed may be another's by now.
    return family_of(pid) if "supervisord" in command_of(pid) else frozenset()


def diagnose_machine(machine: Machine, host: Host) -> Iterator[Line]:
    """Yield how it stands with the machine, whatever it is to run."""
    yield _python(host.python)
    yield _runtime(machine, host)
    yield from _packages(machine)
    yield _nginx(machine.nginx, machine.nginx_install)
    yield _open_files(*host.open_files)
    yield _memory(host)
    yield _shared_memory(host.shared_memory_bytes)


def diagnose_project(
    plan: Plan, machine: Machine, host: Host, ours: Collection[int]
) -> Iterator[Line]:
    """Yield how it stands with a project on its machine; `ours` are its running processes."""
    findings = check(plan, machine, ours)
    for finding in findings:
        mark = Mark.PROBLEM if finding.is_error else Mark.WARNING
        yield Line(mark, plan.file.name, finding.what, finding.remedy)
    if not any(finding.is_error for finding in findings):
        yield Line(Mark.OK, plan.file.name, _summary(plan))
    if not any(finding.key[-1:] in _PORT_KEYS for finding in findings):
        ports = sorted({port for process in plan.processes for _, port in process.ports})
        state = "held by this stack" if ours else "free"
        if ports:
            yield Line(Mark.OK, "ports", f"{', '.join(map(str, ports))}: {state}")
    if plan.servers:
        yield _room(plan, host, served_bytes(plan))
    yield _boot(host, plan)


_PORT_KEYS: Final = {("port",), ("rest_api_port",), ("grpc_port",), ("host",)}


def _python(version: tuple[int, int, int]) -> Line:
    text = ".".join(map(str, version))
    if version[:2] < _OLDEST_PYTHON:
        return Line(
            Mark.PROBLEM, "Python", f"{text} is too old", "install Python 3.11, 3.12 or 3.13"
        )
    if version[:2] > _NEWEST_PYTHON:
        return Line(
            Mark.WARNING, "Python", f"{text}: TensorFlow has no wheel for it", "take Python 3.13"
        )
    return Line(Mark.OK, "Python", text)


def _runtime(machine: Machine, host: Host) -> Line:
    if machine.runtime is None or host.trial is None:
        return Line(
            Mark.WARNING, "TensorFlow", "there is none to run models with", machine.runtime_advice
        )
    trial = host.trial
    if trial.version:
        return Line(Mark.OK, "TensorFlow", f"{trial.version}, loaded in {trial.seconds:.1f} s")
    package = "tensorflow" if "tensorflow" in machine.installed else "tensorflow-cpu"
    found = f"{machine.runtime} cannot be loaded: {trial.reason}"
    remedy = f"pip install --force-reinstall --no-deps {package}"
    if trial.signal == signal.SIGILL:
        found = "it is built with instructions that this CPU does not have, such as AVX"
        remedy = "take another machine, or a wheel that was built for this one"
    return Line(Mark.PROBLEM, "TensorFlow", found, remedy)


def _packages(machine: Machine) -> Iterator[Line]:
    for extra, names in _PACKAGES.items():
        found = [f"{name} {machine.installed[name]}" for name in names if name in machine.installed]
        missing = [name for name in names if name not in machine.installed]
        if missing:
            remedy = f"pip install 'slipway[{extra}]'"
            yield Line(Mark.WARNING, extra, f"not installed: {', '.join(missing)}", remedy)
        else:
            yield Line(Mark.OK, extra, ", ".join(found))


def _nginx(program: NginxProgram | None, install: str) -> Line:
    if program is None:
        return Line(Mark.WARNING, "nginx", "not installed: a stack has Gunicorn in front", install)
    without = [
        name
        for name, there in {
            "TLS": "--with-http_ssl_module" in program.arguments,
            "HTTP/2": "--with-http_v2_module" in program.arguments,
            "gRPC": "--without-http_grpc_module" not in program.arguments,
        }.items()
        if not there
    ]
    if without:
        found = f"{program.version} was built without {', '.join(without)}"
        return Line(Mark.WARNING, "nginx", found, install)
    return Line(Mark.OK, "nginx", f"{program.version}, with TLS, HTTP/2 and gRPC")


def _open_files(soft: int, hard: int) -> Line:
    # -1 is RLIM_INFINITY.
    if soft < 0 or soft >= _ENOUGH_FILES:
        found = "no limit" if soft < 0 else f"{soft} a process"
        return Line(Mark.OK, "open files", found)
    wished = _WISHED_FILES if hard < 0 else min(hard, _WISHED_FILES)
    found = f"{soft} a process, and each connection is one"
    if wished >= _ENOUGH_FILES:
        remedy = f"ulimit -n {wished}, or LimitNOFILE={wished} in the unit of systemd"
    else:
        remedy = f"raise the hard limit of {hard} in /etc/security/limits.conf: * hard nofile 65536"
    return Line(Mark.WARNING, "open files", found, remedy)


def _memory(host: Host) -> Line:
    available = _usable_memory(host)
    if available is None:
        return Line(Mark.OK, "memory", "the system does not say how much there is")
    of_group = available == host.memory_limit_bytes
    return Line(Mark.OK, "memory", _size(available) + (", the cgroup's limit" if of_group else ""))


def _usable_memory(host: Host) -> int | None:
    known = [size for size in (host.memory_bytes, host.memory_limit_bytes) if size is not None]
    return min(known, default=None)


def _room(plan: Plan, host: Host, model_bytes: int) -> Line:
    """Say whether the models fit into memory, also while one version takes over from another."""
    replicas = len(plan.servers)
    processes = len(plan.gateways) * (plan.project.gateway.workers + 1)
    steady = replicas * (_SERVER_BYTES + model_bytes) + processes * _WORKER_BYTES
    switching = steady + replicas * model_bytes
    text = f"models of {_size(model_bytes)} in {replicas} model server{'s' * (replicas > 1)}"
    usable = _usable_memory(host)
    if usable is None or switching <= usable:
        return Line(Mark.OK, "models", f"{text}: about {_size(switching)} with all else")
    remedy = "give it more memory, run fewer replicas, or serve fewer versions"
    if steady > usable:
        found = f"{text} need about {_size(steady)} with all else, and there are {_size(usable)}"
        return Line(Mark.PROBLEM, "models", found, remedy)
    found = (
        f"{text} fit, but not while one version takes over from another: that is about "
        f"{_size(switching)}, and there are {_size(usable)}"
    )
    return Line(Mark.WARNING, "models", found, remedy)


def _shared_memory(free: int | None) -> Line:
    subject = "/dev/shm"  # noqa: S108 the name of a line
    if free is None:
        return Line(Mark.OK, subject, "there is none: Gunicorn's heartbeats go to a disk")
    if free < _LEAST_SHARED_BYTES:
        return Line(
            Mark.WARNING,
            subject,
            f"{_size(free)} left, too little for Gunicorn's heartbeats",
            "make room there, or start the container with --shm-size=64m",
        )
    return Line(Mark.OK, subject, f"{_size(free)} free")


def _boot(host: Host, plan: Plan) -> Line:
    subject = "start at boot"
    if not host.has_systemd:
        return Line(
            Mark.OK, subject, "no systemd here: what starts this container or machine decides"
        )
    if not host.units:
        return Line(
            Mark.WARNING,
            subject,
            f"no unit of systemd names {plan.file}",
            "slipway render prints one, and how to enable it",
        )
    if any(unit.is_enabled for unit in host.units):
        return Line(Mark.OK, subject, ", ".join(unit.name for unit in host.units))
    unit = host.units[0]
    command = "systemctl --user" if unit.is_users else "sudo systemctl"
    return Line(
        Mark.WARNING, subject, f"{unit.name} is not enabled", f"{command} enable {unit.name}"
    )


def _summary(plan: Plan) -> str:
    counts = {
        "model": len(models_of(plan) or ()) if plan.servers else 0,
        "route": len(plan.project.gateway.routes),
        "process": len(plan.processes),
    }
    return ", ".join(_count(name, count) for name, count in counts.items())


def _count(name: str, count: int) -> str:
    plural = f"{name}es" if name.endswith("s") else f"{name}s"
    return f"{count} {name if count == 1 else plural}"


def _size(count: int) -> str:
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.1f} MiB"


def has_problems(lines: Sequence[Line]) -> bool:
    """Return whether something has to be mended before anything can run."""
    return any(line.mark is Mark.PROBLEM for line in lines)
