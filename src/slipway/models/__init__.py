"""Models that come with Slipway, to try a server on.

`sentiment` is made by `examples/sentiment`: reviews in Chinese, cut into words, to NEG, POS or NEU.
`saliency` is made by `examples/saliency`: pictures, to masks of what stands out in them.
"""

from importlib.resources import files
from pathlib import Path

__all__ = ["path_of"]


def path_of(name: str) -> Path:
    """Return the base path of a model: the folder of its numbered versions.

    Raises LookupError when no such model comes with Slipway.
    """
    path = Path(str(files(__name__) / name))
    if not any(path.glob("*/saved_model.pb")):
        raise LookupError(f"no model called {name!r} comes with slipway")
    return path
