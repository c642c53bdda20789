"""Following a model config file while the server runs."""

import logging
from pathlib import Path

from slipway.config.models import NO_TRANSITION, read_model_config_file, read_models
from slipway.errors import FailedPreconditionError, SlipwayError
from slipway.server.core import ServerCore

logger = logging.getLogger(__name__)


class ConfigFile:
    """Reads a file again every `period_s` seconds, and has its models served.

    The file rules: what a reload has changed is changed back at the next look. A file that cannot
    be read or applied changes nothing, and is complained of once until it changes.
    """

    def __init__(
        self, path: Path, period_s: float, model_root: Path | None, core: ServerCore
    ) -> None:
        self._path = path
        self._period_s = period_s
        self._model_root = model_root
        self._core = core
        self._complaint = ""
        self.next_look = 0.0
        """When the file is read again, on the clock of `follow`."""

    def follow(self, now: float) -> None:
        """Read the file when it is time to."""
        if now < self.next_look:
            return
        self.next_look = now + self._period_s
        complaint = ""
        try:
            config = read_model_config_file(self._path)
            if not config and self._core.configuration.models:
                raise FailedPreconditionError(NO_TRANSITION)
            models = read_models(config, self._model_root)
            if {model.name: model for model in models} != self._core.configuration.models:
                self._core.reconfigure(models)
                # Nobody waits for the new models to answer.
                self._core.let_go()
                logger.info("Finished adding/updating models of %s", self._path)
        except SlipwayError as error:
            complaint = str(error)
            if complaint != self._complaint:
                logger.error("%s changes nothing: %s", self._path, complaint)
        self._complaint = complaint
