"""What routes take and answer, as an OpenAPI 3.1 document."""

import inspect
import json
import re
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from importlib.metadata import version
from operator import or_
from typing import Any, Final, Union, get_args, get_origin, get_type_hints

import pydantic_core
from pydantic import PydanticUserError, TypeAdapter
from werkzeug.wrappers import Response

from slipway.gateway.answers import JSON, Content
from slipway.gateway.handler import FunctionHandler, Handler
from slipway.gateway.inputs import (
    Body,
    Form,
    Header,
    Image,
    Json,
    Parameter,
    Place,
    Query,
    is_own_handle,
)
from slipway.gateway.problems import INPUT_STATUS, MODEL_STATUS
from slipway.gateway.reading import BODYLESS
from slipway.gateway.route import Route
from slipway.gateway.values import InputLimits

Schema = dict[str, Any]

_METHODS: Final = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_VARIABLE: Final = re.compile(r"<(?:[^<>]*:)?([^<>:]+)>")
_RESERVED_HEADERS: Final = ("accept", "authorization", "content-type")
"""OpenAPI has other places for these, and ignores them among the parameters."""
_OBJECT_TYPES: Final = ("array", "object")
_FORM: Final = "application/x-www-form-urlencoded"
_MULTIPART: Final = "multipart/form-data"
_BINARY: Final[Schema] = {"type": "string", "format": "binary"}
_PROBLEM: Final[Schema] = {
    "type": "object",
    "properties": {
        "status": {"const": -1},
        "error": {"type": "string", "description": "What is wrong, and what would be right."},
    },
    "required": ["status", "error"],
}


def describe(routes: Sequence[Route], prefix: str, limits: InputLimits) -> dict[str, Any]:
    """Return the document of routes that begin with `prefix`, such as `/models`."""
    schemas = _Schemas(routes)
    problems = _problems(limits)
    paths: dict[str, dict[str, Any]] = {}
    identities: set[str] = set()
    for number, route in enumerate(routes):
        path = _VARIABLE.sub(r"{\1}", route.handler.route)
        for method in map(str.lower, route.handler.methods):
            operations = paths.setdefault(path, {})
            # Routes that differ in the types of their variables alone are one to OpenAPI.
            if method not in _METHODS or method in operations:
                continue
            identity = re.sub(r"\W+", "_", f"{method}{path}").rstrip("_")
            while identity in identities:
                identity += "_"
            identities.add(identity)
            operation = _Operation(number, route, method, schemas, limits)
            operations[method] = {
                **_texts(route.handler),
                "operationId": identity,
                **operation.inputs(),
                "responses": {
                    "200": operation.answer(),
                    **{name: {"$ref": f"#/components/responses/{name}"} for name in problems},
                },
            }
    return {
        "openapi": "3.1.0",
        "info": {"title": "Slipway gateway", "version": version("slipway")},
        "servers": [{"url": prefix or "/"}],
        "paths": paths,
        "components": {"schemas": schemas.named, "responses": problems},
    }


class _Schemas:
    """The schemas of all inputs and answers. Models in them have one name each, and are shared."""

    def __init__(self, routes: Sequence[Route]) -> None:
        wanted: dict[tuple[int, str], TypeAdapter[Any]] = {}
        self.answers: dict[int, list[str]] = {}
        """The media types that a route is known to answer with, by its number."""
        for number, route in enumerate(routes):
            for name, parameter in route.parameters.items():
                if parameter.adapter and _has_schema(parameter.adapter):
                    wanted[number, name] = parameter.adapter
            self.answers[number], json_adapter = _answers(route.handler)
            if json_adapter:
                wanted[number, ""] = json_adapter
        found, definitions = TypeAdapter.json_schemas(
            [(key, "validation", adapter) for key, adapter in wanted.items()],
            ref_template="#/components/schemas/{model}",
        )
        self.named: dict[str, Schema] = definitions.get("$defs", {})
        self._found: dict[Any, Schema] = {key: schema for (key, _), schema in found.items()}

    def of(self, number: int, name: str = "") -> Schema:
        """Return the schema of an input of a route, or of its answer."""
        return self._found.get((number, name), {})


@dataclass(frozen=True, slots=True)
class _Operation:
    """One method of one route."""

    number: int
    route: Route
    method: str
    schemas: _Schemas
    limits: InputLimits

    def inputs(self) -> dict[str, Any]:
        """Return the parameters and the body, where there are any."""
        variables = _VARIABLE.findall(self.route.handler.route)
        parameters = [self._variable(name) for name in variables]
        in_body: dict[str, Parameter] = {}
        for name, parameter in self.route.parameters.items():
            if name in variables:
                continue
            match self._place(parameter):
                case Query():
                    parameters.append(self._outside("query", name, parameter))
                case Header():
                    if parameter.header.lower() not in _RESERVED_HEADERS:
                        parameters.append(self._outside("header", parameter.header, parameter))
                case _:
                    in_body[name] = parameter
        found: dict[str, Any] = {}
        if parameters:
            found["parameters"] = parameters
        if in_body:
            found["requestBody"] = self._body(in_body)
        return found

    def answer(self) -> dict[str, Any]:
        """Return what is known of the answer."""
        content: dict[str, Any] = {}
        for media_type in self.schemas.answers[self.number]:
            content[media_type] = (
                {"schema": self.schemas.of(self.number)} if media_type == JSON else {}
            )
        answer: dict[str, Any] = {"description": "What the handler answers."}
        return {**answer, "content": content} if content else answer

    def _place(self, parameter: Parameter) -> Place | None:
        """Return where a parameter is; None for a field of a form or a member of the JSON."""
        if parameter.place is None and self.method.upper() in BODYLESS:
            return Query()
        return parameter.place

    def _variable(self, name: str) -> dict[str, Any]:
        """Return a part of the path, which need not be a parameter of the handler."""
        parameter = self.route.parameters.get(name)
        if parameter:
            return {**self._outside("path", name, parameter), "required": True}
        return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}

    def _outside(self, where: str, name: str, parameter: Parameter) -> dict[str, Any]:
        """Return a parameter in the query, the path or a header."""
        value = self.schemas.of(self.number, parameter.name)
        found: dict[str, Any] = {"name": name, "in": where}
        if "description" in value:
            found["description"] = value["description"]
        if parameter.is_required:
            found["required"] = True
        is_in_url = where != "header"
        schema = self._text(parameter, encoding="base64url" if is_in_url else "base64")
        if is_in_url and parameter.kind != "value":
            schema["maxLength"] = self.limits.max_url_file_bytes
        is_encoded = "contentEncoding" in schema
        # In a query, and there alone, each value of a list may come by itself.
        if (
            parameter.is_container
            and not is_encoded
            and not (where == "query" and schema.get("type") == "array")
        ):
            return {**found, "content": {JSON: {"schema": _without_null(value)}}}
        return {**found, "schema": schema}

    def _body(self, parameters: Mapping[str, Parameter]) -> dict[str, Any]:
        content: dict[str, Any] = {}
        whole = [each for each in parameters.values() if isinstance(each.place, Body)]
        if whole:
            content = self._whole(whole[0])
            is_required = whole[0].is_required
        else:
            members = {name: each for name, each in parameters.items() if each.place != Form()}
            in_json_alone = [each for each in members.values() if each.place == Json()]
            in_form_alone = [each for each in parameters.values() if each.place == Form()]
            if members and not any(each.is_required for each in in_form_alone):
                content[JSON] = {"schema": self._object(members, self._member)}
            if not in_json_alone:
                content[_MULTIPART] = self._form(parameters)
            if not members:
                content[_FORM] = self._form(parameters)
            is_required = any(each.is_required for each in parameters.values())
        body: dict[str, Any] = {"content": content}
        return {**body, "required": True} if is_required else body

    def _whole(self, parameter: Parameter) -> dict[str, Any]:
        """Return the content of a body that is one parameter."""
        if parameter.kind != "value":
            return {_media_type(parameter): {}}
        value = self.schemas.of(self.number, parameter.name)
        if parameter.adapter and parameter.adapter.core_schema["type"] == "str":
            return {"text/plain": {"schema": value}}
        return {JSON: {"schema": value}}

    def _form(self, parameters: Mapping[str, Parameter]) -> dict[str, Any]:
        form: dict[str, Any] = {"schema": self._object(parameters, self._field)}
        if encoding := {
            name: {"contentType": "image/*"}
            for name, each in parameters.items()
            if each.kind == "image"
        }:
            form["encoding"] = encoding
        return form

    def _object(self, parameters: Mapping[str, Parameter], schema: Any) -> Schema:
        found: Schema = {
            "type": "object",
            "properties": {name: schema(each) for name, each in parameters.items()},
        }
        required = [name for name, each in parameters.items() if each.is_required]
        return {**found, "required": required} if required else found

    def _member(self, parameter: Parameter) -> Schema:
        """Return the schema of a member of the JSON."""
        if parameter.kind != "value" or parameter.is_base64:
            return self._text(parameter, encoding="base64")
        return _with_default(self.schemas.of(self.number, parameter.name), parameter)

    def _field(self, parameter: Parameter) -> Schema:
        """Return the schema of a field or file of a form."""
        if parameter.kind != "value":
            return dict(_BINARY)
        return self._text(parameter, encoding="base64")

    def _text(self, parameter: Parameter, *, encoding: str) -> Schema:
        """Return the schema of a value that comes as text."""
        value = self.schemas.of(self.number, parameter.name)
        described: Schema = {key: value[key] for key in ("description", "examples") if key in value}
        if parameter.kind != "value" or parameter.is_base64:
            text: Schema = {
                "type": "string",
                "contentEncoding": encoding,
                "contentMediaType": _media_type(parameter),
            }
            if parameter.kind == "value":
                text["contentSchema"] = _without_null(value)
            return {**described, **text}
        value = _without_null(value)
        if parameter.is_container and not _is_list_of_texts(value):
            text = {"type": "string", "contentMediaType": JSON, "contentSchema": value}
            return {**described, **text}
        return _with_default(value, parameter)


def _texts(handler: Handler) -> dict[str, str]:
    """Return the first line of a handler's own docstring, and the rest."""
    text = vars(handler).get("__doc__")
    for kind in type(handler).__mro__:
        if text or kind in (Handler, FunctionHandler):
            break
        text = kind.__doc__
    summary, _, description = inspect.cleandoc(text or "").partition("\n")
    texts = {"summary": summary.strip(), "description": description.strip()}
    return {name: text for name, text in texts.items() if text}


def _answers(handler: Handler) -> tuple[list[str], TypeAdapter[Any] | None]:
    """Return the media types that a handler says it answers with, and the type of its JSON.

    Nothing where one of its types is not known, so that what is said is never wrong.
    """
    function = handler.handle if is_own_handle(handler) else handler.postprocess
    hint = get_type_hints(function).get("return", Any)
    members = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    plain = [member for member in members if member is not Image]
    media_types = ["image/png"] if Image in members else []
    if not plain:
        return media_types, None
    if any(each is Any or _is_content(each) for each in plain):
        return [], None
    try:
        adapter = TypeAdapter(reduce(or_, plain))
    except PydanticUserError:
        return [], None
    return ([JSON, *media_types], adapter) if _has_schema(adapter) else ([], None)


def _is_content(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, Content | Response)


def _has_schema(adapter: TypeAdapter[Any]) -> bool:
    try:
        adapter.json_schema()
    except PydanticUserError:
        return False
    return True


def _media_type(parameter: Parameter) -> str:
    """Return what the bytes of a parameter are, when it comes as bytes."""
    if parameter.kind == "value":
        return JSON if parameter.is_container else "text/plain"
    return "image/*" if parameter.kind == "image" else "application/octet-stream"


def _with_default(schema: Schema, parameter: Parameter) -> Schema:
    """Return a schema with the default, where JSON has it."""
    if parameter.is_required or parameter.default is None:
        return schema
    try:
        default = pydantic_core.to_jsonable_python(parameter.default)
        json.dumps(default, allow_nan=False)
    except ValueError:
        return schema
    return {**schema, "default": default}


def _without_null(schema: Schema) -> Schema:
    """Return the schema of a value that text can say: text has no null."""
    kinds = [kind for kind in schema.get("anyOf", []) if kind != {"type": "null"}]
    if len(kinds) != 1:
        return {**schema, "anyOf": kinds} if kinds else schema
    return {**kinds[0], **{name: value for name, value in schema.items() if name != "anyOf"}}


def _is_list_of_texts(schema: Schema) -> bool:
    """Return whether a list holds what single texts can say."""
    items = schema.get("items")
    kind = items.get("type") if isinstance(items, dict) else None
    return schema.get("type") == "array" and kind is not None and kind not in _OBJECT_TYPES


def _problems(limits: InputLimits) -> dict[str, Any]:
    """Return the responses of failures by status, in the one form that they have."""
    texts = {
        400: "The request has not what the route takes.",
        413: f"The body has more than {limits.max_body_bytes} bytes, or a picture more than "
        f"{limits.max_image_pixels} pixels.",
        414: f"The query has more than {limits.max_query_bytes} bytes: send it by POST.",
        415: "A picture has a format that is not taken.",
        500: "The request failed here. The log has it under the id in X-Request-ID.",
        503: "The model does not answer now: try again.",
        504: "The model did not answer in time.",
    }
    statuses = {500, *INPUT_STATUS.values(), *(status for status, _ in MODEL_STATUS.values())}
    return {
        str(status): {"description": texts[status], "content": {JSON: {"schema": _PROBLEM}}}
        for status in sorted(statuses)
    }
