"""Who follows the guide of the gateway gets what it shows."""

import re
import runpy
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

import slipway
from slipway import models
from slipway.config.project import Project, RouteSection
from slipway.gateway import GatewayConfig, InputLimits, create_app
from slipway.gateway.metrics import Metrics
from slipway.gateway.problems import INPUT_STATUS, MODEL_STATUS
from slipway.gateway.project import load_gateway
from slipway.testing import FakeModels, run_handler
from tests.conftest import ROOT
from tests.support.documents import Shell, blocks_of
from tests.support.projects import write_project

GUIDE = (ROOT / "docs" / "guides" / "gateway.md").read_text()


def section(heading: str) -> str:
    return GUIDE.split(f"\n{heading}\n", 1)[1].split("\n#", 1)[0]


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the table below a heading, without its head."""
    lines = [line for line in section(heading).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The project of the guide, after everything in it has been done."""
    if not shutil.which("curl"):
        pytest.skip("curl is not installed")
    with Shell(tmp_path_factory.mktemp("guide")) as shell:
        project = shell.folder / "reviews"
        for block in blocks_of(GUIDE):
            match block.purpose.split(), block.language:
                case [], "console":
                    shell.follow(block.text)
                case ["file", name], _:
                    (project / name).write_text(block.text)
                case ["append", name], _:
                    with (project / name).open("a") as file:
                        file.write(f"\n{block.text}")
                case ["in", name], _:
                    assert block.text in (project / name).read_text()
                case ["example"], "toml":
                    Project.model_validate(tomllib.loads(block.text))
                case _:
                    raise AssertionError(f"nobody here knows what to do with {block}")
        yield project


def test_every_command_prints_what_is_shown(project: Path) -> None:
    assert (project / "small.png").is_file()


def test_one_handler_asks_two_models(project: Path) -> None:
    post = runpy.run_path(str(project / "post.py"))["Post"]()
    orange = Image.open(ROOT / "examples" / "clients" / "picture.jpg")
    with (
        slipway.load(models.path_of("sentiment") / "1") as sentiment,
        slipway.load(models.path_of("saliency") / "1") as saliency,
    ):
        loaded = {"sentiment": sentiment, "saliency": saliency}
        answer = run_handler(post, loaded, line="我 很 喜欢 这个 产品", img=orange)
    assert answer["label"] == b"POS"
    assert 0.07 < answer["subject"] < 0.28


def test_the_routes_are_in_the_app_that_is_there(project: Path) -> None:
    script = "from shop import app; print(*app.url_map.iter_rules())"
    run = subprocess.run(
        [sys.executable, "-c", script], cwd=project, capture_output=True, text=True, check=False
    )
    assert "/models/sentence" in run.stdout.split(), run.stderr


def test_the_code_is_what_we_would_write(project: Path) -> None:
    purposes = [block.purpose.split() for block in blocks_of(GUIDE)]
    files = [str(project / purpose[1]) for purpose in purposes if purpose[:1] == ["file"]]
    # Tests of a project assert, and say with their names what they are.
    rules = ["--config", str(ROOT / "pyproject.toml"), "--ignore=S101,D1"]
    run = subprocess.run(
        [sys.executable, "-m", "ruff", "check", *rules, *files],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr


def test_every_failure_is_in_the_table() -> None:
    told = {int(status) for cells in rows("## When it fails") for status in cells[0].split(", ")}
    assert {*INPUT_STATUS.values(), *(status for status, _ in MODEL_STATUS.values())} <= told
    for kind in INPUT_STATUS:
        [cells] = [cells for cells in rows("## When it fails") if f"`{kind.__name__}`" in cells[1]]
        assert cells[0] == str(INPUT_STATUS[kind])


def test_the_limits_are_those_that_hold() -> None:
    limits = InputLimits()
    told = [cells[1] for cells in rows("## Limits")]
    assert told[:5] == [
        f"{limits.max_body_bytes // 2**20} MiB",
        f"{limits.max_image_pixels // 10**6} million pixels",
        f"{limits.max_url_file_bytes // 2**10} KiB",
        f"{limits.max_query_bytes} bytes, 1000 fields",
        f"{limits.max_json_depth} levels",
    ]


def test_every_attribute_of_a_handler_is_told() -> None:
    told = {name for cells in rows("## A handler") for name in re.findall(r"`(\w+)`", cells[0])}
    assert told == RouteSection.model_fields.keys() - {"handler"}


def test_every_page_is_told(tmp_path: Path) -> None:
    app = create_app(GatewayConfig([], run_folder=tmp_path), models=FakeModels({}))
    pages = {rule.rule for rule in app.url_map.iter_rules()}
    parts = {page for page in pages if page.startswith("/try") and page != "/try"}
    assert {cells[0].strip("`") for cells in rows("## Pages about the gateway")} == pages - parts


def test_every_route_of_the_usual_example_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The folder of the file becomes one to import from, for this test alone.
    monkeypatch.setattr(sys, "path", list(sys.path))
    config = load_gateway(write_project(tmp_path, ["127.0.0.1:1"]) / "slipway.toml")
    wanted = {f"{method} {each.route}" for each in config.handlers for method in each.methods}
    told = {cells[0].strip("`") for cells in rows("## The routes of the usual example")}
    assert told == wanted


def test_every_count_is_named() -> None:
    text = Metrics().text().decode()
    names = {line.split()[2].removesuffix("_total") for line in text.splitlines() if "TYPE" in line}
    assert {name for name in names if f"`{name}" not in GUIDE} == set()
