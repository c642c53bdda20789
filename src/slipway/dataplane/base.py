"""The seam between deciding and answering, whole.

The control plane, in Python, decides which versions are loaded and which of them answer; a data
plane holds them and answers. No request crosses this boundary: clients reach a plane by the address
it listens on. `native.py` is the plane that serves, `memory.py` the double that tests run on, and
one suite of tests runs against both.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from slipway.lifecycle.loader import Loader

ReloadHandler = Callable[[Mapping[str, Any], float | None], None]
"""Takes a ModelServerConfig as a dict, and the seconds that the caller will still wait.

Called on a thread of the plane. Returns when the new state is reached; raises ServingError, which
the caller is told, when the configuration was not applied.
"""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a plane takes of its callers; beyond it, a request is refused before it costs memory."""

    max_message_bytes: int = 256 * 2**20
    """Bounds a message, a body, and a tensor in either."""
    max_bytes_in_flight: int = 2**30
    """Bounds all requests under way together."""
    max_json_depth: int = 64
    """Levels of lists and objects in a JSON body."""
    max_concurrent_streams: int = 1024
    """Calls under way on one gRPC connection."""
    max_header_bytes: int = 64 * 2**10
    """Bounds the headers of a request together."""
    header_timeout_s: float = 30.0
    """How long the headers of a REST request may take to come."""
    read_timeout_s: float = 60.0
    """How long a caller may pause while it sends a body."""
    idle_timeout_s: float = 600.0
    """A connection without a request is closed after once to twice this time."""
    keepalive_time_s: float = 600.0
    """A gRPC caller that says nothing for so long is pinged."""
    keepalive_timeout_s: float = 60.0
    """How long the answer to a ping may take before the connection is closed."""


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """How a plane loads a version, and what it runs before the version answers."""

    tags: tuple[str, ...] = ("serve",)
    """Name one of the graphs in a SavedModel."""
    executor: str | None = None
    """Who runs a model's ops: "caller", the thread of the request; "pool", TensorFlow's own
    threads; "single_threaded", the thread of the request by TensorFlow's single-threaded executor,
    where a model can be run by it. None measures the first two for each signature and size of
    input, and tries the third while a version is warmed up by generated requests."""
    intra_op_threads: int | None = None
    """Threads that one op may use; None for as many as the process has CPUs."""
    inter_op_threads: int | None = None
    """Threads that ops may run on side by side; None for as many as the process has CPUs."""
    check_method_names: bool = False
    """Whether a signature answers only the calls that its method name is for: Classify, Regress, or
    Predict, which any of the three is for."""
    gpu_memory_fraction: float | None = None
    """Share of each GPU's memory that the process may take, from 0 to 1; None for as much as
    TensorFlow takes by itself."""
    warm_up: bool = True
    """Whether a version proves itself before it answers: by the requests that it brings with it,
    or by generated ones."""
    warm_up_iterations: int = 1
    """How often each request that a version brings is run."""
    generated_warm_up: bool = True
    """Whether signatures of a version that brings no requests are run on made-up inputs."""


@dataclass(frozen=True, slots=True)
class Tls:
    """What a port needs to speak TLS, in PEM. The fields are those of SSLConfig."""

    server_key: str = field(default="", repr=False)
    server_cert: str = ""
    """The certificate of that key, and those that lead from it to its authority."""
    custom_ca: str = ""
    """The authorities whose certificates callers have to show, where they are verified."""
    client_verify: bool = False


@dataclass(frozen=True, slots=True)
class PlaneConfig:
    """How a plane listens, what it accepts, and how it loads."""

    host: str = "127.0.0.1"
    """IP address to listen on."""
    grpc_port: int | None = None
    """None for no gRPC over TCP, 0 for any free port."""
    grpc_socket_path: Path | None = None
    """Where gRPC has a Unix socket too. One that is there already is taken over."""
    rest_port: int | None = None
    """None for no REST, 0 for any free port."""
    grpc_tls: Tls | None = None
    """Of gRPC's port; its Unix socket has none."""
    rest_tls: Tls | None = None
    metrics_path: str | None = None
    """Where REST has the metrics; None for nowhere."""
    limits: Limits = field(default_factory=Limits)
    rest_timeout_s: float | None = 30.0
    """How long a REST request may wait and run; None for ever."""
    rest_cors: bool = False
    """Whether pages of other origins may read what REST answers."""
    run_threads: int | None = None
    """How many requests may run models at a time, beside those that need no thread of their own;
    None for 4 a CPU."""
    allow_remote_reload: bool = False
    """Whether callers of other machines may change what is served."""
    load_options: LoadOptions = field(default_factory=LoadOptions)


@dataclass(frozen=True, slots=True)
class Addresses:
    """`host:port` of each open port, and the path of the Unix socket; None where there is none."""

    grpc: str | None
    rest: str | None
    grpc_socket: Path | None = None


class DataPlane(Loader, Protocol):
    """Holds loaded versions and answers requests from them. Safe from any thread.

    `load`, `publish` and `unload` are those of `Loader` and work before, while and after the
    ports are open.
    """

    def start(self) -> Addresses:
        """Open the ports. Raises OSError, naming the port or socket, when one cannot be had."""
        ...

    def describe(self, config: str) -> None:
        """Show this configuration to callers who ask for it and may reload: a ModelServerConfig in
        protobuf's text format. Raises TextFormatError.
        """
        ...

    def drain(self, timeout_s: float) -> bool:
        """Turn unready, stop accepting, and finish the requests under way; then close for good.

        Returns whether all of them were answered within `timeout_s`. A plane that is not open
        has nothing to wait for.
        """
        ...
