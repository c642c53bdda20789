"""The whole stack of a project: started, watched, changed under load, hurt and ended.

One stack for all, as each costs seconds; the tests come in the order of its life.
"""

import getpass
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from slipway import models
from slipway.stack.processes import all_processes, command_of
from tests.support.load import Load
from tests.support.ports import free_ports_in_a_row
from tests.support.process import SLIPWAY
from tests.support.waiting import wait_until

TIMEOUT_S = 30
BODY = '{"line": "我 很 喜欢 这个 产品"}'.encode()
HANDLERS = Path(__file__).parents[2] / "src" / "slipway" / "cli" / "template" / "handlers.py"
GATEWAYS = ("gateway-1", "gateway-2")


class Project:
    """A project of two gateways in a folder, whose stack the command runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._flags = ""
        first = free_ports_in_a_row(5)
        # The second gateway has the port after the first one's.
        self._ports = [first, first + 1, first + 2, first + 4]
        shutil.copyfile(HANDLERS, folder / "handlers.py")
        self.write()

    def write(self, *, workers: int = 2) -> None:
        """Write slipway.toml."""
        server, rest, gateway, proxy = self._ports
        user = f'user = "{getpass.getuser()}"' if os.geteuid() == 0 else ""
        (self.folder / "slipway.toml").write_text(
            f"""
            [stack]
            {user}
            [[models]]
            name = "sentiment"
            base_path = "{models.path_of("sentiment")}"
            [server]
            port = {server}
            rest_api_port = {rest}
            [gateway]
            port = {gateway}
            replicas = 2
            workers = {workers}
            [[gateway.routes]]
            handler = "handlers:Sentence"
            [proxy]
            port = {proxy}
            """
        )

    @property
    def url(self) -> str:
        """Where the first process in front answers."""
        return f"http://127.0.0.1:{self._ports[3 if has_nginx() else 2]}"

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [SLIPWAY, *arguments],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        with self.start(*arguments) as process:
            output, errors = process.communicate(timeout=60)
        return subprocess.CompletedProcess(arguments, process.returncode, output, errors)

    def do(self, *arguments: str) -> str:
        """Run a command that is to succeed; return what it says on stdout."""
        run = self.run(*arguments)
        assert run.returncode == 0, run.stderr
        return run.stdout

    def status(self) -> dict[str, Any]:
        status: dict[str, Any] = json.loads(self.run("status", "--json").stdout)
        return status

    def process(self, name: str) -> dict[str, Any]:
        processes: list[dict[str, Any]] = self.status()["processes"]
        return next(process for process in processes if process["name"] == name)

    def pids(self) -> dict[str, int]:
        return {process["name"]: process["pid"] for process in self.status()["processes"]}

    def ask(self) -> "requests.Response":
        return requests.post(f"{self.url}/sentence", BODY, timeout=TIMEOUT_S)

    def processes(self) -> list[list[str]]:
        """Return the commands of what runs with a path of this project."""
        commands = [command_of(facts.pid) for facts in all_processes()]
        return [one for one in commands if any(str(self.folder) in word for word in one)]


def has_nginx() -> bool:
    return shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin") is not None


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project whose stack is up, and ended afterwards."""
    project = Project(tmp_path_factory.mktemp("stack"))
    try:
        assert project.do("up").strip() == f"Ready: {project.url}"
        yield project
    finally:
        project.run("down")
    assert project.processes() == []


def test_it_answers_in_front(project: Project) -> None:
    response = project.ask()
    assert (response.status_code, response.json()["label"]) == (200, "POS")


def test_its_status_is_told_to_people_and_to_scripts(project: Project) -> None:
    status = project.status()
    assert status["ready"] is True
    names = ["server-1", *GATEWAYS, *(["nginx"] if has_nginx() else [])]
    assert [process["name"] for process in status["processes"]] == names
    for process in status["processes"]:
        assert list(process) == ["name", "state", "pid", "uptime_s", "restarts", "reason"]
        assert (process["state"], process["restarts"], process["reason"]) == ("ready", 0, "")
        assert process["pid"] > 0
        assert process["uptime_s"] >= 0
    assert status["models"] == [
        {
            "server": "server-1",
            "name": "sentiment",
            "versions": [{"version": 1, "state": "AVAILABLE", "message": ""}],
        }
    ]
    assert status["requests_per_s"] is not None
    table = project.do("status")
    assert all(name in table for name in names)
    assert table.splitlines()[-1] == "ready"


def test_requests_are_counted_while_they_come(project: Project) -> None:
    with Load(f"{project.url}/sentence", BODY) as load:
        rate = project.status()["requests_per_s"]
    assert rate > 0
    assert load.failures == []


def test_up_twice_at_once_changes_nothing(project: Project) -> None:
    before = project.pids()
    runs = [project.start("up") for _ in range(2)]
    for run in runs:
        output, errors = run.communicate(timeout=60)
        assert (run.returncode, output.strip()) == (0, f"Ready: {project.url}"), errors
    assert project.pids() == before


def test_a_reload_takes_up_code_and_loses_no_request(project: Project) -> None:
    before = project.pids()
    code = (project.folder / "handlers.py").read_text()
    (project.folder / "handlers.py").write_text(code.replace('"certainty"', '"sureness"'))
    with Load(f"{project.url}/sentence", BODY) as load:
        project.do("reload")
    assert_no_failure(load)
    assert "sureness" in project.ask().json()
    assert project.pids() == before


def test_a_reload_with_broken_code_says_so_and_changes_nothing(project: Project) -> None:
    before = project.pids()
    code = (project.folder / "handlers.py").read_text()
    try:
        (project.folder / "handlers.py").write_text(code + "import nothing_like_it\n")
        run = project.run("reload")
    finally:
        (project.folder / "handlers.py").write_text(code)
    assert run.returncode == 1
    assert "nothing_like_it" in run.stderr
    assert project.ask().status_code == 200
    assert project.pids() == before


@pytest.mark.skipif(not has_nginx(), reason="nginx is not installed: nothing stands in front")
def test_gateways_restart_one_by_one_and_lose_no_request(project: Project) -> None:
    before = project.pids()
    with Load(f"{project.url}/sentence", BODY) as load:
        project.do("restart", *GATEWAYS)
    assert_no_failure(load)
    after = project.pids()
    assert {name for name in before if before[name] != after[name]} == set(GATEWAYS)
    assert [project.process(name)["restarts"] for name in GATEWAYS] == [0, 0]


def test_up_applies_a_change_of_the_file(project: Project) -> None:
    before = project.pids()
    project.write(workers=1)
    with Load(f"{project.url}/sentence", BODY) as load:
        project.do("up")
    assert_no_failure(load)
    assert project.pids() == before
    wait_until(lambda: workers_of(before["gateway-1"]) == 1, "one worker")


def test_who_is_stopped_stays_so_until_up(project: Project) -> None:
    project.do("stop", "gateway-2")
    assert project.process("gateway-2")["state"] == "stopped"
    if has_nginx():
        assert project.ask().status_code == 200
    project.do("up")
    assert project.process("gateway-2")["state"] == "ready"


@pytest.mark.parametrize(
    "name",
    [
        "gateway-1",
        "server-1",
        pytest.param("nginx", marks=pytest.mark.skipif(not has_nginx(), reason="not installed")),
    ],
)
def test_who_is_killed_comes_back(project: Project, name: str) -> None:
    before = project.process(name)
    os.kill(before["pid"], signal.SIGKILL)

    def is_back() -> bool:
        status = project.status()
        process = next(one for one in status["processes"] if one["name"] == name)
        return bool(status["ready"] and process["pid"] != before["pid"])

    wait_until(is_back, f"{name} to come back")
    after = project.process(name)
    assert after["restarts"] == before["restarts"] + 1
    assert after["reason"] == "ended before: terminated by SIGKILL"
    assert project.ask().status_code == 200


def test_logs_are_shown_with_their_names(project: Project) -> None:
    lines = project.do("tail", "-n", "3", "gateway-1", "server-1").splitlines()
    assert {line.partition(" ")[0] for line in lines} == {"gateway-1", "server-1"}
    with project.start("tail", "-f", "-n", "0", "supervisord") as follower:
        assert follower.stdout
        project.do("restart", "gateway-2")
        while "spawned: 'gateway-2'" not in (line := follower.stdout.readline()):
            assert line
        follower.send_signal(signal.SIGINT)
        follower.communicate(timeout=30)
    assert follower.returncode == 0


def test_a_file_that_cannot_be_read_any_more_hides_nothing(project: Project) -> None:
    toml = project.folder / "slipway.toml"
    text = toml.read_text()
    before = project.pids()
    try:
        toml.write_text("[server\n" + text)
        run = project.run("status", "--json")
        assert (run.returncode, json.loads(run.stdout)["ready"]) == (0, True)
        assert "slipway.toml:1: " in run.stderr
        assert "spawned" in project.do("tail", "supervisord")
        assert project.run("up").returncode == project.run("reload").returncode == 1
    finally:
        toml.write_text(text)
    assert project.pids() == before


def test_up_picks_up_after_supervisord_was_killed(project: Project) -> None:
    before = project.pids()
    os.kill(int((project.folder / "run" / "supervisord.pid").read_text()), signal.SIGKILL)
    wait_until(lambda: project.process("nginx" if has_nginx() else "server-1")["state"] ==
               "orphaned", "orphans")  # fmt: skip
    # What has lost its supervisor goes on answering.
    assert project.ask().status_code == 200
    assert project.run("status").returncode == 1
    project.do("up")
    assert not set(before.values()) & set(project.pids().values())
    assert project.ask().status_code == 200


def test_down_leaves_nothing_and_may_be_repeated(project: Project) -> None:
    toml = project.folder / "slipway.toml"
    text = toml.read_text()
    toml.unlink()
    try:
        project.do("down")
    finally:
        toml.write_text(text)
    assert project.processes() == []
    left = sorted(path.name for path in (project.folder / "run").iterdir())
    assert not [name for name in left if name.endswith((".pid", ".sock"))], left
    project.do("down")
    assert project.run("status").returncode == 1
    assert "slipway up" in project.run("restart").stderr


def test_a_model_that_is_gone_is_said_and_shown(project: Project) -> None:
    toml = project.folder / "slipway.toml"
    text = toml.read_text()
    (project.folder / "empty").mkdir()
    try:
        toml.write_text(text.replace(str(models.path_of("sentiment")), "empty"))
        run = project.run("up", "--timeout_s", "3")
        assert run.returncode == 1
        assert "sentiment" in run.stderr
    finally:
        toml.write_text(text)
        project.run("down")


def test_it_stays_in_front_when_it_is_told_to(project: Project) -> None:
    project.run("down")
    with project.start("up", "--foreground") as process:
        assert process.stdout
        lines: list[str] = []
        while not any(line.startswith("Ready: ") for line in lines):
            line = process.stdout.readline()
            assert line, "".join(lines)
            lines.append(line)
        assert project.ask().status_code == 200
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    assert process.returncode == 0
    assert project.processes() == []


def workers_of(pid: int) -> int:
    return sum(facts.parent == pid for facts in all_processes())


def assert_no_failure(load: Load) -> None:
    assert load.failures == []
    assert load.answered > 0
