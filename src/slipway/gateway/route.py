"""A handler that is ready to answer: its parameters known, its models at hand."""

from collections.abc import Mapping
from typing import Any

from slipway.gateway.handler import Handler
from slipway.gateway.inputs import Parameter, is_own_handle, parameters_of
from slipway.gateway.predict import Models, Predict


class Route:
    """A handler, and what it takes. Raises ConfigError for a handler that cannot be called."""

    def __init__(self, handler: Handler) -> None:
        self.handler = handler
        self.parameters: Mapping[str, Parameter]
        self.parameters, self._before, self._after = parameters_of(handler)
        self._is_own_handle = is_own_handle(handler)

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
