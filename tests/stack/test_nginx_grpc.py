"""gRPC through nginx, as clients of TensorFlow Serving speak it."""

from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

import slipway
from slipway.errors import UnavailableError, UnimplementedError
from slipway.stack.plan import Server
from tests.support.certificate import make_certificate
from tests.support.models import SavedModels
from tests.support.nginx import dead_address, plan_of, running_nginx
from tests.support.ports import free_port
from tests.support.process import ServeProcess


def project() -> str:
    return f"[proxy]\nport = {free_port()}\ngrpc_port = {free_port()}\n"


def server(grpc_address: str) -> Server:
    return Server(name="server-1", command=[], grpc=grpc_address, rest=dead_address())


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory, saved_models: SavedModels) -> Iterator[str]:
    """The address of nginx in front of a model server, and of one that is gone."""
    flags = ("--model_name=half", f"--model_base_path={saved_models.base_path('half')}")
    with ServeProcess(*flags) as process:
        process.wait_until_open()
        folder = tmp_path_factory.mktemp("grpc")
        plan = plan_of(folder, project(), servers=[server(dead_address()), server(process.grpc)])
        with running_nginx(plan):
            yield f"127.0.0.1:{plan.project.proxy.grpc_port}"


def test_models_answer(proxied: str) -> None:
    with slipway.Client(proxied) as client:
        for _ in range(20):
            assert client.predict("half", {"x": [2.0]})["y"].tolist() == [3.0]
        assert client.metadata("half")
        assert client.status("half")


def test_a_large_tensor_passes(proxied: str) -> None:
    with slipway.Client(proxied) as client:
        values = [1.0] * 500_000
        assert client.predict("half", {"x": values})["y"].shape == (500_000,)


def test_nobody_reloads_from_outside(proxied: str) -> None:
    with (
        slipway.Client(proxied) as client,
        pytest.raises(UnimplementedError, match="does not forward this"),
    ):
        client.reload("model_config_list {}")


@pytest.mark.parametrize(
    "method", ["/grpc.health.v1.Health/Check", "/tensorflow.serving.ModelService/Other", "/x"]
)
def test_other_services_are_not_there(proxied: str, method: str) -> None:
    with grpc.insecure_channel(proxied) as channel:
        call = channel.unary_unary(method)
        with pytest.raises(grpc.RpcError) as caught:
            call(b"", timeout=10)
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_certificates_are_used(tmp_path: Path) -> None:
    make_certificate(tmp_path)
    tls = 'tls_certificate = "cert.pem"\ntls_key = "key.pem"\n'
    plan = plan_of(tmp_path, project() + tls, servers=[server(dead_address())])
    trusted = grpc.ssl_channel_credentials((tmp_path / "cert.pem").read_bytes())
    address = f"127.0.0.1:{plan.project.proxy.grpc_port}"
    with running_nginx(plan), grpc.secure_channel(address, trusted) as channel:
        with pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary("/x")(b"", timeout=10)
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_a_server_that_is_gone_is_unavailable(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, project(), servers=[server(dead_address())])
    with (
        running_nginx(plan),
        slipway.Client(f"127.0.0.1:{plan.project.proxy.grpc_port}") as client,
        pytest.raises(UnavailableError, match="no model server answers now"),
    ):
        client.predict("half", {"x": [2.0]})


def test_a_request_that_is_too_large_is_told_so(proxied: str) -> None:
    with grpc.insecure_channel(proxied) as channel:
        call = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
        with pytest.raises(grpc.RpcError) as caught:
            call(b"x" * 17 * 2**20, timeout=10)
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
