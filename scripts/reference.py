"""Print docs/reference/slipway-toml.md, from the declarations of the keys.

python scripts/reference.py > docs/reference/slipway-toml.md
"""

import json
from collections.abc import Iterator
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from slipway.config import project

INTRODUCTION = """\
# slipway.toml

What the file of a project may say. Everything has a default, save for what is marked as required;
the smallest file names a model or a handler. [The stack](../guides/stack.md) and [the
gateway](../guides/gateway.md) tell what it is for. A mistake is named with its line before anything
starts. This page is printed by `scripts/reference.py`.
"""
SECTIONS: dict[str, type[BaseModel]] = {
    "[[models]]": project.ModelSection,
    "[server]": project.ServerSection,
    "[gateway]": project.GatewaySection,
    "[[gateway.routes]]": project.RouteSection,
    "[proxy]": project.ProxySection,
    "[[proxy.gateways]], [[proxy.servers]]": project.ProxyTargetSection,
    "[stack]": project.StackSection,
}
NAMES = {str: "string", int: "integer", float: "number", bool: "boolean", Any: "value"}


def page() -> Iterator[str]:
    """Yield the lines of the page."""
    yield INTRODUCTION.rstrip()
    for heading, section in SECTIONS.items():
        yield f"\n## {heading}\n\n{(section.__doc__ or '').strip()}\n"
        yield "| key | type | default | meaning |"
        yield "|---|---|---|---|"
        for name, field in section.model_fields.items():
            if not is_section(field.annotation):
                kind, default = kind_of(field.annotation), default_of(field)
                yield f"| `{name}` | {kind} | {default} | {field.description} |"


def is_section(hint: Any) -> bool:
    """Return whether a key is a list of sections, which have a table of their own."""
    inner = get_args(hint)[0] if get_origin(hint) is list else hint
    return isinstance(inner, type) and issubclass(inner, BaseModel)


def default_of(field: FieldInfo) -> str:
    """Return what a key has when it is not there; its description says so for None."""
    if field.is_required():
        return "required"
    # What is simple looks in TOML as it does in JSON.
    return "" if field.default is None else f"`{json.dumps(field.default)}`"


def kind_of(hint: Any) -> str:
    """Return the type of a key in words."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return kind_of(inner[0])
    if origin in (Union, UnionType):
        return " or ".join(dict.fromkeys(kind_of(kind) for kind in inner if kind is not type(None)))
    if origin is Literal:
        return " or ".join(f"`{json.dumps(value)}`" for value in inner)
    if origin is list:
        return f"list of {kind_of(inner[0])}s"
    if origin is dict:
        return f"table of {kind_of(inner[1]).replace(' or ', 's or ')}s"
    return NAMES[hint]


if __name__ == "__main__":
    print("\n".join(page()))
