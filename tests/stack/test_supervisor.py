"""The configuration of supervisor, as supervisor reads it."""

import shlex
import signal
from pathlib import Path
from typing import Any

import pytest
from supervisor.options import ServerOptions

from slipway.errors import ConfigError
from slipway.stack.plan import Plan, make_plan
from slipway.stack.supervisor import supervisor_config

PROJECT = """
[[models]]
name = "half"
base_path = "half"
[server]
replicas = 2
gpus = [0, 1]
[gateway]
timeout_s = 30
[[gateway.routes]]
handler = "handlers:A"
"""


def plan_in(folder: Path, text: str = PROJECT) -> Plan:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "slipway.toml").write_text(text)
    plan = make_plan(folder / "slipway.toml", nginx=Path("/usr/sbin/nginx"))
    plan.logs.mkdir(parents=True, exist_ok=True)
    return plan


def read(plan: Plan, user: str | None = None) -> Any:
    """Return what supervisor has read."""
    plan.supervisor_config.write_text(supervisor_config(plan, user=user))
    options = ServerOptions()
    options.configfile = str(plan.supervisor_config)
    options.process_config(do_usage=False)
    assert not options.parse_warnings
    return options


def programs(options: Any) -> dict[str, Any]:
    groups = options.process_group_configs
    return {program.name: program for group in groups for program in group.process_configs}


@pytest.mark.parametrize(
    "name",
    ["plain", "with blanks", "it's", 'a "b"', "模型 é", "100%(here)s", "a,b=c", "x#y;z", "back\\n"],
)
def test_supervisor_reads_what_is_meant_in_any_folder(name: str, tmp_path: Path) -> None:
    plan = plan_in(tmp_path / name)
    options = read(plan)
    found = programs(options)
    for process in plan.processes:
        program = found[process.name]
        command = shlex.split(program.command)
        assert command[-len(process.command) :] == process.command
        assert str(plan.group_file(process)) in command
        assert program.environment == process.environ
        assert program.directory == str(plan.file.parent)
        assert program.stdout_logfile == str(plan.logs / f"{process.name}.log")
    assert options.pidfile == str(plan.supervisor_pid)
    assert options.configroot.supervisord.server_configs[0]["file"] == str(plan.supervisor_socket)


def test_an_empty_list_of_gpus_is_none(tmp_path: Path) -> None:
    found = programs(read(plan_in(tmp_path, PROJECT.replace("[0, 1]", "[]"))))
    assert found["server-1"].environment == {"CUDA_VISIBLE_DEVICES": ""}


def test_a_share_of_their_memory_is_told_to_every_model_server(tmp_path: Path) -> None:
    plan = plan_in(tmp_path, PROJECT.replace("[0, 1]", "[0]\ngpu_memory_fraction = 0.45"))
    for server in plan.servers:
        assert "--per_process_gpu_memory_fraction=0.45" in server.command
        assert server.environ == {"CUDA_VISIBLE_DEVICES": "0"}


@pytest.mark.parametrize("name", ["a #b", "a ;b", "a\nb", 'it\'s "both"'])
def test_paths_that_supervisor_cannot_be_told_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="supervisor takes no paths"):
        supervisor_config(plan_in(tmp_path / name))


def test_nobody_else_may_ask_it(tmp_path: Path) -> None:
    assert read(plan_in(tmp_path)).configroot.supervisord.server_configs[0]["chmod"] == 0o600


def test_processes_end_gracefully(tmp_path: Path) -> None:
    found = programs(read(plan_in(tmp_path)))
    assert found["nginx"].stopsignal == signal.SIGQUIT
    assert found["gateway-1"].stopsignal == found["server-1"].stopsignal == signal.SIGTERM
    # Longer than each takes for the requests under way, in the order of who asks whom.
    assert [found[name].stopwaitsecs for name in ("server-1", "gateway-1", "nginx")] == [35, 40, 45]
    assert all(found[name].killasgroup for name in ("server-1", "gateway-1", "nginx"))


def test_who_asks_others_is_started_last_and_ended_first(tmp_path: Path) -> None:
    found = programs(read(plan_in(tmp_path)))
    order = sorted(("nginx", "gateway-1", "server-2"), key=lambda name: found[name].priority)
    assert order == ["server-2", "gateway-1", "nginx"]


def test_the_grace_is_that_of_the_flags(tmp_path: Path) -> None:
    text = f"{PROJECT}[server.flags]\nshutdown_grace_s = 90\n[gateway.gunicorn]\n"
    found = programs(read(plan_in(tmp_path, f"{text}graceful_timeout = 100\n")))
    assert found["server-1"].stopwaitsecs == 95
    assert found["gateway-1"].stopwaitsecs == 105


def test_programs_are_of_the_user_where_root_starts_them(tmp_path: Path) -> None:
    text = supervisor_config(plan_in(tmp_path), user="www-data")
    # nginx opens ports first, and its workers become the user.
    assert text.count("\nuser=www-data\n") == 3
    assert text.count("\nuser=root\n") == 1
    assert "user=" not in supervisor_config(plan_in(tmp_path))


def test_all_logs_rotate(tmp_path: Path) -> None:
    options = read(plan_in(tmp_path))
    assert options.logfile_maxbytes
    for name, program in programs(options).items():
        rotates = program.stderr_logfile_maxbytes, program.stdout_logfile_maxbytes
        assert all(rotates), name
