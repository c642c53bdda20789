"""From `slipway.toml` to the handlers that it names."""

import copy
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from slipway.config.project import HANDLERS_FOLDER, GatewaySection, RouteSection
from slipway.config.project_file import read_project
from slipway.errors import ConfigError
from slipway.gateway.config import GatewayConfig
from slipway.gateway.handler import Handler
from slipway.gateway.values import InputLimits


def load_gateway(path: Path) -> GatewayConfig:
    """Return the gateway of a `slipway.toml`, its handlers imported.

    The file's folder becomes one that Python imports from. Raises ConfigError, with the file, for
    what is wrong in it; what the modules of the handlers raise on being imported, they raise.
    """
    project = read_project(path)
    section = project.gateway
    folder = path.absolute().parent
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    try:
        handlers = [handler for entry in section.routes for handler in _handlers(entry, folder)]
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error
    return GatewayConfig(
        handlers=handlers,
        upstreams=section.upstreams or project.server.addresses,
        timeout_s=section.timeout_s,
        limits=_limits(section),
        open_pages=section.open_pages,
        run_folder=folder / project.stack.run_folder / HANDLERS_FOLDER,
    )


def _limits(section: GatewaySection) -> InputLimits:
    return InputLimits(
        max_body_bytes=section.max_body_bytes, max_image_pixels=section.max_image_pixels
    )


def _handlers(entry: RouteSection, folder: Path) -> Iterator[Handler]:
    """Yield the handlers that an entry names, with its settings in place of their own."""
    settings = entry.model_dump(exclude={"handler"}, exclude_none=True)
    module_name, _, name = entry.handler.partition(":")
    module = _imported(module_name, folder)
    if name:
        found = vars(module).get(name)
        if found is None:
            raise ConfigError(f"{module_name} has no {name}; handlers in it are {_names(module)}")
        yield _handler(entry.handler, found, settings)
        return
    handlers = dict(_all(module))
    if not handlers:
        raise ConfigError(f"{module_name} has no handlers: classes with a route, or @handler")
    if "route" in settings and len(handlers) > 1:
        raise ConfigError(
            f"the route {settings['route']} is for one handler, and {module_name} has "
            f"{', '.join(handlers)}: name one, {module_name}:{next(iter(handlers))}"
        )
    for name, found in handlers.items():
        yield _handler(f"{module_name}:{name}", found, settings)


def _imported(name: str, folder: Path) -> ModuleType:
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        # One that the handler's own module asks for is that module's mistake.
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise
        raise ConfigError(
            f"there is no module {name}, neither beside the file nor where Python looks"
        ) from error
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{name!r} is no name of a module") from error
    # Python imports a name once: another project in this process may have had one of its own.
    beside = folder / Path(*name.split("."))
    found = Path(module.__file__ or "")
    if beside.with_suffix(".py").exists() and not found.is_relative_to(folder):
        raise ConfigError(f"{name} is beside the file, and {found} was imported under this name")
    return module


def _handler(name: str, found: object, settings: dict[str, object]) -> Handler:
    if isinstance(found, type) and issubclass(found, Handler):
        try:
            return found(**settings)
        except TypeError as error:
            raise ConfigError(f"{name} cannot be made: {error}") from error
    if isinstance(found, Handler):
        # Another entry may give it another route.
        handler = copy.copy(found)
        vars(handler).update(settings)
        return handler
    raise ConfigError(f"{name} is no handler: neither a class of one, nor made by @handler")


def _all(module: ModuleType) -> Iterator[tuple[str, object]]:
    """Yield the handlers with a route that a module defines, not those that it imports."""
    for name, value in vars(module).items():
        if isinstance(value, type) and issubclass(value, Handler):
            if value.route and value.__module__ == module.__name__:
                yield name, value
        elif isinstance(value, Handler) and value.route:
            yield name, value


def _names(module: ModuleType) -> str:
    return ", ".join(name for name, _ in _all(module)) or "none"
