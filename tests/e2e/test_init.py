"""`slipway init`: what it writes runs."""

import getpass
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from tests.support.ports import free_ports_in_a_row
from tests.support.process import SLIPWAY, GatewayProcess, ServeProcess, run_slipway
from tests.support.waiting import wait_until

TIMEOUT_S = 30
QUESTION = {"line": "我 很 喜欢 这个 产品"}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "my project"
    run = run_slipway(["init", str(folder)])
    assert (run.returncode, run.stderr) == (0, "")
    assert f"cd {folder}" in run.stdout
    return folder


def test_its_tests_pass(project: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"],
        cwd=project, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout
    assert "3 passed" in run.stdout


def test_it_answers_and_follows_changes_of_its_handler(project: Path) -> None:
    flag = f"--model_config_file={project / 'models.config'}"
    with ServeProcess(flag) as server, GatewayProcess(project, f"--upstream={server.grpc}") as gate:
        server.wait_until_open()
        gate.wait_until_open()
        url = f"{gate.url}/sentence"

        def answer() -> dict[str, object]:
            response = requests.post(url, json=QUESTION, timeout=TIMEOUT_S)
            found: dict[str, object] = response.json() if response.ok else {}
            return found

        assert answer()["label"] == "POS"
        handler = project / "handlers.py"
        handler.write_text(handler.read_text().replace('"label": label', '"opinion": label'))
        wait_until(lambda: answer().get("opinion") == "POS", "the changed handler")
        changed = handler.read_text()
        handler.write_text(changed + "undefined_name\n")
        wait_until(lambda: not answer(), "the handler that cannot be imported")
        handler.write_text(changed)
        wait_until(lambda: answer().get("opinion") == "POS", "the mended handler")


def test_its_stack_is_started_once_and_ended_once(project: Path) -> None:
    toml = project / "slipway.toml"
    first = free_ports_in_a_row(4)
    user = f'user = "{getpass.getuser()}"' if os.geteuid() == 0 else ""
    toml.write_text(
        toml.read_text()
        .replace("[server]", f"[server]\nport = {first}\nrest_api_port = {first + 1}")
        .replace("port = 5000", f"port = {first + 2}")
        + f"[proxy]\nport = {first + 3}\n[stack]\n{user}\n"
    )

    def both(command: str) -> list[str]:
        """Run a command twice at once; return what each says."""
        runs = [
            subprocess.Popen([SLIPWAY, command], cwd=project, stdout=subprocess.PIPE, text=True)
            for _ in range(2)
        ]
        said = [run.communicate(timeout=120)[0] for run in runs]
        assert [run.returncode for run in runs] == [0, 0]
        return said

    try:
        [url] = {said.removeprefix("Ready: ").strip() for said in both("up")}
        answer = requests.post(f"{url}/sentence", json=QUESTION, timeout=TIMEOUT_S)
        assert answer.json()["label"] == "POS"
        log = (project / "run" / "logs" / "supervisord.log").read_text()
        assert log.count("supervisord started") == 1
    finally:
        both("down")
    assert not list((project / "run").glob("*.pid"))


def test_counts_begin_anew_and_other_files_stay(project: Path) -> None:
    metrics = project / "run" / "metrics"
    metrics.mkdir(parents=True)
    (metrics / "counter_1.db").touch()
    (metrics / "mine.py").touch()
    with GatewayProcess(project, "--no-reload") as gateway:
        gateway.wait_until_open()
        left = {path.name for path in metrics.iterdir()}
    assert "counter_1.db" not in left
    assert "mine.py" in left


def test_it_touches_nothing_that_is_there(project: Path) -> None:
    (project / "handlers.py").write_text("mine")
    run = run_slipway(["init", str(project)])
    assert run.returncode == 1
    assert "has handlers.py, slipway.toml" in run.stderr
    assert (project / "handlers.py").read_text() == "mine"


@pytest.mark.parametrize(
    ("flags", "text", "message"),
    [
        ([], None, "slipway.toml is not there: .* slipway init"),
        ([], "[gateway]\nprot = 1", "unknown key gateway.prot; did you mean port?"),
        ([], '[[gateway.routes]]\nhandler = "nothing"', "there is no module nothing"),
        (["--host=0.0.0.0"], "", "--reload shows tracebacks to whoever can reach 0.0.0.0"),
        (["--upstream=nowhere"], "", 'upstreams: address "nowhere": the port is missing'),
    ],
)
def test_a_mistake_ends_the_gateway_with_a_line(
    tmp_path: Path, flags: list[str], text: str | None, message: str
) -> None:
    path = tmp_path / "slipway.toml"
    if text is not None:
        path.write_text(text)
    reload = [] if any("host" in flag for flag in flags) else ["--no-reload"]
    run = run_slipway(["gateway", f"--config={path}", "--port=0", *reload, *flags])
    assert run.returncode == 1
    assert run.stderr.startswith("slipway: ")
    assert run.stderr.count("\n") == 1
    assert re.search(message, run.stderr)
