"""The gateway under Gunicorn, from one command."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from flask import Flask
from gunicorn.app.base import BaseApplication

from slipway.config.project import GatewaySection
from slipway.gateway.app import create_app
from slipway.gateway.project import load_gateway
from slipway.gateway.worker import GatewayWorker

_LONGEST_REQUEST_LINE: Final = 8190
"""The most that Gunicorn takes without giving up its limit."""


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
        host = f"[{section.host}]" if ":" in section.host else section.host
        settings: dict[str, Any] = {
            "bind": f"{host}:{section.port}",
            "proc_name": "slipway-gateway",
            "worker_class": GatewayWorker,
            "workers": section.workers,
            "threads": section.threads,
            # What handlers share is loaded once. A worker that is to see other code loads it anew.
            "preload_app": not self._reloads,
            "reload": self._reloads,
            "reload_extra_files": [str(self._path)],
            "limit_request_line": _LONGEST_REQUEST_LINE,
            # Longer than proxies keep idle connections: nginx does for 60 s.
            "keepalive": 75,
            "when_ready": _say_where,
            # A socket in the home folder that nothing here uses.
            "control_socket_disable": True,
        }
        for name, value in settings.items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def load(self) -> Flask:
        config = load_gateway(self._path)
        if self._upstreams:
            config = replace(config, upstreams=self._upstreams)
        return create_app(config)


def _say_where(arbiter: Any) -> None:
    """Name the page where the routes can be tried."""
    for listener in arbiter.LISTENERS:
        arbiter.log.info("Try it: %s/try", listener)
