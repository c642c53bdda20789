"""Handlers: what stands between a route and a model."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from slipway.arrays import Arrays
from slipway.gateway.predict import Predict
from slipway.signatures import DEFAULT_SIGNATURE

_SETTINGS = frozenset(
    {
        "route",
        "methods",
        "model",
        "version",
        "label",
        "signature",
        "needs",
        "timeout_s",
        "idempotent",
    }
)


class Handler:
    """Turns what a client sends to a route into arrays, and a model's answer into its answer.

        class Sentence(Handler):
            route = "/sentence"
            model = "sentiment"

            def preprocess(self, line: str) -> dict[str, Any]:
                words = line.split()
                return {"words": [words], "nwords": np.array([len(words)], np.int32)}

            def postprocess(self, outputs: Arrays) -> dict[str, Any]:
                return {"label": outputs["labels"][0].decode()}

    The parameters of `preprocess` are what the route takes: see `slipway.gateway.inputs` for where
    each comes from. `postprocess` may name any of them again, and others of its own. A handler that
    asks several models, or one several times, defines `handle` in place of both.

    One instance serves a route, from many threads at once: what belongs to a request stays out of
    its attributes. The settings below are those of the class; an instance may have its own,
    `Sentence(model="lstm", label="stable")`.
    """

    route: str = ""
    """Path of the URL, such as `/lstm/predict`."""
    methods: Sequence[str] = ("POST",)
    model: str = ""
    version: int | None = None
    label: str | None = None
    """Of the version to ask. Neither version nor label: the highest version."""
    signature: str = DEFAULT_SIGNATURE
    needs: Sequence[str] = ()
    """Other models that it asks: the gateway is ready when these answer too."""
    timeout_s: float | None = None
    """Seconds that a request may take, models included; None for the gateway's."""
    idempotent: bool = True
    """Whether a call that got lost may be sent to another model server."""

    def __init__(self, **settings: Any) -> None:
        if unknown := sorted(settings.keys() - _SETTINGS):
            raise TypeError(
                f"{type(self).__name__} has no setting {', '.join(unknown)}; "
                f"settings are {', '.join(sorted(_SETTINGS))}"
            )
        vars(self).update(settings)

    def prepare(self, run_folder: Path) -> None:
        """Load what all requests share, such as a dictionary.

        Called once, before the first request, in the process that the workers are forked from.
        Files that it keeps belong into `run_folder`, which nobody else may read.
        """

    def preprocess(self, *args: Any, **kwargs: Any) -> Mapping[str, Any]:
        """Return the inputs of the model by alias, as for `slipway.Client.predict`.

        Raises InputError for what the client got wrong.
        """
        raise NotImplementedError

    def postprocess(self, outputs: Arrays, *args: Any, **kwargs: Any) -> Any:
        """Return the answer for a model's outputs by alias: see `slipway.gateway.answers`."""
        return outputs

    def handle(self, predict: Predict, *args: Any, **kwargs: Any) -> Any:
        """Return the answer for a client's inputs, with as many calls of `predict` as it takes."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.route or 'no route'}>"


class FunctionHandler(Handler):
    """A handler that is one function."""

    def __init__(self, function: Callable[..., Any], **settings: Any) -> None:
        super().__init__(**settings)
        self._function = function
        self.handle = function  # type: ignore[method-assign]
        self.__doc__ = function.__doc__

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function itself."""
        return self._function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<{self._function.__name__} of {self.route}>"


def handler(route: str, **settings: Any) -> Callable[[Callable[..., Any]], FunctionHandler]:
    """Make a handler of a function, whose first parameter asks models.

        @handler("/half", model="half_plus_two")
        def half(predict: Predict, x: float) -> float:
            return float(predict({"x": [x]})["y"][0])

    Settings are those of `Handler`.
    """
    return lambda function: FunctionHandler(function, route=route, **settings)
