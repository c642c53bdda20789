"""`make up`, `make down` and `make demo`: the usual example as a stack, left running or ended."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from slipway.stack.processes import all_processes, command_of
from tests.conftest import ROOT
from tests.support.documents import commands_of
from tests.support.ports import free_ports_in_a_row
from tests.support.process import SLIPWAY
from tests.support.waiting import wait_until

TIMEOUT_S = 30
README = (ROOT / "README.md").read_text()
PORTS = 10
"""From the first to the last of a stack, and room for another gateway's."""

if not shutil.which("make"):
    pytest.skip("make is not installed", allow_module_level=True)


def make(folder: Path, target: str, **variables: object) -> "subprocess.CompletedProcess[str]":
    """Run a target without the build, which has been done by who runs tests."""
    words = [f"{name}={value}" for name, value in {"STACK": folder, **variables}.items()]
    return run(["make", "--old-file=build", "--no-print-directory", target, *words])


def run(command: list[Any], **arguments: Any) -> "subprocess.CompletedProcess[str]":
    arguments = {"cwd": ROOT, **arguments}
    return subprocess.run(
        command, capture_output=True, text=True, timeout=240, check=False, **arguments
    )


def url_in(said: str) -> str:
    found = re.search(r"^Ready: (http://127\.0\.0\.1:\d+)$", said, re.MULTILINE)
    assert found, said
    return found[1]


def status(folder: Path) -> dict[str, Any]:
    said = run([SLIPWAY, "status", "--json", f"--config={folder}/slipway.toml"])
    found: dict[str, Any] = json.loads(said.stdout)
    return found


def pids(folder: Path) -> dict[str, int]:
    return {process["name"]: process["pid"] for process in status(folder)["processes"]}


def processes(folder: str) -> list[list[str]]:
    """Return the commands of what runs with a path below a folder."""
    commands = [command_of(facts.pid) for facts in all_processes()]
    return [one for one in commands if any(folder in word for word in one)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("make") / "stack"


@pytest.fixture(scope="module")
def first_port() -> int:
    return free_ports_in_a_row(PORTS)


@pytest.fixture(scope="module")
def url(folder: Path, first_port: int) -> Iterator[str]:
    """Where the stack of `make up` answers, which is ended afterwards."""
    try:
        up = make(folder, "up", FIRST_PORT=first_port)
        assert up.returncode == 0, up.stderr
        yield url_in(up.stdout)
    finally:
        make(folder, "down")
    assert processes(str(folder)) == []


def test_up_says_where_it_can_be_tried(folder: Path, first_port: int, url: str) -> None:
    before = pids(folder)
    again = make(folder, "up", FIRST_PORT=first_port)
    assert again.returncode == 0, again.stderr
    shown = README.split("$ make up\n")[1].split("$ ")[0]
    usual = {"http://127.0.0.1:8080": url, "target/stack": str(folder)}
    for text, ours in usual.items():
        shown = shown.replace(text, ours)
    assert again.stdout.partition("\n")[2] == shown
    assert pids(folder) == before
    page = requests.get(f"{url}/try", timeout=TIMEOUT_S)
    assert (page.status_code, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")


def test_curl_is_answered_what_the_demo_shows(tmp_path: Path, url: str) -> None:
    if not shutil.which("curl"):
        pytest.skip("curl is not installed")
    shown = README.split("```text\n")[1].split("```")[0]
    asked = []
    for command, answer in commands_of(shown[shown.index("$ curl") :]):
        if not command.startswith("curl"):
            continue
        path = re.sub(r"http://127\.0\.0\.1:\d+", url, command)
        path = path.replace("@examples/", f"@{ROOT}/examples/")
        curl = run(["sh", "-c", path], cwd=tmp_path, env={**os.environ, "no_proxy": "127.0.0.1"})
        asked.append(path)
        if "-o mask.png" in path:
            assert f", {(tmp_path / 'mask.png').stat().st_size} bytes" in answer
        else:
            # The title of the next question comes after it.
            assert labels_of(curl.stdout) == labels_of(answer), curl.stderr
    assert len(asked) == 3


def labels_of(answer: str) -> list[str]:
    return re.findall(r'"labels": ?"(\w+)"', answer)


def test_two_stacks_run_side_by_side(folder: Path, first_port: int, url: str) -> None:
    other = folder.with_name("other")
    same_ports = make(other, "up", FIRST_PORT=first_port)
    assert same_ports.returncode != 0
    said = same_ports.stderr
    for pid in {pid for name, pid in pids(folder).items() if name != "nginx"}:
        assert f"is taken by process {pid} (" in said
    assert f"end that: slipway down --config={folder}/slipway.toml; or set another port" in said
    assert len(re.findall(rf"of the stack of {folder}/slipway.toml;", said)) == len(
        re.findall("is taken by", said)
    )
    try:
        up = make(other, "up", FIRST_PORT=free_ports_in_a_row(PORTS))
        assert up.returncode == 0, up.stderr
        for each in (url, url_in(up.stdout)):
            answer = requests.post(
                f"{each}/lstm/predict", '{"line": "我很喜欢这个产品"}'.encode(), timeout=TIMEOUT_S
            )
            assert answer.json()["labels"] == "POS"
    finally:
        down = make(other, "down")
    assert down.returncode == 0
    assert status(folder)["ready"] is True
    assert processes(f"{other}/") == []


def test_down_may_be_repeated(tmp_path: Path, folder: Path, url: str) -> None:
    for _ in range(2):
        down = make(folder, "down")
        assert down.returncode == 0, down.stderr
    assert processes(str(folder)) == []
    with pytest.raises(requests.ConnectionError):
        requests.get(url, timeout=TIMEOUT_S)
    assert make(tmp_path / "never", "down").returncode == 0


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A folder for temporary ones: those of pytest are too long for a socket in the demo's."""
    with tempfile.TemporaryDirectory(prefix="demo-") as folder:
        yield Path(folder)
        # What the demo has written is gone with it.
        assert [path.name for path in Path(folder).iterdir() if path.name != "bin"] == []
    assert processes(folder) == []


def demo(folder: Path, temporary: Path, **environ: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, ROOT / "examples" / "demo.py"],
        cwd=folder,
        env={**os.environ, "TMPDIR": str(temporary), **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_demo_asks_all_of_it_without_nginx_too(tmp_path: Path, temporary: Path) -> None:
    # One that does not run is none, also where the system has another.
    broken = temporary / "bin" / "nginx"
    broken.parent.mkdir()
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    path = f"{broken.parent}:{os.environ['PATH']}"
    with demo(tmp_path, temporary, PATH=path) as process:
        output, errors = process.communicate(timeout=240)
    assert process.returncode == 0, output + errors
    assert "nginx is not installed, so Gunicorn stands in front" in errors
    assert "Without nginx" in output
    assert labels_of(output) == ["POS", "POS", "NEG"]
    assert "mask.png is a PNG of 400x300" in output
    assert 'string_val: "NEG"' in output


@pytest.mark.parametrize(
    ("number", "started"), [(signal.SIGINT, "slipway up"), (signal.SIGTERM, "slipway serve")]
)
def test_an_interrupted_demo_ends_the_stack(
    tmp_path: Path, temporary: Path, number: signal.Signals, started: str
) -> None:
    with demo(tmp_path, temporary) as process:
        wait_until(
            lambda: any(started in " ".join(words) for words in processes(str(temporary))), started
        )
        process.send_signal(number)
        output, errors = process.communicate(timeout=120)
    assert process.returncode == 128 + number, errors
    assert "demo: interrupted" in errors
    assert "$ slipway down" in output
