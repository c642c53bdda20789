"""Prints the routes of a project, for who must not import its handlers itself.

python -P -m slipway.gateway.routes SLIPWAY_TOML

A list in JSON, of path, methods and whether a request may be sent twice, comes on stdout; what
handlers print while they are imported goes to stderr.
"""

import contextlib
import json
import sys
from pathlib import Path

from slipway.errors import ConfigError
from slipway.gateway.project import load_gateway


def main() -> None:
    """Do as this module says."""
    with contextlib.redirect_stdout(sys.stderr):
        try:
            handlers = load_gateway(Path(sys.argv[1])).handlers
        except ConfigError as error:
            sys.exit(str(error))
    routes = [
        {
            "path": handler.route,
            "methods": list(handler.methods),
            "idempotent": bool(handler.idempotent),
        }
        for handler in handlers
    ]
    print(json.dumps(routes))


if __name__ == "__main__":
    main()
