"""Where versions come from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol


class SourceUnavailableError(Exception):
    """A source cannot say at the moment which versions there are. The text says why."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a source has at one moment."""

    wanted: Mapping[int, Path]
    """The folder of each version that should be loaded."""
    waiting: Mapping[int, str] = field(default_factory=dict)
    """Versions that are not complete yet, each with the reason."""
    absent: frozenset[int] = frozenset()
    """Versions that are asked for by their number and are not there."""


class Source(Protocol):
    """Knows the versions of one model that should be loaded."""

    model: str

    def poll(self) -> Found:
        """Look at what there is now.

        Raises SourceUnavailableError when that cannot be told: then nothing should change.
        """
        ...
