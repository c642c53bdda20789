"""`slipway.Client` where gevent has replaced the threads of a process by greenlets."""

from typing import Any, Final
from weakref import WeakKeyDictionary

import gevent
from gevent.event import AsyncResult

from slipway.client.client import Client
from slipway.client.native import Connection, Inbox, Request

_READABLE: Final = 1
"""An event, as gevent's loops number them."""


class GreenletClient(Client):
    """A client whose calls hold up the greenlet that makes them, and no other one.

    Greenlets share a thread, and a call of `Client` would keep all of them waiting for its answer.
    Here the loop that runs them watches for answers, as that of asyncio does for `AsyncClient`. A
    greenlet that is killed, or whose gevent.Timeout is over, gives its call up.
    """

    def __init__(self, address: str, **settings: Any) -> None:
        super().__init__(address, **settings)
        self._replies: WeakKeyDictionary[Any, _Replies] = WeakKeyDictionary()
        """By the loop: threads that gevent does not know of have one each."""

    def _ask(self, request: Request, timeout_s: float | None) -> Any:
        hub = gevent.get_hub()
        replies = self._replies.get(hub)
        if replies is None:
            replies = self._replies[hub] = _Replies()
        timeout_s = self._timeout_s if timeout_s is None else timeout_s
        return replies.ask(self._connection, request, timeout_s)


class _Replies:
    """Answers on their way to the greenlets of one loop."""

    def __init__(self) -> None:
        self._inbox = Inbox()
        self._arrivals: dict[int, AsyncResult] = {}
        self._bell: Any = None
        """What the loop watches the inbox with, while there is something to wait for."""

    def ask(self, connection: Connection, request: Request, timeout_s: float) -> Any:
        ticket = connection.send(request, timeout_s, self._inbox)
        if not self._bell:
            self._bell = gevent.get_hub().loop.io(self._inbox.fileno(), _READABLE)
            self._bell.start(self._deliver)
        arrival = self._arrivals[ticket] = AsyncResult()
        outcome = None
        try:
            outcome = arrival.get()
            if isinstance(outcome, BaseException):
                raise outcome
            return outcome
        finally:
            # The traceback of an error leads here: a cycle that would keep the inputs in memory.
            del arrival, outcome
            # Still there when the greenlet was killed.
            if self._arrivals.pop(ticket, None):
                self._inbox.cancel(ticket)
            if not self._arrivals and self._bell:
                self._bell.close()
                self._bell = None

    def _deliver(self) -> None:
        for ticket, outcome in self._inbox.collect():
            if arrival := self._arrivals.pop(ticket, None):
                arrival.set(outcome)
