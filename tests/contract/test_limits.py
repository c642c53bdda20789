"""What the native plane takes of one caller, and that the next request is answered."""

import http.client
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import grpc
import numpy as np
import pytest

from slipway.dataplane.base import Limits, PlaneConfig
from slipway.dataplane.native import NativePlane
from tests.support import half
from tests.support.inference import Features
from tests.support.models import SavedModels
from tests.support.planes import plane_of
from tests.support.rest import ask
from tests.support.waiting import wait_until

Serve = Callable[[Limits], AbstractContextManager[Any]]
# Through no proxy.
DIRECT = [("grpc.enable_http_proxy", 0)]
ONE = {"instances": [1.0]}
PREDICT = "/v1/models/half:predict"


@pytest.fixture
def serve(saved_models: SavedModels) -> Serve:
    """A plane with these limits and the model `half`; checks at its end that it still answers."""

    @contextmanager
    def serve(limits: Limits) -> Iterator[Any]:
        plane = NativePlane(PlaneConfig(grpc_port=0, rest_port=0, limits=limits))
        half.load(plane, saved_models, 123)
        half.publish(plane, saved_models, 123)
        addresses = plane.start()
        assert addresses.rest
        yield addresses
        assert ask(addresses.rest, "POST", PREDICT, ONE).json == {"predictions": [2.5]}
        assert plane.drain(5)

    return serve


def refusal(stubs: Any, address: str, **inputs: Any) -> tuple[str, str]:
    client = stubs.OfficialClient(address)
    with pytest.raises(grpc.RpcError) as raised:
        client.predict(stubs.model_spec("half"), **inputs)
    client.channel.close()
    return raised.value.code().name, raised.value.details()


def test_a_message_has_a_limit(serve: Serve, stubs: Any) -> None:
    with serve(Limits(max_message_bytes=1000)) as addresses:
        code, message = refusal(stubs, addresses.grpc, x=np.zeros(300, np.float32))
        assert code == "RESOURCE_EXHAUSTED"
        assert "is over the limit of 1000 bytes" in message
        reply = ask(addresses.rest, "POST", PREDICT, {"instances": [1.0] * 300})
        assert (reply.status, reply.error) == (
            413,
            "The request body is larger than the limit of 1000 bytes",
        )


def test_a_chunked_body_has_the_same_limit(serve: Serve) -> None:
    with serve(Limits(max_message_bytes=1000)) as addresses:
        connection = http.client.HTTPConnection(addresses.rest, timeout=30)
        connection.request("POST", PREDICT, iter([b" " * 400] * 4), encode_chunked=True)
        assert connection.getresponse().status == 413
        connection.close()


def test_a_tensor_has_a_limit_of_its_own(serve: Serve, stubs: Any) -> None:
    with serve(Limits(max_message_bytes=1000)) as addresses:
        short = stubs.to_proto(np.asarray([1], np.float32))
        short.tensor_shape.dim[0].size = 2**40
        code, message = refusal(stubs, addresses.grpc, x=short)
        assert code == "RESOURCE_EXHAUSTED"
        assert "x: 1099511627776 elements are more than the limit of 1000 bytes" in message
        body = b'{"instances":[' + b"1," * 300 + b"1]}"
        reply = ask(addresses.rest, "POST", PREDICT, body)
        assert reply.status == 429
        assert 'input "x" takes more than the limit of 1000 bytes' in reply.error


def test_requests_under_way_share_a_budget(serve: Serve, stubs: Any) -> None:
    with serve(Limits(max_bytes_in_flight=10_000)) as addresses:
        code, message = refusal(stubs, addresses.grpc, x=np.zeros(3000, np.float32))
        assert code == "RESOURCE_EXHAUSTED"
        assert "of the 10000 that they may hold together" in message
        broadcast = stubs.to_proto(np.asarray([1], np.float32))
        broadcast.tensor_shape.dim[0].size = 3000
        assert refusal(stubs, addresses.grpc, x=broadcast)[0] == "RESOURCE_EXHAUSTED"
        reply = ask(addresses.rest, "POST", PREDICT, {"instances": [1.0] * 3000})
        assert reply.status == 429

        def is_refused_beside_a_waiting_body() -> bool:
            with waiting_body(addresses.rest, 9_900):
                hundred = {"instances": [1.0] * 100}
                return ask(addresses.rest, "POST", PREDICT, hundred).status == 429

        # A caller that announces a body has its memory, once the server has heard it and those
        # before have given theirs back.
        wait_until(is_refused_beside_a_waiting_body, "a refusal")


def test_examples_are_paid_for_as_the_tensor_that_they_become(
    saved_models: SavedModels, stubs: Any
) -> None:
    limits = Limits(max_bytes_in_flight=100_000)
    config = PlaneConfig(grpc_port=0, rest_port=0, limits=limits)
    with plane_of(saved_models, ["regress_echo"], config) as addresses:
        client = stubs.OfficialClient(addresses.grpc)
        assert addresses.rest
        spec = stubs.model_spec("regress_echo")
        few: list[Features] = [{"output": [1.0]}] * 100
        for examples, context in [
            # Two bytes of a message each.
            ([{}] * 10_000, None),
            (few, {"text": ["x" * 2000]}),
        ]:
            with pytest.raises(grpc.RpcError) as raised:
                client.regress(spec, stubs.examples(examples, context))
            assert raised.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert "of the 100000 that they may hold together" in raised.value.details()
            body = {"examples": examples, **({"context": context} if context else {})}
            reply = ask(addresses.rest, "POST", "/v1/models/regress_echo:regress", body)
            assert reply.status == 429
            assert "of the 100000 that they may hold together" in reply.error
            # What was taken is given back.
            for _ in range(30):
                answer = client.regress(spec, stubs.examples(few))
                assert len(answer.result.regressions) == 100
                body = {"examples": few}
                reply = ask(addresses.rest, "POST", "/v1/models/regress_echo:regress", body)
                assert reply.json == {"results": [1.0] * 100}
        client.channel.close()


def test_what_a_request_took_is_given_back(serve: Serve, stubs: Any) -> None:
    with serve(Limits(max_bytes_in_flight=10_000)) as addresses:
        client = stubs.OfficialClient(addresses.grpc)
        for _ in range(30):
            client.predict(stubs.model_spec("half"), x=np.zeros(1000, np.float32))
            assert ask(addresses.rest, "POST", PREDICT, {"instances": [1.0] * 400}).status == 200
        client.channel.close()


def test_headers_have_a_limit(serve: Serve, stubs: Any) -> None:
    with serve(Limits(max_header_bytes=8192)) as addresses:
        with connect(addresses.rest) as caller:
            # As many as fit, so that nothing is left unread when the connection is closed.
            head = b"POST / HTTP/1.1\r\nx: "
            caller.sendall(head + b"y" * (64 * 1024 - len(head)))
            assert caller.recv(1000).startswith(b"HTTP/1.1 431 ")
        client = stubs.OfficialClient(addresses.grpc)
        request = stubs.predict_pb2.PredictRequest(model_spec=stubs.model_spec("half"))
        with pytest.raises(grpc.RpcError):
            client.prediction.Predict(request, metadata=[("x", "y" * 20_000)], timeout=10)
        client.channel.close()


def test_a_caller_that_stops_sending_is_not_waited_for(serve: Serve) -> None:
    with serve(Limits(read_timeout_s=0.1, header_timeout_s=0.1)) as addresses:
        with waiting_body(addresses.rest, 100) as caller:
            answer = caller.recv(10_000)
            assert b" 408 " in answer
            assert b"No part of the request body came for 0.1 s" in answer
        with connect(addresses.rest) as caller:
            caller.sendall(b"POST / HTTP/1.1\r\nHost:")
            assert b" 408 " in caller.recv(1000) or not caller.recv(1000)


def test_a_stalled_grpc_message_is_not_waited_for(serve: Serve) -> None:
    with (
        serve(Limits(read_timeout_s=0.1)) as addresses,
        grpc.insecure_channel(addresses.grpc, DIRECT) as channel,
    ):
        never = threading.Event()

        def requests() -> Iterator[bytes]:
            yield b""
            never.wait(30)

        method = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
        with pytest.raises(grpc.RpcError) as raised:
            list(channel.stream_stream(method)(requests(), timeout=20))
        never.set()
        assert raised.value.code() is not grpc.StatusCode.DEADLINE_EXCEEDED


def test_an_idle_connection_is_closed(serve: Serve) -> None:
    with serve(Limits(idle_timeout_s=0.1)) as addresses:
        for address in (addresses.rest, addresses.grpc):
            with connect(address) as caller:
                if address == addresses.grpc:
                    caller.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0")
                while caller.recv(1000):
                    pass


def test_a_caller_that_answers_no_ping_is_cut_off(serve: Serve) -> None:
    with (
        serve(Limits(keepalive_time_s=0.1, keepalive_timeout_s=0.1)) as addresses,
        connect(addresses.grpc) as caller,
    ):
        caller.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0")
        while caller.recv(1000):
            pass


def connect(address: str) -> socket.socket:
    host, port = address.split(":")
    return socket.create_connection((host, int(port)), timeout=30)


@contextmanager
def waiting_body(address: str, length: int) -> Iterator[socket.socket]:
    """A caller that has announced a body and does not send it."""
    with connect(address) as caller:
        head = f"POST {PREDICT} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n"
        caller.sendall(head.encode())
        yield caller
        # Reset, so that the server learns at once.
        caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
