"""Servers of the contract that are not ours: the official stubs, and a bare HTTP server."""

import json
import threading
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc

Predict = Callable[[Any, Any], Any]


@contextmanager
def grpc_server(
    stubs: Any,
    predict: Predict,
    address: str = "127.0.0.1:0",
    available: Collection[str] = (),
    threads: int = 4,
) -> Iterator[str]:
    """Serve Predict, and where models are `available` their status, with grpcio and the official
    stubs; yield its address.
    """

    class Servicer(stubs.prediction_service_pb2_grpc.PredictionServiceServicer):  # type: ignore[misc]
        def Predict(self, request: Any, context: Any) -> Any:  # noqa: N802
            return predict(request, context)

    class Models(stubs.model_service_pb2_grpc.ModelServiceServicer):  # type: ignore[misc]
        def GetModelStatus(self, request: Any, context: Any) -> Any:  # noqa: N802
            name = request.model_spec.name
            if name not in available:
                context.abort(grpc.StatusCode.NOT_FOUND, f"Could not find any versions of {name}")
            answer = stubs.get_model_status_pb2.GetModelStatusResponse()
            answer.model_version_status.add(version=1, state=30)  # AVAILABLE
            return answer

    server = grpc.server(ThreadPoolExecutor(threads))
    stubs.prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(Servicer(), server)
    if available:
        stubs.model_service_pb2_grpc.add_ModelServiceServicer_to_server(Models(), server)
    port = server.add_insecure_port(address)
    server.start()
    try:
        yield address if address.startswith("unix:") else f"127.0.0.1:{port}"
    finally:
        server.stop(None).wait()


class RestServer:
    """Answers with what it was told to, and remembers what it was asked.

    `answers` has a status and a body for each path. With `closes` every connection ends with its
    first answer.
    """

    def __init__(self, answers: dict[str, tuple[int, bytes]], *, closes: bool = False) -> None:
        self.asked: list[tuple[str, Any]] = []

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(handler: "Handler") -> None:  # noqa: N805
                body = handler.rfile.read(int(handler.headers["Content-Length"] or 0))
                self.asked.append((handler.path, json.loads(body) if body else None))
                status, answer = answers[handler.path]
                handler.send_response(status)
                handler.send_header("Content-Length", str(len(answer)))
                if closes:
                    handler.send_header("Connection", "close")
                handler.end_headers()
                handler.wfile.write(answer)

            do_GET = do_POST = answer  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=[0.01])

    def __enter__(self) -> "RestServer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
