"""Plain values that name versions of models and say where they are."""

from dataclasses import dataclass
from enum import StrEnum

from slipway.errors import Code


@dataclass(frozen=True, slots=True, order=True)
class ServableId:
    """A version of a model. `str` gives TensorFlow Serving's `{name: lstm version: 3}`."""

    model: str
    version: int

    def __str__(self) -> str:
        return f"{{name: {self.model} version: {self.version}}}"


class State(StrEnum):
    """Where a version is on its way, as `GetModelStatus` reports it."""

    START = "START"
    """Known, and nothing was done about it yet."""
    LOADING = "LOADING"
    """Being read into memory."""
    AVAILABLE = "AVAILABLE"
    """Answering requests."""
    UNLOADING = "UNLOADING"
    """Answering no new requests; those under way are finished."""
    END = "END"
    """Out of memory: unloaded, or never loaded because of an error."""


@dataclass(frozen=True, slots=True)
class VersionSnapshot:
    """What a policy sees of one version."""

    number: int
    state: State
    aspired: bool
    held: bool = False
    """A label points to it that waits for another version."""

    @property
    def is_ready(self) -> bool:
        return self.state is State.AVAILABLE

    @property
    def is_new(self) -> bool:
        return self.state is State.START


@dataclass(frozen=True, slots=True)
class VersionStatus:
    """What the outside is told of one version. `message` is empty while `code` is OK."""

    version: int
    state: State
    code: Code = Code.OK
    message: str = ""
