"""How a worker of Gunicorn ends without losing a request."""

import time
from typing import Any, Final

from gunicorn.workers.gthread import ThreadWorker

LINGER_S: Final = 1.0
"""A client that uses its connection sends its next request by then, and is told to close it."""
_TURN_S: Final = 0.1


class DrainingWorker(ThreadWorker):  # type: ignore[misc]
    """Gunicorn's threaded worker, which ends sooner and more politely.

    Gunicorn's own, told to end by a reload or a stop, closes connections whose clients it has just
    promised to keep them, and which may have sent their next request; and it waits for idle ones
    as long as clients keep them, which a proxy does for a minute. Meanwhile it holds a socket that
    it takes nothing from any more.

    The methods are those of Gunicorn 26; what an older version does not have it does not call.
    """

    alive: bool
    """False once it was told to end."""

    def set_accept_enabled(self, enabled: bool) -> None:
        super().set_accept_enabled(enabled)
        if not self.alive:
            # At a reload the master and the new workers have it too. At a stop nobody has, and who
            # waits there learns at once that it must ask somebody else.
            for listener in self.sockets:
                listener.close()

    def finish_request(self, *arguments: Any) -> None:
        if self.alive:
            super().finish_request(*arguments)
            return
        # Answers that are begun now tell the client to close. One that was begun before has said
        # that there may be another request: it is waited for.
        self.alive = True
        try:
            super().finish_request(*arguments)
        finally:
            self.alive = False

    def murder_keepalived(self) -> None:
        if not self.alive:
            end = time.monotonic() + LINGER_S
            for name in ("keepalived_conns", "pending_conns"):
                for connection in getattr(self, name, ()):
                    connection.timeout = min(connection.timeout, end)
        super().murder_keepalived()

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        # Else it would look at its connections only when one of them does something.
        super().wait_for_and_dispatch_events(timeout if self.alive else min(timeout, _TURN_S))
