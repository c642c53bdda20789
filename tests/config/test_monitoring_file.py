from pathlib import Path

import pytest

from slipway.config.load import load_serve_config
from slipway.config.monitoring_file import read_monitoring_file
from slipway.config.options import ServeOptions
from slipway.errors import ConfigError
from tests.support.metrics import PATH


def written(folder: Path, text: str) -> Path:
    path = folder / "monitoring.config"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "metrics_path"),
    [
        ("prometheus_config { enable: true }", PATH),
        ('prometheus_config: { enable: true path: "" }', PATH),
        ('prometheus_config { enable: true, path: "/metrics" } # here', "/metrics"),
        ('prometheus_config { enable: true path: "/v1/a%20b" }', "/v1/a%20b"),
        ('prometheus_config { enable: true path: "/" }', "/"),
        ('prometheus_config { enable: false path: "/metrics" }', None),
        ('prometheus_config { path: "not even a path" }', None),
        ("prometheus_config {}", None),
        ("", None),
    ],
)
def test_a_file_says_where_metrics_are(tmp_path: Path, text: str, metrics_path: str | None) -> None:
    assert read_monitoring_file(written(tmp_path, text)) == metrics_path


@pytest.mark.parametrize("path", ["metrics", "/a b", "/a?b", "/a#b", "/é", "/%", "/%4x", "//[x]"])
def test_a_path_that_no_request_can_have_is_refused(tmp_path: Path, path: str) -> None:
    file = written(tmp_path, f'prometheus_config {{ enable: true path: "{path}" }}')
    with pytest.raises(ConfigError) as raised:
        read_monitoring_file(file)
    assert f"{file}: prometheus_config has the path {path!r}" in str(raised.value)


def test_what_is_no_monitoring_config_is_said_with_its_place(tmp_path: Path) -> None:
    file = written(tmp_path, "prometheus_config {\n  enable: yes\n}")
    with pytest.raises(ConfigError) as raised:
        read_monitoring_file(file)
    expected = f"Error parsing text-format tensorflow.serving.MonitoringConfig: {file}:2:11: "
    assert str(raised.value).startswith(expected)


def test_a_missing_file_is_named_with_its_flag(tmp_path: Path) -> None:
    missing = str(tmp_path / "missing")
    options = ServeOptions(model_base_path="/m", rest_api_port=8501, monitoring_config_file=missing)
    with pytest.raises(ConfigError, match=r"--monitoring_config_file: .*missing; No such file"):
        load_serve_config(options, {})


def test_the_file_is_read_for_rest_alone(tmp_path: Path) -> None:
    file = written(tmp_path, 'prometheus_config { enable: true path: "/metrics" }')
    options = ServeOptions(model_base_path="/m", monitoring_config_file=str(file))
    assert load_serve_config(options, {}).plane.metrics_path is None
    options = options.model_copy(update={"rest_api_port": 8501})
    assert load_serve_config(options, {}).plane.metrics_path == "/metrics"
    missing = ServeOptions(model_base_path="/m", monitoring_config_file=str(tmp_path / "missing"))
    assert load_serve_config(missing, {}).plane.metrics_path is None
