"""Gunicorn's worker of gevent's greenlets, as a gateway needs it."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import gevent
from gunicorn import util
from gunicorn.http import errors
from gunicorn.workers.ggevent import GeventWorker

from slipway.gateway.draining import LINGER_S
from slipway.gateway.refusals import LONGEST_PAUSE_S, RefusingWorker

_REST_S: Final = 5
"""How long the rest of a body may take that no handler has read, after the answer."""
_REST_READS: Final = 64
_READ_BYTES: Final = 1024


class GreenletWorker(RefusingWorker, GeventWorker):  # type: ignore[misc]
    """Greenlets that answer, a connection each; what is no HTTP request gets JSON too.

    It ends as the worker of threads does (`slipway.gateway.draining`): requests under way are
    answered, and connections that nobody uses hold up nothing.
    """

    alive: bool
    """False once it was told to end."""
    wsgi: Callable[..., Any]

    def init_process(self) -> None:
        self._waits: set[_Wait] = set()
        # Until Gunicorn sets its own, after the patches, the handler of the master would take it.
        signal.signal(signal.SIGTERM, self.handle_exit)
        super().init_process()

    def load_wsgi(self) -> None:
        super().load_wsgi()
        self.wsgi = _reading_in_time(self.wsgi)

    def notify(self) -> None:
        """Show that it lives; called every second, also while it ends."""
        self.tmp.notify()
        if self.ppid != os.getppid():
            # Gunicorn's own would exit at once, and with it the requests under way.
            self.alive = False
        if not self.alive:
            # Who was promised that the connection goes on sends the next request by then.
            for wait in self._waits:
                wait.end_within(LINGER_S)

    @contextmanager
    def timeout_ctx(self) -> Iterator[None]:
        """Bound the wait for a request and its headers, which comes in this block."""
        wait = _Wait(self.cfg.keepalive if self.alive else LINGER_S)
        self._waits.add(wait)
        try:
            with wait.timeout:
                yield
        finally:
            self._waits.discard(wait)
            wait.close()

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> None:
        """Answer a request. Raises StopIteration where no other one may come after it."""
        try:
            super().handle_request(listener_name, req, sock, addr)
        except StopIteration:
            util.close_graceful(sock)
            raise
        if not _has_ended(req.body):
            util.close_graceful(sock)
            raise StopIteration

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        super().handle_error(req, client, addr, exc)
        # What has come meanwhile would have the system throw the answer away.
        util.close_graceful(client)


class _Wait:
    """A bounded wait of the greenlet that makes it, which another one may cut short.

    A timeout of gevent's own can be begun by the greenlet alone that it is to end.
    """

    def __init__(self, seconds: float) -> None:
        self.timeout = gevent.Timeout(None, False)
        """Ends the block that it is used in, quietly."""
        self._greenlet = gevent.getcurrent()
        self._is_short = False
        self._begin(seconds)

    def end_within(self, seconds: float) -> None:
        if not self._is_short:
            self._is_short = True
            self.close()
            self._begin(seconds)

    def close(self) -> None:
        self._timer.close()

    def _begin(self, seconds: float) -> None:
        self._timer = gevent.get_hub().loop.timer(seconds)
        self._timer.start(self._greenlet.throw, self.timeout)


def _reading_in_time(app: Callable[..., Any]) -> Callable[..., Any]:
    """Return an app that waits for the rest of a body no longer than a client may pause.

    An answer is sent after it has returned, in as much time as the client takes.
    """

    def reading(environ: dict[str, Any], start_response: Any) -> Any:
        sock = environ["gunicorn.socket"]
        sock.settimeout(LONGEST_PAUSE_S)
        try:
            return app(environ, start_response)
        finally:
            sock.settimeout(None)

    return reading


def _has_ended(body: Any) -> bool:
    """Read what is left of a body, if that is little; return whether it is at its end."""
    with suppress(OSError, errors.ParseException), gevent.Timeout(_REST_S, False):
        return any(not body.read(_READ_BYTES) for _ in range(_REST_READS))
    return False
