"""`slipway render`."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from slipway.cli.main import slipway


@pytest.fixture
def project(tmp_path: Path) -> Path:
    file = tmp_path / "slipway.toml"
    file.write_text('[[models]]\nname = "half"\nbase_path = "half"\n')
    return file


def test_all_files_are_printed_below_their_paths(project: Path) -> None:
    run = CliRunner().invoke(slipway, ["render", f"--config={project}"], catch_exceptions=False)
    folder = project.parent
    for path in ("models.config", "nginx.conf", "supervisord.conf"):
        assert f"==> {folder}/run/{path} <==\n" in run.output
    assert "==> /etc/systemd/system/slipway-" in run.output
    assert list(folder.iterdir()) == [project]


def test_one_of_them_is_printed_alone(project: Path) -> None:
    arguments = ["render", f"--config={project}", "models.config"]
    run = CliRunner().invoke(slipway, arguments, catch_exceptions=False)
    assert run.output.startswith("# The models of")
    assert "==>" not in run.output


def test_others_are_named_when_there_is_none_of_the_name(project: Path) -> None:
    run = CliRunner().invoke(slipway, ["render", f"--config={project}", "nginx"])
    assert "there is no file nginx; there are models.config, nginx.conf" in str(run.exception)
