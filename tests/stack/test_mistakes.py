"""Mistakes in slipway.toml: each is found before anything starts, with its line and a remedy."""

import errno
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import slipway.stack.checks
from slipway import models
from slipway.config.project_file import mistakes_of
from slipway.stack.access import barrier, find_account
from slipway.stack.checks import check
from slipway.stack.plan import make_plan
from slipway.stack.ports import Holder, bind_error, command_of, family_of, holders_of, users_of
from slipway.stack.supervisord import LONGEST_SOCKET_PATH
from tests.support.machines import INSTALLED, NGINX, make_machine

HANDLERS = """
from slipway.gateway import handler

@handler("/one")
def one(x: float) -> float:
    return x
"""
MODEL = '[[models]]\nname = "sentiment"\nbase_path = "models/sentiment"\n'
ROUTE = '[[gateway.routes]]\nhandler = "handlers:one"\n'
GOOD = f"""
{MODEL}
[server]
replicas = 2
flags = {{ max_json_depth = 30, enable_model_warmup = false }}

[gateway]
replicas = 2
{ROUTE}
[proxy]
grpc_port = 9000
"""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a project without its slipway.toml."""
    folder = tmp_path_factory.mktemp("template")
    shutil.copytree(models.path_of("sentiment"), folder / "models" / "sentiment")
    (folder / "models" / "empty").mkdir()
    (folder / "models" / "torn" / "1").mkdir(parents=True)
    shutil.copytree(models.path_of("sentiment") / "1", folder / "models" / "flat")
    (folder / "closed").mkdir(mode=0o700)
    (folder / "closed" / "1").mkdir()
    (folder / "handlers.py").write_text(HANDLERS)
    (folder / "broken.py").write_text("def one(:\n")
    (folder / "good.config").write_text(config_of(folder / "models" / "sentiment"))
    (folder / "far.config").write_text(config_of(folder / "nowhere"))
    (folder / "bad.config").write_text("model_config_list {\n  confg { }\n}")
    (folder / "empty.config").write_text("")
    for name in ("one", "two"):
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=x",
             "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.pem"],
            check=True, capture_output=True,
        )  # fmt: skip
    subprocess.run(
        ["openssl", "pkey", "-in", folder / "one.key", "-aes256", "-passout", "pass:secret",
         "-out", folder / "locked.key"],
        check=True, capture_output=True,
    )  # fmt: skip
    return folder


def config_of(base_path: Path) -> str:
    return (
        f'model_config_list {{ config {{ name: "a" base_path: "{base_path}" '
        'model_platform: "tensorflow" } }'
    )


@pytest.fixture
def folder(template: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(template, tmp_path / "project"))


def complaints(folder: Path, text: str, machine: Mapping[str, Any] | None = None) -> list[str]:
    """Return what is said of a slipway.toml before anything is started."""
    path = folder / "slipway.toml"
    path.write_text(text)
    if mistakes := mistakes_of(path):
        return [mistake.removeprefix(f"{folder}/") for mistake in mistakes]
    host = make_machine(**(machine or {}))
    plan = make_plan(path, nginx=host.nginx.path if host.nginx else None)
    return [str(finding) for finding in check(plan, host)]


def test_nothing_is_said_of_a_project_that_is_right(folder: Path) -> None:
    assert complaints(folder, GOOD) == []


def tls(certificate: str, key: str) -> str:
    return MODEL + f'[proxy]\ntls_certificate = "{certificate}"\ntls_key = "{key}"'


def flag(line: str) -> str:
    return MODEL + f"[server.flags]\n{line}"


def gunicorn(line: str) -> str:
    return MODEL + ROUTE + f"[gateway.gunicorn]\n{line}"


def route(handler: str, *lines: str) -> str:
    return MODEL + "\n".join(["[[gateway.routes]]", f'handler = "{handler}"', *lines])


# The file, the line of the mistake, what is said, and what is said to do.
MISTAKES = {
    # What is no TOML, or not what a slipway.toml has.
    "bracket": ("[gateway\nport = 1", 1, "Expected ']'", "at the end of a table declaration"),
    "quote": ('[proxy]\nhost = "127', 2, "", "Expected|Illegal|Unterminated"),
    "twice": ("[proxy]\nport = 1\nport = 2", 3, "Cannot overwrite a value", ""),
    "unknown section": (MODEL + "[gatewya]", 4, "unknown key gatewya", "did you mean gateway"),
    "unknown key": ("[server]\nreplica = 2", 2, "unknown key server.replica", "mean replicas"),
    "far-off key": ("[stack]\nzzz = 1", 2, "unknown key stack.zzz", "known are run_folder"),
    "key of a model": (MODEL + "path = 3", 4, r"unknown key models\[0\].path", "mean base_path"),
    "string for a number": ('[proxy]\nport = "80"', 2, "proxy.port", "valid integer; found '80'"),
    "number for a string": ("[stack]\nuser = 0", 2, "stack.user", "valid string; found 0"),
    "port too high": ("[server]\n\nport = 70000", 3, "server.port", "less than or equal to 65535"),
    "no replica": ("[server]\nreplicas = 0", 2, "server.replicas", "greater than or equal to 1"),
    "no name": ('[[models]]\nbase_path = "x"', 1, r"models\[0\].name", "field required"),
    "empty name": ('[[models]]\nname = ""', 2, r"models\[0\].name", "at least 1 character"),
    "weight": ('[proxy]\nservers = [{ address = "a:1", weight = 0 }]', 2, "weight",
        "than or equal"),
    # Models.
    "nothing to run": ("[stack]", 1, "nothing to run", r"add \[\[models\]\]"),
    "base path": (MODEL.replace("/senti", "/sentt"), 3, "is not there",
        "did you mean .*/sentiment"),
    "base path is a file": (MODEL.replace("models/sentiment", "handlers.py"), 3, "is no folder",
        ""),
    "no version": (MODEL.replace("/sentiment", "/empty"), 3, "no version", "put a SavedModel"),
    "version itself": (MODEL.replace("/sentiment", "/flat"), 3, "is a version", "flat/1"),
    "torn version": (MODEL.replace("/sentiment", "/torn"), 3, "is not complete", "copy all"),
    "url": (MODEL.replace("models/", "s3://models/"), 3, "is a URL", "copy the model"),
    "two of a name": (MODEL + MODEL, 5, r"name of models\[0\] too", "a name of its own"),
    "slash": (MODEL.replace('"sentiment"', '"a/b"'), 2, "has '/' in it", "take letters"),
    "absent version": (MODEL + "versions = [1, 7]", 4, "no version 7", "those that are there: 1"),
    "versions of none": (MODEL + "versions = 0", 4, "asks for no version", "from 1"),
    "label": (MODEL + "labels = { new = 2 }", 4, "new labels version 2", "one that is: 1"),
    "label below": (MODEL + "[models.labels]\nnew = 2", 4, "new labels version 2",
        "one that is: 1"),
    "both kinds": (MODEL + '[server]\nmodel_config_file = "good.config"', 5, r"\[\[models\]\] too",
                   "take one of them out"),
    "no config file": ('[server]\nmodel_config_file = "x.config"', 2, "x.config is not there",
                       "write a ModelServerConfig"),
    "wrong config file": ('[server]\nmodel_config_file = "bad.config"', 2, "bad.config:2:", "mend"),
    "empty config file": ('[server]\nmodel_config_file = "empty.config"', 2, "names no model",
        "add"),
    "its base path": ('[server]\nmodel_config_file = "far.config"', 2, "nowhere, .* is not there",
        ""),
    "gpu": (MODEL + "[server]\ngpus = [0, -1]", 5, "-1 is the number of no GPU", "count from 0"),
    "gpu twice": (MODEL + "[server]\ngpus = [1, 1]", 5, "names a GPU twice", "each once"),
    "gpu memory": (MODEL + "[server]\ngpu_memory_fraction = 1.5", 5, "server.gpu_memory_fraction",
                   "less than or equal to 1"),
    "gpu memory of two": (MODEL + "[server]\nreplicas = 2\ngpu_memory_fraction = 0.6", 6,
                          "take 120% of each GPU's memory", "0.5 or less"),
    "gpu memory as a flag": (flag("per_process_gpu_memory_fraction = 0.5"), 5, "the stack sets",
                             r"gpu_memory_fraction in \[server\]"),
    # Flags of the server.
    "unknown flag": (flag("max_json_dept = 3"), 5, "no such flag", "did you mean max_json_depth"),
    "flag's type": (flag('max_json_depth = "a"'), 5, "valid integer.* found 'a'", "--help"),
    "flag's range": (flag("max_json_depth = 0"), 5, "greater than or equal to 1", "--help"),
    "own flag": (flag("rest_api_port = 1"), 5, "the stack sets", r"rest_api_port in \[server\]"),
    "refused flag": (flag("use_alts_credentials = true"), 5, "there is no ALTS", "take it out"),
    "flag of TLS": (flag('ssl_config_file = "x"'), 5, "without TLS", "have nginx speak it"),
    "flag without effect": (flag("enable_batching = true"), 5, "without effect", "take it out"),
    "flags together": (
        flag("tensorflow_session_parallelism = 1\ntensorflow_intra_op_parallelism = 1\n"
             "tensorflow_inter_op_parallelism = 1"), 4, "all three flags", "--help"),
    "socket of two": (MODEL + '[server]\nreplicas = 2\nflags = { grpc_socket_path = "/tmp/s" }',
                      6, "take this one socket", "replicas in"),
    "host": (MODEL + '[server]\nhost = "example"', 5, "must be an IP address", "take an address"),
    # The gateway.
    "no model to ask": (ROUTE, 1, "no model server to ask", "gateway.upstreams"),
    "upstream": (f'[gateway]\nupstreams = ["nowhere"]\n{ROUTE}', 2, "port is missing", "host:port"),
    "no module": (route("handlrs:one"), 5, "no module handlrs", "did you mean handlers"),
    "no submodule": (route("slipway.examples.nothing"), 5, "no module slipway.examples.nothing",
        ""),
    "no name of a module": (route("..x"), 5, "is no name of a module", 'write "module:name"'),
    "no such handler": (route("handlers:noe"), 5, "handlers.py has no noe", "did you mean one"),
    "broken module": (route("broken"), 5, "broken.py:1: invalid syntax", "mend the module"),
    "route's model": (route("handlers:one", 'model = "sentment"'), 6, "no model sentment",
                      "did you mean sentiment"),
    "route's needs": (route("handlers:one", 'needs = ["zzz"]'), 6, "no model zzz",
                      "served are sentiment"),
    "gunicorn's name": (gunicorn("max_request = 3"), 7, "no such setting", "mean max_requests"),
    "gunicorn's value": (gunicorn('timeout = "long"'), 7, "refuses 'long'", "gunicorn --help"),
    "gunicorn's class": (gunicorn('worker_class = "gevnt"'), 7, "class gevnt", "mean gevent"),
    "absent gevent": (gunicorn('worker_class = "gevent"'), 7, "needs gevent",
                      r"pip install 'slipway\[gevent\]'"),
    "absent tornado": (gunicorn('worker_class = "tornado"'), 7, "needs tornado", "pip install"),
    "eventlet": (gunicorn('worker_class = "eventlet"'), 7, "no workers of the class eventlet",
                 "gevent"),
    "one request at a time": (gunicorn('worker_class = "tornado"'), 7,
                              "answers one request at a time", "gthread or gevent"),
    "gunicorn's kind of app": (gunicorn('worker_class = "asgi"'), 7, "the gateway is WSGI",
                               "take it out"),
    "loaded before gevent": (gunicorn('worker_class = "gevent"\npreload_app = true'), 8,
                             "before handlers are imported", "take it out"),
    "gunicorn's bind": (gunicorn('bind = "a:1"'), 7, "the stack sets it", r"port in \[gateway\]"),
    # Ports.
    "one port": (MODEL + f"[gateway]\nport = 8501\n{ROUTE}", 5, "so would server-1", "of its own"),
    "port of a replica": (MODEL + "[server]\nreplicas = 2\nport = 8491", 6, "server-2 would .*8501",
                          "replicas count on"),
    "past the last port": (MODEL + "[server]\nreplicas = 9\nport = 65500", 6, "port 65540",
        "lower"),
    "any port": (MODEL + f"[gateway]\nport = 0\n{ROUTE}", 5, "any free port", "set one from 1"),
    # The proxy.
    "no key": (MODEL + '[proxy]\ntls_certificate = "one.pem"', 5, "tls_key is missing",
        "set tls_key"),
    "no certificate": (MODEL + '[proxy]\ntls_key = "one.key"', 5, "tls_certificate is missing", ""),
    "absent key": (tls("one.pem", "no.key"), 6, "no.key is not there", "PEM"),
    "another's key": (tls("one.pem", "two.key"), 6, "is not the key of", "made together"),
    "locked key": (tls("one.pem", "locked.key"), 6, "is encrypted", "openssl pkey"),
    "no real certificate": (tls("handlers.py", "one.key"), 5, "is no certificate", "PEM"),
    "no real key": (tls("one.pem", "handlers.py"), 6, "is no private key", "PEM"),
    "tls without nginx": (tls("one.pem", "one.key") + "\nenabled = false", 5, "not enabled",
                          "enabled = true"),
    "no time": (MODEL + "[proxy]\nbody_timeout_s = 0", 5, "proxy.body_timeout_s",
                "greater than or equal to 0.1"),
    "time as text": (MODEL + '[proxy]\nsend_timeout_s = "30s"', 5, "proxy.send_timeout_s",
                     "valid number; found '30s'"),
    "time without end": (MODEL + "[proxy]\ngrpc_read_timeout_s = inf", 5,
                         "proxy.grpc_read_timeout_s", "finite number"),
    "slow to connect": (MODEL + "[proxy]\nconnect_timeout_s = 90", 5, "proxy.connect_timeout_s",
                        "less than or equal to 75"),
    "gateways hang up first": (MODEL + ROUTE + "[proxy]\nupstream_keepalive_timeout_s = 75", 7,
                               "Gunicorn closes idle connections after 75 s", "below 75, or raise"),
    "gunicorn hangs up first": (gunicorn("keepalive = 5"), 7, "closes idle connections after 5 s",
                                "below 5, or raise keepalive in"),
    "servers hang up first": (flag("idle_timeout_s = 10.5"), 5,
                              "slipway serve closes idle connections after 10.5 s", "below 10.5"),
    "impatient": (MODEL + "[proxy]\nrest_read_timeout_s = 20", 5, "before the model server does",
                  "rest_api_timeout_in_ms .* below 20000"),
    "target": (MODEL + '[proxy]\ngateways = [{ address = "b" }]', 5, "'b' is no address",
        "host:port"),
    # The rest.
    "no user": (MODEL + '[stack]\nuser = "no-such-user"', 5, "there is no user", "useradd"),
    "another user": (MODEL + '[stack]\nuser = "nobody"', 5, "cannot start processes as", "as root"),
    "run folder is a file": (MODEL + '[stack]\nrun_folder = "handlers.py"', 5, "is no folder",
        "name"),
    "deep run folder": (MODEL + f'[stack]\nrun_folder = "{"x" * 99}"', 5, "longer than", "shorter"),
    "logs in a file": (MODEL + '[stack]\nlog_folder = "good.config/x"', 5, "is no folder", "name"),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_found_with_its_line_and_a_remedy(folder: Path, name: str) -> None:
    text, line, fact, remedy = MISTAKES[name]
    found = complaints(folder, text)
    wanted = rf"slipway\.toml:{line}: .*{fact}.*({remedy})"
    assert any(re.match(wanted, complaint, re.DOTALL) for complaint in found), found


def busy(host: str, port: int) -> OSError | None:
    return OSError(errno.EADDRINUSE, "Address already in use") if port == 8500 else None


# What is wrong with the machine and not with the file: the file, the machine, and what is said.
OBSTACLES: dict[str, tuple[str, Mapping[str, Any], str]] = {
    "a process has the port": (
        MODEL + "[server]\nport = 8500",
        {"bind_error": busy, "holders_of": lambda port: [Holder(71, "python -m http.server")]},
        r"slipway.toml:5: server.port: port 8500, .*taken by process 71 \(python -m http.server\)"
        "; end it: kill 71; or set another port",
    ),
    "a process of another stack has it": (
        MODEL, {"bind_error": busy, "holders_of": lambda port: [Holder(71, "nginx: master")],
                "stack_of": lambda pid: Path("/srv/a b/slipway.toml")},
        r"process 71 \(nginx: master\) of the stack of /srv/a b/slipway.toml; "
        "end that: slipway down '--config=/srv/a b/slipway.toml'; or set another port",
    ),
    "another user's process has it": (
        MODEL, {"bind_error": busy, "users_of": lambda port: ["alice"]},
        r"taken by a process of alice; .* ss -ltnp 'sport = :8500'; or set another port",
    ),
    "somebody's process has it": (
        MODEL, {"bind_error": busy}, r"taken by a process of another user; ",
    ),
    "the port is for root": (
        MODEL + "[proxy]\nport = 80",
        {"bind_error": lambda host, port: OSError(errno.EACCES, "") if port == 80 else None},
        "slipway.toml:5: proxy.port: port 80 is for root alone; set one from 1024",
    ),
    "the address is another machine's": (
        MODEL + '[server]\nhost = "192.0.2.1"',
        {"bind_error": lambda host, _: OSError(errno.EADDRNOTAVAIL, "Cannot assign")
                       if host == "192.0.2.1" else None},
        r"slipway.toml:5: server.host: server-1 cannot listen on 192.0.2.1: .*0.0.0.0 for all",
    ),
    "nginx is not there": (
        MODEL, {"nginx": None}, "Gunicorn stands in front; sudo apt-get install -y nginx",
    ),
    "nginx is not there for TLS": (
        tls("one.pem", "one.key"), {"nginx": None}, "TLS is nginx's .*; sudo apt-get install",
    ),
    "supervisor is not there": (
        MODEL, {"installed": {}}, r"supervisor is not installed; pip install 'slipway\[stack\]'",
    ),
    "Flask is not there": (
        MODEL + ROUTE,
        {"installed": {name: "1" for name in INSTALLED if name != "flask"}},
        r"the gateway needs flask; pip install 'slipway\[gateway\]'",
    ),
    "rjieba is not there": (
        route("slipway.examples.sentiment"),
        {"installed": {name: "1" for name in INSTALLED if name != "rjieba"}},
        r"slipway.toml:5: .* needs rjieba.*; pip install 'slipway\[examples\]'",
    ),
    "TensorFlow is not there": (
        MODEL, {"runtime": None, "runtime_advice": "Add it: pip install 'slipway[cpu]'"},
        r"no TensorFlow to run models with; Add it: pip",
    ),
    "root names nobody": (
        MODEL + "[stack]", {"is_root": True}, "slipway.toml:4: stack.user: root starts .* set user",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", OBSTACLES)
def test_an_obstacle_of_the_machine_is_found(folder: Path, name: str) -> None:
    text, machine, message = OBSTACLES[name]
    found = complaints(folder, text, machine)
    assert any(re.search(message, complaint) for complaint in found), found


def test_all_that_is_wrong_is_said_at_once(folder: Path) -> None:
    text = "[server]\nprot = 1\n[gateway]\nworkers = 0\n[stack]\nuser = 3"
    assert [complaint.split(":")[1] for complaint in complaints(folder, text)] == ["2", "4", "6"]
    text = MODEL.replace("models/", "nowhere/") + "versions = 0\n[server]\ngpus = [-1]\n"
    assert len(complaints(folder, text + flag("port = 1").removeprefix(MODEL))) >= 3


def test_a_port_that_the_stack_holds_itself_is_free_to_it(folder: Path) -> None:
    (folder / "slipway.toml").write_text(MODEL)
    machine = make_machine(bind_error=busy, holders_of=lambda port: [Holder(71, "slipway serve")])
    plan = make_plan(folder / "slipway.toml", nginx=NGINX.path)
    assert len(check(plan, machine)) == 1
    assert check(plan, machine, own_pids={71}) == []


def test_who_keeps_no_connection_closes_none(folder: Path) -> None:
    assert complaints(folder, gunicorn("keepalive = 0")) == []
    assert complaints(folder, gunicorn("keepalive = 5\n[proxy]\nenabled = false")) == []


def test_where_nginx_is_to_be_absent_nothing_is_said_of_it(folder: Path) -> None:
    assert complaints(folder, MODEL + "[proxy]\nenabled = false", {"nginx": None}) == []


def test_nothing_of_a_handler_is_run(folder: Path) -> None:
    (folder / "package").mkdir()
    for file in ("package/__init__.py", "package/inner.py"):
        (folder / file).write_text("raise SystemExit('imported')\none = 1")
    assert complaints(folder, route("package.inner:one")) == []


def test_a_folder_that_is_closed_to_the_user_is_named(folder: Path) -> None:
    closed = folder / "closed"
    text = MODEL.replace("models/sentiment", "closed")
    if os.geteuid() == 0:
        user = f'[stack]\nuser = "{pwd.getpwnam("nobody").pw_name}"\n'
        found = complaints(folder, text + user, {"is_root": True})
        # The folders of pytest are closed to others too.
        message = r"slipway.toml:3: .*: nobody may not read (\S+); allow it: chmod o\+rx \1"
    else:
        closed.chmod(0)
        found = complaints(folder, text)
        message = rf"slipway.toml:3: .* may not read {closed}; allow it: chmod o\+rx {closed}"
        closed.chmod(0o700)
    assert any(re.match(message, complaint) for complaint in found), found


def test_a_project_that_is_closed_to_the_user_is_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = find_account("nobody")
    assert nobody
    if barrier(nobody, Path(slipway.stack.checks.__file__), os.R_OK):
        pytest.skip("this checkout is closed to nobody, which is told first")
    monkeypatch.setattr(sys, "executable", "/bin/sh")
    found = complaints(folder, f'{MODEL}[stack]\nuser = "nobody"', {"is_root": True})
    # The folders of pytest are.
    message = (
        rf"slipway.toml:5: stack.user: nobody cannot read {folder}/slipway.toml, as (\S+) is "
        r"closed to it; .* chmod o\+rx \1"
    )
    assert any(re.fullmatch(message, one) for one in found), found


def test_the_longest_path_of_a_socket_is_the_one_that_supervisord_takes(tmp_path: Path) -> None:
    rest = LONGEST_SOCKET_PATH - len(f"{tmp_path}//supervisor.sock")
    for length, is_long in ((rest, False), (rest + 1, True)):
        found = complaints(tmp_path, f'[stack]\nrun_folder = "{"x" * length}"')
        assert any("is longer than" in one for one in found) == is_long


def test_a_python_that_links_out_of_a_closed_folder_is_closed_too(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = folder / "closed" / "python"
    python.symlink_to("/bin/sh")
    monkeypatch.setattr(sys, "executable", str(python))
    user = pwd.getpwnam("nobody").pw_name
    found = complaints(folder, f'{MODEL}[stack]\nuser = "{user}"', {"is_root": True})
    assert any(f"stack.user: nobody cannot run {python}, as /" in one for one in found), found


def test_who_holds_a_port_is_found_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        error = bind_error("127.0.0.1", port)
        assert error is not None
        assert error.errno == errno.EADDRINUSE
        assert bind_error("0.0.0.0", port) is not None
        if sys.platform == "linux":
            assert os.getpid() in [holder.pid for holder in holders_of(port)]
            assert users_of(port) == [pwd.getpwuid(os.geteuid()).pw_name]
            assert "pytest" in command_of(os.getpid())
    assert bind_error("127.0.0.1", port) is None


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_family_has_the_children_of_children() -> None:
    inner = "import time; print(1, flush=True); time.sleep(60)"
    script = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {inner!r}])"
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as outer:
        assert outer.stdout
        outer.stdout.readline()
        family = family_of(outer.pid)
        assert len(family) == 2
        for pid in family:
            os.kill(pid, signal.SIGKILL)
    assert family_of(outer.pid) == frozenset()
