"""Which processes a project means, where they listen, and which files they need."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from slipway.config.project import HANDLERS_FOLDER, Project, host_port, reachable
from slipway.config.project_file import read_project

CONFIG_NAME = "supervisord.conf"
"""In the run folder."""


@dataclass(frozen=True, slots=True)
class Process:
    """One process that supervisor keeps running."""

    name: str
    """`server-1`, `gateway-1`, `nginx`: in `slipway status`, and of its log."""
    command: Sequence[str]
    environ: Mapping[str, str] = field(default_factory=dict)
    """What it has besides the environment of `slipway up`."""
    ports: Sequence[tuple[str, int]] = ()
    """Host and port of everything it listens on."""


@dataclass(frozen=True, slots=True)
class Server(Process):
    """A model server."""

    grpc: str = ""
    """Address for `slipway.Client`."""
    rest: str = ""
    """host:port."""


@dataclass(frozen=True, slots=True)
class Gateway(Process):
    """A Gunicorn master with its workers."""

    address: str = ""
    """host:port."""
    config: Path = Path()
    """Its Gunicorn configuration."""


@dataclass(frozen=True, slots=True)
class Nginx(Process):
    """The proxy."""

    config: Path = Path()


@dataclass(frozen=True, slots=True)
class Plan:
    """A project, ready to be written down and started. Decided from the file alone."""

    file: Path
    """The slipway.toml, absolute."""
    project: Project
    run: Path
    """The run folder, absolute; mode 0700."""
    logs: Path
    """The folder of logs, absolute: `NAME.log` for each process."""
    servers: Sequence[Server]
    gateways: Sequence[Gateway]
    nginx: Nginx | None
    """None where it is not enabled, or not installed."""

    @property
    def processes(self) -> list[Process]:
        """All of them, in the order in which they start."""
        return [*self.servers, *self.gateways, *([self.nginx] if self.nginx else [])]

    @property
    def supervisor_config(self) -> Path:
        return self.run / CONFIG_NAME

    @property
    def last_file(self) -> Path:
        """A copy of the slipway.toml, as it was when its stack was last started or changed."""
        return self.run / self.file.name

    @property
    def supervisor_socket(self) -> Path:
        return self.run / "supervisor.sock"

    @property
    def supervisor_pid(self) -> Path:
        return self.run / "supervisord.pid"

    @property
    def models_config(self) -> Path:
        """The ModelServerConfig of the model servers: the project's, or made of [[models]]."""
        named = self.project.server.model_config_file
        return self.file.parent / named if named else self.run / "models.config"

    @property
    def metrics(self) -> Path:
        """The folder in which processes of the gateways add up what they count."""
        return self.run / "metrics"

    @property
    def groups(self) -> Path:
        """The folder in which processes write down their process groups: `slipway.stack.launch`."""
        return self.run / "groups"

    def group_file(self, process: Process) -> Path:
        """Return where a process writes down its process group, under its own name.

        nginx, which root may start, does so where nobody else may write.
        """
        folder = self.nginx_folder if isinstance(process, Nginx) else self.groups
        return folder / process.name

    @property
    def nginx_folder(self) -> Path:
        """The folder for what nginx puts down for a while."""
        return self.run / "nginx"

    @property
    def handlers(self) -> Path:
        """The folder in which handlers keep files."""
        return self.run / HANDLERS_FOLDER

    @property
    def access_log(self) -> Path:
        """What nginx writes about each request, a line of JSON each."""
        return self.logs / "access.log"

    @property
    def nginx_pid(self) -> Path:
        return self.run / "nginx.pid"

    @property
    def url(self) -> str:
        """Where the routes are answered: by nginx, or by the first gateway without it."""
        if not self.nginx:
            return f"http://{self.gateways[0].address}"
        proxy = self.project.proxy
        scheme = "https" if proxy.tls_certificate else "http"
        return f"{scheme}://{host_port(proxy.host, proxy.port)}"


def make_plan(file: Path, *, nginx: Path | None, source: Path | None = None) -> Plan:
    """Return the plan of a slipway.toml; `nginx` is the program, None where there is none.

    `source` is a copy of it that is read in its place. Raises ConfigError. Looks at nothing but the
    file; `slipway.stack.checks` looks at the machine.
    """
    project = read_project(source or file)
    file = file.absolute()
    run = file.parent / project.stack.run_folder
    programs = Path(sys.executable).parent
    config = run / "nginx.conf"
    proxy = project.proxy
    return Plan(
        file=file,
        project=project,
        run=run,
        logs=file.parent / project.stack.log_folder,
        servers=[_server(project, file, run, number) for number in range(project.server.replicas)]
        if project.models or project.server.model_config_file
        else [],
        gateways=[
            _gateway(project, run, number, programs) for number in range(project.gateway.replicas)
        ]
        if project.gateway.routes
        else [],
        nginx=Nginx(
            name="nginx",
            command=[str(nginx), "-e", "stderr", "-p", str(run), "-c", str(config)],
            ports=[
                (proxy.host, port) for port in (proxy.port, proxy.grpc_port) if port is not None
            ],
            config=config,
        )
        if nginx and proxy.enabled
        else None,
    )


def _server(project: Project, file: Path, run: Path, number: int) -> Server:
    section = project.server
    grpc_port, rest_port = section.ports_of(number)
    models = (
        file.parent / section.model_config_file
        if section.model_config_file
        else (run / "models.config")
    )
    flags = {
        "host": section.host,
        "port": grpc_port,
        "rest_api_port": rest_port,
        "model_config_file": models,
        **section.flags,
    }
    if section.gpu_memory_fraction is not None:
        flags["per_process_gpu_memory_fraction"] = section.gpu_memory_fraction
    gpus = section.gpus
    return Server(
        name=f"server-{number + 1}",
        command=[
            # Without -P, modules of the project might stand in for others of the same name.
            sys.executable, "-P", "-m", "slipway", "serve",
            *(f"--{name}={_flag(value)}" for name, value in flags.items()),
        ],
        environ={} if gpus is None else {"CUDA_VISIBLE_DEVICES": ",".join(map(str, gpus))},
        ports=[(section.host, grpc_port), (section.host, rest_port)],
        grpc=host_port(reachable(section.host), grpc_port),
        rest=host_port(reachable(section.host), rest_port),
    )  # fmt: skip


def _gateway(project: Project, run: Path, number: int, programs: Path) -> Gateway:
    section = project.gateway
    name = f"gateway-{number + 1}"
    config = run / f"{name}.conf.py"
    port = section.port + number
    return Gateway(
        name=name,
        command=[str(programs / "gunicorn"), "--config", str(config)],
        environ={"PROMETHEUS_MULTIPROC_DIR": str(run / "metrics")},
        ports=[(section.host, port)],
        address=host_port(reachable(section.host), port),
        config=config,
    )


def _flag(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
