"""The whole of it as processes: a model server with the examples, and the gateway in front."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.process import GatewayProcess, ServeProcess
from tests.support.projects import write_models_config, write_project


@dataclass(frozen=True)
class Stack:
    """A gateway with the routes of the usual example, and the model server behind it."""

    server: ServeProcess
    gateway: GatewayProcess

    @property
    def url(self) -> str:
        return self.gateway.url


@contextmanager
def running_stack(folder: Path, settings: Mapping[str, object] | None = None) -> Iterator[Stack]:
    """Run both while the block lasts, of a project that is written into a folder.

    `settings` are those of its gateway.
    """
    config = write_models_config(folder)
    with ServeProcess(f"--model_config_file={config}") as server:
        write_project(folder, [server.grpc], settings=settings)
        with GatewayProcess(folder, "--no-reload") as gateway:
            server.wait_until_open()
            gateway.wait_until_open()
            yield Stack(server, gateway)
