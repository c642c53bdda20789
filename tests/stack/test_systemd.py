"""The unit of systemd."""

import shutil
import subprocess
from pathlib import Path

import pytest

from slipway.errors import ConfigError
from slipway.stack.plan import make_plan
from slipway.stack.systemd import systemd_units

PROJECT = '[[models]]\nname = "half"\nbase_path = "half"\n'


def units(folder: Path, text: str = PROJECT) -> dict[str, str]:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "slipway.toml").write_text(text)
    plan = make_plan(folder / "slipway.toml", nginx=Path("/usr/sbin/nginx"))
    return dict(systemd_units(plan, user="ann"))


def test_stacks_on_one_machine_have_names_of_their_own(tmp_path: Path) -> None:
    assert list(units(tmp_path / "one shop")) == ["slipway-one-shop.service"]
    assert list(units(tmp_path / "模型")) == ["slipway.service"]


def test_it_runs_the_stack_as_its_user(tmp_path: Path) -> None:
    text = units(tmp_path / "shop")["slipway-shop.service"]
    assert f"up --foreground --config={tmp_path}/shop/slipway.toml\n" in text
    assert "\nUser=ann\n" in text
    assert "sudo systemctl enable --now slipway-shop.service" in text
    named = units(tmp_path / "shop", f'{PROJECT}[stack]\nuser = "www-data"\n')
    assert "\nUser=www-data\n" in named["slipway-shop.service"]


def test_ports_of_root_are_opened_without_root(tmp_path: Path) -> None:
    assert "CAP_NET_BIND" not in units(tmp_path / "shop")["slipway-shop.service"]
    text = units(tmp_path / "shop", f"{PROJECT}[proxy]\nport = 80\n")["slipway-shop.service"]
    assert "\nAmbientCapabilities=CAP_NET_BIND_SERVICE\n" in text


def test_paths_are_written_as_systemd_reads_them(tmp_path: Path) -> None:
    text = next(iter(units(tmp_path / '100% "a" $b').values()))
    assert f'"--config={tmp_path}/100%% \\"a\\" $$b/slipway.toml"\n' in text
    assert f'\nWorkingDirectory={tmp_path}/100%% "a" $b\n' in text


def test_a_line_break_in_a_path_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="control characters"):
        units(tmp_path / "a\nb")


def test_systemd_takes_it(tmp_path: Path) -> None:
    verifier = shutil.which("systemd-analyze")
    if not verifier:
        pytest.skip("systemd is not installed")
    for name, text in units(tmp_path / "a shop").items():
        (tmp_path / name).write_text(text.replace("User=ann", "User=root"))
        run = subprocess.run(
            [verifier, "verify", "--man=no", str(tmp_path / name)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert name not in run.stderr
