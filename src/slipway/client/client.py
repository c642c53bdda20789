"""`slipway.Client`."""

import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from slipway.arrays import Arrays, declared_arrays, typed_arrays
from slipway.client.base import BaseClient, SignatureKey
from slipway.client.metadata import ModelMetadata
from slipway.client.native import Request, read_metadata, read_statuses
from slipway.errors import InvalidArgumentError, UnimplementedError
from slipway.servables import VersionStatus
from slipway.signatures import DEFAULT_SIGNATURE, Signature


class Client(BaseClient):
    """Asks one server of the TensorFlow Serving contract.

    `address` is `host:port` for gRPC, `http://host:port` for REST, or `unix:/path` for gRPC; with
    TLS it is `grpcs://host:port` or `https://host:port`. Over TLS the server's certificate must be
    for that host, and from an authority in `ca_file`, or else one that this machine trusts. To a
    server that asks for a certificate those in `cert_file` are shown, whose key is in `key_file`,
    or in the same file. All are in PEM, and read once.

    Nothing is sent before the first call; a connection that has ended is made anew. Threads may
    share a client: their calls run side by side. A forked child may go on using it.

    Every call has a deadline, `timeout_s` seconds unless the call says otherwise; `math.inf` is
    none. Calls raise the `ServingError` of the code that the server gave, with its text:
    UnavailableError when nobody answers, DeadlineExceededError when the answer is late. Raises
    ValueError for what is no address, for files that cannot be used with it, and for calls after
    `close`; OSError for files that cannot be read.
    """

    def predict(
        self,
        model: str,
        inputs: Mapping[str, Any],
        *,
        version: int | None = None,
        label: str | None = None,
        signature: str = DEFAULT_SIGNATURE,
        output_filter: Sequence[str] = (),
        timeout_s: float | None = None,
    ) -> Arrays:
        """Run a signature of a model, by default of its highest version; return arrays by alias.

        Arrays are sent with the dtype they have. Lists and Python numbers get the dtype that the
        model declares, for which it is asked once. Strings are bytes, or str in UTF-8; they come
        back as arrays of bytes objects. bfloat16 is `ml_dtypes.bfloat16` when that is installed;
        otherwise it comes back as its bits in uint16, and cannot be sent.
        """
        key = (model, version, label, signature)
        arrays = typed_arrays(inputs)
        if arrays is None:
            end = self._end(timeout_s)
            arrays = declared_arrays(inputs, self._declared(key, timeout_s))
            timeout_s = max(0.0, end - time.monotonic())
        request = Request.predict(model, version, label, signature, arrays, output_filter)
        try:
            outputs: Arrays = self._ask(request, timeout_s)
        except InvalidArgumentError:
            # Perhaps another version answers by now, and declares something else.
            self._signatures.pop(key, None)
            raise
        return outputs

    def metadata(
        self,
        model: str,
        *,
        version: int | None = None,
        label: str | None = None,
        timeout_s: float | None = None,
    ) -> ModelMetadata:
        """Return the signatures of a model, by default of its highest version."""
        return read_metadata(self._ask(Request.metadata(model, version, label), timeout_s))

    def status(
        self,
        model: str,
        *,
        version: int | None = None,
        label: str | None = None,
        timeout_s: float | None = None,
    ) -> list[VersionStatus]:
        """Return where the versions of a model are, the highest first."""
        return read_statuses(self._ask(Request.status(model, version, label), timeout_s))

    def models(self, *, timeout_s: float | None = None) -> list[str]:
        """Return the names of the models that the server is to serve, whatever their state, sorted.

        It asks for all that gRPC's health service knows. Raises UnimplementedError for a server
        that does not list it, as the original does not, and over REST.
        """
        names: list[str] = self._ask(Request.models(), timeout_s)
        return names

    def configuration(self, *, timeout_s: float | None = None) -> dict[str, Any]:
        """Return the ModelServerConfig in force, as a dict of the fields that are set.

        Slipway's own: raises UnimplementedError for other servers and over REST,
        PermissionDeniedError where a reload would not be allowed either.
        """
        config: dict[str, Any] = self._ask(Request.configuration(), timeout_s)
        return config

    def reload(self, config: str, *, timeout_s: float | None = None) -> None:
        """Have the server serve the models of a configuration, and no others, from now on.

        `config` is the text form of a ModelServerConfig. Returns when each new model answers, which
        may take longer than the client's usual `timeout_s`. Raises TextFormatError when it cannot
        be read, the server's ServingError when it was refused, and UnimplementedError over REST.
        """
        self._ask(Request.reload(config), timeout_s)

    def _declared(self, key: SignatureKey, timeout_s: float | None) -> Signature | None:
        """Return what the model declares; None when it, or the server, does not know."""
        if key not in self._signatures:
            model, version, label, signature = key
            try:
                metadata = self.metadata(model, version=version, label=label, timeout_s=timeout_s)
            except UnimplementedError:
                return None
            if signature in metadata.signatures:
                self._signatures[key] = metadata.signatures[signature]
        return self._signatures.get(key)

    def _ask(self, request: Request, timeout_s: float | None) -> Any:
        return self._connection.ask(request, self._timeout_s if timeout_s is None else timeout_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
