"""`slipway.load`: a SavedModel in this process, its signatures as functions of arrays."""

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Self

from slipway import _native
from slipway.arrays import Arrays, declared_arrays
from slipway.errors import NotFoundError
from slipway.runtime import find_runtime
from slipway.signatures import DEFAULT_SIGNATURE, Signature, read_signatures


def load(
    path: str | PathLike[str],
    *,
    tags: Sequence[str] = ("serve",),
    executor: str | None = None,
) -> "SavedModel":
    """Load the SavedModel in the folder `path`: its graph, variables, tables and assets.

    `tags` name one of the file's graphs. `executor` says who runs its ops: "caller", the thread
    that calls, with least cost; "pool", TensorFlow's own threads; "single_threaded", the thread
    that calls, by TensorFlow's single-threaded executor, where the model can be run by it. None
    measures the first two for each signature and size of input, and takes the pool where it is
    clearly faster; the third it does not try, which would load the model twice.

    Runs on the C library of an installed TensorFlow, whose Python stays out of the process; both
    may be used side by side. Raises NotFoundError where there is no SavedModel, where it is not
    complete, or has no graph with these tags; RuntimeNotFoundError without TensorFlow; else the
    ServingError of what TensorFlow says.
    """
    path = Path(path)
    if reason := _native.incomplete_reason(path):
        raise NotFoundError(f"{path} holds no complete SavedModel: {reason}{_versions_hint(path)}")
    model = _native.SavedModel(path, tags=list(tags), library=find_runtime(), executor=executor)
    return SavedModel(path, model)


class SavedModel:
    """A model in memory. Threads may share it: their runs go side by side.

    Memory is freed by `close`, at the end of a `with`, or with the last reference. A forked child
    must load the model anew: calls raise FailedPreconditionError there. After `close` they raise
    ValueError.
    """

    def __init__(self, path: Path, model: _native.SavedModel) -> None:
        self._path = path
        self._model = model
        self._signatures = MappingProxyType(
            {
                name: Function(name, signature, model)
                for name, signature in read_signatures(model.signatures()).items()
            }
        )

    @property
    def signatures(self) -> Mapping[str, "Function"]:
        """The functions of the model, by name."""
        return self._signatures

    def predict(
        self,
        inputs: Mapping[str, Any],
        *,
        signature: str = DEFAULT_SIGNATURE,
        output_filter: Sequence[str] = (),
    ) -> Arrays:
        """Run a signature; return arrays by alias.

        The same as `Client.predict` of a server with this model, with the same rules for inputs
        and the same errors.
        """
        function = self._signatures.get(signature)
        arrays = declared_arrays(inputs, function.signature if function else None)
        return self._model.run(signature, arrays, output_filter)

    def close(self) -> None:
        """Wait for the runs under way in other threads, then free the memory."""
        self._model.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"SavedModel({str(self._path)!r}, signatures={list(self._signatures)})"


class Function:
    """One signature of a loaded model: `model.signatures["serving_default"](x=[1.0, 2.0])`."""

    def __init__(self, name: str, signature: Signature, model: _native.SavedModel) -> None:
        self._name = name
        self._signature = signature
        self._model = model

    @property
    def name(self) -> str:
        return self._name

    @property
    def signature(self) -> Signature:
        """The inputs and outputs it declares."""
        return self._signature

    def __call__(self, /, **inputs: Any) -> Arrays:
        """Run it on inputs by alias; return all outputs as arrays by alias.

        Arrays keep the dtype they have; lists and Python numbers get the declared one. Strings are
        bytes, or str in UTF-8, and come back as arrays of bytes objects. Raises
        InvalidArgumentError, with the input's name, for inputs that are missing, unknown or of
        another dtype, and for what TensorFlow refuses.
        """
        return self._model.run(self._name, declared_arrays(inputs, self._signature), ())

    def __repr__(self) -> str:
        inputs = ", ".join(f"{alias}: {spec}" for alias, spec in self._signature.inputs.items())
        outputs = ", ".join(f"{alias}: {spec}" for alias, spec in self._signature.outputs.items())
        return f"{self._name}({inputs}) -> {{{outputs}}}"


def _versions_hint(path: Path) -> str:
    """Return what to load instead of the folder above a model's versions."""
    found = path.iterdir() if path.is_dir() else iter(())
    versions = sorted((int(entry.name), entry) for entry in found if entry.name.isdecimal())
    numbers = [number for number, _ in versions]
    return f". It holds versions {numbers}: load {versions[-1][1]}" if versions else ""
