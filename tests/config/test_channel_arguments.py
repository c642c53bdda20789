import pytest

from slipway.config.channel_arguments import LIMITS, ChannelArguments, parse_channel_arguments
from slipway.config.load import load_serve_config
from slipway.config.options import ServeOptions
from slipway.dataplane.base import Limits
from slipway.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "limits", "unused"),
    [
        ("", {}, ()),
        ("grpc.max_concurrent_streams=9", {"max_concurrent_streams": 9}, ()),
        ("grpc.max_receive_message_length=-1", {"max_message_bytes": 2**31 - 1}, ()),
        ("grpc.max_receive_message_length=5", {"max_message_bytes": 5}, ()),
        ("grpc.max_metadata_size=16384", {"max_header_bytes": 16384}, ()),
        ("grpc.max_connection_idle_ms=2147483647", {"idle_timeout_s": 86400}, ()),
        (
            "grpc.keepalive_time_ms=1500,grpc.keepalive_timeout_ms=250",
            {"keepalive_time_s": 1.5, "keepalive_timeout_s": 0.25},
            (),
        ),
        (
            "a=b,grpc.max_concurrent_streams=1,a=c,d=,grpc.max_concurrent_streams=2",
            {"max_concurrent_streams": 2},
            ("a", "d"),
        ),
        ("a=b=c", {}, ("a",)),
    ],
)
def test_arguments_with_a_meaning_become_limits(
    text: str, limits: dict[str, float], unused: tuple[str, ...]
) -> None:
    assert parse_channel_arguments(text) == ChannelArguments(limits, unused)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a", "has 'a'; it must be name=value"),
        ("a=1,", "has ''; it must be name=value"),
        ("=1", "has '=1'; it must be name=value"),
        ("grpc.max_metadata_size=x", "grpc.max_metadata_size is 'x'; it must be a number"),
    ],
)
def test_a_malformed_text_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_channel_arguments(text)


def test_every_argument_names_a_limit() -> None:
    assert all(hasattr(Limits(), field) for field, _ in LIMITS.values())


def test_a_flag_wins_over_an_argument() -> None:
    arguments = "grpc.max_concurrent_streams=9,grpc.max_receive_message_length=77"
    options = ServeOptions(
        model_base_path="/m", grpc_channel_arguments=arguments, max_concurrent_streams=1024
    )
    limits = load_serve_config(options, {}).plane.limits
    assert (limits.max_concurrent_streams, limits.max_message_bytes) == (1024, 77)


def test_an_argument_keeps_to_the_bounds_of_its_flag() -> None:
    arguments = "grpc.max_metadata_size=1"
    options = ServeOptions(model_base_path="/m", grpc_channel_arguments=arguments)
    with pytest.raises(ConfigError, match=r"sets max_header_bytes to 1: .*greater than or equal"):
        load_serve_config(options, {})
