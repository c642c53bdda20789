"""The configuration of Gunicorn, for one gateway of a stack: a file in Python."""

import pprint
from collections.abc import Iterator
from typing import Any, Final

from slipway.config.gunicorn import Setting, settings_of
from slipway.config.project import host_port
from slipway.stack.plan import Gateway, Plan

_WIDTH: Final = 100


def gunicorn_config(plan: Plan, gateway: Gateway) -> str:
    """Return the configuration. Raises ConfigError for what Gunicorn would refuse."""
    head = (
        f"# {gateway.name} for {_one_line(plan.file)}\n"
        "# Written by slipway up, from that file: changes belong there.\n"
    )
    logging = (
        "from slipway.telemetry.logging import configure_logging\n\n"
        "# Gunicorn says nothing of the loggers of others.\n"
        "configure_logging()\n"
    )
    return "\n".join([head, logging, *(_written(setting) for setting in _settings(plan, gateway))])


def _settings(plan: Plan, gateway: Gateway) -> Iterator[Setting]:
    section = plan.project.gateway
    shared = settings_of(section)
    own = [one for one in _own(plan, gateway) if one.name not in section.gunicorn]
    names = {one.name for one in own}
    yield from own
    yield from (one for one in shared if one.name not in names)


def _own(plan: Plan, gateway: Gateway) -> Iterator[Setting]:
    """Yield what is not the same for every gateway of every project."""
    yield Setting(
        "wsgi_app",
        f"slipway.gateway:create_app({str(plan.file)!r})",
        "The routes of the project.",
    )
    yield Setting("proc_name", gateway.name)
    yield Setting("bind", [host_port(host, port) for host, port in gateway.ports])
    yield Setting("chdir", str(plan.file.parent), "Relative paths in handlers begin at the file.")
    yield Setting(
        "forwarded_allow_ips",
        "127.0.0.1,::1",
        "Who may say that a request came over TLS: nginx, on this machine.",
    )
    # A restart of one gateway after the other would lose nothing either, and let them keep what
    # handlers load in memory once; but it takes two of them, and nginx in front.
    yield Setting(
        "preload_app",
        False,
        "Workers import the handlers, and not the master: so SIGHUP, which slipway reload sends, "
        "has\nnew workers take up new code, and old ones finish their requests.",
    )
    yield (
        Setting("accesslog", None, "nginx writes of each request.")
        if plan.nginx
        else Setting("accesslog", "-", "No nginx stands in front that would write of requests.")
    )


def _written(setting: Setting) -> str:
    reason = "".join(f"# {line}\n" for line in setting.reason.splitlines())
    return f"{reason}{setting.name} = {_literal(setting.value)}\n"


def _literal(value: Any) -> str:
    return pprint.pformat(value, width=_WIDTH, sort_dicts=False)


def _one_line(text: object) -> str:
    return str(text).replace("\n", " ")
