"""Cases G of the contract: several models, policies, labels, and reloads while the server runs."""

import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import grpc
import pytest

import slipway
from tests.support.models import SavedModels
from tests.support.process import ServeProcess
from tests.support.rest import ask
from tests.support.waiting import wait_until

REFUSED = "INVALID_ARGUMENT"
ONE = {"instances": [1.0]}


def model(name: str, base_path: Path | str, more: str = "") -> str:
    return (
        f'config {{ name: "{name}" base_path: "{base_path}" model_platform: "tensorflow" {more} }}'
    )


def specific(*numbers: int) -> str:
    versions = " ".join(f"versions: {number}" for number in numbers)
    return f"model_version_policy {{ specific {{ {versions} }} }}"


def labels(**versions: int) -> str:
    return " ".join(
        f'version_labels {{ key: "{label}" value: {version} }}'
        for label, version in versions.items()
    )


@dataclass(frozen=True)
class Server:
    """A server that takes reloads, by the official client."""

    process: ServeProcess
    client: Any
    stubs: ModuleType

    def reload(self, *models: str, timeout_s: float = 60) -> None:
        """Have these models served. Raises grpc.RpcError."""
        from google.protobuf import text_format

        request = self.stubs.reload_request()
        text = " ".join(models)
        text_format.Parse(f"model_config_list {{ {text} }}", request.config)
        self.client.reload(request, timeout_s)

    def refusal(self, *models: str, timeout_s: float = 60) -> tuple[str, str]:
        with pytest.raises(grpc.RpcError) as raised:
            self.reload(*models, timeout_s=timeout_s)
        return raised.value.code().name, raised.value.details()

    def states(self, name: str) -> dict[int, str]:
        reply = ask(self.process.rest, "GET", f"/v1/models/{name}")
        if reply.status == 404:
            return {}
        entries = reply.json["model_version_status"]
        return {int(entry["version"]): entry["state"] for entry in entries}

    def knows(self, name: str) -> bool:
        """Return whether a model is configured."""
        with slipway.Client(self.process.grpc) as client:
            return name in client.models()

    def version(self, name: str, where: str = "") -> int:
        """Return the version that answers; 0 where none does."""
        reply = ask(self.process.rest, "GET", f"/v1/models/{name}{where}/metadata")
        return int(reply.json["model_spec"]["version"]) if reply.status == 200 else 0

    @contextmanager
    def asked_all_along(self, name: str) -> Iterator[list[int]]:
        """Ask for a model as long as the block lasts; yield the versions that answer."""
        answers: list[int] = []
        done = threading.Event()

        def keep_asking() -> None:
            while not done.is_set():
                answers.append(self.version(name))

        asking = threading.Thread(target=keep_asking)
        asking.start()
        try:
            yield answers
        finally:
            done.set()
            asking.join()

    def error(self, name: str, where: str) -> tuple[int, str]:
        reply = ask(self.process.rest, "POST", f"/v1/models/{name}{where}:predict", ONE)
        return reply.status, reply.error


@contextmanager
def serving(stubs: ModuleType, *flags: str) -> Iterator[Server]:
    with ServeProcess(*flags) as process:
        process.wait_until_open()
        client = stubs.OfficialClient(process.grpc)
        yield Server(process, client, stubs)
        client.channel.close()


@pytest.fixture(scope="module")
def shared(stubs: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    config = tmp_path_factory.mktemp("config") / "empty.config"
    config.touch()
    with serving(stubs, f"--model_config_file={config}", "--max_num_load_retries=0") as server:
        yield server


@pytest.fixture
def server(shared: Server) -> Server:
    """A server without models, which takes reloads."""
    shared.reload()
    wait_until(lambda: shared.version("half") == 0, "the models of before to leave")
    return shared


@pytest.fixture
def h(saved_models: SavedModels, tmp_path: Path) -> Path:
    """The base path of `half` with version 123 alone."""
    shutil.copytree(saved_models.version("half", 123), tmp_path / "h" / "123")
    return tmp_path / "h"


@pytest.fixture
def h2(saved_models: SavedModels) -> Path:
    """The base path of `half` with versions 123 and 124."""
    return saved_models.base_path("half")


def broken(source: Path, target: Path) -> Path:
    """Copy a version with a variable's bytes damaged."""
    shutil.copytree(source, target)
    data = next((target / "variables").glob("*.data-*"))
    data.write_bytes(bytes(byte ^ 0xFF for byte in data.read_bytes()))
    return target


def test_g1_a_reload_returns_when_the_new_model_is_available(server: Server, h: Path) -> None:
    server.reload(model("half", h))
    assert server.states("half")[123] == "AVAILABLE"
    assert server.version("half") == 123


def test_g2_g3_a_model_that_is_taken_out_ends_and_can_come_back(server: Server, h: Path) -> None:
    server.reload(model("half", h))
    server.reload()
    wait_until(lambda: server.states("half")[123] == "END", "the model to end")
    assert server.error("half", "") == (404, "Servable not found for request: Latest(half)")
    server.reload(model("half", h))
    assert server.states("half")[123] == "AVAILABLE"


def test_g4_a_changed_base_path_is_followed_and_back(server: Server, h: Path, h2: Path) -> None:
    server.reload(model("half", h))
    server.reload(model("half", h2))
    wait_until(lambda: server.version("half") == 124, "124")
    server.reload(model("half", h))
    wait_until(lambda: server.states("half") == {123: "AVAILABLE", 124: "END"}, "123")


def test_the_same_version_under_another_base_path_is_loaded_anew_without_a_gap(
    server: Server, h: Path, saved_models: SavedModels, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(saved_models.version("dense", 1), other / "123")
    server.reload(model("half", h))
    with server.asked_all_along("half") as answers:
        server.reload(model("half", other))
        wait_until(lambda: "add" in signatures(server, "half"), "the other model")
    assert set(answers) == {123}
    assert server.states("half")[123] == "AVAILABLE"


def signatures(server: Server, name: str) -> list[str]:
    reply = ask(server.process.rest, "GET", f"/v1/models/{name}/metadata")
    return list(reply.json["metadata"]["signature_def"]["signature_def"])


def test_g6_a_start_with_a_model_that_fails_fails(
    saved_models: SavedModels, tmp_path: Path
) -> None:
    broken(saved_models.version("half", 123), tmp_path / "half" / "1")
    config = tmp_path / "models.config"
    config.write_text(f"model_config_list {{ {model('half', tmp_path / 'half')} }}")
    with ServeProcess(f"--model_config_file={config}", "--max_num_load_retries=0") as process:
        assert process.exit_status() == 1
    assert "1 servable(s) did not become available: {{{name: half version: 1} due" in process.log


def test_g7_a_config_that_is_no_list_is_refused(server: Server, stubs: ModuleType) -> None:
    request = stubs.reload_request()
    request.config.custom_model_config.type_url = "example.com/x"
    for config in (request, stubs.reload_request()):
        with pytest.raises(grpc.RpcError) as raised:
            server.client.reload(config)
        assert raised.value.code().name == REFUSED
        assert "Only ModelConfigList is currently supported" in raised.value.details()


def test_g8_the_deprecated_model_type_stands_in_for_the_platform(server: Server, h: Path) -> None:
    server.reload(f'config {{ name: "half" base_path: "{h}" model_type: TENSORFLOW }}')
    assert server.version("half") == 123


def test_g11_a_model_that_stays_is_never_interrupted(
    server: Server, saved_models: SavedModels
) -> None:
    paths = {name: saved_models.base_path(name) for name in ("half", "dense", "loop")}
    server.reload(model("half", paths["half"]), model("dense", paths["dense"]))
    with server.asked_all_along("dense") as answers:
        server.reload(model("dense", paths["dense"]), model("loop", paths["loop"]))
        assert server.version("loop") == 1
        wait_until(lambda: set(server.states("half").values()) == {"END"}, "half to leave")
    assert set(answers) == {1}


def test_g12_of_two_versions_the_higher_one_answers(server: Server, h2: Path) -> None:
    server.reload(model("half", h2, "model_version_policy { all {} }"))
    wait_until(lambda: len(set(server.states("half").values())) == 1, "both versions")
    assert server.version("half") == 124
    assert server.version("half", "/versions/123") == 123


def test_g13_labels_name_versions(server: Server, h2: Path) -> None:
    both = specific(123, 124)
    server.reload(model("half", h2, both))
    server.reload(model("half", h2, both + labels(A=123, B=124)))
    wait_until(lambda: server.version("half", "/labels/A") == 123, "label A")
    wait_until(lambda: server.version("half", "/labels/B") == 124, "label B")
    assert server.error("half", "/labels/nonexistent") == (
        400,
        "Unrecognized servable version label: nonexistent",
    )
    server.reload(model("half", h2, both + labels(A=124)))
    assert server.version("half", "/labels/A") == 124
    assert server.error("half", "/labels/B")[0] == 400


def test_a_label_may_come_with_the_version_that_it_names(server: Server, h2: Path) -> None:
    server.reload(model("half", h2, specific(123, 124) + labels(stable=123, canary=124)))
    wait_until(lambda: server.version("half", "/labels/canary") == 124, "the label")
    wait_until(lambda: server.version("half", "/labels/stable") == 123, "the label")


def test_g14_a_label_on_a_version_that_is_not_there_is_refused(server: Server, h: Path) -> None:
    server.reload(model("half", h))
    code, message = server.refusal(model("half", h, labels(**{"nice try": 1})))
    assert code == "FAILED_PRECONDITION"
    assert (
        "Request to assign label to version 1 of model half, which is not currently available "
        "for inference" in message
    )


def test_g14_g15_new_labels_may_be_early_where_that_is_allowed_and_moves_may_not(
    stubs: ModuleType, h: Path, tmp_path: Path
) -> None:
    config = tmp_path / "models.config"
    config.write_text(f"model_config_list {{ {model('half', h, labels(early=7))} }}")
    allowed = "--allow_version_labels_for_unavailable_models=true"
    with serving(stubs, f"--model_config_file={config}", allowed) as server:
        assert server.error("half", "/labels/early") == (
            404,
            "Servable not found for request: Specific(half, 7)",
        )
        server.reload(model("half", h, labels(A=123)))
        assert server.version("half", "/labels/A") == 123
        code, message = server.refusal(model("half", h, labels(A=7)))
        assert code == "FAILED_PRECONDITION"
        assert "not currently available for inference" in message
        assert server.version("half", "/labels/A") == 123


def test_a_start_with_a_label_on_nothing_fails(h: Path, tmp_path: Path) -> None:
    config = tmp_path / "models.config"
    config.write_text(f"model_config_list {{ {model('half', h, labels(early=7))} }}")
    with ServeProcess(f"--model_config_file={config}") as process:
        assert process.exit_status() == 1
    assert "assign label to version 7 of model half" in process.log


def test_a_label_on_nothing_does_not_end_a_server_whose_ports_are_open(
    stubs: ModuleType, h: Path, tmp_path: Path
) -> None:
    config = tmp_path / "models.config"
    config.write_text(f"model_config_list {{ {model('half', h, labels(early=7))} }}")
    with serving(stubs, f"--model_config_file={config}", "--serve_while_loading") as server:
        server.process.wait_for("assign label to version 7 of model half")
        server.process.wait_for("Finished adding/updating models")
        assert server.error("half", "/labels/early")[0] == 400
        assert server.version("half") == 123


def test_a_new_model_that_cannot_be_loaded_undoes_the_reload(
    server: Server, h: Path, saved_models: SavedModels, tmp_path: Path
) -> None:
    broken(saved_models.version("dense", 1), tmp_path / "bad" / "1")
    server.reload(model("half", h))
    code, message = server.refusal(model("half", h, labels(A=123)), model("bad", tmp_path / "bad"))
    assert code == "UNKNOWN"
    assert "1 model(s) did not become available: {{{name: bad version: 1} due to error:" in message
    assert "The configuration of before is in force again." in message
    assert str(tmp_path) not in message
    assert server.version("half") == 123
    assert server.error("half", "/labels/A")[0] == 400


def test_a_model_that_is_taken_out_answers_until_the_reload_has_succeeded(
    server: Server, h: Path, saved_models: SavedModels, tmp_path: Path
) -> None:
    broken(saved_models.version("dense", 1), tmp_path / "bad" / "1")
    server.reload(model("half", h))
    with server.asked_all_along("half") as answers:
        assert server.refusal(model("bad", tmp_path / "bad"))[0] == "UNKNOWN"
    assert set(answers) == {123}
    server.reload(model("dense", saved_models.base_path("dense")))
    wait_until(lambda: server.version("half") == 0, "half to leave")


def test_a_reload_waits_no_longer_than_its_caller(
    server: Server, saved_models: SavedModels, tmp_path: Path
) -> None:
    """A model that is still being copied is served when the copy is complete."""
    version = tmp_path / "late" / "1"
    shutil.copytree(saved_models.version("dense", 1), version)
    (version / "variables" / "variables.index").rename(tmp_path / "index")
    code, message = server.refusal(model("late", tmp_path / "late"), timeout_s=1.5)
    assert code == "DEADLINE_EXCEEDED"
    assert "its new models are still loading: ['late']" in message
    (tmp_path / "index").rename(version / "variables" / "variables.index")
    wait_until(lambda: server.version("late") == 1, "the model")


def test_a_later_reload_answers_an_earlier_one_that_it_overtakes(
    server: Server, saved_models: SavedModels, h: Path, tmp_path: Path
) -> None:
    version = tmp_path / "overtaken" / "1"
    shutil.copytree(saved_models.version("dense", 1), version)
    (version / "variables" / "variables.index").unlink()
    outcome: list[tuple[str, str]] = []
    late = threading.Thread(
        target=lambda: outcome.append(server.refusal(model("overtaken", tmp_path / "overtaken")))
    )
    late.start()
    wait_until(lambda: "Version 1 of servable overtaken" in server.process.log, "the first reload")
    server.reload(model("half", h))
    late.join()
    assert outcome == [("ABORTED", "A later configuration has changed ['overtaken'] since")]


def test_reloads_that_overlap_each_end_and_the_last_one_counts(
    server: Server, saved_models: SavedModels
) -> None:
    names = ["half", "dense", "loop", "vocabulary"]

    codes: list[str] = []

    def ask_for(name: str) -> None:
        try:
            server.reload(model(name, saved_models.base_path(name)))
            codes.append("OK")
        except grpc.RpcError as error:
            codes.append(error.code().name)

    callers = [threading.Thread(target=ask_for, args=(name,)) for name in names * 3]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert len(codes) == 12
    assert set(codes) <= {"OK", "ABORTED"}
    wait_until(lambda: len([name for name in names if server.version(name)]) == 1, "one to be left")
    server.reload(model("half", saved_models.base_path("half")))
    wait_until(lambda: [n for n in names if server.version(n)] == ["half"], "the last one")


Broken = tuple[str, Callable[[Path], str], str, str]

BROKEN: list[Broken] = [
    (
        "duplicate name",
        lambda h: model("half", h) + model("half", h),
        REFUSED,
        "Illegal to list model half multiple times in config list",
    ),
    (
        "relative path",
        lambda h: model("half", "models/half"),
        REFUSED,
        "Expected model half to have an absolute path or URI; got base_path()=models/half",
    ),
    (
        "relative path beside an absolute one",
        lambda h: model("half", h) + model("other", "other"),
        REFUSED,
        "Expected model other to have an absolute path",
    ),
    ("no path", lambda h: 'config { name: "x" model_platform: "tensorflow" }', REFUSED, "model x"),
    (
        "a URL",
        lambda h: model("half", "gs://bucket/half"),
        REFUSED,
        "Model half has the base path gs://bucket/half, which is a URL",
    ),
    (
        "no name",
        lambda h: model("", h),
        REFUSED,
        "has no name",
    ),
    (
        "platform changed",
        lambda h: f'config {{ name: "half" base_path: "{h}" model_platform: "caffe" }}',
        REFUSED,
        "Illegal to change a model's platform. For model half platform was tensorflow and new "
        "platform requested is caffe",
    ),
    (
        "unknown platform",
        lambda h: f'config {{ name: "other" base_path: "{h}" model_platform: "caffe" }}',
        REFUSED,
        "Model other requests unsupported platform caffe",
    ),
    (
        "neither platform nor type",
        lambda h: f'config {{ name: "half" base_path: "{h}" }}',
        REFUSED,
        "Illegal setting neither ModelServerConfig::model_type (deprecated) nor "
        "ModelServerConfig::model_platform, model name is half",
    ),
    (
        "both platform and type",
        lambda h: model("half", h, "model_type: TENSORFLOW"),
        REFUSED,
        "Illegal setting both ModelServerConfig::model_type (deprecated) and "
        "ModelServerConfig::model_platform, model name is half",
    ),
    (
        "type OTHER",
        lambda h: f'config {{ name: "half" base_path: "{h}" model_type: OTHER }}',
        REFUSED,
        "ModelServerConfig::model_type choice 2 not supported.",
    ),
    (
        "missing path",
        lambda h: model("half", h) + model("other", h / "nowhere"),
        "NOT_FOUND",
        "Could not find base path",
    ),
    (
        "a path without versions",
        lambda h: model("half", h) + model("other", h / "123"),
        "NOT_FOUND",
        "No versions of servable other found under base path",
    ),
    (
        "a path that is a file",
        lambda h: model("other", h / "123" / "saved_model.pb"),
        "NOT_FOUND",
        "Could not find base path",
    ),
    (
        "versions that are not there",
        lambda h: model("half", h, specific(7, 8)),
        "NOT_FOUND",
        "None of the versions [7, 8] of servable half is under its base path",
    ),
    (
        "a path with a NUL character",
        lambda h: model("half", h) + model("other", f"{h}\\000"),
        REFUSED,
        "Model other has a NUL character in its base path",
    ),
    (
        "label to nothing",
        lambda h: model("half", h, labels(stable=7)),
        "FAILED_PRECONDITION",
        "assign label to version 7 of model half",
    ),
    (
        "label of a new model to nothing",
        lambda h: model("half", h) + model("other", h, labels(stable=7)),
        "FAILED_PRECONDITION",
        "assign label to version 7 of model other",
    ),
    (
        "label to a version that the policy leaves out",
        lambda h: model("other", h.parent / "two", specific(1) + labels(stable=2)),
        "FAILED_PRECONDITION",
        "assign label to version 2 of model other",
    ),
]


@pytest.mark.parametrize(
    ("config", "code", "message"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN]
)
def test_a_broken_config_is_refused_and_nothing_changes(
    server: Server, h: Path, config: Callable[[Path], str], code: str, message: str
) -> None:
    for number in ("1", "2"):
        shutil.copytree(h / "123", h.parent / "two" / number)
    server.reload(model("half", h, labels(A=123)))
    found = server.refusal(config(h))
    assert found[0] == code
    assert message in found[1]
    assert server.states("half")[123] == "AVAILABLE"
    assert server.version("half", "/labels/A") == 123
    assert server.states("other") == {}


def test_a_model_outside_of_the_root_is_refused(
    stubs: ModuleType, h: Path, h2: Path, tmp_path: Path
) -> None:
    config = tmp_path / "models.config"
    config.write_text(f"model_config_list {{ {model('half', h)} }}")
    (tmp_path / "link").symlink_to(h2)
    root = f"--model_root={tmp_path}"
    with serving(stubs, f"--model_config_file={config}", root) as server:
        for outside in (h2, tmp_path / "link", tmp_path / ".." / "elsewhere"):
            code, message = server.refusal(model("half", outside))
            assert code == REFUSED
            assert "which is outside of the folder that --model_root allows" in message
        assert server.version("half") == 123


def test_models_load_while_the_ports_are_open_where_that_is_wanted(
    stubs: ModuleType, saved_models: SavedModels, h: Path, tmp_path: Path
) -> None:
    config = tmp_path / "models.config"
    late = tmp_path / "late"
    models = model("half", h) + model("late", late)
    config.write_text(f"model_config_list {{ {models} }}")
    with serving(stubs, f"--model_config_file={config}", "--serve_while_loading=true") as server:
        wait_until(lambda: server.version("half") == 123, "the first model")
        assert server.error("late", "")[0] == 404
        shutil.copytree(saved_models.version("half", 123), late / "5")
        wait_until(lambda: server.version("late") == 5, "the second model")


FILES: list[tuple[str, str, str]] = [
    ("syntax", "model_config_list {\n  config {\n", "3:1: "),
    ("unknown field", "model_config_list {\n  konfig { }\n}", "2:3: field 'konfig' not found"),
    ("wrong type", "model_config_list { config { name: 5 } }", "1:36: expected a string"),
    ("number too large", 'model_config_list { config { version_labels { value: 1e99 } } }', "1:5"),
    ("two policies", "model_config_list { config { model_version_policy { all {} latest {} } } }",
     "1:67: a value is already set"),
    ("not text", "\xff\xfe", "models.config"),
    ("custom", 'custom_model_config { [example.com/x] {} }', "models.config"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), [row[1:] for row in FILES], ids=[r[0] for r in FILES])
def test_a_file_that_cannot_be_read_is_named_with_line_and_column(
    tmp_path: Path, text: str, message: str
) -> None:
    config = tmp_path / "models.config"
    config.write_text(text, encoding="latin-1")
    with ServeProcess(f"--model_config_file={config}") as process:
        assert process.exit_status() == 1
    last = process.log.splitlines()[-1]
    assert str(config) in last
    assert message in last


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with ServeProcess(f"--model_config_file={tmp_path / 'no.config'}") as process:
        assert process.exit_status() == 1
    assert f"{tmp_path / 'no.config'}; No such file or directory" in process.log


def test_the_file_is_followed_and_rules(
    stubs: ModuleType, h: Path, h2: Path, saved_models: SavedModels, tmp_path: Path
) -> None:
    config = tmp_path / "models.config"

    def write(*models: str) -> None:
        (tmp_path / "new").write_text(f"model_config_list {{ {' '.join(models)} }}")
        (tmp_path / "new").rename(config)

    write(model("half", h))
    flags = (f"--model_config_file={config}", "--model_config_file_poll_wait_seconds=1")
    with serving(stubs, *flags) as server:
        dense = model("dense", saved_models.base_path("dense"))
        write(model("half", h), dense)
        wait_until(lambda: server.version("dense") == 1, "the second model")
        (tmp_path / "broken").write_text("model_config_list {")
        (tmp_path / "broken").rename(config)
        server.process.wait_for("changes nothing: Error parsing text-format tensorflow.serving.Mod")
        assert server.version("dense") == 1
        write(model("half", h2, specific(123, 124) + labels(stable=123)))
        wait_until(lambda: server.version("half", "/labels/stable") == 123, "the label")
        wait_until(lambda: server.version("half") == 124, "the new base path")
        wait_until(lambda: server.version("dense") == 0, "dense to leave")
        server.reload(dense)
        assert server.version("dense") == 1
        wait_until(lambda: server.version("dense") == 0, "the file to rule again")


def test_h16_with_one_look_at_the_disk_later_versions_stay_unknown(
    stubs: ModuleType, h: Path, saved_models: SavedModels, tmp_path: Path
) -> None:
    config = tmp_path / "models.config"
    config.write_text(f"model_config_list {{ {model('half', h)} }}")
    late = tmp_path / "late" / "1"
    shutil.copytree(saved_models.version("dense", 1), late)
    (late / "variables" / "variables.index").rename(tmp_path / "index")
    flags = (f"--model_config_file={config}", "--file_system_poll_wait_seconds=0")
    with serving(stubs, *flags) as server:
        shutil.copytree(saved_models.version("half", 124), h / "124")
        models = model("half", h), model("late", late.parent)
        waiting = threading.Thread(target=server.reload, args=models)
        waiting.start()
        wait_until(lambda: server.states("late") == {} and server.knows("late"), "the reload")
        (tmp_path / "index").rename(late / "variables" / "variables.index")
        waiting.join()
        assert server.version("late") == 1, "a reload looks for what it waits for"
        assert server.states("half") == {123: "AVAILABLE"}


def test_a_guide_s_file_is_taken_as_it_stands(
    stubs: ModuleType, saved_models: SavedModels, tmp_path: Path
) -> None:
    for number in (1, 2):
        shutil.copytree(saved_models.version("half", 123), tmp_path / "lstm" / str(number))
    shutil.copytree(saved_models.version("dense", 1), tmp_path / "saliency" / "1")
    config = tmp_path / "models.config"
    config.write_text(f"""
# Two models, as guides have them: colons, commas after a brace, both kinds of quotes.
model_config_list: {{
    config: {{
        name: "lstm",
        base_path: "{tmp_path}/lstm",
        model_platform: "tensorflow",
        model_version_policy: {{
            specific: {{
                versions: 1,
                versions: 2
            }}
        }},
        version_labels: {{
            key: 'stable',
            value: 1
        }},
        version_labels: {{
            key: 'abtest1',
            value: 2
        }}
    }},
    config: <
        name: "saliency";
        base_path: "{tmp_path}/saliency";
        model_platform: "tensorflow";
    >,
}}
""")
    with serving(stubs, f"--model_config_file={config}") as server:
        wait_until(lambda: server.version("lstm", "/labels/abtest1") == 2, "both versions")
        assert server.version("lstm", "/labels/stable") == 1
        assert server.version("saliency") == 1
