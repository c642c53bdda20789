"""Which server a call goes to, and whether another one may do better than the one that failed."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from slipway.errors import (
    FailedPreconditionError,
    NotFoundError,
    ResourceExhaustedError,
    ServingError,
    UnavailableError,
)


@dataclass(slots=True, eq=False, kw_only=True)
class Load:
    """What the choice depends on, of one server."""

    under_way: int = 0
    """Calls that it has not answered yet."""
    turn: int = 0
    """The number of the latest call that went there first: the lowest is the longest ago."""
    is_away: bool = False
    """The latest that is known of it is that it does not answer."""


AnyLoad = TypeVar("AnyLoad", bound=Load)


def choose(servers: Sequence[AnyLoad], tried: Collection[AnyLoad] = ()) -> AnyLoad | None:
    """Return the server for the next attempt of a call; None when none is left.

    It is the one with the fewest calls under way; of several, the one whose turn is the longest
    ago. Servers that are away get calls only when all are, each in its turn: whichever is back
    first is found, and none is asked more than others.
    """
    present = [server for server in servers if not server.is_away]
    if not present:
        untried = [server for server in servers if server not in tried]
        return min(untried, key=lambda server: server.turn, default=None)
    if tried:
        present = [server for server in present if server not in tried]
    return min(present, key=lambda server: (server.under_way, server.turn), default=None)


ELSEWHERE: Final = (
    # It sheds load, which says most: a server is there, and a smaller or later call may do.
    ResourceExhaustedError,
    # Before the next two: the one that nobody could ask may have the model.
    UnavailableError,
    # It has the model, but not in the state or with the signature that was asked for.
    FailedPreconditionError,
    # It does not have the model, which in a rolling restart another one may have.
    NotFoundError,
)
"""After these another server is asked; the most telling first.

Any other error is about the call and not about the server, or comes when the time is up: another
server would say the same, and take as long to do so.
"""


def most_telling(errors: Sequence[ServingError]) -> ServingError:
    """Return the error to raise when each attempt ended with one of `ELSEWHERE`."""
    return min(errors, key=lambda error: ELSEWHERE.index(type(error)))
