"""What to do next about the versions of one model."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from slipway.servables import VersionSnapshot


@dataclass(frozen=True, slots=True)
class Load:
    """Load version `number`."""

    number: int


@dataclass(frozen=True, slots=True)
class Unload:
    """Unload version `number`."""

    number: int


Action = Load | Unload


class Policy(Protocol):
    """Decides from what it is shown alone: no clock, no lock, and asked twice the same answer."""

    def next_action(self, versions: Sequence[VersionSnapshot]) -> Action | None:
        """Return the next step for one model, or None while there is nothing to do."""
        ...


class KeepAvailable:
    """Keep a version answering while its successor loads.

    TensorFlow Serving's `AvailabilityPreservingPolicy`, the only one its server uses. Besides, a
    version is kept that is to be replaced by its number from another folder, or by another that
    its label waits for: whoever asks by number or label has a successor of their own.
    """

    def next_action(self, versions: Sequence[VersionSnapshot]) -> Action | None:
        aspired = [version for version in versions if version.aspired]
        leftover = [version for version in versions if version.is_ready and not version.aspired]
        ready = {version.number for version in aspired if version.is_ready}
        awaited = {version.number for version in aspired} - ready
        free = [
            version.number
            for version in leftover
            if not (aspired and version.held) and version.number not in awaited
        ]
        covered = len(leftover) > 1 or ready
        if free and (covered or not aspired):
            return Unload(min(free))
        new = [version.number for version in aspired if version.is_new]
        return Load(max(new)) if new else None
