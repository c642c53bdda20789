"""`--grpc_channel_arguments`: what gRPC's own library is told, as far as it has a meaning here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from slipway.errors import ConfigError

_LONGEST_S = 86400.0
"""What stands for no limit of time: the largest that `Limits` has."""
_LARGEST_BYTES = 2**31 - 1
"""What stands for no limit of size: Protobuf's own."""


def _count(value: int) -> float:
    return value


def _bytes(value: int) -> float:
    return _LARGEST_BYTES if value < 0 else value


def _seconds(milliseconds: int) -> float:
    return min(milliseconds / 1000, _LONGEST_S)


LIMITS: Final[Mapping[str, tuple[str, Callable[[int], float]]]] = {
    "grpc.keepalive_time_ms": ("keepalive_time_s", _seconds),
    "grpc.keepalive_timeout_ms": ("keepalive_timeout_s", _seconds),
    "grpc.max_concurrent_streams": ("max_concurrent_streams", _count),
    "grpc.max_connection_idle_ms": ("idle_timeout_s", _seconds),
    "grpc.max_metadata_size": ("max_header_bytes", _count),
    "grpc.max_receive_message_length": ("max_message_bytes", _bytes),
}
"""The argument for a field of `Limits`, and how its number is read."""


@dataclass(frozen=True, slots=True)
class ChannelArguments:
    """The arguments of one flag."""

    limits: Mapping[str, float]
    """By field of `Limits`."""
    unused: tuple[str, ...]
    """Names of those that mean nothing here."""


def parse_channel_arguments(text: str) -> ChannelArguments:
    """Read `name=value,name=value`; of a name that comes twice the last counts.

    Raises ConfigError.
    """
    limits: dict[str, float] = {}
    unused: dict[str, None] = {}
    for entry in text.split(",") if text else ():
        name, equals, value = entry.partition("=")
        if not name or not equals:
            raise ConfigError(
                f"--grpc_channel_arguments has {entry!r}; it must be name=value,name=value"
            )
        if name not in LIMITS:
            unused[name] = None
            continue
        field, read = LIMITS[name]
        try:
            limits[field] = read(int(value))
        except ValueError as error:
            raise ConfigError(
                f"--grpc_channel_arguments: {name} is {value!r}; it must be a number"
            ) from error
    return ChannelArguments(limits, tuple(unused))
