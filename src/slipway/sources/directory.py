"""Versions in the numbered folders below a base path."""

import logging
import os
import re
from collections.abc import Callable
from pathlib import Path

from slipway.lifecycle.source import Found, SourceUnavailableError
from slipway.lifecycle.version_policy import Specific, VersionPolicy

logger = logging.getLogger(__name__)

_LARGEST = 2**63 - 1
# What TensorFlow Serving takes for a number: a sign and leading zeros are tolerated, as are blanks.
_NUMBER = re.compile(r"\s*[+-]?[0-9]+\s*", re.ASCII)

Sizes = dict[str, int]
"""The size of each file of a version, by its path below the version's folder."""


class DirectorySource:
    """The versions of `model` in the folders `base_path/<number>` that `policy` wants.

    Names that are no 64-bit number are ignored. Where two names say the same number, the last in
    alphabetical order counts. A version does not exist before it is complete: when
    `incomplete_reason` has nothing against its folder, and its files had the same sizes at two
    polls in a row. After that it exists until its folder is gone, whatever happens inside.
    """

    def __init__(
        self,
        model: str,
        base_path: Path,
        policy: VersionPolicy,
        incomplete_reason: Callable[[Path], str | None],
    ) -> None:
        self.model = model
        self._base_path = base_path
        self._policy = policy
        self._incomplete_reason = incomplete_reason
        self._complete: set[Path] = set()
        self._last_look: dict[Path, Sizes] = {}
        self._doubles: set[tuple[str, str]] = set()
        """Names of one number that were complained of."""

    def with_policy(self, policy: VersionPolicy) -> "DirectorySource":
        """Return a source of the same folders with another policy, to which what is complete to
        this one is complete too.
        """
        other = DirectorySource(self.model, self._base_path, policy, self._incomplete_reason)
        other._complete = set(self._complete)
        other._doubles = set(self._doubles)
        return other

    def poll(self) -> Found:
        """Return the wanted versions that exist now, and those that are still being written.

        Raises SourceUnavailableError while the base path does not exist or cannot be read.
        """
        existing = self._folders()
        absent = (
            self._policy.absent(existing) if isinstance(self._policy, Specific) else frozenset()
        )
        self._complete &= set(existing.values())
        waiting: dict[int, str] = {}
        # Only what would be wanted is looked into; where that is not complete, what would be then.
        while True:
            wanted = self._policy.select(existing)
            unfinished = {
                number: reason
                for number in wanted
                if existing[number] not in self._complete
                and (reason := self._unfinished(existing[number]))
            }
            if not unfinished:
                break
            waiting |= unfinished
            existing = {n: path for n, path in existing.items() if n not in unfinished}
        found = {number: existing[number] for number in wanted}
        self._complete |= set(found.values())
        self._last_look = {
            path: sizes for path, sizes in self._last_look.items() if path not in self._complete
        }
        return Found(found, waiting, absent)

    def _folders(self) -> dict[int, Path]:
        try:
            names = sorted(os.listdir(self._base_path))
        except OSError as error:
            raise SourceUnavailableError(
                f"Could not find base path {self._base_path} for servable {self.model} with error "
                f"{error.strerror}"
            ) from error
        folders: dict[int, Path] = {}
        for name in names:
            number = version_number(name)
            if number is None:
                continue
            pair = (folders[number].name, name) if number in folders else None
            if pair and pair not in self._doubles:
                self._doubles.add(pair)
                logger.warning(
                    "%s and %s are both version %d of %s; %s counts",
                    *pair, number, self.model, name,
                )  # fmt: skip
            folders[number] = self._base_path / name
        return folders

    def _unfinished(self, folder: Path) -> str | None:
        """Return why a version is not complete, or None once it is."""
        sizes = file_sizes(folder)
        before, self._last_look[folder] = self._last_look.get(folder), sizes
        if reason := self._incomplete_reason(folder):
            return reason
        return None if sizes == before else "its files may still be growing"


def version_number(name: str) -> int | None:
    """Return the version that a folder's name says, or None when it says none."""
    if not _NUMBER.fullmatch(name) or len(name) > 64:
        return None
    number = int(name)
    return number if -_LARGEST - 1 <= number <= _LARGEST else None


def file_sizes(folder: Path) -> Sizes:
    """Return the sizes of all files below a folder; what vanishes meanwhile is left out."""
    sizes: Sizes = {}
    for root, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(root, name)
            try:
                sizes[os.path.relpath(path, folder)] = os.stat(path).st_size
            except OSError:
                continue
    return sizes
