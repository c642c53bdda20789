"""Callers that ask a stack at a steady rate, and what became of their requests."""

import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import numpy as np

import slipway
from slipway.errors import ServingError, UnavailableError

TIMEOUT_S = 20.0
"""Longer than anything here takes: a request that is lost is a failure, a slow one is not."""
WORDS = ["房间", "很", "干净"]
SENTENCE = json.dumps({"line": "房间很干净"}).encode()
INSTANCES = json.dumps({"instances": [{"words": WORDS, "nwords": len(WORDS)}]}).encode()

Ask = Callable[[], str]
"""Sends a request; returns how it failed, or nothing."""


@dataclass
class Answers:
    """What became of the requests of some time."""

    asked: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    again: int = 0
    """Sent a second time, over HTTP because the connection that was kept had been closed meanwhile,
    over gRPC because the first one was UNAVAILABLE."""
    slowest_s: float = 0.0
    gap_s: float = 0.0
    """The longest time without a good answer."""

    @property
    def failed(self) -> int:
        return self.failures.total()


class Callers:
    """Threads that ask all the time while the block runs; each at its own share of the rate.

    A request has its time: one that is late because the last one took long is sent at once, so that
    a pause of the stack meets as many requests as it would in life.
    """

    def __init__(self, http_address: str, grpc_address: str, rate: float) -> None:
        self._lock = threading.Lock()
        self._answers = Answers()
        self._latest = time.monotonic()
        self._ends = threading.Event()
        asks: Sequence[Ask] = [
            _Posting(http_address, "/sentence", SENTENCE, keeps=True, note=self._note_again),
            _Posting(http_address, "/sentence", SENTENCE, keeps=False, note=self._note_again),
            _Posting(http_address, "/v1/models/sentiment:predict", INSTANCES, keeps=True,
                     note=self._note_again),
            _Posting(http_address, "/v1/models/sentiment:predict", INSTANCES, keeps=False,
                     note=self._note_again),
        ]  # fmt: skip
        # Two of each, so that a slow answer does not stop a kind.
        asks = [
            *asks,
            *map(_another, asks),
            *(_Predicting(grpc_address, self._note_again) for _ in range(2)),
        ]
        every_s = len(asks) / rate
        self._threads = [
            threading.Thread(target=self._ask, args=(ask, every_s, every_s * number / len(asks)))
            for number, ask in enumerate(asks)
        ]

    def take(self) -> Answers:
        """Return what became of the requests since the last time."""
        with self._lock:
            taken, self._answers = self._answers, Answers()
            taken.gap_s = max(taken.gap_s, time.monotonic() - self._latest)
            return taken

    def _ask(self, ask: Ask, every_s: float, first_s: float) -> None:
        due = time.monotonic() + first_s
        while not self._ends.wait(max(due - time.monotonic(), 0)):
            begin = time.monotonic()
            failure = ask()
            now = time.monotonic()
            with self._lock:
                answers = self._answers
                answers.asked += 1
                answers.slowest_s = max(answers.slowest_s, now - begin)
                if failure:
                    answers.failures[failure] += 1
                else:
                    answers.gap_s = max(answers.gap_s, now - self._latest)
                    self._latest = now
            due += every_s

    def _note_again(self) -> None:
        with self._lock:
            self._answers.again += 1

    def __enter__(self) -> Self:
        self._latest = time.monotonic()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ends.set()
        for thread in self._threads:
            thread.join(TIMEOUT_S)


class _Posting:
    """Posts a body, over a connection that it keeps or over a new one each time.

    A server may close a connection that is idle, and a request may be on its way then: it ends
    without a byte of an answer, and is sent again, as browsers, proxies and most clients do.
    """

    def __init__(
        self, address: str, path: str, body: bytes, *, keeps: bool, note: Callable[[], None]
    ) -> None:
        self.arguments = (address, path, body, keeps, note)
        self._address, self._path, self._body, self._keeps, self._note = self.arguments
        self._connection: http.client.HTTPConnection | None = None

    def __call__(self) -> str:
        if self._connection is not None:
            try:
                return self._post(self._connection)
            except (ConnectionError, http.client.RemoteDisconnected):
                self._note()
        self._connection = http.client.HTTPConnection(self._address, timeout=TIMEOUT_S)
        try:
            return self._post(self._connection)
        except (OSError, http.client.HTTPException) as error:
            self._close()
            return f"HTTP: {type(error).__name__}"

    def _post(self, connection: http.client.HTTPConnection) -> str:
        connection.request("POST", self._path, self._body)
        response = connection.getresponse()
        answer = response.read()
        if not self._keeps or response.will_close:
            self._close()
        if response.status == http.client.OK:
            return "" if b"POS" in answer else f"wrong: {answer[:80]!r}"
        return f"HTTP: {response.status}"

    def _close(self) -> None:
        if self._connection:
            self._connection.close()
        self._connection = None


def _another(ask: Ask) -> Ask:
    assert isinstance(ask, _Posting)
    address, path, body, keeps, note = ask.arguments
    return _Posting(address, path, body, keeps=keeps, note=note)


class _Predicting:
    """Asks over gRPC, and once more after UNAVAILABLE, as gRPC's own retry policy would.

    nginx passes the body of a gRPC request on while it comes, and so cannot send it to another
    server when the first one dies.
    """

    def __init__(self, address: str, note: Callable[[], None]) -> None:
        self._client = slipway.Client(address, timeout_s=TIMEOUT_S)
        self._note = note

    def __call__(self) -> str:
        try:
            return self._predict()
        except UnavailableError:
            self._note()
        except ServingError as error:
            return f"gRPC: {error.code.name}"
        try:
            return self._predict()
        except ServingError as error:
            return f"gRPC: {error.code.name}"

    def _predict(self) -> str:
        inputs = {
            "words": np.array([WORDS], dtype=object),
            "nwords": np.array([len(WORDS)], np.int32),
        }
        outputs = self._client.predict("sentiment", inputs)
        return "" if outputs["labels"][0] == b"POS" else f"wrong: {outputs['labels'][0]!r}"
