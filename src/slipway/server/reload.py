"""Requests for another configuration, and when each is answered."""

import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from slipway.config.schema import ModelConfig
from slipway.errors import (
    AbortedError,
    DeadlineExceededError,
    ServingError,
    UnavailableError,
    UnknownError,
)
from slipway.lifecycle.states import Failure
from slipway.servables import ServableId
from slipway.server.core import Configuration, ServerCore

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class ReloadRequest:
    """A ModelServerConfig as a dict, from a caller who wants an answer by `deadline`."""

    config: Mapping[str, Any]
    deadline: float | None
    """On the clock of `Reloads`; None when the caller waits for ever."""
    outcome: Future[None] = field(default_factory=Future)


@dataclass(eq=False)
class _Pending:
    """A request that was applied, whose new models do not all answer yet."""

    request: ReloadRequest
    new: Collection[str]
    before: Configuration
    """What is in force again when it fails."""
    after: Configuration


class Reloads:
    """Applies configurations that callers ask for, and answers when their new models do.

    Not safe from several threads: it belongs to the one that decides. `attempts` is how many loads
    of a version may fail before a new model has failed.
    """

    def __init__(
        self,
        core: ServerCore,
        read_models: Callable[[Mapping[str, Any]], Sequence[ModelConfig]],
        *,
        attempts: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._core = core
        self._read_models = read_models
        self._attempts = attempts
        self._clock = clock
        self._pending: list[_Pending] = []

    def begin(self, request: ReloadRequest) -> None:
        """Apply a configuration, whole or not at all."""
        before = self._core.configuration
        try:
            new = self._core.reconfigure(self._read_models(request.config))
        except Exception as error:
            # Also one that is a mistake of ours: a request must not end the server.
            logger.warning("A reload is refused: %s", error)
            request.outcome.set_exception(error)
            return
        after = self._core.configuration
        self._pending.append(_Pending(request, new, before, after))
        self.settle()

    def settle(self) -> None:
        """Answer the requests that can be answered now."""
        for pending in list(self._pending):
            if error := self._error(pending):
                logger.warning("A reload ends with %s: %s", error.code.name, error)
                pending.request.outcome.set_exception(error)
                if not isinstance(error, DeadlineExceededError):
                    self._skip(pending)
            elif self._core.is_available(pending.new):
                logger.info("Finished adding/updating models")
                pending.request.outcome.set_result(None)
            else:
                continue
            self._pending.remove(pending)
        if not self._pending:
            # Until then a reload may fail, and what it takes out be wanted again.
            self._core.let_go()

    def next_deadline(self) -> float | None:
        """Return when `settle` has to be called at the latest; None when nobody waits till then."""
        ends = [pending.request.deadline for pending in self._pending]
        return min((end for end in ends if end is not None), default=None)

    @property
    def awaited(self) -> frozenset[str]:
        """The models that callers wait for."""
        return frozenset(name for pending in self._pending for name in pending.new)

    def close(self) -> None:
        """Answer whoever still waits that nothing will come."""
        for pending in self._pending:
            pending.request.outcome.set_exception(closing())
        self._pending.clear()

    def _skip(self, refused: _Pending) -> None:
        """Have nobody go back to a configuration whose caller was told that it is not in force."""
        for pending in self._pending:
            if pending.before is refused.after:
                pending.before = refused.before

    def _error(self, pending: _Pending) -> ServingError | None:
        configured = self._core.configuration.models
        gone = sorted(
            name for name in pending.new if configured.get(name) != pending.after.models[name]
        )
        if gone:
            return AbortedError(f"A later configuration has changed {gone} since")
        deadline = pending.request.deadline
        is_late = deadline is not None and self._clock() >= deadline
        failed = self._core.failed(pending.new, 1 if is_late else self._attempts)
        if failed:
            text = did_not_become_available("model(s)", failed)
            if self._core.configuration is pending.after:
                self._core.restore(pending.before)
                text += " The configuration of before is in force again."
            return UnknownError(text)
        if is_late and not self._core.is_available(pending.new):
            return DeadlineExceededError(
                "The configuration is in force, and its new models are still loading: "
                f"{sorted(pending.new)}"
            )
        return None


def closing() -> UnavailableError:
    """Return what callers are told while the server ends."""
    return UnavailableError("The server is shutting down")


def did_not_become_available(what: str, failed: Mapping[ServableId, Failure]) -> str:
    """Return TensorFlow Serving's words for failed loads."""
    listed = "".join(
        f"{{{servable} due to error: {failure.code.name}: {failure.message}}}, "
        for servable, failure in failed.items()
    )
    return f"{len(failed)} {what} did not become available: {{{listed}}}"
