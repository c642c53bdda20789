"""The routes of the usual example, asked as its clients ask them."""

import base64
import http.client
import io
import json
from typing import Any

import pytest
import requests
from PIL import Image, ImageDraw

from tests.support import raw_http
from tests.support.stack import Stack

TIMEOUT_S = 30
GOOD = "我很喜欢这个产品"
BAD = "太失望了"


def encoded(text: str | bytes) -> str:
    return base64.urlsafe_b64encode(text.encode() if isinstance(text, str) else text).decode()


def ask(stack: Stack, method: str, path: str, **request: Any) -> dict[str, Any]:
    response = requests.request(method, f"{stack.url}{path}", timeout=TIMEOUT_S, **request)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    assert answer["status"] == 0
    return answer


def assert_review(answer: dict[str, Any], label: str) -> None:
    assert list(answer) == ["status", "classes_id", "labels", "softmax"]
    assert answer["labels"] == label
    assert answer["classes_id"] == ["NEG", "POS", "NEU"].index(label)
    assert len(answer["softmax"]) == 3
    assert answer["classes_id"] == answer["softmax"].index(max(answer["softmax"]))


@pytest.mark.parametrize(
    ("words", "label"),
    [(["我", "很", "喜欢", "这个", "产品"], "POS"), (["太", "失望", "了"], "NEG")],
)
def test_words_go_in_the_url_or_in_json(stack: Stack, words: list[str], label: str) -> None:
    text = "[" + ",".join(f'"{word}"' for word in words) + "]"
    params: dict[str, str | int] = {"words": text, "nwords": len(words)}
    assert_review(ask(stack, "GET", "/predict", params=params), label)
    body = {"words": words, "nwords": len(words)}
    assert_review(ask(stack, "POST", "/predict", json=body), label)


def test_words_go_in_the_url_as_a_shell_writes_them(stack: Stack) -> None:
    # requests would escape what curl sends as it is.
    target = '/predict?words=["太","失望","了"]&nwords=3'
    request = f"GET {target} HTTP/1.1\r\nHost: gateway\r\n\r\n"
    reply = raw_http.send(stack.url.removeprefix("http://"), request.encode())
    assert reply.status == 200
    assert_review(reply.json, "NEG")


@pytest.mark.parametrize(("line", "label"), [(GOOD, "POS"), (BAD, "NEG")])
def test_a_sentence_goes_in_the_url_in_base64_or_in_json(
    stack: Stack, line: str, label: str
) -> None:
    assert_review(ask(stack, "GET", "/lstm/predict", params={"line": encoded(line)}), label)
    assert_review(ask(stack, "POST", "/lstm/predict", json={"line": line}), label)


@pytest.mark.parametrize(
    "content_type", [None, "application/x-www-form-urlencoded", "text/plain", "application/json"]
)
def test_json_is_taken_whatever_it_is_called(stack: Stack, content_type: str | None) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    data = f'{{"line": "{BAD}"}}'.encode()
    assert_review(ask(stack, "POST", "/lstm/predict", data=data, headers=headers), "NEG")


@pytest.mark.parametrize(
    "text", ["['太', '失望', '了']", '["太","失望","了"]', "['太', \"失望\", '了',]"]
)
def test_cut_words_go_to_the_sentence_s_route_too(stack: Stack, text: str) -> None:
    params: dict[str, str | int] = {"words": encoded(text), "nwords": 3}
    assert_review(ask(stack, "GET", "/lstm/predict", params=params), "NEG")
    body = {"words": ["太", "失望", "了"], "nwords": 3}
    assert_review(ask(stack, "POST", "/lstm/predict", json=body), "NEG")


@pytest.mark.parametrize(
    "line",
    ["", "   ", "\u3000\u3000", "😀😀 喜欢 👍🏽", "ＡＢＣ　１２３！？", "a\tb\nc", "好" * 100_000,
     "\x00", "<b>&amp;</b>", "ก็ не понял 안녕"],
    ids=["nothing", "spaces", "wide-spaces", "emoji", "full-width", "lines", "long", "nul", "html",
         "other-scripts"],
)  # fmt: skip
def test_any_sentence_has_an_answer(stack: Stack, line: str) -> None:
    answer = ask(stack, "POST", "/lstm/predict", json={"line": line})
    assert answer["labels"] in ("NEG", "POS", "NEU")
    if len(line) < 1000:
        again = ask(stack, "GET", "/lstm/predict", params={"line": encoded(line)})
        assert again == answer


def picture(size: tuple[int, int], kind: str = "JPEG", mode: str = "RGB") -> bytes:
    """A light disc on dark ground."""
    image = Image.new("RGB", size, (20, 60, 30))
    width, height = size
    box = (width // 4, height // 4, width * 3 // 4, height * 3 // 4)
    ImageDraw.Draw(image).ellipse(box, fill=(230, 200, 160))
    file = io.BytesIO()
    image.convert(mode).save(file, kind)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
def test_a_picture_gets_its_mask_in_its_size(stack: Stack, kind: str) -> None:
    size = (400, 250)
    files = {"img": ("photo", picture(size, kind))}
    answer = ask(stack, "POST", "/cv_sod/predict", files=files)
    mask = Image.open(io.BytesIO(base64.b64decode(answer["img_out"])))
    assert (mask.format, mask.mode, mask.size) == ("PNG", "L", size)


def test_a_mask_is_white_where_the_picture_shows_something(stack: Stack) -> None:
    files = {"img": ("photo.jpg", picture((400, 300)))}
    answer = ask(stack, "POST", "/cv_sod/predict", files=files)
    mask = Image.open(io.BytesIO(base64.b64decode(answer["img_out"])))
    centre, corner = mask.getpixel((200, 150)), mask.getpixel((5, 5))
    assert isinstance(centre, int)
    assert isinstance(corner, int)
    assert centre > 200 > 50 > corner


def test_a_mask_is_the_answer_itself_for_those_who_accept_images(stack: Stack) -> None:
    response = requests.post(
        f"{stack.url}/cv_sod/predict",
        files={"img": ("photo.jpg", picture((64, 48)))},
        headers={"Accept": "image/png"},
        timeout=TIMEOUT_S,
    )
    assert response.headers["Content-Type"] == "image/png"
    assert Image.open(io.BytesIO(response.content)).size == (64, 48)


def test_a_small_picture_goes_in_the_url(stack: Stack) -> None:
    params = {"img": encoded(picture((60, 40)))}
    answer = ask(stack, "GET", "/cv_sod/predict", params=params)
    assert Image.open(io.BytesIO(base64.b64decode(answer["img_out"]))).size == (60, 40)


def test_a_large_picture_in_the_url_is_told_to_be_posted(stack: Stack) -> None:
    url = f"{stack.url}/cv_sod/predict?img={'A' * 7000}"
    response = requests.get(url, timeout=TIMEOUT_S)
    assert response.status_code == 414
    assert "send it by POST" in response.json()["error"]


def test_a_connection_goes_on_after_a_body_that_nobody_has_read(stack: Stack) -> None:
    connection = http.client.HTTPConnection(stack.url.removeprefix("http://"), timeout=TIMEOUT_S)
    for _ in range(50):
        # Head and body go apart, and the next request may come before the body has been taken.
        connection.request("POST", "/nothing", b"{}")
        response = connection.getresponse()
        assert (response.status, json.loads(response.read())["status"]) == (404, -1)
    connection.close()


def test_it_is_ready_when_its_models_are(stack: Stack) -> None:
    response = requests.get(f"{stack.url}/readyz", timeout=TIMEOUT_S)
    assert (response.status_code, response.json()) == (200, {"status": 0})


def test_counts_of_all_workers_are_one(stack: Stack) -> None:
    def count() -> float:
        text = requests.get(f"{stack.url}/metrics", timeout=TIMEOUT_S).text
        name = 'slipway_gateway_requests_total{method="GET",route="/healthz",status="200"}'
        found = [line for line in text.splitlines() if line.startswith(name)]
        return float(found[0].rsplit(" ", 1)[1]) if found else 0.0

    before = count()
    for _ in range(10):
        # Each on a connection of its own, which any worker may take.
        requests.get(f"{stack.url}/healthz", timeout=TIMEOUT_S)
    assert count() == before + 10
