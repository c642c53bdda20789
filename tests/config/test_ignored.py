import re
from pathlib import Path

import pytest

from slipway.cli.options import FOREIGN_FLAGS
from slipway.config.ignored import (
    IGNORED,
    REFUSED,
    explanation,
    refuse_what_cannot_be_ignored,
)
from slipway.config.options import ServeOptions
from slipway.errors import ConfigError

COMPATIBILITY = Path(__file__).parents[2] / "docs" / "compatibility.md"


def flags_under(*headings: str) -> dict[str, str]:
    """Return the flags in the tables below these headings, with what is said of each."""
    rows: list[tuple[str, str]] = []
    for heading in headings:
        section = COMPATIBILITY.read_text().split(f"### {heading}\n")[1].split("\n#")[0]
        rows += re.findall(r"^\| `--(\w+)` \| (.+) \|$", section, re.MULTILINE)
    assert len(dict(rows)) == len(rows)
    return dict(rows)


def test_the_documentation_lists_each_flag_with_its_reason() -> None:
    assert flags_under("Flags without effect") == IGNORED
    assert flags_under("Flags that are refused") == REFUSED


def test_the_documentation_lists_every_flag_that_has_an_effect() -> None:
    options = ServeOptions.model_fields.keys() - {FOREIGN_FLAGS}
    listed = flags_under("Flags of the original", "Flags of Slipway")
    assert sorted(listed) == sorted([*options, "version"])


def test_a_flag_is_either_an_option_or_ignored_or_refused() -> None:
    assert not IGNORED.keys() & REFUSED.keys()
    assert not (IGNORED.keys() | REFUSED.keys()) & ServeOptions.model_fields.keys()


def test_one_line_names_all_that_has_no_effect_and_says_why() -> None:
    given = {"enable_profiler": "false", "mixed_precision": "bfloat16"}
    assert explanation(given) == (
        "Without effect here: --enable_profiler (there is no profiler service), --mixed_precision "
        "(a graph runs in the precision it was saved with)"
    )
    assert explanation({}) is None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"use_alts_credentials": "true"}, "--use_alts_credentials: there is no ALTS"),
        ({"use_alts_credentials": "1"}, "--use_alts_credentials: there is no ALTS"),
        (
            {"batching_parameters_file": "/b"},
            "server_options.batching_parameters_file is set without setting",
        ),
        (
            {"batching_parameters_file": "/b", "enable_batching": "False"},
            "server_options.batching_parameters_file is set without setting",
        ),
    ],
)
def test_what_must_not_be_ignored_is_refused(given: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        refuse_what_cannot_be_ignored(given)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"use_alts_credentials": "FALSE"},
        {"use_alts_credentials": "0"},
        {"batching_parameters_file": "/b", "enable_batching": "true"},
        {"batching_parameters_file": "", "enable_batching": "0"},
    ],
)
def test_what_asks_for_nothing_is_not_refused(given: dict[str, str]) -> None:
    refuse_what_cannot_be_ignored(given)
