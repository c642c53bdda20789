"""Which of the versions that exist are wanted."""

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Latest:
    """The `count` highest numbers."""

    count: int = 1

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"count is {self.count}; at least 1 version must be wanted")

    def select(self, existing: Collection[int]) -> frozenset[int]:
        return frozenset(sorted(existing)[-self.count :])


@dataclass(frozen=True, slots=True)
class All:
    """Every version there is."""

    def select(self, existing: Collection[int]) -> frozenset[int]:
        return frozenset(existing)


@dataclass(frozen=True, slots=True)
class Specific:
    """These numbers, as far as they exist."""

    numbers: frozenset[int]

    def select(self, existing: Collection[int]) -> frozenset[int]:
        return self.numbers & frozenset(existing)

    def absent(self, existing: Collection[int]) -> frozenset[int]:
        """Return the numbers that do not exist."""
        return self.numbers - frozenset(existing)


VersionPolicy = Latest | All | Specific
