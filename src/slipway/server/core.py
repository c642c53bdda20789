"""Which models are served, and how that changes."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from slipway.config.models import check_platforms
from slipway.config.schema import ModelConfig
from slipway.errors import FailedPreconditionError, NotFoundError
from slipway.lifecycle.manager import Manager, Wanted
from slipway.lifecycle.source import Found, SourceUnavailableError
from slipway.lifecycle.states import Failure
from slipway.lifecycle.version_policy import Specific
from slipway.servables import ServableId, State, VersionStatus
from slipway.sources.directory import DirectorySource
from slipway.sources.watcher import Watcher

LOOK_PAUSE_S = 0.1
"""Between the two looks that tell whether the files of a version still grow."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """The models that are served, by name, and where the versions of each come from."""

    models: Mapping[str, ModelConfig] = field(default_factory=dict)
    sources: Mapping[str, DirectorySource] = field(default_factory=dict)


class ServerCore:
    """Keeps the configuration in force, and has the manager follow it.

    `on_change` is told each one. Not safe from several threads: one of them decides.
    """

    def __init__(
        self,
        manager: Manager,
        open_source: Callable[[ModelConfig], DirectorySource],
        *,
        allow_unavailable_labels: bool = False,
        on_change: Callable[[Sequence[ModelConfig]], None] = lambda models: None,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._manager = manager
        self._open_source = open_source
        self._allow_unavailable_labels = allow_unavailable_labels
        self._on_change = on_change
        self._pause = pause
        self._watcher = Watcher(manager)
        self._configuration = Configuration()
        self._leaving: dict[str, ModelConfig] = {}
        """Models that are no more in the configuration, and answer still."""

    @property
    def configuration(self) -> Configuration:
        """What is in force; each change makes a new one."""
        return self._configuration

    def start(self, models: Sequence[ModelConfig]) -> None:
        """Take a first configuration as it stands: `poll` waits for what is not on disk yet."""
        self._manager.configure({model.name: Wanted({}, model.labels) for model in models})
        sources = {model.name: self._open_source(model) for model in models}
        self._enact(Configuration({model.name: model for model in models}, sources), {})

    def reconfigure(self, models: Sequence[ModelConfig]) -> frozenset[str]:
        """Serve these models from now on; return the names of those that are new, save for one
        that is to have no version. Models that are taken out go on answering until `let_go`.

        Does nothing at all when something is wrong: InvalidArgumentError for a platform,
        NotFoundError for a new or changed model that has no version on disk,
        FailedPreconditionError for a label on a version that is not there. Waits for no load.
        """
        before = self._configuration
        check_platforms(models, before.models)
        sources = {model.name: self._source_of(model) for model in models}
        found = self._look(
            {name: s for name, s in sources.items() if s is not before.sources.get(name)}
        )
        for model in models:
            if model.name in found:
                _check_found(model, found[model.name])
            self._check_labels(model, found.get(model.name))
        wanted = {m.name: Wanted(_ready(found.get(m.name)), m.labels) for m in models}
        self._leaving = {
            name: model
            for name, model in {**self._leaving, **before.models}.items()
            if name not in wanted
        }
        self._manager.configure(wanted | _as_they_are(self._leaving))
        self._enact(Configuration({model.name: model for model in models}, sources), found)
        new = sources.keys() - before.models.keys()
        return frozenset(name for name in new if found[name].wanted or found[name].waiting)

    def let_go(self) -> None:
        """Unload the models that `reconfigure` has taken out."""
        if self._leaving:
            self._leaving = {}
            self._manager.configure(_as_they_are(self._configuration.models))

    def restore(self, configuration: Configuration) -> None:
        """Go back to a configuration that was in force."""
        self._leaving = {}
        found = {}
        for name, source in configuration.sources.items():
            # One that cannot say what it has leaves its model as it is.
            with suppress(SourceUnavailableError):
                found[name] = source.poll()
        self._manager.configure(
            {
                name: Wanted(_ready(found.get(name)), model.labels)
                for name, model in configuration.models.items()
            }
        )
        self._enact(configuration, found)

    def poll(self) -> None:
        """Look for versions that came or went."""
        self._watcher.poll()

    def hurry(self, names: Collection[str]) -> None:
        """Look for versions of models that somebody waits for, between two polls."""
        self._watcher.hurry(names)

    def is_available(self, names: Collection[str]) -> bool:
        """Return whether each of these models has a version that answers."""
        statuses = self._manager.statuses()
        return all(_available(statuses.get(name, ())) for name in names)

    def is_loading(self) -> bool:
        """Return whether a version is on its way."""
        return any(
            status.state in (State.START, State.LOADING)
            for versions in self._manager.statuses().values()
            for status in versions
        )

    def failed(self, names: Collection[str], attempts: int) -> dict[ServableId, Failure]:
        """Return why models do not answer: of each that does not, the highest version that could
        not be loaded in so many attempts.
        """
        statuses = self._manager.statuses()
        failures = self._manager.failures()
        failed: dict[ServableId, Failure] = {}
        for name in names:
            hopeless = [s for s, f in failures.items() if s.model == name and f.times >= attempts]
            if hopeless and not _available(statuses.get(name, ())):
                highest = max(hopeless)
                failed[highest] = failures[highest]
        return failed

    def check_labels(self) -> None:
        """Refuse labels on versions that are neither available nor on their way.

        Raises FailedPreconditionError.
        """
        for model in self._configuration.models.values():
            self._check_labels(model, None)

    def _enact(self, configuration: Configuration, found: Mapping[str, Found]) -> None:
        self._configuration = configuration
        self._watcher.follow(list(configuration.sources.values()), found)
        self._on_change(list(configuration.models.values()))

    def _source_of(self, model: ModelConfig) -> DirectorySource:
        """Return the source that a model has, where it stays the same, or a new one."""
        before = self._configuration.models.get(model.name)
        if before is None or before.base_path != model.base_path:
            return self._open_source(model)
        source = self._configuration.sources[model.name]
        return source if before.policy == model.policy else source.with_policy(model.policy)

    def _look(self, sources: Mapping[str, DirectorySource]) -> dict[str, Found]:
        """Look at each source twice, as it takes to see that files do not grow."""
        try:
            found = {name: source.poll() for name, source in sources.items()}
            if any(versions.waiting for versions in found.values()):
                self._pause(LOOK_PAUSE_S)
                found = {name: source.poll() for name, source in sources.items()}
        except SourceUnavailableError as error:
            raise NotFoundError(str(error)) from error
        return found

    def _check_labels(self, model: ModelConfig, found: Found | None) -> None:
        found = found or self._watcher.found.get(model.name) or Found({})
        there = _available(self._manager.statuses().get(model.name, ()))
        before = self._configuration.models.get(model.name)
        labels = before.labels if before else {}
        for label, version in model.labels.items():
            if version in there or version in found.wanted or version in found.waiting:
                continue
            moves = labels.get(label, version) != version
            if moves or not self._allow_unavailable_labels:
                raise FailedPreconditionError(
                    f"Request to assign label to version {version} of model {model.name}, which "
                    f'is not currently available for inference (label "{label}")'
                )


def _available(versions: Sequence[VersionStatus]) -> frozenset[int]:
    return frozenset(status.version for status in versions if status.state is State.AVAILABLE)


def _as_they_are(models: Mapping[str, ModelConfig]) -> dict[str, Wanted]:
    return {name: Wanted(None, model.labels) for name, model in models.items()}


def _ready(found: Found | None) -> Mapping[int, Path] | None:
    """Return the versions to serve; None where those that are there stay for now."""
    if found is None or (found.waiting and not found.wanted):
        return None
    return found.wanted


def _check_found(model: ModelConfig, found: Found) -> None:
    """Refuse a model for which nothing would answer, unless that is what is asked for."""
    if found.wanted or found.waiting or model.policy == Specific(frozenset()):
        return
    raise NotFoundError(
        f"None of the versions {sorted(found.absent)} of servable {model.name} is under its base "
        f"path {model.base_path}"
        if found.absent
        else f"No versions of servable {model.name} found under base path {model.base_path}"
    )
