"""From what came over the network to the values that a handler asked for."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pydantic_core
from pydantic import ValidationError

from slipway.errors import BadInputError, InputError, UrlTooLongError
from slipway.gateway.base64url import decode_base64, decode_base64_text
from slipway.gateway.images import ImageLimits, decode_image
from slipway.gateway.inputs import Parameter, Upload
from slipway.gateway.strict_json import parse_json
from slipway.gateway.word_list import parse_words

_EXCERPT = 60
_MOST_MISTAKES = 1000
"""Each is described at length before the first can be told."""


@dataclass(frozen=True, slots=True)
class InputLimits:
    """What a request may bring, checked before memory is reserved for it."""

    max_body_bytes: int = 16 * 2**20
    max_image_pixels: int = 40_000_000
    """Width times height, as the file says it before it is decoded."""
    max_json_depth: int = 32
    max_query_bytes: int = 8190
    """As Gunicorn's and nginx's line of a request has it."""
    max_url_file_bytes: int = 6 * 2**10
    """Of the base64 of one file in the URL."""

    @property
    def image(self) -> ImageLimits:
        return ImageLimits(max_bytes=self.max_body_bytes, max_pixels=self.max_image_pixels)


@dataclass(frozen=True, slots=True)
class Decoder:
    """Makes the values of a handler's parameters. All methods raise InputError."""

    limits: InputLimits = field(default_factory=InputLimits)

    def from_texts(self, parameter: Parameter, texts: Sequence[str], *, in_url: bool) -> Any:
        """Return the value of a text, of several for a list, in a query, form or header."""
        name = parameter.name
        if len(texts) > 1 and not parameter.is_container:
            raise BadInputError(f"{name} is there {len(texts)} times: give it once")
        text = texts[0]
        if parameter.kind != "value":
            if in_url and len(text) > self.limits.max_url_file_bytes:
                raise UrlTooLongError(
                    f"{name} has {len(text)} characters, and a URL has room for "
                    f"{self.limits.max_url_file_bytes}: send it by POST, as a file of a multipart "
                    "form"
                )
            if text.startswith("data:"):
                raise BadInputError(f"{name} is a data URL: send what follows its comma")
            return self._from_bytes(parameter, decode_base64(text, what=name))
        if parameter.is_base64:
            texts = [decode_base64_text(each, what=name) for each in texts]
            text = texts[0]
        if not parameter.is_container:
            return _checked(parameter, text, strict=False)
        # Where it comes several times, each is an item; where it comes once, it may be all of them,
        # and always is in base64.
        if len(texts) == 1 and (parameter.is_base64 or text.lstrip().startswith(("[", "{"))):
            return self.from_json(parameter, self._parsed(parameter, text), is_decoded=True)
        return _checked(parameter, list(texts), strict=False)

    def from_json(self, parameter: Parameter, value: Any, *, is_decoded: bool = False) -> Any:
        """Return the value of what JSON has."""
        is_encoded = parameter.kind != "value" or parameter.is_base64
        if is_encoded and not is_decoded and value is not None:
            if not isinstance(value, str):
                raise BadInputError(
                    f"{parameter.name} is {_excerpt(value)}: it must be text, in base64"
                )
            return self.from_texts(parameter, [value], in_url=False)
        if parameter.kind != "value":
            raise BadInputError(f"{parameter.name} is null: leave it out, or send base64")
        return _checked(parameter, value, strict=True)

    def from_upload(self, parameter: Parameter, upload: Upload) -> Any:
        """Return the value of a file in a form."""
        if parameter.kind == "upload":
            return upload
        if parameter.kind == "value":
            try:
                text = upload.data.decode()
            except UnicodeDecodeError as error:
                raise BadInputError(
                    f"{parameter.name} is a file that is no UTF-8 at byte {error.start}: it must "
                    "be text"
                ) from error
            return self.from_texts(parameter, [text], in_url=False)
        return self._from_bytes(parameter, upload.data)

    def parse(self, body: bytes) -> Any:
        """Return the JSON in a body."""
        return parse_json(body, max_depth=self.limits.max_json_depth)

    def from_body(self, parameter: Parameter, body: bytes) -> Any:
        """Return the value of a whole body."""
        if parameter.kind != "value":
            return self._from_bytes(parameter, body)
        if parameter.is_text:
            try:
                text = body.decode()
            except UnicodeDecodeError as error:
                raise BadInputError(f"the body is no UTF-8 at byte {error.start}") from error
            if parameter.is_base64:
                text = decode_base64_text(text, what="the body")
            return _checked(parameter, text, strict=True)
        return self.from_json(parameter, self.parse(body))

    def _from_bytes(self, parameter: Parameter, data: bytes) -> Any:
        if parameter.kind == "bytes":
            return data
        if parameter.kind == "upload":
            return Upload("", "application/octet-stream", data)
        try:
            return decode_image(data, self.limits.image)
        except InputError as error:
            raise type(error)(f"{parameter.name}: {error}") from error

    def _parsed(self, parameter: Parameter, text: str) -> Any:
        """Return the list or object in a text: JSON, or words as Python prints them."""
        try:
            return parse_json(
                text.encode(), max_depth=self.limits.max_json_depth, what=parameter.name
            )
        except BadInputError:
            if not text.lstrip().startswith("['"):
                raise
        return parse_words(text, what=parameter.name)


def _checked(parameter: Parameter, value: Any, *, strict: bool) -> Any:
    """Return a value of the declared type. JSON has types, and is taken at its word: strictly."""
    assert parameter.adapter
    try:
        if strict and not parameter.is_plain:
            return parameter.adapter.validate_json(pydantic_core.to_json(value), strict=True)
        return parameter.adapter.validate_python(value, strict=strict)
    except ValidationError as error:
        raise BadInputError(_reason(parameter, error)) from error


def _reason(parameter: Parameter, error: ValidationError) -> str:
    """Say what is wrong first of all, where, and what was found there."""
    count = error.error_count()
    if count > _MOST_MISTAKES:
        return f"{parameter.name} is not what it must be, in {count} places"
    first = error.errors(include_url=False, include_context=False)[0]
    where = parameter.name + "".join(
        f"[{step}]" if isinstance(step, int) else f".{step}" for step in first["loc"]
    )
    if first["type"] == "missing":
        return f"{where} is missing; found {_excerpt(first['input'])}"
    # "Input should be a valid integer, unable to parse string as an integer"
    message = re.sub(r"^\w+ should (.*?)(, unable to .*)?$", r" must \1", first["msg"])
    if message == first["msg"]:
        message = f": {message[:1].lower()}{message[1:]}"
    return f"{where}{message}; found {_excerpt(first['input'])}"


def _excerpt(value: Any) -> str:
    """Return the beginning of a value, as JSON has it."""
    text = pydantic_core.to_json(value, fallback=str, inf_nan_mode="constants").decode()
    return text if len(text) <= _EXCERPT else f"{text[:_EXCERPT]}..."
