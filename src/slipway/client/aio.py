"""`slipway.AsyncClient`."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from slipway.arrays import Arrays, declared_arrays, typed_arrays
from slipway.client.base import BaseClient, SignatureKey
from slipway.client.metadata import ModelMetadata
from slipway.client.native import Connection, Inbox, Request, read_metadata, read_statuses
from slipway.errors import InvalidArgumentError, UnimplementedError
from slipway.servables import VersionStatus
from slipway.signatures import DEFAULT_SIGNATURE, Signature


class AsyncClient(BaseClient):
    """`slipway.Client` for asyncio: the same calls, awaited.

    It takes no thread a call: one thread of its own moves the bytes of all. Cancelling a task
    cancels its call, at the server as well. A client serves one event loop at a time.
    """

    _replies: "_Replies | None" = None

    async def predict(
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
        """Do what `Client.predict` does."""
        key = (model, version, label, signature)
        arrays = typed_arrays(inputs)
        if arrays is None:
            end = self._end(timeout_s)
            arrays = declared_arrays(inputs, await self._declared(key, timeout_s))
            timeout_s = max(0.0, end - time.monotonic())
        request = Request.predict(model, version, label, signature, arrays, output_filter)
        try:
            outputs: Arrays = await self._ask(request, timeout_s)
        except InvalidArgumentError:
            # Perhaps another version answers by now, and declares something else.
            self._signatures.pop(key, None)
            raise
        return outputs

    async def metadata(
        self,
        model: str,
        *,
        version: int | None = None,
        label: str | None = None,
        timeout_s: float | None = None,
    ) -> ModelMetadata:
        """Return the signatures of a model, by default of its highest version."""
        return read_metadata(await self._ask(Request.metadata(model, version, label), timeout_s))

    async def status(
        self,
        model: str,
        *,
        version: int | None = None,
        label: str | None = None,
        timeout_s: float | None = None,
    ) -> list[VersionStatus]:
        """Return where the versions of a model are, the highest first."""
        return read_statuses(await self._ask(Request.status(model, version, label), timeout_s))

    async def models(self, *, timeout_s: float | None = None) -> list[str]:
        """Do what `Client.models` does."""
        names: list[str] = await self._ask(Request.models(), timeout_s)
        return names

    async def configuration(self, *, timeout_s: float | None = None) -> dict[str, Any]:
        """Do what `Client.configuration` does."""
        config: dict[str, Any] = await self._ask(Request.configuration(), timeout_s)
        return config

    async def reload(self, config: str, *, timeout_s: float | None = None) -> None:
        """Do what `Client.reload` does."""
        await self._ask(Request.reload(config), timeout_s)

    async def _declared(self, key: SignatureKey, timeout_s: float | None) -> Signature | None:
        """Return what the model declares; None when it, or the server, does not know."""
        if key not in self._signatures:
            model, version, label, signature = key
            try:
                metadata = await self.metadata(
                    model, version=version, label=label, timeout_s=timeout_s
                )
            except UnimplementedError:
                return None
            if signature in metadata.signatures:
                self._signatures[key] = metadata.signatures[signature]
        return self._signatures.get(key)

    async def _ask(self, request: Request, timeout_s: float | None) -> Any:
        loop = asyncio.get_running_loop()
        if self._replies is None or self._replies.loop is not loop:
            self._replies = _Replies(loop)
        timeout_s = self._timeout_s if timeout_s is None else timeout_s
        return await self._replies.ask(self._connection, request, timeout_s)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class _Replies:
    """Answers on their way to the tasks of one event loop, which watches for their arrival."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._inbox = Inbox()
        self._futures: dict[int, asyncio.Future[Any]] = {}

    async def ask(self, connection: Connection, request: Request, timeout_s: float) -> Any:
        future = self.loop.create_future()
        ticket = connection.send(request, timeout_s, self._inbox)
        if not self._futures:
            self.loop.add_reader(self._inbox.fileno(), self._deliver)
        self._futures[ticket] = future
        try:
            return await future
        finally:
            # Still there when the task was cancelled.
            if self._futures.pop(ticket, None):
                self._inbox.cancel(ticket)
            if not self._futures:
                self.loop.remove_reader(self._inbox.fileno())

    def _deliver(self) -> None:
        for ticket, outcome in self._inbox.collect():
            future = self._futures.pop(ticket, None)
            if future is None or future.done():
                continue
            if isinstance(outcome, BaseException):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)
