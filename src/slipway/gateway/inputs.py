"""What a route takes, as the type hints of its handler say it.

A parameter comes from the query of a GET or DELETE, and else from the body: from the fields and
files of a multipart form, or from the members of a JSON object, whatever the Content-Type says,
because the clients that are around send none or the wrong one. What the route names in angle
brackets, as Flask writes them, comes from the path. A marker names another place:

    def preprocess(
        self,
        line: str,                                      # as above
        user: Annotated[str, Header("X-User")] = "",    # optional: it has a default
        top: Annotated[int, Query()] = 1,
        photo: Image,                                   # an upload, or base64 in JSON or the URL
        review: Annotated[Review, Body()],              # all of the JSON, as a pydantic model
        log: Annotated[bytes, Body()],                  # the body as it came
    )
"""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin, get_type_hints

from PIL import Image as PillowImage
from pydantic import BaseModel, ConfigDict, FailFast, PydanticUserError, TypeAdapter

from slipway.errors import ConfigError
from slipway.gateway.handler import Handler

Image = PillowImage.Image
"""Type of a parameter that is a picture: upright, RGB."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A file of a multipart form, as it came."""

    filename: str
    """What the client calls it. Never a path to open."""
    content_type: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Query:
    """In the query of the URL."""


@dataclass(frozen=True, slots=True)
class Form:
    """A field of a form, multipart or URL-encoded."""


@dataclass(frozen=True, slots=True)
class Json:
    """A member of the JSON object in the body."""


@dataclass(frozen=True, slots=True)
class Body:
    """The whole body: raw for `bytes`, as text for `str`, and else as JSON."""


@dataclass(frozen=True, slots=True)
class Header:
    """A header: by default named like the parameter, with hyphens."""

    name: str = ""


@dataclass(frozen=True, slots=True)
class Base64:
    """The text is the URL-safe base64 of UTF-8; the handler gets what it stands for."""


Place = Query | Form | Json | Body | Header
_PLACES: Final = (Query, Form, Json, Body, Header)
Kind = Literal["value", "image", "upload", "bytes"]
_KINDS: Final[Mapping[Any, Kind]] = {Image: "image", Upload: "upload", bytes: "bytes"}
_PLAIN: Final = (bool, int, float, str, list, dict, type(None), Any)
REQUIRED: Final = inspect.Parameter.empty


@dataclass(frozen=True, slots=True)
class Parameter:
    """One thing that a route takes."""

    name: str
    kind: Kind
    place: Place | None
    """None for the usual one: the query, the form or the JSON."""
    default: Any
    """REQUIRED when it has none."""
    is_base64: bool
    is_text: bool
    """Whether it is a `str`, which a whole body may be as it came."""
    is_container: bool
    """Whether it holds other values, so that text must be JSON or come several times."""
    is_plain: bool
    """Whether JSON has the type itself, so that it can be checked as it was parsed."""
    adapter: TypeAdapter[Any] | None
    """None for kinds that are no values."""

    @property
    def is_required(self) -> bool:
        return self.default is REQUIRED

    @property
    def header(self) -> str:
        """The header it comes from, if it comes from one."""
        name = self.place.name if isinstance(self.place, Header) else ""
        return name or self.name.replace("_", "-")


def is_own_handle(handler: Handler) -> bool:
    """Return whether a handler has a `handle` of its own, in place of the two halves."""
    return "handle" in vars(handler) or type(handler).handle is not Handler.handle


def parameters_of(handler: Handler) -> tuple[dict[str, Parameter], frozenset[str], frozenset[str]]:
    """Return what a handler takes by name, and which of it preprocess and postprocess get.

    For a handler with a `handle` of its own the first are what that gets. Raises ConfigError for a
    parameter without a type, or with two.
    """
    if is_own_handle(handler):
        taken = _parameters(handler, handler.handle)
        return taken, frozenset(taken), frozenset()
    before = _parameters(handler, handler.preprocess, skip=0)
    after = _parameters(handler, handler.postprocess)
    for name in before.keys() & after.keys():
        if _shape(before[name]) != _shape(after[name]):
            raise ConfigError(
                f"{handler!r}: preprocess and postprocess have different types for {name}"
            )
    return {**after, **before}, frozenset(before), frozenset(after)


def _parameters(handler: Handler, function: Any, skip: int = 1) -> dict[str, Parameter]:
    """Return the parameters of a bound function after the first `skip` of them."""
    hints = get_type_hints(function, include_extras=True)
    found = list(inspect.signature(function).parameters.values())[skip:]
    named = [p for p in found if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    parameters = {}
    for parameter in named:
        if parameter.name not in hints:
            raise ConfigError(
                f"{handler!r}: {function.__name__} must say the type of {parameter.name}, "
                f"such as {parameter.name}: str"
            )
        if parameter.kind is parameter.POSITIONAL_ONLY:
            raise ConfigError(
                f"{handler!r}: {function.__name__} must take {parameter.name} by name"
            )
        try:
            parameters[parameter.name] = _parameter(
                parameter.name, hints[parameter.name], parameter.default
            )
        except PydanticUserError as error:
            raise ConfigError(
                f"{handler!r}: {function.__name__} cannot take {parameter.name}: {error.message}"
            ) from error
    return parameters


def _parameter(name: str, hint: Any, default: Any) -> Parameter:
    core, metadata = _unwrapped(hint)
    places = [marker for marker in map(_instance, metadata) if isinstance(marker, _PLACES)]
    if len(places) > 1:
        raise ConfigError(f"{name} cannot come from two places")
    kind = _KINDS.get(core, "value")
    return Parameter(
        name=name,
        kind=kind,
        place=places[0] if places else None,
        default=default,
        is_base64=any(isinstance(_instance(marker), Base64) for marker in metadata),
        is_text=core is str,
        is_container=_is_container(core),
        is_plain=_is_plain(hint),
        adapter=_adapter(hint) if kind == "value" else None,
    )


def _instance(marker: Any) -> Any:
    """Return what `Annotated[str, Header]` means, which is `Header()`."""
    return marker() if marker in (*_PLACES, Base64) else marker


def _unwrapped(hint: Any) -> tuple[Any, Sequence[Any]]:
    """Return a type without Annotated and `| None`, and what it was annotated with."""
    metadata: list[Any] = []
    while True:
        if get_origin(hint) is Annotated:
            hint, *more = get_args(hint)
            metadata += more
            continue
        if get_origin(hint) in (Union, UnionType):
            kinds = [kind for kind in get_args(hint) if kind is not type(None)]
            if len(kinds) == 1:
                hint = kinds[0]
                continue
        return hint, metadata


def _is_container(core: Any) -> bool:
    origin = get_origin(core) or core
    if not isinstance(origin, type):
        return False
    return issubclass(origin, BaseModel) or (
        issubclass(origin, Sequence | Mapping | set | frozenset)
        and not issubclass(origin, str | bytes)
    )


def _is_plain(hint: Any) -> bool:
    core, _ = _unwrapped(hint)
    origin = get_origin(core) or core
    if origin is Literal:
        return True
    if origin in (Union, UnionType):
        return all(map(_is_plain, get_args(core)))
    return origin in _PLAIN and all(map(_is_plain, get_args(core)))


def _adapter(hint: Any) -> TypeAdapter[Any]:
    hint = _failing_fast(hint)
    try:
        return TypeAdapter(hint, config=ConfigDict(allow_inf_nan=False))
    except PydanticUserError as error:
        # A model has a configuration of its own.
        if error.code != "type-adapter-config-unused":
            raise
        return TypeAdapter(hint)


class _FirstMistake(FailFast):
    """pydantic's marker, which may be a part of a union too."""

    def __hash__(self) -> int:
        return hash(type(self))


def _failing_fast(hint: Any) -> Any:
    """Return a type whose lists are refused at their first mistake: a body may hold millions."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return Annotated[(_failing_fast(inner[0]), *hint.__metadata__)]
    if origin in (Union, UnionType):
        return Union[tuple(map(_failing_fast, inner))]  # noqa: UP007
    if origin in (list, set, frozenset):
        return Annotated[origin[tuple(map(_failing_fast, inner))], _FirstMistake()]
    return hint


def _shape(parameter: Parameter) -> tuple[Any, ...]:
    schema = parameter.adapter and parameter.adapter.core_schema
    return (parameter.kind, parameter.place, parameter.is_base64, repr(schema))
