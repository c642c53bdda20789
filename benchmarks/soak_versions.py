"""Versions of the soak's model on disk: put whole, put slowly, put broken, taken away."""

import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path

MODEL = "soaked"
HALF = "serving_default"
WEIGH = "weigh"
LONG = "long"

DEFINITION = Path("saved_model.pb")
NUMBER = Path("assets", "number.txt")
INDEX = Path("variables", "variables.index")
DATA = Path("variables", "variables.data-00000-of-00001")


def _flip_variables(folder: Path) -> None:
    with (folder / DATA).open("r+b") as data:
        data.seek(1 << 20)
        chunk = data.read(1 << 10)
        data.seek(1 << 20)
        data.write(bytes(byte ^ 0xFF for byte in chunk))


def _truncate_definition(folder: Path) -> None:
    path = folder / DEFINITION
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _name_a_missing_op(folder: Path) -> None:
    path = folder / DEFINITION
    path.write_bytes(path.read_bytes().replace(b"AddV2", b"AddV9"))


FLAWS: Mapping[str, tuple[bool, Callable[[Path], None]]] = {
    "corrupt variables": (True, _flip_variables),
    "truncated definition": (False, _truncate_definition),
    "missing op": (True, _name_a_missing_op),
    "missing asset": (False, lambda folder: (folder / NUMBER).unlink()),
    "missing index": (False, lambda folder: (folder / INDEX).unlink()),
}
"""Ways to be broken: whether the version looks complete, so that loading it fails, and how to."""


class Versions:
    """The folders below a base path, copied from one exported model.

    `scratch` is on the same file system as `base_path`, so that a version can be renamed into it.
    """

    def __init__(self, exported: Path, base_path: Path, scratch: Path) -> None:
        self._exported = exported
        self._base_path = base_path
        self._scratch = scratch

    def stage(self, number: int, flaw: str | None = None) -> Path:
        """Make a version outside of the base path."""
        folder = shutil.copytree(self._exported, self._scratch / str(number))
        (folder / NUMBER).write_text(str(number))
        if flaw:
            FLAWS[flaw][1](folder)
        return folder

    def put(self, staged: Path) -> None:
        """Have a version appear at once."""
        staged.rename(self._base_path / staged.name)

    def put_all_but_the_end(self, staged: Path, seconds: float) -> Callable[[], None]:
        """Copy a version file by file, the largest in pieces; return what copies the last piece."""
        target = self._base_path / staged.name
        others = [path for path in staged.rglob("*") if path.is_file() and path != staged / DATA]
        pieces = 8
        pause_s = seconds / (len(others) + pieces)
        for path in others:
            copy = target / path.relative_to(staged)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
            time.sleep(pause_s)
        content = (staged / DATA).read_bytes()
        size = len(content) // pieces
        with (target / DATA).open("wb", buffering=0) as data:
            for piece in range(pieces - 1):
                data.write(content[piece * size : (piece + 1) * size])
                time.sleep(pause_s)

        def put_the_end() -> None:
            with (target / DATA).open("ab", buffering=0) as data:
                data.write(content[(pieces - 1) * size :])
            shutil.rmtree(staged)

        return put_the_end

    def remove(self, number: int) -> None:
        """Delete a version file by file."""
        shutil.rmtree(self._base_path / str(number))
