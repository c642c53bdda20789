"""What a route takes, and what it says to what it does not take."""

import base64
import io
import json
from collections.abc import Callable
from typing import Annotated, Any, Literal

import numpy as np
import pytest
from flask.testing import FlaskClient
from PIL import Image as PillowImage
from pydantic import BaseModel, Field

from slipway.gateway import (
    Base64,
    Body,
    Form,
    Handler,
    Header,
    Image,
    InputLimits,
    Json,
    Predict,
    Query,
    Upload,
    handler,
)

Ask = Callable[..., FlaskClient]


def echo(hint: Any, **default: Any) -> Handler:
    """A handler that answers with its only input `x`, of a type."""

    def function(predict: Predict, x: Any) -> Any:
        return x

    function.__annotations__["x"] = hint
    function.__kwdefaults__ = None
    if default:
        function.__defaults__ = (default["default"],)
    return handler("/echo", methods=("GET", "POST"))(function)


def encoded(text: str | bytes) -> str:
    return base64.urlsafe_b64encode(text.encode() if isinstance(text, str) else text).decode()


class Point(BaseModel):
    x: int
    y: int = 0


FROM_QUERY = [
    (str, "x=好", "好"),
    (str, "x=%E5%A5%BD", "好"),
    (str, "x=", ""),
    (str, "x=a+b", "a b"),
    (int, "x=-12", -12),
    (float, "x=1e-3", 0.001),
    (bool, "x=true", True),
    (list[str], 'x=["非常","喜欢"]', ["非常", "喜欢"]),
    (list[str], "x=['非常', '喜欢']", ["非常", "喜欢"]),
    (list[int], "x=1&x=2", [1, 2]),
    (list[int], "x=1", [1]),
    (list[list[float]], "x=[[1,2.5]]", [[1, 2.5]]),
    (dict[str, int], 'x={"a":1}', {"a": 1}),
    (Literal["a", "b"], "x=b", "b"),
    (Annotated[str, Base64()], "x=" + encoded("非常喜欢"), "非常喜欢"),
    (Annotated[str, Base64], "x=" + encoded("a").rstrip("="), "a"),
    (Annotated[list[str], Base64()], "x=" + encoded("['非常']"), ["非常"]),
    (bytes, "x=" + encoded(b"ok"), "ok"),
    (Annotated[int, Field(ge=0)], "x=0", 0),
    (int | None, "x=7", 7),
]


@pytest.mark.parametrize(("hint", "query", "found"), FROM_QUERY)
def test_a_get_takes_the_query(ask: Ask, hint: Any, query: str, found: Any) -> None:
    answer = ask(echo(hint)).get(f"/echo?{query}")
    assert (answer.status_code, answer.json) == (200, found)


FROM_JSON = [
    (str, "好", "好"),
    (int, 3, 3),
    (float, 3, 3),
    (list[float], [1, 2.5], [1, 2.5]),
    (list[list[str]], [["a"], []], [["a"], []]),
    (dict[str, list[int]], {"a": [1]}, {"a": [1]}),
    (Literal["a", "b"], "a", "a"),
    (tuple[int, str], [1, "a"], [1, "a"]),
    (Any, {"a": None}, {"a": None}),
    (str | None, None, None),
    (bytes, encoded(b"ok"), "ok"),
    (Annotated[str, Base64()], encoded("好"), "好"),
]


@pytest.mark.parametrize("content_type", ["application/json", None, "text/plain",
                                          "application/x-www-form-urlencoded"])  # fmt: skip
@pytest.mark.parametrize(("hint", "value", "found"), FROM_JSON)
def test_a_post_takes_json_whatever_it_is_called(
    ask: Ask, hint: Any, value: Any, found: Any, content_type: str | None
) -> None:
    body = json.dumps({"x": value, "other": 1}).encode()
    answer = ask(echo(hint)).post("/echo", data=body, content_type=content_type)
    assert (answer.status_code, answer.json) == (200, found)


def test_a_post_takes_fields_and_files_of_a_multipart_form(ask: Ask) -> None:
    form = {"x": "3"}
    assert ask(echo(int)).post("/echo", data=form, content_type="multipart/form-data").json == 3
    file = {"x": (io.BytesIO("好".encode()), "name.txt")}
    assert ask(echo(str)).post("/echo", data=file).json == "好"
    file = {"x": (io.BytesIO(b"ab"), "name.bin")}
    assert ask(echo(bytes)).post("/echo", data=file).json == "ab"


def test_an_upload_has_its_name_and_type(ask: Ask) -> None:
    @handler("/echo")
    def describe(predict: Predict, x: Upload) -> Any:
        return [x.filename, x.content_type, len(x.data)]

    file = {"x": (io.BytesIO(b"abc"), "a b.txt", "text/plain")}
    assert ask(describe).post("/echo", data=file).json == ["a b.txt", "text/plain", 3]


@pytest.mark.parametrize(
    ("hint", "request_", "found"),
    [
        (Annotated[str, Query()], {"query_string": "x=a", "data": b'{"x": "b"}'}, "a"),
        (Annotated[str, Json()], {"query_string": "x=a", "data": b'{"x": "b"}'}, "b"),
        (Annotated[str, Form()], {"data": {"x": "c"}}, "c"),
        (Annotated[str, Header("X-User")], {"headers": {"X-User": "d"}}, "d"),
        (Annotated[int, Header], {"headers": {"X": "4"}}, 4),
        (Annotated[bytes, Body()], {"data": b"raw"}, "raw"),
        (Annotated[str, Body()], {"data": "好".encode()}, "好"),
        (Annotated[str | None, Body()], {"data": b"text"}, "text"),
        (Annotated[str, Body(), Base64()], {"data": encoded("好").encode()}, "好"),
        (Annotated[str, Header()], {"headers": {"X": "好".encode().decode("latin-1")}}, "好"),
        (Annotated[list[int], Body()], {"data": b"[1, 2]"}, [1, 2]),
        (Annotated[dict[str, Any], Body()], {"data": b'{"a": [1]}'}, {"a": [1]}),
    ],
)
def test_a_marker_says_where_an_input_comes_from(
    ask: Ask, hint: Any, request_: dict[str, Any], found: Any
) -> None:
    answer = ask(echo(hint)).post("/echo", **request_)
    assert (answer.status_code, answer.json) == (200, found)


def test_a_body_may_be_a_model(ask: Ask) -> None:
    @handler("/echo")
    def swap(predict: Predict, x: Annotated[Point, Body()]) -> Any:
        return [x.y, x.x]

    assert ask(swap).post("/echo", data=b'{"x": 1, "y": 2}').json == [2, 1]
    answer = ask(swap).post("/echo", data=b'{"x": "one"}')
    assert answer.json == {
        "status": -1,
        "error": 'x.x must be a valid integer; found "one"',
    }


def test_a_path_has_inputs_too(ask: Ask) -> None:
    @handler("/of/<user>/<int:number>", methods=("GET",))
    def describe(predict: Predict, user: str, number: int) -> Any:
        return [user, number]

    assert ask(describe).get("/of/mia/3").json == ["mia", 3]

    @handler("/text/<int:number>", methods=("GET",))
    def text(predict: Predict, number: str) -> Any:
        return number

    assert ask(text).get("/text/3").json == "3"


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_is_missing_has_its_default(ask: Ask, method: str) -> None:
    answer = ask(echo(int, default=5)).open("/echo", method=method)
    assert (answer.status_code, answer.json) == (200, 5)


def png(size: tuple[int, int] = (3, 2)) -> bytes:
    file = io.BytesIO()
    PillowImage.new("RGB", size, (255, 0, 0)).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def sized(ask: Ask) -> FlaskClient:
    @handler("/echo", methods=("GET", "POST"))
    def size(predict: Predict, x: Image) -> Any:
        return [*x.size, x.mode]

    return ask(size, limits=InputLimits(max_image_pixels=100))


def test_a_picture_is_an_upload_or_base64(sized: FlaskClient) -> None:
    found = [3, 2, "RGB"]
    assert sized.post("/echo", data={"x": (io.BytesIO(png()), "a.png")}).json == found
    assert sized.get(f"/echo?x={encoded(png())}").json == found
    assert sized.post("/echo", json={"x": encoded(png())}).json == found
    assert sized.post("/echo", data={"x": encoded(png())},
                      content_type="multipart/form-data").json == found  # fmt: skip


@pytest.mark.parametrize(
    ("data", "status", "message"),
    [
        (b"", 400, "x: "),
        (png()[:30], 400, "x: "),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 415, "x: "),
        (png((11, 10)), 413, "x: "),
    ],
)
def test_what_is_no_picture_is_refused_with_its_name(
    sized: FlaskClient, data: bytes, status: int, message: str
) -> None:
    answer = sized.post("/echo", data={"x": (io.BytesIO(data), "a.png")})
    assert answer.status_code == status
    assert answer.json
    assert answer.json["status"] == -1
    assert answer.json["error"].startswith(message)


def test_a_picture_that_is_too_long_for_a_url_is_to_be_posted(sized: FlaskClient) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (9, 9, 3), np.uint8)
    assert len(encoded(noise.tobytes() * 20)) > 6144
    answer = sized.get(f"/echo?x={encoded(noise.tobytes() * 20)}")
    assert answer.status_code == 414
    assert answer.json
    assert "send it by POST" in answer.json["error"]


REFUSED_QUERIES = [
    (str, "", 400, "the query must have x"),
    (str, "y=1&z=2", 400, "the query must have x; found y, z"),
    (str, "x=1&x=2", 400, "x is there 2 times: give it once"),
    (str, "x=%ff", 400, "the query is no UTF-8"),
    (int, "x=two", 400, "x must be a valid integer; found \"two\""),
    (int, "x=" + "9" * 5000, 400, "x: "),
    (float, "x=nan", 400, 'x must be a finite number; found "nan"'),
    (Annotated[int, Field(ge=0)], "x=-1", 400,
     'x must be greater than or equal to 0; found "-1"'),
    (list[int], 'x=["a"]', 400, 'x[0] must be a valid integer; found "a"'),
    (list[int], "x=[1,", 400, "x is no JSON"),
    (Annotated[str, Base64()], "x=!!", 400, "x "),
    (Annotated[list[str], Base64()], "x=" + encoded("非常"), 400, "x is no JSON"),
    (str, "x=" + "a" * 9000, 414, "the query has 9002 bytes, 8190 are taken: send it by POST"),
]  # fmt: skip


@pytest.mark.parametrize(("hint", "query", "status", "message"), REFUSED_QUERIES)
def test_a_query_that_does_not_fit_is_refused(
    ask: Ask, hint: Any, query: str, status: int, message: str
) -> None:
    answer = ask(echo(hint)).get(f"/echo?{query}")
    assert answer.status_code == status
    assert answer.json
    assert answer.json["error"].startswith(message)


REFUSED_BODIES = [
    (str, b"", 400, 'the body is empty; it must be JSON; send an object, such as {"x": ...}'),
    (str, b"x=a", 400, "the body is no JSON: Expecting value at line 1 column 1; send an object"),
    (bytes, b"\xff", 400, "the body is no UTF-8: byte 0xff at position 1; JSON must be UTF-8; send "
     'an object, such as {"x": ...}, or a multipart form with the file x'),
    (str, b"{", 400, "the body is no JSON"),
    (str, b"[1]", 400, "the body is a list: it must be an object, such as {\"x\": ...}"),
    (str, b"1", 400, "the body is a single value"),
    (str, b'{"y": 1}', 400, "the JSON must have x; found y"),
    (str, b'{"x": 1}', 400, "x must be a valid string; found 1"),
    (str, b'{"x": null}', 400, "x must be a valid string; found null"),
    (int, b'{"x": "1"}', 400, 'x must be a valid integer; found "1"'),
    (int, b'{"x": true}', 400, "x must be a valid integer; found true"),
    (int, b'{"x": 1.5}', 400, "x must be a valid integer"),
    (float, b'{"x": NaN}', 400, "the body "),
    (list[str], b'{"x": ["a", 2]}', 400, "x[1] must be a valid string; found 2"),
    (str, b'{"x": "a", "x": "b"}', 400, "the body "),
    (str, b'{"x": "\xff"}', 400, "the body "),
    (str, b'{"x": ' + b"[" * 1000 + b"]" * 1000 + b"}", 413, "the body "),
    (bytes, b'{"x": 3}', 400, "x is 3: it must be text, in base64"),
    (bytes, b'{"x": "!"}', 400, "x "),
    (bytes, b'{"x": "data:text/plain;base64,YQ=="}', 400, "x is a data URL: send what follows its"),
    (tuple[int, str], b'{"x": [1]}', 400, "x[1] is missing; found [1]"),
]  # fmt: skip


@pytest.mark.parametrize(("hint", "body", "status", "message"), REFUSED_BODIES)
def test_a_body_that_does_not_fit_is_refused(
    ask: Ask, hint: Any, body: bytes, status: int, message: str
) -> None:
    answer = ask(echo(hint)).post("/echo", data=body)
    assert (answer.status_code, answer.json and answer.json["status"]) == (status, -1)
    assert answer.json
    assert answer.json["error"].startswith(message)


def test_a_large_body_is_refused_by_its_length(ask: Ask) -> None:
    client = ask(echo(str), limits=InputLimits(max_body_bytes=100))
    answer = client.post("/echo", data=b'{"x": "%s"}' % (b"a" * 100))
    assert answer.status_code == 413
    assert answer.json
    assert answer.json["error"] == "the body is larger than the 100 bytes that are taken"
    form = {"x": "a" * 100}
    assert client.post("/echo", data=form, content_type="multipart/form-data").status_code == 413


FORM = b'--b\r\nContent-Disposition: form-data; name="x"\r\n\r\na\r\n--b--\r\n'
MULTIPART = "multipart/form-data; boundary=b"


@pytest.mark.parametrize(
    ("body", "content_type", "status", "message"),
    [
        (FORM[:-9], MULTIPART, 400, "the form cannot be read: it is cut short"),
        (FORM, "multipart/form-data; boundary=c", 400, "the form cannot be read"),
        (FORM, "multipart/form-data", 400, "the form's Content-Type has no boundary"),
        (FORM.replace(b"form-data", b"\xff"), MULTIPART, 400, "the form cannot be read"),
        (FORM.replace(b'; name="x"', b""), MULTIPART, 400, "the form must have x"),
        (FORM[:-7] * 1001 + b"--\r\n", MULTIPART, 413, "the form has more than the 1000 parts"),
    ],
    ids=["cut", "other-boundary", "no-boundary", "bytes", "no-name", "many-parts"],
)
def test_a_form_that_cannot_be_read_is_refused(
    ask: Ask, body: bytes, content_type: str, status: int, message: str
) -> None:
    answer = ask(echo(str)).post("/echo", data=body, content_type=content_type)
    assert answer.status_code == status
    assert answer.json
    assert answer.json["error"].startswith(message)


def test_text_in_the_place_of_a_file_is_told_how_files_are_sent(ask: Ask) -> None:
    form = {"x": "photo.jpg"}
    answer = ask(echo(bytes)).post("/echo", data=form, content_type="multipart/form-data")
    assert answer.status_code == 400
    assert answer.json
    assert answer.json["error"].endswith("a file of the form, as curl -F x=@FILE has")


@pytest.mark.parametrize(
    ("environ", "status", "message"),
    [
        ({"HTTP_CONTENT_ENCODING": "gzip"}, 415, "the body is compressed (gzip): send it as it is"),
        ({"HTTP_CONTENT_ENCODING": "identity, br"}, 415, "the body is compressed (br)"),
        ({"HTTP_TRANSFER_ENCODING": "gzip, chunked"}, 415, "the body is compressed (gzip)"),
        ({"CONTENT_LENGTH": "99"}, 400, "the body ends after 10 of the 99 bytes"),
    ],
)
def test_a_body_that_is_not_all_there_as_it_is_is_refused(
    ask: Ask, environ: dict[str, Any], status: int, message: str
) -> None:
    overrides = {"wsgi.input_terminated": True, **environ}
    answer = ask(echo(str)).post("/echo", data=b'{"x": "a"}', environ_overrides=overrides)
    assert (answer.status_code, answer.json and answer.json["status"]) == (status, -1)
    assert answer.json
    assert answer.json["error"].startswith(message)


@pytest.mark.parametrize(("size", "status"), [(20, 200), (21, 413)])
def test_a_body_without_a_length_is_refused_when_more_than_is_taken_has_come(
    ask: Ask, size: int, status: int
) -> None:
    client = ask(echo(Annotated[bytes, Body()]), limits=InputLimits(max_body_bytes=20))
    answer = client.post(
        "/echo", input_stream=io.BytesIO(b"a" * size), headers={"Transfer-Encoding": "chunked"},
        environ_overrides={"wsgi.input_terminated": True},
    )  # fmt: skip
    assert answer.status_code == status


def test_a_file_that_was_not_chosen_counts_as_missing(ask: Ask) -> None:
    file = {"x": (io.BytesIO(b""), ""), "y": "1"}
    answer = ask(echo(Image | None, default=None)).post(
        "/echo", data=file, content_type="multipart/form-data"
    )
    assert (answer.status_code, answer.json) == (200, None)


def test_a_list_with_a_million_mistakes_is_refused_at_the_first(ask: Ask) -> None:
    body = b'{"x": [' + b"0," * 1_000_000 + b"0]}"
    answer = ask(echo(list[str] | None, default=None)).post("/echo", data=body)
    assert answer.json == {"status": -1, "error": "x[0] must be a valid string; found 0"}
    body = b'{"x": {' + b",".join(b'"%d":0' % number for number in range(2000)) + b"}}"
    answer = ask(echo(dict[str, str])).post("/echo", data=body)
    assert answer.json == {"status": -1, "error": "x is not what it must be, in 2000 places"}


def test_two_files_of_one_name_are_refused(ask: Ask) -> None:
    files = {"x": [(io.BytesIO(b"a"), "a"), (io.BytesIO(b"b"), "b")]}
    answer = ask(echo(bytes)).post("/echo", data=files)
    assert answer.json == {"status": -1, "error": "x has 2 files: send one"}
