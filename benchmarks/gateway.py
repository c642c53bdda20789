"""Where the time of one `/lstm/predict` goes, from HTTP to the model.

    python benchmarks/gateway.py [--rounds=5] [--model-base-path=FOLDER]

One client asks one at a time, over a connection that stays open. Beside the route stand the parts
it is made of: a bare Flask app and a handler that does nothing under the same Gunicorn, and
cutting words, the call of the model server and the model itself in this process. They take turns;
what is left of the route's time when its parts are taken away is a row of its own. FOLDER is the
base path of another model with the inputs of `sentiment`.
"""

import argparse
import http.client
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

import numpy as np
from report import table
from servers import ServerError, free_ports, started

import slipway
from slipway import models
from slipway.examples import segmentation
from slipway.examples.sentiment import Sentence

REQUESTS = 500
WARM_UP = 200
TIMEOUT_S = 10.0
SENTENCES = {
    "12 words": "这家酒店的房间很干净，服务员也非常热情。",
    "120 words": "这家酒店的房间很干净，服务员也非常热情。" * 10,
}
BARE = """
from flask import Flask, Response, request

app = Flask(__name__)


@app.post("/bare")
def bare() -> Response:
    request.get_data()
    return Response(b"{}", content_type="application/json")
"""
EMPTY = """
from slipway.gateway import Predict, handler


@handler("/empty")
def empty(predict: Predict) -> dict[str, str]:
    return {}
"""
PROJECT = """
[gateway]
upstreams = ["127.0.0.1:{port}"]
workers = 1

[[gateway.routes]]
handler = "empty_handler"

[[gateway.routes]]
handler = "slipway.examples.sentiment:Sentence"
"""

Ask = Callable[[], object]


def main() -> None:
    """Start everything, measure in rounds, print a table for each sentence."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="at least 3 for a usable median")
    parser.add_argument("--model-base-path", type=Path, default=models.path_of("sentiment"))
    arguments = parser.parse_args()
    with ExitStack() as stack:
        try:
            ports = stack.enter_context(stack_of(arguments.model_base_path.absolute()))
        except ServerError as error:
            sys.exit(f"benchmark: {error}")
        newest = max(arguments.model_base_path.glob("[0-9]*"), key=lambda path: int(path.name))
        model = stack.enter_context(slipway.load(newest))
        for name, sentence in SENTENCES.items():
            asked = asked_of(sentence, ports, model)
            for ask in asked.values():
                timed_us(ask, WARM_UP)
            rounds = []
            for number in range(arguments.rounds):
                print(f"measuring {name}, round {number + 1}", file=sys.stderr)
                # There and back again, so that a machine that warms up or tires favours nobody.
                order = list(asked.items())[:: -1 if number % 2 else 1]
                rounds.append({part: timed_us(ask, REQUESTS) for part, ask in order})
            print(f"A sentence of {name}\n\n{report(rounds)}\n")


@contextmanager
def stack_of(base_path: Path) -> Iterator[tuple[int, int, int]]:
    """Start a model server, a gateway and a bare Flask app; yield their ports."""
    serve, gate, bare = free_ports(3)
    binaries = Path(sys.executable).parent
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        (folder / "bare_app.py").write_text(BARE)
        (folder / "empty_handler.py").write_text(EMPTY)
        project = folder / "slipway.toml"
        project.write_text(PROJECT.format(port=serve))
        commands: Mapping[int, list[str | Path]] = {
            serve: [
                binaries / "slipway", "serve", f"--port={serve}", "--model_name=sentiment",
                f"--model_base_path={base_path}",
            ],
            gate: [
                binaries / "slipway", "gateway", f"--config={project}", f"--port={gate}",
                "--no-reload",
            ],
            bare: [
                binaries / "gunicorn", f"--bind=127.0.0.1:{bare}", "--worker-class=gthread",
                "--threads=8", "--keep-alive=75", f"--chdir={folder}", "bare_app:app",
            ],
        }  # fmt: skip
        for port, command in commands.items():
            stack.enter_context(started(command, [port], folder / f"{port}.log"))
        yield serve, gate, bare


def asked_of(
    sentence: str, ports: tuple[int, int, int], model: slipway.SavedModel
) -> Mapping[str, Ask]:
    """Return what is measured, by name."""
    serve, gate, bare = ports
    handler = Sentence()
    inputs = handler.preprocess(words=segmentation.cut(sentence))
    client = slipway.Client(f"127.0.0.1:{serve}", timeout_s=TIMEOUT_S)
    body = json.dumps({"line": sentence}, ensure_ascii=False).encode()
    assert np.asarray(inputs["words"]).size
    return {
        "route": posting(gate, "/lstm/predict", body),
        "empty": posting(gate, "/empty", b"{}"),
        "bare": posting(bare, "/bare", b"{}"),
        "words": lambda: segmentation.cut(sentence),
        "call": lambda: client.predict("sentiment", inputs),
        "model": lambda: model.predict(inputs),
    }


def posting(port: int, path: str, body: bytes) -> Ask:
    """Return a function that posts a body, and looks at the status of the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)

    def ask() -> None:
        connection.request("POST", path, body)
        response = connection.getresponse()
        answer = response.read()
        if response.status != 200:
            sys.exit(f"benchmark: {path} answered {response.status}: {answer.decode()}")

    return ask


def timed_us(ask: Ask, times: int) -> float:
    """Return the median time of a call, in microseconds."""
    spent = []
    for _ in range(times):
        begin = time.perf_counter()
        ask()
        spent.append(time.perf_counter() - begin)
    return median(spent) * 1e6


def report(rounds: list[dict[str, float]]) -> str:
    """Return the table: medians over the rounds of what each part takes, and its share."""
    parts: Mapping[str, Callable[[Mapping[str, float]], float]] = {
        "HTTP, Gunicorn and Flask": lambda turn: turn["bare"],
        "the gateway, without inputs": lambda turn: turn["empty"] - turn["bare"],
        "cutting words": lambda turn: turn["words"],
        "client, gRPC and server": lambda turn: turn["call"] - turn["model"],
        "the model": lambda turn: turn["model"],
        "the rest: input, arrays, answer, other threads": lambda turn: (
            turn["route"] - turn["empty"] - turn["words"] - turn["call"]
        ),
        "one /lstm/predict": lambda turn: turn["route"],
    }
    rows = [
        [
            name,
            f"{median(part(turn) for turn in rounds):,.0f}",
            f"{median(part(turn) / turn['route'] for turn in rounds):.0%}",
        ]
        for name, part in parts.items()
    ]
    return table(["part", "us", "share"], rows)


if __name__ == "__main__":
    main()
