"""TLS on both ports, as the official stubs, plain HTTP clients and our own see it."""

import asyncio
import http.client
import json
import socket
import ssl
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

import slipway
from slipway.dataplane.base import Limits, PlaneConfig, Tls
from slipway.dataplane.native import NativePlane
from slipway.errors import UnavailableError
from tests.support import half
from tests.support.authority import Identity, localhost, stranger, trusted
from tests.support.models import SavedModels
from tests.support.waiting import wait_until

PREDICT = "/v1/models/half:predict"
X = np.asarray([1, 2, 5], np.float32)
LIMITS = Limits()
OPEN = Tls(localhost().key, localhost().chain)
MUTUAL = Tls(localhost().key, localhost().chain, trusted().certificate, client_verify=True)

CLIENT = trusted().issue("a-client")
# Who a caller is, and whether a port that measures callers by the trusted authority answers.
CALLERS: dict[str, tuple[Identity | None, bool]] = {
    "issued-by-the-authority": (CLIENT, True),
    # As it is made by openssl req -x509: an authority that shows its own certificate.
    "the-authority-itself": (trusted().itself(), True),
    "nobody": (None, False),
    "issued-by-another": (stranger().issue("a-client"), False),
    "another-authority": (stranger().itself(), False),
    "expired": (trusted().issue("a-client", expired=True), False),
}


@dataclass(frozen=True)
class Ports:
    grpc: str
    rest: str


@contextmanager
def serving(models: SavedModels, tls: Tls, limits: Limits = LIMITS) -> Iterator[Ports]:
    """The model `half` over TLS; checks at its end that the server still answers and can drain."""
    config = PlaneConfig(grpc_port=0, rest_port=0, grpc_tls=tls, rest_tls=tls, limits=limits)
    plane = NativePlane(config)
    half.load(plane, models, 123)
    half.publish(plane, models, 123)
    addresses = plane.start()
    assert addresses.grpc
    assert addresses.rest
    ports = Ports(addresses.grpc, addresses.rest)
    yield ports
    assert predictions(ports.rest, context(CLIENT)) == [2.5]
    assert plane.drain(5)


@pytest.fixture(scope="module")
def ports(saved_models: SavedModels) -> Iterator[Ports]:
    """Ports that answer everybody."""
    with serving(saved_models, OPEN) as ports:
        yield ports


@pytest.fixture(scope="module")
def mutual(saved_models: SavedModels) -> Iterator[Ports]:
    """Ports that ask callers for a certificate."""
    with serving(saved_models, MUTUAL) as ports:
        yield ports


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of the authority of our servers."""
    return trusted().file(tmp_path_factory.mktemp("ca"))


def credentials(identity: Identity | None = None) -> grpc.ChannelCredentials:
    """What the official client believes and shows."""
    key_and_chain = (identity.key.encode(), identity.chain.encode()) if identity else ()
    return grpc.ssl_channel_credentials(trusted().certificate.encode(), *key_and_chain)


def context(identity: Identity | None = None) -> ssl.SSLContext:
    """What an HTTP client believes and shows."""
    context = ssl.create_default_context(cadata=trusted().certificate)
    if identity:
        with tempfile.TemporaryDirectory() as folder:
            context.load_cert_chain(*identity.files(Path(folder), "client"))
    return context


def predictions(address: str, context: ssl.SSLContext) -> Any:
    connection = http.client.HTTPSConnection(address, timeout=30, context=context)
    try:
        connection.request("POST", PREDICT, b'{"instances": [1.0]}')
        return json.loads(connection.getresponse().read())["predictions"]
    finally:
        connection.close()


@contextmanager
def official(stubs: Any, address: str, identity: Identity | None = None) -> Iterator[Any]:
    client = stubs.OfficialClient(address, credentials(identity))
    yield client
    client.channel.close()


def test_the_official_client_is_answered(ports: Ports, stubs: Any) -> None:
    with official(stubs, ports.grpc) as client:
        answer = client.predict(stubs.model_spec("half"), x=X)
        assert list(answer.outputs["y"].float_val) == [2.5, 3.0, 4.5]
        large = np.arange(1_000_000, dtype=np.float32)
        answer = client.predict(stubs.model_spec("half"), x=large)
        np.testing.assert_array_equal(stubs.to_array(answer.outputs["y"]), large / 2 + 2)


def test_a_connection_over_https_serves_many_requests(ports: Ports) -> None:
    connection = http.client.HTTPSConnection(ports.rest, timeout=30, context=context())
    for number in range(50):
        connection.request("POST", PREDICT, json.dumps({"instances": [number]}))
        answer = json.loads(connection.getresponse().read())
        assert answer == {"predictions": [number / 2 + 2]}
    connection.close()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_each_port_speaks_its_own_protocol(ports: Ports, version: ssl.TLSVersion) -> None:
    for address, protocol, other in [
        (ports.grpc, "h2", "http/1.1"),
        (ports.rest, "http/1.1", "h2"),
    ]:
        caller = context()
        caller.minimum_version = caller.maximum_version = version
        caller.set_alpn_protocols([other, protocol])
        with shaken(address, caller) as stream:
            assert stream.selected_alpn_protocol() == protocol
            assert stream.version() == version.name.replace("_", ".")
        caller.set_alpn_protocols([other])
        with (
            pytest.raises(ssl.SSLError, match=r"(?i)no.application.protocol"),
            shaken(address, caller),
        ):
            pass


@contextmanager
def shaken(address: str, caller: ssl.SSLContext) -> Iterator[ssl.SSLSocket]:
    with (
        connected(address) as plain,
        caller.wrap_socket(plain, server_hostname="localhost") as stream,
    ):
        yield stream


def connected(address: str) -> socket.socket:
    host, port = address.split(":")
    return socket.create_connection((host, int(port)), timeout=30)


def test_a_caller_without_tls_is_hung_up_on(ports: Ports, stubs: Any) -> None:
    for address in (ports.grpc, ports.rest):
        with connected(address) as caller:
            caller.sendall(b"GET /v1/models/half HTTP/1.1\r\nHost: x\r\n\r\n")
            while caller.recv(1000):
                pass
    client = stubs.OfficialClient(ports.grpc)
    with pytest.raises(grpc.RpcError) as raised:
        client.predict(stubs.model_spec("half"), x=X)
    client.channel.close()
    assert raised.value.code() is grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize("caller", CALLERS)
def test_callers_show_who_they_are_over_grpc(mutual: Ports, stubs: Any, caller: str) -> None:
    identity, is_answered = CALLERS[caller]
    with official(stubs, mutual.grpc, identity) as client:
        if is_answered:
            assert client.predict(stubs.model_spec("half"), x=X).outputs["y"].float_val[0] == 2.5
            return
        with pytest.raises(grpc.RpcError) as raised:
            client.predict(stubs.model_spec("half"), x=X)
    assert raised.value.code() is grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize("caller", CALLERS)
def test_callers_show_who_they_are_over_rest(mutual: Ports, caller: str) -> None:
    identity, is_answered = CALLERS[caller]
    if is_answered:
        assert predictions(mutual.rest, context(identity)) == [2.5]
    else:
        with pytest.raises(ssl.SSLError, match="ALERT"):
            predictions(mutual.rest, context(identity))


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("scheme", ["grpcs", "https"])
def test_our_client_shows_who_it_is(
    mutual: Ports, ca: Path, tmp_path: Path, scheme: str, caller: str
) -> None:
    identity, is_answered = CALLERS[caller]
    cert_file, key_file = identity.files(tmp_path, "me") if identity else (None, None)
    address = f"{scheme}://{mutual.grpc if scheme == 'grpcs' else mutual.rest}"
    with slipway.Client(address, ca_file=ca, cert_file=cert_file, key_file=key_file) as client:
        if is_answered:
            assert client.predict("half", {"x": X})["y"].tolist() == [2.5, 3.0, 4.5]
            return
        with pytest.raises(UnavailableError) as raised:
            client.predict("half", {"x": X})
    fault = (
        "the server does not believe the client's certificate"
        if identity
        else "the server asks for a certificate of the client; name the files of one and of its key"
    )
    assert fault in str(raised.value)


def test_a_key_may_be_in_the_file_of_its_certificate(
    mutual: Ports, ca: Path, tmp_path: Path
) -> None:
    both = tmp_path / "both.pem"
    both.write_text(CLIENT.key + CLIENT.chain)
    with slipway.Client(f"grpcs://{mutual.grpc}", ca_file=ca, cert_file=both) as client:
        assert client.predict("half", {"x": X})["y"][0] == 2.5


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_our_clients_are_answered(ports: Ports, ca: Path, host: str) -> None:
    for address in (f"grpcs://{ports.grpc}", f"https://{ports.rest}"):
        named = address.replace("127.0.0.1", host)
        with slipway.Client(named, ca_file=ca) as client:
            for _ in range(3):
                assert client.predict("half", {"x": X})["y"].tolist() == [2.5, 3.0, 4.5]
            large = np.arange(300_000, dtype=np.float32)
            answer = client.predict("half", {"x": large})["y"]
            np.testing.assert_array_equal(answer, large / 2 + 2)

        async def ask(address: str = named) -> list[float]:
            async with slipway.AsyncClient(address, ca_file=ca) as client:
                answers = await asyncio.gather(
                    *(client.predict("half", {"x": [number]}) for number in range(5))
                )
            return [float(answer["y"][0]) for answer in answers]

        assert asyncio.run(ask()) == [2.0, 2.5, 3.0, 3.5, 4.0]


# Who a server is, whom the client believes, and a part of what the client says.
UNBELIEVED: dict[str, tuple[Identity, Callable[[Path], Path | None], str]] = {
    "expired": (
        trusted().issue("127.0.0.1", expired=True),
        lambda folder: trusted().file(folder),
        "the server's certificate has expired 1 days ago",
    ),
    "for-another-name": (
        trusted().issue("models.local", "127.0.0.2"),
        lambda folder: trusted().file(folder),
        "the server's certificate is for ",
    ),
    "from-an-authority-nobody-named": (
        localhost(),
        lambda _: None,
        "the server's certificate is not from an authority that is trusted here; name the file",
    ),
    "from-another-authority": (
        localhost(),
        lambda folder: stranger().file(folder),
        "the server's certificate is not from an authority that is trusted here; name the file",
    ),
    "an-authority-for-no-name": (
        trusted().itself(),
        lambda folder: trusted().file(folder),
        "the server's certificate is for no name at all (subjectAltName), not for 127.0.0.1",
    ),
    "another-authority": (
        stranger().itself(),
        lambda folder: trusted().file(folder),
        "the server's certificate is that of an authority, which is not trusted here",
    ),
}


@pytest.mark.parametrize("case", UNBELIEVED)
def test_a_server_that_is_not_believed_is_told_nothing(tmp_path: Path, case: str) -> None:
    identity, believed, fault = UNBELIEVED[case]
    tls = Tls(identity.key, identity.chain)
    plane = NativePlane(PlaneConfig(grpc_port=0, rest_port=0, grpc_tls=tls, rest_tls=tls))
    addresses = plane.start()
    for address in (f"grpcs://{addresses.grpc}", f"https://{addresses.rest}"):
        with (
            slipway.Client(address, ca_file=believed(tmp_path)) as client,
            pytest.raises(UnavailableError) as raised,
        ):
            client.predict("half", {"x": X})
        assert fault in str(raised.value)
        assert "127.0.0.1" in str(raised.value)
    assert plane.drain(5)


def test_the_wrong_kind_of_port_is_named(ports: Ports, ca: Path, serving: Any) -> None:
    for address, fault in [
        (f"grpcs://{ports.rest}", "the server speaks another protocol over TLS"),
        (f"https://{ports.grpc}", "the server speaks another protocol over TLS"),
        (f"https://{serving.rest}", "the server speaks no TLS there"),
    ]:
        with (
            slipway.Client(address, ca_file=ca) as client,
            pytest.raises(UnavailableError) as raised,
        ):
            client.predict("half", {"x": X})
        assert fault in str(raised.value)
    with slipway.Client(ports.grpc) as client, pytest.raises(UnavailableError, match="grpcs://"):
        client.predict("half", {"x": X})


FILES: dict[str, tuple[str, dict[str, str], str]] = {
    "without-tls": ("127.0.0.1:1", {"ca_file": "ca"}, "are for addresses with TLS"),
    "on-a-socket": ("unix:/s", {"cert_file": "chain"}, "are for addresses with TLS"),
    "key-alone": ("grpcs://a:1", {"key_file": "key"}, "key_file is given without cert_file"),
    "no-key": ("https://a:1", {"cert_file": "chain"}, "cert_file has no private key in PEM"),
    "no-authority": ("grpcs://a:1", {"ca_file": "key"}, "ca_file has no certificate in PEM"),
    "key-of-another": (
        "grpcs://a:1",
        {"cert_file": "chain", "key_file": "other"},
        "key_file is not the key of the first certificate in cert_file",
    ),
    "host-that-is-no-name": ("grpcs://a_b-:1", {"ca_file": "ca"}, "is no name"),
}


@pytest.mark.parametrize(("address", "files", "fault"), FILES.values(), ids=FILES)
def test_files_that_cannot_be_used_are_refused_at_once(
    tmp_path: Path, address: str, files: dict[str, str], fault: str
) -> None:
    texts = {
        "ca": trusted().certificate,
        "chain": CLIENT.chain,
        "key": CLIENT.key,
        "other": localhost().key,
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    named: dict[str, Any] = {name: tmp_path / file for name, file in files.items()}
    with pytest.raises(ValueError, match=fault):
        slipway.Client(address, **named)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nothing\.pem"):
        slipway.Client("grpcs://a:1", ca_file=tmp_path / "nothing.pem")


@pytest.mark.parametrize("rest", [False, True])
def test_a_client_outlives_its_server(saved_models: SavedModels, ca: Path, rest: bool) -> None:
    config = PlaneConfig(grpc_port=0, rest_port=0, grpc_tls=OPEN, rest_tls=OPEN)
    plane = NativePlane(config)
    addresses = plane.start()
    address = addresses.rest if rest else addresses.grpc
    assert address
    with slipway.Client(f"{'https' if rest else 'grpcs'}://{address}", ca_file=ca) as client:
        with pytest.raises(slipway.errors.NotFoundError):
            client.predict("half", {"x": X})
        assert plane.drain(5)
        port = int(address.split(":")[1])
        again = NativePlane(
            PlaneConfig(
                grpc_port=None if rest else port,
                rest_port=port if rest else None,
                grpc_tls=OPEN,
                rest_tls=OPEN,
            )
        )
        half.load(again, saved_models, 123)
        half.publish(again, saved_models, 123)
        again.start()
        assert client.predict("half", {"x": X})["y"][0] == 2.5
    assert again.drain(5)


def test_a_caller_that_does_not_finish_is_hung_up_on(saved_models: SavedModels) -> None:
    with serving(saved_models, OPEN, Limits(header_timeout_s=0.2)) as ports:
        for address in (ports.grpc, ports.rest):
            for said in (b"", b"\x16\x03\x01\x02\0\1\0\1\xfc\x03\x03"):
                with connected(address) as caller:
                    caller.sendall(said)
                    while caller.recv(1000):
                        pass


def test_an_idle_connection_is_closed(saved_models: SavedModels) -> None:
    with serving(saved_models, OPEN, Limits(idle_timeout_s=0.1)) as ports:
        caller = context()
        caller.set_alpn_protocols(["http/1.1"])
        with shaken(ports.rest, caller) as stream:
            while stream.recv(1000):
                pass


def test_a_caller_that_has_said_nothing_does_not_hold_up_the_drain() -> None:
    plane = NativePlane(PlaneConfig(rest_port=0, rest_tls=OPEN))
    address = plane.start().rest
    assert address
    with connected(address) as silent, connected(address) as halfway:
        halfway.sendall(b"\x16\x03\x01\x02\0")
        wait_until(lambda: predictions_refused(address), "an answer")
        assert plane.drain(5)
        assert silent.recv(1) == b""


def predictions_refused(address: str) -> bool:
    """Whether the server, which has no model, answers: then it has taken the callers before."""
    connection = http.client.HTTPSConnection(address, timeout=30, context=context())
    connection.request("GET", "/v1/models/half")
    status = connection.getresponse().status
    connection.close()
    return status == 404


def test_the_socket_beside_a_port_with_tls_has_none(
    saved_models: SavedModels, stubs: Any, tmp_path: Path
) -> None:
    path = tmp_path / "grpc.sock"
    plane = NativePlane(PlaneConfig(grpc_port=0, grpc_socket_path=path, grpc_tls=MUTUAL))
    half.load(plane, saved_models, 123)
    half.publish(plane, saved_models, 123)
    plane.start()
    client = stubs.OfficialClient(f"unix:{path}")
    assert client.predict(stubs.model_spec("half"), x=X).outputs["y"].float_val[0] == 2.5
    client.channel.close()
    assert plane.drain(5)


def test_a_plane_is_not_made_with_keys_that_do_not_fit() -> None:
    tls = Tls(CLIENT.key, localhost().chain)
    with pytest.raises(ValueError, match="server_key is not the key of the first certificate"):
        NativePlane(PlaneConfig(grpc_port=0, grpc_tls=tls))
