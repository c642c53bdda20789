"""`slipway serve`: the model server."""

import logging
import os

from slipway.cli.options import options_command
from slipway.config.load import load_serve_config
from slipway.config.options import ServeOptions
from slipway.config.schema import ServeConfig
from slipway.server.run import run
from slipway.telemetry.logging import configure_logging

logger = logging.getLogger("slipway.serve")


@options_command(ServeOptions)
def serve(options: ServeOptions) -> None:
    """Serve models over gRPC and REST, as tensorflow_model_server does.

    Opens its ports when the models are loaded, then follows what appears and vanishes below their
    base paths; ends after SIGTERM or SIGINT when the requests under way are answered. Without model
    flags the environment names the model, as with TensorFlow Serving's Docker image:
    MODEL_BASE_PATH/MODEL_NAME.
    """
    configure_logging()
    config = load_serve_config(options, os.environ)
    _warn(config)
    run(config)


def _warn(config: ServeConfig) -> None:
    host = config.plane.host
    if not host.startswith("127.") and host != "::1":
        logger.warning(
            "Listening on %s without TLS: whoever can reach this address can use the models", host
        )
    if logged := [model.name for model in config.models if model.logs_requests]:
        logger.warning("Requests are not logged yet: logging_config of %s has no effect", logged)
