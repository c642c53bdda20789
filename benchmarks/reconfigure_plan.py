"""Configurations of six models, made at random, and what is true of a server that follows one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from slipway.lifecycle.version_policy import All, Latest, Specific, VersionPolicy

SIDES: Mapping[str, int] = {
    "tiny": 32, "small": 128, "medium": 512, "large": 1536, "huge": 3072, "giant": 5120,
}  # fmt: skip
"""The models, each with the side of its square variable: 4 KiB to 100 MiB."""

FOLDERS: Mapping[str, Sequence[int]] = {"a": (1, 2, 3), "b": (1, 2, 3), "c": (4, 5)}
"""The base paths that each model can have, and the versions that are below them."""

NUMBERS = sorted({number for numbers in FOLDERS.values() for number in numbers})
LABELS = ("stable", "canary")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an answer comes from."""

    model: str
    folder: str
    number: int


ORIGINS = {
    100 * m + 10 * f + number: Origin(model, folder, number)
    for m, model in enumerate(SIDES, start=1)
    for f, (folder, numbers) in enumerate(FOLDERS.items(), start=1)
    for number in numbers
}
"""By the number that is added to each element of an answer."""


@dataclass(frozen=True)
class Served:
    """How one model is to be served."""

    folder: str
    policy: VersionPolicy
    labels: Mapping[str, int] = field(default_factory=dict)


Plan = Mapping[str, Served]
"""A configuration: the models to serve, by name."""

Disk = frozenset[Origin]
"""The versions that are below their base paths."""


@dataclass(frozen=True, slots=True)
class Topic:
    """What a request can ask for: a model's latest version, or the one with a number or label."""

    model: str
    number: int | None = None
    label: str | None = None


@dataclass(frozen=True, slots=True)
class Labelled:
    """A label on a version."""

    model: str
    label: str
    number: int


@dataclass(frozen=True)
class Truth:
    """What is true of a server that has followed a plan."""

    topics: frozenset[Topic]
    """What is answered."""
    origins: frozenset[Origin]
    """What answers."""
    labels: frozenset[Labelled]

    def answer(self, topic: Topic) -> Origin | None:
        """Return what answers a request; None when nothing does."""
        numbers = {
            on.number for on in self.labels if (on.model, on.label) == (topic.model, topic.label)
        }
        if topic.number is not None:
            numbers = {topic.number}
        there = [
            origin for origin in self.origins
            if origin.model == topic.model
            and (topic == Topic(topic.model) or origin.number in numbers)
        ]  # fmt: skip
        return max(there, key=lambda origin: origin.number, default=None)


def versions(name: str, served: Served, disk: Disk) -> frozenset[int]:
    """Return the versions that are to be served of a model."""
    existing = {o.number for o in disk if (o.model, o.folder) == (name, served.folder)}
    return served.policy.select(existing)


def truth(plan: Plan, disk: Disk) -> Truth:
    """Return what is true once a server has followed a plan."""
    topics: set[Topic] = set()
    origins: set[Origin] = set()
    labels: set[Labelled] = set()
    for name, served in plan.items():
        numbers = versions(name, served, disk)
        topics |= {Topic(name)}
        topics |= {Topic(name, number=number) for number in numbers}
        topics |= {Topic(name, label=label) for label in served.labels}
        origins |= {Origin(name, served.folder, number) for number in numbers}
        labels |= {Labelled(name, label, number) for label, number in served.labels.items()}
    return Truth(frozenset(topics), frozenset(origins), frozenset(labels))


def is_sound(plan: Plan, disk: Disk) -> bool:
    """Whether each model has a version, and each label points to one."""
    return all(
        (numbers := versions(name, served, disk)) and numbers.issuperset(served.labels.values())
        for name, served in plan.items()
    )


def first_plan() -> dict[str, Served]:
    """Return what the server starts with: the latest version of every model."""
    return {name: Served("a", Latest()) for name in SIDES}


class Planner:
    """Makes plans at random. Not safe from several threads."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def next_plan(self, plan: Plan, disk: Disk, seen: Disk) -> dict[str, Served]:
        """Change one to three models of a plan.

        Labels are put on versions only that were on disk before, when it was `seen`: the server
        need not know of others.
        """
        new = dict(plan)
        for name in self._random.sample(list(SIDES), self._random.randint(1, 3)):
            old = new.pop(name, None)
            if old and len(new) > 1 and self._random.random() < 0.25:
                continue
            new[name] = self._served(name, old, disk, seen)
        return new

    def _served(self, name: str, old: Served | None, disk: Disk, seen: Disk) -> Served:
        while True:
            folder = self._random.choice(list(FOLDERS))
            policy = self._policy()
            # One thing at a time, now and then.
            if old and self._random.random() < 0.3:
                folder = old.folder
            if old and self._random.random() < 0.3:
                policy = old.policy
            bare = Served(folder, policy)
            numbers = versions(name, bare, disk)
            if numbers:
                known = sorted(numbers & versions(name, bare, seen))
                return Served(folder, policy, self._labels(known))

    def _policy(self) -> VersionPolicy:
        kind = self._random.choice(["latest", "two latest", "all", "specific"])
        if kind == "specific":
            return Specific(frozenset(self._random.sample(NUMBERS, self._random.randint(1, 3))))
        others: dict[str, VersionPolicy] = {
            "latest": Latest(), "two latest": Latest(2), "all": All(),
        }  # fmt: skip
        return others[kind]

    def _labels(self, numbers: Sequence[int]) -> dict[str, int]:
        return {
            label: self._random.choice(numbers)
            for label in LABELS
            if numbers and self._random.random() < 0.6
        }


def config_text(plan: Plan, root: Path, *more: str) -> str:
    """Return a plan, with more entries, in the text form of a ModelServerConfig."""
    entries = [entry(name, root / name / served.folder, served) for name, served in plan.items()]
    return f"model_config_list {{ {' '.join([*entries, *more])} }}"


def entry(name: str, base_path: Path, served: Served, platform: str = "tensorflow") -> str:
    """Return the text form of one ModelConfig."""
    labels = " ".join(
        f'version_labels {{ key: "{label}" value: {number} }}'
        for label, number in served.labels.items()
    )
    return (
        f'config {{ name: "{name}" base_path: "{base_path}" model_platform: "{platform}" '
        f"model_version_policy {{ {_policy_text(served.policy)} }} {labels} }}"
    )


def _policy_text(policy: VersionPolicy) -> str:
    match policy:
        case All():
            return "all {}"
        case Latest(count):
            return f"latest {{ num_versions: {count} }}"
        case Specific(numbers):
            return f"specific {{ {' '.join(f'versions: {n}' for n in sorted(numbers))} }}"
