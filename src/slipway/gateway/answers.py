"""From what a handler returns to a response.

| a handler returns | the client gets |
|---|---|
| what JSON has; NumPy arrays and numbers in it; bytes in it that are UTF-8 | JSON |
| `Content(data, "audio/wav")` | these bytes with this type |
| a `PIL.Image.Image` | a PNG |
| a Flask or werkzeug response | the same |
"""

import json
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from flask import Response
from PIL.Image import Image
from werkzeug.wrappers import Response as BaseResponse

from slipway.gateway.images import encode_png

JSON: Final = "application/json"


@dataclass(frozen=True, slots=True)
class Content:
    """Bytes with their media type, and further headers."""

    data: bytes
    content_type: str
    headers: dict[str, str] = field(default_factory=dict)


def respond(answer: Any) -> BaseResponse:
    """Return the response for an answer.

    Raises TypeError or ValueError for what JSON does not have, NaN and infinity included.
    """
    if isinstance(answer, BaseResponse):
        return answer
    if isinstance(answer, Image):
        answer = Content(encode_png(answer), "image/png")
    if isinstance(answer, Content):
        return Response(answer.data, content_type=answer.content_type, headers=answer.headers)
    if isinstance(answer, tuple) and len(answer) == 2 and isinstance(answer[1], int):
        raise TypeError(
            "a handler answers with a value, not with a value and a status: return a response of "
            "Flask's for another status"
        )
    return Response(json_text(answer), content_type=JSON)


def json_text(answer: Any) -> str:
    """Return an answer as JSON."""
    return _ENCODER.encode(answer)


def _plain(value: Any) -> Any:
    """Return the JSON-able form of what `json` does not know."""
    if isinstance(value, np.ndarray):
        if value.dtype.kind == "f" and value.dtype.itemsize < 8:
            return _shortest(value)
        return value.tolist()
    if isinstance(value, np.floating):
        return float(str(value))
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, bytes):
        return value.decode()
    raise TypeError(
        f"a handler cannot answer with {type(value).__name__}: JSON has no such type. Return what "
        "JSON has, an image, Content or a response"
    )


def _shortest(value: np.ndarray) -> Any:
    """Return narrow floats as numbers with the digits that they have; tolist makes up others."""
    if value.ndim > 1:
        return [_shortest(row) for row in value]
    return float(str(value[()])) if value.ndim == 0 else list(map(float, map(str, value)))


_ENCODER: Final = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_plain
)
