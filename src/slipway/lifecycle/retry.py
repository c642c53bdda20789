"""When a version that could not be loaded is tried again."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """First `patience` pauses of `interval_s`, then ever longer ones up to `longest_s`.

    The longer ones begin at a second at least: nobody waits for an end of these attempts.
    """

    interval_s: float = 60.0
    patience: int = 5
    factor: float = 2.0
    longest_s: float = 600.0

    def pause_s(self, failures: int) -> float:
        """Return how long to wait after so many failures, of which there was one at least."""
        if failures <= self.patience:
            return self.interval_s
        # Bounded before it is computed: 2 to the power of a month of failures is no float.
        growth = self.factor ** min(failures - self.patience, 64)
        return min(max(self.interval_s, 1.0) * growth, max(self.longest_s, self.interval_s))
