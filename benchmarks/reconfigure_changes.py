"""What happens to the configuration and to the folders, and the ledger of it."""

import os
import shutil
import threading
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path
from random import Random

from reconfigure_callers import Caller, predict, status
from reconfigure_judge import AVAILABLE, INVALID_ARGUMENT, NOT_FOUND, Ledger
from reconfigure_plan import (
    LABELS,
    NUMBERS,
    ORIGINS,
    SIDES,
    Disk,
    Origin,
    Plan,
    Planner,
    Served,
    Topic,
    Truth,
    config_text,
    entry,
    first_plan,
    is_sound,
    truth,
)
from soak_versions import DATA, FLAWS, NUMBER

import slipway
from slipway.errors import ServingError
from slipway.lifecycle.version_policy import Latest, Specific

WAIT_S = 60.0
LOOK_S = 0.05
NOWHERE = 99
"""A version that is under no base path."""


class Folders:
    """The versions of all models on disk: `root/<model>/<folder>/<number>`.

    `exported` and `scratch` are on the file system of `root`: variables are the same file
    everywhere, and a version is taken and brought by one rename.
    """

    def __init__(self, exported: Path, root: Path, scratch: Path) -> None:
        self.root = root
        self.disk: Disk = frozenset(ORIGINS.values())
        self._scratch = scratch
        for answer, origin in ORIGINS.items():
            self._copy(exported / origin.model, self._path(root, origin), answer)
            self._path(scratch, origin).parent.mkdir(parents=True, exist_ok=True)
        self.broken = root / "broken"
        version = self.broken / "1"
        self._copy(exported / next(iter(SIDES)), version, 0)
        FLAWS["missing op"][1](version)

    def toggle(self, origin: Origin) -> None:
        """Take a version away, or bring it back."""
        here, there = self._path(self.root, origin), self._path(self._scratch, origin)
        (here.rename(there) if origin in self.disk else there.rename(here))
        self.disk ^= {origin}

    @staticmethod
    def _copy(source: Path, target: Path, answer: int) -> None:
        shutil.copytree(source, target, ignore=shutil.ignore_patterns(DATA.name))
        os.link(source / DATA, target / DATA)
        (target / NUMBER).write_text(str(answer))

    @staticmethod
    def _path(root: Path, origin: Origin) -> Path:
        return root / origin.model / origin.folder / str(origin.number)


class Changes:
    """Changes what is served at random, and keeps the ledger of it. Used by one thread."""

    def __init__(
        self,
        folders: Folders,
        client: slipway.Client,
        lookers: Mapping[str, Caller],
        ledger: Ledger,
        random: Random,
    ) -> None:
        self.problems: dict[str, list[str]] = defaultdict(list)
        """What went wrong, by kind."""
        self.took_s: dict[str, list[float]] = defaultdict(list)
        """How long each call or wait took, by kind."""
        self._folders = folders
        self._client = client
        self._lookers = cycle(lookers.items())
        self._ledger = ledger
        self._random = random
        self._planner = Planner(random)
        self._plan: Plan = first_plan()
        self._seen = folders.disk
        self._is_settled = False

    def change(self) -> None:
        """Do one thing."""
        if self._is_settled and (wrong := self._differences(self._truth())):
            self.problems["states that did not last"] += wrong
        deeds = {self.reload: 10, self.refuse: 3, self.fail: 2, self.overlap: 3, self.toggle: 3}
        [deed] = self._random.choices(list(deeds), list(deeds.values()))
        deed()

    def reload(self) -> None:
        """Another configuration."""
        self._apply(self._next_plan())

    def refuse(self) -> None:
        """Another configuration with a mistake in it: nothing may change."""
        text, code = self._mistaken()
        outcome = self._reload("refused, a mistake", text)
        if outcome != code:
            self.problems["wrong refusals"].append(f"{outcome} in place of {code}: {text}")

    def fail(self) -> None:
        """Another configuration with a model that cannot be loaded: it is begun and undone."""
        plan = self._next_plan()
        broken = entry("broken", self._folders.broken, Served("", Latest()))
        self._changes(plan)
        text = config_text(plan, self._folders.root, broken)
        outcome = self._reload("refused, a model that fails", text)
        if outcome != "UNKNOWN":
            self.problems["wrong refusals"].append(f"{outcome} in place of UNKNOWN: {text}")
        self._changes(self._plan)

    def overlap(self) -> None:
        """Two configurations at once, then one of them again, since either may be the later."""
        plans = [self._next_plan(), self._next_plan()]
        for plan in plans:
            self._changes(plan)
        outcomes: list[str] = []
        texts = [config_text(plan, self._folders.root) for plan in plans]
        threads = [
            threading.Thread(
                target=lambda text=text: outcomes.append(self._reload("overlap", text))
            )
            for text in texts
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if not set(outcomes) <= {"", "ABORTED"}:
            self.problems["failed reloads"].append(f"{outcomes}: {texts}")
        self._plan = self._random.choice(plans)
        self._apply(self._plan)

    def toggle(self) -> None:
        """A version's folder comes or goes; what a label is on stays."""
        origins = list(ORIGINS.values())
        self._random.shuffle(origins)
        for origin in origins:
            folder = {
                o
                for o in self._folders.disk
                if (o.model, o.folder) == (origin.model, origin.folder)
            }
            disk = self._folders.disk ^ {origin}
            if folder != {origin} and is_sound(self._plan, disk):
                self._ledger.changes(truth(self._plan, disk))
                self._is_settled = False
                begin = time.monotonic()
                self._folders.toggle(origin)
                self.took_s["folders that came or went"].append(time.monotonic() - begin)
                return

    def go_home(self) -> None:
        """Serve what was served first."""
        missing = frozenset(ORIGINS.values()) - self._folders.disk
        for origin in missing:
            self._ledger.changes(truth(self._plan, self._folders.disk | {origin}))
            self._folders.toggle(origin)
        self._apply(first_plan())
        self.settle()

    def settle(self) -> None:
        """Wait until what the server says and does is what it should."""
        begin = time.monotonic()
        while wrong := self._differences(self._truth()):
            if time.monotonic() - begin > WAIT_S:
                self.problems["states that did not come true"].append("; ".join(wrong))
                return
            time.sleep(LOOK_S)
        self._ledger.follows(self._truth())
        self._seen = self._folders.disk
        self._is_settled = True
        self.took_s["settled"].append(time.monotonic() - begin)

    def _truth(self) -> Truth:
        return truth(self._plan, self._folders.disk)

    def _next_plan(self) -> dict[str, Served]:
        return self._planner.next_plan(self._plan, self._folders.disk, self._seen)

    def _changes(self, plan: Plan) -> None:
        self._ledger.changes(truth(plan, self._folders.disk))
        self._is_settled = False

    def _apply(self, plan: Plan) -> None:
        self._changes(plan)
        text = config_text(plan, self._folders.root)
        if outcome := self._reload("applied", text):
            self.problems["failed reloads"].append(f"{outcome}: {text}")
            self._changes(self._plan)
            return
        self._ledger.answers(plan.keys() - self._plan.keys())
        self._plan = plan

    def _reload(self, kind: str, text: str) -> str:
        """Return the name of the error's code, empty when there is none."""
        begin = time.monotonic()
        try:
            self._client.reload(text, timeout_s=WAIT_S)
        except ServingError as error:
            return error.code.name
        else:
            return ""
        finally:
            self.took_s[kind].append(time.monotonic() - begin)

    def _mistaken(self) -> tuple[str, str]:
        """Return a configuration with a mistake, and the code that it is refused with."""
        plan = self._next_plan()
        name = self._random.choice(list(plan))
        served = plan.pop(name)
        root, path = self._folders.root, self._folders.root / name / served.folder
        right = entry(name, path, served)
        nothing = Served(served.folder, Specific(frozenset({NOWHERE})))
        off = Served(served.folder, served.policy, {"stable": NOWHERE})
        mistakes = [
            ((right, right), INVALID_ARGUMENT),
            ((entry(name, Path("models"), served),), INVALID_ARGUMENT),
            ((entry(name, path, served, "caffe"),), INVALID_ARGUMENT),
            ((right, entry("late", path / "nowhere", served)), NOT_FOUND),
            ((right, entry("late", path, nothing)), NOT_FOUND),
            ((entry(name, path, off),), "FAILED_PRECONDITION"),
        ]
        entries, code = self._random.choice(mistakes)
        return config_text(plan, root, *entries), code

    def _differences(self, wanted: Truth) -> list[str]:
        """Return where what the server says and does is not what is wanted."""
        wrong = [text for model in SIDES for text in self._wrong_states(model, wanted)]
        names = self._client.models()
        if set(names) != self._plan.keys():
            wrong.append(f"the models are {names}, not {sorted(self._plan)}")
        # Asked for only when all is said to be as it should.
        return wrong or [text for model in SIDES for text in self._wrong_answers(model, wanted)]

    def _wrong_states(self, model: str, wanted: Truth) -> list[str]:
        record = status(*next(self._lookers), model)
        if record.code not in {"", NOT_FOUND}:
            return [f"status of {model}: {record.code}: {record.error}"]
        states = record.states or {}
        return [
            f"{model} {number} is {state}"
            for number in NUMBERS
            if (state := states.get(number, "END"))
            != (AVAILABLE if wanted.answer(Topic(model, number)) else "END")
        ]

    def _wrong_answers(self, model: str, wanted: Truth) -> list[str]:
        topics: Sequence[Topic] = [
            Topic(model),
            *(Topic(model, number) for number in NUMBERS),
            *(Topic(model, label=label) for label in LABELS),
        ]
        wrong = []
        for topic in topics:
            record = predict(*next(self._lookers), topic)
            right = wanted.answer(topic)
            code = INVALID_ARGUMENT if topic.label else NOT_FOUND
            if record.answered != right or record.code != ("" if right else code):
                came = record.answered or f"{record.code}: {record.error}"
                wrong.append(f"{topic} is answered by {came}, not {right}")
        return wrong
