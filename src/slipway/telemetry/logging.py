"""Log lines on stderr."""

import logging
import os


def configure_logging() -> None:
    """Write the `slipway` loggers' lines from INFO up to stderr, and quieten TensorFlow's own.

    TensorFlow's C++ code reads its level from the environment when it is loaded; a level that the
    operator has set is kept. Once is enough: more calls change nothing.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
    root = logging.getLogger("slipway")
    if root.handlers:
        return
    handler = logging.StreamHandler()
    handler.setFormatter(
        logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%d %H:%M:%S")
    )
    root.setLevel(logging.INFO)
    root.addHandler(handler)
    root.propagate = False
