"""Whether the gateway of a project can find what its routes name, without importing any of it."""

import ast
import importlib.util
import os
from collections.abc import Iterator, Mapping
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import Final

from slipway.client.client import Client
from slipway.config.hints import did_you_mean
from slipway.config.project import GatewaySection, RouteSection
from slipway.config.project_file import Key
from slipway.errors import SlipwayError
from slipway.stack.access import Account, barrier
from slipway.stack.check_models import models_of
from slipway.stack.finding import Finding
from slipway.stack.plan import Plan

# What they import, by the package that has it and the extra that brings it.
_EXAMPLES: Final = {
    "slipway.examples.sentiment": ("rjieba", "examples"),
    "slipway.examples.saliency": ("pillow", "gateway"),
}
# What the class of a worker imports, and what installs that.
_WORKERS: Final = {
    "gevent": ("gevent", "'slipway[gevent]'"),
    "tornado": ("tornado", "tornado"),
}
_ONE_AT_A_TIME: Final = {"sync", "tornado"}


def check_routes(plan: Plan, account: Account, installed: Mapping[str, str]) -> Iterator[Finding]:
    """Yield what is wrong with the routes and their upstreams.

    `account` is the one that is to run them, `installed` the Python packages that there are.
    """
    section = plan.project.gateway
    if section.routes and not section.upstreams and not plan.servers:
        yield Finding(
            ("gateway", "routes"),
            "the routes have no model server to ask",
            "list models as [[models]], or name servers that run elsewhere in gateway.upstreams",
        )
    for upstream in section.upstreams or ():
        try:
            Client(upstream).close()
        except (SlipwayError, ValueError) as error:
            yield Finding(
                ("gateway", "upstreams"),
                str(error),
                "name it as host:port, http://host:port or unix:/path",
            )
    # What other machines serve is theirs to say.
    models = None if section.upstreams or not plan.servers else models_of(plan)
    names = None if models is None else {model.name for model in models}
    for index, route in enumerate(section.routes):
        key: Key = ("gateway", "routes", index)
        yield from _check_handler(route, key, plan.file.parent, account)
        yield from _check_asked_models(route, key, names)
        package, extra = _EXAMPLES.get(route.handler.partition(":")[0], ("", ""))
        if package and package not in installed:
            yield Finding(
                (*key, "handler"),
                f"{route.handler} needs {package}, which is not installed",
                f"pip install 'slipway[{extra}]'",
            )


def check_gunicorn(section: GatewaySection, installed: Mapping[str, str]) -> Iterator[Finding]:
    """Yield what Gunicorn would refuse of the settings that are passed through to it."""
    if "gunicorn" not in installed:
        return
    from slipway.config.gunicorn import Refusal, mistakes_in

    settings = section.gunicorn
    for name, refusal, known in mistakes_in(settings):
        key: Key = ("gateway", "gunicorn", name)
        match refusal:
            case Refusal.OWN:
                yield Finding(key, "the stack sets it itself", known)
            case Refusal.UNKNOWN:
                remedy = known or "its settings: gunicorn --help, with _ for -"
                yield Finding(key, "Gunicorn has no such setting", remedy)
            case Refusal.VALUE:
                fact = f"Gunicorn refuses {settings[name]!r}: {known}"
                yield Finding(key, fact, "see gunicorn --help for its values")
            case Refusal.UNFIT:
                yield Finding(key, known, "take it out")
    yield from _check_worker_class(section, installed)


def _check_worker_class(section: GatewaySection, installed: Mapping[str, str]) -> Iterator[Finding]:
    name = section.gunicorn.get("worker_class")
    if not isinstance(name, str):
        return
    from gunicorn.workers import SUPPORTED_WORKERS

    key: Key = ("gateway", "gunicorn", "worker_class")
    if name not in SUPPORTED_WORKERS and "." not in name and ":" not in name:
        yield Finding(
            key,
            f"Gunicorn has no workers of the class {name}",
            did_you_mean(name, SUPPORTED_WORKERS) or "gthread and gevent are tried ones",
        )
        return
    package, source = _WORKERS.get(name.partition("_")[0], ("", ""))
    if package and package not in installed:
        yield Finding(
            key, f"{name} needs {package}, which is not installed", f"pip install {source}"
        )
    if name in _ONE_AT_A_TIME and (name != "sync" or section.threads == 1):
        yield Finding(
            key,
            f"a process with workers of the class {name} answers one request at a time",
            "take gthread or gevent",
            is_error=False,
        )


def _check_handler(
    route: RouteSection, key: Key, folder: Path, account: Account
) -> Iterator[Finding]:
    key = (*key, "handler")
    module, _, name = route.handler.partition(":")
    if not all(part.isidentifier() for part in module.split(".")):
        yield Finding(key, f"{module!r} is no name of a module", 'write "module:name"')
        return
    spec = find_module(module, folder)
    if spec is None:
        yield Finding(
            key,
            f"there is no module {module}, neither in {folder} nor where Python looks",
            f"write it to {folder / module.replace('.', '/')}.py" + _near(module, folder),
        )
        return
    if not spec.has_location or not str(spec.origin).endswith(".py"):
        return
    file = Path(str(spec.origin))
    if closed := barrier(account, file, os.R_OK):
        yield Finding(key, f"{account.name} may not read {closed}", f"chmod o+r {closed}")
        return
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None) or 1
        yield Finding(key, f"{file}:{line}: {getattr(error, 'msg', error)}", "mend the module")
        return
    names = _names(tree)
    if name and name not in names and "*" not in names:
        yield Finding(
            key,
            f"{file.name} has no {name}",
            did_you_mean(name, sorted(names)) or f"write it in {file}",
        )


def find_module(name: str, folder: Path) -> ModuleSpec | None:
    """Return where a module is, beside the file or where Python looks; None when it is nowhere.

    Unlike importlib.util.find_spec it imports no package on the way.
    """
    top, *below = name.split(".")
    spec = PathFinder.find_spec(top, [str(folder)])
    if spec is None:
        try:
            spec = importlib.util.find_spec(top)
        except ValueError:
            return None
    for depth, _ in enumerate(below, 2):
        folders = spec.submodule_search_locations if spec else None
        if folders is None:
            return None
        spec = PathFinder.find_spec(".".join(name.split(".")[:depth]), list(folders))
    return spec


def _names(tree: ast.Module) -> set[str]:
    """Return what a module may define, at the least; "*" stands for what another one does."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
    return names


def _check_asked_models(
    route: RouteSection, key: Key, models: set[str] | None
) -> Iterator[Finding]:
    if models is None:
        return
    asked = [("model", route.model)] if route.model else []
    asked += [("needs", name) for name in route.needs or ()]
    for field, name in asked:
        if name not in models:
            known = sorted(models)
            yield Finding(
                (*key, field),
                f"no model {name} is served here",
                did_you_mean(str(name), known) or f"served are {', '.join(known) or 'none'}",
            )


def _near(module: str, folder: Path) -> str:
    hint = did_you_mean(module, (file.stem for file in folder.glob("*.py")))
    return f"; {hint}" if hint else ""
