"""Whether what a project starts can listen where it is to."""

import errno
import shlex
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from slipway.config.project_file import Key
from slipway.stack.finding import Finding
from slipway.stack.machine import Machine
from slipway.stack.plan import Plan
from slipway.stack.ports import Holder

_HIGHEST = 65535
_EVERY_ADDRESS = {"0.0.0.0", "::", ""}  # noqa: S104 looked for, not listened on


@dataclass(frozen=True, slots=True)
class _Listener:
    """A port that a process of the plan opens, and the key that says so."""

    key: Key
    name: str
    host: str
    port: int

    def collides(self, other: "_Listener") -> bool:
        hosts = {self.host, other.host}
        return self.port == other.port and (len(hosts) == 1 or not hosts.isdisjoint(_EVERY_ADDRESS))


def check_ports(plan: Plan, machine: Machine, own_pids: Collection[int]) -> Iterator[Finding]:
    """Yield the ports that cannot be opened, and by whom they are taken.

    What processes of `own_pids` hold is not taken: they are the stack's own.
    """
    listeners = _listeners(plan)
    taken: set[tuple[str, int]] = set()
    for index, listener in enumerate(listeners):
        if listener.port > _HIGHEST:
            yield Finding(
                listener.key,
                f"{listener.name} would listen on port {listener.port}, and the last is {_HIGHEST}",
                "begin with a lower port, or run fewer replicas",
            )
            continue
        if not listener.port:
            yield Finding(
                listener.key,
                "any free port will not do here: others must know it",
                "set one from 1",
            )
            continue
        if other := next(filter(listener.collides, listeners[:index]), None):
            yield Finding(
                listener.key,
                f"{listener.name} would listen on port {listener.port}, and so would {other.name}",
                "give each a port of its own; replicas count on from the one that is set",
            )
            continue
        if (listener.host, listener.port) not in taken:
            taken.add((listener.host, listener.port))
            yield from _check_port(listener, machine, own_pids)


def _check_port(
    listener: _Listener, machine: Machine, own_pids: Collection[int]
) -> Iterator[Finding]:
    host, port, key = listener.host, listener.port, listener.key
    error = machine.bind_error(host, port)
    if error is None:
        return
    if error.errno == errno.EADDRINUSE:
        holders = machine.holders_of(port)
        if any(holder.pid in own_pids for holder in holders):
            return
        taken, remedy = _holder(port, holders, machine)
        yield Finding(
            key,
            f"port {port}, which {listener.name} is to listen on, is taken by {taken}",
            f"{remedy}; or set another port",
        )
    elif error.errno == errno.EACCES:
        yield Finding(
            key,
            f"port {port} is for root alone",
            "set one from 1024, or allow it: sudo sysctl net.ipv4.ip_unprivileged_port_start=80",
        )
    else:
        yield Finding(
            (*key[:-1], "host"),
            f"{listener.name} cannot listen on {host}: {error.strerror}",
            "take an address of this machine: 127.0.0.1, or 0.0.0.0 for all",
        )


def _holder(port: int, holders: Sequence[Holder], machine: Machine) -> tuple[str, str]:
    """Return who has a port, and what would free it."""
    if not holders:
        users = " and ".join(machine.users_of(port)) or "another user"
        return f"a process of {users}", f"see which: sudo ss -ltnp 'sport = :{port}'"
    first = holders[0]
    taken = f"process {first.pid} ({first.command})"
    if stack := machine.stack_of(first.pid):
        # It would be started again.
        down = shlex.join(["slipway", "down", f"--config={stack}"])
        return f"{taken} of the stack of {stack}", f"end that: {down}"
    return taken, f"end it: kill {first.pid}"


def _listeners(plan: Plan) -> list[_Listener]:
    project = plan.project
    found: list[_Listener] = []
    for number, server in enumerate(plan.servers):
        grpc, rest = project.server.ports_of(number)
        host = project.server.host
        found.append(_Listener(("server", "port"), server.name, host, grpc))
        found.append(_Listener(("server", "rest_api_port"), server.name, host, rest))
    for number, gateway in enumerate(plan.gateways):
        # 0 stays 0: it means any.
        port = project.gateway.port + number if project.gateway.port else 0
        found.append(_Listener(("gateway", "port"), gateway.name, project.gateway.host, port))
    if plan.nginx:
        proxy = project.proxy
        found.append(_Listener(("proxy", "port"), "nginx", proxy.host, proxy.port))
        if proxy.grpc_port is not None:
            found.append(_Listener(("proxy", "grpc_port"), "nginx", proxy.host, proxy.grpc_port))
    return found
