"""`slipway predict`, asked from the shell."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract.conftest import Serving
from tests.support.models import SavedModels
from tests.support.process import SLIPWAY, ServeProcess, run_slipway


@pytest.fixture(scope="module")
def half(saved_models: SavedModels) -> Iterator[Serving]:
    base_path = saved_models.base_path("half")
    with ServeProcess("--model_name=half", f"--model_base_path={base_path}") as server:
        server.wait_until_open()
        yield Serving(server.grpc, server.rest, saved_models.folder)


@pytest.fixture(scope="module")
def vocabulary(saved_models: SavedModels) -> Iterator[Serving]:
    base_path = saved_models.base_path("vocabulary")
    with ServeProcess("--model_name=v", f"--model_base_path={base_path}") as server:
        server.wait_until_open()
        yield Serving(server.grpc, server.rest, saved_models.folder)


def transports(serving: Serving) -> list[list[str]]:
    return [
        [f"--server={serving.grpc}"],
        [f"--server={serving.rest}", "--rest"],
        [f"--server=http://{serving.rest}"],
    ]


def answer(*arguments: str) -> Any:
    result = run_slipway(["predict", *arguments])
    assert (result.returncode, result.stderr) == (0, "")
    return json.loads(result.stdout)


@pytest.mark.parametrize(
    ("question", "wanted"),
    [
        ('{"instances": [1.0, 2, 5]}', {"predictions": [2.5, 3.0, 4.5]}),
        ('{"instances": [{"x": [1]}, {"x": [2]}]}', {"predictions": [[2.5], [3.0]]}),
        ('{"inputs": {"x": [1, 2]}}', {"outputs": [2.5, 3.0]}),
        ('{"inputs": 0.2}', {"outputs": 2.1}),
        ('{"x": [[0.2], [-Infinity]]}', {"outputs": [[2.1], [float("-inf")]]}),
    ],
)
def test_bodies_are_those_of_the_rest_api(half: Serving, question: str, wanted: Any) -> None:
    for transport in transports(half):
        assert answer("half", question, *transport) == wanted


def test_strings_that_are_no_utf_8_travel_as_base64(vocabulary: Serving) -> None:
    question = '{"words": ["好", {"b64": "/w=="}, "so so"]}'
    for transport in transports(vocabulary):
        found = answer("v", question, *transport)
        assert found == {"outputs": {"ids": [0, 3, 2], "shout": ["好!", {"b64": "/yE="}, "so so!"]}}
        assert answer("v", question, "--output=ids", *transport) == {"outputs": [0, 3, 2]}
        rows = '{"instances": ["好", "so so"]}'
        assert answer("v", rows, *transport)["predictions"] == [
            {"ids": 0, "shout": "好!"},
            {"ids": 2, "shout": "so so!"},
        ]


def test_input_comes_from_an_argument_a_file_or_stdin(half: Serving, tmp_path: Path) -> None:
    question = '{"x": 1}'
    (tmp_path / "question.json").write_text(question)
    server = f"--server={half.grpc}"
    assert answer("half", f"@{tmp_path}/question.json", server) == {"outputs": 2.5}
    for stdin in (["-"], []):
        run = subprocess.run(
            [SLIPWAY, "predict", server, "half", *stdin],
            input=question, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert (run.returncode, run.stdout) == (0, '{"outputs": 2.5}\n')


def test_version_and_signature_are_chosen(half: Serving) -> None:
    arguments = ["half", '{"inputs": 2}', f"--server={half.grpc}", "--version=124"]
    assert answer(*arguments, "--signature=classify_x2_to_y3") == {"outputs": 4.0}
    named = '{"signature_name": "regress_x2_to_y3", "inputs": 2}'
    assert answer("half", named, *arguments[2:]) == {"outputs": 4.0}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nobody", '{"x": 1}'], "Servable not found for request: Latest(nobody)"),
        (["half", "{"], "INPUT is no JSON: "),
        (["half", "[1]"], "INPUT must be an object"),
        (["half", "@/no/such/file"], "No such file or directory"),
        (["half", '{"instances": []}'], "instances must be a list of one row or more"),
        (["half", '{"instances": [{"x": 1}, {}]}'], "row 1 must have the inputs that row 0 has"),
        (["half", '{"instances": [1], "inputs": 1}'], "both instances and inputs"),
        (["half", '{"inputs": {"x": {"b64": "?"}}}'], "is no base64"),
        (["half", '{"inputs": 1}', "--signature=s"], 'half has no signature "s"; it has '),
        (["half", '{"x": "a"}'], "float"),
        (["half", '{"x": [1, [2]]}'], 'input "x": '),
        (["half", '{"x": 1}', "--output=z"], "not found in signature: z"),
        (["half", '{"x": 1}', "--version=1", "--label=l"], "exclude each other"),
        (["half", '{"x": 1}', "--timeout_s=0"], "no answer within 0 s"),
        (["half", '{"x": 1}', "--server=nowhere"], "--server: address"),
        (["half", '{"x": 1}', "--server=127.0.0.1:1"], "127.0.0.1:1: cannot connect: "),
        (["half", '{"instances": [1], "x": 2}', "--timeout_s=-1"], "--timeout_s"),
    ],
)
def test_a_mistake_is_one_line_on_stderr_and_status_1(
    half: Serving, arguments: list[str], message: str
) -> None:
    for transport in transports(half)[:2]:
        result = run_slipway(["predict", *transport, *arguments])
        assert (result.returncode, result.stdout) == (1, "")
        assert message in result.stderr
        assert len(result.stderr.splitlines()) == 1, result.stderr
        if any(argument.startswith("--server") for argument in arguments):
            break
