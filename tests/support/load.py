"""Steady requests, and what became of them."""

import http.client
import threading
import time
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

_TIMEOUT_S = 30


class Load:
    """Threads that send the same request again and again, while the block runs that it is used in.

    Each keeps its connection, and makes a new one every tenth time; a pause after each answer
    leaves the machine some time for what is done under load.
    """

    def __init__(
        self,
        url: str,
        body: bytes,
        *,
        method: str = "POST",
        threads: int = 4,
        pause_s: float = 0.005,
    ) -> None:
        self._method = method
        self._pause_s = pause_s
        parts = urlsplit(url)
        self._address = parts.netloc
        self._path = parts.path
        self._body = body
        self._ends = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(threads)]
        self.answered = 0
        self.failures: list[str] = []
        self.longest_s = 0.0
        """What the slowest answer took."""
        self.gap_s = 0.0
        """The longest time in which nothing was answered well."""
        self._lock = threading.Lock()
        self._latest = time.monotonic()

    def _ask(self) -> None:
        number = 0
        connection = http.client.HTTPConnection(self._address, timeout=_TIMEOUT_S)
        while not self._ends.is_set():
            number += 1
            if number % 10 == 0:
                connection.close()
            begin = time.monotonic()
            try:
                connection.request(self._method, self._path, self._body)
                response = connection.getresponse()
                content = response.read()
                problem = "" if response.status == 200 else f"{response.status} {content!r}"
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                problem = repr(error)
            self._note(problem, begin)
            self._ends.wait(self._pause_s)
        connection.close()

    def _note(self, problem: str, begin: float) -> None:
        now = time.monotonic()
        with self._lock:
            if problem:
                self.failures.append(problem)
                return
            self.answered += 1
            self.longest_s = max(self.longest_s, now - begin)
            self.gap_s = max(self.gap_s, now - self._latest)
            self._latest = now

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
            thread.join(_TIMEOUT_S)
