"""Ways to ask the server of the soak, each with the same methods."""

import asyncio
import http.client
import json
from collections.abc import Coroutine
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from soak_versions import MODEL

import slipway
from slipway.errors import NotFoundError

TIMEOUT_S = 60.0
"""Longer than anything here takes: a request that is lost is a failure, a slow one is not."""

Floats = NDArray[np.float32]


class HttpError(Exception):
    """An answer with another status than 200."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(f"{status}: {body[:200].decode(errors='replace')}")
        self.status = status


class Caller(Protocol):
    """One way to ask the server. May be used by one thread at a time."""

    def predict(
        self, x: Floats, signature: str, version: int | None, **others: Any
    ) -> tuple[Any, int | None]:
        """Return `y`, and the version that the answer names, if it does."""
        ...

    def metadata(self) -> int | None:
        """Return the version that the metadata is of."""
        ...

    def states(self) -> dict[int, str]:
        """Return the state of each version."""
        ...

    def is_not_found(self, error: Exception) -> bool:
        """Whether the server said that there is no such version."""
        ...


class OfClient:
    """`slipway.Client`, over either protocol."""

    def __init__(self, client: slipway.Client) -> None:
        self._client = client

    def predict(
        self, x: Floats, signature: str, version: int | None, **others: Any
    ) -> tuple[Any, int | None]:
        inputs = {"x": x, **others}
        answer = self._client.predict(MODEL, inputs, version=version, signature=signature)
        return answer["y"], None

    def metadata(self) -> int | None:
        return self._client.metadata(MODEL).version

    def states(self) -> dict[int, str]:
        return {status.version: status.state.name for status in self._client.status(MODEL)}

    def is_not_found(self, error: Exception) -> bool:
        return isinstance(error, NotFoundError)


class OfAsyncClient:
    """`slipway.AsyncClient` on an event loop in another thread."""

    def __init__(self, client: slipway.AsyncClient, loop: asyncio.AbstractEventLoop) -> None:
        self._client = client
        self._loop = loop

    def predict(
        self, x: Floats, signature: str, version: int | None, **others: Any
    ) -> tuple[Any, int | None]:
        inputs = {"x": x, **others}
        answer = self._run(
            self._client.predict(MODEL, inputs, version=version, signature=signature)
        )
        return answer["y"], None

    def metadata(self) -> int | None:
        version: int | None = self._run(self._client.metadata(MODEL)).version
        return version

    def states(self) -> dict[int, str]:
        return {s.version: s.state.name for s in self._run(self._client.status(MODEL))}

    def is_not_found(self, error: Exception) -> bool:
        return isinstance(error, NotFoundError)

    def _run(self, call: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(call, self._loop).result()


class OfHttp:
    """`http.client`: a connection is kept for some requests, then made anew."""

    REQUESTS_A_CONNECTION = 50

    def __init__(self, address: str) -> None:
        self._connection = http.client.HTTPConnection(address, timeout=TIMEOUT_S)
        self._requests = 0

    def predict(
        self, x: Floats, signature: str, version: int | None, **others: Any
    ) -> tuple[Any, int | None]:
        path = f"/v1/models/{MODEL}" + (f"/versions/{version}" if version is not None else "")
        body = {"signature_name": signature, "instances": x.tolist()}
        return self._ask("POST", f"{path}:predict", json.dumps(body))["predictions"], None

    def metadata(self) -> int | None:
        return int(self._ask("GET", f"/v1/models/{MODEL}/metadata")["model_spec"]["version"])

    def states(self) -> dict[int, str]:
        entries = self._ask("GET", f"/v1/models/{MODEL}")["model_version_status"]
        return {int(entry["version"]): entry["state"] for entry in entries}

    def is_not_found(self, error: Exception) -> bool:
        return isinstance(error, HttpError) and error.status == http.client.NOT_FOUND

    def _ask(self, method: str, path: str, body: str | None = None) -> Any:
        self._requests += 1
        if self._requests % self.REQUESTS_A_CONNECTION == 0:
            self._connection.close()
        self._connection.request(method, path, body)
        response = self._connection.getresponse()
        answer = response.read()
        if response.status != http.client.OK:
            raise HttpError(response.status, answer)
        return json.loads(answer)


class OfStubs:
    """grpcio and the official stubs."""

    def __init__(self, address: str) -> None:
        import grpc
        import tensorflow as tf
        from tensorflow_serving.apis import (
            get_model_metadata_pb2,
            get_model_status_pb2,
            model_service_pb2_grpc,
            predict_pb2,
            prediction_service_pb2_grpc,
        )

        # A message of the default 4 MiB at most: the big input is a quarter of that.
        channel = grpc.insecure_channel(address)
        self._grpc, self._tf = grpc, tf
        self._prediction = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        self._model = model_service_pb2_grpc.ModelServiceStub(channel)
        self._predict = predict_pb2.PredictRequest
        self._metadata = get_model_metadata_pb2.GetModelMetadataRequest
        self._status = get_model_status_pb2.GetModelStatusRequest
        self._state_name = get_model_status_pb2.ModelVersionStatus.State.Name

    def predict(
        self, x: Floats, signature: str, version: int | None, **others: Any
    ) -> tuple[Any, int | None]:
        request = self._predict()
        request.model_spec.name = MODEL
        request.model_spec.signature_name = signature
        if version is not None:
            request.model_spec.version.value = version
        request.inputs["x"].CopyFrom(self._tf.make_tensor_proto(x))
        response = self._prediction.Predict(request, timeout=TIMEOUT_S)
        return self._tf.make_ndarray(response.outputs["y"]), response.model_spec.version.value

    def metadata(self) -> int | None:
        request = self._metadata(metadata_field=["signature_def"])
        request.model_spec.name = MODEL
        response = self._prediction.GetModelMetadata(request, timeout=TIMEOUT_S)
        return int(response.model_spec.version.value)

    def states(self) -> dict[int, str]:
        request = self._status()
        request.model_spec.name = MODEL
        response = self._model.GetModelStatus(request, timeout=TIMEOUT_S)
        return {s.version: self._state_name(s.state) for s in response.model_version_status}

    def is_not_found(self, error: Exception) -> bool:
        return (
            isinstance(error, self._grpc.RpcError)
            and getattr(error, "code")() is self._grpc.StatusCode.NOT_FOUND  # noqa: B009
        )
