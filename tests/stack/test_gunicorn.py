"""The configuration of Gunicorn: what it says, and that Gunicorn takes it."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from slipway.config.gunicorn import settings_of
from slipway.config.project import GatewaySection
from slipway.errors import ConfigError
from slipway.stack.gunicorn import gunicorn_config
from slipway.stack.plan import make_plan

ROUTE = '[[gateway.routes]]\nhandler = "handlers:A"\n'
HANDLERS = """
from pathlib import Path
from slipway import Handler

assert Path("slipway.toml").exists(), "it is imported in another folder"

class A(Handler):
    route = "/a"

    def handle(self, predict):
        return 1
"""


def config(folder: Path, text: str = ROUTE, *, nginx: bool = True) -> dict[str, Any]:
    """Return the settings of the first gateway, as Gunicorn reads them."""
    (folder / "slipway.toml").write_text(text)
    plan = make_plan(folder / "slipway.toml", nginx=Path("/usr/sbin/nginx") if nginx else None)
    settings: dict[str, Any] = {}
    exec(gunicorn_config(plan, plan.gateways[0]), settings)
    return settings


@pytest.mark.parametrize(
    "name", ["plain", "with blanks", 'it\'s "quoted": (x)', "模型 é", "100%", "a\\n;b#c{d}$e"]
)
def test_gunicorn_takes_it_in_any_folder(name: str, tmp_path: Path) -> None:
    folder = tmp_path / name
    folder.mkdir()
    (folder / "handlers.py").write_text(HANDLERS)
    (folder / "slipway.toml").write_text(ROUTE)
    plan = make_plan(folder / "slipway.toml", nginx=None)
    plan.run.mkdir()
    gateway = plan.gateways[0]
    gateway.config.write_text(gunicorn_config(plan, gateway))
    command = [*gateway.command, "--check-config"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


def test_timeouts_fit_the_routes(tmp_path: Path) -> None:
    settings = config(tmp_path, f"[gateway]\ntimeout_s = 7.5\n{ROUTE}timeout_s = 40\n")
    # A worker must not be ended for a request that it may still answer.
    assert (settings["graceful_timeout"], settings["timeout"]) == (45, 50)
    assert settings["keepalive"] > 60


def test_requests_are_written_down_once(tmp_path: Path) -> None:
    assert config(tmp_path)["accesslog"] is None
    assert config(tmp_path, nginx=False)["accesslog"] == "-"


def test_each_gateway_has_a_port_and_a_name(tmp_path: Path) -> None:
    (tmp_path / "slipway.toml").write_text(f"[gateway]\nreplicas = 2\nhost = '::1'\n{ROUTE}")
    plan = make_plan(tmp_path / "slipway.toml", nginx=None)
    one, other = (gunicorn_config(plan, gateway) for gateway in plan.gateways)
    assert "bind = ['[::1]:5000']" in one
    assert "bind = ['[::1]:5001']" in other
    assert "proc_name = 'gateway-2'" in other


def test_settings_of_the_project_take_the_place_of_ours(tmp_path: Path) -> None:
    text = f'[gateway.gunicorn]\naccesslog = "x.log"\nkeepalive = 5\nbacklog = 10\n{ROUTE}'
    settings = config(tmp_path, text)
    assert [settings[name] for name in ("accesslog", "keepalive", "backlog")] == ["x.log", 5, 10]


@pytest.mark.parametrize(
    ("given", "worker", "preloads"),
    [
        ({}, "slipway.gateway.worker.GatewayWorker", True),
        ({"worker_class": "gthread"}, "slipway.gateway.worker.GatewayWorker", True),
        ({"worker_class": "sync"}, "slipway.gateway.worker.GatewayWorker", True),
        ({"worker_class": "gevent"}, "slipway.gateway.greenlet_worker.GreenletWorker", False),
        ({"worker_class": "tornado"}, "tornado", False),
        ({"worker_class": "mine:Worker", "preload_app": True}, "mine:Worker", True),
    ],
)
def test_workers_are_threads_unless_others_are_named(
    given: dict[str, Any], worker: str, preloads: bool
) -> None:
    settings = {one.name: one.value for one in settings_of(GatewaySection(gunicorn=given))}
    assert (settings["worker_class"], settings["preload_app"]) == (worker, preloads)
    assert ("threads" in settings) == ("Greenlet" not in worker)


def test_one_thread_and_sync_is_what_gunicorn_takes_it_for() -> None:
    section = GatewaySection(threads=1, gunicorn={"worker_class": "sync"})
    settings = {one.name: one.value for one in settings_of(section)}
    assert (settings["worker_class"], settings["threads"]) == ("sync", 1)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"keepalife": 1}, "gateway.gunicorn.keepalife: .* did you mean keepalive"),
        ({"keepalive": -1}, "gateway.gunicorn.keepalive: .* does not take -1"),
        ({"limit_request_line": "long"}, "does not take 'long'"),
        ({"bind": "0.0.0.0:80"}, r"set host and port in \[gateway\]"),
        ({"wsgi_app": "x:y"}, "cannot be set"),
        ({"worker_class": "asgi"}, "worker_class cannot be 'asgi': .* the gateway is WSGI"),
        ({"worker_class": "gevent", "preload_app": True}, "preload_app cannot be True: gevent"),
    ],
)
def test_what_gunicorn_would_refuse_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        settings_of(GatewaySection(gunicorn=given))
