"""The scripts of the demo: what they write, and that they know a wrong answer."""

import io
import json
import os
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from PIL import Image

from slipway.config.project_file import read_project
from slipway.stack.checks import check
from slipway.stack.plan import make_plan
from tests.support.machines import NGINX, make_machine
from tests.support.ports import free_port

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "examples"))
from demo import is_answered  # noqa: E402
from questions import (  # noqa: E402
    ask_about_a_picture,
    ask_about_a_sentence,
    ask_grpc,
    ask_rest,
)
from stack_project import write_project  # noqa: E402


def png(*, size: tuple[int, int] = (400, 300), middle: int = 255, around: int = 0) -> bytes:
    picture = Image.new("L", size, around)
    picture.paste(middle, (size[0] // 4, size[1] // 4, size[0] * 3 // 4, size[1] * 3 // 4))
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


class Server:
    """Answers everything with the same."""

    def __init__(self) -> None:
        self.status, self.body, self.content_type = 200, b"", "application/json"
        self.paths: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                outer.paths.append(self.path)
                self.send_response(outer.status)
                self.send_header("Content-Type", outer.content_type)
                self.send_header("Content-Length", str(len(outer.body)))
                self.end_headers()
                self.wfile.write(outer.body)

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.chdir(tmp_path)
    server = Server()
    thread = threading.Thread(target=server.http.serve_forever)
    thread.start()
    yield server
    server.http.shutdown()
    server.http.server_close()
    thread.join()


def labels(*names: str) -> bytes:
    return json.dumps({"predictions": [{"labels": name} for name in names]}).encode()


@pytest.mark.parametrize(
    ("question", "answer", "is_right"),
    [
        (ask_about_a_sentence, b'{"labels":"POS"}', True),
        (ask_about_a_sentence, b'{"labels":"NEG"}', False),
        (ask_about_a_sentence, b"{}", False),
        (ask_about_a_sentence, b"<html>", False),
        (ask_about_a_picture, png(), True),
        (ask_about_a_picture, png(size=(320, 320)), False),
        (ask_about_a_picture, png(middle=0), False),
        (ask_about_a_picture, png(around=255), False),
        (ask_about_a_picture, b"\x89PNG", False),
        (ask_about_a_picture, b'{"status":-1}', False),
        (ask_rest, labels("POS", "NEG"), True),
        (ask_rest, labels("POS", "POS"), False),
        (ask_rest, labels("POS"), False),
    ],
)
def test_a_wrong_answer_is_known(
    server: Server, question: Callable[[str], bool], answer: bytes, is_right: bool
) -> None:
    server.body = answer
    if answer.startswith(b"\x89PNG"):
        server.content_type = "image/png"
    assert is_answered("?", question, server.url) is is_right
    assert len(server.paths) == 1


@pytest.mark.parametrize("question", [ask_about_a_sentence, ask_about_a_picture, ask_rest])
def test_a_failure_is_shown_as_it_came(
    server: Server, question: Callable[[str], bool], capsys: pytest.CaptureFixture[str]
) -> None:
    server.status, server.body = 503, b'{"status":-1,"error":"try again"}'
    assert is_answered("?", question, server.url) is False
    assert '{"status":-1,"error":"try again"}' in capsys.readouterr().out


@pytest.mark.parametrize("question", [ask_about_a_sentence, ask_about_a_picture, ask_rest])
def test_nobody_there_is_no_answer(question: Callable[[str], bool]) -> None:
    assert is_answered("?", question, f"http://127.0.0.1:{free_port()}") is False


@pytest.mark.usefixtures("stubs")
def test_nobody_there_is_no_answer_over_grpc(capsys: pytest.CaptureFixture[str]) -> None:
    assert is_answered("?", ask_grpc, f"127.0.0.1:{free_port()}") is False
    assert "UNAVAILABLE" in capsys.readouterr().out


def test_its_project_is_sound_and_may_be_written_again(tmp_path: Path) -> None:
    for _ in range(2):
        file = write_project(tmp_path / "new" / "project")
    plan = make_plan(file, nginx=NGINX.path)
    assert [finding for finding in check(plan, make_machine(is_root=os.geteuid() == 0))
            if finding.is_error] == []  # fmt: skip
    assert sorted(path.name for path in file.parent.iterdir()) == ["models", "slipway.toml"]
    assert bool(plan.project.stack.user) == (os.geteuid() == 0)


def test_its_project_can_be_run_where_it_is() -> None:
    plan = make_plan(ROOT / "examples" / "stack" / "slipway.toml", nginx=NGINX.path)
    assert check(plan, make_machine()) == []


def test_its_ports_count_on_from_the_first(tmp_path: Path) -> None:
    usual = make_plan(write_project(tmp_path), nginx=NGINX.path)
    other = make_plan(write_project(tmp_path, 23_000), nginx=NGINX.path)
    assert [process.name for process in other.processes] == [
        process.name for process in usual.processes
    ]
    ports = [port for process in other.processes for _, port in process.ports]
    assert len(set(ports)) == len(ports) == 6
    assert min(ports) == 23_000
    assert max(ports) < 23_010


def test_a_checkout_that_others_may_not_read_is_run_by_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root chooses whom it runs as")
    shutil.copy(sys.executable, tmp_path / "python")
    # The folders of pytest are closed to others.
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    file = write_project(tmp_path / "project")
    assert read_project(file).stack.user == "root"
    assert "so the stack runs as root" in capsys.readouterr().err
