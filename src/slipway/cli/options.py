"""Flags of a command, from the fields of an options model."""

from collections.abc import Callable, Collection
from typing import Any, Literal, TypeVar, get_args, get_origin

import click
from click.core import ParameterSource
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

Options = TypeVar("Options", bound=BaseModel)

FOREIGN_FLAGS = "foreign_flags"
"""The one field that is no flag itself."""


def options_command(
    options: type[Options], *, foreign: Collection[str] = ()
) -> Callable[[Callable[[Options], int | None]], click.Command]:
    """Make a click command of a function that takes one `options` value.

    Each field is a flag of its own name. A bool is `--name`, `--name=true` or `--name=false`, in
    any case, or 1 and 0. A value out of its bounds is a usage error that names the flag. Fields of
    flags that are not on the command line count as unset.

    Flags named in `foreign` take any value or none, and are not in the help. Those on the command
    line are the field `foreign_flags`, with their values.
    """

    def decorate(function: Callable[[Options], int | None]) -> click.Command:
        def callback(**values: Any) -> int | None:
            source = click.get_current_context().get_parameter_source
            given = {
                name: value
                for name, value in values.items()
                if source(name) is not ParameterSource.DEFAULT
            }
            if foreign:
                flags = {name: given.pop(name) for name in list(given) if name in foreign}
                given[FOREIGN_FLAGS] = flags
            try:
                parsed = options(**given)
            except ValidationError as error:
                first = error.errors()[0]
                flag = f"--{first['loc'][0]}"
                raise click.UsageError(
                    f"{flag} is {first['input']!r}: {first['msg'].lower()}"
                ) from error
            return function(parsed)

        return click.Command(
            function.__name__.replace("_", "-"),
            callback=callback,
            help=function.__doc__,
            params=[
                *(
                    _flag(name, field)
                    for name, field in options.model_fields.items()
                    if name != FOREIGN_FLAGS
                ),
                *(_foreign_flag(name) for name in foreign),
            ],
        )

    return decorate


def _flag(name: str, field: FieldInfo) -> click.Option:
    if get_origin(field.annotation) is Literal:
        return click.Option(
            [f"--{name}"],
            type=click.Choice(get_args(field.annotation)),
            default=field.default,
            show_default=True,
            help=field.description,
        )
    kind = next(kind for kind in _kinds(field.annotation) if kind is not type(None))
    if kind is bool:
        return click.Option(
            [f"--{name}"],
            type=click.Choice(["true", "false", "1", "0"], case_sensitive=False),
            is_flag=False,
            flag_value="true",
            default=str(field.default).lower(),
            show_default=True,
            help=field.description,
        )
    return click.Option(
        [f"--{name}"],
        type=kind,
        default=field.default,
        show_default=field.default is not None,
        help=field.description,
    )


def _foreign_flag(name: str) -> click.Option:
    return click.Option([f"--{name}"], is_flag=False, flag_value="true", hidden=True)


def _kinds(annotation: Any) -> tuple[Any, ...]:
    """Return the plain types in `int | None` or `Annotated[int, ...] | None`."""
    parts = get_args(annotation)
    return tuple(kind for part in parts for kind in _kinds(part)) if parts else (annotation,)
