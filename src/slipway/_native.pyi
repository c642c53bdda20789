"""The data plane, the client and the library, in Rust: everything that they show to Python.

Coarse calls only: no prediction comes to the server this way, and one of the client or the library
is a single call. Each lets go of the GIL while it waits. Exceptions are those of `slipway.errors`,
save where another is named.
"""

from collections.abc import Callable, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, final

from numpy.typing import NDArray

from slipway.dataplane.base import PlaneConfig, Tls
from slipway.servables import VersionStatus
from slipway.signatures import Infos

__all__ = [
    "Connection", "Inbox", "Request", "SavedModel", "Server", "check_tls", "incomplete_reason",
    "parse_text", "runtime_version",
]  # fmt: skip

@final
class Server:
    """A data plane. Safe from any thread; its ports are closed until `start`."""

    def __new__(
        cls,
        config: PlaneConfig,
        *,
        library: str | PathLike[str],
        on_reload: Callable[[dict[str, Any], float | None], None] | None = None,
    ) -> Server:
        """`library` is TensorFlow's, opened by the first `load`. `on_reload(config, deadline_s)`
        is called for a HandleReloadConfigRequest; without it that call is UNIMPLEMENTED.

        Raises ValueError for a host that is no IP address, a time-out that is no time, an
        executor that is none, and what `check_tls` does.
        """

    def start(self) -> tuple[str | None, str | None, Path | None]:
        """Opens the ports; returns `host:port` of gRPC and of REST, and the path of the socket.
        Raises OSError.
        """

    def load(self, model: str, version: int, path: str | PathLike[str]) -> None:
        """Reads a SavedModel into memory and warms it up.

        Raises ServingError, with whole paths in its text.
        """

    def publish(
        self,
        routes: dict[str, dict[int, Path]],
        labels: dict[str, dict[str, int]],
        statuses: dict[str, list[VersionStatus]],
    ) -> None:
        """Replaces what requests are answered from, whole and at once. `routes` has the folder that
        each version was loaded from.

        Raises FailedPreconditionError when a route leads to what is not loaded.
        """

    def describe(self, config: str) -> None:
        """Says what is served to who asks: a ModelServerConfig in its text form.

        Raises TextFormatError.
        """

    def unload(self, model: str, version: int, path: str | PathLike[str]) -> None:
        """Waits for the last request of what was loaded from `path`, then frees its memory.

        Raises NotFoundError, or FailedPreconditionError while the version is routed to.
        """

    def drain(self, timeout_s: float) -> bool:
        """Stops accepting and waits for the requests under way; whether all were answered."""

def incomplete_reason(path: str | PathLike[str]) -> str | None:
    """Says why the SavedModel in a folder is not all there yet; None when it is.

    Reads its definition and the index of its variables, but no TensorFlow. Names files relative to
    `path`.
    """

def check_tls(tls: Tls) -> None:
    """Raises ValueError for keys and certificates that no port can have, naming the field."""

def runtime_version(library: str | PathLike[str]) -> str:
    """Says which version TensorFlow's library has. Raises FailedPreconditionError."""

def parse_text(message: str, text: str) -> dict[str, Any]:
    """Reads the text form of the protobuf message named `message`. Raises TextFormatError."""

@final
class Request:
    """A question for a server, to be asked once. `version` and `label` exclude each other.

    Answers are plain values. Of `predict`: arrays by alias. Of `metadata`: `(name, version or None,
    {signature: (method_name, inputs, outputs)})`. Of `status`: `(version, state, code, message)`
    for each. Of `models`: names, sorted. Of `configuration`: a ModelServerConfig as
    a dict of the fields that are set. Of `reload`: None.
    """

    @staticmethod
    def predict(
        model: str,
        version: int | None,
        label: str | None,
        signature: str,
        inputs: dict[str, NDArray[Any]],
        outputs: Sequence[str],
    ) -> Request:
        """Copies the inputs; those that hold objects hold bytes and str.

        Raises InvalidArgumentError, with the input's name, for what is no tensor.
        """

    @staticmethod
    def metadata(model: str, version: int | None, label: str | None) -> Request: ...
    @staticmethod
    def status(model: str, version: int | None, label: str | None) -> Request: ...
    @staticmethod
    def models() -> Request: ...
    @staticmethod
    def configuration() -> Request: ...
    @staticmethod
    def reload(config: str) -> Request:
        """Takes the text form of a ModelServerConfig. Raises TextFormatError."""

@final
class Connection:
    """A client of the server at one address, connected when there is something to ask.

    Safe from any thread; in a forked child it connects anew.
    """

    def __new__(
        cls,
        address: str,
        *,
        max_message_bytes: int,
        ca_file: bytes | None = None,
        cert_file: bytes | None = None,
        key_file: bytes | None = None,
    ) -> Connection:
        """The files are what is in them. Raises ValueError for what is no address, and for files
        that cannot be used with it.
        """

    def ask(self, request: Request, timeout_s: float | None) -> Any:
        """Waits for the answer; signals of Python are handled meanwhile."""

    def send(self, request: Request, timeout_s: float | None, inbox: Inbox) -> int:
        """Asks without waiting; returns the ticket that the answer will carry."""

    def close(self) -> None:
        """Raises ValueError in later calls; those under way are answered."""

@final
class Inbox:
    """Where answers wait for an event loop."""

    def __new__(cls) -> Inbox: ...
    def fileno(self) -> int:
        """The descriptor that is readable while there are answers."""

    def collect(self) -> list[tuple[int, Any]]:
        """Takes out each answer, or the exception in its place, with its ticket."""

    def cancel(self, ticket: int) -> None:
        """Gives up a call: its answer will not come."""

@final
class SavedModel:
    """A model of this process. Safe from any thread.

    In a forked child each call raises FailedPreconditionError; ValueError after `close`.
    """

    def __new__(
        cls,
        path: str | PathLike[str],
        *,
        tags: Sequence[str],
        library: str | PathLike[str],
        executor: str | None = None,
    ) -> SavedModel:
        """Raises ServingError, with whole paths in its text."""

    def signatures(self) -> dict[str, tuple[str, Infos, Infos]]:
        """The method name, inputs and outputs of each signature."""

    def run(
        self, signature: str, inputs: dict[str, NDArray[Any]], outputs: Sequence[str]
    ) -> dict[str, NDArray[Any]]:
        """Copies the inputs, runs, and returns the outputs named, or all where none is."""

    def close(self) -> None:
        """Waits for the runs under way, then frees the model's memory."""
