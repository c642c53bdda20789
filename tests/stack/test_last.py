"""The stack of a slipway.toml that cannot be read any more is found."""

import subprocess
import sys
from pathlib import Path

import pytest

from slipway.stack.last import last_plan
from slipway.stack.plan import Plan, make_plan
from slipway.stack.supervisor import supervisor_config
from tests.support.waiting import wait_until

MODEL = '[[models]]\nname = "half"\nbase_path = "half"\n'


def started(folder: Path, text: str) -> Plan:
    """Return the plan of a project that left in its run folder what a start leaves there."""
    folder.mkdir()
    (folder / "slipway.toml").write_text(text)
    plan = make_plan(folder / "slipway.toml", nginx=None)
    plan.run.mkdir()
    plan.last_file.write_text(text)
    plan.supervisor_config.write_text(supervisor_config(plan))
    return plan


@pytest.mark.parametrize("now", ["[server", "x = 1", None])
def test_its_plan_is_the_one_that_was_started(tmp_path: Path, now: str | None) -> None:
    plan = started(tmp_path / "project", MODEL)
    plan.file.unlink()
    if now is not None:
        plan.file.write_text(now)
    assert last_plan(plan.file, nginx=None) == plan


def test_a_run_folder_elsewhere_is_found_by_its_supervisord(tmp_path: Path) -> None:
    plan = started(tmp_path / "project", f'{MODEL}[stack]\nrun_folder = "{tmp_path}/elsewhere"\n')
    plan.file.write_text("[server")
    assert last_plan(plan.file, nginx=None) is None
    script = "import time; time.sleep(600)"
    words = ["supervisor.supervisord", "-c", str(plan.supervisor_config)]
    with subprocess.Popen([sys.executable, "-c", script, *words]) as process:
        try:
            wait_until(lambda: last_plan(plan.file, nginx=None) == plan, "its plan")
        finally:
            process.kill()


def test_the_stack_of_another_project_is_none_of_ours(tmp_path: Path) -> None:
    run = tmp_path / "shared"
    started(tmp_path / "theirs", f'{MODEL}[stack]\nrun_folder = "{run}"\n')
    (tmp_path / "ours").mkdir()
    assert last_plan(tmp_path / "ours" / "slipway.toml", nginx=None) is None
    run.rename(tmp_path / "ours" / "run")
    assert last_plan(tmp_path / "ours" / "slipway.toml", nginx=None) is None
