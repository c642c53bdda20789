from dataclasses import asdict, fields
from pathlib import Path

import pytest

from slipway.config.load import load_serve_config
from slipway.config.options import ServeOptions
from slipway.config.schema import ModelConfig
from slipway.dataplane.base import Limits, LoadOptions
from slipway.errors import ConfigError


def test_flags_name_the_model_and_rest_is_off() -> None:
    config = load_serve_config(ServeOptions(model_base_path="/m"), {})
    assert config.models == (ModelConfig("default", Path("/m")),)
    assert (config.plane.grpc_port, config.plane.rest_port) == (8500, None)
    assert config.plane.host == "127.0.0.1"


@pytest.mark.parametrize(
    ("environ", "name", "base_path"),
    [
        ({"MODEL_NAME": "lstm"}, "lstm", "/models/lstm"),
        ({"MODEL_BASE_PATH": "/srv"}, "model", "/srv/model"),
        ({"MODEL_NAME": "lstm", "MODEL_BASE_PATH": "/srv"}, "lstm", "/srv/lstm"),
    ],
)
def test_the_environment_means_what_it_means_to_the_docker_image(
    environ: dict[str, str], name: str, base_path: str
) -> None:
    config = load_serve_config(ServeOptions(), environ)
    assert config.models == (ModelConfig(name, Path(base_path)),)
    assert (config.plane.grpc_port, config.plane.rest_port) == (8500, 8501)


def test_flags_win_over_the_environment() -> None:
    options = ServeOptions(model_name="a", model_base_path="/a", rest_api_port=9000)
    config = load_serve_config(options, {"MODEL_NAME": "b", "MODEL_BASE_PATH": "/b"})
    assert config.models == (ModelConfig("a", Path("/a")),)
    assert config.plane.rest_port == 9000
    config = load_serve_config(ServeOptions(rest_api_port=0), {"MODEL_NAME": "b"})
    assert config.plane.rest_port is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "No model to serve. Name its folder with --model_base_path"),
        ({"model_name": "a"}, "No model to serve"),
        ({"model_base_path": "m"}, r"absolute path or URI; got base_path\(\)=m\. Try /"),
        (
            {"model_base_path": "/m", "port": 0},
            "At least one of server_options.grpc_port or server_options.grpc_socket_path must be",
        ),
        ({"model_base_path": "/m", "port": 9, "rest_api_port": 9}, "both 9"),
        ({"model_base_path": "/m", "host": "nowhere"}, "--host is 'nowhere'"),
    ],
)
def test_what_cannot_be_served_is_said(options: dict[str, object], message: str) -> None:
    parsed = ServeOptions.model_validate(options)
    with pytest.raises(ConfigError, match=message):
        load_serve_config(parsed, {})


def test_every_limit_has_a_flag_and_its_default() -> None:
    assert load_serve_config(ServeOptions(model_base_path="/m"), {}).plane.limits == Limits()
    given = {field.name: 9999 for field in fields(Limits)} | {"max_json_depth": 9}
    options = ServeOptions.model_validate({"model_base_path": "/m", **given})
    assert asdict(load_serve_config(options, {}).plane.limits) == given


def load_options(**given: object) -> LoadOptions:
    options = ServeOptions.model_validate({"model_base_path": "/m", **given})
    return load_serve_config(options, {}).plane.load_options


def test_versions_are_loaded_as_a_plane_loads_them_without_flags() -> None:
    assert load_options() == LoadOptions()


def test_tags_are_a_list_with_commas() -> None:
    assert load_options(saved_model_tags="serve,gpu").tags == ("serve", "gpu")


@pytest.mark.parametrize(("given", "fraction"), [(0, None), (0.3, 0.3), (1, 1.0)])
def test_a_share_of_no_gpu_memory_leaves_it_to_tensorflow(
    given: float, fraction: float | None
) -> None:
    options = load_options(per_process_gpu_memory_fraction=given)
    assert options.gpu_memory_fraction == fraction


@pytest.mark.parametrize(
    ("both", "intra", "inter", "threads"),
    [
        (0, 0, 0, (None, None)),
        (3, 0, 0, (3, 3)),
        (0, 1, 2, (1, 2)),
        (0, 1, 0, (1, None)),
        (3, 0, 2, (None, 2)),
    ],
)
def test_threads_are_given_together_or_one_by_one(
    both: int, intra: int, inter: int, threads: tuple[int | None, int | None]
) -> None:
    options = load_options(
        tensorflow_session_parallelism=both,
        tensorflow_intra_op_parallelism=intra,
        tensorflow_inter_op_parallelism=inter,
    )
    assert (options.intra_op_threads, options.inter_op_threads) == threads


def test_threads_are_not_given_in_both_ways() -> None:
    with pytest.raises(
        ConfigError, match=r"Either configure server_options\.tensorflow_session_parallelism or "
    ):
        load_options(
            tensorflow_session_parallelism=1,
            tensorflow_intra_op_parallelism=1,
            tensorflow_inter_op_parallelism=1,
        )


@pytest.mark.parametrize(("given", "iterations"), [(-1, 1), (0, 1), (1, 1), (5, 5)])
def test_a_warm_up_request_is_run_at_least_once(given: int, iterations: int) -> None:
    options = load_options(num_request_iterations_for_warmup=given)
    assert options.warm_up_iterations == iterations


def test_either_warm_up_can_be_turned_off() -> None:
    assert not load_options(enable_model_warmup=False).warm_up
    options = load_options(enable_generated_warmup=False)
    assert (options.warm_up, options.generated_warm_up) == (True, False)


def test_method_names_are_checked_on_demand() -> None:
    assert load_options(enable_signature_method_name_check=True).check_method_names
    assert not load_options().check_method_names


def test_the_executor_is_measured_unless_it_is_pinned() -> None:
    assert load_options(executor="auto").executor is None
    assert load_options(executor="single_threaded").executor == "single_threaded"


def test_the_host_may_be_called_localhost() -> None:
    config = load_serve_config(ServeOptions(model_base_path="/m", host="localhost"), {})
    assert config.plane.host == "127.0.0.1"


def test_neither_port_is_not_one_port_for_both() -> None:
    options = ServeOptions(model_base_path="/m", port=0, rest_api_port=0, grpc_socket_path="/run/s")
    plane = load_serve_config(options, {}).plane
    assert (plane.grpc_port, plane.rest_port) == (None, None)


def test_a_unix_socket_may_stand_in_for_the_port() -> None:
    options = ServeOptions(model_base_path="/m", port=0, grpc_socket_path="/run/s")
    plane = load_serve_config(options, {}).plane
    assert (plane.grpc_port, plane.grpc_socket_path) == (None, Path("/run/s"))
    assert load_serve_config(ServeOptions(model_base_path="/m"), {}).plane.grpc_socket_path is None


def test_a_reload_from_elsewhere_has_to_be_allowed() -> None:
    options = ServeOptions(model_base_path="/m", allow_remote_reload=True)
    assert load_serve_config(options, {}).plane.allow_remote_reload
    assert not load_serve_config(ServeOptions(model_base_path="/m"), {}).plane.allow_remote_reload


@pytest.mark.parametrize(("milliseconds", "seconds"), [(1500, 1.5), (0, None), (-1, None)])
def test_a_rest_request_has_the_time_that_is_given(
    milliseconds: int, seconds: float | None
) -> None:
    options = ServeOptions(model_base_path="/m", rest_api_timeout_in_ms=milliseconds)
    assert load_serve_config(options, {}).plane.rest_timeout_s == seconds
    assert load_serve_config(ServeOptions(model_base_path="/m"), {}).plane.rest_timeout_s == 30


@pytest.mark.parametrize(
    ("flags", "threads"),
    [
        ({}, None),
        ({"grpc_max_threads": 3}, 3),
        ({"grpc_max_threads": 3, "rest_api_port": 9}, None),
        ({"rest_api_num_threads": 1, "rest_api_port": 9}, None),
        ({"rest_api_num_threads": 1, "rest_api_port": 9, "port": 0}, 1),
        ({"grpc_max_threads": 3, "rest_api_num_threads": 1, "rest_api_port": 9}, 4),
    ],
)
def test_the_one_pool_has_the_threads_of_both_where_each_that_is_on_has_some(
    flags: dict[str, int], threads: int | None
) -> None:
    options = ServeOptions.model_validate({"model_base_path": "/m", **flags})
    assert load_serve_config(options, {}).plane.run_threads == threads
