"""Whether what a server answered is right, by the log of what it was told to serve."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from reconfigure_plan import FOLDERS, NUMBERS, Labelled, Origin, Topic, Truth
from soak_judge import Span

AVAILABLE = "AVAILABLE"
NOT_FOUND = "NOT_FOUND"
INVALID_ARGUMENT = "INVALID_ARGUMENT"


@dataclass(frozen=True)
class Record:
    """One request and what came of it: an answer, states, or an error."""

    way: str
    topic: Topic
    begin: float
    end: float
    answered: Origin | None = None
    """What the numbers of the answer are of."""
    named: int | None = None
    """The version that the answer says it is of, where it does."""
    states: Mapping[int, str] | None = None
    """By version, where it was these that were asked for."""
    code: str = ""
    error: str = ""

    @property
    def kind(self) -> str:
        """What was asked for."""
        if self.states is not None:
            return "status"
        if self.topic.number is not None:
            return "by version"
        return "by name" if self.topic.label is None else "by label"


Fact = TypeVar("Fact")


class _Times(Generic[Fact]):
    """When each of some facts held."""

    def __init__(self) -> None:
        self._spans: dict[Fact, list[Span]] = defaultdict(list)
        self.held: frozenset[Fact] = frozenset()

    def become(self, facts: frozenset[Fact], now: float) -> None:
        for fact in self.held - facts:
            self._spans[fact][-1].end = now
        for fact in facts - self.held:
            self._spans[fact].append(Span(now))
        self.held = facts

    def touch(self, fact: Fact, begin: float, end: float) -> bool:
        return any(span.touches(begin, end) for span in self._spans[fact])

    def cover(self, fact: Fact, begin: float, end: float) -> bool:
        return any(span.covers(begin, end) for span in self._spans[fact])


class Ledger:
    """What may have answered at each time, and what was bound to be answered.

    Whoever changes what is served writes it, from one thread: `changes` before the server can know
    of a change, `follows` when it was seen to have followed. Between the two both old and new may
    answer. What both answer stays, and is bound to be answered all the time. A change that the
    server must refuse as it stands is not written: it changes nothing.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._bound = _Times[Topic]()
        self._possible = _Times[Origin | Labelled]()
        self.topics: list[Topic] = []
        """What must be answered at the moment."""

    def changes(self, new: Truth) -> None:
        """From now on the server may follow this."""
        now = self._clock()
        self._bound.become(self._bound.held & new.topics, now)
        self._possible.become(self._possible.held | new.origins | new.labels, now)
        self._tell()

    def answers(self, models: Iterable[str]) -> None:
        """From now on these models answer with one version or another."""
        self._bound.become(self._bound.held | {Topic(name) for name in models}, self._clock())
        self._tell()

    def follows(self, new: Truth) -> None:
        """From now on the server answers as this says, and no longer in another way."""
        now = self._clock()
        self._bound.become(new.topics, now)
        self._possible.become(new.origins | new.labels, now)
        self._tell()

    def objection(self, record: Record) -> str | None:
        """Return what is wrong with what came of a request; None when nothing is."""
        if record.states is not None:
            return self._objection_to_states(record, record.states)
        if record.answered is None:
            return self._objection_to_error(record)
        topic, answered, begin, end = record.topic, record.answered, record.begin, record.end
        if record.named not in {None, answered.number}:
            return f"says it is version {record.named} and has the numbers of {answered}"
        if answered.model != topic.model or topic.number not in {None, answered.number}:
            return f"{answered} answered"
        if not self._possible.touch(answered, begin, end):
            return f"{answered} answered, which was not configured"
        if topic.label is not None:
            on = Labelled(topic.model, topic.label, answered.number)
            is_right = self._possible.touch(on, begin, end)
            return None if is_right else f"{answered} answered, which did not have the label"
        for newer in NUMBERS:
            overlooked = topic.number is None and newer > answered.number
            if overlooked and self._bound.cover(Topic(topic.model, newer), begin, end):
                return f"{answered} answered while {newer} was available"
        return None

    def _objection_to_error(self, record: Record) -> str | None:
        if self._bound.cover(record.topic, record.begin, record.end):
            return f"failed, and it had stayed: {record.code}: {record.error}"
        # A label never points at nothing: it is not there before its version is.
        expected = NOT_FOUND if record.topic.label is None else INVALID_ARGUMENT
        return None if record.code == expected else f"failed: {record.code}: {record.error}"

    def _objection_to_states(self, record: Record, states: Mapping[int, str]) -> str | None:
        model, begin, end = record.topic.model, record.begin, record.end
        if record.code not in {"", NOT_FOUND}:
            return f"failed: {record.code}: {record.error}"
        for number in NUMBERS:
            is_available = states.get(number) == AVAILABLE
            if not is_available and self._bound.cover(Topic(model, number), begin, end):
                return f"{number} had stayed, and is {states.get(number)}"
            if is_available and not self._may_be_available(model, number, begin, end):
                return f"{number} was not configured, and is {AVAILABLE}"
        return None

    def _may_be_available(self, model: str, number: int, begin: float, end: float) -> bool:
        return any(
            self._possible.touch(Origin(model, folder, number), begin, end) for folder in FOLDERS
        )

    def _tell(self) -> None:
        self.topics = sorted(self._bound.held, key=repr)
