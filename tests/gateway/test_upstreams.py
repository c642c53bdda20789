"""`Upstreams`: its decisions with servers that obey the test, and real servers that come and go."""

import gc
import math
import os
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from slipway import errors
from slipway.arrays import Arrays
from slipway.errors import Code, ServingError
from slipway.gateway.balance import ELSEWHERE
from slipway.gateway.upstreams import Upstreams
from slipway.servables import State, VersionStatus
from tests.support.ports import free_port
from tests.support.process import ServeProcess
from tests.support.waiting import wait_until

A, B, C = "127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"
X = {"x": np.asarray([1.0, 2.0, 5.0], np.float32)}
NEVER_S = 3600.0
"""An interval between checks for tests that do without."""


class FakeServer:
    """A `ModelClient` that answers what the test wants, and remembers what it was asked.

    Predictions wait at the `gate` that was there when they came, while it is closed.
    """

    def __init__(self) -> None:
        self.failure: ServingError | None = None
        self.status_failure: ServingError | None = None
        self.versions = [VersionStatus(1, State.AVAILABLE)]
        self.gate = threading.Event()
        self.gate.set()
        self.timeouts_s: list[float] = []
        """Of the predictions asked for."""
        self.waiting = 0
        self.checked: list[str] = []
        """The models whose status was asked for."""
        self.is_closed = False

    def predict(
        self,
        model: str,
        inputs: Mapping[str, Any],
        *,
        version: int | None,
        label: str | None,
        signature: str,
        output_filter: Sequence[str],
        timeout_s: float,
    ) -> Arrays:
        self.timeouts_s.append(timeout_s)
        failure, gate = self.failure, self.gate
        self.waiting += 1
        assert gate.wait(30)
        self.waiting -= 1
        if failure:
            raise type(failure)(*failure.args)
        return {"y": inputs["x"]}

    def status(
        self,
        model: str,
        *,
        version: int | None = None,
        label: str | None = None,
        timeout_s: float,
    ) -> list[VersionStatus]:
        assert 0 < timeout_s <= 10
        self.checked.append(model)
        if self.status_failure:
            raise self.status_failure
        return self.versions

    def close(self) -> None:
        self.is_closed = True

    @property
    def asked(self) -> int:
        return len(self.timeouts_s)


class Fleet:
    """Fake servers by address, and the upstreams over them."""

    def __init__(self, *addresses: str, check_interval_s: float = NEVER_S) -> None:
        self.opened: list[str] = []
        self.servers = {address: FakeServer() for address in addresses}
        self.upstreams = Upstreams(
            addresses, connect=self._connect, check_interval_s=check_interval_s
        )

    def _connect(self, address: str) -> FakeServer:
        self.opened.append(address)
        return self.servers[address]

    def __getitem__(self, address: str) -> FakeServer:
        return self.servers[address]

    def ask(self, *, timeout_s: float = 10, idempotent: bool = True) -> Arrays:
        return self.upstreams.predict("m", X, timeout_s=timeout_s, idempotent=idempotent)

    def ask_each(self) -> None:
        """Ask as often as there are servers, whatever comes of it."""
        for _ in self.servers:
            with suppress(ServingError):
                self.ask()

    @property
    def asked(self) -> dict[str, int]:
        return {address: server.asked for address, server in self.servers.items()}

    def unready_reason(self) -> str | None:
        return self.upstreams.unready_reason("m", version=None, label=None, timeout_s=10)


Build = Callable[..., Fleet]


@pytest.fixture
def fleet() -> Iterator[Build]:
    fleets: list[Fleet] = []

    def build(*addresses: str, check_interval_s: float = NEVER_S) -> Fleet:
        fleets.append(Fleet(*addresses, check_interval_s=check_interval_s))
        return fleets[-1]

    yield build
    for built in fleets:
        built.upstreams.close()
    assert not checkers()


def checkers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "slipway-upstreams"]


def health(upstreams: Upstreams, *expected: bool) -> Callable[[], bool]:
    return lambda: tuple(upstreams.health().values()) == expected


@pytest.mark.parametrize("addresses", [["localhost"], [A, "a b:1"], [], [A, A]])
def test_what_is_no_list_of_servers_is_refused_at_once(addresses: list[str]) -> None:
    with pytest.raises(ValueError, match="address"):
        Upstreams(addresses)


def test_a_master_process_opens_nothing() -> None:
    def resources() -> tuple[int, int]:
        return len(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task"))

    before = resources()
    upstreams = Upstreams([A, B])
    assert upstreams.health() == {A: True, B: True}
    assert resources() == before
    upstreams.close()


def test_the_first_call_opens_one_client_a_server(fleet: Build) -> None:
    both = fleet(A, B)
    assert both.opened == []
    for _ in range(5):
        both.ask()
    assert both.opened == [A, B]


def test_an_idle_system_spreads_its_calls(fleet: Build) -> None:
    three = fleet(A, B, C)
    for _ in range(12):
        three.ask()
    assert three.asked == {A: 4, B: 4, C: 4}


def test_calls_avoid_a_server_that_takes_long(fleet: Build) -> None:
    both = fleet(A, B)
    both[A].gate.clear()
    with ThreadPoolExecutor(1) as pool:
        # One of these two goes there and stays.
        hanging = [pool.submit(both.ask), pool.submit(both.ask)]
        wait_until(lambda: both[A].waiting == 1, "a call to hang")
        before = both[B].asked
        for _ in range(10):
            both.ask()
        assert both.asked == {A: 1, B: before + 10}
        both[A].gate.set()
        for call in hanging:
            call.result()


def test_calls_go_round_a_server_that_is_away(fleet: Build) -> None:
    both = fleet(A, B)
    both[A].failure = errors.UnavailableError("refused")
    for _ in range(10):
        assert both.ask()["y"] is X["x"]
    assert both.asked == {A: 1, B: 10}
    assert both.upstreams.health() == {A: False, B: True}


CODES = {error.code: error for error in ServingError.__subclasses__()}


@pytest.mark.parametrize("code", CODES)
def test_only_what_another_server_may_do_better_is_tried_there(fleet: Build, code: Code) -> None:
    both = fleet(A, B)
    both[A].failure = CODES[code]("no")
    tried_elsewhere = code in {error.code for error in ELSEWHERE}
    failed = 0
    for _ in range(2):
        try:
            both.ask()
        except CODES[code]:
            failed += 1
    assert failed == (0 if tried_elsewhere else 1)
    assert both.asked == {A: 1, B: 2 if tried_elsewhere else 1}
    assert both.upstreams.health()[A] is (code is not Code.UNAVAILABLE)


@pytest.mark.parametrize("code", CODES)
def test_a_call_that_is_not_idempotent_is_tried_once(fleet: Build, code: Code) -> None:
    both = fleet(A, B)
    both[A].failure = both[B].failure = CODES[code]("no")
    with pytest.raises(CODES[code]):
        both.ask(idempotent=False)
    assert sum(both.asked.values()) == 1


def test_each_attempt_gets_what_is_left_of_the_time(fleet: Build) -> None:
    three = fleet(A, B, C)
    for server in three.servers.values():
        server.failure = errors.UnavailableError("refused")
    with pytest.raises(errors.UnavailableError):
        three.ask(timeout_s=10)
    first, second, third = sorted(server.timeouts_s[0] for server in three.servers.values())[::-1]
    assert 10 == first > second > third > 0
    with pytest.raises(errors.UnavailableError):
        three.ask(timeout_s=math.inf)
    assert [server.timeouts_s[1] for server in three.servers.values()] == [math.inf] * 3


def test_no_attempt_begins_when_the_time_is_up(fleet: Build) -> None:
    both = fleet(A, B)
    both[A].failure = both[B].failure = errors.NotFoundError("nobody")
    with pytest.raises(errors.NotFoundError):
        both.ask(timeout_s=1e-9)
    assert sum(both.asked.values()) == 1


def test_a_server_without_the_model_is_first_in_its_turn_only(fleet: Build) -> None:
    both = fleet(A, B)
    both[A].failure = errors.NotFoundError("not yet")
    for _ in range(10):
        both.ask()
    assert both.asked == {A: 5, B: 10}


def test_a_model_that_one_misses_may_be_on_the_one_that_is_away(fleet: Build) -> None:
    both = fleet(A, B)
    both[A].failure = errors.UnavailableError("refused")
    both[B].failure = errors.NotFoundError("nobody")
    # It is the same whether the one is known to be away by now or not.
    for _ in range(5):
        with pytest.raises(errors.UnavailableError, match="refused"):
            both.ask()
    assert both.asked == {A: 1, B: 5}


def test_when_all_are_away_each_is_tried_and_the_first_that_answers_is_back(fleet: Build) -> None:
    both = fleet(A, B)
    both[A].failure = both[B].failure = errors.UnavailableError("refused")
    for turn in range(1, 4):
        with pytest.raises(errors.UnavailableError):
            both.ask()
        assert both.asked == {A: turn, B: turn}
    both[B].failure = None
    both.ask()
    assert both.upstreams.health() == {A: False, B: True}
    assert both[B].checked == []


def test_a_refusal_shows_as_well_that_a_server_is_back(fleet: Build) -> None:
    one = fleet(A)
    one[A].failure = errors.UnavailableError("refused")
    one.ask_each()
    one[A].failure = errors.InvalidArgumentError("x")
    with pytest.raises(errors.InvalidArgumentError):
        one.ask()
    assert one.upstreams.health() == {A: True}


def test_an_answer_to_what_was_asked_before_does_not_bring_a_server_back(fleet: Build) -> None:
    one = fleet(A)
    one[A].gate.clear()
    with ThreadPoolExecutor(1) as pool:
        answered = pool.submit(one.ask)
        wait_until(lambda: one[A].waiting == 1, "the first call")
        gate, one[A].gate = one[A].gate, threading.Event()
        one[A].gate.set()
        one[A].failure = errors.UnavailableError("closing")
        with pytest.raises(errors.UnavailableError):
            one.ask()
        gate.set()
        answered.result(30)
    assert one.upstreams.health() == {A: False}


@pytest.mark.parametrize("answer", [None, errors.NotFoundError("m"), errors.UnimplementedError("")])
def test_a_server_is_back_when_a_check_is_answered(
    fleet: Build, answer: ServingError | None
) -> None:
    both = fleet(A, B, check_interval_s=0.001)
    both[A].failure = both[A].status_failure = errors.UnavailableError("refused")
    both.ask_each()
    wait_until(lambda: len(both[A].checked) > 2, "some checks")
    assert set(both[A].checked) == {"m"}
    assert both.upstreams.health() == {A: False, B: True}
    both[A].failure, both[A].status_failure = None, answer
    wait_until(health(both.upstreams, True, True), "the server to be back")
    wait_until(lambda: not checkers(), "the checks to end")
    before = both.asked
    both.ask_each()
    assert both.asked == {address: count + 1 for address, count in before.items()}


def test_a_server_that_let_a_deadline_pass_is_away_if_it_does_not_answer_a_check(
    fleet: Build,
) -> None:
    both = fleet(A, B, check_interval_s=0.001)
    both[A].failure = both[A].status_failure = errors.DeadlineExceededError("silence")
    both.ask_each()
    wait_until(health(both.upstreams, False, True), "the check")
    both[A].failure = both[A].status_failure = None
    wait_until(health(both.upstreams, True, True), "the server to be back")


def test_a_server_that_is_merely_slow_keeps_its_calls(fleet: Build) -> None:
    both = fleet(A, B, check_interval_s=0.001)
    both[A].failure = errors.DeadlineExceededError("a long run")
    both.ask_each()
    wait_until(lambda: both[A].checked == ["m"] and not checkers(), "the check")
    assert both.upstreams.health() == {A: True, B: True}
    assert both[B].checked == []


def test_no_thread_is_there_while_all_servers_answer(fleet: Build) -> None:
    both = fleet(A, B, check_interval_s=0.001)
    both.ask_each()
    assert checkers() == []


def test_what_is_no_answer_of_a_server_leaves_nothing_behind(fleet: Build) -> None:
    both = fleet(A, B)
    for _ in range(3):
        with pytest.raises(KeyError):
            both.upstreams.predict("m", {}, timeout_s=1)
    for _ in range(6):
        both.ask()
    assert max(both.asked.values()) - min(both.asked.values()) <= 1


def test_loads_add_up_after_many_threads(fleet: Build) -> None:
    three = fleet(A, B, C, check_interval_s=0.001)
    three[A].failure = errors.NotFoundError("not yet")
    three[B].failure = errors.UnavailableError("refused")
    with ThreadPoolExecutor(8) as pool:
        for call in [pool.submit(three.ask) for _ in range(2000)]:
            call.result()
    three[A].failure = three[B].failure = None
    wait_until(health(three.upstreams, True, True, True), "all to be back")
    before = three.asked
    for _ in range(9):
        three.ask()
    assert three.asked == {address: count + 3 for address, count in before.items()}


def test_inputs_are_let_go_with_the_call(fleet: Build) -> None:
    both = fleet(A, B)
    both[A].failure = both[B].failure = errors.NotFoundError("nobody")

    def ask() -> "weakref.ref[Any]":
        x = np.zeros(3, np.float32)
        with suppress(errors.NotFoundError):
            both.upstreams.predict("m", {"x": x}, timeout_s=1)
        return weakref.ref(x)

    gc.disable()
    try:
        assert ask()() is None
        both[B].failure = None
        assert [ask()() for _ in range(2)] == [None, None]
    finally:
        gc.enable()


def test_ready_means_that_one_server_has_an_available_version(fleet: Build) -> None:
    both = fleet(A, B)
    assert both.unready_reason() is None
    both[A].versions = [VersionStatus(3, State.LOADING), VersionStatus(2, State.END)]
    assert [both.unready_reason() for _ in range(4)] == [None] * 4
    both[B].status_failure = errors.NotFoundError("Could not find m")
    reason = both.unready_reason()
    assert reason
    assert reason.startswith('no server can answer for model "m": ')
    assert f"{A}: version 3 is LOADING, version 2 is END" in reason
    assert f"{B}: NOT_FOUND: Could not find m" in reason
    both[A].versions = []
    assert f"{A}: it has no version" in (both.unready_reason() or "")
    both[B].status_failure = errors.UnavailableError(f"{B}: cannot connect")
    assert f"{B}: UNAVAILABLE: cannot connect" in (both.unready_reason() or "")
    # By now it is known to be away.
    assert f"{B}: away: cannot connect" in (both.unready_reason() or "")
    assert both.upstreams.health() == {A: True, B: False}


def test_closing_ends_the_checks_and_the_clients(fleet: Build) -> None:
    both = fleet(A, B)
    both[A].failure = errors.UnavailableError("refused")
    both.ask_each()
    assert len(checkers()) == 1
    both.upstreams.close()
    both.upstreams.close()
    assert checkers() == []
    assert both[A].is_closed
    assert both[B].is_closed
    with pytest.raises(ValueError, match="closed"):
        both.ask()
    assert "closed" in (both.unready_reason() or "")


MODEL = "half_plus_two"
BASE_PATH = Path(__file__).parents[2] / "examples" / MODEL
Y = [2.5, 3.0, 4.5]


@contextmanager
def serve(grpc: str | None = None) -> Iterator[ServeProcess]:
    """A server of the model, where another one was before if an address is given."""
    flags = (f"--model_name={MODEL}", f"--model_base_path={BASE_PATH}")
    with ServeProcess(*flags, grpc=grpc) as server:
        server.wait_until_open()
        yield server


def ask(upstreams: Upstreams, timeout_s: float = 30) -> list[float]:
    outputs: list[float] = upstreams.predict(MODEL, X, timeout_s=timeout_s)["y"].tolist()
    return outputs


def test_no_call_fails_when_one_of_two_servers_is_killed_and_comes_back() -> None:
    stop = threading.Event()
    counts = [0] * 8

    def load(upstreams: Upstreams, number: int) -> None:
        while not stop.is_set():
            assert ask(upstreams) == Y
            counts[number] += 1

    def go_on() -> None:
        before = list(counts)
        wait_until(
            lambda: all(now > was + 20 for now, was in zip(counts, before)) or stopped(), "calls"
        )

    def stopped() -> bool:
        return any(call.done() for call in calls)

    with (
        serve() as first,
        serve() as second,
        closing(Upstreams([first.grpc, second.grpc])) as upstreams,
        ThreadPoolExecutor(8) as pool,
    ):
        calls = [pool.submit(load, upstreams, number) for number in range(8)]
        try:
            go_on()
            second.signal(signal.SIGKILL)
            wait_until(health(upstreams, True, False), "the loss to be noticed")
            go_on()
            with serve(second.grpc):
                wait_until(health(upstreams, True, True), "the server to take calls again")
                go_on()
                # It is the only one now.
                first.signal(signal.SIGKILL)
                wait_until(health(upstreams, False, True), "the other loss to be noticed")
                go_on()
                stop.set()
                for call in calls:
                    call.result(30)
        finally:
            stop.set()


def test_a_single_server_is_tried_again_at_once() -> None:
    with (
        serve() as server,
        closing(Upstreams([server.grpc], check_interval_s=NEVER_S)) as upstreams,
    ):
        assert ask(upstreams) == Y
        server.signal(signal.SIGTERM)
        assert server.exit_status() == 0
        for _ in range(3):
            with pytest.raises(errors.UnavailableError, match="cannot connect"):
                ask(upstreams)
        reason = upstreams.unready_reason(MODEL, version=None, label=None, timeout_s=5)
        assert f"{server.grpc}: UNAVAILABLE: cannot connect" in (reason or "")
        with serve(server.grpc):
            assert ask(upstreams) == Y
            assert upstreams.health() == {server.grpc: True}
            for version in (123, None):
                reason = upstreams.unready_reason(MODEL, version=version, label=None, timeout_s=5)
                assert reason is None
            reason = upstreams.unready_reason(MODEL, version=7, label=None, timeout_s=5)
            assert f"{server.grpc}: NOT_FOUND: " in (reason or "")


def test_calls_that_hang_end_with_the_process_that_they_wait_for() -> None:
    with (
        serve() as server,
        closing(Upstreams([server.grpc])) as upstreams,
        ThreadPoolExecutor(4) as pool,
    ):
        assert ask(upstreams) == Y
        server.signal(signal.SIGSTOP)
        calls = [pool.submit(ask, upstreams, 600) for _ in range(4)]
        wait_until(lambda: under_way(upstreams) == [4], "the calls to begin")
        server.signal(signal.SIGKILL)
        for call in calls:
            assert isinstance(call.exception(30), errors.UnavailableError)


def under_way(upstreams: Upstreams) -> list[int]:
    return [upstream.under_way for upstream in upstreams._upstreams]


def test_a_server_that_stopped_answering_delays_few_calls() -> None:
    with (
        serve() as first,
        serve() as second,
        closing(Upstreams([first.grpc, second.grpc])) as upstreams,
        ThreadPoolExecutor(8) as pool,
    ):
        assert ask(upstreams) == ask(upstreams) == Y
        second.signal(signal.SIGSTOP)
        # Whoever gets there stays there: no more than one of calls that come one at a time.
        hanging = [pool.submit(ask, upstreams, 5) for _ in range(2)]
        wait_until(lambda: under_way(upstreams) == [0, 1], "a call to hang")
        for _ in range(50):
            assert ask(upstreams) == Y
        outcomes = [call.exception(30) for call in hanging]
        assert [type(o) for o in outcomes if o] == [errors.DeadlineExceededError]
        wait_until(health(upstreams, True, False), "the check to be without an answer")
        for _ in range(50):
            assert ask(upstreams, 1) == Y
        second.signal(signal.SIGCONT)
        wait_until(health(upstreams, True, True), "the server to be back")
        assert ask(upstreams) == ask(upstreams) == Y


def test_a_forked_child_has_clients_and_checks_of_its_own(tmp_path: Path) -> None:
    script = """
import os, signal, sys, threading
import numpy as np
from slipway.gateway.upstreams import Upstreams
from tests.support.waiting import wait_until

def ask():
    x = np.asarray([1, 2, 5], np.float32)
    return upstreams.predict("half_plus_two", {"x": x}, timeout_s=30)["y"].tolist()

def load():
    while not stop.is_set():
        assert ask() == [2.5, 3.0, 4.5]

def checkers():
    return [one for one in threading.enumerate() if one.name == "slipway-upstreams"]

signal.alarm(60)
upstreams = Upstreams(sys.argv[1:3])
stop = threading.Event()
threads = [threading.Thread(target=load) for _ in range(4)]
for thread in threads:
    thread.start()
wait_until(lambda: not all(upstreams.health().values()), "the loss to be noticed")
for turn in range(10):
    child = os.fork()
    if not child:
        signal.alarm(40)
        assert all(upstreams.health().values())
        assert not checkers()
        for _ in range(4):
            assert ask() == [2.5, 3.0, 4.5]
        assert list(upstreams.health().values()) == [True, False]
        assert len(checkers()) == 1
        if turn == 9:
            print("away", flush=True)
            wait_until(lambda: all(upstreams.health().values()), "the server to be back")
            assert ask() == ask() == [2.5, 3.0, 4.5]
        upstreams.close()
        os._exit(0)
    if turn < 9:
        assert os.waitpid(child, 0)[1] == 0
stop.set()
for thread in threads:
    thread.join()
assert os.waitpid(child, 0)[1] == 0
wait_until(lambda: all(upstreams.health().values()), "the server to be back")
upstreams.close()
"""
    absent = f"127.0.0.1:{free_port()}"
    with (
        serve() as server,
        subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", script, server.grpc, absent],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        ) as run,
    ):  # fmt: skip
        assert run.stdout
        if run.stdout.readline() == "away\n":
            with serve(absent):
                _, log = run.communicate(timeout=60)
        else:
            _, log = run.communicate(timeout=60)
        assert run.returncode == 0, log
