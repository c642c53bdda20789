"""What the main thread of a server waits for."""

import logging
import queue
import signal
import threading
import time
from collections.abc import Mapping
from typing import Any

from slipway.errors import DeadlineExceededError
from slipway.server.reload import ReloadRequest, closing

logger = logging.getLogger(__name__)

_MARGIN_S = 0.5
"""How long before its deadline a caller is answered, at most: the answer has to travel."""
_LONGEST_WAIT_S = 3600.0
"""Of a caller without a deadline, who may have gone long since: his thread waits for him."""


class News:
    """SIGTERM and SIGINT, changes of a version's state, and callers with another configuration.

    A signal may come while the main thread holds any lock, so its handler does nothing but put its
    number into the one queue of the standard library that is made for that.
    """

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[int | ReloadRequest | None] = queue.SimpleQueue()
        self._reloads: list[ReloadRequest] = []
        self._closing = threading.Lock()
        self._is_closed = False
        self.is_to_stop = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda number, _frame: self._queue.put(number))

    def post(self) -> None:
        """Say that something has changed. May be called from any thread."""
        self._queue.put(None)

    def reload(self, config: Mapping[str, Any], deadline_s: float | None) -> None:
        """Ask for another configuration, from any thread but the main one, and wait for the answer.

        Raises the ServingError that it is.
        """
        wait_s = _LONGEST_WAIT_S if deadline_s is None else min(deadline_s, _LONGEST_WAIT_S)
        deadline = time.monotonic() + wait_s - min(_MARGIN_S, wait_s / 10)
        request = ReloadRequest(config, deadline)
        with self._closing:
            if self._is_closed:
                raise closing()
            self._queue.put(request)
        try:
            request.outcome.result(wait_s)
        except TimeoutError as error:
            raise DeadlineExceededError("The server is busy with its disk") from error

    def wait(self, timeout_s: float | None) -> None:
        """Return when there is news, or after `timeout_s`."""
        try:
            self._take(self._queue.get(timeout=timeout_s))
            while not self._queue.empty():
                self._take(self._queue.get())
        except queue.Empty:
            return

    def take_reloads(self) -> list[ReloadRequest]:
        """Return the configurations that have been asked for since the last call."""
        taken, self._reloads = self._reloads, []
        return taken

    def close(self) -> None:
        """Refuse configurations from now on, also those that nobody has taken.

        Another signal ends the process at once.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        with self._closing:
            self._is_closed = True
        self.wait(0)
        for request in self.take_reloads():
            request.outcome.set_exception(closing())

    def _take(self, news: int | ReloadRequest | None) -> None:
        if isinstance(news, ReloadRequest):
            self._reloads.append(news)
        elif news is not None:
            logger.info("Received %s", signal.Signals(news).name)
            self.is_to_stop = True
