"""`slipway models`: what servers serve, and changing it."""

import contextlib
import dataclasses
import difflib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from slipway.cli.connection import TlsFiles, connected, tls_options
from slipway.errors import ConfigError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from slipway.cli.fleet import ModelReport, ServerReport
    from slipway.client.client import Client
    from slipway.config.schema import ModelConfig

_SERVER = "127.0.0.1:8500"
_WATCH_S = 1.0
_ENDLESS = 10_000

_servers = click.option(
    "--server",
    "servers",
    multiple=True,
    default=[_SERVER],
    show_default=_SERVER,
    metavar="HOST:PORT",
    help="gRPC address of a server, grpcs://host:port with TLS; may be repeated.",
)
_timeout = click.option(
    "--timeout_s",
    type=click.FloatRange(min=0, min_open=True),
    default=10.0,
    show_default=True,
    help="Seconds to wait for each answer.",
)
_patience = click.option(
    "--timeout_s",
    type=click.FloatRange(min=0, min_open=True),
    default=300.0,
    show_default=True,
    help="Seconds that new models may take to load.",
)
_yes = click.option("--yes", is_flag=True, help="Do not ask before anything is changed.")
_base = click.option(
    "--config",
    "base",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The configuration in force, for a server that does not show it, such as TensorFlow "
    "Serving.",
)


@click.group()
def models() -> None:
    """See what servers serve, and change it."""


@models.command("list")
@_servers
@_timeout
@tls_options
def list_(servers: Sequence[str], timeout_s: float, tls: TlsFiles) -> int:
    """Name the models of each server, with the versions that answer."""
    reports = _ask(servers, (), timeout_s, tls)
    for server, report in reports.items():
        for name, model in sorted(report.models.items()):
            versions = " ".join(map(str, model.available)) or "-"
            prefix = f"{server}\t" if len(reports) > 1 else ""
            click.echo(f"{prefix}{name}\t{versions}")
    return _conclude(reports)


@models.command()
@click.argument("names", nargs=-1, metavar="[MODEL]...")
@_servers
@_timeout
@click.option("-v", "--verbose", is_flag=True, help="Also base paths and version policies.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--watch", is_flag=True, help="Go on until Ctrl-C, and show each change.")
@tls_options
def status(
    names: Sequence[str],
    servers: Sequence[str],
    timeout_s: float,
    verbose: bool,
    as_json: bool,
    watch: bool,
    tls: TlsFiles,
) -> int:
    """Show every version of each MODEL, or of all, and its state.

    Ends with status 1 when servers differ, or one does not answer.
    """
    if not watch:
        reports = _ask(servers, names, timeout_s, tls)
        _show(reports, verbose, as_json)
        return _conclude(reports)
    shown = None
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            reports = _ask(servers, names, timeout_s, tls)
            if reports != shown:
                _show(reports, verbose, as_json)
                _conclude(reports)
                shown = reports
            time.sleep(_WATCH_S)
    return 0


@models.command()
@click.argument("file", type=click.Path(path_type=Path))
@_servers
@_patience
@_yes
@tls_options
def reload(file: Path, servers: Sequence[str], timeout_s: float, yes: bool, tls: TlsFiles) -> None:
    """Have servers serve the models in FILE, and no others.

    FILE is a ModelServerConfig in protobuf's text format, as for slipway serve
    --model_config_file. Shows first what changes; returns when each new model answers.
    """
    from slipway.cli.fleet import server_models
    from slipway.config.models import models_of_file

    wanted = {entry.name: entry for entry in models_of_file(file)}
    for server in servers:
        with connected(server, timeout_s, tls) as client:
            _change(server, client, server_models(client), wanted, yes)


@models.command()
@click.argument("model")
@click.argument("labels", nargs=-1, required=True, metavar="NAME=VERSION...")
@_servers
@_patience
@_yes
@_base
@tls_options
def label(
    model: str,
    labels: Sequence[str],
    servers: Sequence[str],
    timeout_s: float,
    yes: bool,
    base: Path | None,
    tls: TlsFiles,
) -> None:
    """Have the labels NAME of MODEL mean these versions; NAME= takes a label away."""
    from slipway.cli.fleet import server_models
    from slipway.config.models import models_of_file

    moves = [_move(text) for text in labels]
    for server in servers:
        with connected(server, timeout_s, tls) as client:
            before = server_models(client)
            if before is None:
                if base is None:
                    raise ConfigError(
                        f"{server} does not show its configuration, of which a label is a part. "
                        "Give it: --config=FILE"
                    )
                before = {entry.name: entry for entry in models_of_file(base)}
            if model not in before:
                raise ConfigError(f"{server} has no model {model}; there are {sorted(before)}")
            after = dict(before)
            kept = {**before[model].labels, **dict(moves)}
            after[model] = dataclasses.replace(
                before[model],
                labels={name: version for name, version in kept.items() if version is not None},
            )
            _change(server, client, before, after, yes)


def _move(text: str) -> tuple[str, int | None]:
    name, equals, version = text.rpartition("=")
    if not equals or not name or not (version.lstrip("-").isdecimal() or version == ""):
        raise click.UsageError(f"{text!r} is not NAME=VERSION, such as stable=3")
    return name, int(version) if version else None


def _ask(
    servers: Sequence[str], names: Sequence[str], timeout_s: float, tls: TlsFiles
) -> dict[str, "ServerReport"]:
    from slipway.cli.fleet import ask_server

    reports = {}
    for server in servers:
        with connected(server, timeout_s, tls) as client:
            reports[server] = ask_server(client, names)
    return reports


def _conclude(reports: Mapping[str, "ServerReport"]) -> int:
    """Say on stderr what is not as it should be; return the exit status."""
    from slipway.cli.fleet import differences

    faults = [f"{server}: {report.error}" for server, report in reports.items() if report.error]
    faults += [f"The servers differ. {difference}" for difference in differences(reports)]
    for fault in faults:
        click.echo(fault, err=True)
    return 1 if faults else 0


def _show(reports: Mapping[str, "ServerReport"], verbose: bool, as_json: bool) -> None:
    from rich.console import Console

    if as_json:
        click.echo(json.dumps(_plain(reports), ensure_ascii=False))
        return
    console = Console()
    if not console.is_terminal:
        # Who reads it then cuts lines for himself.
        console = Console(width=_ENDLESS)
    console.print(_table(reports, verbose))


def _table(reports: Mapping[str, "ServerReport"], verbose: bool) -> "RenderableType":
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    columns = ["MODEL", "VERSION", "STATE", "LABELS", "ERROR"]
    if verbose:
        columns += ["POLICY", "BASE PATH"]
    for column in ["SERVER", *columns] if len(reports) > 1 else columns:
        table.add_column(column, overflow="fold")
    for server, report in reports.items():
        for name, model in sorted(report.models.items()):
            for cells in _rows(name, model, verbose):
                row = [server, *cells] if len(reports) > 1 else cells
                table.add_row(*(Text(cell) for cell in row))
    return table


def _rows(name: str, model: "ModelReport", verbose: bool) -> Iterator[list[str]]:
    extra: list[str] = []
    if verbose:
        config = model.config
        extra = [_policy(config), str(config.base_path)] if config else ["", ""]
    if not model.versions:
        yield [name, "-", "-", "", "", *extra]
    for version in model.versions:
        error = f"{version.code.name}: {version.message}" if version.message else ""
        labels = " ".join(model.labels_of(version.version))
        yield [name, str(version.version), version.state.value, labels, error, *extra]


def _policy(config: "ModelConfig") -> str:
    from slipway.lifecycle.version_policy import All, Latest

    match config.policy:
        case Latest(count):
            return f"latest {count}"
        case All():
            return "all"
        case policy:
            return f"specific {' '.join(map(str, sorted(policy.numbers)))}"


def _plain(reports: Mapping[str, "ServerReport"]) -> dict[str, Any]:
    return {
        server: {
            "error": report.error or None,
            "models": {name: _plain_model(model) for name, model in sorted(report.models.items())},
        }
        for server, report in reports.items()
    }


def _plain_model(model: "ModelReport") -> dict[str, Any]:
    config = model.config
    return {
        "base_path": str(config.base_path) if config else None,
        "policy": _policy(config) if config else None,
        "versions": [
            {
                "version": version.version,
                "state": version.state.value,
                "labels": model.labels_of(version.version),
                "error_code": version.code.name,
                "error_message": version.message,
            }
            for version in model.versions
        ],
    }


def _change(
    server: str,
    client: "Client",
    before: Mapping[str, "ModelConfig"] | None,
    after: Mapping[str, "ModelConfig"],
    yes: bool,
) -> None:
    """Show what a server is to do differently, and have it done."""
    from slipway.config.text import write_models

    wanted = write_models(list(after.values()))
    if before is None:
        click.echo(f"{server} does not show its configuration. It is to be:\n{wanted}")
    else:
        old = write_models(list(before.values()))
        difference = difflib.unified_diff(
            old.splitlines(), wanted.splitlines(), server, "wanted", lineterm="", n=2
        )
        lines = list(difference)
        if not lines:
            click.echo(f"{server}: nothing changes")
            return
        click.echo("\n".join(lines))
    if not yes:
        click.confirm(f"Change {server}?", abort=True)
    client.reload(wanted)
    click.echo(f"{server}: done")
