"""The page that tries the routes in a browser. It learns them from openapi.json, beside it."""

from importlib.resources import files
from typing import Final

from flask import Response

_SCRIPT: Final = "text/javascript; charset=utf-8"
FILES: Final = {
    "/try": ("try.html", "text/html; charset=utf-8"),
    "/try.css": ("try.css", "text/css; charset=utf-8"),
    "/try.js": ("try.js", _SCRIPT),
    "/try_answer.js": ("try_answer.js", _SCRIPT),
    "/try_elements.js": ("try_elements.js", _SCRIPT),
    "/try_fields.js": ("try_fields.js", _SCRIPT),
    "/try_request.js": ("try_request.js", _SCRIPT),
}
"""What the page is made of, by path, with the media type of each file."""
_HEADERS: Final = {
    # It runs its own scripts alone, sends to this gateway alone, and shows pictures that it holds.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    # The file of the next release is another one under the same name.
    "Cache-Control": "no-cache",
}


def page_file(path: str) -> Response:
    """Return the response for one of `FILES`."""
    name, content_type = FILES[path]
    content = (files("slipway.gateway") / "page" / name).read_bytes()
    return Response(content, content_type=content_type, headers=_HEADERS)
