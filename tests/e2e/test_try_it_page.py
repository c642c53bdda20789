"""The page that tries the routes, in a browser, before the gateway and a model server."""

import io
import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from flask import Flask
from PIL import Image as PillowImage
from PIL import ImageDraw
from playwright.sync_api import Browser, FilePayload, Locator, Page, expect, sync_playwright
from pydantic import BaseModel, Field
from werkzeug.serving import make_server

from slipway.gateway import (
    Base64,
    Body,
    Content,
    GatewayConfig,
    Header,
    Image,
    Predict,
    create_blueprint,
    handler,
)
from slipway.testing import FakeModels
from tests.support.stack import Stack

CHROMIUMS = ("chromium", "chromium-browser", "google-chrome")
GOOD = "我很喜欢这个产品"
BAD = "太失望了"
SIZE = (300, 200)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = next(filter(None, map(shutil.which, CHROMIUMS)), None)
    if chromium is None:
        pytest.skip("there is no Chromium: apt-get install -y chromium")
    # Chromium's sandbox does not run as root.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def complaints() -> list[str]:
    """What the console says; a test takes out what it expects."""
    return []


@pytest.fixture
def page(browser: Browser, complaints: list[str]) -> Iterator[Page]:
    page = browser.new_page()
    page.set_default_timeout(20_000)
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    page.close()
    assert complaints == []


def open_route(page: Page, url: str, path: str) -> None:
    page.goto(f"{url}/try")
    page.get_by_role("navigation").locator(f'[data-path="{path}"]').click()
    expect(page.get_by_role("heading", name=path)).to_be_focused()


def send(page: Page) -> None:
    page.get_by_role("button", name="Send").click()


def answer(page: Page) -> Locator:
    return page.get_by_role("region", name="Answer")


def shown_json(page: Page) -> Any:
    body = page.get_by_label("Body of the answer")
    expect(body).to_be_visible()
    return json.loads(body.text_content() or "")


def photo() -> FilePayload:
    picture = PillowImage.new("RGB", SIZE, (120, 150, 110))
    ImageDraw.Draw(picture).ellipse((100, 50, 200, 150), fill=(200, 40, 30))
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=30)
    return {"name": "an apple.jpg", "mimeType": "image/jpeg", "buffer": file.getvalue()}


def sizes(pictures: Locator) -> list[Any]:
    """Return the size in pixels of the file, and as it is shown, of each picture."""
    for picture in pictures.all():
        expect(picture).to_have_js_property("complete", True)
    script = "all => all.map(i => [i.naturalWidth, i.naturalHeight, i.clientWidth, i.clientHeight])"
    return list(pictures.evaluate_all(script))


def assert_mask_is_beside_the_photo(page: Page) -> None:
    expect(answer(page)).to_contain_text("200 OK")
    pictures = answer(page).get_by_role("img")
    expect(pictures).to_have_count(2)
    sent, mask = sizes(pictures)
    assert sent[:2] == list(SIZE)
    assert mask == sent
    first, second = (picture.bounding_box() for picture in pictures.all())
    assert first
    assert second
    assert first["y"] == second["y"]
    assert first["x"] + first["width"] < second["x"]


@pytest.mark.parametrize(("line", "label"), [(GOOD, "POS"), (BAD, "NEG")])
def test_a_sentence_has_its_label(stack: Stack, page: Page, line: str, label: str) -> None:
    open_route(page, stack.url, "/lstm/predict")
    page.get_by_label("line").fill(line)
    send(page)
    expect(answer(page)).to_contain_text("200 OK")
    expect(answer(page)).to_contain_text(re.compile(r"\d ms"))
    expect(answer(page)).to_contain_text(f'"labels": "{label}"')


def test_a_sentence_goes_in_the_url_in_base64(stack: Stack, page: Page) -> None:
    open_route(page, stack.url, "/lstm/predict")
    page.get_by_label("line").fill(BAD)
    page.get_by_label("GET").check()
    expect(page.get_by_label("line")).to_have_value(BAD)
    with page.expect_request("**/lstm/predict?line=*") as request:
        page.get_by_label("line").press("Control+Enter")
    assert request.value.url.endswith("?line=5aSq5aSx5pyb5LqG")
    expect(answer(page)).to_contain_text('"labels": "NEG"')


def test_a_photo_has_its_mask_beside_it(stack: Stack, page: Page) -> None:
    open_route(page, stack.url, "/cv_sod/predict")
    page.get_by_label("img").set_input_files(photo())
    expect(page.get_by_alt_text("Preview of img")).to_be_visible()
    send(page)
    assert_mask_is_beside_the_photo(page)
    page.get_by_label("GET").check()
    send(page)
    assert_mask_is_beside_the_photo(page)
    page.get_by_label("image/png").check()
    expect(page.get_by_label("Command")).to_contain_text("-o answer.png")
    send(page)
    assert_mask_is_beside_the_photo(page)


def test_a_photo_that_is_too_large_for_a_url_is_not_sent(stack: Stack, page: Page) -> None:
    open_route(page, stack.url, "/cv_sod/predict")
    page.get_by_label("GET").check()
    page.get_by_label("img").set_input_files({**photo(), "buffer": b"\xff" * 4609})
    send(page)
    message = "img has 4609 bytes, a URL has room for 4608: choose POST"
    expect(answer(page)).to_contain_text(message)


def test_what_is_wrong_is_said(stack: Stack, page: Page, complaints: list[str]) -> None:
    open_route(page, stack.url, "/predict")
    page.get_by_label("nwords").fill("3")
    page.get_by_label("words", exact=True).fill('["好"]')
    send(page)
    expect(answer(page)).to_contain_text("400 ")
    expect(answer(page)).to_contain_text("nwords is 3, and words has 1: it must be from 0 to 1")
    [complaint] = complaints
    assert "400" in complaint
    complaints.clear()


def test_it_fits_a_phone(stack: Stack, page: Page) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    open_route(page, stack.url, "/cv_sod/predict")
    page.get_by_label("img").set_input_files(photo())
    send(page)
    assert_mask_is_beside_the_photo(page)
    assert page.evaluate("document.documentElement.scrollWidth") == 360


class Review(BaseModel):
    text: str
    stars: int = Field(3, examples=[5])


@handler("/echo/<user>", methods=("GET", "PUT"))
def echo(
    predict: Predict,
    user: str,
    text: str,
    count: int = 2,
    kind: Literal["short", "long"] = "short",
    table: list[list[float]] | None = None,
    secret: Annotated[list[str] | None, Base64()] = None,
    token: Annotated[str, Header("X-Token")] = "",
    data: bytes = b"",
) -> dict[str, Any]:
    """Answer with what came.

    All of it.
    """
    return {
        "user": user, "text": text, "count": count, "kind": kind, "table": table,
        "secret": secret, "token": token, "data": data.decode(),
    }  # fmt: skip


@handler("/whole")
def whole(predict: Predict, review: Annotated[Review, Body()]) -> dict[str, Any]:
    return review.model_dump()


@handler("/bytes")
def size_of(predict: Predict, data: Annotated[bytes, Body()]) -> int:
    return len(data)


@handler("/text")
def shout(predict: Predict, text: Annotated[str, Body()]) -> Content:
    return Content(text.upper().encode(), "text/plain; charset=utf-8")


@handler("/turned")
def turned(predict: Predict, photo: Image) -> Image:
    return photo.transpose(PillowImage.Transpose.ROTATE_180)


@pytest.fixture(scope="module")
def mounted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A gateway of routes that take everything, below a prefix of another app."""
    app = Flask("own")
    handlers = [echo, whole, size_of, shout, turned]
    config = GatewayConfig(handlers, run_folder=tmp_path_factory.mktemp("run"))
    app.register_blueprint(create_blueprint(config, models=FakeModels({})), url_prefix="/models")
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/models"
    server.shutdown()
    thread.join()
    server.server_close()


TYPED: dict[str, Any] = {
    "user": "mia & <b>ö",
    "text": "it's '非常' @\"好\" $HOME `id` +%20",
    "count": 9007199254740993,
    "kind": "long",
    "table": [[1.0, 2.5], []],
    "secret": ["喜欢"],
    "token": "t0ken'",
}


def answer_of_command(page: Page, folder: Path) -> Any:
    """Return what the command on the page prints in a shell."""
    command = page.get_by_label("Command").text_content()
    run = subprocess.run(
        ["sh", "-c", f"{command} --silent --show-error --noproxy '*'"],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


@pytest.mark.parametrize("with_file", [False, True])
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_each_kind_of_input_arrives_as_it_was_typed(
    mounted: str, page: Page, method: str, with_file: bool, tmp_path: Path
) -> None:
    open_route(page, mounted, "/echo/{user}")
    expect(page.get_by_text("All of it.")).to_be_visible()
    page.get_by_label(method).check()
    page.get_by_label("user").fill(TYPED["user"])
    page.get_by_label("text").fill(TYPED["text"])
    page.get_by_label("count").fill("9007199254740993")
    page.get_by_label("kind").select_option("long")
    page.get_by_label("table").fill("[[1, 2.5], []]")
    page.get_by_label("secret").fill('["喜欢"]')
    page.get_by_label("X-Token").fill(TYPED["token"])
    file = tmp_path / "a; 'b'.txt"
    file.write_text("data?>~")
    if with_file:
        page.get_by_label("data").set_input_files(file)
    send(page)
    wanted = {**TYPED, "data": "data?>~" if with_file else ""}
    assert shown_json(page) == wanted
    expect(answer(page)).to_contain_text("[1.0, 2.5]")
    if shutil.which("curl"):
        assert answer_of_command(page, tmp_path) == wanted


def test_what_is_left_out_has_its_default(mounted: str, page: Page) -> None:
    open_route(page, mounted, "/echo/{user}")
    page.get_by_label("user").fill("mia")
    expect(page.get_by_label("count")).to_have_attribute("placeholder", "2")
    send(page)
    assert shown_json(page)["count"] == 2
    assert shown_json(page)["text"] == ""


def test_a_body_of_one_model_has_a_field_for_each_of_its_own(mounted: str, page: Page) -> None:
    open_route(page, mounted, "/whole")
    expect(page.get_by_label("stars")).to_have_value("5")
    page.get_by_label("text").fill("好")
    send(page)
    expect(answer(page)).to_contain_text('"text": "好"')
    expect(answer(page)).to_contain_text('"stars": 5')


def test_a_body_may_be_a_file_or_a_text(mounted: str, page: Page, tmp_path: Path) -> None:
    open_route(page, mounted, "/bytes")
    (tmp_path / "three").write_bytes(b"\xff\x00\n")
    page.get_by_label("body", exact=True).set_input_files(tmp_path / "three")
    send(page)
    expect(page.get_by_label("Body of the answer")).to_have_text("3")
    if shutil.which("curl"):
        assert answer_of_command(page, tmp_path) == 3
    open_route(page, mounted, "/text")
    page.get_by_label("body", exact=True).fill("<b>loud</b>")
    send(page)
    expect(page.get_by_label("Body of the answer")).to_have_text("<B>LOUD</B>")


def test_a_picture_may_be_the_answer(mounted: str, page: Page) -> None:
    open_route(page, mounted, "/turned")
    page.get_by_label("photo").set_input_files(photo())
    send(page)
    assert_mask_is_beside_the_photo(page)


def test_a_gateway_that_is_gone_is_said(page: Page, mounted: str, complaints: list[str]) -> None:
    open_route(page, mounted, "/text")
    page.route("**/text", lambda route: route.abort())
    send(page)
    expect(answer(page)).to_contain_text("The gateway did not answer.")
    complaints.clear()


def test_the_command_is_copied(mounted: str, page: Page) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    open_route(page, mounted, "/text")
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == page.get_by_label("Command").text_content()
