"""A configuration and its text form, there and back."""

from pathlib import Path

import pytest

from slipway.config.models import read_models
from slipway.config.schema import ModelConfig
from slipway.config.text import write_models
from slipway.dataplane.native import parse_text
from slipway.lifecycle.version_policy import All, Latest, Specific

LOGGING = {
    "log_collector_config": {"type": "x", "filename_prefix": "/tmp/y"},
    "sampling_config": {"sampling_rate": 0.25},
}


@pytest.mark.parametrize(
    "model",
    [
        ModelConfig("m", Path("/models/m")),
        ModelConfig('quo"te\\ line\nbreak \x00 tab\t 好 ü', Path("/models/my model")),
        ModelConfig("m", Path("/m"), All()),
        ModelConfig("m", Path("/m"), Latest(3)),
        ModelConfig("m", Path("/m"), Specific(frozenset({3, -1, 2**62}))),
        ModelConfig("m", Path("/m"), Specific(frozenset())),
        ModelConfig("m", Path("/m"), labels={"stable": 1, "nice try": 2, "": 3}),
        ModelConfig("m", Path("/m"), logging=LOGGING),
    ],
    ids=str,
)
def test_a_model_comes_back_as_it_was(model: ModelConfig) -> None:
    config = parse_text("tensorflow.serving.ModelServerConfig", write_models([model]))
    assert read_models(config, None) == (model,)


def test_the_text_is_one_that_people_read() -> None:
    models = [
        ModelConfig("b", Path("/b"), Specific(frozenset({2, 1})), {"stable": 1}),
        ModelConfig("a", Path("/a")),
    ]
    assert write_models(models) == (
        """\
model_config_list {
  config {
    name: "a"
    base_path: "/a"
    model_platform: "tensorflow"
  }
  config {
    name: "b"
    base_path: "/b"
    model_platform: "tensorflow"
    model_version_policy {
      specific { versions: 1 versions: 2 }
    }
    version_labels { key: "stable" value: 1 }
  }
}
"""
    )


def test_no_model_has_a_text_too() -> None:
    assert write_models([]) == "model_config_list {}\n"
