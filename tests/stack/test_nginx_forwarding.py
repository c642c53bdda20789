"""nginx with a rendered configuration, in front of upstreams of the test's own."""

import json
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.certificate import make_certificate
from tests.support.nginx import Upstream, dead_address, plan_of, running_nginx
from tests.support.ports import free_port
from tests.support.rest import Reply, ask
from tests.support.waiting import wait_until

MAX_BODY_BYTES = 1000
ROUTE = '[[gateway.routes]]\nhandler = "handlers:A"\nroute = "/a"\n'

Start = Callable[..., str]


def project(text: str = ROUTE) -> str:
    return f"{text}\n[proxy]\nport = {free_port()}\nmax_body_bytes = {MAX_BODY_BYTES}\n"


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts nginx for a project and upstreams; returns its address."""
    with ExitStack() as stack:

        def begin(
            *gateways: Upstream | str, rest: Upstream | None = None, text: str = ROUTE
        ) -> str:
            addresses = [one if isinstance(one, str) else one.address for one in gateways]
            plan = plan_of(
                tmp_path,
                project(text),
                gateways=addresses,
                servers=[rest.address] if rest else [],
            )
            return stack.enter_context(running_nginx(plan))

        yield begin


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream() as found:
        yield found


def test_connections_to_upstreams_are_kept(start: Start, upstream: Upstream) -> None:
    nginx = start(upstream)
    ports = {ask(nginx, "POST", "/a", b"{}").json["port"] for _ in range(20)}
    # A worker process has connections of its own.
    assert len(ports) < 20
    assert all("connection" not in request["headers"] for request in upstream.requests)


def test_a_post_goes_to_another_gateway_when_one_dies_on_it(start: Start) -> None:
    with Upstream(dies=True) as dying, Upstream() as good:
        nginx = start(dying, good)
        statuses = {ask(nginx, "POST", "/a", b"{}").status for _ in range(20)}
        assert statuses == {200}
        assert dying.requests


def test_a_gateway_that_is_gone_is_not_noticed(start: Start, upstream: Upstream) -> None:
    nginx = start(dead_address(), upstream)
    assert {ask(nginx, "POST", "/a", b"{}").status for _ in range(30)} == {200}


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_is_not_idempotent_is_sent_once(start: Start, method: str) -> None:
    with Upstream(dies=True) as one, Upstream(dies=True) as other:
        nginx = start(one, other, text=f"{ROUTE}idempotent = false")
        assert ask(nginx, method, "/a", b"{}").status == 502
        assert len(one.requests + other.requests) == 1


def test_a_post_that_is_not_idempotent_is_sent_where_it_can_be(
    start: Start, upstream: Upstream
) -> None:
    nginx = start(dead_address(), upstream, text=f'{ROUTE}idempotent = false\nmethods = ["POST"]')
    assert {ask(nginx, "POST", "/a", b"{}").status for _ in range(8)} == {200}


def test_paths_with_variables_are_known_as_not_idempotent(start: Start) -> None:
    text = f"{ROUTE.replace('/a', '/users/<int:user>/pay.now')}idempotent = false"
    with Upstream(dies=True) as one, Upstream(dies=True) as other:
        nginx = start(one, other, text=text)
        assert ask(nginx, "POST", "/users/7/pay.now", b"{}").status == 502
        assert len(one.requests + other.requests) == 1
        # A dot is one, and nothing else.
        assert ask(nginx, "POST", "/users/7/payXnow", b"{}").status == 502
        assert len(one.requests + other.requests) == 3


def test_a_gateway_without_models_is_not_taken_for_a_broken_one(start: Start) -> None:
    with Upstream(status=503) as one, Upstream(status=503) as other:
        nginx = start(one, other)
        replies = [ask(nginx, "POST", "/a", b"{}") for _ in range(30)]
        # Each answer is a gateway's own, and no gateway was left out.
        assert all(reply.status == 503 and "port" in reply.json for reply in replies)
        assert len(one.requests + other.requests) == 30
        assert one.requests
        assert other.requests


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status", "error"),
    [
        ("POST", "/a", b"x" * (MAX_BODY_BYTES + 1), {}, 413, f"{MAX_BODY_BYTES} bytes"),
        ("GET", f"/a?{'x' * 9000}", None, {}, 414, "by POST"),
        ("GET", "/a", None, {f"X-{n}": "x" * 8000 for n in range(5)}, 431, "headers"),
        ("PUT", "/v1/models/half", b"{}", {}, 405, "method"),
        ("DELETE", "/v1/models/half:predict", None, {}, 405, "method"),
    ],
)
def test_what_nginx_refuses_has_the_form_of_the_gateway(
    start: Start,
    upstream: Upstream,
    method: str,
    path: str,
    body: bytes | None,
    headers: dict[str, str],
    status: int,
    error: str,
) -> None:
    nginx = start(upstream, rest=upstream)
    reply = ask(nginx, method, path, body, headers)
    assert_problem(reply, status, error)
    assert not upstream.requests


def assert_problem(reply: Reply, status: int, error: str) -> None:
    assert reply.status == status
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["x-request-id"]
    assert reply.json["status"] == -1
    assert error in reply.error


def test_who_finds_nobody_is_told_when_to_try_again(start: Start) -> None:
    reply = ask(start(dead_address(), dead_address()), "POST", "/a", b"{}")
    assert_problem(reply, 502, "try again")
    assert reply.headers["retry-after"] == "1"


def test_what_is_no_http_is_refused_in_json(start: Start, upstream: Upstream) -> None:
    host, port = start(upstream).split(":")
    with socket.create_connection((host, int(port)), 10) as connection:
        connection.sendall(b"NONSENSE\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(4096), b""))
    assert b'{"status":-1,"error":"this is no HTTP request' in answer


def test_without_a_gateway_only_models_are_answered_for(start: Start, upstream: Upstream) -> None:
    nginx = start(rest=upstream, text='models = [{ name = "half", base_path = "half" }]')
    assert ask(nginx, "POST", "/v1/models/half:predict", b"{}").status == 200
    assert ask(nginx, "GET", "/healthz").json == {"status": 0}
    assert_problem(ask(nginx, "GET", "/a"), 404, "no such path")
    assert_problem(ask(nginx, "GET", "/monitoring/prometheus/metrics"), 404, "no such path")


def test_the_rest_api_goes_to_the_model_servers(start: Start, upstream: Upstream) -> None:
    with Upstream() as rest:
        nginx = start(upstream, rest=rest)
        path = "/v1/models/a%2Fb/labels/x%20y:predict"
        assert ask(nginx, "POST", path, b"{}").json["path"] == path
        assert ask(nginx, "GET", "/v1/models/half/metadata").status == 200
        assert len(rest.requests) == 2
        # What leaves the API is not theirs.
        ask(nginx, "GET", "/v1/models/../../monitoring")
        ask(nginx, "GET", "/v1/models/..%2f../monitoring")
        assert len(rest.requests) == 2


PAGES = ["/metrics", "/openapi.json", "/try", "/try.js", "/try_fields.js"]


@pytest.mark.parametrize("page", [*PAGES, "//metrics", "/%6detrics", "/a/../metrics"])
def test_pages_of_operators_are_closed_to_who_comes_from_elsewhere(
    start: Start, upstream: Upstream, page: str
) -> None:
    nginx = start(upstream)
    assert ask(nginx, "GET", page).status == 200
    for header in ("X-Forwarded-For", "X-Real-IP", "Forwarded"):
        reply = ask(nginx, "GET", page, headers={header: "192.0.2.1"})
        assert_problem(reply, 403, "open_pages")
    assert len(upstream.requests) == 1


def test_pages_of_operators_can_be_opened(start: Start, upstream: Upstream) -> None:
    nginx = start(upstream, text=f"[gateway]\nopen_pages = true\n{ROUTE}")
    reply = ask(nginx, "GET", "/metrics", headers={"X-Forwarded-For": "192.0.2.1"})
    assert reply.status == 200


@pytest.mark.parametrize("page", ["/healthz", "/readyz"])
def test_health_is_open(start: Start, upstream: Upstream, page: str) -> None:
    reply = ask(start(upstream), "GET", page, headers={"X-Forwarded-For": "192.0.2.1"})
    assert reply.status == 200


def test_what_a_caller_says_of_itself_is_written_over(start: Start, upstream: Upstream) -> None:
    nginx = start(upstream)
    said = {
        "X-Forwarded-For": "192.0.2.1, 127.0.0.1",
        "X-Real-IP": "192.0.2.1",
        "X-Forwarded-Proto": "https",
        "Host": "models.example:81",
    }
    headers = ask(nginx, "POST", "/a", b"{}", said).json["headers"]
    assert headers["x-forwarded-for"] == "127.0.0.1"
    assert headers["x-real-ip"] == "127.0.0.1"
    assert headers["x-forwarded-proto"] == "http"
    assert headers["host"] == "models.example:81"


@pytest.mark.parametrize(("given", "is_kept"), [("abc-1.2_3", True), ('a"b', False), (None, False)])
def test_each_request_has_one_id(
    start: Start, upstream: Upstream, given: str | None, is_kept: bool
) -> None:
    nginx = start(upstream)
    reply = ask(nginx, "POST", "/a", b"{}", {"X-Request-ID": given} if given else {})
    identity = reply.headers["x-request-id"]
    assert reply.json["headers"]["x-request-id"] == identity
    assert (identity == given) == is_kept
    assert identity != "of the upstream"


def test_the_access_log_has_a_line_of_json_for_each_request(
    start: Start, upstream: Upstream, tmp_path: Path
) -> None:
    nginx = start(upstream)
    ask(nginx, "GET", "/a%22%5C?line=secret", headers={"X-Request-ID": "one"})
    ask(nginx, "GET", f"/a?{'x' * 9000}")
    log = tmp_path / "run" / "logs" / "access.log"
    # Lines of two worker processes come in any order.
    wait_until(lambda: len(log.read_text().splitlines()) == 2, "two lines")
    lines = {line["status"]: line for line in map(json.loads, log.read_text().splitlines())}
    assert lines[200]["id"] == "one"
    assert (lines[200]["method"], lines[200]["path"]) == ("GET", "/a%22%5C")
    assert (lines[200]["upstream"], lines[200]["upstream_status"]) == (upstream.address, "200")
    assert lines[414]["upstream"] == ""
    assert "secret" not in log.read_text()


def test_certificates_are_used(tmp_path: Path, upstream: Upstream) -> None:
    make_certificate(tmp_path)
    text = project() + 'tls_certificate = "cert.pem"\ntls_key = "key.pem"\n'
    plan = plan_of(tmp_path, text, gateways=[upstream.address])
    context = ssl.create_default_context(cafile=tmp_path / "cert.pem")
    with running_nginx(plan) as nginx:
        host, port = nginx.split(":")
        with (
            socket.create_connection((host, int(port)), 10) as plain,
            context.wrap_socket(plain, server_hostname="127.0.0.1") as connection,
        ):
            assert connection.version() == "TLSv1.3"
            connection.sendall(b"GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            answer = b"".join(iter(lambda: connection.recv(4096), b""))
        assert answer.startswith(b"HTTP/1.1 200")
        assert upstream.requests[0]["headers"]["x-forwarded-proto"] == "https"
        assert ask(nginx, "GET", "/a").status == 400
