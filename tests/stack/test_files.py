"""The files of a stack: checked by who reads them, before they replace the last good ones."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from slipway.config.models import models_of_file
from slipway.errors import ConfigError
from slipway.lifecycle.version_policy import All, Latest, Specific
from slipway.stack.files import nginx_path, render, write_files
from slipway.stack.plan import Plan, make_plan
from tests.support.nginx import nginx_program
from tests.support.ports import free_port

HANDLERS = """
from slipway import Handler

class A(Handler):
    route = "/a"

    def handle(self, predict):
        return 1
"""

Make = Callable[..., Plan]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Makes the plan of a project with a model and a route, and more in its file."""
    port = free_port()

    def project(text: str = "", handlers: str = HANDLERS, route: str = "") -> Plan:
        (tmp_path / "handlers.py").write_text(handlers)
        (tmp_path / "slipway.toml").write_text(
            '[[models]]\nname = "half"\nbase_path = "half"\n'
            f'[[gateway.routes]]\nhandler = "handlers:A"\n{route}'
            f"[gateway]\nport = {free_port()}\n[proxy]\nport = {port}\n{text}"
        )
        return make_plan(tmp_path / "slipway.toml", nginx=nginx_program())

    return project


def test_every_file_of_the_plan_is_written(make: Make) -> None:
    plan = make()
    assert set(write_files(plan)) == set(render(plan))
    assert {path.name for path in plan.run.iterdir() if path.is_file()} >= {
        "gateway-1.conf.py",
        "models.config",
        "nginx.conf",
        "supervisord.conf",
    }
    assert all(path.read_text() == text for path, text in render(plan).items())


def test_nobody_else_may_look_into_the_run_folder(make: Make) -> None:
    plan = make()
    plan.run.mkdir(mode=0o755)
    write_files(plan)
    assert plan.run.stat().st_mode & 0o777 == 0o700
    assert plan.nginx
    assert plan.nginx.config.stat().st_mode & 0o777 == 0o600


def test_what_has_changed_is_told(make: Make) -> None:
    write_files(make())
    assert write_files(make()) == [make().gateways[0].config, make().nginx.config]  # type: ignore[union-attr]
    plan = make("max_body_bytes = 5\n")
    write_files(plan)
    assert write_files(plan) == []


def test_a_file_that_others_may_read_is_written_anew(make: Make) -> None:
    plan = make()
    write_files(plan)
    plan.models_config.chmod(0o644)
    assert list(write_files(plan)) == [plan.models_config]
    assert plan.models_config.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("text", "handlers", "message"),
    [
        (
            "",
            HANDLERS + "import nothing_there",
            "handlers cannot be loaded: .*No module named 'nothing_there'",
        ),
        ('tls_certificate = "no.pem"\ntls_key = "no.pem"\n', HANDLERS, "nginx .*no.pem"),
        ('host = "no.such.host.invalid"\n', HANDLERS, "nginx .*host not found"),
        ('[[proxy.gateways]]\naddress = "a b"\n', HANDLERS, "nginx .*a b"),
    ],
)
def test_what_is_refused_leaves_the_last_files(
    make: Make, text: str, handlers: str, message: str
) -> None:
    plan = make()
    write_files(plan)
    before = {path: path.read_text() for path in render(plan)}
    with pytest.raises(ConfigError, match=message):
        write_files(make(text, handlers))
    assert {path: path.read_text() for path in before} == before
    assert not list(plan.run.glob("candidate-*"))


@pytest.mark.parametrize(
    ("handlers", "route"),
    [
        (HANDLERS.replace("def handle", "idempotent = False\n\n    def handle"), ""),
        ("print('hello')\n" + HANDLERS, "idempotent = false\n"),
    ],
    ids=["handler", "file"],
)
def test_nginx_sends_no_request_twice_of_a_route_that_says_so(
    make: Make, handlers: str, route: str
) -> None:
    plan = make("", handlers, route)
    assert plan.nginx
    assert "location = /a {" in render(plan)[plan.nginx.config]
    plan = make("", HANDLERS, "")
    assert plan.nginx
    assert "location = /a {" not in render(plan)[plan.nginx.config]


def test_supervisor_s_own_message_is_told(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "slipway.stack.files.supervisor_config", lambda *_, **__: "[supervisord]\nminfds=many\n"
    )
    with pytest.raises(ConfigError, match=r"supervisor refuses .*many"):
        write_files(make())


def test_models_are_those_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "slipway.toml").write_text(
        "models = [\n"
        '  { name = "a", base_path = "models/a" },\n'
        '  { name = "b", base_path = "/models/b", versions = 2, labels = { stable = 1 } },\n'
        '  { name = "c", base_path = "../c", versions = "all" },\n'
        '  { name = "d", base_path = "d", versions = [3, 5] },\n'
        "]\n"
    )
    plan = make_plan(tmp_path / "slipway.toml", nginx=None)
    path = tmp_path / "models.config"
    path.write_text(render(plan)[plan.models_config])
    a, b, c, d = models_of_file(path)
    assert (a.base_path, b.base_path) == (tmp_path / "models" / "a", Path("/models/b"))
    assert [model.policy for model in (a, b, c, d)] == [
        Latest(), Latest(2), All(), Specific(frozenset({3, 5})),
    ]  # fmt: skip
    assert b.labels == {"stable": 1}


@pytest.mark.parametrize("versions", ["0", "[]", "[-1]"])
def test_a_model_without_versions_is_refused(tmp_path: Path, versions: str) -> None:
    entry = f'[[models]]\nname = "a"\nbase_path = "a"\nversions = {versions}\n'
    (tmp_path / "slipway.toml").write_text(entry)
    with pytest.raises(ConfigError, match=r"models\[0\].versions: .* asks for no version"):
        render(make_plan(tmp_path / "slipway.toml", nginx=None))


def test_a_model_listed_twice_is_refused(tmp_path: Path) -> None:
    entry = '[[models]]\nname = "a"\nbase_path = "a"\n'
    (tmp_path / "slipway.toml").write_text(entry * 2)
    with pytest.raises(ConfigError, match="Illegal to list model a multiple times"):
        render(make_plan(tmp_path / "slipway.toml", nginx=None))


def test_a_config_of_the_project_s_own_is_left_to_it(tmp_path: Path) -> None:
    (tmp_path / "slipway.toml").write_text('[server]\nmodel_config_file = "own.config"\n')
    plan = make_plan(tmp_path / "slipway.toml", nginx=None)
    assert [path.name for path in render(plan)] == ["supervisord.conf"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_what_root_reads_the_user_cannot_write(tmp_path: Path) -> None:
    (tmp_path / "slipway.toml").write_text(
        '[[models]]\nname = "a"\nbase_path = "a"\n[stack]\nuser = "nobody"\n'
        f"[proxy]\nport = {free_port()}\n"
    )
    plan = make_plan(
        tmp_path / "slipway.toml", nginx=nginx_path() if nginx_path().exists() else None
    )
    write_files(plan)
    for path in (plan.run, plan.nginx_folder, plan.supervisor_config, plan.models_config):
        status = path.stat()
        assert (status.st_uid, status.st_mode & 0o022) == (0, 0)
    assert plan.handlers.stat().st_uid == plan.metrics.stat().st_uid != 0
