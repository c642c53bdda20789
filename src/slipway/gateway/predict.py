"""The function that a handler asks models with."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from slipway.arrays import Arrays
from slipway.errors import DeadlineExceededError
from slipway.signatures import DEFAULT_SIGNATURE

if TYPE_CHECKING:
    from slipway.gateway.handler import Handler


class Models(Protocol):
    """What answers for models: `Upstreams`, or a double in a test."""

    def predict(
        self,
        model: str,
        inputs: Mapping[str, Any],
        *,
        version: int | None,
        label: str | None,
        signature: str,
        output_filter: Sequence[str],
        timeout_s: float,
        idempotent: bool,
    ) -> Arrays:
        """Run a signature within `timeout_s` seconds. Raises ServingError."""
        ...

    def unready_reason(
        self, model: str, *, version: int | None, label: str | None, timeout_s: float
    ) -> str | None:
        """Return None when a model would answer, and else why it would not, for an operator."""
        ...


class Predict:
    """Asks models for one request, in what is left of its time.

    The model, version, label and signature are those of the handler; a call may name others.
    """

    def __init__(
        self,
        models: Models,
        handler: "Handler",
        timeout_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._models = models
        self._handler = handler
        self._timeout_s = timeout_s
        self._clock = clock
        self._end = clock() + timeout_s

    def __call__(
        self,
        inputs: Mapping[str, Any],
        *,
        model: str | None = None,
        version: int | None = None,
        label: str | None = None,
        signature: str | None = None,
        output_filter: Sequence[str] = (),
    ) -> Arrays:
        """Run a signature; return arrays by alias.

        A call that names another model names its version, label and signature too, or gets the
        highest version and the default signature. Raises ServingError.
        """
        own = self._handler
        if model is None or model == own.model:
            model = own.model
            if version is None and label is None:
                version, label = own.version, own.label
            signature = signature or own.signature
        left_s = self.left_s
        if left_s <= 0:
            raise DeadlineExceededError(
                f"the {self._timeout_s:g} s of the request were over before {model} was asked"
            )
        return self._models.predict(
            model,
            inputs,
            version=version,
            label=label,
            signature=signature or DEFAULT_SIGNATURE,
            output_filter=output_filter,
            timeout_s=left_s,
            idempotent=own.idempotent,
        )

    @property
    def left_s(self) -> float:
        """Seconds that are left for the request."""
        return self._end - self._clock()
