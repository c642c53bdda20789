"""What is gone from the disk of a stack that runs, and is not to be seen by its processes."""

from pathlib import Path

from slipway.stack.disk import disk_problems
from slipway.stack.plan import make_plan


def test_a_base_path_that_is_gone_is_told_until_it_is_back(tmp_path: Path) -> None:
    file = tmp_path / "slipway.toml"
    file.write_text('[[models]]\nname = "half"\nbase_path = "half"\n')
    plan = make_plan(file, nginx=None)
    plan.logs.mkdir(parents=True)
    plan.models_config.touch()
    [problem] = disk_problems(plan)
    assert problem.startswith(f"{tmp_path / 'half'}, the base path of half, is not there: ")
    (tmp_path / "half").mkdir()
    assert list(disk_problems(plan)) == []


def test_a_file_of_models_that_is_gone_is_told(tmp_path: Path) -> None:
    file = tmp_path / "slipway.toml"
    file.write_text('[server]\nmodel_config_file = "own.config"\n')
    [problem] = disk_problems(make_plan(file, nginx=None))
    assert problem.startswith(f"{tmp_path / 'own.config'} is not there: ")
