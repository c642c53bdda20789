"""What the gateway says of its routes, by the rules of OpenAPI 3.1 and as the routes are."""

import json
import re
from collections.abc import Callable, Iterator
from enum import Enum
from math import nan
from typing import Annotated, Any, Literal

import pytest
from flask import Flask, Response
from flask.testing import FlaskClient
from pydantic import BaseModel, Field

from slipway.examples.saliency import Saliency
from slipway.examples.sentiment import EncodedSentence, Sentence, Words
from slipway.gateway import (
    Base64,
    Body,
    Content,
    Form,
    GatewayConfig,
    Handler,
    Header,
    Image,
    InputLimits,
    Json,
    Predict,
    Query,
    Upload,
    create_blueprint,
    handler,
)
from slipway.gateway.openapi import describe
from slipway.gateway.problems import INPUT_STATUS, MODEL_STATUS
from slipway.gateway.route import Route
from slipway.testing import FakeModels

Ask = Callable[..., FlaskClient]

PLACES = {"query", "header", "path", "cookie"}
TYPES = {"array", "boolean", "integer", "null", "number", "object", "string"}


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Point(BaseModel):
    x: int
    y: int = 0


class Path(BaseModel):
    """A way through points."""

    points: list[Point]
    colour: Colour | None = None


@handler("/x", methods=("GET", "POST", "DELETE"))
def everything(
    predict: Predict,
    text: str,
    number: Annotated[float, Field(ge=0, description="How many.")] = 0.5,
    kind: Literal["a", "b"] = "a",
    colour: Colour = Colour.RED,
    names: list[str] | None = None,
    table: list[list[float]] | None = None,
    point: Point | None = None,
    secret: Annotated[str, Base64()] = "",
    photo: Image | None = None,
    data: bytes = b"",
    infinite: float = nan,
    top: Annotated[int, Query()] = 1,
    user: Annotated[str, Header("X-User")] = "",
    tags: Annotated[list[str] | None, Header()] = None,
    accept: Annotated[str, Header()] = "",
) -> dict[str, Any]:
    """Take everything.

    In every place.
    """
    return {}


def body_of(hint: Any) -> Handler:
    def function(predict: Predict, x: Any) -> Any: ...

    function.__annotations__["x"] = hint
    return handler("/body")(function)


def answering(hint: Any) -> Handler:
    def function(predict: Predict) -> Any: ...

    function.__annotations__["return"] = hint
    return handler("/answer")(function)


def document(*handlers: Handler) -> dict[str, Any]:
    return describe([Route(each) for each in handlers], "", InputLimits())


def operation(handler: Handler, method: str = "post") -> Any:
    [operations] = document(handler)["paths"].values()
    return operations[method]


def everything_there_is() -> dict[str, Any]:
    @handler("/of/<user>/<int:number>/<path:rest>", methods=("GET", "PUT"))
    def in_path(predict: Predict, user: str, number: Annotated[int, Field(gt=0)]) -> Any: ...

    @handler("/of-path", methods=("GET", "POST"))
    def like_path(predict: Predict, path: Annotated[Path, Body()]) -> list[Path]:
        return []

    @handler("/of/path", methods=("POST",))
    def like_path_too(predict: Predict, path: list[Path]) -> None: ...

    return document(
        Words(), Sentence(), EncodedSentence(), Saliency(), everything, in_path, like_path,
        like_path_too,
    )  # fmt: skip


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def schemas(value: Any) -> Iterator[Any]:
    """Yield the schemas that a document has where OpenAPI wants one."""
    if isinstance(value, dict):
        for name, child in value.items():
            if name == "schema":
                yield child
            yield from schemas(child)
    elif isinstance(value, list):
        for child in value:
            yield from schemas(child)


def assert_is_schema(schema: Any) -> None:
    """Follow JSON Schema's own rules for what pydantic and we write."""
    if isinstance(schema, bool):
        return
    assert isinstance(schema, dict)
    assert schema.get("type", "string") in TYPES
    for name in ("properties", "$defs"):
        for child in schema.get(name, {}).values():
            assert_is_schema(child)
    for name in ("anyOf", "oneOf", "allOf", "prefixItems"):
        assert schema.get(name, [{}])
        for child in schema.get(name, []):
            assert_is_schema(child)
    for name in ("items", "additionalProperties", "contentSchema"):
        assert_is_schema(schema.get(name, True))
    assert set(schema.get("required", [])) <= set(schema.get("properties", {}))
    for name in ("contentEncoding", "contentMediaType", "description", "format", "$ref"):
        assert isinstance(schema.get(name, ""), str)


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        value = list(value.values())
    if isinstance(value, list):
        for child in value:
            yield from references(child)


def test_it_is_openapi_in_plain_json() -> None:
    found = everything_there_is()
    assert found["openapi"].startswith("3.1.")
    assert found["info"].keys() == {"title", "version"}
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_ids_of_operations_are_unique() -> None:
    found = [operation["operationId"] for _, _, operation in operations(everything_there_is())]
    assert len(set(found)) == len(found)
    assert {"get_lstm_predict", "post_lstm_predict", "post_of_path"} < set(found)


def test_every_reference_leads_somewhere() -> None:
    found = everything_there_is()
    wanted = set(references(found))
    assert "#/components/schemas/Point" in wanted
    for reference in wanted:
        place = found
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]


def test_parameters_are_in_their_place_once() -> None:
    for path, _, operation in operations(everything_there_is()):
        parameters = operation.get("parameters", [])
        places = [(each["in"], each["name"]) for each in parameters]
        assert len(set(places)) == len(places)
        assert {place for place, _ in places} <= PLACES
        in_path = [name for place, name in places if place == "path"]
        assert sorted(in_path) == sorted(re.findall(r"{(\w+)}", path))
        for each in parameters:
            assert each["in"] != "path" or each["required"]
            assert ("schema" in each) != ("content" in each)


def test_every_schema_is_one() -> None:
    found = everything_there_is()
    named = found["components"]["schemas"].values()
    checked = [*schemas(found), *named]
    assert len(checked) > 50
    for schema in checked:
        assert_is_schema(schema)


def test_every_status_of_a_failure_is_there_in_one_form() -> None:
    found = everything_there_is()
    statuses = {*INPUT_STATUS.values(), 500, *(status for status, _ in MODEL_STATUS.values())}
    assert set(found["components"]["responses"]) == set(map(str, statuses))
    for _, _, operation in operations(found):
        assert set(operation["responses"]) == {"200", *map(str, statuses)}
    schema = found["components"]["responses"]["400"]["content"]["application/json"]["schema"]
    assert schema["required"] == ["status", "error"]


def test_the_docstring_is_told() -> None:
    found = operation(everything)
    assert (found["summary"], found["description"]) == ("Take everything.", "In every place.")


def test_what_a_handler_inherits_from_ours_is_not_told() -> None:
    class Undocumented(Handler):
        route = "/undocumented"

        def preprocess(self) -> Any: ...

    assert "summary" not in operation(Undocumented())
    assert "summary" not in operation(body_of(str))


def test_a_get_takes_the_query_as_text() -> None:
    found = {each["name"]: each for each in operation(everything, "get")["parameters"]}
    assert found["text"] == {
        "name": "text", "in": "query", "required": True, "schema": {"type": "string"},
    }  # fmt: skip
    assert found["number"]["description"] == "How many."
    assert found["number"]["schema"]["default"] == 0.5
    assert found["number"]["schema"]["minimum"] == 0
    assert found["kind"]["schema"]["enum"] == ["a", "b"]
    assert found["colour"]["schema"]["default"] == "red"
    assert found["names"]["schema"] == {"type": "array", "items": {"type": "string"}}
    table = {"type": "array", "items": {"type": "array", "items": {"type": "number"}}}
    assert found["table"]["content"] == {"application/json": {"schema": table}}
    assert found["point"]["content"]["application/json"]["schema"] == {
        "$ref": "#/components/schemas/Point"
    }
    assert found["secret"]["schema"]["contentEncoding"] == "base64url"
    assert found["secret"]["schema"]["contentMediaType"] == "text/plain"
    assert found["photo"]["schema"]["contentMediaType"] == "image/*"
    assert found["photo"]["schema"]["maxLength"] == InputLimits().max_url_file_bytes
    assert found["data"]["schema"]["contentEncoding"] == "base64url"
    assert "default" not in found["infinite"]["schema"]
    assert found["X-User"]["in"] == "header"
    assert "content" in found["tags"]
    assert "accept" not in found
    assert "requestBody" not in operation(everything, "delete")


def test_a_post_takes_json_or_a_form() -> None:
    found = operation(everything)
    assert [each["name"] for each in found["parameters"]] == ["top", "X-User", "tags"]
    assert found["requestBody"]["required"] is True
    content = found["requestBody"]["content"]
    assert list(content) == ["application/json", "multipart/form-data"]
    members = content["application/json"]["schema"]
    assert members["required"] == ["text"]
    assert members["properties"]["photo"]["contentEncoding"] == "base64"
    assert members["properties"]["names"]["anyOf"][1] == {"type": "null"}
    form = content["multipart/form-data"]
    assert form["schema"]["properties"]["photo"] == {"type": "string", "format": "binary"}
    assert form["schema"]["properties"]["data"] == {"type": "string", "format": "binary"}
    assert form["schema"]["properties"]["table"]["contentMediaType"] == "application/json"
    assert form["encoding"] == {"photo": {"contentType": "image/*"}}


@pytest.mark.parametrize(
    ("hint", "media_types"),
    [
        (str, ["application/json", "multipart/form-data"]),
        (Annotated[str, Json()], ["application/json"]),
        (Annotated[str, Form()], ["multipart/form-data", "application/x-www-form-urlencoded"]),
        (Annotated[str, Body()], ["text/plain"]),
        (Annotated[bytes, Body()], ["application/octet-stream"]),
        (Annotated[Upload, Body()], ["application/octet-stream"]),
        (Annotated[Image, Body()], ["image/*"]),
        (Annotated[Point, Body()], ["application/json"]),
        (Annotated[dict[str, int], Body()], ["application/json"]),
    ],
)
def test_a_body_has_the_types_that_are_read(hint: Any, media_types: list[str]) -> None:
    body = operation(body_of(hint))["requestBody"]
    assert list(body["content"]) == media_types
    assert body["required"] is True


@pytest.mark.parametrize(
    ("hint", "media_types"),
    [
        (dict[str, Any], ["application/json"]),
        (list[Point], ["application/json"]),
        (float | None, ["application/json"]),
        (Image, ["image/png"]),
        (dict[str, Any] | Image, ["application/json", "image/png"]),
        (Any, None),
        (Content, None),
        (Response, None),
        (dict[str, Any] | Content, None),
        (dict[str, Any] | Any, None),
        (Predict, None),
        (Callable[[int], int], None),
    ],
)
def test_an_answer_is_told_as_far_as_it_is_known(hint: Any, media_types: Any) -> None:
    answer = operation(answering(hint))["responses"]["200"]
    assert answer["description"]
    assert (list(answer["content"]) if "content" in answer else None) == media_types


def test_an_input_without_a_schema_may_be_anything() -> None:
    found = operation(body_of(Annotated[Callable[[int], int], Body()]))
    assert found["requestBody"]["content"] == {"application/json": {"schema": {}}}


def test_models_of_one_name_stay_apart() -> None:
    class Other:
        class Point(BaseModel):
            z: str

    @handler("/a")
    def one(predict: Predict, x: Point) -> Any: ...

    def two(predict: Predict, x: Any) -> Any: ...

    two.__annotations__["x"] = Other.Point
    found = document(one, handler("/b")(two))
    named = [set(schema["properties"]) for schema in found["components"]["schemas"].values()]
    assert sorted(map(sorted, named)) == [["x", "y"], ["z"]]


def test_the_gateway_answers_with_it(ask: Ask) -> None:
    answer = ask(everything).get("/openapi.json")
    assert answer.content_type == "application/json"
    assert answer.json
    assert list(answer.json["paths"]) == ["/x"]
    assert answer.json["servers"] == [{"url": "/"}]


def test_the_prefix_of_a_blueprint_and_of_a_server_are_in_it(tmp_path: Any) -> None:
    app = Flask("own")
    config = GatewayConfig([everything], run_folder=tmp_path)
    app.register_blueprint(create_blueprint(config, models=FakeModels({})), url_prefix="/models")
    root = {"SCRIPT_NAME": "/ö".encode().decode("latin-1")}
    answer = app.test_client().get("/models/openapi.json", environ_overrides=root)
    assert answer.json
    assert answer.json["servers"] == [{"url": "/%C3%B6/models"}]


def test_it_is_for_this_machine_alone(ask: Ask) -> None:
    environ = {"REMOTE_ADDR": "10.0.0.7"}
    assert ask(everything).get("/openapi.json", environ_overrides=environ).status_code == 403
    opened = ask(everything, open_pages=True)
    assert opened.get("/openapi.json", environ_overrides=environ).status_code == 200
