"""Asking processes of a stack whether they are ready, and what they have done."""

import http.client
import json
import re
import socket
import ssl
from typing import Final

from slipway.config.project import host_port, reachable
from slipway.errors import ServingError, UnimplementedError
from slipway.servables import State
from slipway.stack.plan import Gateway, Nginx, Plan, Process, Server
from slipway.stack.status import Answer, ModelState

_TIMEOUT_S: Final = 3.0
_COUNTED: Final = re.compile(
    r'slipway_gateway_requests_total\{.*?route="(?P<route>[^"]*)".*\} (?P<count>\S+)'
)
_NOT_COUNTED: Final = {"/healthz", "/readyz", "/metrics"}
"""What watches a stack is not what it is there for."""
_BAD_GATEWAY: Final = {502, 504}


def ask(plan: Plan, process: Process) -> Answer:
    """Return whether a process that runs is ready, and with which models. Raises no error."""
    if isinstance(process, Server):
        return _ask_server(process)
    if isinstance(process, Gateway):
        return _ask_gateway(process)
    if isinstance(process, Nginx):
        return _ask_nginx(plan)
    silent = [host_port(*port) for port in process.ports if not _listens(*port)]
    return Answer(f"{', '.join(silent)} is not open" if silent else "")


def requests_answered(plan: Plan) -> float | None:
    """Return how many requests the gateways have answered; None when none of them tells.

    They count in files of one folder (`Plan.metrics`), so each tells the sum of all.
    """
    for gateway in plan.gateways:
        try:
            status, body = _get(gateway.address, "/metrics")
        except (OSError, http.client.HTTPException):
            continue
        if status == 200:
            found = (_COUNTED.match(line) for line in body.splitlines())
            return sum(
                float(match["count"]) for match in found if match and match["route"] not in
                _NOT_COUNTED
            )  # fmt: skip
    return None


def _ask_server(server: Server) -> Answer:
    # It brings in NumPy and the native library, which other commands do without.
    from slipway.client.client import Client

    try:
        with Client(server.grpc, timeout_s=_TIMEOUT_S) as client:
            models = [
                ModelState(server.name, name, client.status(name)) for name in client.models()
            ]
    except UnimplementedError:
        return Answer()
    except ServingError as error:
        return Answer(f"{error.code.name}: {error}")
    problems = [problem for model in models if (problem := _problem_of(model))]
    return Answer("; ".join(problems), models)


def _problem_of(model: ModelState) -> str:
    if any(version.state is State.AVAILABLE for version in model.versions):
        return ""
    if not model.versions:
        return f"model {model.name} has no version"
    latest = model.versions[0]
    return f"model {model.name} version {latest.version} is {latest.state}" + (
        f": {latest.message}" if latest.message else ""
    )


def _ask_gateway(gateway: Gateway) -> Answer:
    try:
        status, body = _get(gateway.address, "/readyz")
    except (OSError, http.client.HTTPException) as error:
        return Answer(f"{gateway.address} does not answer: {_text(error)}")
    return Answer("" if status == 200 else _error_in(body) or f"/readyz answers {status}")


def _ask_nginx(plan: Plan) -> Answer:
    """Ask nginx for something that it must hand on, once there is somebody to hand it on to.

    It would log a failure each time that it is asked before.
    """
    if plan.gateways and not any(_listens(*port) for one in plan.gateways for port in one.ports):
        return Answer("it waits for a gateway")
    scheme, _, address = plan.url.partition("://")
    try:
        status, _ = _get(address, "/readyz", tls=scheme == "https")
    except (OSError, http.client.HTTPException) as error:
        return Answer(f"{address} does not answer: {_text(error)}")
    if status in _BAD_GATEWAY:
        return Answer(f"it reaches nobody behind it, and answers {status}")
    return Answer()


def _listens(host: str, port: int) -> bool:
    try:
        socket.create_connection((reachable(host), port), _TIMEOUT_S).close()
    except OSError:
        return False
    return True


def _get(address: str, path: str, *, tls: bool = False) -> tuple[int, str]:
    host, _, port = address.rpartition(":")
    host = reachable(host.strip("[]"))
    if tls:
        # Its certificate is for the name by which others call it.
        context = ssl._create_unverified_context()  # noqa: S323
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            host, int(port), timeout=_TIMEOUT_S, context=context
        )
    else:
        connection = http.client.HTTPConnection(host, int(port), timeout=_TIMEOUT_S)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read().decode(errors="replace")
    finally:
        connection.close()


def _error_in(body: str) -> str:
    try:
        return str(json.loads(body)["error"])
    except (ValueError, KeyError, TypeError):
        return ""


def _text(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else "") or str(error) or repr(error)
