"""`slipway.Client` and `slipway.AsyncClient` against the native plane, over both transports."""

import asyncio
import math
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import slipway
from slipway import errors
from slipway.dataplane.base import PlaneConfig
from slipway.dataplane.native import NativePlane
from slipway.errors import Code, ServingError
from slipway.servables import State, VersionStatus
from slipway.signatures import TensorSpec
from tests.contract.conftest import Serving
from tests.support import half
from tests.support.models import SavedModels
from tests.support.waiting import wait_until

X = np.asarray([1, 2, 5], np.float32)
Y = [2.5, 3.0, 4.5]
# A run of about a second, which the server finishes even when nobody waits for it any more.
LONG = {"turns": np.int32(20_000)}


@pytest.fixture(params=["grpc", "rest"])
def address(request: pytest.FixtureRequest, serving: Serving) -> str:
    return serving.grpc if request.param == "grpc" else f"http://{serving.rest}"


@pytest.fixture
def client(address: str) -> Iterator[slipway.Client]:
    with slipway.Client(address) as client:
        yield client


VALUES: dict[str, Any] = {
    "float32": [0.1, -0.0, np.inf, -np.inf, 3.4e38, 1e-45],
    "float64": [0.1, -1e308, 5e-324, np.inf],
    "float16": [0.1, 65504, -6e-8, np.inf],
    "bfloat16": [0.1, 3e38, -np.inf],
    "int8": [-128, 127],
    "int16": [-(2**15), 2**15 - 1],
    "int32": [-(2**31), 2**31 - 1],
    "int64": [-(2**63), 2**63 - 1],
    "uint8": [0, 255],
    "uint16": [0, 2**16 - 1],
    "uint32": [0, 2**32 - 1],
    "uint64": [0, 2**64 - 1],
    "bool": [True, False],
    "string": ["很 喜欢".encode(), b"", b"\0nul\0", b"\xff\xfe", b'"\\\n'],
    "complex64": [1 + 2j, -0.5j],
    "complex128": [0.1 + 1e300j],
}


@pytest.mark.parametrize("dtype", VALUES)
def test_every_dtype_comes_back_as_it_went(
    client: slipway.Client, address: str, dtype: str
) -> None:
    if dtype.startswith("complex") and address.startswith("http"):
        with pytest.raises(errors.UnimplementedError, match=r'input "x": complex.* use gRPC'):
            client.predict("echo", {"x": np.asarray(VALUES[dtype], dtype)}, signature=dtype)
        return
    numpy_dtype = {"string": "object", "bfloat16": ml_dtypes.bfloat16}.get(dtype, dtype)
    flat = np.asarray(VALUES[dtype], numpy_dtype)
    for array in (flat, flat[0:1].reshape(()), np.stack([flat, flat])[:, None, ::-1], flat[:0]):
        # Selecting from an array of objects unwraps them.
        array = np.asarray(array, numpy_dtype)
        back = client.predict("echo", {"x": array}, signature=dtype)["y"]
        assert (back.dtype, back.shape) == (array.dtype, array.shape)
        assert back.tolist() == array.tolist()
    listed = client.predict("echo", {"x": [flat.tolist()]}, signature=dtype)["y"]
    assert (listed.dtype, listed.tolist()) == (flat.dtype, [flat.tolist()])


def test_nan_is_a_number_too(client: slipway.Client) -> None:
    for dtype in ("float16", "float32", "float64"):
        back = client.predict("echo", {"x": np.asarray([np.nan], dtype)}, signature=dtype)["y"]
        assert np.isnan(back).all()


@pytest.mark.parametrize(
    "array",
    [
        np.arange(24, dtype=np.float32).reshape(2, 3, 4).transpose(2, 0, 1),
        np.arange(10, dtype=np.float32)[::-2],
        np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3)),
        np.arange(3, dtype=">f4"),
        np.broadcast_to(np.float32(7), (2, 2)),
    ],
    ids=["transposed", "strided", "fortran", "big-endian", "broadcast"],
)
def test_memory_may_lie_in_any_order(client: slipway.Client, array: Any) -> None:
    back = client.predict("echo", {"x": array}, signature="float32")["y"]
    np.testing.assert_array_equal(back, array)


@pytest.mark.parametrize(
    "words",
    [np.asarray(["好", "so so"]), ["好", "so so"], np.asarray(["好", "so so"], object)],
    ids=["U", "list", "object"],
)
def test_text_is_sent_as_utf_8(client: slipway.Client, words: Any) -> None:
    assert client.predict("vocabulary", {"words": words})["ids"].tolist() == [0, 2]
    encoded = np.asarray(["好".encode(), b"so so"], "S")
    assert client.predict("vocabulary", {"words": encoded})["ids"].tolist() == [0, 2]


def test_a_large_tensor_goes_both_ways(client: slipway.Client) -> None:
    image = np.random.default_rng(1).random((320, 320, 3), np.float32)
    back = client.predict("echo", {"x": image}, signature="float32")["y"]
    np.testing.assert_array_equal(back, image)


def test_outputs_have_memory_of_their_own(client: slipway.Client) -> None:
    first = client.predict("half", {"x": X})["y"]
    first += 1
    assert client.predict("half", {"x": X})["y"].tolist() == Y
    client.close()
    assert first.tolist() == [3.5, 4.0, 5.5]


def test_version_label_signature_and_filter_are_honoured(client: slipway.Client) -> None:
    two = np.float32(2)
    for choice in ({"version": 123}, {"label": "stable"}, {}):
        outputs = client.predict("half", {"inputs": two}, signature="classify_x2_to_y3", **choice)
        assert outputs["scores"].shape == ()
        assert outputs["scores"] == 4
    features = {"features": np.zeros([1, 3], np.float32)}
    assert set(client.predict("dense", features)) == {"best", "scores"}
    assert set(client.predict("dense", features, output_filter=["best"])) == {"best"}
    with pytest.raises(ValueError, match="a version or a label, not both"):
        client.predict("half", {"x": X}, version=1, label="stable")


REFUSALS: dict[str, tuple[str, dict[str, Any], type[ServingError], str]] = {
    "model": ("nobody", {}, errors.NotFoundError, "Servable not found for request: Latest(nobody)"),
    "version": ("half", {"version": 7}, errors.NotFoundError, "Specific(half, 7)"),
    "label": ("half", {"label": "l"}, errors.InvalidArgumentError, "version label: l"),
    "filter": ("half", {"output_filter": ["z"]}, errors.InvalidArgumentError, "signature: z Outp"),
    "repeated filter": (
        "half", {"output_filter": ["y", "y"]}, errors.InvalidArgumentError, "duplicate output",
    ),
    "no input": ("half", {"inputs": {}}, errors.InvalidArgumentError, "x"),
    "dtype": ("half", {"inputs": {"x": ["a"]}}, errors.InvalidArgumentError, "float"),
    "bad list": ("half", {"inputs": {"x": [[1], [1, 2]]}}, errors.InvalidArgumentError, "\"x\": "),
    "ragged text": (
        "vocabulary", {"inputs": {"words": [["a"], ["b", "c"]]}},
        errors.InvalidArgumentError, 'input "words": its lists differ in length',
    ),
    "dates": (
        "half", {"inputs": {"x": np.zeros(1, "M8[s]")}}, errors.InvalidArgumentError,
        'input "x": TensorFlow has no dtype datetime64[s]',
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSALS)
def test_a_refusal_has_its_class_code_and_text(client: slipway.Client, case: str) -> None:
    model, arguments, error, text = REFUSALS[case]
    with pytest.raises(error) as raised:
        client.predict(model, **{"inputs": {"x": X}, **arguments})
    assert text in str(raised.value)
    assert raised.value.code == error.code
    assert client.predict("half", {"x": X})["y"].tolist() == Y


def test_an_unknown_signature_has_the_code_of_its_transport(
    client: slipway.Client, address: str
) -> None:
    rest = address.startswith("http")
    error = errors.InvalidArgumentError if rest else errors.FailedPreconditionError
    for x in (X, [1.0]):
        with pytest.raises(error, match='"other" not found'):
            client.predict("half", {"x": x}, signature="other")


def test_metadata_are_the_declared_signatures(client: slipway.Client) -> None:
    metadata = client.metadata("half", label="stable")
    assert (metadata.name, metadata.version) == ("half", 123)
    default = metadata.signatures["serving_default"]
    assert default.inputs == {"x": TensorSpec("float32", (-1, 1), "x:0")}
    assert default.outputs == {"y": TensorSpec("float32", (-1, 1), "y:0")}
    assert default.method_name == "tensorflow/serving/predict"
    assert metadata.signatures["regress_x_to_y"].inputs["inputs"].dtype == "string"
    assert metadata.signatures["regress_x_to_y"].inputs["inputs"].shape is None
    reference = client.metadata("reference").signatures["serving_default"]
    assert reference.outputs["weights"] == TensorSpec("float32", (3,), "weights:0")
    dtypes = client.metadata("echo").signatures
    assert {name: dtypes[name].inputs["x"].dtype for name in VALUES} == {n: n for n in VALUES}
    with pytest.raises(errors.NotFoundError):
        client.metadata("nobody")


def test_statuses_are_those_of_the_versions(client: slipway.Client) -> None:
    both = [VersionStatus(number, State.AVAILABLE, Code.OK, "") for number in (124, 123)]
    assert client.status("half") == both
    assert client.status("half", version=123) == both[1:]
    with pytest.raises(errors.NotFoundError, match="Could not find any versions of model nobody"):
        client.status("nobody")


def test_a_late_answer_is_not_waited_for(client: slipway.Client) -> None:
    with pytest.raises(errors.DeadlineExceededError):
        client.predict("loop", LONG, timeout_s=0.05)
    with pytest.raises(errors.DeadlineExceededError):
        client.predict("half", {"x": X}, timeout_s=0)
    assert client.predict("half", {"x": X}, timeout_s=math.inf)["y"].tolist() == Y
    with pytest.raises(ValueError, match="timeout_s is -1"):
        client.predict("half", {"x": X}, timeout_s=-1)


def test_a_message_over_the_limit_is_neither_sent_nor_taken(address: str) -> None:
    # JSON says more about a signature: the limit is between `half` and `echo`, which has many.
    limit = 5000 if address.startswith("http") else 1000
    with slipway.Client(address, max_message_bytes=limit) as client:
        with pytest.raises(errors.ResourceExhaustedError, match=rf"the request has .* {limit}:"):
            client.predict("half", {"x": np.zeros(limit, np.float32)})
        with pytest.raises(errors.ResourceExhaustedError, match=rf"the answer has .* {limit}:"):
            client.metadata("echo")
        assert client.predict("half", {"x": X})["y"].tolist() == Y


def test_threads_share_a_client(client: slipway.Client) -> None:
    def ask(number: int) -> None:
        for turn in range(50):
            x = np.asarray([number, turn], np.float32)
            outputs = client.predict("half", {"x": x})
            np.testing.assert_array_equal(outputs["y"], x * 0.5 + 2)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ask, range(8)))


def test_a_long_call_does_not_hold_up_those_of_other_threads(client: slipway.Client) -> None:
    ended = threading.Event()

    def ask_for_long() -> None:
        client.predict("loop", LONG, timeout_s=60)
        ended.set()

    asking = threading.Thread(target=ask_for_long)
    asking.start()
    answered = 0
    while not ended.is_set():
        client.predict("half", {"x": X})
        answered += 1
    asking.join()
    assert answered > 20


def test_a_closed_client_says_so(client: slipway.Client) -> None:
    client.predict("half", {"x": X})
    client.close()
    client.close()
    with pytest.raises(ValueError, match="the client is closed"):
        client.predict("half", {"x": X})


def test_a_client_shows_its_address() -> None:
    assert repr(slipway.Client("[::1]:8500")) == "Client('[::1]:8500', timeout_s=10)"
    assert repr(slipway.AsyncClient("h:1", timeout_s=1)) == "AsyncClient('h:1', timeout_s=1)"


@pytest.mark.parametrize("address", ["", "localhost", "a b:1", "ftp://h:1", "::1:8500", "h:0"])
def test_what_is_no_address_is_refused_at_once(address: str) -> None:
    with pytest.raises(ValueError, match="it is host:port or unix:/path for gRPC, http://host"):
        slipway.Client(address)


def test_the_wrong_port_is_named(serving: Serving) -> None:
    with pytest.raises(errors.UnavailableError, match=f"{serving.rest}: no gRPC .* http://"):
        slipway.Client(serving.rest).status("half")
    with pytest.raises(errors.UnavailableError, match=f"{serving.grpc}: .*is it the gRPC port"):
        slipway.Client(f"http://{serving.grpc}").status("half")


def config(address: str, *, rest: bool) -> PlaneConfig:
    """Return the configuration of a plane that listens where another one did."""
    port = int(address.rpartition(":")[2])
    return PlaneConfig(rest_port=port) if rest else PlaneConfig(grpc_port=port)


@pytest.mark.parametrize("rest", [False, True])
def test_a_client_outlives_its_server(saved_models: SavedModels, rest: bool) -> None:
    plane = NativePlane(PlaneConfig(rest_port=0) if rest else PlaneConfig(grpc_port=0))
    half.load(plane, saved_models, 123)
    half.publish(plane, saved_models, 123)
    addresses = plane.start()
    address = (addresses.rest if rest else addresses.grpc) or ""
    with slipway.Client(f"http://{address}" if rest else address) as client:
        for _ in range(2):
            assert client.predict("half", {"x": X})["y"].tolist() == Y
            # An idle client answers the server's last ping, so that nobody waits for it.
            assert plane.drain(20)
            with pytest.raises(errors.UnavailableError, match=f"{address}: cannot connect"):
                client.predict("half", {"x": X})
            plane = NativePlane(config(address, rest=rest))
            half.load(plane, saved_models, 123)
            half.publish(plane, saved_models, 123)
            plane.start()
        assert client.predict("half", {"x": X})["y"].tolist() == Y
        # The same with no call between two servers.
        assert plane.drain(20)
        plane = NativePlane(config(address, rest=rest))
        half.load(plane, saved_models, 123)
        half.publish(plane, saved_models, 123)
        plane.start()
        assert client.predict("half", {"x": X})["y"].tolist() == Y
    assert plane.drain(20)


def test_a_forked_child_may_use_the_client_of_its_parent(address: str) -> None:
    script = f"""
import os, sys
import numpy as np, slipway
client = slipway.Client({address!r})
def ask():
    return client.predict("half", {{"x": np.asarray([1, 2, 5], np.float32)}})["y"].tolist()
assert ask() == {Y}
for turn in range(3):
    child = os.fork()
    if not child:
        assert [ask() for _ in range(20)] == [{Y}] * 20
        client.close()
        os._exit(0)
    assert ask() == {Y}
    assert os.waitpid(child, 0)[1] == 0
    assert ask() == {Y}
unused = os.fork()
if not unused:
    sys.exit()
assert os.waitpid(unused, 0)[1] == 0
assert ask() == {Y}
"""
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize("scheme", ["grpc", "http"])
def test_a_signal_ends_the_wait(scheme: str) -> None:
    script = f"""
import signal, socket, slipway
silent = socket.create_server(("127.0.0.1", 0))
client = slipway.Client(f"{scheme}://127.0.0.1:{{silent.getsockname()[1]}}", timeout_s=60)
signal.signal(signal.SIGALRM, signal.default_int_handler)
signal.setitimer(signal.ITIMER_REAL, 0.1)
try:
    client.status("m")
except KeyboardInterrupt:
    print("interrupted")
"""
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=False
    )
    assert (run.returncode, run.stdout) == (0, "interrupted\n"), run.stderr


def test_tasks_share_an_asynchronous_client(address: str) -> None:
    async def ask() -> None:
        async with slipway.AsyncClient(address) as client:

            async def one(number: int) -> None:
                x = np.full(3, number, np.float32)
                outputs = await client.predict("half", {"x": x})
                np.testing.assert_array_equal(outputs["y"], x * 0.5 + 2)

            await asyncio.gather(*map(one, range(100)))
            listed = await client.predict("half", {"x": [1, 2, 5.0]}, output_filter=["y"])
            assert listed["y"].tolist() == Y
            assert (await client.metadata("half", version=123)).version == 123
            assert [entry.version for entry in await client.status("half")] == [124, 123]
            with pytest.raises(errors.NotFoundError, match="nobody"):
                await client.predict("nobody", {"x": [1.0]})
            with pytest.raises(errors.DeadlineExceededError):
                await client.predict("loop", LONG, timeout_s=0.05)
        with pytest.raises(ValueError, match="the client is closed"):
            await client.status("half")

    asyncio.run(ask())


def test_a_cancelled_task_gives_its_call_up(address: str) -> None:
    async def ask(client: slipway.AsyncClient) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await client.predict("loop", LONG)
        assert (await client.predict("half", {"x": X}))["y"].tolist() == Y

    client = slipway.AsyncClient(address)
    # One event loop after the other.
    for _ in range(2):
        asyncio.run(ask(client))
    client.close()


def test_asking_in_the_background_takes_one_thread(serving: Serving) -> None:
    def threads() -> int:
        return len(list(Path("/proc/self/task").iterdir()))

    async def ask(client: slipway.AsyncClient) -> int:
        await client.predict("half", {"x": X})
        calls = [asyncio.ensure_future(client.predict("half", {"x": X})) for _ in range(100)]
        await asyncio.sleep(0)
        count = threads()
        await asyncio.gather(*calls)
        return count

    before = threads()
    client = slipway.AsyncClient(serving.grpc)
    assert asyncio.run(ask(client)) <= before + 1
    client.close()
    del client
    wait_until(lambda: threads() <= before, "the client's thread to end")
