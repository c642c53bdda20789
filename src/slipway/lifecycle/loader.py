"""What the manager needs of whatever holds the models."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from slipway.servables import ServableId, VersionStatus


class Loader(Protocol):
    """Puts versions into memory, routes requests to them, and takes them out again.

    A version may be in memory from two folders at once, while one takes the place of the other.
    Called by the manager only: `load` and `unload` from its worker threads, for different
    servables at once; `publish` from one thread at a time.
    """

    def load(self, servable: ServableId, path: Path) -> None:
        """Read the version in the folder `path` into memory. No request reaches it yet.

        Raises ServingError when that fails; nothing is left in memory then.
        """
        ...

    def publish(
        self,
        routes: Mapping[str, Mapping[int, Path]],
        labels: Mapping[str, Mapping[str, int]],
        statuses: Mapping[str, Sequence[VersionStatus]],
    ) -> None:
        """Answer requests from these versions, labels and statuses from now on, all at once.

        `routes` has every configured model, one that cannot answer with no version, and for each
        version the folder it was loaded from. Raises FailedPreconditionError, and changes nothing,
        when a route leads to what is not loaded.
        """
        ...

    def unload(self, servable: ServableId, path: Path) -> None:
        """Wait until no request holds what was loaded from `path`, then give its memory back.

        Raises NotFoundError when it is not loaded, FailedPreconditionError while it is routed to.
        """
        ...
