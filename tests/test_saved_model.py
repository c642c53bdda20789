"""`slipway.load`: models in this process, asked with arrays."""

import gc
import os
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import slipway
from slipway.errors import (
    FailedPreconditionError,
    InvalidArgumentError,
    NotFoundError,
)
from tests.support.models import SavedModels


@pytest.fixture(scope="module")
def half(saved_models: SavedModels) -> Iterator[slipway.SavedModel]:
    with slipway.load(saved_models.folder / "half" / "123") as model:
        yield model


@pytest.fixture(scope="module")
def dense(saved_models: SavedModels) -> Iterator[slipway.SavedModel]:
    with slipway.load(saved_models.folder / "dense" / "1") as model:
        yield model


@pytest.fixture(scope="module")
def echo(saved_models: SavedModels) -> Iterator[slipway.SavedModel]:
    with slipway.load(saved_models.folder / "echo" / "1") as model:
        yield model


def test_a_signature_is_a_function_of_arrays(half: slipway.SavedModel) -> None:
    outputs = half.signatures["serving_default"](x=np.array([1, 2, 5], np.float32))
    assert outputs["y"].dtype == np.float32
    assert outputs["y"].tolist() == [2.5, 3.0, 4.5]


def test_lists_get_the_declared_dtype(dense: slipway.SavedModel) -> None:
    outputs = dense.signatures["add"](a=[2**60, -5], b=[1, -2])
    assert outputs["sum"].dtype == np.int64
    assert outputs["sum"].tolist() == [2**60 + 1, -7]


def test_predict_takes_what_the_client_takes(dense: slipway.SavedModel) -> None:
    inputs = {"features": [[1, 2, 3]]}
    assert set(dense.predict(inputs)) == {"scores", "best"}
    assert set(dense.predict(inputs, output_filter=["best"])) == {"best"}
    assert dense.predict({"a": [1], "b": [2]}, signature="add")["sum"].tolist() == [3]


def test_a_model_says_what_its_signatures_declare(dense: slipway.SavedModel) -> None:
    add = dense.signatures["add"].signature
    assert {alias: (spec.dtype, spec.shape) for alias, spec in add.inputs.items()} == {
        "a": ("int64", (-1,)),
        "b": ("int32", (-1,)),
    }
    assert "add" in repr(dense)
    assert "int64" in repr(dense.signatures["add"])


@pytest.mark.parametrize(
    "array",
    [
        np.array([1.5, np.nan, -np.inf], np.float32),
        np.array([[1e-310]], np.float64),
        np.array([65504], np.float16),
        np.array([-(2**63), 2**63 - 1], np.int64),
        np.array([2**64 - 1], np.uint64),
        np.array([True, False]),
        np.array([1 + 2j], np.complex64),
        np.zeros((2, 0, 3), np.int8),
        np.array(7, np.uint16),
        np.arange(6, dtype=np.int32).reshape(2, 3).T,
    ],
    ids=lambda array: f"{array.dtype}{list(array.shape)}",
)
def test_arrays_come_back_as_they_went(echo: slipway.SavedModel, array: Any) -> None:
    back = echo.signatures[array.dtype.name](x=array)["y"]
    assert back.dtype == array.dtype
    assert back.shape == array.shape
    assert back.tobytes() == array.tobytes()


def test_strings_are_bytes(echo: slipway.SavedModel) -> None:
    back = echo.signatures["string"](x=["好", b"\x00\xff", ""])["y"]
    assert back.tolist() == ["好".encode(), b"\x00\xff", b""]


def test_tables_and_assets_are_there(saved_models: SavedModels) -> None:
    with slipway.load(saved_models.folder / "vocabulary" / "1") as model:
        assert model.predict({"words": ["so so", "好"]})["ids"].tolist() == [2, 0]


@pytest.mark.parametrize("executor", ["caller", "pool", "single_threaded"])
def test_the_executor_can_be_pinned(saved_models: SavedModels, executor: str) -> None:
    path = saved_models.folder / "half" / "123"
    with slipway.load(path, executor=executor) as model:
        assert model.predict({"x": [1.0]})["y"].tolist() == [2.5]


def test_an_unknown_executor_is_refused(saved_models: SavedModels) -> None:
    reason = 'executor is "caller", "pool", "single_threaded" or None, not "gpu"'
    with pytest.raises(ValueError, match=reason):
        slipway.load(saved_models.folder / "half" / "123", executor="gpu")


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [
        ({}, r"Missing but required: \{x\}"),
        ({"z": [1.0]}, r"Signature input alias: x\(feed name: x:0\) not found"),
        ({"x": [1.0], "z": [1.0]}, r"Sent extra: \{z\}"),
        ({"x": np.array([1.0])}, "Expects arg\\[0\\] to be float but double is provided"),
        ({"x": ["one"]}, "to be float but string is provided"),
        ({"x": [[1.0], [1.0, 2.0]]}, 'input "x": '),
    ],
)
def test_a_bad_input_is_named(
    half: slipway.SavedModel, inputs: dict[str, Any], reason: str
) -> None:
    with pytest.raises(InvalidArgumentError, match=reason):
        half.signatures["serving_default"](**inputs)
    assert half.predict({"x": [1.0]})["y"].tolist() == [2.5]


def test_what_tensorflow_refuses_is_explained(dense: slipway.SavedModel) -> None:
    with pytest.raises(InvalidArgumentError, match=r'"features" is declared \[-1, 3\] and was'):
        dense.predict({"features": [[1.0, 2.0]]})


def test_a_signature_that_is_not_there_is_named(dense: slipway.SavedModel) -> None:
    with pytest.raises(FailedPreconditionError, match=r'"other" not found.*"add"'):
        dense.predict({}, signature="other")


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"holds no complete SavedModel: saved_model\.pb is"):
        slipway.load(tmp_path)
    with pytest.raises(NotFoundError):
        slipway.load(tmp_path / "nowhere")


def test_a_folder_of_versions_says_which_to_load(saved_models: SavedModels) -> None:
    with pytest.raises(NotFoundError, match=r"holds versions \[123, 124\]: load .*half/124$"):
        slipway.load(saved_models.folder / "half")


def test_a_half_copied_model_is_refused(saved_models: SavedModels, tmp_path: Path) -> None:
    source = saved_models.folder / "dense" / "1"
    (tmp_path / "saved_model.pb").write_bytes((source / "saved_model.pb").read_bytes())
    with pytest.raises(NotFoundError, match=r"variables\.index"):
        slipway.load(tmp_path)


def test_what_is_no_file_is_refused_and_not_waited_for(
    saved_models: SavedModels, tmp_path: Path
) -> None:
    shutil.copytree(saved_models.version("dense", 1), tmp_path / "1")
    index = tmp_path / "1" / "variables" / "variables.index"
    index.unlink()
    os.mkfifo(index)
    with pytest.raises(NotFoundError, match=r"variables\.index is no file"):
        slipway.load(tmp_path / "1")


def test_tags_that_no_graph_has_are_refused(saved_models: SavedModels) -> None:
    with pytest.raises(NotFoundError, match="train"):
        slipway.load(saved_models.folder / "half" / "123", tags=["train"])


def test_a_closed_model_says_so(saved_models: SavedModels) -> None:
    model = slipway.load(saved_models.folder / "half" / "123")
    model.close()
    model.close()
    with pytest.raises(ValueError, match="the model is closed"):
        model.predict({"x": [1.0]})


def test_threads_share_a_model(half: slipway.SavedModel) -> None:
    def ask(number: int) -> float:
        outputs = half.predict({"x": [float(number)]})
        return float(outputs["y"][0])

    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(ask, range(200)))
    assert answers == [number / 2 + 2 for number in range(200)]


def test_closing_waits_for_the_runs_under_way(saved_models: SavedModels) -> None:
    model = slipway.load(saved_models.folder / "loop" / "1")
    begun = threading.Event()

    def ask() -> list[int]:
        answers = []
        for _ in range(100):
            begun.set()
            try:
                answers.append(int(model.predict({"turns": 1000})["turns"]))
            except ValueError:
                break
        return answers

    with ThreadPoolExecutor(1) as threads:
        under_way = threads.submit(ask)
        assert begun.wait(30)
        model.close()
        assert set(under_way.result(60)) <= {1000}


def test_a_forked_child_is_told_to_load_anew(half: slipway.SavedModel) -> None:
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            half.predict({"x": [1.0]})
        except FailedPreconditionError as error:
            os.write(write, str(error).encode())
        finally:
            # What is freed here leaves the parent's session alone.
            half.close()
            gc.collect()
            os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        message = pipe.read()
    assert os.waitpid(child, 0)[1] == 0
    assert "load it again here" in message
    assert half.predict({"x": [1.0]})["y"].tolist() == [2.5]
