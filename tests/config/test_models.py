from pathlib import Path
from typing import Any

import pytest

from slipway.config.models import read_models
from slipway.errors import InvalidArgumentError


def config(base_path: str, **more: object) -> dict[str, Any]:
    model = {"name": "m", "base_path": base_path, **(more or {"model_platform": "tensorflow"})}
    return {"model_config_list": {"config": [model]}}


@pytest.mark.parametrize(("kind", "number"), [("OTHER", 2), (7, 7)])
def test_a_model_type_other_than_tensorflow_is_refused(kind: object, number: int) -> None:
    with pytest.raises(InvalidArgumentError, match=f"model_type choice {number} not supported"):
        read_models(config("/models", model_type=kind), None)


def test_a_base_path_is_shown_as_it_was_given() -> None:
    with pytest.raises(InvalidArgumentError, match=r"or URI; got base_path\(\)=$"):
        read_models(config(""), None)


def test_a_base_path_has_no_nul_character() -> None:
    with pytest.raises(InvalidArgumentError, match="Model m has a NUL character in its base path"):
        read_models(config("/models/\0"), None)


def test_links_in_a_circle_are_under_the_root_that_they_are_in(tmp_path: Path) -> None:
    (tmp_path / "circle").symlink_to("circle")
    (model,) = read_models(config(f"{tmp_path}/circle"), tmp_path)
    assert model.base_path == tmp_path / "circle"
    with pytest.raises(InvalidArgumentError, match="outside of the folder that --model_root allo"):
        read_models(config(f"{tmp_path}/circle"), tmp_path / "other")
