"""Finding the TensorFlow runtime without importing it, which would take seconds."""

import importlib.util
import sys
from pathlib import Path

from slipway.errors import RuntimeNotFoundError

_LIBRARY = "libtensorflow_cc.2.dylib" if sys.platform == "darwin" else "libtensorflow_cc.so.2"


def find_runtime() -> Path:
    """Return the path of the C++ library in the installed tensorflow or tensorflow-cpu wheel.

    Raises RuntimeNotFoundError, with the command that mends it, when there is none.
    """
    spec = importlib.util.find_spec("tensorflow")
    folders = list(spec.submodule_search_locations or []) if spec else []
    for folder in folders:
        library = Path(folder) / _LIBRARY
        if library.is_file():
            return library
    if folders:
        raise RuntimeNotFoundError(f"TensorFlow is installed, but without {_LIBRARY}")
    raise RuntimeNotFoundError("TensorFlow is not installed. Add it: pip install 'slipway[cpu]'")
