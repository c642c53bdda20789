"""A process that asks all along, and writes down what came of each request of the soak.

    python benchmarks/soak_asking.py WAY --ports GRPC REST --seconds N > RECORDS

Each line on stdout is a `Record`, a list in JSON. It ends after `--seconds`, or at SIGTERM, when
what it has asked is answered.
"""

import argparse
import asyncio
import json
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from typing import Any

import numpy as np
from soak_callers import TIMEOUT_S, Caller, Floats, OfAsyncClient, OfClient, OfHttp, OfStubs
from soak_judge import LATEST, Record
from soak_versions import HALF, LONG, WEIGH

import slipway
from slipway.servables import State

PAUSE_S = 0.02
WATCH_S = 0.03
LONG_RUN_S = 0.7
MOST_TURNS = 1500
SMALL = np.asarray([1, 2, 5], np.float32)
BIG = np.arange(250_000, dtype=np.float32) % 4096


class WrongNumbersError(Exception):
    """The elements of an answer are not all of one version."""


@dataclass
class Outcome:
    """What a request is found to have been answered by, for its record."""

    answered: int | None = None
    named: int | None = None


class Asking:
    """Asks one caller until told to stop, and writes down each request."""

    _printing = threading.Lock()

    def __init__(self, way: str, caller: Caller, stopped: threading.Event) -> None:
        self._way = way
        self._caller = caller
        self._stopped = stopped

    def everything(self) -> None:
        """Ask each kind of question in turn."""
        questions = [self._small, self._status_and_pinned, self._big, self._weigh, self._metadata]
        while not self._stopped.is_set():
            for question in questions:
                question()
                self._stopped.wait(PAUSE_S)

    def runs_across_switches(self) -> None:
        """Begin a long run whenever a version is being loaded, on the one that it will retire."""
        turns = 300
        pins = False
        while not self._stopped.wait(WATCH_S):
            states = self._states()
            if State.LOADING.name not in states.values():
                continue
            pinned = _highest_available(states) if pins else LATEST
            pins = not pins
            begin = time.monotonic()
            self._predict("long", SMALL, LONG, pinned, turns=np.int32(turns))
            elapsed_s = time.monotonic() - begin
            # The machine is as fast as what else it does lets it be.
            turns = min(MOST_TURNS, int(turns * min(2.0, max(0.5, LONG_RUN_S / elapsed_s))))

    def _small(self) -> None:
        self._predict("small", SMALL, HALF, LATEST)

    def _big(self) -> None:
        self._predict("1 MB", BIG, HALF, LATEST)

    def _weigh(self) -> None:
        self._predict("all of the variable", SMALL, WEIGH, LATEST)

    def _status_and_pinned(self) -> None:
        if (version := _highest_available(self._states())) is not None:
            self._predict("pinned", SMALL, HALF, version)

    def _metadata(self) -> None:
        with self._noted("metadata") as outcome:
            outcome.named = self._caller.metadata()

    def _states(self) -> dict[int, str]:
        states: dict[int, str] = {}
        with self._noted("status") as outcome:
            states = self._caller.states()
            outcome.answered = _highest_available(states)
        return states

    def _predict(
        self, kind: str, x: Floats, signature: str, version: int | None, **others: Any
    ) -> None:
        with self._noted(kind, version) as outcome:
            y, outcome.named = self._caller.predict(x, signature, version, **others)
            outcome.answered = number_in(x, y)

    @contextmanager
    def _noted(self, kind: str, pinned: int | None = LATEST) -> Iterator[Outcome]:
        outcome = Outcome()
        error: str | None = None
        is_not_found = False
        begin = time.monotonic()
        try:
            yield outcome
        except Exception as failure:
            error = f"{type(failure).__name__}: {failure}"
            is_not_found = self._caller.is_not_found(failure)
        end = time.monotonic()
        record = Record(
            self._way, kind, begin, end, pinned, outcome.answered,
            outcome.named, error, is_not_found,
        )  # fmt: skip
        with self._printing:
            print(json.dumps(astuple(record)))


def number_in(x: Floats, y: Any) -> int:
    """Return the number of the version that computed `y`, by all of its elements."""
    numbers = np.asarray(y, np.float32) - x / 2
    number = float(numbers[0])
    if not number.is_integer() or (numbers != number).any():
        raise WrongNumbersError(f"between {numbers.min()} and {numbers.max()}")
    return int(number)


def _highest_available(states: Mapping[int, str]) -> int | None:
    return max((v for v, state in states.items() if state == State.AVAILABLE.name), default=None)


Make = Callable[[threading.Event, str, str], list[Callable[[], None]]]


def of_client(stopped: threading.Event, grpc: str, rest: str) -> list[Callable[[], None]]:
    """Two threads share a client of each protocol, and a third has the long runs."""
    loops = []
    for name, address in (("Client, gRPC", grpc), ("Client, REST", f"http://{rest}")):
        caller = OfClient(slipway.Client(address, timeout_s=TIMEOUT_S))
        asking = Asking(name, caller, stopped)
        loops += [asking.everything, asking.everything]
        if address == grpc:
            loops.append(asking.runs_across_switches)
    return loops


def of_async_client(stopped: threading.Event, grpc: str, rest: str) -> list[Callable[[], None]]:
    """Two calls at a time over each protocol, from one event loop."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()
    loops = []
    for name, address in (("AsyncClient, gRPC", grpc), ("AsyncClient, REST", f"http://{rest}")):
        caller = OfAsyncClient(slipway.AsyncClient(address, timeout_s=TIMEOUT_S), loop)
        asking = Asking(name, caller, stopped)
        loops += [asking.everything, asking.everything]
    return loops


def of_http(stopped: threading.Event, _: str, rest: str) -> list[Callable[[], None]]:
    """Two connections."""
    return [Asking("http.client", OfHttp(rest), stopped).everything for _ in range(2)]


def of_stubs(stopped: threading.Event, grpc: str, _: str) -> list[Callable[[], None]]:
    """One connection."""
    return [Asking("grpcio", OfStubs(grpc), stopped).everything]


WAYS: Mapping[str, Make] = {
    "client": of_client,
    "async": of_async_client,
    "http": of_http,
    "stubs": of_stubs,
}


def main() -> None:
    """Ask until told to stop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("way", choices=WAYS)
    parser.add_argument("--ports", type=int, nargs=2, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    arguments = parser.parse_args()
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    grpc, rest = (f"127.0.0.1:{port}" for port in arguments.ports)
    threads = [threading.Thread(target=loop) for loop in WAYS[arguments.way](stopped, grpc, rest)]
    for thread in threads:
        thread.start()
    end = time.monotonic() + arguments.seconds
    # In steps: a signal's handler runs only between them.
    while not stopped.is_set() and time.monotonic() < end:
        if not all(thread.is_alive() for thread in threads):
            stopped.set()
            sys.exit("soak: a caller has ended; its error is above")
        time.sleep(0.1)
    stopped.set()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
