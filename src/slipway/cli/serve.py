"""`slipway serve`: the model server."""

import logging
import os
from importlib import metadata
from typing import NoReturn

import click

from slipway.cli.options import options_command
from slipway.config.channel_arguments import parse_channel_arguments
from slipway.config.ignored import IGNORED, REFUSED, explanation
from slipway.config.load import load_serve_config
from slipway.config.options import ServeOptions
from slipway.dataplane.base import PlaneConfig
from slipway.dataplane.native import runtime_version
from slipway.errors import RuntimeNotFoundError
from slipway.server.run import run
from slipway.telemetry.logging import configure_logging

logger = logging.getLogger("slipway.serve")


@click.option(
    "--version",
    is_flag=False,
    flag_value="true",
    type=bool,
    is_eager=True,
    expose_value=False,
    callback=lambda context, _, wanted: wanted and _print_versions(context),
    help="Print the versions of the server and of TensorFlow, and end.",
)
@options_command(ServeOptions, foreign=[*IGNORED, *REFUSED])
def serve(options: ServeOptions) -> None:
    """Serve models over gRPC and REST, as tensorflow_model_server does.

    Opens its ports when the models are loaded, then follows what appears and vanishes below their
    base paths; ends after SIGTERM or SIGINT when the requests under way are answered. Without model
    flags the environment names the model, as with TensorFlow Serving's Docker image:
    MODEL_BASE_PATH/MODEL_NAME.
    """
    configure_logging()
    config = load_serve_config(options, os.environ)
    _warn_of_open_ports(config.plane)
    _warn_of_what_has_no_effect(options, config.plane)
    run(config)


def _warn_of_open_ports(plane: PlaneConfig) -> None:
    if plane.host.startswith("127.") or plane.host == "::1":
        return
    plain = {
        "gRPC": plane.grpc_port and not plane.grpc_tls,
        "REST": plane.rest_port and not plane.rest_tls,
    }
    if names := [name for name, is_plain in plain.items() if is_plain]:
        logger.warning(
            "Listening on %s without TLS (%s): whoever can reach this address can use the models",
            plane.host,
            ", ".join(names),
        )


def _warn_of_what_has_no_effect(options: ServeOptions, plane: PlaneConfig) -> None:
    if flags := explanation(options.foreign_flags):
        logger.warning("%s", flags)
    if unused := parse_channel_arguments(options.grpc_channel_arguments).unused:
        logger.warning("Without effect in --grpc_channel_arguments: %s", ", ".join(unused))
    if options.monitoring_config_file and not plane.rest_port:
        logger.warning(
            "Without effect: --monitoring_config_file, since metrics are on REST's port. Give "
            "--rest_api_port"
        )


def _print_versions(context: click.Context) -> NoReturn:
    click.echo(f"TensorFlow ModelServer: {metadata.version('slipway')}")
    try:
        click.echo(f"TensorFlow Library: {runtime_version()}")
    except RuntimeNotFoundError:
        click.echo("TensorFlow Library: not installed")
    context.exit()
