"""Which version may answer a request, and which must: what was done to the versions says it."""

import math
from collections import defaultdict
from dataclasses import dataclass

LATEST = None


@dataclass
class Span:
    """A time, open at its end until that is known. Seconds of the monotonic clock."""

    begin: float
    end: float = math.inf

    def touches(self, begin: float, end: float) -> bool:
        """Whether any of it lies between the two."""
        return self.begin <= end and begin <= self.end

    def covers(self, begin: float, end: float) -> bool:
        """Whether it has all between the two."""
        return self.begin <= begin and end <= self.end


@dataclass(frozen=True)
class Record:
    """One request and what came of it."""

    way: str
    """How it was asked: which client, over which protocol."""
    kind: str
    """What was asked."""
    begin: float
    end: float
    pinned: int | None
    """The version that was asked for, or LATEST."""
    answered: int | None = None
    """The version that the numbers of the answer, or the status, are of."""
    named: int | None = None
    """The version that the answer says it is of, where it does."""
    error: str | None = None
    is_not_found: bool = False


class Ledger:
    """When each version could have answered, and when it was bound to.

    Whoever changes the versions writes it: `may_answer` before a version can be loaded,
    `must_answer` when it was seen AVAILABLE, `need_not_answer` before something is done that may
    retire it, and `has_left` when it was seen to have been unloaded.
    """

    def __init__(self) -> None:
        self._may: dict[int, list[Span]] = defaultdict(list)
        self._must: dict[int, list[Span]] = defaultdict(list)

    def may_answer(self, version: int, now: float) -> None:
        """From now on it can be loaded at any time."""
        self._may[version].append(Span(now))

    def must_answer(self, version: int, now: float) -> None:
        """From now on it answers whoever asks for it, or for the latest if that is what it is."""
        self._must[version].append(Span(now))

    def need_not_answer(self, version: int, now: float) -> None:
        """From now on it may be unloaded at any time."""
        self._must[version][-1].end = now

    def has_left(self, version: int, now: float) -> None:
        """From now on it is not loaded."""
        self._may[version][-1].end = now

    def objection(self, record: Record) -> str | None:
        """Return what is wrong with the version that answered; None when nothing is."""
        begin, end, answered = record.begin, record.end, record.answered
        if record.named is not None and answered is not None and record.named != answered:
            return f"says it is version {record.named} and has the numbers of {answered}"
        version = answered if answered is not None else record.named
        if version is None:
            return "does not say of what version it is"
        if record.pinned not in {LATEST, version}:
            return f"{version} answered in place of {record.pinned}"
        if not any(span.touches(begin, end) for span in self._may[version]):
            return f"{version} answered, which was not there"
        for newer, spans in self._must.items():
            overlooked = record.pinned is LATEST and newer > version
            if overlooked and any(span.covers(begin, end) for span in spans):
                return f"{version} answered while {newer} was available"
        return None

    def is_failure(self, record: Record) -> bool:
        """Whether an error, where there is one, is one that the caller did not have to expect."""
        if record.error is None:
            return False
        if record.pinned is None or not record.is_not_found:
            return True
        spans = self._must[record.pinned]
        return any(span.covers(record.begin, record.end) for span in spans)
