"""A worker that is told to end, and clients that keep their connections."""

import http.client
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.load import Load
from tests.support.process import GatewayProcess
from tests.support.projects import write_project
from tests.support.waiting import wait_until


@pytest.fixture(params=["gthread", "gevent"])
def gateway(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[GatewayProcess]:
    """A gateway whose pages need no model server, with workers of each kind."""
    handlers, settings = ["slipway.examples.saliency"], {"gunicorn.worker_class": request.param}
    folder = write_project(tmp_path, ["127.0.0.1:1"], handlers, settings)
    with GatewayProcess(folder, "--no-reload") as process:
        process.wait_until_open()
        yield process


def test_clients_that_use_their_connections_lose_no_request(gateway: GatewayProcess) -> None:
    with Load(f"{gateway.url}/healthz", b"", method="GET") as load:
        for number in range(1, 6):
            workers = gateway.log.count("Worker exiting")
            gateway.signal(signal.SIGHUP)
            wait_until(lambda: gateway.log.count("Worker exiting") >= workers + 2, "new workers")  # noqa: B023
            wait_until(lambda: gateway.log.count("Hang up") == number, "a reload")  # noqa: B023
    assert load.failures == []
    assert load.answered > 0


def test_a_connection_that_nobody_uses_holds_up_nothing(gateway: GatewayProcess) -> None:
    connection = http.client.HTTPConnection(gateway.url.removeprefix("http://"), timeout=30)
    connection.request("GET", "/healthz")
    assert connection.getresponse().read() == b'{"status":0}'
    gateway.signal(signal.SIGTERM)
    # Gunicorn gives its workers 30 seconds, and would need them.
    wait_until(lambda: "Shutting down: Master" in gateway.log, "the end", timeout_s=10)
    connection.close()
