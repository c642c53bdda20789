"""What a gateway says to bad input, and to input that only looks bad; and what outlives it."""

import base64
import gzip
import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from struct import pack
from typing import Any, Final
from urllib.parse import quote, urlencode
from zlib import compress, crc32

import pytest

from tests.e2e.test_gateway import assert_review, encoded, picture
from tests.support import raw_http
from tests.support.process import GatewayProcess
from tests.support.projects import write_project
from tests.support.raw_http import chunk, request
from tests.support.rest import Reply
from tests.support.stack import Stack
from tests.support.waiting import wait_until

WORDS = "/predict"
LINE = "/lstm/predict"
IMAGE = "/cv_sod/predict"
JPEG = picture((60, 40))
LEAKS = (
    "Traceback",
    ".py",
    "slipway",
    "werkzeug",
    "gunicorn",
    "pydantic",
    "/work",
    "/tmp",
    "site-",
)
"""What only someone who knows the code can make use of."""


@dataclass(frozen=True)
class CutOff:
    """A request after which the client is gone."""

    data: bytes


@dataclass(frozen=True)
class Long:
    """A head, and a piece of a body that comes many times."""

    head: bytes
    piece: bytes
    times: int


def get(path: str, *headers: str, **values: Any) -> bytes:
    return request("GET", f"{path}?{urlencode(values)}", *headers)


def post(path: str, body: Any, *headers: str) -> bytes:
    """A POST of bytes as they are, and of anything else in JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    return request("POST", path, *headers, body=data)


def part(name: str, data: bytes, filename: str | None = None) -> bytes:
    disposition = f'form-data; name="{name}"'
    if filename is not None:
        disposition += f'; filename="{filename}"'
    return b"--b\r\nContent-Disposition: %s\r\n\r\n%s\r\n" % (disposition.encode(), data)


def form(*parts: bytes, end: bytes = b"--b--\r\n", boundary: str = "; boundary=b") -> bytes:
    return post(IMAGE, b"".join(parts) + end, f"Content-Type: multipart/form-data{boundary}")


def upload(data: bytes, filename: str = "photo.jpg") -> bytes:
    return form(part("img", data, filename))


def chunked(path: str, body: bytes, *headers: str) -> bytes:
    return request("POST", path, "Transfer-Encoding: chunked", *headers, body=body)


def png_of_size(width: int, height: int) -> bytes:
    """A PNG that is small, and says that it has many pixels."""

    def block(kind: bytes, data: bytes) -> bytes:
        return pack(">L", len(data)) + kind + data + pack(">L", crc32(kind + data))

    header = block(b"IHDR", pack(">LLBBBBB", width, height, 8, 2, 0, 0, 0))
    return (
        b"\x89PNG\r\n\x1a\n"
        + header
        + block(b"IDAT", compress(bytes(100_000)))
        + block(b"IEND", b"")
    )


def gif_of_size(width: int, height: int) -> bytes:
    screen = pack("<HHBBB", width, height, 0, 0, 0)
    frame = pack("<HHHHB", 0, 0, width, height, 0)
    return b"GIF89a" + screen + b"," + frame + b"\x02\x02L\x01\0;"


FILLING: Final = b"a" * 65536
TOO_LONG: Final = 20 * 2**20
PIECES: Final = TOO_LONG // len(FILLING)
NO_IMAGE: Final = "img: An image must be JPEG, PNG, WebP, GIF, BMP or TIFF; what was sent "
NO_FORM: Final = "the form cannot be read: it is cut short, or is not made of named parts"
CUT_CHUNKS: Final = (
    "the body cannot be read: it ends too early, or its chunks are not what HTTP has"
)
NO_HTTP: Final = "this is no HTTP request that is taken: "

Bad = tuple[str, bytes | CutOff | Long, int, str]
"""A name, what is sent, the status, and how the message begins."""

BASE64: list[Bad] = [
    ("characters", get(LINE, line="!!!!"), 400, "line is no base64: character 1 is '!'"),
    ("length", get(LINE, line="AAAAA"), 400, "line is no base64: 5 characters before the padding"),
    ("padding", get(LINE, line="AAAA=="), 400, "line is no base64: it ends with 2 =, not with 0"),
    ("no-utf8", get(LINE, line=encoded(b"a\xff")), 400,
     "line is base64, but of no UTF-8: byte 0xff at position 2; encode the text as UTF-8 first"),
    ("not-encoded", get(LINE, line="我很喜欢"), 400, "line is no base64: character 1 is '我'"),
    ("list-not-encoded", get(LINE, words='["a"]'), 400, "words is no base64: character 1 is '['"),
    ("no-list", get(LINE, words=encoded("a b")), 400, "words is no JSON"),
    ("code", get(LINE, words=encoded('__import__("os")')), 400, "words is no JSON"),
    ("cut-image", get(IMAGE, img=encoded(JPEG[:400])), 400, "img: The JPEG image cannot be"),
    ("text-for-image", get(IMAGE, img=encoded("hello")), 415, NO_IMAGE + "is text."),
    ("data-url", post(IMAGE, {"img": "data:image/png;base64,AAAA"}), 400, "img is a data URL: "),
    ("image-in-json", post(IMAGE, {"img": "!"}), 400, "img is no base64: character 1 is '!'"),
]  # fmt: skip

VALUES: list[Bad] = [
    ("text", post(WORDS, {"words": "a"}), 400, 'words must be a valid list; found "a"'),
    ("number", post(WORDS, {"words": 3}), 400, "words must be a valid list; found 3"),
    ("null", post(WORDS, {"words": None}), 400, "words must be a valid list; found null"),
    ("object", post(WORDS, {"words": {"a": 1}}), 400, 'words must be a valid list; found {"a":1}'),
    ("nested", post(WORDS, {"words": [["a"]]}), 400, "words[0] must be a valid string; found ["),
    ("mixed", post(WORDS, {"words": ["a", 1]}), 400, "words[1] must be a valid string; found 1"),
    ("with-null", post(WORDS, {"words": [None]}), 400, "words[0] must be a valid string; found n"),
    ("line-list", post(LINE, {"line": ["a"]}), 400, 'line must be a valid string; found ["a"]'),
    ("line-number", post(LINE, {"line": 3}), 400, "line must be a valid string; found 3"),
    ("image-number", post(IMAGE, {"img": 3}), 400, "img is 3: it must be text, in base64"),
    ("image-null", post(IMAGE, {"img": None}), 400, "img is null: leave it out, or send base64"),
    ("negative", post(WORDS, {"words": ["a"], "nwords": -1}), 400,
     "nwords is -1, and words has 1: it must be from 0 to 1"),
    ("too-many", post(LINE, {"words": ["a"], "nwords": 2}), 400, "nwords is 2, and words has 1"),
    ("huge", post(WORDS, {"words": ["a"], "nwords": 2**70}), 400, f"nwords is {2**70}, and words"),
    ("float", post(WORDS, {"words": ["a"], "nwords": 1.5}), 400,
     "nwords must be a valid integer; found 1.5"),
    ("number-in-text", post(WORDS, {"words": ["a"], "nwords": "1"}), 400,
     'nwords must be a valid integer; found "1"'),
    ("boolean", post(WORDS, {"words": ["a"], "nwords": True}), 400,
     "nwords must be a valid integer; found true"),
    ("query-text", get(WORDS, words='["a"]', nwords="two"), 400,
     'nwords must be a valid integer; found "two"'),
    ("query-infinite", get(WORDS, words='["a"]', nwords="1e400"), 400,
     'nwords must be a valid integer; found "1e400"'),
    ("query-digits", get(WORDS, words='["a"]', nwords="9" * 5000), 400, "nwords: unable to parse"),
    ("twice", request("GET", f"{WORDS}?words=[]&nwords=1&nwords=2"), 400,
     "nwords is there 2 times: give it once"),
    ("missing", post(WORDS, {"word": ["a"]}), 400, "the JSON must have words; found word"),
    ("missing-in-query", get(WORDS, word="a"), 400, "the query must have words; found word"),
    ("neither", post(LINE, {}), 400, "line, a sentence, is missing: give it, or words"),
    ("both", post(LINE, {"line": "a", "words": ["b"]}), 400,
     "line and words are two ways to say the same: give one of them"),
]  # fmt: skip

LISTS: list[Bad] = [
    ("deep", get(WORDS, words="[" * 1000), 413, "words has more than 32 arrays or objects"),
    ("code", get(WORDS, words="['a', __import__('os')]"), 400,
     "words is no list of words: character 7 is '_', and not a word in quotes or ']'"),
    ("unfinished-word", get(WORDS, words="['a"), 400,
     "words is no list of words: character 2 begins a word that does not end"),
    ("unfinished", get(WORDS, words='["a"'), 400, "words is no JSON: Expecting ',' delimiter"),
    ("more", get(WORDS, words='["a"] x'), 400, "words is no JSON: Extra data at line 1 column 7"),
    ("nested", get(WORDS, words='[["a"]]'), 400, "words[0] must be a valid string"),
    ("object", get(WORDS, words="{}"), 400, "words must be a valid list; found {}"),
    ("half-a-pair", get(WORDS, words=r'["\ud800"]'), 400, "words is no JSON: Half a surrogate"),
    ("a-megabyte", form(part("words", b"['a'" + b",'a'" * 250_000)).replace(
        IMAGE.encode(), WORDS.encode()), 413, "words has more than 100000 words"),
]  # fmt: skip

JSON: list[Bad] = [
    ("empty", request("POST", WORDS), 400, "the body is empty; it must be JSON; send an object"),
    ("blank", post(WORDS, b" \n"), 400, "the body is empty; it must be JSON; send an object"),
    ("list", post(WORDS, [1]), 400, 'the body is a list: it must be an object, such as {"words": '),
    ("text", post(LINE, "我很喜欢".encode()), 400,
     'the body is no JSON: Expecting value at line 1 column 1; send an object, such as {"line": '),
    ("url-encoded", post(LINE, b"line=a", "Content-Type: application/x-www-form-urlencoded"), 400,
     "the body is no JSON: Expecting value at line 1 column 1; send an object"),
    ("image", post(IMAGE, JPEG, "Content-Type: image/jpeg"), 400, "the body is no UTF-8: byte"),
    ("deep", post(WORDS, b"[" * 1000 + b"]" * 1000), 413, "the body has more than 32 arrays"),
    ("deeper", post(WORDS, b'{"words":' * 100_000), 413, "the body has more than 32 arrays"),
    ("key-twice", post(LINE, b'{"line":"a","line":"b"}'), 400, "the body has the key 'line'"),
    ("nan", post(WORDS, b'{"nwords":NaN}'), 400, "the body has NaN, which is no JSON"),
    ("infinite", post(WORDS, b'{"nwords":1e400}'), 400, "the body has the number 1e400, which is "),
    ("digits", post(WORDS, b"9" * 10_000), 400, "the body has a whole number with too many digits"),
    ("no-utf8", post(LINE, b'{"line":"\xff"}'), 400, "the body is no UTF-8: byte 0xff"),
    ("utf16", post(LINE, '{"line":"a"}'.encode("utf-16")), 400, "the body is no UTF-8: byte 0xff"),
    ("half-a-pair", post(LINE, rb'{"line":"\ud800"}'), 400, "the body is no JSON: Half a"),
    ("bom-twice", post(LINE, b'\xef\xbb\xbf\xef\xbb\xbf{"line":"a"}'), 400, "the body is no JSON"),
]  # fmt: skip

BODIES: list[Bad] = [
    ("too-long", Long(request("POST", LINE, f"Content-Length: {TOO_LONG}"), FILLING, PIECES), 413,
     "the body is larger than the 16777216 bytes that are taken"),
    ("too-long-chunked", Long(chunked(LINE, b""), chunk(FILLING), PIECES), 413,
     "the body is larger than the 16777216 bytes that are taken"),
    ("too-long-form", Long(chunked(IMAGE, chunk(part("img", b"", "a")[:-2]),
     "Content-Type: multipart/form-data; boundary=b"), chunk(FILLING), PIECES), 413,
     "the body is larger than the 16777216 bytes that are taken"),
    ("cut", CutOff(request("POST", LINE, "Content-Length: 99", body=b'{"line":"a"}')), 400,
     "the body ends after 12 of the 99 bytes that its Content-Length says"),
    ("length-too-short", request("POST", LINE, "Content-Length: 9", body=b'{"line":"a"}'), 400,
     "the body is no JSON: Unterminated string"),
    ("negative-length", request("POST", LINE, "Content-Length: -1"), 400, NO_HTTP),
    ("two-lengths", request("POST", LINE, "Content-Length: 1", "Content-Length: 2"), 400, NO_HTTP),
    ("length-and-chunks", chunked(LINE, b"0\r\n\r\n", "Content-Length: 5"), 400, NO_HTTP),
    ("no-chunk", chunked(LINE, b"zz\r\n{}\r\n"), 400, CUT_CHUNKS),
    ("longer-chunk", chunked(LINE, b"1\r\n{}\r\n0\r\n\r\n"), 400, CUT_CHUNKS),
    ("cut-chunk", CutOff(chunked(LINE, b"50\r\n{}")), 400, CUT_CHUNKS),
    ("trailer", chunked(LINE, chunk(b"{}") + b"0\r\nbad\r\n\r\n"), 400, CUT_CHUNKS),
    ("nobody-s-trailer", chunked("/nothing", chunk(b"{}") + b"0\r\nbad\r\n\r\n"), 404, "there is"),
    ("nobody-s-chunk", chunked("/nothing", b"zz\r\n"), 404, "there is no /nothing here"),
    ("expectation", post(LINE, {"line": "a"}, "Expect: tea"), 417, NO_HTTP),
    ("gzip", post(LINE, gzip.compress(b'{"line":"a"}'), "Content-Encoding: gzip"), 415,
     "the body is compressed (gzip): send it as it is"),
    ("gzip-chunks", request("POST", LINE, "Transfer-Encoding: gzip,chunked"), 415,
     "the body is compressed (gzip): send it as it is"),
    ("unknown-coding", request("POST", LINE, "Transfer-Encoding: tea", body=b"{}"), 501, NO_HTTP),
]  # fmt: skip

FORMS: list[Bad] = [
    ("no-field", form(part("photo", JPEG, "a")), 400, "the form must have img; found photo"),
    ("no-parts", form(), 400, "the form must have img"),
    ("text", form(part("img", b"photo.jpg")), 400, "img is no base64: character 6 is '.'"),
    ("two", form(part("img", JPEG, "a"), part("img", JPEG, "b")), 400, "img has 2 files: send one"),
    ("parts", form(*[part("a", b"")] * 5000), 413, "the form has more than the 1000 parts"),
    ("no-boundary", form(part("img", JPEG, "a"), boundary=""), 400,
     "the form's Content-Type has no boundary: leave that header to the client"),
    ("other-boundary", form(part("img", JPEG, "a"), boundary="; boundary=c"), 400, NO_FORM),
    ("cut", form(part("img", JPEG, "a"), end=b""), 400, NO_FORM),
    ("cut-in-head", form(b"--b\r\nContent-Dispo", end=b""), 400, NO_FORM),
    ("no-disposition", form(b"--b\r\nX: y\r\n\r\na\r\n"), 400, NO_FORM),
    ("no-name", form(part("img", JPEG, "a").replace(b'; name="img"', b"")), 400, "the form must"),
    ("bytes-in-head", form(b"--b\r\nContent-Disposition: \xff\r\n\r\na\r\n"), 400, NO_FORM),
]  # fmt: skip

IMAGES: list[Bad] = [
    ("empty", upload(b""), 400, "img: The image is empty. Send the bytes of a JPEG, PNG, "),
    ("cut", upload(JPEG[:400]), 400, "img: The JPEG image cannot be decoded"),
    ("bomb", upload(png_of_size(100_000, 100_000)), 413,
     "img: The image has 100,000 x 100,000 = 10,000,000,000 pixels; at most 40,000,000 are taken."),
    ("less-than-it-says", upload(png_of_size(600, 600)), 400, "img: The PNG image cannot be"),
    ("wide-gif", upload(gif_of_size(50_000, 50_000)), 413, "img: The image has 50,000 x 50,000"),
    ("svg", upload(b"<svg xmlns='http://www.w3.org/2000/svg'/>"), 415, NO_IMAGE + "is SVG."),
    ("eps", upload(b"%!PS-Adobe-3.0 EPSF-3.0\n"), 415, NO_IMAGE + "is EPS or PostScript."),
    ("pdf", upload(b"%PDF-1.7\n"), 415, NO_IMAGE + "is PDF."),
    ("html", upload(b"<!DOCTYPE html><p>"), 415, NO_IMAGE + "is HTML."),
    ("random", upload(bytes(range(256))), 415, NO_IMAGE + "begins like none of these."),
    ("in-url", get(IMAGE, img="A" * 7000), 414,
     "img has 7000 characters, and a URL has room for 6144: send it by POST, as a file"),
]  # fmt: skip

HTTP: list[Bad] = [
    ("path", request("GET", "/nothing"), 404, "there is no /nothing here"),
    ("html-path", request("GET", "/<b>"), 404, "there is no /<b> here"),
    ("long-path", request("GET", "/" + "a" * 8000), 404, "there is no /aaa"),
    ("bytes-in-path", request("GET", "/%ff%00%0d%0a"), 404, "there is no "),
    ("put", request("PUT", WORDS), 405, "/predict does not take PUT, only GET, HEAD, OPTIONS, PO"),
    ("delete", request("DELETE", LINE), 405, "/lstm/predict does not take DELETE, only GET, "),
    ("patch", request("PATCH", IMAGE, body=b"{}"), 405, "/cv_sod/predict does not take PATCH"),
    ("trace", request("TRACE", WORDS), 405, "/predict does not take TRACE"),
    ("connect", request("CONNECT", WORDS), 405, "/predict does not take CONNECT"),
    ("small-letters", request("get", WORDS), 400, NO_HTTP),
    ("long-url", request("GET", f"{WORDS}?words={'a' * 20_000}"), 414,
     "the URL is longer than the 8190 bytes that are taken: send it by POST"),
    ("query-no-utf8", request("GET", f"{WORDS}?words=%ff"), 400, "the query is no UTF-8: it has"),
    ("query-half-a-pair", request("GET", f"{WORDS}?words=%ed%a0%80"), 400, "the query is no UTF-8"),
    ("long-header", request("GET", WORDS, "X-A: " + "a" * 100_000), 431,
     "the headers are too many or too long: at most 100, of 8190 bytes each, are taken"),
    ("many-headers", request("GET", WORDS, *[f"X-{n}: a" for n in range(1000)]), 431,
     "the headers are too many or too long"),
    ("no-http", b"hello there\r\n\r\n", 400, NO_HTTP),
    ("bytes", b"\0\1\2\xff\r\n\r\n", 400, NO_HTTP),
    ("http-2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, NO_HTTP),
    ("no-version", b"GET /\r\n\r\n", 400, NO_HTTP),
    ("no-colon", request("GET", WORDS, "header"), 400, NO_HTTP),
    ("two-hosts", request("GET", WORDS, "Host: other"), 400, NO_HTTP),
    ("line-in-id", request("GET", WORDS, "X-Request-ID: a\nSet-Cookie: b"), 400, NO_HTTP),
    ("html-in-id", request("GET", "/nothing", "X-Request-ID: <b>"), 404, "there is no /nothing"),
    ("strange-accept", get(WORDS, "Accept: ;;q=9, */*/*"), 400, "the query must have words"),
]  # fmt: skip

TABLES = {
    "base64": BASE64, "values": VALUES, "lists": LISTS, "json": JSON, "bodies": BODIES,
    "forms": FORMS, "images": IMAGES, "http": HTTP,
}  # fmt: skip
ALL_BAD = [
    pytest.param(*bad, id=f"{table}-{name}")
    for table, rows in TABLES.items()
    for name, *bad in rows
]


def address(gateway: GatewayProcess) -> str:
    return gateway.url.removeprefix("http://")


def exchange(gateway: GatewayProcess, sent: bytes | CutOff | Long) -> Reply:
    """Send a request on a connection of its own; return the answer."""
    match sent:
        case CutOff(data):
            return raw_http.send(address(gateway), data, hangs_up=True)
        case Long(head, piece, times):
            return raw_http.send(address(gateway), head, *[piece] * times)
        case _:
            return raw_http.send(address(gateway), sent)


def assert_it_answers(gateway: GatewayProcess) -> None:
    assert_review(exchange(gateway, post(WORDS, {"words": ["太", "失望", "了"]})).json, "NEG")


@pytest.mark.parametrize(("sent", "status", "message"), ALL_BAD)
def test_bad_input_is_told_what_is_wrong_and_leaves_the_gateway_well(
    stack: Stack, sent: bytes | CutOff | Long, status: int, message: str
) -> None:
    reply = exchange(stack.gateway, sent)
    assert (reply.status, reply.headers["content-type"]) == (status, "application/json")
    assert (list(reply.json), reply.json["status"]) == (["status", "error"], -1)
    assert reply.error.startswith(message)
    assert len(reply.error) < 400
    assert not [leak for leak in LEAKS if leak in reply.error]
    assert_it_answers(stack.gateway)
    assert "Traceback" not in stack.gateway.log


@pytest.mark.parametrize(("target", "status"), [("/nothing", 404), (WORDS, 400), ("/healthz", 200)])
def test_a_head_is_answered_like_a_get_without_its_body(
    stack: Stack, target: str, status: int
) -> None:
    reply = raw_http.send(address(stack.gateway), request("HEAD", target), method="HEAD")
    assert (reply.status, reply.body) == (status, b"")
    assert reply.headers["content-type"] == "application/json"


def test_options_says_what_a_route_takes(stack: Stack) -> None:
    reply = exchange(stack.gateway, request("OPTIONS", LINE))
    assert reply.status == 200
    assert set(reply.headers["allow"].split(", ")) == {"GET", "HEAD", "OPTIONS", "POST"}


def test_who_waits_for_a_hundred_continue_gets_it_and_then_the_answer(stack: Stack) -> None:
    body = b'{"line": 3}'
    with raw_http.connection(address(stack.gateway)) as opened:
        head = f"Content-Length: {len(body)}"
        opened.sendall(request("POST", LINE, "Expect: 100-continue", head))
        assert opened.recv(100).startswith(b"HTTP/1.1 100 ")
        opened.sendall(body)
        assert raw_http.receive(opened).error == "line must be a valid string; found 3"


@pytest.mark.parametrize(
    "sent",
    [b"", b"G", request("GET", WORDS)[:-2], request("POST", LINE, "Content-Length: 99"),
     bytes.fromhex("16030100f8010000f40303") + bytes(200)],
    ids=["nothing", "a-letter", "no-last-line", "no-body", "tls"],
)  # fmt: skip
def test_who_does_not_go_on_keeps_nobody_else_waiting(stack: Stack, sent: bytes) -> None:
    with ExitStack() as waiting:
        # As many as one of the workers has threads for, less one.
        for _ in range(7):
            opened = waiting.enter_context(raw_http.connection(address(stack.gateway)))
            opened.sendall(sent)
        assert_it_answers(stack.gateway)
    assert_it_answers(stack.gateway)


def test_a_connection_goes_on_after_bad_input(stack: Stack) -> None:
    with raw_http.connection(address(stack.gateway)) as opened:
        for sent in (b"{", b'{"words": 3}', b"\xff", b""):
            opened.sendall(post(WORDS, sent))
            assert raw_http.receive(opened).status == 400
        opened.sendall(post(WORDS, {"words": ["太", "失望", "了"]}))
        assert_review(raw_http.receive(opened).json, "NEG")


@pytest.mark.parametrize("rest", [b"zz\r\n", chunk(b"{}") + b"0\r\nbad\r\n\r\n"])
def test_a_body_that_nobody_reads_and_that_is_no_http_gets_no_answer_of_its_own(
    stack: Stack, rest: bytes
) -> None:
    with raw_http.connection(address(stack.gateway)) as opened:
        opened.sendall(chunked("/nothing", rest))
        received = b"".join(iter(lambda: opened.recv(65536), b""))
    assert received.startswith(b"HTTP/1.1 404 ")
    assert received.count(b"HTTP/1.1 ") == 1


GOOD: Final[dict[str, bytes]] = {
    "emoji": post(LINE, {"line": "👍🏽😀 喜欢"}),
    "full-width": post(LINE, {"line": "ＡＢＣ，１２３！"}),
    "nul": post(LINE, {"line": "a\0b"}),
    "long": post(LINE, {"line": "喜欢" * 50_000}),
    "html": post(LINE, {"line": "<script>alert(1)</script>"}),
    "bom": post(LINE, b'\xef\xbb\xbf{"line":"a"}'),
    "escaped": post(LINE, rb'{"line":"\ud83d\ude00"}'),
    "words": post(WORDS, {"words": ["喜欢"] * 5000, "nwords": 5000}),
    "no-words": post(WORDS, {"words": []}),
    "fewer-words": post(WORDS, {"words": ["喜欢", "", ""], "nwords": 1}),
    "code-for-a-word": get(WORDS, words='__import__("os")'),
    "other-members": post(WORDS, {"words": ["a"], "__proto__": {}, "x": None}),
    "no-padding": get(LINE, line=encoded("a").rstrip("=")),
    "standard-base64": get(LINE, line=base64.b64encode("喜?>欢~~~".encode()).decode()),
    "plus-as-it-is": request("GET", f"{LINE}?line={base64.b64encode(b'~~~>').decode()}"),
    "absolute-url": get(f"http://gateway{LINE}", line=encoded("a")),
    "chunks": chunked(LINE, chunk(b'{"line"') + chunk(b':"a"}') + b"0\r\n\r\n"),
    "identity": post(LINE, {"line": "a"}, "Content-Encoding: identity"),
    "long-filename": upload(JPEG, "a" * 10_000),
    "path-for-filename": upload(JPEG, "../../../etc/passwd"),
    "no-filename": upload(JPEG, ""),
    "wrong-type": form(part("img", JPEG, 'a"\r\nContent-Type: text/plain; x="')),
    "text-around-the-form": form(b"before\r\n" + part("img", JPEG, "a"), end=b"--b--\r\nafter"),
    "image-in-json": post(IMAGE, {"img": base64.b64encode(JPEG).decode()}),
}  # fmt: skip


@pytest.mark.parametrize("sent", GOOD.values(), ids=GOOD)
def test_what_only_looks_bad_is_answered(stack: Stack, sent: bytes) -> None:
    reply = exchange(stack.gateway, sent)
    assert (reply.status, reply.json["status"]) == (200, 0)


def test_base64_with_plus_and_slash_is_the_same_as_url_safe(stack: Stack) -> None:
    line = "喜欢~~~???>>>"
    standard = base64.b64encode(line.encode()).decode()
    assert {"+", "/"} & set(standard)
    answers = [
        exchange(stack.gateway, request("GET", f"{LINE}?line={text}")).json
        for text in (encoded(line), standard, quote(standard, safe=""), encoded(line).rstrip("="))
    ]
    assert answers == answers[:1] * 4


def test_padding_words_do_not_count(stack: Stack) -> None:
    words = ["太", "失望", "了"]
    short = exchange(stack.gateway, post(WORDS, {"words": words})).json
    padded = exchange(stack.gateway, post(WORDS, {"words": [*words, "", ""], "nwords": 3})).json
    assert padded["labels"] == short["labels"]
    assert padded["softmax"] == pytest.approx(short["softmax"], abs=1e-5)


def test_all_of_it_was_answered_by_the_workers_that_began(stack: Stack) -> None:
    # What workers write comes in its order: after this line there is none of before.
    exchange(stack.gateway, b"GET /farewell\r\n\r\n")
    stack.gateway.wait_for("GET /farewell")
    log = stack.gateway.log
    assert log.count("Booting worker") == 2
    assert not re.search(r"Worker exiting|WORKER TIMEOUT|Traceback|ERROR|CRITICAL", log)


FAILING = """
import asyncio
import sys

import numpy as np

from slipway.gateway import Handler, handler


def fails(route, fail):
    @handler(route, methods=("GET",))
    def failing(predict):
        return fail()

    return failing


def raise_(error):
    raise error


def call(function):
    return function(function)


raises = fails("/raises", lambda: raise_(ValueError("secret")))
recurses = fails("/recurses", lambda: call(call))
exits = fails("/exits", lambda: sys.exit(3))
interrupted = fails("/cancelled", lambda: raise_(asyncio.CancelledError()))
has_no_memory = fails("/has-no-memory", lambda: raise_(MemoryError()))
answers_nan = fails("/answers-nan", lambda: {"x": float("nan")})
answers_bytes = fails("/answers-bytes", lambda: b"\\xff")
answers_object = fails("/answers-object", object)


class _Asks(Handler):
    methods = ("GET",)
    model = "sentiment"
    inputs = {"words": [["a"]], "nwords": [1]}

    def preprocess(self):
        return self.inputs


class AsksForOtherInputs(_Asks):
    route = "/other-inputs"
    inputs = {"text": ["a"]}


class AsksWithOtherTypes(_Asks):
    route = "/other-types"
    inputs = {"words": np.array([[1.5]]), "nwords": np.array(["one"])}


class AsksWithOtherShapes(_Asks):
    route = "/other-shapes"
    inputs = {"words": ["a"], "nwords": [[[1]]]}


class AsksForOtherSignature(_Asks):
    route = "/other-signature"
    signature = "regress"


class AsksWithoutNames(_Asks):
    route = "/no-names"
    inputs = [["a"]]


class AsksWithObjects(_Asks):
    route = "/objects"
    inputs = {"words": [[object()]], "nwords": [1]}


class ReadsOtherOutputs(_Asks):
    route = "/other-outputs"

    def postprocess(self, outputs):
        return outputs["label"]
"""


@pytest.fixture(scope="module")
def failing(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """A gateway whose handlers fail, each in its way, with one worker."""
    folder = tmp_path_factory.mktemp("failing")
    (folder / "failing.py").write_text(FAILING)
    handlers = ["failing", "slipway.examples.sentiment:Words"]
    write_project(folder, [stack.server.grpc], handlers, {"workers": 1})
    with GatewayProcess(folder, "--no-reload") as gateway:
        gateway.wait_until_open()
        yield gateway


@pytest.mark.parametrize(
    ("route", "explanation"),
    [
        ("/raises", r"ValueError: secret\nin <failing of /raises>"),
        ("/recurses", r"RecursionError: .*\nin <failing of /recurses>"),
        ("/exits", r"RuntimeError: <failing of /exits> raised SystemExit"),
        ("/cancelled", r"RuntimeError: <failing of /cancelled> raised CancelledError"),
        ("/has-no-memory", r"MemoryError\nin <failing of /has-no-memory>"),
        ("/answers-nan", r"ValueError: Out of range float.*\nin <failing of /answers-nan>"),
        ("/answers-bytes", r"UnicodeDecodeError: .*\nin <failing of /answers-bytes>"),
        ("/answers-object", r"TypeError: a handler cannot answer with object: JSON has no such"),
        ("/other-inputs", r"InvalidArgumentError: .*text.*\nin <AsksForOtherInputs of /other-inp"),
        ("/other-types", r"InvalidArgumentError: .*words.*\nin <AsksWithOtherTypes of /other-type"),
        (
            "/other-shapes",
            r'"words" is declared \[-1, -1\] and was given \[1\]\]\nin <AsksWithOtherS',
        ),
        ("/other-signature", r"Error: .*regress.*\nin <AsksForOtherSignature of /other-signature>"),
        ("/no-names", r"TypeError: preprocess must return the inputs .* list\nin <AsksWithoutName"),
        (
            "/objects",
            r'InvalidArgumentError: input "words": .*object.*\nin <AsksWithObjects of /obj',
        ),
        ("/other-outputs", r"KeyError: 'label'\nin <ReadsOtherOutputs of /other-outputs>"),
    ],
)
def test_a_handler_that_fails_is_a_500_with_an_id_that_the_log_explains(
    failing: GatewayProcess, route: str, explanation: str
) -> None:
    reply = exchange(failing, request("GET", route))
    identity = reply.headers["x-request-id"]
    assert reply.status == 500
    assert reply.json == {
        "status": -1,
        "error": f"this request failed here; the log has it under the id {identity}",
    }
    begin = f"ERROR request {identity} failed: GET {route}\nTraceback"
    wait_until(
        lambda: bool(re.search(explanation, failing.log.partition(begin)[2])),
        f"{explanation} in the log, below {begin}",
    )
    assert_it_answers(failing)
    assert failing.log.count("Booting worker") == 1
    assert "Worker exiting" not in failing.log
