"""Warm-up before a version answers; names of tests are cases of the contract."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import text_format

from slipway.dataplane.base import LoadOptions, PlaneConfig
from slipway.dataplane.native import NativePlane
from slipway.errors import (
    DataLossError,
    InvalidArgumentError,
    NotFoundError,
    ServingError,
    UnimplementedError,
    UnknownError,
)
from slipway.servables import ServableId, State, VersionStatus
from tests.support.models import SavedModels

REQUESTS = "assets.extra/tf_serving_warmup_requests"
V1 = ServableId("counter", 1)

INCREMENT = "predict_log { request { model_spec { signature_name: 'incr_counter' } } }"
# An example without features counts one, since that is the default of the feature.
EXAMPLE = "input { example_list { examples {} } }"
CLASSIFY = f"classify_log {{ request {{ model_spec {{ signature_name: 'classify' }} {EXAMPLE} }} }}"
REGRESS = f"regress_log {{ request {{ model_spec {{ signature_name: 'regress' }} {EXAMPLE} }} }}"
MULTI_INFERENCE = f"""
multi_inference_log {{ request {{
  tasks {{
    model_spec {{ name: 'any' signature_name: 'classify' }}
    method_name: 'tensorflow/serving/classify'
  }}
  tasks {{
    model_spec {{ name: 'any' signature_name: 'regress' }}
    method_name: 'tensorflow/serving/regress'
  }}
  {EXAMPLE}
}} }}
"""


class Warming:
    """A version of the counter in a folder of its own, to be loaded with records."""

    def __init__(self, stubs: Any, path: Path) -> None:
        self._stubs = stubs
        self._planes: list[NativePlane] = []
        self.path = path

    def write(self, *records: bytes | str) -> None:
        """Write the file; a text is a PredictionLog."""
        logs = [record if isinstance(record, bytes) else self.log(record) for record in records]
        self._stubs.write_records(self.path / REQUESTS, logs)

    def log(self, text: str) -> bytes:
        log = text_format.Parse(text, self._stubs.prediction_log())
        data: bytes = log.SerializeToString()
        return data

    def load(self, **options: Any) -> NativePlane:
        plane = NativePlane(PlaneConfig(grpc_port=0, load_options=LoadOptions(**options)))
        self._planes.append(plane)
        plane.load(V1, self.path)
        return plane

    def count(self, **options: Any) -> float:
        """Load the version, and ask it what has been counted."""
        return self.answer("get_counter", **options)

    def answer(self, signature: str, **options: Any) -> float:
        """Load the version, and ask it for the one number that a signature answers with."""
        plane = self.load(**options)
        plane.publish(
            {"counter": {1: self.path}}, {}, {"counter": [VersionStatus(1, State.AVAILABLE)]}
        )
        client = self._stubs.OfficialClient(plane.start().grpc)
        try:
            answer = client.predict(self._stubs.model_spec("counter", signature))
            (output,) = answer.outputs.values()
            return float(self._stubs.to_array(output))
        finally:
            client.channel.close()

    def close(self) -> None:
        for plane in self._planes:
            plane.drain(5)


@pytest.fixture
def warming(stubs: Any, saved_models: SavedModels, tmp_path: Path) -> Iterator[Warming]:
    warming = Warming(stubs, shutil.copytree(saved_models.version("counter"), tmp_path / "1"))
    yield warming
    warming.close()


def refusal(warming: Warming, error: type[ServingError]) -> str:
    """Return the text with which the version cannot be loaded; it names the file."""
    with pytest.raises(error) as raised:
        warming.load()
    assert str(warming.path / REQUESTS) in str(raised.value)
    return str(raised.value)


def test_j1_without_records_nothing_is_executed(warming: Warming) -> None:
    assert warming.count() == 0
    warming.write()
    assert warming.count() == 0


def test_j2_every_kind_of_record_is_executed_as_often_as_asked(warming: Warming) -> None:
    warming.write(*[INCREMENT, CLASSIFY, REGRESS, MULTI_INFERENCE] * 5)
    assert warming.count() == 5 * (1 + 1 + 1 + 2)
    assert warming.count(warm_up_iterations=3) == 3 * 5 * (1 + 1 + 1 + 2)


@pytest.mark.parametrize("executor", [None, "caller", "pool", "single_threaded"])
def test_records_are_executed_whoever_executes_them(warming: Warming, executor: str | None) -> None:
    warming.write(*[INCREMENT] * 5)
    assert warming.count(executor=executor) == 5


def test_what_is_no_file_is_refused_and_not_waited_for(warming: Warming) -> None:
    (warming.path / REQUESTS).parent.mkdir()
    os.mkfifo(warming.path / REQUESTS)
    with pytest.raises(UnknownError, match="it is no file"):
        warming.load()


def test_j3_what_is_no_tfrecord_is_data_loss(warming: Warming) -> None:
    path = warming.path / REQUESTS
    path.parent.mkdir()
    for contents in (warming.log(INCREMENT), b"short"):
        path.write_bytes(contents)
        message = refusal(warming, DataLossError)
        assert "Please verify your warmup data is in TFRecord format" in message


def test_j4_there_are_at_most_a_thousand_records(warming: Warming) -> None:
    warming.write(*[b""] * 1000)
    warming.load()
    warming.write(*[b""] * 1001)
    message = refusal(warming, InvalidArgumentError)
    assert "Number of warmup records exceeds the maximum (1000) at " in message


def test_j5_a_record_is_a_prediction_log(warming: Warming) -> None:
    warming.write(INCREMENT, b"malformed_record")
    assert "Failed to parse warmup record" in refusal(warming, InvalidArgumentError)


@pytest.mark.parametrize(("kind", "number"), [("session_run", 5), ("predict_streamed", 7)])
def test_j6_other_kinds_of_logs_are_unimplemented(warming: Warming, kind: str, number: int) -> None:
    warming.write(f"{kind}_log {{}}")
    message = refusal(warming, UnimplementedError)
    assert f"Unsupported log_type for warmup: {number}" in message


def test_j7_a_request_that_fails_fails_the_load(warming: Warming) -> None:
    warming.write(
        INCREMENT, "predict_log { request { model_spec { signature_name: 'fail' } } }", INCREMENT
    )
    message = refusal(warming, InvalidArgumentError)
    assert "Run failed" in message
    assert "record 2 of" in message


@pytest.mark.parametrize(
    ("log", "message"),
    [
        (
            INCREMENT.replace("incr_counter", "other"),
            'Serving signature key "other" not found.',
        ),
        (CLASSIFY.replace("'classify'", "'other'"), "No signature was found with the name: other"),
        (
            CLASSIFY.replace("'classify'", "'regress'"),
            "Expected classification signature outputs to contain at least one of",
        ),
        (REGRESS.replace("examples {}", ""), "Input is empty."),
        (
            MULTI_INFERENCE.replace("name: 'any' ", ""),
            "Found ModelSpec with an empty model name.",
        ),
        (
            MULTI_INFERENCE.replace("signature_name: 'regress'", "signature_name: 'classify'"),
            "Duplicate evaluation of signature: classify",
        ),
        (
            MULTI_INFERENCE.replace("signature_name: 'classify'", "signature_name: 'other'"),
            "Requested signature not found in model graph: other",
        ),
        (
            MULTI_INFERENCE.replace("serving/classify", "serving/predict"),
            "Unsupported signature method_name: tensorflow/serving/predict",
        ),
    ],
)
def test_a_request_is_answered_as_over_the_network(
    warming: Warming, log: str, message: str
) -> None:
    warming.write(log)
    assert message in refusal(warming, ServingError)


def test_the_outputs_of_a_run_have_to_be_those_of_an_answer(
    stubs: Any, saved_models: SavedModels, tmp_path: Path
) -> None:
    warming = Warming(stubs, shutil.copytree(saved_models.version("class_echo"), tmp_path / "1"))
    two = EXAMPLE.replace("examples {}", "examples {} examples {}")
    log = CLASSIFY.replace("'classify'", "'first_classes'")
    warming.write(log)
    warming.load()
    warming.write(log.replace(EXAMPLE, two))
    assert "Expected classes output batch size of 2. Got: 1" in refusal(
        warming, InvalidArgumentError
    )
    warming.close()


def test_all_tasks_of_a_request_are_one_run(
    stubs: Any, saved_models: SavedModels, tmp_path: Path
) -> None:
    path = shutil.copytree(saved_models.version("regress_echo"), tmp_path / "1")
    warming = Warming(stubs, path)
    names = ["counted", "counted_plus_one"]
    tasks = " ".join(
        f"tasks {{ model_spec {{ name: 'any' signature_name: '{name}' }} "
        "method_name: 'tensorflow/serving/regress' }"
        for name in names
    )
    warming.write(f"multi_inference_log {{ request {{ {tasks} {EXAMPLE} }} }}")
    assert warming.answer("runs") == 1
    warming.close()


@pytest.mark.parametrize(
    ("log", "noun"), [(CLASSIFY, "classification"), (REGRESS, "regression"), (INCREMENT, "")]
)
def test_e11_a_method_name_that_is_checked_counts_here_too(
    warming: Warming, log: str, noun: str
) -> None:
    warming.write(log)
    if noun:
        # What TensorFlow saves today has the method of Predict throughout.
        with pytest.raises(InvalidArgumentError, match=f"Expected {noun} signature method_name"):
            warming.load(check_method_names=True)
    else:
        warming.load(check_method_names=True)


def test_a_context_is_fed_with_each_example(warming: Warming) -> None:
    def feature(name: str, value: int) -> str:
        value_text = f"float_list {{ value: {value} }}"
        return f"features {{ feature {{ key: '{name}' value {{ {value_text} }} }} }}"

    context = f"examples {{}} examples {{ {feature('x', 7)} }} context {{ {feature('x', 100)} }}"
    listed = "example_list { examples {} }"
    warming.write(REGRESS.replace(listed, f"example_list_with_context {{ {context} }}"))
    assert warming.count() == 107


def test_nothing_is_executed_with_warm_up_off(warming: Warming) -> None:
    warming.write(INCREMENT, b"malformed_record")
    assert warming.count(warm_up=False) == 0


def test_a_version_that_failed_to_warm_up_can_be_loaded_again(warming: Warming) -> None:
    warming.write(b"malformed_record")
    plane = NativePlane(PlaneConfig())
    for _ in range(2):
        with pytest.raises(InvalidArgumentError, match="Failed to parse warmup record"):
            plane.load(V1, warming.path)
    warming.write(INCREMENT)
    plane.load(V1, warming.path)


def test_tags_name_the_graph(saved_models: SavedModels) -> None:
    plane = NativePlane(PlaneConfig(load_options=LoadOptions(tags=("serve", "gpu"))))
    with pytest.raises(NotFoundError, match=r"matching supplied tags: \{.*gpu.*\}"):
        plane.load(ServableId("half", 123), saved_models.version("half", 123))


def test_a_share_of_the_memory_of_gpus_is_something_that_the_runtime_takes(
    saved_models: SavedModels,
) -> None:
    plane = NativePlane(PlaneConfig(load_options=LoadOptions(gpu_memory_fraction=0.3)))
    # It refuses a configuration that it cannot read.
    plane.load(ServableId("half", 123), saved_models.version("half", 123))


def test_an_executor_is_one_of_three() -> None:
    with pytest.raises(ValueError, match="gpu"):
        NativePlane(PlaneConfig(load_options=LoadOptions(executor="gpu")))
