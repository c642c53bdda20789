"""A handler that is ready to answer: its parameters known, its models at hand."""

from collections.abc import Mapping
from inspect import iscoroutinefunction
from typing import Any

from slipway.errors import ConfigError
from slipway.gateway.handler import Handler
from slipway.gateway.inputs import Parameter, is_own_handle, parameters_of
from slipway.gateway.predict import Models, Predict


class Route:
    """A handler, and what it takes. Raises ConfigError for a handler that cannot be called."""

    def __init__(self, handler: Handler) -> None:
        if isinstance(handler, type):
            raise ConfigError(
                f"{handler.__name__} is a class: make a handler of it, {handler.__name__}()"
            )
        self.handler = handler
        self.parameters: Mapping[str, Parameter]
        self.parameters, self._before, self._after = parameters_of(handler)
        self._is_own_handle = is_own_handle(handler)
        _check(handler, is_own_handle=self._is_own_handle)

    def answer(self, models: Models, values: Mapping[str, Any], timeout_s: float) -> Any:
        """Return what the handler answers for the values of its parameters.

        `timeout_s` counts from now, where the handler sets none of its own. Raises what the handler
        and the models raise.
        """
        handler = self.handler
        own_s = handler.timeout_s
        predict = Predict(models, handler, timeout_s if own_s is None else own_s)
        if self._is_own_handle:
            return handler.handle(predict, **values)
        inputs = handler.preprocess(**{name: values[name] for name in self._before})
        if not isinstance(inputs, Mapping):
            raise TypeError(
                "preprocess must return the inputs of the model by name, such as "
                f'{{"x": [1.0]}}; it returned {type(inputs).__name__}'
            )
        outputs = predict(inputs)
        return handler.postprocess(outputs, **{name: values[name] for name in self._after})


def _check(handler: Handler, *, is_own_handle: bool) -> None:
    """Refuse a handler that no request could reach, or answer. Raises ConfigError."""
    for name in ("methods", "needs"):
        if isinstance(getattr(handler, name), str):
            raise ConfigError(
                f'{handler!r}: {name} must be several, such as ("{getattr(handler, name)}",)'
            )
    if handler.version is not None and handler.label is not None:
        raise ConfigError(f"{handler!r} has a version and a label: a call takes one of them")
    functions = [handler.handle] if is_own_handle else [handler.preprocess, handler.postprocess]
    for function in functions:
        if iscoroutinefunction(function):
            raise ConfigError(f"{handler!r}: {function.__name__} is async, and threads answer here")
    if is_own_handle:
        return
    if type(handler).preprocess is Handler.preprocess:
        raise ConfigError(f"{handler!r} has neither preprocess nor handle: it needs one of them")
