"""What happens to the versions while the soak asks, and the ledger of it."""

import time
from collections.abc import Callable

from soak_judge import Ledger
from soak_versions import FLAWS, MODEL, Versions

import slipway
from slipway.servables import State

WAIT_S = 60.0
LOOK_S = 0.02
SLOW_COPY_S = 1.5
BROKEN_S = 2.0


class SoakError(Exception):
    """The server did not do in time what it should."""


class Changes:
    """Changes the versions, and keeps the ledger of what may answer."""

    def __init__(self, versions: Versions, client: slipway.Client) -> None:
        self.ledger = Ledger()
        self.handovers: list[tuple[int, float]] = []
        """Each version that was retired, and when another was seen to have taken over."""
        self.may_fail: set[int] = set()
        """Versions that were broken, or taken away while they were loaded."""
        self.came = 0
        """How many versions there were so far, which is the number of the last."""
        self._versions = versions
        self._client = client
        self._current = 0

    def begin(self) -> None:
        """Have a first version, before the server starts."""
        number = self._next()
        self.ledger.may_answer(number, time.monotonic())
        self._versions.put(self._versions.stage(number))
        self._current = number

    def settle(self) -> None:
        """Wait until the current version is the only one that is loaded."""
        self._wait(self._is_alone, f"version {self._current} to be alone")
        self.ledger.must_answer(self._current, time.monotonic())

    def cycle(self, number: int) -> None:
        """Do everything that can happen to versions, once; one is loaded at the end."""
        self.take_over()
        self.break_one(list(FLAWS)[number % len(FLAWS)])
        self.take_over_slowly()
        self.withdraw_one()
        self.go_back()

    def take_over(self) -> None:
        """A version comes in one rename; the old one goes when it has been unloaded."""
        old, new = self._current, self._next()
        staged = self._versions.stage(new)
        self._announce(old, new)
        self._versions.put(staged)
        self._wait_for_handover(old, new)
        self._versions.remove(old)

    def take_over_slowly(self) -> None:
        """A version comes file by file; with the last piece of it the old one is removed."""
        old, new = self._current, self._next()
        put_the_end = self._versions.put_all_but_the_end(self._versions.stage(new), SLOW_COPY_S)
        self._announce(old, new)
        put_the_end()
        self._versions.remove(old)
        self._wait_for_handover(old, new)

    def break_one(self, flaw: str) -> None:
        """A broken version comes and goes; nobody may notice."""
        looks_complete, _ = FLAWS[flaw]
        broken = self._next()
        self.may_fail.add(broken)
        self._versions.put(self._versions.stage(broken, flaw))
        if looks_complete:
            self._wait(lambda: self._states().get(broken) is State.END, f"version {broken} to fail")
        time.sleep(BROKEN_S)
        if not looks_complete and broken in self._states():
            raise SoakError(f"version {broken}, {flaw}, was taken for complete")
        self._versions.remove(broken)
        self._wait(
            lambda: self._states().get(broken, State.END) is State.END, f"version {broken} to end"
        )

    def withdraw_one(self) -> None:
        """A version is taken away as soon as the server has begun to load it."""
        current, new = self._current, self._next()
        self.may_fail.add(new)
        staged = self._versions.stage(new)
        self._announce(current, new)
        self._versions.put(staged)
        self._wait(lambda: new in self._states(), f"version {new} to be seen")
        self._versions.remove(new)
        self._wait(self._is_alone, f"version {current} to be alone again")
        now = time.monotonic()
        self.ledger.has_left(new, now)
        self.ledger.must_answer(current, now)

    def go_back(self) -> None:
        """A version comes, takes over and is removed; the one before it, still there, returns."""
        old, new = self._current, self._next()
        staged = self._versions.stage(new)
        self._announce(old, new)
        self._versions.put(staged)
        self._wait_for_handover(old, new)
        self._announce(new, old)
        self._versions.remove(new)
        self._wait_for_handover(new, old)

    def _next(self) -> int:
        self.came += 1
        return self.came

    def _announce(self, old: int, new: int) -> None:
        """Write down that `new` may take over from `old`, before it can."""
        now = time.monotonic()
        self.ledger.need_not_answer(old, now)
        self.ledger.may_answer(new, now)

    def _wait_for_handover(self, old: int, new: int) -> None:
        self._current = new
        self._wait(lambda: self._states().get(new) is State.AVAILABLE, f"version {new} to load")
        now = time.monotonic()
        self.ledger.must_answer(new, now)
        self.handovers.append((old, now))
        self._wait(self._is_alone, f"version {old} to be unloaded")
        self.ledger.has_left(old, time.monotonic())

    def _is_alone(self) -> bool:
        states = self._states()
        current = states.pop(self._current, None)
        return current is State.AVAILABLE and set(states.values()) <= {State.END}

    def _states(self) -> dict[int, State]:
        return {status.version: status.state for status in self._client.status(MODEL)}

    def _wait(self, condition: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + WAIT_S
        while not condition():
            if time.monotonic() > end:
                raise SoakError(f"waited {WAIT_S:g} s for {what}")
            time.sleep(LOOK_S)
