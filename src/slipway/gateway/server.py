"""The gateway under Gunicorn, from one command."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication

from slipway.config.gunicorn import settings_of
from slipway.config.project import GatewaySection, host_port
from slipway.gateway.app import create_app
from slipway.gateway.project import load_gateway


class GatewayServer(BaseApplication):  # type: ignore[misc]
    """Gunicorn, with the settings of a `slipway.toml`.

    `upstreams`, if there are any, take the place of those in the file.
    """

    def __init__(
        self, path: Path, section: GatewaySection, *, upstreams: Sequence[str], reloads: bool
    ) -> None:
        self._path = path
        self._section = section
        self._upstreams = upstreams
        self._reloads = reloads
        super().__init__()

    def load_config(self) -> None:
        section = self._section
        settings: dict[str, Any] = {
            "bind": host_port(section.host, section.port),
            "proc_name": "slipway-gateway",
            "when_ready": _say_where,
            **{setting.name: setting.value for setting in settings_of(section)},
        }
        if self._reloads:
            # A worker that is to see other code loads it anew.
            settings |= {
                "preload_app": False,
                "reload": True,
                "reload_extra_files": [str(self._path)],
            }
        for name, value in settings.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        try:
            return self._app()
        except Exception as error:
            if not self._reloads or isinstance(error, SyntaxError):
                raise
            # After this error alone Gunicorn shows the traceback and looks for changes of files.
            raise SyntaxError(str(error), (str(self._path), 1, 0, "")) from error

    def _app(self) -> Flask:
        config = load_gateway(self._path)
        if self._upstreams:
            config = replace(config, upstreams=self._upstreams)
        return create_app(config)


def _say_where(arbiter: Any) -> None:
    """Name the page where the routes can be tried."""
    for listener in arbiter.LISTENERS:
        arbiter.log.info("Try it: %s/try", listener)
