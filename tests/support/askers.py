"""Everything that can be asked for a prediction, behind one call."""

import asyncio
import base64
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

import slipway
from slipway.signatures import TensorSpec
from tests.support.questions import Arrays, numpy_dtype
from tests.support.rest import Reply, ask

Specs = Mapping[str, TensorSpec]


class Addresses(Protocol):
    """Where a server listens, and the folder of its models."""

    @property
    def grpc(self) -> str: ...
    @property
    def rest(self) -> str: ...
    @property
    def folder(self) -> Path: ...


class Ask(Protocol):
    """Runs a signature of a model, and returns its outputs by alias.

    Raises whatever it raises when the model cannot be asked that.
    """

    def __call__(self, model: str, signature: str, inputs: Arrays) -> Arrays: ...


class Asker(Protocol):
    """Opens what asks the server at some addresses, and closes it in the end."""

    def __call__(self, addresses: Addresses) -> AbstractContextManager[Ask]: ...


@contextmanager
def official_stubs(addresses: Addresses) -> Iterator[Ask]:
    """TensorFlow Serving's own client."""
    from tests.support import stubs

    client = stubs.OfficialClient(addresses.grpc)

    def ask_stubs(model: str, signature: str, inputs: Arrays) -> Arrays:
        answer = client.predict(stubs.model_spec(model, signature), None, **inputs)
        return {alias: stubs.to_array(proto) for alias, proto in answer.outputs.items()}

    yield ask_stubs
    client.channel.close()


@contextmanager
def client(address: str, *, lists: bool = False) -> Iterator[Ask]:
    """`slipway.Client`, given arrays or the lists that are in them."""
    with slipway.Client(address) as opened:

        def ask_client(model: str, signature: str, inputs: Arrays) -> Arrays:
            given = {a: value.tolist() for a, value in inputs.items()} if lists else inputs
            return opened.predict(model, given, signature=signature)

        yield ask_client


@contextmanager
def async_client(address: str) -> Iterator[Ask]:
    """`slipway.AsyncClient`, in an event loop for each question."""
    opened = slipway.AsyncClient(address)

    def ask_client(model: str, signature: str, inputs: Arrays) -> Arrays:
        return asyncio.run(opened.predict(model, inputs, signature=signature))

    yield ask_client
    opened.close()


@contextmanager
def in_process(addresses: Addresses) -> Iterator[Ask]:
    """`slipway.load`, which asks no server."""
    loaded: dict[str, slipway.SavedModel] = {}

    def ask_loaded(model: str, signature: str, inputs: Arrays) -> Arrays:
        if model not in loaded:
            versions = (addresses.folder / model).iterdir()
            loaded[model] = slipway.load(max(path for path in versions if path.is_dir()))
        return loaded[model].signatures[signature](**inputs)

    yield ask_loaded
    for saved_model in loaded.values():
        saved_model.close()


class RestError(Exception):
    """A status other than 200, with the text of the error."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(f"{reply.status}: {reply.error}")


@contextmanager
def http_by_column(addresses: Addresses) -> Iterator[Ask]:
    """JSON as the REST API's documentation has it: `inputs` and `outputs`."""
    declared = _declared(addresses)

    def ask_columns(model: str, signature: str, inputs: Arrays) -> Arrays:
        columns = {alias: _plain(array.tolist()) for alias, array in inputs.items()}
        found = _post(addresses, model, {"signature_name": signature, "inputs": columns})["outputs"]
        outputs = declared(model, signature)
        return _arrays(found if len(outputs) > 1 else dict.fromkeys(outputs, found), outputs)

    yield ask_columns


@contextmanager
def http_by_row(addresses: Addresses) -> Iterator[Ask]:
    """JSON as the REST API's documentation has it: `instances` and `predictions`."""
    declared = _declared(addresses)

    def ask_rows(model: str, signature: str, inputs: Arrays) -> Arrays:
        columns = {alias: _plain(array.tolist()) for alias, array in inputs.items()}
        rows: list[Any] = [dict(zip(columns, row)) for row in zip(*columns.values())]
        if len(columns) == 1:
            (rows,) = columns.values()
        body = {"signature_name": signature, "instances": rows}
        found = _post(addresses, model, body)["predictions"]
        outputs = declared(model, signature)
        if len(outputs) == 1:
            return _arrays(dict.fromkeys(outputs, found), outputs)
        assert all(row.keys() == outputs.keys() for row in found)
        return _arrays({alias: [row[alias] for row in found] for alias in outputs}, outputs)

    yield ask_rows


def _declared(addresses: Addresses) -> Callable[[str, str], Specs]:
    """Return what says the outputs of a signature: JSON has no dtypes."""

    @cache
    def outputs(model: str, signature: str) -> Specs:
        with slipway.Client(f"http://{addresses.rest}") as client:
            return client.metadata(model).signatures[signature].outputs

    return outputs


def _post(addresses: Addresses, model: str, body: dict[str, Any]) -> Any:
    reply = ask(addresses.rest, "POST", f"/v1/models/{model}:predict", body)
    if reply.status != 200:
        raise RestError(reply)
    # Strings are passed on as they are, so that a body need not be UTF-8.
    return json.loads(reply.body.decode(errors="surrogateescape"))


def _plain(value: Any) -> Any:
    """Return nested lists as JSON takes them: bytes that are no text in base64."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if not isinstance(value, bytes):
        return value
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"b64": base64.b64encode(value).decode()}


def _arrays(found: dict[str, Any], outputs: Specs) -> Arrays:
    """Return nested lists from JSON as arrays of the declared dtypes."""
    assert found.keys() == outputs.keys()
    return {alias: _array(alias, found[alias], spec) for alias, spec in outputs.items()}


def _array(alias: str, value: Any, spec: TensorSpec) -> NDArray[Any]:
    if spec.dtype == "string":
        value = _strings(value, wrapped=alias.endswith("_bytes"))
    array = np.array(value, numpy_dtype(spec.dtype))
    if array.size == 0 and spec.shape:
        # An empty list says nothing of the dims behind it.
        array = array.reshape(*array.shape, *(max(0, dim) for dim in spec.shape[array.ndim :]))
    return array


def _strings(value: Any, *, wrapped: bool) -> Any:
    """Return bytes in place of JSON's strings, which are base64 by the name of the output."""
    if isinstance(value, list):
        return [_strings(item, wrapped=wrapped) for item in value]
    if wrapped:
        assert value.keys() == {"b64"}
        return base64.b64decode(value["b64"], validate=True)
    assert isinstance(value, str)
    return value.encode(errors="surrogateescape")


OVER_GRPC: dict[str, Asker] = {
    "official stubs": official_stubs,
    "Client": lambda addresses: client(addresses.grpc),
    "Client given lists": lambda addresses: client(addresses.grpc, lists=True),
    "AsyncClient": lambda addresses: async_client(addresses.grpc),
}

OVER_REST: dict[str, Asker] = {
    "HTTP by column": http_by_column,
    "HTTP by row": http_by_row,
    "Client over REST": lambda addresses: client(f"http://{addresses.rest}"),
    "AsyncClient over REST": lambda addresses: async_client(f"http://{addresses.rest}"),
}

IN_PROCESS: dict[str, Asker] = {"slipway.load": in_process}
