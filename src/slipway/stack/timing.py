"""How long the parts of a stack wait for each other, in seconds.

Who asks waits longer than who answers: so it is the part that knows most that gives up first, and
says why. Whole seconds where the configuration of a part takes no others.
"""

from math import ceil
from typing import Any, Final

from slipway.config.options import ServeOptions
from slipway.config.project import GatewaySection, Project

_MARGIN_S: Final = 5
"""For what is not counted by who answers: sending both ways, and waiting for a free thread."""
_NO_LIMIT_S: Final = 3600
"""In place of no limit, so that connections to what has vanished are given up some day."""


def gateway_read_s(section: GatewaySection) -> int:
    """Return how long nginx waits for a gateway."""
    return ceil(section.longest_request_s) + _MARGIN_S


def rest_read_s(project: Project) -> float:
    """Return how long nginx waits for the REST API of a model server."""
    if given := project.proxy.rest_read_timeout_s:
        return given
    limit_s = rest_limit_s(project)
    return ceil(limit_s) + _MARGIN_S if limit_s > 0 else _NO_LIMIT_S


def rest_limit_s(project: Project) -> float:
    """Return how long a model server takes for an answer over REST at most; 0 for no limit."""
    return max(float(_flag(project, "rest_api_timeout_in_ms")), 0) / 1000


def server_idle_s(project: Project) -> float:
    """Return how long a model server keeps idle connections."""
    return float(_flag(project, "idle_timeout_s"))


def retry_s(read_s: float) -> float:
    """Return how long after a request another server may be asked, where each has `read_s`.

    Who has waited for one in vain is not sent to another one.
    """
    return max(read_s - 1, read_s / 2)


def nginx_grace_s(project: Project) -> int:
    """Return how long nginx may take to finish the requests under way."""
    reads: list[float] = [gateway_read_s(project.gateway)]
    if (rest := rest_read_s(project)) < _NO_LIMIT_S:
        reads.append(rest)
    return ceil(max(reads)) + _MARGIN_S


def nginx_stop_s(project: Project) -> int:
    """Return how long supervisor waits for nginx to end."""
    return nginx_grace_s(project) + _MARGIN_S


def gateway_stop_s(section: GatewaySection) -> int:
    """Return how long supervisor waits for a gateway to end."""
    return section.grace_s + _MARGIN_S


def server_stop_s(project: Project) -> int:
    """Return how long supervisor waits for a model server to end."""
    return ceil(float(_flag(project, "shutdown_grace_s"))) + _MARGIN_S


def _flag(project: Project, name: str) -> Any:
    default = ServeOptions.model_fields[name].default
    value = project.server.flags.get(name, default)
    # What is no number is refused by who checks the flags.
    return value if _is_number(value) else default


def _is_number(value: object) -> bool:
    try:
        float(str(value))
    except ValueError:
        return False
    return not isinstance(value, bool)
