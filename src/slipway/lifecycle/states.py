"""The states of a version, and the only ways from one to the next.

  ┌────────────────── tried again ──────────────────┐
  v                                                 │
START ──> LOADING ──> AVAILABLE ──> UNLOADING ──> END
             │ │                        ^           ^
             │ └─── wanted no more ─────┘           │
             └───────────── with an error ──────────┘
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from slipway.errors import CancelledError, Code, ServingError
from slipway.servables import ServableId, State, VersionSnapshot, VersionStatus

MOVES: Final[Mapping[State, frozenset[State]]] = {
    State.START: frozenset({State.LOADING}),
    State.LOADING: frozenset({State.AVAILABLE, State.UNLOADING, State.END}),
    State.AVAILABLE: frozenset({State.UNLOADING}),
    State.UNLOADING: frozenset({State.END}),
    State.END: frozenset({State.START}),
}


@dataclass(frozen=True, slots=True)
class Failure:
    """What loads of a version came to since the last that did not fail."""

    times: int
    code: Code
    message: str
    """Of the last error, without the folders above the version's."""


class Version:
    """One version of a model on its way through the states. Not safe from several threads.

    `failures` counts the loads that failed since the last that did not. A move that is not in
    `MOVES` raises AssertionError: whoever asked for it has a bug.
    """

    def __init__(self, servable: ServableId, path: Path) -> None:
        self.servable = servable
        self.path = path
        self.aspired = True
        self.failures = 0
        self._state = State.START
        self._error: ServingError | None = None

    def begin_load(self) -> None:
        self._move(State.LOADING)

    def finish_load(self) -> None:
        self._move(State.AVAILABLE)
        self._error = None
        self.failures = 0

    def fail_load(self, error: ServingError) -> None:
        self._move(State.END)
        self._error = error
        self.failures += 1

    def give_up_load(self) -> None:
        """Be unloaded without having answered: nobody wanted it any more when it was loaded."""
        self._move(State.UNLOADING)
        self._error = CancelledError("Loading of servable cancelled")

    def begin_unload(self) -> None:
        self._move(State.UNLOADING)

    def finish_unload(self) -> None:
        self._move(State.END)

    def try_again(self) -> None:
        """Be new once more."""
        self._move(State.START)

    @property
    def state(self) -> State:
        return self._state

    def snapshot(self, held: Collection[int] = ()) -> VersionSnapshot:
        """What a policy sees; `held` are the versions that labels hold."""
        number = self.servable.version
        return VersionSnapshot(number, self._state, self.aspired, number in held)

    @property
    def failure(self) -> Failure | None:
        """What the last load failed with, also while it is tried again; None once it is loaded."""
        if self._error is None:
            return None
        message = str(self._error).replace(f"{self.path.parent}/", "")
        return Failure(self.failures, Code(self._error.code), message)

    @property
    def status(self) -> VersionStatus:
        """What the outside is told."""
        failure = self.failure
        if failure is None or self._state is not State.END:
            return VersionStatus(self.servable.version, self._state)
        return VersionStatus(self.servable.version, self._state, failure.code, failure.message)

    def _move(self, target: State) -> None:
        if target not in MOVES[self._state]:
            raise AssertionError(f"{self.servable}: {self._state} -> {target}: this is a bug")
        self._state = target
