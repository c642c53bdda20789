"""Looking at sources again and again, and telling the manager what they have."""

import logging
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from slipway.lifecycle.manager import Manager
from slipway.lifecycle.source import Found, Source, SourceUnavailableError

logger = logging.getLogger(__name__)


class Watcher:
    """Polls each source when it is told to, and has what it finds aspired.

    A source that cannot say what it has changes nothing; neither does one that has had no version
    yet, nor one whose versions are all incomplete: what is to take over is on its way. What is
    waited for at two polls in a row is logged, and again every `reminder_s`.
    """

    def __init__(
        self,
        manager: Manager,
        *,
        reminder_s: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sources: tuple[Source, ...] = ()
        self.found: dict[str, Found] = {}
        """What each source had when it was looked at last."""
        self._manager = manager
        self._reminder_s = reminder_s
        self._clock = clock
        self._had_versions: set[str] = set()
        self._reminded_at: dict[str, float | None] = {}
        """When each thing that is waited for was logged last; None when it is new."""

    def follow(self, sources: Sequence[Source], found: Mapping[str, Found]) -> None:
        """Look at these sources from now on.

        What is known of those that stay is kept; `found` is what others had just now.
        """
        stay = {source.model for source in sources if source in self._sources}
        self.found = {model: had for model, had in self.found.items() if model in stay}
        self.found.update(found)
        self._had_versions &= stay
        self._had_versions |= {model for model, had in found.items() if had.wanted}
        self._sources = tuple(sources)

    def poll(self) -> None:
        """Look at every source once."""
        self._remind([wait for source in self._sources for wait in self._look(source)])

    def hurry(self, models: Collection[str]) -> None:
        """Look at the sources of some models between two polls."""
        for source in self._sources:
            if source.model in models:
                self._look(source)

    def _look(self, source: Source) -> list[str]:
        """Have what a source has aspired; return what it waits for."""
        try:
            found = source.poll()
        except SourceUnavailableError as error:
            return [str(error)]
        self.found[source.model] = found
        if found.wanted:
            self._had_versions.add(source.model)
        is_between = found.waiting and not found.wanted
        if source.model in self._had_versions and not is_between:
            self._manager.aspire(source.model, found.wanted)
        return list(_waits(source.model, found))

    def _remind(self, waits: Sequence[str]) -> None:
        now = self._clock()
        reminded_at: dict[str, float | None] = dict.fromkeys(waits)
        for text in waits:
            # A version that has just come is complete at the next poll, as a rule.
            if text not in self._reminded_at:
                continue
            at = self._reminded_at[text]
            if at is None or now - at >= self._reminder_s:
                logger.warning("Waiting: %s", text)
                at = now
            reminded_at[text] = at
        self._reminded_at = reminded_at


def _waits(model: str, found: Found) -> Iterator[str]:
    """Say what a source waits for."""
    for number, reason in sorted(found.waiting.items()):
        yield f"Version {number} of servable {model} is not complete: {reason}"
    for number in sorted(found.absent):
        yield f"Version {number} of servable {model} is requested, and not under its base path"
    if not (found.wanted or found.waiting or found.absent):
        yield f"No versions of servable {model} found under its base path"
