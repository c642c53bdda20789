"""The life of `slipway serve`: load, open the ports, keep up with what changes, drain."""

import logging
import os
import time
from collections.abc import Sequence
from typing import NoReturn

from slipway.config.models import read_models
from slipway.config.schema import ModelConfig, ServeConfig
from slipway.config.text import write_models
from slipway.dataplane.native import NativePlane, incomplete_reason
from slipway.errors import FailedPreconditionError, SlipwayError
from slipway.lifecycle.manager import Manager
from slipway.server.config_file import ConfigFile
from slipway.server.core import ServerCore
from slipway.server.news import News
from slipway.server.reload import Reloads, did_not_become_available
from slipway.sources.directory import DirectorySource

logger = logging.getLogger("slipway.serve")

_HASTE_S = 0.1
"""Between two looks for versions while somebody waits for them: the start, or a reload."""
_RETRY_LOOK_S = 1.0
"""Between two looks whether a failed load is due again."""


class ModelUnavailableError(SlipwayError):
    """A model that the server was started for could not be loaded."""


def run(config: ServeConfig) -> NoReturn:
    """Serve until SIGTERM or SIGINT, then end the process with status 0.

    Raises SlipwayError or OSError for what keeps the server from starting.
    """
    server = _Server(config)
    server.serve()
    server.drain()
    # Whatever load or run is under way: neither can be stopped.
    logging.shutdown()
    os._exit(0)


class _Server:
    """A plane, what decides about it, and the loop in which all decisions are made."""

    def __init__(self, config: ServeConfig) -> None:
        self._config = config
        self._news = News()
        self._plane = NativePlane(config.plane, on_reload=self._news.reload)
        self._manager = Manager(
            self._plane,
            backoff=config.backoff,
            load_threads=config.load_threads,
            unload_threads=config.unload_threads,
            allow_unavailable_labels=config.allow_unavailable_labels,
            on_change=self._news.post,
        )
        self._core = ServerCore(
            self._manager,
            _open_source,
            allow_unavailable_labels=config.allow_unavailable_labels,
            on_change=self._describe,
        )
        self._attempts = config.backoff.patience + 1
        self._reloads = Reloads(
            self._core,
            lambda reload: read_models(reload, config.model_root),
            attempts=self._attempts,
        )
        self._file: ConfigFile | None = None
        if config.model_config_file and config.config_poll_wait_s:
            self._file = ConfigFile(
                config.model_config_file,
                config.config_poll_wait_s,
                config.model_root,
                self._core,
            )
        self._is_up = False
        """Whether the models of the start have all been loaded."""
        self._next_poll: float | None = 0.0
        """When to look at the disk again; None for never."""
        self._next_hurry = 0.0
        """When to look for what a reload waits for, if there is one."""

    def serve(self) -> None:
        """Return when told to stop."""
        self._core.start(self._config.models)
        if self._config.serve_while_loading:
            self._open()
        while not self._news.is_to_stop:
            if not self._is_up:
                self._come_up()
            self._follow_disk()
            for request in self._news.take_reloads():
                self._reloads.begin(request)
            self._reloads.settle()
            if self._file and self._is_up:
                self._file.follow(time.monotonic())
            self._news.wait(self._patience_s())

    def drain(self) -> None:
        """Finish the requests under way."""
        self._news.close()
        self._reloads.close()
        grace_s = self._config.shutdown_grace_s
        logger.info("Draining: requests under way have %g s", grace_s)
        if not self._plane.drain(grace_s):
            logger.warning("Some requests were not answered in time")

    def _follow_disk(self) -> None:
        self._manager.retry()
        now = time.monotonic()
        if self._next_poll is not None and now >= self._next_poll:
            self._core.poll()
            interval_s = self._config.poll_wait_s if self._is_up else _HASTE_S
            self._next_poll = None if interval_s is None else now + interval_s
        if now >= self._next_hurry:
            self._core.hurry(self._reloads.awaited)
            self._next_hurry = now + _HASTE_S

    def _patience_s(self) -> float | None:
        """Return how long nothing has to be done unless there is news."""
        now = time.monotonic()
        ends = [self._next_poll, self._reloads.next_deadline()]
        if self._file and self._is_up:
            ends.append(self._file.next_look)
        if self._reloads.awaited:
            ends.append(self._next_hurry)
        if self._manager.failures():
            ends.append(now + _RETRY_LOOK_S)
        end = min((at for at in ends if at is not None), default=None)
        return None if end is None else max(0.0, end - now)

    def _come_up(self) -> None:
        """Open the ports once all models answer, and no version is on its way.

        Raises ModelUnavailableError when one could not be loaded in all its attempts, and
        FailedPreconditionError for a label on nothing, unless the ports are open already.
        """
        names = self._core.configuration.models.keys()
        if self._core.is_available(names) and not self._core.is_loading():
            self._is_up = True
            self._check_labels()
            logger.info("Finished adding/updating models")
            if not self._config.serve_while_loading:
                self._open()
            return
        failed = self._core.failed(names, self._attempts)
        if failed and not self._config.serve_while_loading:
            raise ModelUnavailableError(did_not_become_available("servable(s)", failed))

    def _check_labels(self) -> None:
        try:
            self._core.check_labels()
        except FailedPreconditionError as error:
            if not self._config.serve_while_loading:
                raise
            logger.error("%s", error)

    def _describe(self, models: Sequence[ModelConfig]) -> None:
        self._plane.describe(write_models(models))
        if logged := [model.name for model in models if model.logging is not None]:
            logger.warning(
                "Requests are not logged yet: logging_config of %s has no effect", logged
            )

    def _open(self) -> None:
        addresses = self._plane.start()
        if addresses.grpc:
            logger.info("Running gRPC ModelServer at %s ...", addresses.grpc)
        if addresses.grpc_socket:
            logger.info("Running gRPC ModelServer at UNIX socket %s ...", addresses.grpc_socket)
        if addresses.rest:
            logger.info("Exporting HTTP/REST API at:%s ...", addresses.rest)


def _open_source(model: ModelConfig) -> DirectorySource:
    return DirectorySource(model.name, model.base_path, model.policy, incomplete_reason)
