"""nginx with a rendered configuration, and upstreams that a test can reason about."""

import json
import os
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import create_connection
from types import TracebackType
from typing import Any, Self

import pytest

from slipway.stack.files import nginx_path
from slipway.stack.nginx import ProxiedRoute, nginx_config
from slipway.stack.plan import Gateway, Plan, Server, make_plan
from tests.support.ports import free_port
from tests.support.waiting import wait_until


def nginx_program() -> Path:
    """Return nginx; skip the test where there is none."""
    program = nginx_path()
    if not program.exists():
        pytest.skip("nginx is not installed")
    return program


def plan_of(
    folder: Path,
    text: str,
    *,
    gateways: Sequence[str] = (),
    servers: Sequence["str | Server"] = (),
) -> Plan:
    """Return the plan of a project, with gateways and REST servers at other addresses."""
    file = folder / "slipway.toml"
    file.write_text(text)
    plan = make_plan(file, nginx=nginx_path())
    return replace(
        plan,
        gateways=[Gateway(name=address, command=[], address=address) for address in gateways]
        or plan.gateways,
        servers=[
            Server(name=server, command=[], rest=server) if isinstance(server, str) else server
            for server in servers
        ]
        or plan.servers,
    )


def write_nginx(plan: Plan) -> list[str]:
    """Write the configuration alone; return the command that runs nginx with it."""
    assert plan.nginx
    for folder in (plan.run, plan.nginx_folder, plan.logs):
        folder.mkdir(parents=True, exist_ok=True)
    # Workers of root's are nobody's by default, who may not look into the folders of tests.
    user = "root" if os.geteuid() == 0 else None
    plan.nginx.config.write_text(nginx_config(plan, routes_of_file(plan), user=user))
    return list(plan.nginx.command)


def routes_of_file(plan: Plan) -> list[ProxiedRoute]:
    """Return the routes with a path in slipway.toml, whose handlers need not be there."""
    return [
        ProxiedRoute(one.route, one.methods or ["GET", "POST"], one.idempotent is not False)
        for one in plan.project.gateway.routes
        if one.route
    ]


@contextmanager
def running_nginx(plan: Plan) -> Iterator[str]:
    """Run nginx for a plan; yield host:port of its first port."""
    nginx_program()
    command = write_nginx(plan)
    assert plan.nginx
    log = plan.logs / "nginx.log"
    with log.open("w") as file, subprocess.Popen(command, stderr=file) as process:
        try:
            ports = plan.nginx.ports
            wait_until(lambda: all(map(_is_open, ports)), f"nginx: {log.read_text()}")
            host, port = plan.nginx.ports[0]
            yield f"{host}:{port}"
        finally:
            process.terminate()


def _is_open(address: tuple[str, int]) -> bool:
    try:
        create_connection(address, 1).close()
    except OSError:
        return False
    return True


class Upstream:
    """A server that answers every request with what it got, or as it is told to.

    `status` is what it answers with. One that dies reads the request, and closes the connection.
    """

    def __init__(self, *, status: int = 200, dies: bool = False) -> None:
        self.status = status
        self.dies = dies
        self.requests: list[dict[str, Any]] = []
        """Of each: method, path, headers by lower-case names, and the port that it came from."""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._server.server_address[1]}"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        upstream = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                request = {
                    "method": self.command,
                    "path": self.path,
                    "headers": {name.lower(): text for name, text in self.headers.items()},
                    "port": self.client_address[1],
                }
                upstream.requests.append(request)
                if upstream.dies:
                    self.close_connection = True
                    return
                body = json.dumps(request).encode()
                self.send_response(upstream.status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.send_header("X-Request-ID", "of the upstream")
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_PUT = answer  # noqa: N815

            def log_message(self, *_: Any) -> None:
                pass

        return Handler

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.daemon_threads = True
        self._server.socket.close()


def dead_address() -> str:
    """Return an address at which nobody listens."""
    return f"127.0.0.1:{free_port()}"
