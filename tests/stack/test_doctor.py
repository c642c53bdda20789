"""`slipway doctor`: what it makes of machines, and one run of it on this one."""

import errno
import json
import shutil
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from slipway import models
from slipway.stack.doctor import Line, Mark, diagnose_machine, diagnose_project, has_problems
from slipway.stack.host import Host, RuntimeTrial, Unit
from slipway.stack.machine import NginxProgram
from slipway.stack.plan import Plan, make_plan
from slipway.stack.ports import Holder
from tests.support.machines import INSTALLED, NGINX, make_machine
from tests.support.ports import free_port
from tests.support.process import run_slipway

GIB = 2**30


def make_host(**values: Any) -> Host:
    """Return a host with nothing to complain of, but for `values`."""
    defaults: dict[str, Any] = {
        "python": (3, 11, 7),
        "trial": RuntimeTrial("2.21.0", "", 0.8),
        "open_files": (65536, 65536),
        "memory_bytes": 16 * GIB,
        "memory_limit_bytes": None,
        "shared_memory_bytes": GIB,
        "has_systemd": True,
        "units": [Unit("slipway.service", is_enabled=True, is_users=False)],
    }
    return Host(**{**defaults, **values})


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    shutil.copytree(models.path_of("sentiment"), tmp_path / "sentiment")
    (tmp_path / "slipway.toml").write_text(
        '[[models]]\nname = "sentiment"\nbase_path = "sentiment"\n[server]\nreplicas = 2\n'
    )
    return make_plan(tmp_path / "slipway.toml", nginx=NGINX.path)


def found(lines: list[Line], subject: str) -> tuple[str, str, str]:
    (line,) = (line for line in lines if line.subject == subject)
    return line.mark, line.found, line.remedy


def test_a_machine_that_has_everything_is_ok(plan: Plan) -> None:
    lines = list(diagnose_machine(make_machine(), make_host()))
    lines += diagnose_project(plan, make_machine(), make_host(), ours=())
    assert [line for line in lines if line.mark is not Mark.OK] == []
    assert found(lines, "TensorFlow")[1] == "2.21.0, loaded in 0.8 s"
    assert found(lines, "nginx")[1] == "1.22.1, with TLS, HTTP/2 and gRPC"
    assert found(lines, "slipway.toml")[1] == "1 model, 0 routes, 3 processes"
    assert found(lines, "ports")[1] == "8080, 8500, 8501, 8510, 8511: free"
    assert found(lines, "start at boot")[1] == "slipway.service"


MACHINES: dict[str, tuple[Mapping[str, Any], Mapping[str, Any], str, tuple[str, str, str]]] = {
    "old Python": (
        {}, {"python": (3, 10, 2)}, "Python",
        ("problem", "3.10.2 is too old", "install Python 3.11, 3.12 or 3.13"),
    ),
    "new Python": (
        {}, {"python": (3, 14, 0)}, "Python",
        ("warning", "3.14.0: TensorFlow has no wheel for it", "take Python 3.13"),
    ),
    "no TensorFlow": (
        {"runtime": None, "runtime_advice": "Add it"}, {"trial": None}, "TensorFlow",
        ("warning", "there is none to run models with", "Add it"),
    ),
    "torn TensorFlow": (
        {"runtime": Path("/x.so"), "installed": INSTALLED | {"tensorflow": "2.21"}},
        {"trial": RuntimeTrial("", "file too short", 0.1)}, "TensorFlow",
        ("problem", "/x.so cannot be loaded: file too short",
         "pip install --force-reinstall --no-deps tensorflow"),
    ),
    "old CPU": (
        {}, {"trial": RuntimeTrial("", "", 0.1, signal.SIGILL)}, "TensorFlow",
        ("problem", "it is built with instructions that this CPU does not have, such as AVX",
         "take another machine, or a wheel that was built for this one"),
    ),
    "no supervisor": (
        {"installed": {}}, {}, "stack",
        ("warning", "not installed: supervisor", "pip install 'slipway[stack]'"),
    ),
    "no nginx": (
        {"nginx": None}, {}, "nginx",
        ("warning", "not installed: a stack has Gunicorn in front",
         "sudo apt-get install -y nginx"),
    ),
    "plain nginx": (
        {"nginx": NginxProgram(Path("/n"), "1.9", "--without-http_grpc_module")}, {}, "nginx",
        ("warning", "1.9 was built without TLS, HTTP/2, gRPC", "sudo apt-get install -y nginx"),
    ),
    "few files": (
        {}, {"open_files": (1024, 2**20)}, "open files",
        ("warning", "1024 a process, and each connection is one",
         "ulimit -n 65536, or LimitNOFILE=65536 in the unit of systemd"),
    ),
    "few files at most": (
        {}, {"open_files": (1024, 2048)}, "open files",
        ("warning", "1024 a process, and each connection is one",
         "raise the hard limit of 2048 in /etc/security/limits.conf: * hard nofile 65536"),
    ),
    "any number of files": ({}, {"open_files": (-1, -1)}, "open files", ("ok", "no limit", "")),
    "limit of a cgroup": (
        {}, {"memory_limit_bytes": 2 * GIB}, "memory", ("ok", "2.0 GiB, the cgroup's limit", ""),
    ),
    "little shared memory": (
        {}, {"shared_memory_bytes": 1000}, "/dev/shm",
        ("warning", "0.0 MiB left, too little for Gunicorn's heartbeats",
         "make room there, or start the container with --shm-size=64m"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MACHINES)
def test_what_a_machine_lacks_is_said_with_what_mends_it(name: str) -> None:
    machine, host, subject, line = MACHINES[name]
    lines = list(diagnose_machine(make_machine(**machine), make_host(**host)))
    assert found(lines, subject) == line


PROJECTS: dict[str, tuple[Mapping[str, Any], str, Mark, str, str]] = {
    "too little memory": (
        {"memory_limit_bytes": GIB // 2}, "models", Mark.PROBLEM, "need about", "give it more",
    ),
    "no unit": ({"units": []}, "start at boot", Mark.WARNING, "no unit", "slipway render prints"),
    "unit off": (
        {"units": [Unit("a.service", is_enabled=False, is_users=False)]}, "start at boot",
        Mark.WARNING, "a.service is not enabled", "sudo systemctl enable a.service",
    ),
    "user's unit off": (
        {"units": [Unit("a.service", is_enabled=False, is_users=True)]}, "start at boot",
        Mark.WARNING, "a.service is not enabled", "systemctl --user enable a.service",
    ),
    "no systemd": ({"has_systemd": False}, "start at boot", Mark.OK, "no systemd here", ""),
}  # fmt: skip


@pytest.mark.parametrize("name", PROJECTS)
def test_what_a_project_needs_is_held_against_the_machine(plan: Plan, name: str) -> None:
    host, subject, mark, text, remedy = PROJECTS[name]
    lines = list(diagnose_project(plan, make_machine(), make_host(**host), ours=()))
    line = found(lines, subject)
    assert (line[0], text in line[1], remedy in line[2]) == (mark, True, True), line


def test_models_that_fit_but_not_twice_are_a_warning(plan: Plan) -> None:
    with (plan.file.parent / "sentiment" / "1" / "variables" / "more").open("wb") as file:
        file.truncate(2 * GIB)
    lines = list(diagnose_project(plan, make_machine(), make_host(memory_bytes=6 * GIB), ours=()))
    mark, text, _ = found(lines, "models")
    assert mark == "warning"
    assert "not while one version takes over from another" in text


def test_a_stack_that_runs_holds_its_ports_itself(plan: Plan) -> None:
    machine = make_machine(
        bind_error=lambda host, port: OSError(errno.EADDRINUSE, "in use"),
        holders_of=lambda port: [Holder(71, "slipway serve")],
    )
    lines = list(diagnose_project(plan, machine, make_host(), ours={71}))
    assert found(lines, "ports")[1].endswith(": held by this stack")
    assert has_problems(list(diagnose_project(plan, machine, make_host(), ours=())))


def test_the_command_says_how_it_stands_with_this_machine(tmp_path: Path) -> None:
    shutil.copytree(models.path_of("sentiment"), tmp_path / "sentiment")
    path = tmp_path / "slipway.toml"
    path.write_text(
        f"[[models]]\nname = 'sentiment'\nbase_path = 'sentimnt'\n[server]\nport = {free_port()}\n"
    )
    run = run_slipway(["doctor", f"--config={path}", "--json"])
    assert (run.returncode, run.stderr) == (1, "")
    report = json.loads(run.stdout)
    assert report["ok"] is False
    (line,) = (line for line in report["lines"] if "base_path" in line["found"])
    assert line["mark"] == "problem"
    assert line["found"].startswith("slipway.toml:3: models[0].base_path: ")
    assert line["remedy"].endswith(f"did you mean {tmp_path / 'sentiment'}?")
    subjects = {line["subject"] for line in report["lines"]}
    assert {"Python", "TensorFlow", "nginx", "open files", "memory"} <= subjects

    path.write_text("[servr]")
    plain = run_slipway(["doctor", f"--config={path}"])
    assert plain.returncode == 1
    assert f"{path}:1: unknown key servr; did you mean server?" in plain.stdout
    assert "\x1b" not in plain.stdout


def test_the_command_needs_no_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run = run_slipway(["doctor"])
    assert run.returncode == 0, run.stdout
    assert "only the machine was looked at" in run.stdout
    run = run_slipway(["doctor", "--config=nowhere.toml"])
    assert run.returncode == 1
    assert "nowhere.toml is not there" in run.stdout
