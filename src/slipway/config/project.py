"""What `slipway.toml` may say of a project: its models, and the processes that answer for them."""

from math import ceil
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

PROJECT_FILE = "slipway.toml"
HANDLERS_FOLDER = "handlers"
"""In the run folder, for files that handlers keep: where root starts the stack, the account of the
gateway may write there, and not beside the configuration that root reads."""

Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Patience = Annotated[float, Field(ge=0.1, le=86_400, allow_inf_nan=False)]
"""Seconds that nginx waits for somebody: 0 means something else to it."""
Port = Annotated[int, Field(ge=0, le=65535)]
OpenPort = Annotated[int, Field(ge=1, le=65535)]

_MARGIN_S: Final = 5
"""For what is not counted of a request: waiting for a thread, and the way there and back."""
_IDLE_S: Final = 75
"""Longer than nginx keeps idle connections, 60 s: who sends requests is to be the one who closes.
The other way about, a request may be on its way when the connection is closed."""
_REPLICA_STEP: Final = 10
"""Between the ports of two model servers, so that gRPC and REST of each stay together."""


def host_port(host: str, port: int) -> str:
    """Return `host:port`, with the brackets that IPv6 needs."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def reachable(host: str) -> str:
    """Return the address by which a process of this machine reaches one that listens on a host."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104


class _Section(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", protected_namespaces=(), strict=True, str_min_length=1
    )


class ModelSection(_Section):
    """One entry of `[[models]]`."""

    name: str = Field(description="Name of the model in requests.")
    base_path: str = Field(
        description="Folder that holds the model's numbered versions, beside the file or absolute."
    )
    versions: Literal["all"] | int | list[int] = Field(
        1,
        description='Versions to serve: as many of the highest ones, "all", or a list of numbers.',
    )
    labels: dict[str, int] = Field({}, description="Versions by label.")


class ServerSection(_Section):
    """The section `[server]`: the model servers."""

    replicas: int = Field(1, ge=1, le=64, description="Processes, each with all models.")
    host: str = Field("127.0.0.1", description="IP address to listen on.")
    port: OpenPort = Field(
        8500, description="Port for gRPC of the first; the others have every tenth one after it."
    )
    rest_api_port: OpenPort = Field(
        8501, description="Port for REST of the first; the others have every tenth one after it."
    )
    model_config_file: str | None = Field(
        None,
        description="File with a ModelServerConfig in protobuf's text format, in place of "
        "[[models]].",
    )
    gpus: list[int] | None = Field(
        None, description="GPUs that TensorFlow may see; none for an empty list. Default: all."
    )
    gpu_memory_fraction: float | None = Field(
        None,
        gt=0,
        le=1,
        description="Share of each GPU's memory that a process may take. Default: as much as "
        "TensorFlow takes by itself, which is nearly all.",
    )
    flags: dict[str, str | int | float | bool] = Field(
        {}, description="Other flags of slipway serve, by their names."
    )

    def ports_of(self, replica: int) -> tuple[int, int]:
        """Return the ports of a replica, the first being 0, for gRPC and for REST."""
        step = replica * _REPLICA_STEP
        return self.port + step, self.rest_api_port + step

    @property
    def addresses(self) -> list[str]:
        """Where the replicas answer gRPC, as processes of this machine reach them."""
        return [
            host_port(reachable(self.host), self.ports_of(replica)[0])
            for replica in range(self.replicas)
        ]


class RouteSection(_Section):
    """One entry of `[[gateway.routes]]`: a handler, and what it shall do other than it says."""

    handler: str = Field(
        description="`module:name` of a handler, or `module` for all handlers in it. A module is "
        "found beside the file, and then where Python finds it.",
    )
    route: str | None = Field(None, description="Path of the URL.")
    methods: list[str] | None = Field(None, min_length=1, description="HTTP methods it answers.")
    model: str | None = Field(None, description="Model to ask.")
    version: int | None = Field(None, ge=0, description="Version to ask.")
    label: str | None = Field(None, description="Label of the version to ask.")
    signature: str | None = Field(None, description="Signature to run.")
    needs: list[str] | None = Field(None, description="Other models it asks.")
    timeout_s: Seconds | None = Field(None, description="Seconds that a request may take.")
    idempotent: bool | None = Field(
        None, description="Whether a call that got lost may be sent to another model server."
    )


class GatewaySection(_Section):
    """The section `[gateway]`: the routes, and the processes that answer them."""

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: Port = Field(5000, description="Port to listen on; 0 for any that is free.")
    upstreams: list[str] | None = Field(
        None,
        min_length=1,
        description="Model servers, as slipway.Client takes them: host:port for gRPC, http://... "
        "for REST, unix:/path. Default: those of [server].",
    )
    replicas: int = Field(1, ge=1, le=64, description="Gunicorn masters, under slipway up.")
    workers: int = Field(2, ge=1, le=1024, description="Processes that answer, of each.")
    threads: int = Field(8, ge=1, le=1024, description="Threads of each of these.")
    timeout_s: Seconds = Field(
        10.0, description="Seconds that a request may take, models included."
    )
    max_body_bytes: int = Field(16 * 2**20, ge=1, description="Largest body of a request.")
    max_image_pixels: int = Field(
        40_000_000, ge=1, description="Largest picture, width times height."
    )
    open_pages: bool = Field(
        False,
        description="Answer /metrics, /openapi.json and /try to callers of other machines too.",
    )
    gunicorn: dict[str, Any] = Field({}, description="Settings of Gunicorn, by their names.")
    routes: list[RouteSection] = Field([], description="The handlers.")

    @property
    def longest_request_s(self) -> float:
        """Seconds that a request may take on any route, as far as the file says."""
        return max(self.timeout_s, *(route.timeout_s or 0 for route in self.routes), 0)

    @property
    def grace_s(self) -> int:
        """Seconds that Gunicorn gives to the requests under way before it ends."""
        given = self.gunicorn.get("graceful_timeout")
        return given if isinstance(given, int) else ceil(self.longest_request_s) + _MARGIN_S

    @property
    def idle_s(self) -> int:
        """Seconds that Gunicorn keeps idle connections; 0 where it keeps none."""
        given = self.gunicorn.get("keepalive")
        return given if isinstance(given, int) else _IDLE_S


class ProxyTargetSection(_Section):
    """One entry of `[[proxy.gateways]]` or `[[proxy.servers]]`: a process on another machine."""

    address: str = Field(description="host:port.")
    weight: int = Field(1, ge=1, le=1000, description="Share of the requests that it gets.")


class ProxySection(_Section):
    """The section `[proxy]`: nginx in front."""

    enabled: bool = Field(True, description="Whether nginx is to run.")
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: OpenPort = Field(8080, description="Port for the routes of the gateway, and for REST.")
    grpc_port: OpenPort | None = Field(
        None, description="Port for gRPC over HTTP/2: Predict and its kin, and GetModelStatus."
    )
    max_body_bytes: int | None = Field(
        None, ge=1, description="Largest body of a request. Default: the gateway's."
    )
    header_timeout_s: Patience = Field(
        15.0, description="Seconds that a client may take for the head of a request."
    )
    body_timeout_s: Patience = Field(
        30.0, description="Seconds that a client may pause while it sends a body."
    )
    send_timeout_s: Patience = Field(
        30.0, description="Seconds that a client may pause while it takes an answer."
    )
    keepalive_timeout_s: Patience = Field(
        75.0, description="Seconds that an idle connection of a client is kept."
    )
    connect_timeout_s: float = Field(
        2.0,
        ge=0.1,
        le=75,
        description="Seconds that connecting to a gateway or a model server may take.",
    )
    upstream_keepalive_timeout_s: Patience = Field(
        60.0,
        description="Seconds that an idle connection to one of them is kept; shorter than they "
        "keep it themselves.",
    )
    rest_read_timeout_s: Patience | None = Field(
        None,
        description="Seconds that a model server may be silent over REST. Default: a little longer "
        "than its rest_api_timeout_in_ms. What a gateway has follows from the timeout_s of its "
        "routes.",
    )
    grpc_read_timeout_s: Patience = Field(
        600.0,
        description="Seconds that a model server may be silent over gRPC, where callers have "
        "deadlines of their own.",
    )
    tls_certificate: str | None = Field(None, description="File with the certificate chain.")
    tls_key: str | None = Field(None, description="File with its private key.")
    gateways: list[ProxyTargetSection] = Field([], description="Gateways on other machines.")
    servers: list[ProxyTargetSection] = Field(
        [], description="REST of model servers on other machines."
    )


class StackSection(_Section):
    """The section `[stack]`: what all processes have in common."""

    run_folder: str = Field(
        "run", description="Folder for what is made while it runs: configuration, sockets, caches."
    )
    log_folder: str = Field("run/logs", description="Folder for logs.")
    user: str | None = Field(
        None, description="User to run as; must be set where root starts the stack."
    )


class Project(_Section):
    """The whole file."""

    models: list[ModelSection] = Field([], description="The models.")
    server: ServerSection = Field(default_factory=ServerSection)
    gateway: GatewaySection = Field(default_factory=GatewaySection)
    proxy: ProxySection = Field(default_factory=ProxySection)
    stack: StackSection = Field(default_factory=StackSection)
