"""The installed command, from its flags to its exit status."""

import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from importlib import metadata
from pathlib import Path
from types import ModuleType

import pytest

import slipway
from tests.support.metrics import ORIGINAL, scrape
from tests.support.models import SavedModels
from tests.support.process import ServeProcess, run_slipway
from tests.support.rest import Reply, ask
from tests.support.waiting import wait_until

ONE = {"instances": [1.0]}


def test_serves_a_model_until_it_is_told_to_stop(saved_models: SavedModels) -> None:
    base_path = saved_models.base_path("half")
    with ServeProcess("--model_name=half", f"--model_base_path={base_path}") as server:
        server.wait_until_open()
        assert ask(server.rest, "POST", "/v1/models/half:predict", ONE).json == {
            "predictions": [2.5]
        }
        assert "Successfully loaded servable version {name: half version: 124} in " in server.log
        assert f"Running gRPC ModelServer at {server.grpc} ..." in server.log
        assert f"Exporting HTTP/REST API at:{server.rest} ..." in server.log
        server.signal(signal.SIGTERM)
        assert server.exit_status() == 0


def test_a_unix_socket_takes_the_place_of_the_port(
    saved_models: SavedModels, tmp_path: Path
) -> None:
    path = tmp_path / "socket"
    flags = ("--port=0", f"--grpc_socket_path={path}", "--model_name=half")
    with ServeProcess(*flags, f"--model_base_path={saved_models.base_path('half')}") as server:
        server.wait_until_open()
        assert f"Running gRPC ModelServer at UNIX socket {path} ..." in server.log
        assert server.grpc not in server.log
        with slipway.Client(f"unix:{path}") as client:
            assert client.predict("half", {"x": [1.0]})["y"].tolist() == [2.5]
        server.signal(signal.SIGTERM)
        assert server.exit_status() == 0
    assert not path.exists()


def test_a_monitoring_file_adds_metrics(saved_models: SavedModels, tmp_path: Path) -> None:
    file = tmp_path / "monitoring.config"
    file.write_text("prometheus_config: { enable: true }")
    model = ("--model_name=half", f"--model_base_path={saved_models.base_path('half')}")
    with ServeProcess(*model, f"--monitoring_config_file={file}") as server:
        server.wait_until_open()
        assert ask(server.rest, "POST", "/v1/models/half:predict", ONE).status == 200
        page = scrape(server.rest)
        labels = {"model_name": "half", "status": "OK"}
        assert page.value(f"{ORIGINAL}request_count", **labels) == 1
        assert page.value("slipway_versions", model="half", state="AVAILABLE") == 1
        assert page.value("slipway_loads_total", model="half", code="OK") == 1
        assert "Without effect" not in server.log


def test_a_monitoring_file_that_makes_no_sense_keeps_the_server_from_starting(
    tmp_path: Path,
) -> None:
    file = tmp_path / "monitoring.config"
    file.write_text("prometheus: {}")
    flags = (f"--model_base_path={tmp_path}", f"--monitoring_config_file={file}")
    run = run_slipway(["serve", *flags, "--rest_api_port=8501"])
    assert run.returncode == 1
    assert "--monitoring_config_file: Error parsing text-format" in run.stderr
    assert f"{file}:1:" in run.stderr


def test_metrics_without_a_port_are_warned_of(saved_models: SavedModels, tmp_path: Path) -> None:
    model = ("--model_name=half", f"--model_base_path={saved_models.base_path('half')}")
    flags = (f"--monitoring_config_file={tmp_path / 'missing'}", "--rest_api_port=0")
    with ServeProcess(*model, *flags) as server:
        server.wait_for("Running gRPC ModelServer at")
        assert "Without effect: --monitoring_config_file, since metrics are on REST's" in server.log


def test_the_environment_names_the_model_as_in_docker(saved_models: SavedModels) -> None:
    environ = {"MODEL_NAME": "half", "MODEL_BASE_PATH": str(saved_models.folder)}
    with ServeProcess(environ=environ) as server:
        server.wait_until_open()
        assert ask(server.rest, "GET", "/v1/models/half/versions/124").status == 200
        server.signal(signal.SIGINT)
        assert server.exit_status() == 0


def test_waits_for_the_first_version_and_says_so(saved_models: SavedModels, tmp_path: Path) -> None:
    base_path = tmp_path / "later"
    with ServeProcess("--model_name=m", f"--model_base_path={base_path}") as server:
        server.wait_for(f"Waiting: Could not find base path {base_path} for servable m")
        with pytest.raises(ConnectionRefusedError):
            ask(server.rest, "GET", "/v1/models/m")
        shutil.copytree(saved_models.version("half", 123), tmp_path / "copy")
        base_path.mkdir()
        (tmp_path / "copy").rename(base_path / "5")
        server.wait_until_open()
        assert ask(server.rest, "POST", "/v1/models/m/versions/5:predict", ONE).status == 200


def test_stops_while_it_waits_for_a_model(tmp_path: Path) -> None:
    with ServeProcess(f"--model_base_path={tmp_path}") as server:
        server.wait_for("Waiting: No versions of servable default found")
        server.signal(signal.SIGTERM)
        assert server.exit_status() == 0


def test_waits_for_a_version_that_is_not_complete(
    saved_models: SavedModels, tmp_path: Path
) -> None:
    index = "variables/variables.index"
    shutil.copytree(saved_models.version("half", 123), tmp_path / "1")
    (tmp_path / "1" / index).rename(tmp_path / "index")
    with ServeProcess("--model_name=m", f"--model_base_path={tmp_path}") as server:
        server.wait_for(f"Waiting: Version 1 of servable m is not complete: {index} is missing")
        (tmp_path / "index").rename(tmp_path / "1" / index)
        server.wait_until_open()
        assert ask(server.rest, "POST", "/v1/models/m:predict", ONE).status == 200


def test_a_version_that_fails_its_warm_up_does_not_answer_unless_that_is_off(
    saved_models: SavedModels, tmp_path: Path
) -> None:
    requests = "assets.extra/tf_serving_warmup_requests"
    shutil.copytree(saved_models.version("half", 123), tmp_path / "1")
    (tmp_path / "1" / "assets.extra").mkdir()
    (tmp_path / "1" / requests).write_bytes(b"no records")
    flags = (f"--model_base_path={tmp_path}", "--max_num_load_retries=0")
    with ServeProcess(*flags) as server:
        assert server.exit_status() == 1
        assert f"due to error: DATA_LOSS: 1/{requests}: truncated record at 0" in server.log
    with ServeProcess(*flags, "--enable_model_warmup=false") as server:
        server.wait_until_open()


def test_a_model_that_cannot_be_loaded_ends_the_server_after_its_attempts(
    saved_models: SavedModels, tmp_path: Path
) -> None:
    break_version(shutil.copytree(saved_models.version("half", 123), tmp_path / "1"))
    flags = ("--max_num_load_retries=2", "--load_retry_interval_micros=1000")
    with ServeProcess("--model_name=m", f"--model_base_path={tmp_path}", *flags) as server:
        assert server.exit_status() == 1
    assert server.log.count("Cannot load {name: m version: 1}") == 3
    last = server.log.splitlines()[-1]
    assert "1 servable(s) did not become available: {{{name: m version: 1} due to error: " in last


def test_a_load_that_hangs_does_not_keep_a_server_that_gives_up_from_ending(
    saved_models: SavedModels, stubs: ModuleType, tmp_path: Path
) -> None:
    break_version(shutil.copytree(saved_models.version("half", 123), tmp_path / "broken" / "1"))
    hanging = shutil.copytree(saved_models.version("loop"), tmp_path / "hanging" / "1")
    log = stubs.prediction_log()
    log.predict_log.request.inputs["turns"].CopyFrom(stubs.to_proto(2_000_000, "int32"))
    stubs.write_records(
        hanging / "assets.extra" / "tf_serving_warmup_requests", [log.SerializeToString()]
    )
    models = "".join(
        f'config {{ name: "{name}" base_path: "{tmp_path}/{name}" model_platform: "tensorflow" }}'
        for name in ("broken", "hanging")
    )
    (tmp_path / "models.config").write_text(f"model_config_list {{ {models} }}")
    flags = (f"--model_config_file={tmp_path}/models.config", "--max_num_load_retries=0")
    with ServeProcess(*flags) as server:
        assert server.exit_status() == 1
    assert "due to error: DATA_LOSS" in server.log.splitlines()[-1]


def test_versions_come_go_and_break_while_the_server_runs(
    saved_models: SavedModels, tmp_path: Path
) -> None:
    def add(number: int, source: int) -> Path:
        """Copy a version in under another name and rename it, as an exporter should."""
        copy = shutil.copytree(saved_models.version("half", source), tmp_path / "incoming")
        return copy.rename(base_path / str(number))

    def states() -> dict[str, str]:
        entries = ask(server.rest, "GET", "/v1/models/m").json["model_version_status"]
        return {entry["version"]: entry["state"] for entry in entries}

    base_path = tmp_path / "m"
    base_path.mkdir()
    add(1, 123)
    with ServeProcess("--model_name=m", f"--model_base_path={base_path}") as server:
        server.wait_until_open()
        add(2, 124)
        wait_until(lambda: states() == {"2": "AVAILABLE", "1": "END"}, "version 2 to take over")
        broken = shutil.copytree(saved_models.version("half", 123), tmp_path / "broken")
        break_version(broken)
        broken.rename(base_path / "3")
        wait_until(lambda: states().get("3") == "END", "version 3 to fail")
        status = ask(server.rest, "GET", "/v1/models/m/versions/3").json
        error = status["model_version_status"][0]["status"]
        assert error["error_code"] != "OK"
        assert str(tmp_path) not in error["error_message"]
        assert states() == {"3": "END", "2": "AVAILABLE", "1": "END"}
        assert ask(server.rest, "POST", "/v1/models/m:predict", ONE).status == 200
        shutil.rmtree(base_path / "3")
        shutil.rmtree(base_path / "2")
        wait_until(lambda: states()["1"] == "AVAILABLE", "version 1 to come back")
        wait_until(lambda: states()["2"] == "END", "version 2 to leave")
        shutil.rmtree(base_path / "1")
        wait_until(lambda: set(states().values()) == {"END"}, "the last version to leave")
        assert ask(server.rest, "POST", "/v1/models/m:predict", ONE).status == 404
        server.signal(signal.SIGTERM)
        assert server.exit_status() == 0


def test_requests_under_way_are_answered_after_sigterm(saved_models: SavedModels) -> None:
    base_path = saved_models.base_path("loop")
    replies: list[Reply] = []
    with ServeProcess("--model_name=loop", f"--model_base_path={base_path}") as server:
        server.wait_until_open()

        def ask_for_long() -> None:
            body = {"inputs": {"turns": 20_000}}
            replies.append(ask(server.rest, "POST", "/v1/models/loop:predict", body))

        asking = threading.Thread(target=ask_for_long)
        asking.start()
        used_before = cpu_ticks(server.pid)
        wait_until(lambda: cpu_ticks(server.pid) > used_before + 5, "the run to be under way")
        server.signal(signal.SIGTERM)
        server.wait_for("Draining")
        wait_until(lambda: not accepts(server.rest), "the port to close")
        assert not replies, "the run was over too soon to tell"
        assert server.exit_status() == 0
        asking.join()
    assert [reply.status for reply in replies] == [200]


def test_a_second_signal_ends_the_server_at_once(saved_models: SavedModels) -> None:
    base_path = saved_models.base_path("loop")
    with ServeProcess("--model_name=loop", f"--model_base_path={base_path}") as server:
        server.wait_until_open()
        with connect(server.rest) as caller:
            begin_long_run(server, caller)
            server.signal(signal.SIGTERM)
            server.wait_for("Draining")
            server.signal(signal.SIGTERM)
            assert server.exit_status() == -signal.SIGTERM


def test_a_grace_of_nothing_cuts_requests_off(saved_models: SavedModels) -> None:
    base_path = saved_models.base_path("loop")
    flags = ("--model_name=loop", f"--model_base_path={base_path}", "--shutdown_grace_s=0")
    with ServeProcess(*flags) as server:
        server.wait_until_open()
        with connect(server.rest) as caller:
            begin_long_run(server, caller)
            server.signal(signal.SIGTERM)
            assert server.exit_status() == 0
        assert "not answered in time" in server.log


def test_a_port_that_is_taken_is_named(saved_models: SavedModels) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        base_path = saved_models.base_path("half")
        with ServeProcess(f"--model_base_path={base_path}", f"--port={port}") as server:
            assert server.exit_status() == 1
    assert f"slipway: cannot listen on 127.0.0.1:{port}: Address already in use" in server.log


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["serve"], "slipway: No model to serve."),
        (["serve", "--model_base_pth=/m"], "Did you mean one of: '--model_base_path'"),
        (["serve", "--port=70000"], "--port is 70000"),
        (["serve", "--model_base_path=/m", "--use_alts_credentials"], "there is no ALTS"),
        (["serve", "--ssl_config_file=/ssl", "--model_base_path=/m"], "--ssl_config_file: /ssl"),
        (["srve"], "No such command 'srve'"),
    ],
)
def test_a_mistake_is_one_line_on_stderr_and_status_1(arguments: list[str], message: str) -> None:
    result = run_slipway(arguments)
    assert result.returncode == 1
    assert result.stdout == ""
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_the_version_is_that_of_the_workspace() -> None:
    manifest = (Path(__file__).parents[2] / "Cargo.toml").read_text()
    assert f'version = "{run_slipway(["--version"]).stdout.split()[1]}"' in manifest


@pytest.mark.parametrize("flag", ["--version", "--version=true", "--version=1"])
def test_serve_tells_the_versions_as_the_original_does(flag: str) -> None:
    server, library = run_slipway(["serve", flag]).stdout.splitlines()
    assert server == f"TensorFlow ModelServer: {metadata.version('slipway')}"
    assert re.fullmatch(r"TensorFlow Library: \d+\.\d+\.\d+\S*", library)


def test_flags_without_effect_are_named_in_one_line(saved_models: SavedModels) -> None:
    flags = (
        "--enable_batching", "--enable_profiler=false", "--flush_filesystem_caches=true",
        "--grpc_channel_arguments=grpc.so_reuseport=0,grpc.max_concurrent_streams=8",
    )  # fmt: skip
    base_path = saved_models.base_path("half")
    with ServeProcess(f"--model_base_path={base_path}", "--model_name=half", *flags) as server:
        server.wait_until_open()
        assert ask(server.rest, "POST", "/v1/models/half:predict", ONE).status == 200
    lines = [line for line in server.log.splitlines() if "Without effect" in line]
    assert len(lines) == 2
    assert "Without effect here: --enable_batching (batching is to come), --enab" in lines[0]
    assert "--flush_filesystem_caches (" in lines[0]
    assert lines[1].endswith("Without effect in --grpc_channel_arguments: grpc.so_reuseport")


def test_tensorflow_can_be_imported_beside_a_loaded_model(saved_models: SavedModels) -> None:
    script = f"""
from pathlib import Path
import slipway
from slipway.dataplane.base import PlaneConfig
from slipway.dataplane.native import NativePlane
from slipway.servables import ServableId
plane = NativePlane(PlaneConfig(rest_port=0))
path = Path({str(saved_models.version("half", 123))!r})
plane.load(ServableId("half", 123), path)
import tensorflow as tf
print(tf.constant([1.0, 2.0]).numpy().sum(), tf.saved_model.contains_saved_model("."))
plane.unload(ServableId("half", 123), path)
"""
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False
    )
    assert (run.returncode, run.stdout) == (0, "3.0 False\n"), run.stderr


def break_version(path: Path) -> None:
    """Damage a variable's bytes: all files are there, and the load fails on the checksum."""
    data = next((path / "variables").glob("*.data-*"))
    data.write_bytes(bytes(byte ^ 0xFF for byte in data.read_bytes()))


def cpu_ticks(pid: int) -> int:
    """Return the processor time that a process has used, in clock ticks."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def begin_long_run(server: ServeProcess, caller: socket.socket) -> None:
    """Return when a run that takes longer than any test is under way."""
    body = b'{"inputs": {"turns": 2000000}}'
    head = f"POST /v1/models/loop:predict HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}"
    used_before = cpu_ticks(server.pid)
    caller.sendall(head.encode() + b"\r\n\r\n" + body)
    wait_until(lambda: cpu_ticks(server.pid) > used_before + 5, "the run to be under way")


def connect(address: str) -> socket.socket:
    host, port = address.split(":")
    return socket.create_connection((host, int(port)))


def accepts(address: str) -> bool:
    try:
        connect(address).close()
    except ConnectionRefusedError:
        return False
    return True
