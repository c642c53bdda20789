import pytest
from click.testing import CliRunner
from pydantic import BaseModel, Field

from slipway.cli.options import options_command


class Options(BaseModel):
    port: int = Field(8500, ge=0, le=65535, description="Where to listen.")
    name: str | None = Field(None, description="What it is called.")
    loud: bool = Field(False, description="Whether it makes noise.")
    warm: bool = Field(True, description="Whether it is warm.")
    foreign_flags: dict[str, str] = {}


seen: list[Options] = []


@options_command(Options, foreign=["mixed_precision", "xla"])
def command(options: Options) -> None:
    """Do it."""
    seen.append(options)


@pytest.mark.parametrize("arguments", [["--port=7"], ["--port", "7"], ["--port=6", "--port=7"]])
def test_a_flag_is_its_field_and_the_last_one_counts(arguments: list[str]) -> None:
    assert CliRunner().invoke(command, arguments).exit_code == 0
    assert seen.pop() == Options(port=7)


def test_flags_that_are_not_given_count_as_unset() -> None:
    assert CliRunner().invoke(command, ["--port=8500"]).exit_code == 0
    assert seen.pop().model_fields_set == {"port", "foreign_flags"}


@pytest.mark.parametrize(
    ("arguments", "flags"),
    [
        ([], {}),
        (["--mixed_precision"], {"mixed_precision": "true"}),
        (["--mixed_precision", "--port=1"], {"mixed_precision": "true"}),
        (["--mixed_precision=FALSE", "--xla=4"], {"mixed_precision": "FALSE", "xla": "4"}),
        (["--mixed_precision=", "--xla=4", "--xla=5", "--"], {"mixed_precision": "", "xla": "5"}),
    ],
)
def test_a_foreign_flag_takes_any_value_or_none(
    arguments: list[str], flags: dict[str, str]
) -> None:
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 0, result.output
    assert seen.pop().foreign_flags == flags


def test_foreign_flags_are_not_in_the_help() -> None:
    text = CliRunner().invoke(command, ["--help"]).output
    assert "mixed_precision" not in text
    assert "foreign" not in text


@pytest.mark.parametrize(
    ("arguments", "loud"),
    [
        ([], False),
        (["--loud"], True),
        (["--loud", "--port=7"], True),
        (["--loud=true"], True),
        (["--loud=TRUE"], True),
        (["--loud=1"], True),
        (["--loud=0"], False),
        (["--loud=False"], False),
        (["--loud", "--loud=false"], False),
    ],
)
def test_a_bool_is_a_name_alone_or_a_truth_value(arguments: list[str], loud: bool) -> None:
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 0, result.output
    assert seen.pop().loud is loud


def test_a_bool_may_be_true_unless_it_is_denied() -> None:
    for arguments, warm in [([], True), (["--warm=false"], False)]:
        assert CliRunner().invoke(command, arguments).exit_code == 0
        assert seen.pop().warm is warm


def test_help_comes_from_the_fields() -> None:
    text = CliRunner().invoke(command, ["--help"]).output
    assert "--port INTEGER" in text
    assert "Where to listen.  [default: 8500]" in text
    assert "--warm [true|false|1|0]" in text
    assert "Whether it is warm.  [default: true]" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--port=99999"], "--port is 99999: input should be less than or equal to 65535"),
        (["--port=x"], "Invalid value for '--port': 'x' is not a valid integer"),
        (["--port"], "Option '--port' requires an argument."),
        (["--loud=maybe"], "Invalid value for '--loud': 'maybe' is not one of 'true', 'false'"),
        (["--loud="], "Invalid value for '--loud': '' is not one of 'true', 'false'"),
        (["--prot=1"], "No such option '--prot'. Did you mean '--port'?"),
        (["--mixed_precison"], "Did you mean '--mixed_precision'?"),
        (["-port=1"], "No such option '-p'"),
        (["--", "--port=1"], "unexpected extra argument"),
    ],
)
def test_a_mistake_names_the_flag(arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code != 0
    assert message in result.output
