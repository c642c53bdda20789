"""Where in a slipway.toml things are."""

from pathlib import Path

import pytest

from slipway.config.project_file import Key, key_name, line_of, mistakes_of

TEXT = """\
# A comment.

[[models]]
name = "a"

[models.labels]
stable = 1

[[models]]
name = "b"
labels = { stable = 1 }

[server.flags]
max_json_depth = 3

[gateway]
port = 5000
gunicorn.timeout = 3

[[gateway.routes]]
handler = "one"
needs = [
    "a",
]
"""


@pytest.mark.parametrize(
    ("key", "line"),
    [
        ((), 1),
        (("proxy", "port"), 1),
        (("models",), 3),
        (("models", 0, "name"), 4),
        (("models", 0, "labels", "stable"), 7),
        (("models", 0, "base_path"), 3),
        (("models", 1, "name"), 10),
        (("models", 1, "labels", "stable"), 11),
        (("server",), 13),
        (("server", "flags", "max_json_depth"), 14),
        (("gateway", "port"), 17),
        (("gateway", "gunicorn", "timeout"), 18),
        (("gateway", "workers"), 16),
        (("gateway", "routes"), 20),
        (("gateway", "routes", 0, "needs", 0), 22),
    ],
)
def test_a_key_is_at_its_line_or_at_that_of_what_is_around_it(
    tmp_path: Path, key: Key, line: int
) -> None:
    path = tmp_path / "slipway.toml"
    path.write_text(TEXT)
    assert line_of(path, key) == line, key_name(key)


def test_all_mistakes_are_told_each_once(tmp_path: Path) -> None:
    path = tmp_path / "slipway.toml"
    path.write_text(
        '[server]\nport = "1"\n[[models]]\nname = "a"\nbase_path = "a"\nversions = 1.5\n'
    )
    first, second = sorted(mistakes_of(path))
    assert first.startswith(f"{path}:2: server.port: ")
    assert second.startswith(f"{path}:6: models[0].versions: ")
    path.write_text('[server]\n# An end that is missing.\n[proxy]\nhost = """')
    (mistake,) = mistakes_of(path)
    assert mistake.startswith(f"{path}:4: ")


def test_a_file_that_is_not_there_is_one_mistake(tmp_path: Path) -> None:
    (mistake,) = mistakes_of(tmp_path / "slipway.toml")
    assert "make one with slipway init" in mistake
