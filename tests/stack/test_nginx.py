"""The configuration of nginx: what it says, and that nginx takes it."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from slipway.errors import ConfigError
from slipway.stack.nginx import nginx_config
from tests.support.certificate import make_certificate
from tests.support.nginx import nginx_program, plan_of, write_nginx
from tests.support.ports import free_port

MODEL = '[[models]]\nname = "half"\nbase_path = "half"\n'
ROUTE = '[[gateway.routes]]\nhandler = "handlers:A"\n'


def ports(*, grpc: bool = False) -> str:
    return f"[proxy]\nport = {free_port()}\n" + (f"grpc_port = {free_port()}\n" if grpc else "")


PROJECTS = {
    "one model": MODEL + ports(),
    "a route alone": ROUTE + ports(),
    "replicas": f"{MODEL}[server]\nreplicas = 3\n[gateway]\nreplicas = 2\n{ROUTE}{ports()}",
    "grpc": MODEL + ports(grpc=True),
    "grpc of others": f'[gateway]\nupstreams = ["127.0.0.1:1", "unix:/x"]\n{ROUTE}'
    + ports(grpc=True),
    "tls": f'{MODEL}{ROUTE}{ports(grpc=True)}tls_certificate = "cert.pem"\ntls_key = "key.pem"\n',
    "ipv6": f'{MODEL}[server]\nhost = "::"\n[gateway]\nhost = "::1"\n{ROUTE}{ports()}host = "::1"',
    "all addresses": f'{MODEL}[server]\nhost = "0.0.0.0"\n{ROUTE}{ports()}host = "0.0.0.0"',
    "other machines": ROUTE
    + ports()
    + '[[proxy.gateways]]\naddress = "192.0.2.1:5000"\nweight = 3\n'
    '[[proxy.servers]]\naddress = "[2001:db8::1]:8501"\n',
    "no limit of time": f"{MODEL}[server.flags]\nrest_api_timeout_in_ms = 0\n{ports()}",
    "routes asked once": f'{ROUTE}route = "/it\'s/<path:x>/{{2}}$"\nidempotent = false\n{ports()}',
}  # fmt: skip


@pytest.mark.parametrize("name", PROJECTS)
def test_nginx_takes_it(name: str, tmp_path: Path) -> None:
    if "tls" in name:
        make_certificate(tmp_path)
    check(tmp_path, PROJECTS[name])


@pytest.mark.parametrize(
    "name", ["with blanks", 'it\'s "quoted"', "模型 é", "100%", "a;b#c{d}", "back\\slash\\n"]
)
def test_nginx_takes_any_folder(name: str, tmp_path: Path) -> None:
    folder = tmp_path / name
    folder.mkdir()
    make_certificate(folder)
    check(folder, PROJECTS["tls"] + f'[stack]\nlog_folder = "{name[:1]} logs"\n')
    assert (folder / f"{name[:1]} logs" / "access.log").exists()


def check(folder: Path, text: str) -> None:
    """Have nginx test the configuration of a project."""
    nginx_program()
    command = [*write_nginx(plan_of(folder, text)), "-t"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    if os.geteuid() != 0:
        assert "[warn]" not in run.stderr


def test_a_dollar_in_a_path_is_refused(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, f'{MODEL}[stack]\nlog_folder = "/$logs"\n')
    with pytest.raises(ConfigError, match=r"log_folder is /\$logs"):
        nginx_config(plan)


def test_grpc_needs_somebody_who_speaks_it(tmp_path: Path) -> None:
    text = f'[gateway]\nupstreams = ["http://127.0.0.1:1"]\n{ROUTE}{ports(grpc=True)}'
    with pytest.raises(ConfigError, match="no model server that speaks gRPC"):
        nginx_config(plan_of(tmp_path, text))


def test_timeouts_fit_the_routes(tmp_path: Path) -> None:
    text = nginx_config(
        plan_of(
            tmp_path,
            f"{MODEL}[server.flags]\nrest_api_timeout_in_ms = 90500\n"
            f"[gateway]\ntimeout_s = 7.5\n{ROUTE}timeout_s = 20\n",
        )
    )
    # Each waits longer than who answers, who gives up first and says why.
    assert "    proxy_read_timeout 25s;" in text
    assert "    proxy_read_timeout 96s;" in text
    assert "worker_shutdown_timeout 101s;" in text


def test_times_are_those_of_the_file(tmp_path: Path) -> None:
    times = {
        "header_timeout_s": (1.5, "client_header_timeout 1500ms;"),
        "body_timeout_s": (2, "client_body_timeout 2s;"),
        "send_timeout_s": (3, "send_timeout 3s;"),
        "keepalive_timeout_s": (4, "    keepalive_timeout 4s;"),
        "connect_timeout_s": (0.1, "proxy_connect_timeout 100ms;"),
        "upstream_keepalive_timeout_s": (6, "keepalive_timeout 6s;"),
        "rest_read_timeout_s": (700, "proxy_read_timeout 700s;"),
        "grpc_read_timeout_s": (8, "grpc_read_timeout 8s;"),
    }
    keys = "".join(f"{key} = {value}\n" for key, (value, _) in times.items())
    text = nginx_config(plan_of(tmp_path, MODEL + ports(grpc=True) + keys))
    assert [line for _, line in times.values() if line not in text] == []
    assert "grpc_connect_timeout 100ms;" in text
    # Requests under way may take as long when it ends.
    assert "worker_shutdown_timeout 705s;" in text
    check(tmp_path, MODEL + ports(grpc=True) + keys)


@pytest.mark.parametrize("read_s", [0.1, 0.5, 1, 2, 60])
def test_who_has_waited_in_vain_is_never_sent_elsewhere(tmp_path: Path, read_s: float) -> None:
    text = nginx_config(plan_of(tmp_path, f"{MODEL}[proxy]\nrest_read_timeout_s = {read_s}"))
    found = re.search(r"proxy_next_upstream_timeout (\d+)(m?)s;", text)
    assert found
    # 0 would be for ever.
    assert 0 < int(found[1]) / (1000 if found[2] else 1) < read_s


def test_the_largest_body_is_the_gateway_s_unless_the_proxy_has_its_own(tmp_path: Path) -> None:
    text = f"[gateway]\nmax_body_bytes = 1234\n{ROUTE}"
    assert "client_max_body_size 1234;" in nginx_config(plan_of(tmp_path, text))
    text += "[proxy]\nmax_body_bytes = 99\n"
    assert "client_max_body_size 99;" in nginx_config(plan_of(tmp_path, text))


def test_workers_are_of_the_user_where_root_starts_it(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, MODEL)
    assert "\nuser " not in nginx_config(plan)
    assert "\nuser www-data www-data;\n" in nginx_config(plan, user="www-data")


def test_weights_are_given_to_other_machines(tmp_path: Path) -> None:
    text = nginx_config(plan_of(tmp_path, PROJECTS["other machines"]))
    assert "server 192.0.2.1:5000 weight=3 max_fails=3 fail_timeout=5s;" in text
    assert "server [2001:db8::1]:8501 weight=1 max_fails=3 fail_timeout=5s;" in text
