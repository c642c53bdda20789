"""TLS from the flags of the installed command to the answers of the others."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.authority import Identity, localhost, ssl_config, trusted
from tests.support.process import SLIPWAY, ServeProcess, run_slipway

MODEL = Path(__file__).parents[2] / "examples" / "half_plus_two"
FLAGS = ("--model_name=half", f"--model_base_path={MODEL}")


@dataclass(frozen=True)
class Secured:
    """A server whose gRPC port asks callers for a certificate, and files to ask it with."""

    grpc: str
    rest: str
    ca: Path
    mine: tuple[str, str]


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    folder = tmp_path_factory.mktemp("tls")
    ca = trusted().certificate
    (folder / "grpc.config").write_text(ssl_config(localhost(), ca, client_verify=True))
    (folder / "rest.config").write_text(ssl_config(localhost()))
    chain, key = trusted().issue("me").files(folder, "me")
    flags = (
        f"--ssl_config_file={folder}/grpc.config",
        f"--rest_api_ssl_config_file={folder}/rest.config",
    )
    with ServeProcess(*FLAGS, *flags) as server:
        server.wait_until_open()
        yield Secured(
            f"grpcs://{server.grpc}",
            f"https://{server.rest}",
            trusted().file(folder),
            (f"--cert_file={chain}", f"--key_file={key}"),
        )
        server.signal(signal.SIGTERM)
        assert server.exit_status() == 0


def answer(*arguments: str) -> Any:
    result = run_slipway(arguments)
    assert (result.returncode, result.stderr) == (0, "")
    return json.loads(result.stdout)


def test_the_commands_ask_over_tls(secured: Secured) -> None:
    question = ("predict", "half", '{"x": [1, 2]}', f"--ca_file={secured.ca}")
    assert answer(*question, f"--server={secured.grpc}", *secured.mine) == {"outputs": [2.5, 3.0]}
    assert answer(*question, f"--server={secured.rest}") == {"outputs": [2.5, 3.0]}
    server = (f"--server={secured.grpc}", f"--ca_file={secured.ca}", *secured.mine)
    statuses = answer("models", "status", "--json", *server)
    assert statuses[secured.grpc]["models"]["half"]["versions"][0]["state"] == "AVAILABLE"


def test_the_authorities_of_the_machine_are_believed(secured: Secured) -> None:
    question = ["predict", "half", '{"x": 1}', f"--server={secured.rest}"]
    result = run_slipway(question)
    assert result.returncode == 1
    assert "the server's certificate is not from an authority that is trusted here" in result.stderr
    believing = subprocess.run(
        [SLIPWAY, *question],
        env={**os.environ, "SSL_CERT_FILE": str(secured.ca)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(believing.stdout) == {"outputs": 2.5}


def test_what_is_wrong_with_a_file_is_one_line(secured: Secured, tmp_path: Path) -> None:
    question = ("predict", "half", '{"x": 1}', f"--server={secured.rest}")
    (tmp_path / "empty.pem").touch()
    for file, fault in [
        ("empty.pem", "slipway: --ca_file is missing or empty\n"),
        ("nothing.pem", "No such file or directory"),
    ]:
        result = run_slipway([*question, f"--ca_file={tmp_path}/{file}"])
        assert result.returncode == 1
        assert fault in result.stderr
        assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("flag", ["ssl_config_file", "rest_api_ssl_config_file"])
def test_keys_that_do_not_fit_end_the_start_before_anything_else(tmp_path: Path, flag: str) -> None:
    path = tmp_path / "ssl.config"
    path.write_text(ssl_config(Identity(trusted().issue("x").key, localhost().chain)))
    with ServeProcess(*FLAGS, f"--{flag}={path}") as server:
        assert server.exit_status() == 1
        assert server.log == (
            f"slipway: --{flag}: {path}: server_key is not the key of the first certificate in "
            "server_cert\n"
        )


# What ports have TLS, and what the warning says of those that have none.
OPEN_PORTS: dict[str, tuple[list[str], str | None]] = {
    "neither": ([], "(gRPC, REST)"),
    "one": (["ssl_config_file"], "(REST)"),
    "both": (["ssl_config_file", "rest_api_ssl_config_file"], None),
}


@pytest.mark.parametrize("case", OPEN_PORTS)
def test_ports_that_are_open_to_others_without_tls_are_warned_of(tmp_path: Path, case: str) -> None:
    flags, named = OPEN_PORTS[case]
    path = tmp_path / "ssl.config"
    path.write_text(ssl_config(localhost()))
    # With no version to serve the ports stay closed.
    with ServeProcess(
        "--host=0.0.0.0", f"--model_base_path={tmp_path}", *(f"--{flag}={path}" for flag in flags)
    ) as server:
        server.wait_for("Waiting: No versions of servable default found")
        warning = f"Listening on 0.0.0.0 without TLS {named}: whoever can reach this address"
        assert ("without TLS" in server.log) == (named is not None)
        assert named is None or warning in server.log
