"""`ab` on /lstm/predict through nginx: our stack, the usual recipe, and empty Flask handlers.

    python benchmarks/stack.py [--rounds=5] [--requests=6000] [--model-base-path=FOLDER]

Four things answer, each behind an nginx of its own, and take turns:

- slipway: `slipway up`, as it comes, with the route /lstm/predict of `slipway.examples`;
- the usual recipe: a Flask app that opens a grpcio channel for each request (recipe_app.py), under
  `gunicorn -w 4`, behind nginx as guides have it, in front of the same model server;
- empty Flask: a Flask app whose only handler returns `{}`, behind the same nginx and under the same
  Gunicorn settings as the gateway;
- empty handler: a handler of the gateway that does nothing.

It needs nginx and ab: apt-get install nginx apache2-utils. FOLDER is the base path of another model
with the inputs of `sentiment`.
"""

import argparse
import base64
import getpass
import os
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

from apache_bench import AbRun, run_ab
from report import table
from servers import ServerError, free_ports, started

from slipway import models
from slipway.stack.machine import find_nginx

WARM_UP = 600
SENTENCE = "这家酒店的房间很干净，服务员也非常热情。"
BARS = {"usual recipe": 3.5, "empty Flask": 0.6}
BINARIES = Path(sys.executable).parent

BARE = """
from flask import Flask, Response

app = Flask(__name__)


@app.get("/empty")
def empty() -> Response:
    return Response(b"{}", content_type="application/json")
"""
EMPTY = """
from slipway.gateway import Predict, handler


@handler("/empty", methods=["GET"])
def empty(predict: Predict) -> dict[str, str]:
    return {}
"""
PROJECT = """
[[models]]
name = "sentiment"
base_path = "{base_path}"

[server]
port = {grpc}
rest_api_port = {rest}

[gateway]
port = {gateway}

[[gateway.routes]]
handler = "slipway.examples.sentiment:EncodedSentence"

[[gateway.routes]]
handler = "empty_handler"

[proxy]
port = {proxy}
"""
# Its nginx alone, in front of a Gunicorn that the benchmark starts.
BARE_PROJECT = """
[proxy]
port = {proxy}

[[proxy.gateways]]
address = "127.0.0.1:{gateway}"
"""
RECIPE_NGINX = """
daemon off;
pid {folder}/nginx.pid;
error_log stderr;
events {{}}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{proxy};
        location / {{
            proxy_pass http://127.0.0.1:{gateway};
            proxy_set_header Host $host;
            proxy_set_header X-Real-IP $remote_addr;
        }}
    }}
}}
"""


def main() -> None:
    """Start everything, measure in rounds, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="at least 3 for a usable median")
    parser.add_argument("--requests", type=int, default=6000)
    parser.add_argument("--concurrency", type=int, default=10)
    parser.add_argument("--model-base-path", type=Path, default=models.path_of("sentiment"))
    arguments = parser.parse_args()
    with ExitStack() as stack:
        try:
            urls = stack.enter_context(everything(arguments.model_base_path.absolute()))
        except ServerError as error:
            sys.exit(f"benchmark: {error}")
        for url in urls.values():
            run_ab(url, requests=WARM_UP, concurrency=arguments.concurrency)
        rounds: list[Mapping[str, AbRun]] = []
        for number in range(arguments.rounds):
            # There and back again, so that a machine that warms up or tires favours nobody.
            order = list(urls.items())[:: -1 if number % 2 else 1]
            print(f"measuring, round {number + 1}", file=sys.stderr)
            rounds.append(
                {
                    name: run_ab(
                        url, requests=arguments.requests, concurrency=arguments.concurrency
                    )
                    for name, url in order
                }
            )
    print(report(rounds))
    if any(run.failed for turn in rounds for run in turn.values()):
        sys.exit("benchmark: requests have failed")


@contextmanager
def everything(base_path: Path) -> Iterator[Mapping[str, str]]:
    """Run all four; yield what ab is to ask, by name. Raises ServerError."""
    nginx = find_nginx()
    if nginx is None:
        raise ServerError("nginx is not installed: apt-get install nginx")
    grpc, rest, gateway, proxy, bare, bare_proxy, recipe, recipe_proxy = free_ports(8)
    line = base64.urlsafe_b64encode(SENTENCE.encode()).decode()
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        root = Path(name)
        ours, flask, usual = (root / part for part in ("slipway", "flask", "recipe"))
        for folder in (ours, flask, usual):
            folder.mkdir()
        (ours / "empty_handler.py").write_text(EMPTY)
        stack.enter_context(
            up(ours, PROJECT.format(base_path=base_path, grpc=grpc, rest=rest, gateway=gateway,
                                    proxy=proxy))
        )  # fmt: skip
        (flask / "bare_app.py").write_text(BARE)
        stack.enter_context(
            started(
                [
                    BINARIES / "gunicorn", f"--config={ours}/run/gateway-1.conf.py",
                    f"--bind=127.0.0.1:{bare}", f"--chdir={flask}", "bare_app:app",
                ],
                [bare],
                root / "bare.log",
            )
        )  # fmt: skip
        stack.enter_context(up(flask, BARE_PROJECT.format(gateway=bare, proxy=bare_proxy)))
        stack.enter_context(recipe_gunicorn(f"127.0.0.1:{grpc}", recipe, root / "recipe.log"))
        config = usual / "nginx.conf"
        config.write_text(RECIPE_NGINX.format(folder=usual, gateway=recipe, proxy=recipe_proxy))
        stack.enter_context(
            started(
                [str(nginx.path), "-e", "stderr", "-c", str(config)],
                [recipe_proxy],
                root / "nginx.log",
            )
        )
        urls = {
            "slipway": f"http://127.0.0.1:{proxy}/lstm/predict?line={line}",
            "usual recipe": f"http://127.0.0.1:{recipe_proxy}/lstm/predict?line={line}",
            "empty Flask": f"http://127.0.0.1:{bare_proxy}/empty",
            "empty handler": f"http://127.0.0.1:{proxy}/empty",
        }
        for name, url in urls.items():
            print(f"{name}: {answer_of(url)}", file=sys.stderr)
        yield urls


@contextmanager
def up(folder: Path, project: str) -> Iterator[None]:
    """Run the stack of a project until the end of the block. Raises ServerError."""
    user = f'[stack]\nuser = "{getpass.getuser()}"\n' if os.geteuid() == 0 else ""
    (folder / "slipway.toml").write_text(project + user)

    def slipway(command: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [BINARIES / "slipway", command], cwd=folder, capture_output=True, text=True, check=False
        )

    try:
        run = slipway("up")
        if run.returncode:
            raise ServerError(f"slipway up: {run.stderr.strip()}")
        yield
    finally:
        slipway("down")


@contextmanager
def recipe_gunicorn(server: str, port: int, log: Path) -> Iterator[None]:
    """Run the usual recipe's app until the end of the block. Raises ServerError."""
    environment = {"RECIPE_SERVER": server, "TF_CPP_MIN_LOG_LEVEL": "2"}
    before = {name: os.environ.get(name) for name in environment}
    os.environ.update(environment)
    try:
        command: list[str | Path] = [
            BINARIES / "gunicorn", "-w", "4", f"--bind=127.0.0.1:{port}",
            f"--chdir={Path(__file__).parent}", "recipe_app:app",
        ]  # fmt: skip
        with started(command, [port], log):
            yield
    finally:
        for name, text in before.items():
            if text is None:
                del os.environ[name]
            else:
                os.environ[name] = text


def answer_of(url: str) -> str:
    """Return the answer to a GET."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=60) as response:
        return str(response.read().decode().strip())


def report(rounds: Sequence[Mapping[str, AbRun]]) -> str:
    """Return the tables: medians over the rounds, and ratios taken within each round."""
    rows = [
        [
            name,
            f"{median(turn[name].rate for turn in rounds):,.0f}",
            f"{median(turn[name].median_ms for turn in rounds):.0f}",
            f"{median(turn[name].p99_ms for turn in rounds):.0f}",
            f"{sum(turn[name].failed for turn in rounds)}",
        ]
        for name in rounds[0]
    ]
    ratios = [
        [f"slipway / {name}", f"{ratio:.2f}", f">= {bar}", "met" if ratio >= bar else "not met"]
        for name, bar in BARS.items()
        for ratio in [median(turn["slipway"].rate / turn[name].rate for turn in rounds)]
    ]
    return "\n\n".join(
        [
            table(["behind nginx", "requests/s", "median, ms", "p99, ms", "failed"], rows),
            table(["ratio", "measured", "bar", ""], ratios),
        ]
    )


if __name__ == "__main__":
    main()
