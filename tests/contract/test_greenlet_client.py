"""The client of a gateway under gevent: `slipway.Client`, whose callers are greenlets."""

import gc
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import gevent
import numpy as np
import pytest

from slipway import errors
from slipway.client.greenlets import GreenletClient
from slipway.servables import State
from tests.contract.conftest import Serving

X = np.asarray([1, 2, 5], np.float32)
Y = [2.5, 3.0, 4.5]
# A run of about a second.
LONG = {"turns": np.int32(20_000)}


@pytest.fixture(params=["grpc", "rest"])
def client(request: pytest.FixtureRequest, serving: Serving) -> Iterator[GreenletClient]:
    address = serving.grpc if request.param == "grpc" else f"http://{serving.rest}"
    with GreenletClient(address) as client:
        yield client


def test_it_asks_as_any_client_does(client: GreenletClient) -> None:
    assert client.predict("half", {"x": [1, 2, 5]})["y"].tolist() == Y
    assert client.status("half")[0].state is State.AVAILABLE
    assert "serving_default" in client.metadata("half").signatures
    with pytest.raises(errors.NotFoundError, match="nobody"):
        client.status("nobody")


def test_a_long_call_holds_up_no_other_greenlet(client: GreenletClient) -> None:
    ended: list[str] = []
    long = gevent.spawn(client.predict, "loop", LONG, timeout_s=60)
    long.rawlink(lambda _: ended.append("long"))

    def ask_often() -> None:
        for _ in range(20):
            client.predict("half", {"x": X})
            ended.append("short")

    gevent.joinall([long, gevent.spawn(ask_often)], raise_error=True)
    assert ended == ["short"] * 20 + ["long"]


def test_a_deadline_is_kept(client: GreenletClient) -> None:
    with pytest.raises(errors.DeadlineExceededError):
        client.predict("loop", LONG, timeout_s=0.05)


def test_who_waits_no_longer_gives_the_call_up(client: GreenletClient) -> None:
    with pytest.raises(gevent.Timeout), gevent.Timeout(0.05):
        client.predict("loop", LONG, timeout_s=60)
    asking = gevent.spawn(client.predict, "loop", LONG, timeout_s=60)
    gevent.sleep(0)
    asking.kill()
    assert client.predict("half", {"x": X})["y"].tolist() == Y


def test_threads_that_are_none_of_gevent_s_may_share_it(client: GreenletClient) -> None:
    def ask(number: int) -> list[float]:
        answers: list[float] = client.predict("half", {"x": [float(number)]})["y"].tolist()
        gevent.get_hub().destroy(destroy_loop=True)
        return answers

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(ask, range(20))) == [[number / 2 + 2] for number in range(20)]


def test_a_call_that_failed_keeps_no_inputs(client: GreenletClient) -> None:
    inputs = np.zeros(1000, np.float32)
    kept = weakref.ref(inputs)
    gc.disable()
    try:
        with pytest.raises(errors.NotFoundError) as caught:
            client.predict("nobody", {"x": inputs})
        del inputs, caught
        # The loop is done with the answer as soon as it goes on.
        gevent.sleep(0)
        assert kept() is None
    finally:
        gc.enable()
