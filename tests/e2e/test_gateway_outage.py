"""What a gateway does while what it is made of goes away and comes back."""

import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

import slipway
from slipway.errors import ServingError
from tests.support.process import GatewayProcess, ServeProcess
from tests.support.projects import write_models_config, write_project
from tests.support.rest import Reply, ask
from tests.support.waiting import wait_until

WORDS = "slipway.examples.sentiment:Words"
QUESTION = {"words": ["太", "失望", "了"]}
RECOVERY_S = 1.0
"""From the first answer of a model server to the first of the gateway."""
SLACK_S = 2.0
"""What a busy machine may add to a time."""


@dataclass(frozen=True)
class Answer:
    begin: float
    end: float
    reply: Reply

    @property
    def status(self) -> int:
        return self.reply.status

    @property
    def seconds(self) -> float:
        return self.end - self.begin


class Askers:
    """Threads that keep asking a gateway, each on connections of their own, and keep each answer.

    A question that gets no answer fails the test at the end of the block.
    """

    _MOST = 5_000
    _PAUSE_S = 0.01

    def __init__(self, gateway: GatewayProcess, threads: int = 8) -> None:
        self._address = address(gateway)
        self._answers: list[Answer] = []
        self._stop = threading.Event()
        self._pool = ThreadPoolExecutor(threads)
        self._runs = [self._pool.submit(self._run) for _ in range(threads)]

    def since(self, begin: float) -> list[Answer]:
        """The answers to what was asked after a moment, so far."""
        return [answer for answer in list(self._answers) if answer.begin >= begin]

    def wait_for(self, count: int, begin: float, status: int | None = None) -> None:
        """Return when so many are there, of a status if one is named."""

        def are_there() -> bool:
            found = [a for a in self.since(begin) if status is None or a.status == status]
            return len(found) >= count

        wait_until(are_there, f"{count} answers" + (f" of status {status}" if status else ""))

    def _run(self) -> None:
        for _ in range(self._MOST):
            begin = time.monotonic()
            reply = ask(self._address, "POST", "/predict", {**QUESTION})
            self._answers.append(Answer(begin, time.monotonic(), reply))
            if self._stop.wait(self._PAUSE_S):
                return

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._pool.shutdown()
        if not error:
            for run in self._runs:
                run.result()


def address(gateway: GatewayProcess) -> str:
    return gateway.url.removeprefix("http://")


def status_of(gateway: GatewayProcess, path: str) -> int:
    return ask(address(gateway), "GET", path).status


def worker_pids(gateway: GatewayProcess) -> list[int]:
    return [int(pid) for pid in re.findall(r"Booting worker with pid: (\d+)", gateway.log)]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., ServeProcess]]:
    """Starts servers of the sentiment model, which end with the test."""
    config = write_models_config(tmp_path, ["sentiment"])
    started: list[ServeProcess] = []

    def start(grpc: str | None = None) -> ServeProcess:
        server = ServeProcess(f"--model_config_file={config}", grpc=grpc).__enter__()
        started.append(server)
        return server

    yield start
    for server in started:
        server.__exit__(None, None, None)


@contextmanager
def gateway_of(
    folder: Path,
    *servers: ServeProcess,
    handler: str = WORDS,
    workers: int = 2,
    kind: str = "gthread",
) -> Iterator[GatewayProcess]:
    """A gateway in front of servers that are open by then, with all its workers up."""
    settings = {"workers": workers, "gunicorn.worker_class": kind}
    write_project(folder, [s.grpc for s in servers], [handler], settings)
    with GatewayProcess(folder, "--no-reload") as gateway:
        for server in servers:
            server.wait_until_open()
        wait_until(lambda: len(worker_pids(gateway)) == workers, f"{workers} workers")
        yield gateway


def wait_until_it_predicts(server: ServeProcess) -> float:
    """Return the moment at which a server answered who asked it directly."""
    server.wait_for("Running gRPC ModelServer")
    with slipway.Client(server.grpc) as client:

        def predicts() -> bool:
            try:
                client.predict("sentiment", {"words": [["a"]], "nwords": [1]}, timeout_s=1)
            except ServingError:
                return False
            return True

        wait_until(predicts, "an answer of the model server")
    return time.monotonic()


@pytest.mark.parametrize(
    ("number", "kind"),
    [(signal.SIGTERM, "gthread"), (signal.SIGKILL, "gthread"), (signal.SIGKILL, "gevent")],
    ids=["ended", "killed", "killed-gevent"],
)
def test_who_asks_while_the_model_server_is_away_is_told_to_try_again_and_can_within_a_second(
    serve: Callable[..., ServeProcess], tmp_path: Path, number: signal.Signals, kind: str
) -> None:
    server = serve()
    with gateway_of(tmp_path, server, kind=kind) as gateway, Askers(gateway) as askers:
        askers.wait_for(50, begin=0, status=200)
        server.signal(number)
        server.exit_status()
        gone = time.monotonic()
        askers.wait_for(100, begin=gone)
        away = askers.since(gone)
        assert {answer.status for answer in away} == {503}
        assert {answer.reply.headers["retry-after"] for answer in away} == {"1"}
        message = "the model server does not answer now: try again"
        assert {answer.reply.error for answer in away} == {message}
        assert max(answer.seconds for answer in away) < SLACK_S
        assert (status_of(gateway, "/readyz"), status_of(gateway, "/healthz")) == (503, 200)

        back = wait_until_it_predicts(serve(server.grpc))
        # The first good answer may have come before.
        askers.wait_for(1, begin=gone, status=200)
        first = min(answer.end for answer in askers.since(gone) if answer.status == 200)
        print(f"answered {first - back:+.3f} s after the model server did")
        assert first - back <= RECOVERY_S
        askers.wait_for(100, begin=back + RECOVERY_S)
        assert {answer.status for answer in askers.since(back + RECOVERY_S)} == {200}
        assert status_of(gateway, "/readyz") == 200
        # What was under way when it went away was answered too, one way or the other.
        assert {answer.status for answer in askers.since(0)} == {200, 503}
        assert len(worker_pids(gateway)) == 2
        assert "Traceback" not in gateway.log


def test_one_of_two_model_servers_goes_away_and_comes_back_unnoticed(
    serve: Callable[..., ServeProcess], tmp_path: Path
) -> None:
    one, other = serve(), serve()
    with gateway_of(tmp_path, one, other) as gateway, Askers(gateway) as askers:
        askers.wait_for(50, begin=0)
        one.signal(signal.SIGKILL)
        one.exit_status()
        askers.wait_for(100, begin=time.monotonic())
        wait_until_it_predicts(serve(one.grpc))
        # Each worker finds that out for itself.
        told = f"model server {one.grpc} "
        wait_until(
            lambda: (
                1
                <= gateway.log.count(f"{told}is away")
                == gateway.log.count(f"{told}answers again")
            ),
            "calls to the server that is back",
        )
        other.signal(signal.SIGKILL)
        other.exit_status()
        askers.wait_for(100, begin=time.monotonic())
        assert {answer.status for answer in askers.since(0)} == {200}
        assert len(worker_pids(gateway)) == 2


HURRIED = """
from slipway.examples.sentiment import Words


class Hurried(Words):
    timeout_s = 0.5
"""


# Threads are eight, and greenlets as many as there are requests.
@pytest.mark.parametrize(("kind", "count"), [("gthread", 8), ("gevent", 50)])
def test_a_model_server_that_hangs_costs_no_more_than_the_handler_s_time(
    serve: Callable[..., ServeProcess], tmp_path: Path, kind: str, count: int
) -> None:
    (tmp_path / "hurried.py").write_text(HURRIED)
    server = serve()
    with gateway_of(tmp_path, server, handler="hurried:Hurried", workers=1, kind=kind) as gateway:

        def ask_words(_: int) -> Answer:
            begin = time.monotonic()
            reply = ask(address(gateway), "POST", "/predict", {**QUESTION})
            return Answer(begin, time.monotonic(), reply)

        wait_until(lambda: ask_words(0).status == 200, "the model")
        server.signal(signal.SIGSTOP)
        try:
            with ThreadPoolExecutor(count) as pool:
                answers = list(pool.map(ask_words, range(count)))
            assert {answer.status for answer in answers} == {504}
            assert {answer.reply.error for answer in answers} == {
                "the model did not answer in time"
            }
            assert all(0.5 <= answer.seconds < 0.5 + SLACK_S for answer in answers)
            # Who waited has gone.
            with ThreadPoolExecutor(count) as pool:
                healths = pool.map(lambda _: status_of(gateway, "/healthz"), range(count))
                assert set(healths) == {200}
        finally:
            server.signal(signal.SIGCONT)
        wait_until(lambda: ask_words(0).status == 200, "the model again")
        assert {ask_words(0).status for _ in range(20)} == {200}
        assert len(worker_pids(gateway)) == 1


def test_a_worker_that_is_killed_is_replaced(
    serve: Callable[..., ServeProcess], tmp_path: Path
) -> None:
    with gateway_of(tmp_path, serve()) as gateway:
        killed = worker_pids(gateway)[0]
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: len(worker_pids(gateway)) == 3, "another worker")
        with Askers(gateway) as askers:
            askers.wait_for(50, begin=0)
            assert {answer.status for answer in askers.since(0)} == {200}


SLOW = """
import time
from pathlib import Path

from slipway.examples.sentiment import Words


class Slow(Words):
    def preprocess(self, words: list[str]):
        Path("begun").touch()
        for _ in range(3000):
            if Path("go on").exists():
                break
            time.sleep(0.01)
        return super().preprocess(words)
"""


@pytest.mark.parametrize("kind", ["gthread", "gevent"])
def test_a_gateway_that_is_ended_answers_what_is_under_way(
    serve: Callable[..., ServeProcess], tmp_path: Path, kind: str
) -> None:
    (tmp_path / "slow.py").write_text(SLOW)
    with gateway_of(tmp_path, serve(), handler="slow:Slow", workers=1, kind=kind) as gateway:
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(ask, address(gateway), "POST", "/predict", {**QUESTION})
            wait_until((tmp_path / "begun").exists, "the request")
            gateway.signal(signal.SIGTERM)
            gateway.wait_for("Handling signal: term")
            (tmp_path / "go on").touch()
            assert answer.result(30).json["labels"] == "NEG"
        assert gateway.exit_status() == 0
