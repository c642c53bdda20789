"""`slipway gateway`: the gateway alone."""

import os
from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path

import click

from slipway.cli.project import project_file
from slipway.config.project_file import read_project
from slipway.errors import ConfigError
from slipway.telemetry.logging import configure_logging


@click.command()
@project_file
@click.option("--host", help="Address to listen on, in place of the file's.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on.")
@click.option(
    "--upstream",
    "upstreams",
    multiple=True,
    metavar="HOST:PORT",
    help="Model server, in place of the file's; may be repeated.",
)
@click.option("--workers", type=click.IntRange(1, 1024), help="Processes that answer.")
@click.option("--threads", type=click.IntRange(1, 1024), help="Threads of each.")
@click.option(
    "--reload/--no-reload",
    "reloads",
    default=True,
    show_default=True,
    help="Take up changes of the handlers and of the file. Meant for development: a handler that "
    "cannot be imported is answered with its traceback.",
)
def gateway(
    path: Path,
    host: str | None,
    port: int | None,
    upstreams: Sequence[str],
    workers: int | None,
    threads: int | None,
    reloads: bool,
) -> None:
    """Serve the routes of slipway.toml under Gunicorn, in front of a model server that runs."""
    configure_logging()
    given = {
        "host": host,
        "port": port,
        "workers": workers,
        "threads": threads,
    }
    project = read_project(path)
    section = project.gateway.model_copy(
        update={name: value for name, value in given.items() if value is not None}
    )
    if reloads and not _is_loopback(section.host):
        raise ConfigError(
            f"--reload shows tracebacks to whoever can reach {section.host}: add --no-reload"
        )
    if not reloads:
        _share_counts(path.absolute().parent / project.stack.run_folder / "metrics")
    try:
        from slipway.gateway.server import GatewayServer
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"the gateway needs {error.name}: pip install 'slipway[gateway]'"
        ) from error
    GatewayServer(path, section, upstreams=upstreams, reloads=reloads).run()


def _share_counts(folder: Path) -> None:
    """Have the processes of the gateway add up what they count, from zero, in a folder."""
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.mkdir(exist_ok=True)
    for file in folder.glob("*.db"):
        file.unlink(missing_ok=True)
    # Read when prometheus_client is imported.
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
