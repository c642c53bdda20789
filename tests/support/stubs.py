"""TensorFlow Serving's own client, as its users import it.

Importing it brings TensorFlow into the process, which takes seconds: tests that need it ask for
the fixture `stubs`.
"""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import message_factory, text_format

with warnings.catch_warnings():
    # What TensorFlow's own imports are warned of is not ours.
    warnings.simplefilter("ignore")
    import tensorflow as tf
    from tensorflow.core.example.example_pb2 import Example
    from tensorflow.core.framework import tensor_pb2
    from tensorflow_serving.apis import (
        classification_pb2,
        get_model_metadata_pb2,
        get_model_status_pb2,
        inference_pb2,
        input_pb2,
        model_management_pb2,
        model_pb2,
        model_service_pb2,
        model_service_pb2_grpc,
        predict_pb2,
        prediction_log_pb2,
        prediction_service_pb2,
        prediction_service_pb2_grpc,
        regression_pb2,
    )

TIMEOUT_S = 30

Features = dict[str, list[Any]]


@dataclass(frozen=True)
class Refusal:
    """How a call failed."""

    code: grpc.StatusCode
    message: str


class OfficialClient:
    """The official stubs over one channel, insecure unless there are credentials."""

    def __init__(self, address: str, credentials: grpc.ChannelCredentials | None = None) -> None:
        options = [("grpc.enable_http_proxy", 0)]
        if credentials is None:
            self.channel = grpc.insecure_channel(address, options)
        else:
            self.channel = grpc.secure_channel(address, credentials, options)
        self.prediction = prediction_service_pb2_grpc.PredictionServiceStub(self.channel)
        self.model = model_service_pb2_grpc.ModelServiceStub(self.channel)

    def predict(
        self, spec: Any = None, output_filter: list[str] | None = None, **inputs: Any
    ) -> Any:
        """Send a Predict; inputs are anything that `tf.make_tensor_proto` takes, or a tensor."""
        request = predict_pb2.PredictRequest(output_filter=output_filter or [])
        if spec is not None:
            request.model_spec.CopyFrom(spec)
        for alias, value in inputs.items():
            proto = value if isinstance(value, tensor_pb2.TensorProto) else to_proto(value)
            request.inputs[alias].CopyFrom(proto)
        return self.prediction.Predict(request, timeout=TIMEOUT_S)

    def classify(self, spec: Any, examples: Any) -> Any:
        request = classification_pb2.ClassificationRequest(model_spec=spec, input=examples)
        return self.prediction.Classify(request, timeout=TIMEOUT_S)

    def regress(self, spec: Any, examples: Any) -> Any:
        request = regression_pb2.RegressionRequest(model_spec=spec, input=examples)
        return self.prediction.Regress(request, timeout=TIMEOUT_S)

    def multi_inference(self, tasks: list[tuple[Any, str]], examples: Any) -> Any:
        """Send a MultiInference of tasks, each a model spec and what is asked of it."""
        request = inference_pb2.MultiInferenceRequest(input=examples)
        for spec, method in tasks:
            request.tasks.add(model_spec=spec, method_name=f"tensorflow/serving/{method}")
        return self.prediction.MultiInference(request, timeout=TIMEOUT_S)

    def metadata(self, spec: Any = None, fields: tuple[str, ...] = ("signature_def",)) -> Any:
        request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=fields)
        if spec is not None:
            request.model_spec.CopyFrom(spec)
        return self.prediction.GetModelMetadata(request, timeout=TIMEOUT_S)

    def status(self, spec: Any = None) -> Any:
        request = get_model_status_pb2.GetModelStatusRequest()
        if spec is not None:
            request.model_spec.CopyFrom(spec)
        return self.model.GetModelStatus(request, timeout=TIMEOUT_S)

    def reload(self, request: Any, timeout_s: float = TIMEOUT_S) -> Any:
        return self.model.HandleReloadConfigRequest(request, timeout=timeout_s)


def model_spec(name: str, signature: str = "", version: int | None = None, label: str = "") -> Any:
    """Return a ModelSpec; version and label only when they are given."""
    spec = model_pb2.ModelSpec(name=name, signature_name=signature)
    if version is not None:
        spec.version.value = version
    if label:
        spec.version_label = label
    return spec


def examples(features: list[Features], context: Features | None = None) -> Any:
    """Return an Input of examples, with a context where one is given."""
    if context is None:
        listed = input_pb2.ExampleList(examples=[example(one) for one in features])
        return input_pb2.Input(example_list=listed)
    with_context = input_pb2.ExampleListWithContext(
        examples=[example(one) for one in features], context=example(context)
    )
    return input_pb2.Input(example_list_with_context=with_context)


def example(features: Features) -> Any:
    """Return an Example of features that are lists of str, float or int."""
    message = Example()
    for name, values in features.items():
        feature = message.features.feature[name]
        match values[0]:
            case str():
                feature.bytes_list.value.extend(value.encode() for value in values)
            case float():
                feature.float_list.value.extend(values)
            case _:
                feature.int64_list.value.extend(values)
    return message


def to_proto(value: Any, dtype: Any = None) -> Any:
    """Return a TensorProto of `value`."""
    return tf.make_tensor_proto(value, dtype=dtype)


def to_array(proto: Any) -> Any:
    """Return the array in a TensorProto."""
    return tf.make_ndarray(proto)


def write_records(path: Path, records: list[bytes]) -> None:
    """Write a TFRecord file, and the folder it is in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in records:
            writer.write(record)


def official_service(name: str) -> Any:
    """Return the published descriptor of a service of tensorflow.serving."""
    module = {
        "PredictionService": prediction_service_pb2,
        "ModelService": model_service_pb2,
    }[name]
    return module.DESCRIPTOR.services_by_name[name]


def request_of(service: str, method: str, text: str) -> Any:
    """Return the request of a method, read from protobuf's text form."""
    published = official_service(service).methods_by_name[method].input_type
    return text_format.Parse(text, message_factory.GetMessageClass(published)())


prediction_log = prediction_log_pb2.PredictionLog
reload_request = model_management_pb2.ReloadConfigRequest
signature_def_map = get_model_metadata_pb2.SignatureDefMap
