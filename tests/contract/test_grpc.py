"""gRPC as TensorFlow Serving's own client sees it; names of tests are cases of the contract."""

import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

from slipway.dataplane.base import PlaneConfig
from slipway.dataplane.native import NativePlane
from slipway.errors import FailedPreconditionError
from slipway.servables import ServableId
from tests.support.models import SavedModels

# Through no proxy.
DIRECT = [("grpc.enable_http_proxy", 0)]
X = np.asarray([1, 2, 5], np.float32)


def refusal(call: Callable[[], Any]) -> tuple[str, str]:
    """Return code and message of a call that must fail."""
    with pytest.raises(grpc.RpcError) as raised:
        call()
    return raised.value.code().name, raised.value.details()


def test_e7_a_filter_selects_outputs(client: Any, stubs: Any) -> None:
    spec = stubs.model_spec("dense")
    features = np.zeros([1, 3], np.float32)
    assert list(client.predict(spec, ["best"], features=features).outputs) == ["best"]


@pytest.mark.parametrize(
    ("signature", "output"), [("regress_x2_to_y3", "outputs"), ("classify_x2_to_y3", "scores")]
)
def test_e8_any_signature_can_be_predicted_with_a_scalar(
    client: Any, stubs: Any, signature: str, output: str
) -> None:
    spec = stubs.model_spec("half", signature, version=123)
    answer = client.predict(spec, inputs=np.float32(2))
    assert stubs.to_array(answer.outputs[output]) == np.float32(4)
    assert answer.outputs[output].tensor_shape.dim == []
    assert answer.model_spec == spec


def test_e9_the_answer_names_model_version_and_signature(client: Any, stubs: Any) -> None:
    for asked in (stubs.model_spec("half"), stubs.model_spec("half", label="stable")):
        version = 123 if asked.version_label else 124
        echoed = client.predict(asked, x=X).model_spec
        assert echoed == stubs.model_spec("half", "serving_default", version=version)


def test_tensors_may_come_in_either_encoding(client: Any, stubs: Any) -> None:
    spec = stubs.model_spec("half")
    listed = stubs.to_proto(X)
    listed.ClearField("tensor_content")
    listed.float_val[:] = [1, 2, 5]
    for proto in (stubs.to_proto(X), listed):
        answer = client.predict(spec, x=proto).outputs["y"]
        assert list(answer.float_val) == [2.5, 3.0, 4.5]
        assert not answer.tensor_content


def test_f3_f4_a_status_has_the_versions_asked_for(client: Any, stubs: Any) -> None:
    both = client.status(stubs.model_spec("half")).model_version_status
    assert [(entry.version, entry.state, entry.status.error_code) for entry in both] == [
        (124, 30, 0),
        (123, 30, 0),
    ]
    for spec in (stubs.model_spec("half", version=123), stubs.model_spec("half", label="stable")):
        one = client.status(spec).model_version_status
        assert [entry.version for entry in one] == [123]


def test_metadata_are_the_signatures_of_the_graph(client: Any, stubs: Any) -> None:
    answer = client.metadata(stubs.model_spec("half"))
    assert answer.model_spec == stubs.model_spec("half", version=124)
    signatures = stubs.signature_def_map()
    assert answer.metadata["signature_def"].Unpack(signatures)
    assert set(signatures.signature_def) == {
        "serving_default",
        "regress_x_to_y", "regress_x_to_y2", "regress_x2_to_y3",
        "classify_x_to_y", "classify_x2_to_y3",
    }  # fmt: skip
    default = signatures.signature_def["serving_default"]
    assert default.method_name == "tensorflow/serving/predict"
    assert [dim.size for dim in default.inputs["x"].tensor_shape.dim] == [-1, 1]


def test_a_run_that_outlasts_its_deadline_is_given_up(client: Any, stubs: Any) -> None:
    request = stubs.predict_pb2.PredictRequest(model_spec=stubs.model_spec("loop"))
    request.inputs["turns"].CopyFrom(stubs.to_proto(np.int32(20_000)))
    code, _ = refusal(lambda: client.prediction.Predict(request, timeout=0.05))
    assert code == "DEADLINE_EXCEEDED"
    assert client.predict(stubs.model_spec("half"), x=X).outputs["y"].float_val[0] == 2.5


def test_a_long_run_does_not_hold_up_short_ones(client: Any, stubs: Any) -> None:
    long = threading.Thread(
        target=lambda: client.predict(stubs.model_spec("loop"), turns=np.int32(20_000))
    )
    long.start()
    for _ in range(50):
        client.predict(stubs.model_spec("half"), x=X)
    still_running = long.is_alive()
    long.join()
    assert still_running, "the long run was over too soon to tell"


def test_reflection_lists_the_services(client: Any) -> None:
    database = ProtoReflectionDescriptorDatabase(client.channel)
    assert {
        "tensorflow.serving.PredictionService",
        "tensorflow.serving.ModelService",
        "grpc.health.v1.Health",
    } <= set(database.get_services())
    file = database.FindFileContainingSymbol("tensorflow.serving.PredictRequest")
    assert file.name == "tensorflow_serving/apis/predict.proto"


def test_health_follows_what_is_available(saved_models: SavedModels) -> None:
    plane = NativePlane(PlaneConfig(grpc_port=0))
    address = plane.start().grpc
    assert address
    with grpc.insecure_channel(address, DIRECT) as channel:
        health = health_pb2_grpc.HealthStub(channel)

        def status(service: str) -> str:
            request = health_pb2.HealthCheckRequest(service=service)
            number = health.Check(request, timeout=10).status
            return str(health_pb2.HealthCheckResponse.ServingStatus.Name(number))

        path = saved_models.version("half", 123)
        plane.load(ServableId("half", 123), path)
        plane.publish({"half": {}}, {}, {})
        assert (status(""), status("half")) == ("NOT_SERVING", "NOT_SERVING")
        plane.publish({"half": {123: path}}, {}, {})
        assert (status(""), status("half")) == ("SERVING", "SERVING")
        assert (status("ModelService"), status("PredictionService")) == ("SERVING", "SERVING")
        plane.publish({}, {}, {})
        assert status("") == "SERVING"
        assert refusal(lambda: status("half"))[0] == "NOT_FOUND"
    plane.drain(5)


def test_health_lists_the_server_and_every_configured_model(saved_models: SavedModels) -> None:
    plane = NativePlane(PlaneConfig(grpc_port=0))
    address = plane.start().grpc
    assert address
    path = saved_models.version("half", 123)
    plane.load(ServableId("half", 123), path)
    plane.publish({"half": {123: path}, "later": {}}, {}, {})
    with grpc.insecure_channel(address, DIRECT) as channel:
        answer = health_pb2_grpc.HealthStub(channel).List(
            health_pb2.HealthListRequest(), timeout=10
        )
    names = health_pb2.HealthCheckResponse.ServingStatus
    assert {name: names.Name(each.status) for name, each in answer.statuses.items()} == {
        "": "NOT_SERVING",
        "half": "SERVING",
        "later": "NOT_SERVING",
    }
    plane.drain(5)


def test_a_watcher_of_a_model_sees_it_come_and_go() -> None:
    plane = NativePlane(PlaneConfig(grpc_port=0))
    address = plane.start().grpc
    assert address
    with grpc.insecure_channel(address, DIRECT) as channel:
        request = health_pb2.HealthCheckRequest(service="m")
        watch = health_pb2_grpc.HealthStub(channel).Watch(request, timeout=30)
        names = health_pb2.HealthCheckResponse.ServingStatus
        seen = [names.Name(next(watch).status)]
        plane.publish({"m": {}, "n": {}}, {}, {})
        seen.append(names.Name(next(watch).status))
        plane.publish({"m": {}}, {}, {})
        plane.publish({}, {}, {})
        seen.append(names.Name(next(watch).status))
        assert plane.drain(60)
        assert list(watch) == []
    assert seen == ["SERVICE_UNKNOWN", "NOT_SERVING", "SERVICE_UNKNOWN"]


def test_a_watcher_of_health_is_told_and_does_not_hold_up_the_drain() -> None:
    plane = NativePlane(PlaneConfig(grpc_port=0))
    address = plane.start().grpc
    assert address
    with grpc.insecure_channel(address, DIRECT) as channel:
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        seen = [next(watch).status]
        assert plane.drain(60)
        seen += [update.status for update in watch]
    assert [health_pb2.HealthCheckResponse.ServingStatus.Name(status) for status in seen] == [
        "SERVING",
        "NOT_SERVING",
    ]


def test_an_open_reflection_stream_does_not_hold_up_the_drain() -> None:
    plane = NativePlane(PlaneConfig(grpc_port=0))
    address = plane.start().grpc
    assert address
    drained = threading.Event()

    def requests() -> Iterator[bytes]:
        yield b"\x3a\x00"  # ServerReflectionRequest { list_services: "" }
        drained.wait(60)

    with grpc.insecure_channel(address, DIRECT) as channel:
        method = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
        answers = channel.stream_stream(method)(requests())
        assert b"tensorflow.serving.PredictionService" in next(answers)
        assert plane.drain(60)
        drained.set()


def test_a_new_configuration_goes_to_the_control_plane(stubs: Any) -> None:
    received: list[tuple[Any, float | None]] = []

    def on_reload(config: Any, deadline_s: float | None) -> None:
        received.append((config, deadline_s))
        if not config["model_config_list"]:
            raise FailedPreconditionError("not now")

    plane = NativePlane(PlaneConfig(grpc_port=0), on_reload=on_reload)
    address = plane.start().grpc
    assert address
    client = stubs.OfficialClient(address)
    request = stubs.reload_request()
    assert refusal(lambda: client.reload(request)) == (
        "INVALID_ARGUMENT",
        "ServerModelConfig type not supported by HandleReloadConfigRequest. Only ModelConfigList "
        "is currently supported",
    )
    request.config.model_config_list.SetInParent()
    assert refusal(lambda: client.reload(request)) == ("FAILED_PRECONDITION", "not now")
    model = request.config.model_config_list.config.add(name="m", base_path="/m")
    model.version_labels["stable"] = 3
    assert client.reload(request, timeout_s=20).status.error_code == 0
    config, deadline_s = received[-1]
    assert config == {
        "model_config_list": {
            "config": [{"name": "m", "base_path": "/m", "version_labels": {"stable": 3}}]
        }
    }
    assert deadline_s is not None
    assert 10 < deadline_s < 25
    client.channel.close()
    plane.drain(5)


@pytest.mark.parametrize("allowed", [False, True])
def test_a_new_configuration_from_another_address_has_to_be_allowed(
    stubs: Any, allowed: bool
) -> None:
    host = own_address()
    config = PlaneConfig(host="0.0.0.0", grpc_port=0, allow_remote_reload=allowed)
    received: list[Any] = []
    plane = NativePlane(config, on_reload=lambda config, _: received.append(config))
    address = plane.start().grpc
    assert address
    request = stubs.reload_request()
    request.config.model_config_list.SetInParent()
    remote = stubs.OfficialClient(address.replace("0.0.0.0", host))
    if allowed:
        assert remote.reload(request).status.error_code == 0
    else:
        code, message = refusal(lambda: remote.reload(request))
        assert code == "PERMISSION_DENIED"
        assert f"from {host}. Start the server with --allow_remote_reload" in message
        local = stubs.OfficialClient(address.replace("0.0.0.0", "127.0.0.1"))
        assert local.reload(request).status.error_code == 0
        local.channel.close()
    assert received == [{"model_config_list": {}}]
    remote.channel.close()
    plane.drain(5)


def own_address() -> str:
    """Return an address of this machine that is no loopback; skip where there is none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            # Sends nothing: it only has the system choose an address of its own.
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no address but loopback")
        host: str = probe.getsockname()[0]
    return host


def test_without_a_control_plane_that_takes_it_a_new_configuration_is_refused(
    client: Any, stubs: Any
) -> None:
    request = stubs.reload_request()
    request.config.model_config_list.SetInParent()
    assert refusal(lambda: client.reload(request))[0] == "UNIMPLEMENTED"
