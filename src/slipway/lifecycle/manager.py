"""Brings what is loaded to what is wanted, and publishes what answers."""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from slipway.errors import InternalError, ServingError
from slipway.lifecycle.labels import effective_labels, held_versions
from slipway.lifecycle.loader import Loader
from slipway.lifecycle.policy import Action, KeepAvailable, Load, Policy
from slipway.lifecycle.retry import Backoff
from slipway.lifecycle.states import Failure, Version
from slipway.servables import ServableId, State, VersionSnapshot, VersionStatus

logger = logging.getLogger(__name__)

LOAD_THREADS = 32

Versions = Mapping[int, Path]
"""The folder of each version that is wanted of a model."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a configuration wants of one model."""

    versions: Versions | None
    """None leaves them as they are."""
    labels: Mapping[str, int] = field(default_factory=dict)


class Manager:
    """Keeps the state of every version, and is the only one to change it.

    Told what is wanted by `configure` and `aspire`, it asks its policy what to do next and does it
    on its worker threads: loads of different versions do not wait for each other. A version that
    cannot be loaded is tried again by `retry`, when `backoff` says so and as long as it is wanted.
    Each change of a state is published before `on_change` is called, so whoever is woken by it sees
    what requests see. All methods may be called from any thread; none waits for a load.
    """

    def __init__(
        self,
        loader: Loader,
        *,
        policy: Policy | None = None,
        backoff: Backoff | None = None,
        load_threads: int = LOAD_THREADS,
        unload_threads: int = LOAD_THREADS,
        allow_unavailable_labels: bool = False,
        on_change: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._loader = loader
        self._policy = policy or KeepAvailable()
        self._backoff = backoff or Backoff()
        self._allow_unavailable_labels = allow_unavailable_labels
        self._on_change = on_change
        self._clock = clock
        self._load_workers = ThreadPoolExecutor(load_threads, thread_name_prefix="slipway-load")
        self._unload_workers = ThreadPoolExecutor(
            unload_threads, thread_name_prefix="slipway-unload"
        )
        self._lock = threading.Lock()
        self._models: dict[str, _Model] = {}
        self._retry_at: dict[Version, float] = {}

    def configure(self, models: Mapping[str, Wanted]) -> None:
        """Serve exactly these models from now on, each as it is wanted.

        The versions of all others are unloaded. Routes and labels change in one step.
        """
        with self._lock:
            for name in models.keys() - self._models.keys():
                self._models[name] = _Model(name)
            for name, model in self._models.items():
                wanted = models.get(name, Wanted({}))
                model.is_configured = name in models
                model.labels = dict(wanted.labels)
                if wanted.versions is not None:
                    model.aspire(wanted.versions)
            self._advance(self._models.values())
        self._on_change()

    def aspire(self, name: str, versions: Versions) -> None:
        """Want exactly these versions of a model, each in its folder, from now on.

        Wanting what is wanted already does nothing, and wakes nobody.
        """
        with self._lock:
            model = self._models.setdefault(name, _Model(name))
            if model.is_configured and model.aspired == versions:
                return
            model.is_configured = True
            model.aspire(versions)
            self._advance([model])
        self._on_change()

    def retry(self) -> None:
        """Begin the attempts that are due for versions that could not be loaded."""
        with self._lock:
            now = self._clock()
            due = [version for version, at in self._retry_at.items() if at <= now]
            for version in due:
                del self._retry_at[version]
                if version.aspired and version.state is State.END:
                    version.try_again()
                    self._advance([self._models[version.servable.model]])
        if due:
            self._on_change()

    def statuses(self) -> dict[str, list[VersionStatus]]:
        """Return what is known of every version of every model, the newest version first."""
        with self._lock:
            return self._statuses()

    def failures(self) -> dict[ServableId, Failure]:
        """Return what loads have failed with, of versions that are wanted and have not been loaded
        since.
        """
        with self._lock:
            return {
                version.servable: failure
                for model in self._models.values()
                for version in model.versions
                if version.aspired and (failure := version.failure)
            }

    def close(self) -> None:
        """Start nothing any more and wait for what is being done. Loaded versions stay."""
        self._load_workers.shutdown(cancel_futures=True)
        self._unload_workers.shutdown(cancel_futures=True)

    def _advance(self, models: Iterable["_Model"]) -> None:
        """Begin whatever can be done about some models, and publish. Called with the lock held."""
        work: list[tuple[ThreadPoolExecutor, Callable[[Version], None], Version]] = []
        for model in models:
            for version in model.act_by(self._policy):
                if version.state is State.LOADING:
                    work.append((self._load_workers, self._load, version))
                else:
                    work.append((self._unload_workers, self._unload, version))
        # Before the work begins: a version can be unloaded once nothing is routed to it.
        self._publish()
        for workers, deed, version in work:
            workers.submit(self._do, deed, version)

    def _do(self, deed: Callable[[Version], None], version: Version) -> None:
        try:
            deed(version)
        except Exception:
            # Nobody looks at what the pool makes of it.
            logger.exception("Lost track of %s: this is a bug", version.servable)
        self._on_change()

    def _load(self, version: Version) -> None:
        begin = self._clock()
        logger.info("Loading servable version %s", version.servable)
        try:
            self._loader.load(version.servable, version.path)
        except ServingError as error:
            logger.error("Cannot load %s: %s: %s", version.servable, error.code.name, error)
            self._settle(version, partial(self._fail, version, error))
        except Exception:
            logger.exception("Cannot load %s", version.servable)
            internal = InternalError("loading failed for a reason in the server itself")
            self._settle(version, partial(self._fail, version, internal))
        else:
            seconds = self._clock() - begin
            logger.info(
                "Successfully loaded servable version %s in %.2f s", version.servable, seconds
            )
            self._settle(version, partial(self._loaded, version))

    def _loaded(self, version: Version) -> None:
        if version.aspired:
            version.finish_load()
            return
        # Taken back before anybody could ask for it: it must not answer now.
        version.give_up_load()
        self._unload_workers.submit(self._do, self._unload, version)

    def _fail(self, version: Version, error: ServingError) -> None:
        version.fail_load(error)
        self._retry_at[version] = self._clock() + self._backoff.pause_s(version.failures)

    def _unload(self, version: Version) -> None:
        try:
            self._loader.unload(version.servable, version.path)
        except Exception:
            logger.exception("Cannot unload %s", version.servable)
        self._settle(version, partial(self._unloaded, version))

    def _unloaded(self, version: Version) -> None:
        version.finish_unload()
        logger.info("Unloaded servable version %s", version.servable)
        if version.aspired:
            # Wanted again while it was on its way out.
            self._models[version.servable.model].renew(version)

    def _settle(self, version: Version, move: Callable[[], None]) -> None:
        with self._lock:
            move()
            self._advance([self._models[version.servable.model]])

    def _publish(self) -> None:
        routes = {}
        labels = {}
        for name, model in self._models.items():
            if not model.is_configured:
                model.effective_labels = {}
                continue
            routes[name] = model.routes
            model.effective_labels = effective_labels(
                model.labels,
                model.effective_labels,
                routes[name],
                allow_unavailable=self._allow_unavailable_labels,
            )
            labels[name] = model.effective_labels
        self._loader.publish(routes, labels, self._statuses())

    def _statuses(self) -> dict[str, list[VersionStatus]]:
        return {name: model.statuses for name, model in self._models.items() if model.versions}


class _Model:
    """The versions of one model. One number is there twice while its folder is exchanged."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_configured = False
        self.versions: list[Version] = []
        """The newest to be wanted last."""
        self.labels: dict[str, int] = {}
        """As they are wanted."""
        self.effective_labels: dict[str, int] = {}
        """As they were published last."""

    @property
    def aspired(self) -> dict[int, Path]:
        return {v.servable.version: v.path for v in self.versions if v.aspired}

    def aspire(self, wanted: Versions) -> None:
        for version in list(self.versions):
            number = version.servable.version
            stays = wanted.get(number) == version.path
            is_over = version.state is State.END and not (version.aspired and stays)
            version.aspired = stays and not is_over
            # Wanted again, or from elsewhere: it begins a new life below.
            if is_over and number in wanted:
                self.versions.remove(version)
        for number, path in wanted.items():
            if not any(v.aspired and v.servable.version == number for v in self.versions):
                self._add(number, path)

    def renew(self, version: Version) -> None:
        self.versions.remove(version)
        self._add(version.servable.version, version.path)

    def _add(self, number: int, path: Path) -> None:
        self.versions.append(Version(ServableId(self.name, number), path))

    def act_by(self, policy: Policy) -> Iterator[Version]:
        """Begin what the policy wants done, and yield each version that something is done about."""
        while action := policy.next_action(self._snapshots):
            version = self._subject(action)
            if isinstance(action, Load):
                version.begin_load()
            else:
                version.begin_unload()
            yield version

    @property
    def _snapshots(self) -> list[VersionSnapshot]:
        held = held_versions(self.labels, self.effective_labels, self.routes)
        return [version.snapshot(held) for version in self.versions]

    def _subject(self, action: Action) -> Version:
        to_load = isinstance(action, Load)
        return next(
            version
            for version in self.versions
            if version.servable.version == action.number
            and version.aspired is to_load
            and version.state is (State.START if to_load else State.AVAILABLE)
        )

    @property
    def routes(self) -> dict[int, Path]:
        """The folder behind each number that answers: of two, the one that is wanted."""
        ready = [version for version in self.versions if version.state is State.AVAILABLE]
        ready.sort(key=lambda version: version.aspired)
        return {version.servable.version: version.path for version in ready}

    @property
    def statuses(self) -> list[VersionStatus]:
        """The status of each number, the highest first: of two, that of the one that answers, or
        else of the one that is wanted.
        """
        by_rank = sorted(self.versions, key=lambda v: (v.state is State.AVAILABLE, v.aspired))
        by_number = {version.servable.version: version for version in by_rank}
        return [by_number[number].status for number in sorted(by_number, reverse=True)]
