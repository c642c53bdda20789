"""From `slipway.toml` to handlers."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from slipway.errors import ConfigError
from slipway.gateway.project import load_gateway

HANDLERS = '''
from slipway.gateway import Handler, Predict, handler
from other_handlers_of_test import Foreign

class One(Handler):
    """First."""
    route = "/one"
    model = "one"

class Base(Handler):
    """Has no route, and is none."""

@handler("/two")
def two(predict: Predict, x: float) -> float:
    return x

number = 3
'''
OTHER = """
from slipway.gateway import Handler

class Foreign(Handler):
    route = "/foreign"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "handlers_of_test.py").write_text(HANDLERS)
    (tmp_path / "other_handlers_of_test.py").write_text(OTHER)
    before = list(sys.path)
    yield tmp_path
    sys.path[:] = before
    for name in ("handlers_of_test", "other_handlers_of_test", "broken_of_test"):
        sys.modules.pop(name, None)


def write(folder: Path, text: str) -> Path:
    path = folder / "slipway.toml"
    path.write_text(text)
    return path


def entry(handler: str, *lines: str) -> str:
    return "\n".join(["[[gateway.routes]]", f'handler = "{handler}"', *lines, ""])


def test_a_module_stands_for_all_handlers_that_it_defines(folder: Path) -> None:
    config = load_gateway(write(folder, entry("handlers_of_test")))
    assert [handler.route for handler in config.handlers] == ["/one", "/two"]


def test_one_handler_may_serve_several_routes_with_other_models(folder: Path) -> None:
    text = entry("handlers_of_test:One", 'model = "lstm"', 'label = "stable"') + entry(
        "handlers_of_test:One", 'route = "/canary"', 'methods = ["GET"]', "timeout_s = 2.5"
    )
    first, second = load_gateway(write(folder, text)).handlers
    assert (first.route, first.model, first.label, first.timeout_s) == (
        "/one",
        "lstm",
        "stable",
        None,
    )
    assert (second.route, second.model, second.methods) == ("/canary", "one", ["GET"])
    assert second.timeout_s == 2.5


def test_a_function_may_serve_several_routes(folder: Path) -> None:
    text = entry("handlers_of_test:two") + entry("handlers_of_test:two", 'route = "/three"')
    config = load_gateway(write(folder, text))
    assert [handler.route for handler in config.handlers] == ["/two", "/three"]


def test_everything_has_a_default(folder: Path) -> None:
    config = load_gateway(write(folder, ""))
    assert config.handlers == []
    assert list(config.upstreams) == ["127.0.0.1:8500"]
    assert (config.timeout_s, config.open_pages) == (10.0, False)
    assert config.run_folder == folder / "run" / "handlers"


def test_settings_reach_the_gateway(folder: Path) -> None:
    text = """
    [gateway]
    upstreams = ["127.0.0.1:1", "unix:/tmp/x"]
    timeout_s = 3
    max_body_bytes = 1000
    max_image_pixels = 99
    open_pages = true
    [stack]
    run_folder = "elsewhere"
    """
    config = load_gateway(write(folder, text))
    assert list(config.upstreams) == ["127.0.0.1:1", "unix:/tmp/x"]
    assert (config.timeout_s, config.open_pages) == (3.0, True)
    assert (config.limits.max_body_bytes, config.limits.max_image_pixels) == (1000, 99)
    assert config.run_folder == folder / "elsewhere" / "handlers"


MISTAKES = [
    ("[gateway", "Expected ']'"),
    ("gateway = 3", "gateway: input should be a valid dictionary"),
    ("[gatewya]", "unknown key gatewya; did you mean gateway?"),
    ("[gateway]\nport = '80'", "gateway.port: input should be a valid integer; found '80'"),
    ("[gateway]\nport = 70000", "gateway.port: input should be less than or equal to 65535"),
    ("[gateway]\nupstream = ['a:1']", "unknown key gateway.upstream; did you mean upstreams?"),
    ("[gateway]\nupstreams = []", "gateway.upstreams: list should have at least 1 item"),
    ("[gateway]\ntimeout_s = 0", "gateway.timeout_s: input should be greater than 0"),
    ("[gateway]\ntimeout_s = inf", "gateway.timeout_s: input should be a finite number"),
    ("[[gateway.routes]]", "gateway.routes[0].handler: field required"),
    (entry("handlers_of_test", "modle = 'x'"),
     "unknown key gateway.routes[0].modle; did you mean model?"),
    (entry("handlers_of_tset"), "there is no module handlers_of_tset"),
    (entry("handlers_of_test:Three"), "has no Three; handlers in it are One, two"),
    (entry("handlers_of_test:number"), "handlers_of_test:number is no handler"),
    (entry("handlers_of_test", 'route = "/x"'), "the route /x is for one handler"),
    (entry("json"), "json has no handlers"),
    (entry("..x"), "'..x' is no name of a module"),
    (entry(""), "gateway.routes[0].handler: string should have at least 1 character"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), MISTAKES)
def test_a_mistake_is_named_with_its_file_and_key(folder: Path, text: str, message: str) -> None:
    path = write(folder, text)
    with pytest.raises(ConfigError) as caught:
        load_gateway(path)
    assert str(caught.value).startswith(f"{path}:")
    assert message in str(caught.value)


def test_a_module_of_another_project_is_not_taken_for_this_one_s(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    load_gateway(write(folder, entry("handlers_of_test:two")))
    other = tmp_path_factory.mktemp("other")
    (other / "handlers_of_test.py").write_text(HANDLERS)
    with pytest.raises(ConfigError, match=r"handlers_of_test is beside the file, and .* imported"):
        load_gateway(write(other, entry("handlers_of_test:two")))


def test_a_file_that_is_not_there_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"is not there: .* make one with slipway init"):
        load_gateway(tmp_path / "slipway.toml")


def test_a_mistake_in_the_module_of_a_handler_is_its_own(folder: Path) -> None:
    (folder / "broken_of_test.py").write_text("import no_such_module_of_test")
    with pytest.raises(ModuleNotFoundError, match="no_such_module_of_test"):
        load_gateway(write(folder, entry("broken_of_test")))
