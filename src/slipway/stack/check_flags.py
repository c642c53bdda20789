"""Whether the model server takes the flags that a project hands to it."""

from collections.abc import Iterator
from typing import Final

from pydantic import ValidationError

from slipway.config.hints import did_you_mean
from slipway.config.ignored import IGNORED, REFUSED
from slipway.config.load import load_serve_config
from slipway.config.options import ServeOptions
from slipway.config.project import ServerSection
from slipway.config.project_file import Key
from slipway.errors import ConfigError
from slipway.stack.finding import Finding

_OWN: Final = {
    "host": "set host in [server]",
    "port": "set port in [server]",
    "rest_api_port": "set rest_api_port in [server]",
    "model_config_file": "set model_config_file in [server]",
    "per_process_gpu_memory_fraction": "set gpu_memory_fraction in [server]",
    "model_name": "list the model as [[models]]",
    "model_base_path": "list the model as [[models]]",
}
"""What the stack sets itself, and where it is set instead."""

_TLS: Final = ("ssl_config_file", "rest_api_ssl_config_file")


def check_flags(section: ServerSection) -> Iterator[Finding]:
    """Yield what slipway serve would refuse of `[server.flags]`, or take without effect."""
    flags = {name: _text(value) for name, value in section.flags.items()}
    known = [name for name in ServeOptions.model_fields if name != "foreign_flags"]
    sound: dict[str, str] = {}
    for name, value in flags.items():
        key: Key = ("server", "flags", name)
        if name in _OWN:
            yield Finding(key, "the stack sets this flag itself", _OWN[name])
        elif name in _TLS:
            remedy = "have nginx speak it: tls_certificate and tls_key in [proxy]"
            yield Finding(key, "the stack asks its own model servers without TLS", remedy)
        elif name in IGNORED:
            reason = IGNORED[name]
            yield Finding(key, f"without effect here: {reason}", "take it out", is_error=False)
        elif name in REFUSED:
            yield Finding(key, REFUSED[name], "take it out")
        elif name not in known:
            remedy = did_you_mean(name, known) or "slipway serve --help lists all"
            yield Finding(key, "slipway serve has no such flag", remedy)
        elif wrong := _wrong(name, value):
            yield Finding(key, wrong, "slipway serve --help says what it takes")
        else:
            sound[name] = value
    yield from _check_together(sound, section)


def _check_together(flags: dict[str, str], section: ServerSection) -> Iterator[Finding]:
    """Yield what is wrong with flags of which each is right."""
    if "grpc_socket_path" in flags and section.replicas > 1:
        yield Finding(
            ("server", "flags", "grpc_socket_path"),
            f"{section.replicas} model servers would take this one socket from each other",
            "set replicas in [server] to 1, or leave the socket out",
        )
    # Any folder will do: which models there are is checked elsewhere.
    options = {"host": section.host, "model_base_path": flags.get("model_root", "/"), **flags}
    try:
        load_serve_config(ServeOptions.model_validate(options), {})
    except ConfigError as error:
        is_host = str(error).startswith("--host")
        yield Finding(
            ("server", "host") if is_host else ("server", "flags"),
            str(error),
            "take an address of this machine" if is_host else "slipway serve --help says more",
        )


def _wrong(name: str, value: str) -> str | None:
    try:
        ServeOptions.model_validate({name: value})
    except ValidationError as error:
        message = error.errors()[0]["msg"]
        return f"{message[:1].lower()}{message[1:]}; found {value!r}"
    return None


def _text(value: object) -> str:
    """Return a value as it stands on the command line."""
    return str(value).lower() if isinstance(value, bool) else str(value)
