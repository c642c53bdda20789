"""Entry point of the command `slipway`."""

import os
import sys
from importlib.metadata import version
from typing import NoReturn

import click

from slipway.cli.doctor import doctor
from slipway.cli.gateway import gateway
from slipway.cli.init import init
from slipway.cli.models import models
from slipway.cli.predict import predict
from slipway.cli.render import render
from slipway.cli.serve import serve
from slipway.cli.stack import down, reload, restart, start, stop
from slipway.cli.status import status
from slipway.cli.tail import tail
from slipway.cli.up import up
from slipway.errors import SlipwayError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("slipway"), prog_name="slipway", message="%(prog)s %(version)s")
def slipway() -> None:
    """Serve TensorFlow models."""


for command in (
    doctor, down, gateway, init, models, predict, reload, render, restart, serve, start, status,
    stop, tail, up,
):  # fmt: skip
    slipway.add_command(command)


def main() -> None:
    """Run the command. A mistake of the operator is one line on stderr and exit status 1."""
    try:
        status = slipway.main(prog_name="slipway", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        print(error.format_message())
        sys.exit(0)
    except click.ClickException as error:
        _fail(error.format_message())
    except (SlipwayError, OSError) as error:
        _fail(str(error))
    except click.Abort:
        _fail("interrupted")
    sys.exit(status if isinstance(status, int) else 0)


def _fail(message: str) -> NoReturn:
    # TensorFlow's texts have line breaks and tabs in them.
    print(f"slipway: {' '.join(message.split())}", file=sys.stderr)
    # A load that is under way cannot be stopped, and sys.exit would wait for it.
    os._exit(1)
