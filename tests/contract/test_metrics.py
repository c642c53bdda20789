"""Metrics, as Prometheus reads them over HTTP, while requests of all kinds come and versions go."""

import gzip
import http.client
import json
import os
import shutil
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from slipway.dataplane.base import Limits, PlaneConfig, Tls
from slipway.dataplane.native import NativePlane
from slipway.errors import ServingError
from slipway.servables import ServableId, State, VersionStatus
from tests.support import raw_http
from tests.support.authority import localhost, trusted
from tests.support.metrics import ORIGINAL, PATH, Page, read, scrape
from tests.support.models import SavedModels
from tests.support.rest import Reply, ask, exchange
from tests.support.waiting import wait_until

UNCONFIGURED = "(unconfigured)"
ONE = {"instances": [1.0]}
TURNS = 20_000
"""Of the model `loop`: more than a second."""
METRICS = PlaneConfig(grpc_port=0, rest_port=0, metrics_path=PATH)
STATM = Path("/proc/self/statm")
HALF_OVER_REST = {
    "model": "half", "version": "123", "signature": "serving_default", "method": "Predict",
    "protocol": "rest",
}  # fmt: skip


@dataclass
class Monitored:
    """A plane of a test's own, with the versions that it is given."""

    plane: NativePlane
    models: SavedModels
    grpc: str
    rest: str

    def load(self, model: str, *versions: int) -> None:
        for number in versions:
            self.plane.load(ServableId(model, number), self.models.version(model, number))

    def publish(self, *states: VersionStatus, **versions: list[int]) -> None:
        """Route to these versions of each model; `states` are those of `half`."""
        routes = {
            model: {number: self.models.version(model, number) for number in numbers}
            for model, numbers in versions.items()
        }
        self.plane.publish(routes, {}, {"half": list(states)})

    def post(self, path: str, body: Any) -> Reply:
        return ask(self.rest, "POST", f"/v1/models/{path}", body)

    def scrape(self) -> Page:
        return scrape(self.rest)


Serve = Callable[..., Monitored]


@pytest.fixture
def serve(saved_models: SavedModels) -> Iterator[Serve]:
    """Start a plane with version 123 of `half` and version 1 of `loop`."""
    with ExitStack() as stack:

        def serve(config: PlaneConfig = METRICS) -> Monitored:
            plane = NativePlane(config)
            stack.callback(plane.drain, 5)
            addresses = plane.start()
            assert addresses.grpc
            assert addresses.rest
            served = Monitored(plane, saved_models, addresses.grpc, addresses.rest)
            served.load("half", 123)
            served.load("loop", 1)
            served.publish(half=[123], loop=[1])
            return served

        yield serve


@pytest.fixture
def served(serve: Serve) -> Monitored:
    return serve()


@pytest.fixture
def client(stubs: Any, served: Monitored) -> Iterator[Any]:
    client = stubs.OfficialClient(served.grpc)
    yield client
    client.channel.close()


def fails(call: Callable[[], Any], code: str) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        call()
    assert raised.value.code().name == code, raised.value.details()


def request_counts(page: Page) -> dict[tuple[str, str], float]:
    """Return the original's `request_count`, by model and status."""
    return {
        (dict(labels)["model_name"], dict(labels)["status"]): value
        for (name, labels), value in page.samples.items()
        if name == f"{ORIGINAL}request_count"
    }


def own_counts(page: Page, **wanted: str) -> dict[tuple[str, ...], float]:
    """Return our own counts that have these labels, by what they have in the others."""
    names = ["model", "version", "signature", "method", "protocol", "code"]
    rest = [name for name in names if name not in wanted]
    return {
        tuple(dict(labels)[name] for name in rest): value
        for (name, labels), value in page.samples.items()
        if name == "slipway_requests_total" and set(wanted.items()) <= labels
    }


def test_requests_over_grpc_are_counted_by_what_they_came_to(
    served: Monitored, client: Any, stubs: Any
) -> None:
    spec, x = stubs.model_spec, np.asarray([1, 2], np.float32)
    for _ in range(3):
        client.predict(spec("half"), x=x)
    client.predict(spec("half", "regress_x_to_y"), inputs=np.asarray([b""]))
    for _ in range(2):
        fails(lambda: client.predict(spec("half"), y=x), "INVALID_ARGUMENT")
    fails(lambda: client.predict(spec("half", "none"), x=x), "FAILED_PRECONDITION")
    fails(lambda: client.predict(spec("half", version=9), x=x), "NOT_FOUND")
    fails(lambda: client.predict(spec("half", label="none"), x=x), "INVALID_ARGUMENT")
    fails(lambda: client.predict(spec("nobody"), x=x), "NOT_FOUND")
    fails(lambda: client.predict(None, x=x), "INVALID_ARGUMENT")
    client.metadata(spec("half"))
    fails(lambda: client.status(spec("half", version=9)), "NOT_FOUND")
    fails(lambda: client.metadata(spec("nobody")), "NOT_FOUND")

    page = served.scrape()
    # Metadata and status are not counted, over gRPC.
    assert request_counts(page) == {
        ("half", "OK"): 4,
        ("half", "INVALID_ARGUMENT"): 3,
        ("half", "FAILED_PRECONDITION"): 1,
        ("half", "NOT_FOUND"): 1,
        (UNCONFIGURED, "NOT_FOUND"): 1,
        ("", "INVALID_ARGUMENT"): 1,
    }
    assert own_counts(page, protocol="grpc", method="Predict") == {
        ("half", "123", "serving_default", "OK"): 3,
        ("half", "123", "serving_default", "INVALID_ARGUMENT"): 2,
        ("half", "123", "regress_x_to_y", "OK"): 1,
        ("half", "", "", "FAILED_PRECONDITION"): 1,
        ("half", "", "", "NOT_FOUND"): 1,
        ("half", "", "", "INVALID_ARGUMENT"): 1,
        (UNCONFIGURED, "", "", "NOT_FOUND"): 1,
        ("", "", "", "INVALID_ARGUMENT"): 1,
    }
    assert own_counts(page, protocol="grpc", version="", signature="", model="half") == {
        ("Predict", "FAILED_PRECONDITION"): 1,
        ("Predict", "NOT_FOUND"): 1,
        ("Predict", "INVALID_ARGUMENT"): 1,
        ("GetModelMetadata", "OK"): 1,
        ("GetModelStatus", "NOT_FOUND"): 1,
    }
    assert own_counts(page, model=UNCONFIGURED, method="GetModelMetadata") == {
        ("", "", "grpc", "NOT_FOUND"): 1,
    }
    latency = f"{ORIGINAL}request_latency_count"
    grpc_predict = {"model_name": "half", "API": "Predict", "entrypoint": "GRPC"}
    assert page.value(latency, **grpc_predict) == 4
    assert page.total(latency) == 4, "of failures there is no latency"
    run = {"model_name": "half", "API": "Predict", "runtime": "TF1"}
    assert page.value(f"{ORIGINAL}runtime_latency_count", **run) == 4


def test_requests_over_rest_are_counted_by_what_they_came_to(served: Monitored) -> None:
    for _ in range(3):
        assert served.post("half:predict", ONE).status == 200
    for body in ({"instances": ["x"]}, {"inputs": {"y": 1}}, {}):
        assert served.post("half:predict", body).status == 400
    assert served.post("half:predict", {"signature_name": "none", **ONE}).status == 400
    assert served.post("half/versions/9:predict", ONE).status == 404
    assert served.post("nobody:predict", ONE).status == 404
    assert served.post("half:explain", ONE).status == 400
    assert ask(served.rest, "PUT", "/v1/models/half").status == 400
    assert ask(served.rest, "GET", "/v1/models/half/versions/8").status == 404
    assert ask(served.rest, "GET", "/v1/models/half/metadata").status == 200
    assert ask(served.rest, "GET", "/v1/models").status == 400
    # What is not below /v1/ is nobody's request.
    assert ask(served.rest, "GET", "/").status == 404
    assert ask(served.rest, "GET", "/v1").status == 404

    page = served.scrape()
    assert request_counts(page) == {
        ("half", "OK"): 4,
        ("half", "INVALID_ARGUMENT"): 4,
        ("half", "NOT_FOUND"): 2,
        (UNCONFIGURED, "NOT_FOUND"): 1,
        ("", "INVALID_ARGUMENT"): 3,
    }
    assert own_counts(page, protocol="rest", model="half") == {
        ("123", "serving_default", "Predict", "OK"): 3,
        ("123", "serving_default", "Predict", "INVALID_ARGUMENT"): 3,
        ("", "", "Predict", "INVALID_ARGUMENT"): 1,
        ("", "", "Predict", "NOT_FOUND"): 1,
        ("", "", "GetModelMetadata", "OK"): 1,
        ("", "", "GetModelStatus", "NOT_FOUND"): 1,
    }
    assert own_counts(page, model="") == {("", "", "", "rest", "INVALID_ARGUMENT"): 3}
    latency = f"{ORIGINAL}request_latency_count"
    rest = {"model_name": "half", "entrypoint": "REST"}
    assert page.value(latency, API="predict", **rest) == 3
    assert page.value(latency, API="", **rest) == 1
    run = {"model_name": "half", "API": "Predict", "runtime": "TF1"}
    assert page.value(f"{ORIGINAL}runtime_latency_count", **run) == 3


def test_tasks_about_examples_are_counted_over_grpc(
    served: Monitored, client: Any, stubs: Any
) -> None:
    classify, regress, other = (
        stubs.model_spec("half", name)
        for name in ("classify_x_to_y", "regress_x_to_y", "regress_x_to_y2")
    )
    three = stubs.examples([{"x": [2.0]}] * 3)
    for _ in range(2):
        client.classify(classify, three)
    client.regress(regress, three)
    fails(lambda: client.classify(regress, three), "INVALID_ARGUMENT")
    fails(lambda: client.regress(regress, stubs.examples([])), "INVALID_ARGUMENT")
    fails(lambda: client.classify(stubs.model_spec("half", "none"), three), "INVALID_ARGUMENT")
    fails(lambda: client.regress(stubs.model_spec("nobody"), three), "NOT_FOUND")

    page = served.scrape()
    assert own_counts(page, protocol="grpc", method="Classify") == {
        ("half", "123", "classify_x_to_y", "OK"): 2,
        ("half", "123", "regress_x_to_y", "INVALID_ARGUMENT"): 1,
        ("half", "", "", "INVALID_ARGUMENT"): 1,
    }
    assert own_counts(page, protocol="grpc", method="Regress") == {
        ("half", "123", "regress_x_to_y", "OK"): 1,
        ("half", "123", "regress_x_to_y", "INVALID_ARGUMENT"): 1,
        (UNCONFIGURED, "", "", "NOT_FOUND"): 1,
    }
    counts = {
        ("half", "OK"): 3,
        ("half", "INVALID_ARGUMENT"): 3,
        (UNCONFIGURED, "NOT_FOUND"): 1,
    }
    assert request_counts(page) == counts
    assert page.total("slipway_requests_total") == 7, "each of them once"
    for method, answered in {"Classify": 2, "Regress": 1}.items():
        labels = {"model_name": "half", "API": method}
        latency, runtime = (f"{ORIGINAL}{name}_latency_count" for name in ("request", "runtime"))
        assert page.value(latency, entrypoint="GRPC", **labels) == answered
        assert page.value(runtime, runtime="TF1", **labels) == answered
    assert not page.total(f"{ORIGINAL}request_example_count_total"), "MultiInference alone has it"

    for tasks in ([(other, "regress"), (classify, "classify")], [(classify, "classify")]):
        client.multi_inference(tasks, three)
    fails(lambda: client.multi_inference([], three), "INVALID_ARGUMENT")
    fails(lambda: client.multi_inference([(regress, "regress")] * 2, three), "INVALID_ARGUMENT")
    fails(lambda: client.multi_inference([(regress, "predict")], three), "UNIMPLEMENTED")
    empty = stubs.examples([])
    fails(lambda: client.multi_inference([(regress, "regress")], empty), "INVALID_ARGUMENT")

    page = served.scrape()
    assert own_counts(page, protocol="grpc", method="MultiInference") == {
        ("half", "123", "regress_x_to_y2", "OK"): 1,
        ("half", "123", "classify_x_to_y", "OK"): 1,
        ("half", "123", "regress_x_to_y", "INVALID_ARGUMENT"): 1,
        ("half", "", "", "INVALID_ARGUMENT"): 1,
        ("half", "", "", "UNIMPLEMENTED"): 1,
        ("", "", "", "INVALID_ARGUMENT"): 1,
    }
    assert page.total("slipway_requests_total") == 7 + 6, "several tasks are one request"
    assert request_counts(page) == counts, "the original does not count it here"
    assert page.value(f"{ORIGINAL}request_example_count_total", model="half") == 6
    assert page.value(f"{ORIGINAL}request_example_counts_count", model="half") == 2
    run = {"model_name": "half", "API": "MultiInference", "runtime": "TF1"}
    assert page.value(f"{ORIGINAL}runtime_latency_count", **run) == 2


def test_tasks_about_examples_are_counted_over_rest(served: Monitored) -> None:
    classify = {"signature_name": "classify_x_to_y", "examples": [{"x": 2.0}]}
    regress = classify | {"signature_name": "regress_x_to_y"}
    for _ in range(2):
        assert served.post("half:classify", classify).status == 200
    assert served.post("half:regress", regress).status == 200
    assert served.post("half:classify", regress).status == 400
    assert served.post("half:classify", {"examples": 1}).status == 400
    assert served.post("half:regress", regress | {"signature_name": "none"}).status == 400
    assert served.post("half/versions/9:classify", classify).status == 404
    assert served.post("nobody:regress", regress).status == 404

    page = served.scrape()
    assert own_counts(page, protocol="rest", method="Classify") == {
        ("half", "123", "classify_x_to_y", "OK"): 2,
        ("half", "123", "regress_x_to_y", "INVALID_ARGUMENT"): 1,
        ("half", "", "", "INVALID_ARGUMENT"): 1,
        ("half", "", "", "NOT_FOUND"): 1,
    }
    assert own_counts(page, protocol="rest", method="Regress") == {
        ("half", "123", "regress_x_to_y", "OK"): 1,
        ("half", "", "", "INVALID_ARGUMENT"): 1,
        (UNCONFIGURED, "", "", "NOT_FOUND"): 1,
    }
    assert page.total("slipway_requests_total") == 8, "each of them once"
    assert request_counts(page) == {
        ("half", "OK"): 3,
        ("half", "INVALID_ARGUMENT"): 3,
        ("half", "NOT_FOUND"): 1,
        (UNCONFIGURED, "NOT_FOUND"): 1,
    }
    for verb, method, answered in (("classify", "Classify", 2), ("regress", "Regress", 1)):
        entry = {"model_name": "half", "API": verb, "entrypoint": "REST"}
        assert page.value(f"{ORIGINAL}request_latency_count", **entry) == answered
        run = {"model_name": "half", "API": method, "runtime": "TF1"}
        assert page.value(f"{ORIGINAL}runtime_latency_count", **run) == answered


def test_bodies_in_gzip_are_counted_by_what_came_of_them(serve: Serve) -> None:
    served = serve(replace(METRICS, limits=Limits(max_message_bytes=1000)))

    def post(model: str, body: bytes) -> int:
        headers = {"Content-Encoding": "gzip"}
        return ask(served.rest, "POST", f"/v1/models/{model}:predict", body, headers).status

    body = json.dumps(ONE).encode()
    assert post("half", gzip.compress(body)) == 200
    assert post("half", body) == 400
    assert post("half", gzip.compress(b" " * 1001 + body)) == 413
    assert post("nobody", body) == 400
    assert own_counts(served.scrape(), protocol="rest", method="Predict") == {
        ("half", "123", "serving_default", "OK"): 1,
        ("half", "", "", "INVALID_ARGUMENT"): 1,
        ("half", "", "", "RESOURCE_EXHAUSTED"): 1,
        (UNCONFIGURED, "", "", "INVALID_ARGUMENT"): 1,
    }


def test_pages_of_other_origins_that_ask_first_are_not_counted(served: Monitored) -> None:
    headers = {"Origin": "http://elsewhere"}
    path = "/v1/models/half:predict"
    assert ask(served.rest, "OPTIONS", path, headers=headers).status == 200
    assert not served.scrape().total("slipway_requests_total")


def test_metrics_are_told_over_tls_where_rest_has_it(serve: Serve) -> None:
    identity = localhost()
    served = serve(replace(METRICS, rest_tls=Tls(identity.key, identity.chain)))
    context = ssl.create_default_context(cadata=trusted().certificate)
    connection = http.client.HTTPSConnection(served.rest, timeout=30, context=context)
    assert exchange(connection, "POST", "/v1/models/half:predict", b'{"inputs": 1}').status == 200
    page = read(exchange(connection, "GET", PATH).body.decode())
    connection.close()
    assert request_counts(page) == {("half", "OK"): 1}


def test_names_that_clients_make_up_are_counted_under_one_label(
    served: Monitored, client: Any, stubs: Any
) -> None:
    for number in range(40):
        name = f"made-up-{number}"
        fails(partial(client.predict, stubs.model_spec(name), x=[1.0]), "NOT_FOUND")
        assert served.post(f"{name}:predict", ONE).status == 404
        assert ask(served.rest, "GET", f"/v1/models/{name}/labels/{name}").status == 400
        fails(partial(client.status, stubs.model_spec(name)), "NOT_FOUND")
        signature = stubs.model_spec("half", signature=name)
        fails(partial(client.predict, signature, x=[1.0]), "FAILED_PRECONDITION")
    page = served.scrape()
    assert request_counts(page) == {
        (UNCONFIGURED, "NOT_FOUND"): 80,
        (UNCONFIGURED, "INVALID_ARGUMENT"): 40,
        ("half", "FAILED_PRECONDITION"): 40,
    }
    assert page.labels("model") == {UNCONFIGURED, "half", "loop"}
    assert page.labels("model_name") == {UNCONFIGURED, "half"}
    assert page.labels("signature") == {""}


def test_a_model_that_is_no_more_configured_has_no_label(served: Monitored) -> None:
    served.post("loop:predict", {"instances": [1]})
    assert "loop" in served.scrape().labels("model")
    served.publish(half=[123])
    served.plane.unload(ServableId("loop", 1), served.models.version("loop", 1))
    assert served.post("loop:predict", {"instances": [1]}).status == 404
    page = served.scrape()
    assert page.labels("model") == {UNCONFIGURED, "half"}
    assert request_counts(page) == {(UNCONFIGURED, "NOT_FOUND"): 1}


def test_a_model_may_have_a_name_that_needs_escaping(serve: Serve, tmp_path: Path) -> None:
    served = serve()
    name = 'a "quoted"\\name\n# TYPE x'
    path = served.models.version("half", 123)
    served.plane.load(ServableId(name, 1), path)
    served.plane.publish({name: {1: path}}, {}, {})
    assert served.scrape().value("slipway_loads_total", model=name, code="OK") == 1


def test_times_are_split_into_queue_run_and_all(serve: Serve) -> None:
    served = serve(replace(METRICS, run_threads=1))
    ask_loop = {"inputs": {"turns": TURNS // 10}}
    threads = [
        threading.Thread(target=served.post, args=("loop:predict", ask_loop)) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    page = served.scrape()
    labels = HALF_OVER_REST | {"model": "loop", "version": "1"}
    names = ("slipway_queue_seconds", "slipway_run_seconds", "slipway_request_seconds")
    assert [page.value(f"{name}_count", **labels) for name in names] == [3, 3, 3]
    queue, run, total = (page.value(f"{name}_sum", **labels) for name in names)
    # One thread runs them one after the other: the second waits for one run, the third for two.
    assert 0.3 * run < queue < 2.2 * run
    assert queue + run < total
    api = {"model_name": "loop", "API": "predict", "entrypoint": "REST"}
    assert page.value(f"{ORIGINAL}request_latency_sum", **api) == pytest.approx(1e6 * total, abs=1)
    api = {"model_name": "loop", "API": "Predict", "runtime": "TF1"}
    assert page.value(f"{ORIGINAL}runtime_latency_sum", **api) == pytest.approx(1e6 * run, abs=1)


def test_both_kinds_of_limits_count_the_same_times(served: Monitored) -> None:
    for _ in range(100):
        served.post("half:predict", ONE)
    page = served.scrape()
    original = {"model_name": "half", "API": "predict", "entrypoint": "REST"}
    buckets = [
        (float(dict(labels)["le"]), value)
        for (name, labels), value in page.samples.items()
        if name == f"{ORIGINAL}request_latency_bucket" and original.items() < set(labels)
    ]
    assert len(buckets) == 34
    for seconds in ("0.00025", "0.0025", "0.01"):
        micros = 1e6 * float(seconds)
        below = max(value for limit, value in buckets if limit <= micros)
        above = min(value for limit, value in buckets if limit > micros)
        own = page.value("slipway_request_seconds_bucket", le=seconds, **HALF_OVER_REST)
        assert below <= own <= above
    assert page.value("slipway_request_seconds_count", **HALF_OVER_REST) == 100


def test_what_is_too_late_is_counted_as_that(serve: Serve, stubs: Any) -> None:
    served = serve(replace(METRICS, rest_timeout_s=0.1))
    client = stubs.OfficialClient(served.grpc)
    request = stubs.predict_pb2.PredictRequest(model_spec=stubs.model_spec("loop"))
    request.inputs["turns"].CopyFrom(stubs.to_proto(np.int32(TURNS)))
    for _ in range(4):
        fails(lambda: client.prediction.Predict(request, timeout=0.1), "DEADLINE_EXCEEDED")
    assert served.post("loop:predict", {"inputs": TURNS}).status == 504
    client.channel.close()
    wait_until(lambda: sum(request_counts(served.scrape()).values()) == 5, "all of them")
    assert request_counts(served.scrape()) == {("loop", "DEADLINE_EXCEEDED"): 5}


def test_what_its_caller_gives_up_is_counted_as_cancelled(
    served: Monitored, client: Any, stubs: Any
) -> None:
    request = stubs.predict_pb2.PredictRequest(model_spec=stubs.model_spec("loop"))
    request.inputs["turns"].CopyFrom(stubs.to_proto(np.int32(TURNS)))
    call = client.prediction.Predict.future(request, timeout=60)
    body = b'{"inputs": %d}' % TURNS
    with raw_http.connection(served.rest) as connection:
        connection.sendall(raw_http.request("POST", "/v1/models/loop:predict", body=body))
        bytes_of_both = len(body) + request.ByteSize()
        wait_until(
            lambda: served.scrape().value("slipway_in_flight_bytes") >= bytes_of_both, "both"
        )
    call.cancel()
    wait_until(lambda: sum(request_counts(served.scrape()).values()) == 2, "the end of both")
    assert request_counts(served.scrape()) == {("loop", "CANCELLED"): 2}


def test_what_is_refused_before_it_is_read_is_counted(serve: Serve, stubs: Any) -> None:
    limits = Limits(max_message_bytes=1000)
    served = serve(replace(METRICS, limits=limits))
    client = stubs.OfficialClient(served.grpc)
    large = np.zeros(300, np.float32)
    fails(lambda: client.predict(stubs.model_spec("half"), x=large), "RESOURCE_EXHAUSTED")
    method = client.channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
    with suppress(grpc.RpcError):
        method(b"no message", timeout=30)
    client.channel.close()
    assert served.post("half:predict", {"instances": [1.0] * 300}).status == 413
    assert served.post("nobody:predict", {"instances": [1.0] * 300}).status == 413
    page = served.scrape()
    refused = own_counts(page, model="", version="", signature="", method="", protocol="grpc")
    assert refused.pop(("RESOURCE_EXHAUSTED",)) == 1
    assert list(refused.values()) == [1], "what is no message"
    # Of a message that was not read, the original knows nothing; of a body it knows the path.
    assert request_counts(page) == {
        ("half", "RESOURCE_EXHAUSTED"): 1,
        (UNCONFIGURED, "RESOURCE_EXHAUSTED"): 1,
    }


def test_loads_are_counted_and_their_times_are_there(served: Monitored, tmp_path: Path) -> None:
    with pytest.raises(ServingError):
        served.plane.load(ServableId("half", 7), tmp_path)
    page = served.scrape()
    assert page.value("slipway_loads_total", model="half", code="OK") == 1
    assert page.value("slipway_loads_total", model="half", code="NOT_FOUND") == 1
    assert 0 < page.value("slipway_load_seconds", model="half", version="123") < 60
    assert page.labels("model") == {"half", "loop"}


def test_versions_are_counted_by_state(served: Monitored) -> None:
    states = [State.AVAILABLE, State.LOADING, State.END, State.END]
    versions = [VersionStatus(123 + number, state) for number, state in enumerate(states)]
    served.publish(*versions, half=[123])
    page = served.scrape()
    assert {
        state: page.value("slipway_versions", model="half", state=state.value) for state in State
    } == {
        State.START: 0, State.LOADING: 1, State.AVAILABLE: 1, State.UNLOADING: 0, State.END: 2,
    }  # fmt: skip


def test_memory_is_told(served: Monitored) -> None:
    page = served.scrape()
    assert page.value("slipway_in_flight_bytes") == 0
    assert page.value("slipway_in_flight_limit_bytes") == Limits().max_bytes_in_flight
    resident = page.value("slipway_process_resident_memory_bytes")
    assert resident > 50 * 2**20
    if STATM.exists():
        measured = int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        assert resident == pytest.approx(measured, rel=0.2)


def test_warm_up_requests_are_counted_without_the_folders_of_the_machine(
    serve: Serve, stubs: Any, tmp_path: Path
) -> None:
    served = serve()
    path = shutil.copytree(served.models.version("half", 123), tmp_path / "5")
    log = stubs.prediction_log()
    log.predict_log.request.inputs["x"].CopyFrom(stubs.to_proto(np.asarray([1], np.float32)))
    log.predict_log.request.model_spec.name = "half"
    record = log.SerializeToString()
    stubs.write_records(path / "assets.extra" / "tf_serving_warmup_requests", [record] * 3)
    served.plane.load(ServableId("half", 5), path)
    reply = ask(served.rest, "GET", PATH)
    assert str(tmp_path) not in reply.body.decode()
    page = read(reply.body.decode())
    labels = {"model_path": "half/5", "status": "OK"}
    assert page.value(f"{ORIGINAL}model_warmup_records_read", **labels) == 3
    assert page.value(f"{ORIGINAL}model_warmup_latency_count", **labels) == 1
    assert page.labels("model_path") == {"half/5"}
    assert request_counts(page) == {}, "nobody has asked for anything"


def test_a_version_that_has_left_is_told_apart_until_four_others_have(served: Monitored) -> None:
    half = served.models.version("half", 123)
    served.post("half:predict", ONE)
    before = 123
    for number in range(1, 9):
        served.plane.load(ServableId("half", number), half)
        served.plane.publish({"half": {number: half}}, {}, {})
        served.plane.unload(ServableId("half", before), half)
        before = number
        served.post("half:predict", ONE)
        page = served.scrape()
        own = HALF_OVER_REST | {"version": str(number), "code": "OK"}
        assert page.value("slipway_requests_total", **own) == 1
        # The original's metrics know no versions, and lose none.
        assert request_counts(page) == {("half", "OK"): 1 + number}
    assert page.labels("version") == {"4", "5", "6", "7", "8"}
    assert page.total("slipway_load_seconds") == page.value(
        "slipway_load_seconds", model="half", version="8"
    )


def test_pages_add_up_while_versions_come_and_go(served: Monitored) -> None:
    half = served.models.version("half", 123)
    is_over = threading.Event()
    pages: list[Page] = []
    answers: list[Reply] = []

    def scrape_on() -> None:
        while not is_over.is_set():
            pages.append(served.scrape())

    def ask_on() -> None:
        while not is_over.is_set():
            answers.append(served.post("half:predict", ONE))

    with ExitStack() as stack:
        threads = [threading.Thread(target=target) for target in (scrape_on, ask_on)]
        for thread in threads:
            thread.start()
            stack.callback(thread.join)
        stack.callback(is_over.set)
        previous = 123
        for number in range(1, 16):
            served.plane.load(ServableId("half", number), half)
            served.plane.publish({"half": {number: half}}, {}, {})
            served.plane.unload(ServableId("half", previous), half)
            previous = number
    assert {reply.status for reply in answers} == {200}
    assert len(pages) > 5
    counts = [request_counts(page).get(("half", "OK"), 0) for page in pages]
    assert counts == sorted(counts), "no count goes back"
    assert request_counts(served.scrape()) == {("half", "OK"): len(answers)}


def test_metrics_are_there_while_every_thread_runs_a_model(serve: Serve) -> None:
    served = serve(replace(METRICS, run_threads=1))
    body = b'{"inputs": %d}' % TURNS
    with raw_http.connection(served.rest) as connection:
        connection.sendall(raw_http.request("POST", "/v1/models/loop:predict", body=body))
        for _ in range(20):
            served.scrape()
        with suppress(TimeoutError):
            connection.settimeout(0.01)
            assert not connection.recv(1), "the run was over too soon to tell"


def test_callers_that_do_not_read_their_metrics_hold_nobody_up(served: Monitored) -> None:
    with ExitStack() as stack:
        for _ in range(50):
            connection = stack.enter_context(raw_http.connection(served.rest))
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
            connection.sendall(raw_http.request("GET", PATH) * 20)
        for _ in range(50):
            assert served.post("half:predict", ONE).status == 200
        served.scrape()


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_metrics_are_answered_to_any_method(served: Monitored, method: str) -> None:
    reply = ask(served.rest, method, PATH, b"whatever" if method == "POST" else None)
    assert (reply.status, reply.headers["content-type"]) == (200, "text/plain")
    read(reply.body.decode())


def test_head_has_no_body_and_a_connection_goes_on(served: Monitored) -> None:
    connection = http.client.HTTPConnection(served.rest, timeout=30)
    for method in ("HEAD", "GET", "HEAD"):
        connection.request(method, PATH)
        response = connection.getresponse()
        assert response.status == 200
        assert bool(response.read()) == (method == "GET")
    connection.close()


@pytest.mark.parametrize("path", ["/metrics", "/v1/models/half", "/v1/models/half:predict"])
def test_metrics_have_the_path_that_they_are_given(serve: Serve, path: str) -> None:
    served = serve(replace(METRICS, metrics_path=path))
    assert scrape(served.rest, path).families
    reply = ask(served.rest, "GET", f"{path}?name=x")
    assert (reply.status, reply.headers["content-type"]) == (400, "text/plain")
    assert reply.body.decode() == f"Unexpected path: {path}?name=x. Should be {path}"
    assert ask(served.rest, "GET", PATH).status == 404
    assert ask(served.rest, "GET", f"{path}/").status in (400, 404)


def test_without_a_path_there_are_no_metrics(serve: Serve) -> None:
    served = serve(replace(METRICS, metrics_path=None))
    reply = ask(served.rest, "GET", PATH)
    assert (reply.status, reply.headers["content-type"]) == (404, "text/html")


def test_the_page_is_in_the_form_of_the_original(served: Monitored) -> None:
    served.post("half:predict", ONE)
    lines = ask(served.rest, "GET", PATH).body.decode().splitlines()
    names = [line.split()[2] for line in lines if line.startswith("# TYPE ")]
    assert names == sorted(names), "in the order of bytes"
    assert [name for name in names if not name.startswith("slipway_")] == [
        f"{ORIGINAL}{name}"
        for name in (
            "mlmd_map", "model_warmup_latency", "model_warmup_records_read", "request_count",
            "request_example_count_total", "request_example_counts", "request_latency",
            "request_log_count", "runtime_latency",
        )
    ]  # fmt: skip
    assert f'{ORIGINAL}request_count{{model_name="half",status="OK"}} 1' in lines
    labels = 'model_name="half",API="predict",entrypoint="REST"'
    limits = [
        line.split('le="')[1].split('"')[0]
        for line in lines
        if line.startswith(f"{ORIGINAL}request_latency_bucket{{{labels},le=")
    ]
    assert limits[:6] == ["10", "18", "32.4", "58.32", "104.976", "188.957"]
    assert limits[-2:] == ["1.47476e+09", "+Inf"]
    assert any(line.startswith(f"{ORIGINAL}request_latency_sum{{{labels}}} ") for line in lines)
    assert not any(line.startswith("# HELP :") for line in lines)


def test_a_reload_tells_by_how_much_counters_have_grown(
    stubs: Any, saved_models: SavedModels
) -> None:
    served: list[Monitored] = []

    def on_reload(_config: Any, _deadline_s: float | None) -> None:
        for _ in range(3):
            assert served[0].post("nobody:predict", ONE).status == 404

    plane = NativePlane(METRICS, on_reload=on_reload)
    addresses = plane.start()
    assert addresses.grpc
    assert addresses.rest
    served.append(Monitored(plane, saved_models, addresses.grpc, addresses.rest))
    client = stubs.OfficialClient(addresses.grpc)
    names = ["/tensorflow/serving/request_count", "/tensorflow/serving/request_latency", "none"]
    request = stubs.reload_request(metric_names=names)
    request.config.model_config_list.SetInParent()
    answer = client.reload(request)
    assert [(metric.name, metric.int64_value_increase) for metric in answer.metric] == [
        (names[0], 3), (names[1], 0), (names[2], 0),
    ]  # fmt: skip
    assert not client.reload(stubs.reload_request(config=request.config)).metric
    client.channel.close()
    plane.drain(5)
