"""Ways to ask a server of several models, and threads that do it all along."""

import http.client
import json
import threading
import time
from collections.abc import Callable, Mapping
from random import Random
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from reconfigure_judge import Record
from reconfigure_plan import LABELS, NUMBERS, ORIGINS, SIDES, Origin, Topic
from soak_versions import HALF, WEIGH

import slipway
from slipway.errors import Code, ServingError

TIMEOUT_S = 60.0
"""Longer than anything here takes: a request that is lost is a failure, a slow one is not."""

PAUSE_S = 0.005
X = np.asarray([1, 2, 5], np.float32)

Floats = NDArray[np.float32]


class Failure(Exception):  # noqa: N818
    """An answer that is an error; `code` is the name of its code."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class WrongNumbersError(Exception):
    """An answer is of no version at all."""


class Caller(Protocol):
    """One way to ask the server. Used by one thread. Raises Failure."""

    def predict(self, topic: Topic, signature: str) -> tuple[Any, int | None]:
        """Return `y`, and the version that the answer names, if it does."""
        ...

    def states(self, model: str) -> dict[int, str]:
        """Return the state of each version of a model."""
        ...


class ByClient:
    """`slipway.Client`, over either protocol."""

    def __init__(self, address: str) -> None:
        self._client = slipway.Client(address, timeout_s=TIMEOUT_S)

    def predict(self, topic: Topic, signature: str) -> tuple[Any, int | None]:
        try:
            answer = self._client.predict(
                topic.model, {"x": X}, version=topic.number, label=topic.label, signature=signature
            )
        except ServingError as error:
            raise Failure(error.code.name, str(error)) from error
        return answer["y"], None

    def states(self, model: str) -> dict[int, str]:
        try:
            return {status.version: status.state.name for status in self._client.status(model)}
        except ServingError as error:
            raise Failure(error.code.name, str(error)) from error


class ByHttp:
    """`http.client` on one connection."""

    _CODES: Mapping[int, Code] = {400: Code.INVALID_ARGUMENT, 404: Code.NOT_FOUND}

    def __init__(self, address: str) -> None:
        self._connection = http.client.HTTPConnection(address, timeout=TIMEOUT_S)

    def predict(self, topic: Topic, signature: str) -> tuple[Any, int | None]:
        path = f"/v1/models/{topic.model}"
        if topic.number is not None:
            path += f"/versions/{topic.number}"
        if topic.label is not None:
            path += f"/labels/{topic.label}"
        body = {"signature_name": signature, "instances": X.tolist()}
        return self._ask("POST", f"{path}:predict", json.dumps(body))["predictions"], None

    def states(self, model: str) -> dict[int, str]:
        entries = self._ask("GET", f"/v1/models/{model}")["model_version_status"]
        return {int(entry["version"]): entry["state"] for entry in entries}

    def _ask(self, method: str, path: str, body: str | None = None) -> Any:
        self._connection.request(method, path, body)
        response = self._connection.getresponse()
        answer = response.read()
        if response.status != http.client.OK:
            code = self._CODES.get(response.status)
            text = answer[:200].decode(errors="replace")
            raise Failure(code.name if code else str(response.status), text)
        return json.loads(answer)


class ByStubs:
    """grpcio and the official stubs, whose answers name their version."""

    def __init__(self, address: str) -> None:
        import grpc
        import tensorflow as tf
        from tensorflow_serving.apis import (
            get_model_status_pb2,
            model_service_pb2_grpc,
            predict_pb2,
            prediction_service_pb2_grpc,
        )

        channel = grpc.insecure_channel(address)
        self._x = tf.make_tensor_proto(X)
        self._error = grpc.RpcError
        self._make_ndarray = tf.make_ndarray
        self._prediction = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        self._model = model_service_pb2_grpc.ModelServiceStub(channel)
        self._predict = predict_pb2.PredictRequest
        self._status = get_model_status_pb2.GetModelStatusRequest
        self._state_name = get_model_status_pb2.ModelVersionStatus.State.Name

    def predict(self, topic: Topic, signature: str) -> tuple[Any, int | None]:
        request = self._predict()
        request.model_spec.name = topic.model
        request.model_spec.signature_name = signature
        if topic.number is not None:
            request.model_spec.version.value = topic.number
        if topic.label is not None:
            request.model_spec.version_label = topic.label
        request.inputs["x"].CopyFrom(self._x)
        response = self._ask(self._prediction.Predict, request)
        return self._make_ndarray(response.outputs["y"]), response.model_spec.version.value

    def states(self, model: str) -> dict[int, str]:
        request = self._status()
        request.model_spec.name = model
        response = self._ask(self._model.GetModelStatus, request)
        return {s.version: self._state_name(s.state) for s in response.model_version_status}

    def _ask(self, call: Callable[..., Any], request: Any) -> Any:
        try:
            return call(request, timeout=TIMEOUT_S)
        except self._error as error:
            raise Failure(error.code().name, error.details()) from error


def origin_of(y: Any) -> Origin:
    """Return the version that computed `y`, by all of its elements."""
    numbers = np.asarray(y, np.float32) - X / 2
    number = float(numbers[0])
    if (numbers != number).any() or number not in ORIGINS:
        raise WrongNumbersError(f"{numbers}")
    return ORIGINS[int(number)]


def predict(way: str, caller: Caller, topic: Topic, signature: str = HALF) -> Record:
    """Ask for one answer."""
    begin = time.monotonic()
    try:
        y, named = caller.predict(topic, signature)
        answered = origin_of(y)
    except Exception as failure:
        return _failed(way, topic, begin, failure)
    return Record(way, topic, begin, time.monotonic(), answered, named)


def status(way: str, caller: Caller, model: str) -> Record:
    """Ask for the states of a model's versions; there are none of one that never was."""
    begin = time.monotonic()
    code = error = ""
    states: dict[int, str] = {}
    try:
        states = caller.states(model)
    except Exception as failure:
        code, error = _code(failure), str(failure)
    end = time.monotonic()
    return Record(way, Topic(model), begin, end, states=states, code=code, error=error)


def _failed(way: str, topic: Topic, begin: float, failure: Exception) -> Record:
    end = time.monotonic()
    return Record(way, topic, begin, end, code=_code(failure), error=str(failure))


def _code(failure: Exception) -> str:
    return failure.code if isinstance(failure, Failure) else type(failure).__name__


class Asking(threading.Thread):
    """Asks by one way until told to stop, and keeps the records.

    Three of four requests are for what `bound` says is there, the others for anything.
    """

    def __init__(
        self,
        way: str,
        caller: Caller,
        bound: Callable[[], list[Topic]],
        stopped: threading.Event,
        random: Random,
    ) -> None:
        super().__init__(daemon=True)
        self.records: list[Record] = []
        self._way = way
        self._caller = caller
        self._bound = bound
        self._stopped = stopped
        self._random = random

    def run(self) -> None:
        while not self._stopped.wait(PAUSE_S):
            topic = self._topic()
            if self._random.random() < 0.1:
                record = status(self._way, self._caller, topic.model)
            else:
                signature = WEIGH if self._random.random() < 0.05 else HALF
                record = predict(self._way, self._caller, topic, signature)
            self.records.append(record)

    def _topic(self) -> Topic:
        bound = self._bound()
        if bound and self._random.random() < 0.75:
            return self._random.choice(bound)
        model = self._random.choice(list(SIDES))
        number, label = self._random.choice(NUMBERS), self._random.choice(LABELS)
        return self._random.choice([Topic(model), Topic(model, number), Topic(model, label=label)])


WAYS: Mapping[str, Callable[[str, str], Caller]] = {
    "Client, gRPC": lambda grpc, _: ByClient(grpc),
    "Client, REST": lambda _, rest: ByClient(f"http://{rest}"),
    "http.client": lambda _, rest: ByHttp(rest),
    "grpcio": lambda grpc, _: ByStubs(grpc),
}
"""Each way to ask, from the addresses of gRPC and REST."""
