"""Whether the models of a project can be served."""

import os
from collections.abc import Iterator
from pathlib import Path

from slipway.config.hints import nearest
from slipway.config.models import check_platforms, models_of_file
from slipway.config.project import ServerSection
from slipway.config.project_file import Key
from slipway.config.project_models import model_of_section
from slipway.config.schema import ModelConfig
from slipway.dataplane.native import incomplete_reason
from slipway.errors import ConfigError, ServingError
from slipway.lifecycle.version_policy import Specific
from slipway.sources.directory import file_sizes, version_number
from slipway.stack.access import Account, barrier
from slipway.stack.finding import Finding
from slipway.stack.plan import Plan

_CONFIG_FILE: Key = ("server", "model_config_file")
_FREE_LABELS = "allow_version_labels_for_unavailable_models"


def check_models(plan: Plan, account: Account) -> Iterator[Finding]:
    """Yield what is wrong with the models, those of a model_config_file included.

    `account` is the one that is to read them.
    """
    server = plan.project.server
    if plan.project.models and server.model_config_file:
        yield Finding(
            _CONFIG_FILE,
            "there are [[models]] too, and a server takes its models from one place",
            "take one of them out",
        )
    else:
        yield from _check_entries(plan, account)
        yield from _check_file(plan, account)
    yield from _check_gpus(server)


def models_of(plan: Plan) -> list[ModelConfig] | None:
    """Return the models that the model servers of a plan have; None when that is not known."""
    if plan.project.server.model_config_file:
        try:
            return list(models_of_file(plan.models_config))
        except ConfigError:
            return None
    found = (model_of_section(section, plan.file) for section in plan.project.models)
    return [model for model in found if model]


def served_bytes(plan: Plan) -> int:
    """Return the size on disk of all versions that one model server holds."""
    total = 0
    for model in models_of(plan) or ():
        try:
            existing = _numbers(model.base_path)
        except OSError:
            continue
        for number in model.policy.select(existing):
            total += sum(file_sizes(existing[number]).values())
    return total


def _check_entries(plan: Plan, account: Account) -> Iterator[Finding]:
    seen: dict[str, int] = {}
    for index, section in enumerate(plan.project.models):
        key: Key = ("models", index)
        if section.name in seen:
            yield Finding(
                (*key, "name"),
                f"{section.name} is the name of models[{seen[section.name]}] too",
                "give each model a name of its own",
            )
        seen.setdefault(section.name, index)
        if wrong := next((sign for sign in "/: " if sign in section.name), None):
            yield Finding(
                (*key, "name"),
                f"{section.name!r} has {wrong!r} in it, so no URL can name the model",
                "take letters, digits, -, _ and .",
            )
        if "://" in section.base_path:
            yield Finding(
                (*key, "base_path"),
                f"{section.base_path} is a URL, and models are read from local folders",
                "copy the model to this machine, or mount it, and name that folder",
            )
            continue
        model = model_of_section(section, plan.file)
        if model is None:
            yield Finding(
                (*key, "versions"),
                f"{section.versions} asks for no version",
                'take a number from 1, "all", or a list of version numbers',
            )
            continue
        free_labels = bool(plan.project.server.flags.get(_FREE_LABELS))
        yield from _check_folder(model, (*key, "base_path"), account)
        yield from _check_versions(model, key, account, free_labels=free_labels)


def _check_file(plan: Plan, account: Account) -> Iterator[Finding]:
    server = plan.project.server
    if not server.model_config_file:
        return
    path = plan.models_config
    if closed := barrier(account, path, os.R_OK):
        yield _unreadable(_CONFIG_FILE, closed, account)
        return
    if not path.is_file():
        yield Finding(
            _CONFIG_FILE,
            f"{path} is not there" if not path.exists() else f"{path} is no file",
            "write a ModelServerConfig there, or list models as [[models]]",
        )
        return
    root = server.flags.get("model_root")
    try:
        models = models_of_file(path, Path(str(root)) if root else None)
        check_platforms(models, {})
    except (ConfigError, ServingError) as error:
        yield Finding(_CONFIG_FILE, str(error), f"mend {path.name}, and ask slipway doctor again")
        return
    if not models:
        yield Finding(
            _CONFIG_FILE, f"{path} names no model", "add one as model_config_list { config { } }"
        )
    free_labels = bool(server.flags.get(_FREE_LABELS))
    for model in models:
        yield from _check_folder(model, _CONFIG_FILE, account)
        yield from _check_versions(model, _CONFIG_FILE, account, free_labels=free_labels)


def _check_folder(model: ModelConfig, key: Key, account: Account) -> Iterator[Finding]:
    path = model.base_path
    if closed := barrier(account, path, os.F_OK):
        yield _unreadable(key, closed, account)
    elif not path.exists():
        yield Finding(
            key,
            f"{path}, the base path of {model.name}, is not there",
            "name the folder that holds its numbered versions" + _near(path),
        )
    elif not path.is_dir():
        yield Finding(
            key,
            f"{path}, the base path of {model.name}, is no folder",
            "name the folder that holds its numbered versions",
        )
    elif closed := barrier(account, path, os.R_OK | os.X_OK):
        yield _unreadable(key, closed, account)
    elif not _numbers(path):
        if (path / "saved_model.pb").exists():
            fact = f"{path} is a version of {model.name} itself"
            remedy = f"move what is in it to {path / '1'}"
        else:
            fact = f"{path} has no version of {model.name} in it"
            remedy = f"put a SavedModel there, as {path / '1' / 'saved_model.pb'}"
        yield Finding(key, fact, remedy)


def _check_versions(
    model: ModelConfig, key: Key, account: Account, *, free_labels: bool
) -> Iterator[Finding]:
    """Yield what is wrong with the wanted ones of the versions that are there.

    `key` is that of the entry in slipway.toml, or of the file in which the model is.
    """
    path = model.base_path
    try:
        existing = _numbers(path)
    except OSError:
        return
    if not existing or barrier(account, path, os.R_OK | os.X_OK):
        return
    there = ", ".join(map(str, sorted(existing)))
    if isinstance(model.policy, Specific) and (absent := model.policy.absent(existing)):
        yield Finding(
            _field(key, "versions"),
            f"{model.name} has no version {', '.join(map(str, sorted(absent)))} in {path}",
            f"take those that are there: {there}",
        )
    wanted = model.policy.select(existing)
    for label, number in model.labels.items():
        if number not in wanted and not free_labels:
            yield Finding(
                _field(key, "labels"),
                f"{label} labels version {number} of {model.name}, which is not served",
                f"label one that is: {', '.join(map(str, sorted(wanted)))}",
            )
    for number in sorted(wanted):
        yield from _check_version(model, existing[number], _field(key, "base_path"), account)


def _check_version(
    model: ModelConfig, folder: Path, key: Key, account: Account
) -> Iterator[Finding]:
    if closed := barrier(account, folder, os.R_OK | os.X_OK):
        yield _unreadable(key, closed, account)
        return
    for file in (folder / "saved_model.pb", folder / "variables" / "variables.index"):
        if closed := barrier(account, file, os.R_OK):
            yield _unreadable(key, closed, account)
            return
    if reason := incomplete_reason(folder):
        yield Finding(
            key,
            f"{folder} is not complete: {reason}",
            f"copy all of version {folder.name} of {model.name} there, or take the folder away",
        )


def _field(key: Key, name: str) -> Key:
    """Return the key of a field of a model, or of the file in which the model is."""
    return key if key == _CONFIG_FILE else (*key, name)


def _check_gpus(server: ServerSection) -> Iterator[Finding]:
    gpus, fraction = server.gpus, server.gpu_memory_fraction
    if fraction is not None and server.replicas * fraction > 1:
        yield Finding(
            ("server", "gpu_memory_fraction"),
            f"{server.replicas} model servers would take {server.replicas * fraction:.0%} of each "
            "GPU's memory together",
            f"set it to {1 / server.replicas:.2g} or less",
        )
    for gpu in gpus or ():
        if gpu < 0:
            yield Finding(
                ("server", "gpus"),
                f"{gpu} is the number of no GPU",
                "count from 0; leave the list empty for none",
            )
    if gpus and len(set(gpus)) < len(gpus):
        yield Finding(("server", "gpus"), f"{gpus} names a GPU twice", "name each once")


def _numbers(path: Path) -> dict[int, Path]:
    return {
        number: folder
        for folder in sorted(path.iterdir())
        if (number := version_number(folder.name)) is not None and folder.is_dir()
    }


def _unreadable(key: Key, closed: Path, account: Account) -> Finding:
    bits = "rx" if closed.is_dir() else "r"
    return Finding(
        key,
        f"{account.name} may not read {closed}",
        f"allow it: chmod o+{bits} {closed}, or setfacl -m u:{account.name}:{bits} {closed}",
    )


def _near(path: Path) -> str:
    """Return a hint at a folder beside a missing one that is written nearly like it."""
    try:
        names = [entry.name for entry in path.parent.iterdir() if entry.is_dir()]
    except OSError:
        return ""
    near = nearest(path.name, names)
    return f"; did you mean {path.parent / near}?" if near else ""
