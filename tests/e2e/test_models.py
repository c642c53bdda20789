"""`slipway models` against running servers."""

import json
import shutil
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import grpc
import pytest

from tests.support.models import SavedModels
from tests.support.process import SLIPWAY, ServeProcess, run_slipway


def config_of(*models: str) -> str:
    return f"model_config_list {{ {' '.join(models)} }}"


def half(saved_models: SavedModels, more: str = "") -> str:
    return (
        f'config {{ name: "half" base_path: "{saved_models.base_path("half")}" '
        f'model_platform: "tensorflow" model_version_policy {{ all {{}} }} {more} }}'
    )


def dense(saved_models: SavedModels) -> str:
    base_path = saved_models.base_path("dense")
    return f'config {{ name: "dense" base_path: "{base_path}" model_platform: "tensorflow" }}'


@contextmanager
def serving(config: Path, *models: str) -> Iterator[ServeProcess]:
    config.write_text(config_of(*models))
    with ServeProcess(f"--model_config_file={config}") as process:
        process.wait_until_open()
        yield process


@pytest.fixture
def server(saved_models: SavedModels, tmp_path: Path) -> Iterator[ServeProcess]:
    """`half` with 123 and 124, of which 123 is `stable`, and `dense`."""
    stable = 'version_labels { key: "stable" value: 123 }'
    models = half(saved_models, stable), dense(saved_models)
    with serving(tmp_path / "models.config", *models) as process:
        yield process


def models(*arguments: str, server: ServeProcess | str) -> tuple[int, str, str]:
    address = server if isinstance(server, str) else server.grpc
    run = run_slipway(["models", *arguments, f"--server={address}"])
    return run.returncode, run.stdout, run.stderr


def test_list_names_the_models_with_the_versions_that_answer(server: ServeProcess) -> None:
    assert models("list", server=server) == (0, "dense\t1\nhalf\t124 123\n", "")


def test_status_shows_versions_states_and_labels(server: ServeProcess) -> None:
    status, out, _ = models("status", "half", server=server)
    assert status == 0
    rows = [line.split() for line in out.splitlines() if "half" in line]
    assert rows == [["half", "124", "AVAILABLE"], ["half", "123", "AVAILABLE", "stable"]]
    _, out, _ = models("status", "-v", server=server)
    assert "latest 1" in out
    assert "dense" in out


def test_status_can_be_had_as_json(server: ServeProcess, saved_models: SavedModels) -> None:
    _, out, _ = models("status", "half", "--json", server=server)
    assert json.loads(out)[server.grpc] == {
        "error": None,
        "models": {
            "half": {
                "base_path": str(saved_models.base_path("half")),
                "policy": "all",
                "versions": [
                    {
                        "version": version,
                        "state": "AVAILABLE",
                        "labels": labels,
                        "error_code": "OK",
                        "error_message": "",
                    }
                    for version, labels in ((124, []), (123, ["stable"]))
                ],
            }
        },
    }


def test_a_watcher_sees_what_changes_until_it_is_interrupted(server: ServeProcess) -> None:
    flags = ["--json", "--watch", f"--server={server.grpc}"]
    command = [str(SLIPWAY), "models", "status", "half", *flags]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as watcher:
        assert watcher.stdout
        assert "canary" not in watcher.stdout.readline()
        models("label", "half", "canary=124", "--yes", server=server)
        assert "canary" in watcher.stdout.readline()
        watcher.send_signal(signal.SIGINT)
        assert watcher.wait(30) == 0


def test_a_model_that_nobody_knows_has_no_version(server: ServeProcess) -> None:
    status, out, _ = models("status", "nobody", server=server)
    assert status == 0
    assert ["nobody", "-", "-"] in [line.split() for line in out.splitlines()]


def test_servers_that_differ_are_named(
    server: ServeProcess, saved_models: SavedModels, tmp_path: Path
) -> None:
    shutil.copytree(saved_models.version("half", 123), tmp_path / "one" / "123")
    base = f'config {{ name: "half" base_path: "{tmp_path}/one" model_platform: "tensorflow" }}'
    with serving(tmp_path / "other.config", base) as other:
        status, _, errors = models("list", f"--server={other.grpc}", server=server)
    assert status == 1
    assert errors.splitlines() == [
        f"The servers differ. dense: {other.grpc} does not have it; {server.grpc} answers with 1",
        f"The servers differ. half: {other.grpc} answers with 123; {server.grpc} answers with 124, "
        "123 (stable)",
    ]


def test_a_server_that_does_not_answer_is_named(server: ServeProcess) -> None:
    away = "127.0.0.1:1"
    status, out, errors = models("list", f"--server={away}", server=server)
    assert status == 1
    assert f"{server.grpc}\thalf\t124 123" in out
    assert errors.startswith(f"{away}: UNAVAILABLE: ")


def test_a_reload_shows_what_changes_and_does_it(
    server: ServeProcess, saved_models: SavedModels, tmp_path: Path
) -> None:
    file = tmp_path / "wanted.config"
    file.write_text(config_of(half(saved_models)))
    status, out, _ = models("reload", str(file), "--yes", server=server)
    assert status == 0
    removed = [line.strip("- ") for line in out.splitlines() if line.startswith("-")]
    assert 'name: "dense"' in removed
    assert 'version_labels { key: "stable" value: 123 }' in removed
    assert out.endswith(f"{server.grpc}: done\n")
    assert models("list", server=server)[1] == "half\t124 123\n"
    assert models("reload", str(file), "--yes", server=server)[1] == (
        f"{server.grpc}: nothing changes\n"
    )


def test_a_reload_that_nobody_confirms_changes_nothing(
    server: ServeProcess, saved_models: SavedModels, tmp_path: Path
) -> None:
    file = tmp_path / "wanted.config"
    file.write_text(config_of(half(saved_models)))
    status, out, errors = models("reload", str(file), server=server)
    assert (status, errors) == (1, "slipway: interrupted\n")
    assert f"Change {server.grpc}?" in out
    assert "dense" in models("list", server=server)[1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model_config_list {", "wanted.config:1:20: "),
        ('model_config_list { config { name: "x" base_path: "/x" } }', "Illegal setting neither"),
        (None, "wanted.config; No such file"),
    ],
)
def test_a_file_that_is_wrong_is_not_sent(
    server: ServeProcess, tmp_path: Path, text: str | None, message: str
) -> None:
    file = tmp_path / "wanted.config"
    if text is not None:
        file.write_text(text)
    status, out, errors = models("reload", str(file), "--yes", server=server)
    assert (status, out) == (1, "")
    assert message in errors


def test_what_the_server_refuses_is_said(
    server: ServeProcess, saved_models: SavedModels, tmp_path: Path
) -> None:
    file = tmp_path / "wanted.config"
    file.write_text(config_of(half(saved_models, 'version_labels { key: "stable" value: 7 }')))
    status, _, errors = models("reload", str(file), "--yes", server=server)
    assert status == 1
    assert "assign label to version 7 of model half" in errors


def test_labels_move_by_name(server: ServeProcess) -> None:
    moves = ("stable=124", "canary=123")
    status, out, _ = models("label", "half", *moves, "--yes", server=server)
    assert status == 0
    assert '+    version_labels { key: "canary" value: 123 }' in out
    _, out, _ = models("status", "half", "--json", server=server)
    versions = json.loads(out)[server.grpc]["models"]["half"]["versions"]
    assert [version["labels"] for version in versions] == [["stable"], ["canary"]]
    models("label", "half", "stable=", "--yes", server=server)
    _, out, _ = models("status", "half", "--json", server=server)
    versions = json.loads(out)[server.grpc]["models"]["half"]["versions"]
    assert [version["labels"] for version in versions] == [[], ["canary"]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["half", "stable"], "'stable' is not NAME=VERSION, such as stable=3"),
        (["half", "stable=new"], "'stable=new' is not NAME=VERSION"),
        (["nobody", "stable=1"], "has no model nobody; there are ['dense', 'half']"),
        (["half", "stable=7"], "assign label to version 7 of model half"),
    ],
)
def test_a_label_that_cannot_be_is_said(
    server: ServeProcess, arguments: list[str], message: str
) -> None:
    status, _, errors = models("label", *arguments, "--yes", server=server)
    assert status == 1
    assert message in errors


@contextmanager
def original(stubs: ModuleType, reloads: list[Any]) -> Iterator[str]:
    """A server that has what TensorFlow Serving has: statuses and reloads."""
    service = stubs.model_service_pb2_grpc

    class Servicer(service.ModelServiceServicer):  # type: ignore[misc, name-defined]
        def GetModelStatus(self, request: Any, context: Any) -> Any:  # noqa: N802
            answer = stubs.get_model_status_pb2.GetModelStatusResponse()
            answer.model_version_status.add(version=1, state=30)
            return answer

        def HandleReloadConfigRequest(self, request: Any, context: Any) -> Any:  # noqa: N802
            reloads.append(request.config)
            return stubs.model_management_pb2.ReloadConfigResponse()

    server = grpc.server(ThreadPoolExecutor(2))
    service.add_ModelServiceServicer_to_server(Servicer(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None).wait()


def test_the_original_is_asked_as_far_as_its_protocol_goes(
    stubs: ModuleType, saved_models: SavedModels, tmp_path: Path
) -> None:
    file = tmp_path / "models.config"
    file.write_text(config_of(half(saved_models)))
    reloads: list[Any] = []
    with original(stubs, reloads) as address:
        status, out, _ = models("status", "half", server=address)
        assert status == 0
        assert ["half", "1", "AVAILABLE"] in [line.split() for line in out.splitlines()]
        status, _, errors = models("list", server=address)
        assert status == 1
        assert "it does not list its models: name those to ask for" in errors
        assert models("reload", str(file), "--yes", server=address)[0] == 0
        status, _, errors = models("label", "half", "new=1", "--yes", server=address)
        assert status == 1
        assert "does not show its configuration" in errors
        with_base = ("new=1", "--yes", f"--config={file}")
        assert models("label", "half", *with_base, server=address)[0] == 0
    assert [len(config.model_config_list.config) for config in reloads] == [1, 1]
    assert dict(reloads[1].model_config_list.config[0].version_labels) == {"new": 1}
