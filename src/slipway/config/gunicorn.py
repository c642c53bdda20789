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

WORKER: Final = "slipway.gateway.worker.GatewayWorker"
KEEPALIVE_S: Final = 75
"""Longer than nginx keeps idle connections, 60 s: who sends requests is to be the one who closes.
The other way about, a request may be on its way when the connection is closed."""
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
    threaded = _is_threaded(given)
    own = [
        Setting(
            "worker_class",
            WORKER,
            "Gunicorn's gthread, whose refusals have the form of the gateway's. Threads wait for "
            "models\nwithout the GIL.",
        ),
        Setting("workers", section.workers, "Decoding and handlers are Python: a process each."),
        Setting("threads", section.threads),
        Setting(
            "preload_app",
            threaded,
            "What handlers load is in memory once, and a handler that cannot be loaded is seen "
            "before\nworkers are forked."
            if threaded
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
            KEEPALIVE_S,
            "Longer than nginx keeps idle connections (60 s): a connection that the gateway closed "
            "first\nmight have a request on its way.",
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
    known = Config().settings
    return [
        *(setting for setting in own if setting.name in known and setting.name not in given),
        *(Setting(name, _passed(name, value)) for name, value in given.items()),
    ]


def mistakes_in(given: Mapping[str, Any]) -> Iterator[tuple[str, Refusal, str]]:
    """Yield the settings that cannot be passed through to Gunicorn, why, and what more is known.

    That is where a setting of ours is set instead, a question for the name that was meant, or what
    Gunicorn says of the value.
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


def _is_threaded(given: Mapping[str, Any]) -> bool:
    return given.get("worker_class", "gthread") in ("gthread", WORKER)


def _passed(name: str, value: Any) -> Any:
    return WORKER if name == "worker_class" and value == "gthread" else value
