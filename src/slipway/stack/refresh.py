"""Having a process take up its configuration and its code while it goes on answering.

Each kind has its own way, and none of them closes a socket that somebody may be about to connect
to:

- a model server is told the models that it is to serve; those that it is to serve no more it keeps
  until the gateways have been reloaded too (`drop_old_models`): their routes may ask for them;
- Gunicorn, on SIGHUP, starts workers that read the configuration and import the handlers anew,
  and lets the old ones finish. What connects meanwhile waits in the queue of the socket, which
  master and workers share. A master that has loaded the handlers itself (`preload_app`) would
  give the old ones to its new workers: it is restarted;
- nginx, on SIGHUP, does the same with its workers, and keeps the old ones when its configuration is
  wrong.
"""

import signal
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from slipway.errors import ServingError, SlipwayError
from slipway.stack.plan import Gateway, Nginx, Plan, Process, Server
from slipway.stack.processes import children
from slipway.stack.supervisord import Supervisord

if TYPE_CHECKING:
    from slipway.client.client import Client

_POLL_S: Final = 0.02


class RefreshError(SlipwayError):
    """A process has not taken up its configuration."""


def refresh(
    plan: Plan, process: Process, pid: int, supervisord: Supervisord, timeout_s: float
) -> bool:
    """Have a process that runs take up its files; return when it has. Raises SlipwayError.

    Returns False where only a restart would do that.
    """
    if isinstance(process, Server):
        _reload_models(plan, process, timeout_s, keeps_old=True)
    elif isinstance(process, Gateway):
        if plan.project.gateway.gunicorn.get("preload_app"):
            return False
        before = children(pid)
        supervisord.signal_program(process.name, signal.SIGHUP)
        # A worker that is not among the old ones, and none of those: whatever answers is new.
        _wait_until(lambda: _are_replaced(before, children(pid)), process, timeout_s)
    elif isinstance(process, Nginx):
        before = children(pid)
        supervisord.signal_program(process.name, signal.SIGHUP)
        # Old workers stay for as long as their last request takes.
        _wait_until(lambda: bool(children(pid) - before), process, timeout_s)
    return True


def drop_old_models(plan: Plan, server: Server, timeout_s: float) -> None:
    """Have a server serve the models that it is to serve, and no others. Raises RefreshError."""
    _reload_models(plan, server, timeout_s, keeps_old=False)


def _reload_models(plan: Plan, server: Server, timeout_s: float, *, keeps_old: bool) -> None:
    from slipway.client.client import Client

    try:
        with Client(server.grpc, timeout_s=timeout_s) as client:
            text = plan.models_config.read_text()
            client.reload(_with_old_models(text, plan, client) if keeps_old else text)
    except ServingError as error:
        raise RefreshError(
            f"{server.name} has not taken up {plan.models_config}: {error.code.name}: {error}"
        ) from error


def _with_old_models(text: str, plan: Plan, client: "Client") -> str:
    """Return a ModelServerConfig with what a server serves now and would not by `text`."""
    from slipway.config.models import models_of_file, read_models
    from slipway.config.text import write_models

    new = models_of_file(plan.models_config)
    names = {model.name for model in new}
    old = [model for model in read_models(client.configuration(), None) if model.name not in names]
    return write_models([*new, *old]) if old else text


def _are_replaced(before: set[int], now: set[int]) -> bool:
    return bool(now) and not before & now


def _wait_until(condition: Callable[[], bool], process: Process, timeout_s: float) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > end:
            raise RefreshError(
                f"{process.name} still has its old workers after {timeout_s:g} s: its log says why"
            )
        time.sleep(_POLL_S)
