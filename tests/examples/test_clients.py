"""The clients to copy from, run as they are against a gateway and a model server."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.support.documents import commands_of
from tests.support.stack import Stack

ROOT = Path(__file__).parents[2]
CLIENTS = ROOT / "examples" / "clients"
README = (CLIENTS / "README.md").read_text()


def run(folder: Path, *command: str | Path) -> str:
    """Return what a command prints."""
    done = subprocess.run(
        [*map(str, command)],
        cwd=folder,
        # The servers are on this machine, whatever proxy the rest of the world is behind.
        env={**os.environ, "no_proxy": "127.0.0.1", "NO_PROXY": "127.0.0.1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def python(folder: Path, name: str, *arguments: str | Path) -> str:
    return run(folder, sys.executable, CLIENTS / name, *arguments)


def labels_of(output: str) -> list[str]:
    return re.findall(r"\b(?:NEG|POS|NEU)\b", output)


def assert_mask(path: Path) -> None:
    """Expect a mask of the orange in the middle of the picture that comes with the clients."""
    mask = Image.open(path)
    assert (mask.format, mask.mode, mask.size) == ("PNG", "L", (400, 300))
    middle, corner = mask.getpixel((205, 158)), mask.getpixel((5, 5))
    assert isinstance(middle, int)
    assert isinstance(corner, int)
    assert middle > 200 > 50 > corner


def test_sentences_with_requests(stack: Stack, tmp_path: Path) -> None:
    output = python(tmp_path, "sentence_requests.py", stack.url)
    assert labels_of(output) == ["POS", "POS", "NEG", "NEG"]
    assert "'classes_id': 1" in output


def test_a_picture_with_requests(stack: Stack, tmp_path: Path) -> None:
    output = python(tmp_path, "picture_requests.py", CLIENTS / "picture.jpg", stack.url)
    found = re.fullmatch(r"400x300, (\d+)% of it is marked\nwrote mask.png\n", output)
    assert found, output
    # The orange has 14 % of the picture.
    assert 7 < int(found[1]) < 28
    assert_mask(tmp_path / "mask.png")


@pytest.mark.parametrize("transport", ["grpc", "rest"])
def test_arrays_with_the_client_of_slipway(stack: Stack, tmp_path: Path, transport: str) -> None:
    address = stack.server.grpc if transport == "grpc" else f"http://{stack.server.rest}"
    output = python(tmp_path, "with_slipway_client.py", address)
    assert "takes words: string (-1, -1)" in output
    assert labels_of(output) == ["POS", "NEG"]


def test_arrays_with_the_stubs_of_tensorflow_serving(stack: Stack, tmp_path: Path) -> None:
    output = python(tmp_path, "with_official_stubs.py", stack.server.grpc)
    assert labels_of(output) == ["POS", "NEG"]


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_everything_with_curl(stack: Stack, tmp_path: Path) -> None:
    rest = f"http://{stack.server.rest}"
    output = run(tmp_path, "sh", "-eu", CLIENTS / "with_curl.sh", stack.url, rest)
    assert labels_of(output) == ["POS", "NEG", "POS", "NEG"]
    assert re.search(r"^image/png, \d+ bytes$", output, re.MULTILINE)
    assert_mask(tmp_path / "mask.png")


def test_a_failure_is_told(stack: Stack, tmp_path: Path) -> None:
    picture = tmp_path / "photo.jpg"
    picture.write_text("no picture")
    with pytest.raises(AssertionError, match=r"415: .*An image must be JPEG"):
        python(tmp_path, "picture_requests.py", picture, stack.url)
    with pytest.raises(AssertionError, match="UNAVAILABLE"):
        python(tmp_path, "with_slipway_client.py", "127.0.0.1:1")


def test_the_readme_lists_every_client() -> None:
    files = {path.name for path in CLIENTS.iterdir() if path.suffix in (".py", ".sh")}
    assert set(re.findall(r"^\| \[`(\w+\.\w+)`\]", README, re.MULTILINE)) == files


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_the_readme_shows_what_they_print(stack: Stack, tmp_path: Path) -> None:
    shown = README.split("```console\n")[1].split("```")[0]
    for command, wanted in commands_of(shown):
        for usual, ours in (
            ("http://127.0.0.1:5000", stack.url),
            ("127.0.0.1:8500", stack.server.grpc),
            ("127.0.0.1:8501", stack.server.rest),
            ("examples/clients", str(CLIENTS)),
            ("python ", f"{sys.executable} "),
        ):
            command = command.replace(usual, ours)
        assert normal(run(tmp_path, *command.split())) == normal(wanted)


def normal(text: str) -> str:
    """Leave out what the processor has a say in: last digits, and the mask's exact outline."""
    text = re.sub(r"0\.\d{5,}", lambda number: f"{float(number[0]):.3f}", text)
    return re.sub(r"\d+(?=% of it is marked| bytes$)", "N", text, flags=re.MULTILINE).strip()
