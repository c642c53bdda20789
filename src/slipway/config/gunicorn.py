"""The settings of Gunicorn under which a gateway runs, whoever starts it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from math import ceil
from pathlib import Path
from typing import Any, Final

from gunicorn.config import Config

from slipway.config.hints import did_you_mean
from slipway.config.project import GatewaySection
from slipway.errors import ConfigError

THREADS: Final = "slipway.gateway.worker.GatewayWorker"
GREENLETS: Final = "slipway.gateway.greenlet_worker.GreenletWorker"
_OWN: Final[Mapping[str, str]] = {
    "bind": "set host and port in [gateway]",
    "config": "leave it out: what it would hold belongs here",
    "daemon": "leave it out: supervisor keeps the process",
    "threads": "set threads in [gateway]",
    "workers": "set workers in [gateway]",
    "wsgi_app": "leave it out: it is the gateway that is run",
}
"""What `[gateway.gunicorn]` cannot say, and what to do in its place."""
_LONGEST_REQUEST_LINE: Final = 8190
_SHARED_MEMORY: Final = Path("/dev/shm")  # noqa: S108 nothing is opened by a name in it
_LEAST_TIMEOUT_S: Final = 30
_MARGIN_S: Final = 10


class Refusal(Enum):
    """Why a setting cannot be passed through."""

    OWN = auto()
    """It is set elsewhere in slipway.toml, or by what runs the gateway."""
    UNKNOWN = auto()
    VALUE = auto()
    """Gunicorn does not take what it is set to."""
    UNFIT = auto()
    """Gunicorn takes it, and the gateway would not answer."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting of Gunicorn, with the reason that it is not as Gunicorn has it."""

    name: str
    value: Any
    reason: str = ""


def settings_of(section: GatewaySection) -> Sequence[Setting]:
    """Return how Gunicorn is to run a gateway, in the order in which a reader wants to know.

    What `[gateway.gunicorn]` says comes last, and in place of what is said here. Raises ConfigError
    for what Gunicorn does not know or does not take.
    """
    given = section.gunicorn
    _check(given)
    worker, reason = _worker(section)
    own = [
        Setting("worker_class", worker, reason),
        Setting("workers", section.workers, "Decoding and handlers are Python: a process each."),
        Setting("threads", section.threads),
        Setting(
            "preload_app",
            worker == THREADS,
            "What handlers load is in memory once, and a handler that cannot be loaded is seen "
            "before\nworkers are forked."
            if worker == THREADS
            else "Workers of this class replace parts of Python, which must come before handlers.",
        ),
        Setting(
            "timeout",
            max(_LEAST_TIMEOUT_S, ceil(section.longest_request_s) + _MARGIN_S),
            "A worker that says nothing for as long is ended: longer than any request may take.",
        ),
        Setting(
            "graceful_timeout",
            section.grace_s,
            "Requests under way are finished at a reload and at the end.",
        ),
        Setting(
            "keepalive",
            section.idle_s,
            "Longer than nginx keeps idle connections: one that the gateway closed first might "
            "have a request\non its way.",
        ),
        Setting(
            "limit_request_line",
            _LONGEST_REQUEST_LINE,
            "The most that there is: sentences and small images come in the URL.",
        ),
        Setting(
            "max_requests",
            0,
            "Workers do not leak, and are not restarted for it.",
        ),
        Setting(
            "control_socket_disable", True, "A socket in the home folder, which nothing here uses."
        ),
    ]
    if _SHARED_MEMORY.is_dir():
        own.append(
            Setting(
                "worker_tmp_dir",
                str(_SHARED_MEMORY),
                "Workers show that they live by touching a file: in memory, as a busy disk would "
                "stall them.",
            )
        )
    if worker == GREENLETS:
        own = [setting for setting in own if setting.name != "threads"]
    known = Config().settings
    passed = {name: value for name, value in given.items() if name != "worker_class"}
    return [
        *(setting for setting in own if setting.name in known and setting.name not in passed),
        *(Setting(name, value) for name, value in passed.items()),
    ]


def mistakes_in(given: Mapping[str, Any]) -> Iterator[tuple[str, Refusal, str]]:
    """Yield the settings that cannot be passed through to Gunicorn, why, and what more is known.

    That is where a setting of ours is set instead, a question for the name that was meant, what
    Gunicorn says of the value, or why it would not do.
    """
    config = Config()
    for name, value in given.items():
        if name in _OWN:
            yield name, Refusal.OWN, _OWN[name]
        elif name not in config.settings:
            yield name, Refusal.UNKNOWN, did_you_mean(name, config.settings)
        else:
            try:
                config.set(name, value)
            # Its validators raise what they like.
            except Exception as error:
                yield name, Refusal.VALUE, str(error)
    worker = str(given.get("worker_class"))
    if worker == "asgi":
        yield "worker_class", Refusal.UNFIT, "these workers run ASGI apps, and the gateway is WSGI"
    if worker.startswith("gevent") and given.get("preload_app"):
        reason = "gevent must replace parts of Python before handlers are imported"
        yield "preload_app", Refusal.UNFIT, reason


def _check(given: Mapping[str, Any]) -> None:
    for name, refusal, known in mistakes_in(given):
        key = f"gateway.gunicorn.{name}"
        match refusal:
            case Refusal.OWN:
                raise ConfigError(f"{key} cannot be set: {known}")
            case Refusal.UNKNOWN:
                hint = known or "gunicorn --help lists its settings"
                raise ConfigError(f"{key}: Gunicorn has no such setting; {hint}")
            case Refusal.VALUE:
                raise ConfigError(f"{key}: Gunicorn does not take {given[name]!r}: {known}")
            case Refusal.UNFIT:
                raise ConfigError(f"{key} cannot be {given[name]!r}: {known}")


def _worker(section: GatewaySection) -> tuple[Any, str]:
    """Return the class of the workers, and why it is that one."""
    given = section.gunicorn.get("worker_class", "gthread")
    # Gunicorn takes threads for sync too, where there are several.
    if given in ("gthread", THREADS) or (given == "sync" and section.threads > 1):
        return THREADS, (
            "Gunicorn's gthread, whose refusals have the form of the gateway's. Threads wait for "
            "models\nwithout the GIL."
        )
    if given in ("gevent", GREENLETS):
        return GREENLETS, (
            "Gunicorn's gevent, whose refusals have the form of the gateway's. Greenlets wait for "
            "models, as\nmany as there are requests."
        )
    return given, ""
