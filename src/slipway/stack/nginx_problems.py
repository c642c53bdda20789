"""What nginx answers by itself when it cannot forward a request, as a client expects it.

Over HTTP that is the form of the gateway, {"status": -1, "error": "..."}. Over gRPC it is a status
in the headers of an HTTP 200, without which clients make up one of their own.
"""

from collections.abc import Mapping
from typing import Final

from slipway.errors import Code
from slipway.stack.nginx_text import block, joined, lines

RETRY_AFTER_S: Final = 1
_PAGE: Final = "/.slipway/problem"
_GRPC_PAGE: Final = "/.slipway/grpc/"
_TOO_LARGE_HEADERS: Final = 494
_PLAIN_TO_TLS: Final = 497
_OWN_STATUS: Final[Mapping[int, int]] = {_TOO_LARGE_HEADERS: 431, _PLAIN_TO_TLS: 400}
"""Numbers that only nginx has, and what clients are told."""
_GRPC_STATUS: Final[Mapping[Code, tuple[int, ...]]] = {
    Code.RESOURCE_EXHAUSTED: (413, 414, _TOO_LARGE_HEADERS),
    Code.UNAVAILABLE: (500, 502, 503),
    Code.DEADLINE_EXCEEDED: (408, 504),
    Code.INTERNAL: (400, 405, _PLAIN_TO_TLS),
}


def problem_map(max_body_bytes: int) -> str:
    """Return the sentence of each status, in the variable $problem."""
    sentences = {
        "400": "this is no HTTP request that is taken",
        "403": "this page answers callers of this machine only; open_pages = true in the "
        "[gateway] section of slipway.toml opens it",
        "404": "there is no such path here",
        "405": "the path does not take this method",
        "408": "the request did not come in time",
        "413": f"the body is larger than the {max_body_bytes} bytes that are taken",
        "414": "the URL is longer than is taken: send what is in it by POST",
        "431": "the headers are more or longer than are taken",
        "502": "nobody is there to answer now: try again",
        "503": "nobody is there to answer now: try again",
        "504": "no answer came in time",
        "default": "this request failed here; the logs have it under the id in X-Request-ID",
    }
    rows = "\n".join(f'{status:8}"{sentence}";' for status, sentence in sentences.items())
    retry = block(
        "map $status $retry_after", lines(f'default ""; 502 {RETRY_AFTER_S}; 503 {RETRY_AFTER_S};')
    )
    return joined([block("map $status $problem", rows), retry])


def problem_pages() -> str:
    """Return the directives of a server that speaks HTTP."""
    other = "\n".join(
        f"error_page {number} ={status} {_PAGE};" for number, status in _OWN_STATUS.items()
    )
    page = block(
        f"location = {_PAGE}",
        lines(
            """
            internal;
            default_type application/json;
            add_header X-Request-ID $request_identity always;
            add_header X-Content-Type-Options nosniff always;
            # Left out where it is empty.
            add_header Retry-After $retry_after always;
            # The status is that of the problem.
            return 200 '{"status":-1,"error":"$problem"}';
            """
        ),
    )
    return joined(
        [
            "# What nginx itself refuses has the form that the gateway gives its failures.\n"
            f"error_page 400 403 404 405 408 411 413 414 500 501 502 503 504 505 {_PAGE};\n{other}",
            page,
        ]
    )


def grpc_problem_pages() -> str:
    """Return the directives of a server that speaks gRPC."""
    head = ["# gRPC tells failures in headers of its own; the HTTP status is 200 throughout."]
    for code, numbers in _GRPC_STATUS.items():
        statuses = " ".join(map(str, numbers))
        head.append(f"error_page {statuses} =200 {_GRPC_PAGE}{code.name.lower()};")
    messages = {
        Code.RESOURCE_EXHAUSTED: "the request is larger than the proxy takes",
        Code.UNAVAILABLE: "no model server answers now: try again",
        Code.DEADLINE_EXCEEDED: "no answer came in time",
        Code.INTERNAL: "the proxy does not take this request",
    }
    pages = [
        block(f"location = {_GRPC_PAGE}{code.name.lower()}", grpc_answer(code, message))
        for code, message in messages.items()
    ]
    return joined(["\n".join(head), *pages])


def grpc_answer(code: Code, message: str) -> str:
    """Return the directives of a location that answers with a gRPC status."""
    # Without a body the headers end the stream: what gRPC calls Trailers-Only.
    internal = "" if code is Code.UNIMPLEMENTED else "internal;\n"
    escaped = message.replace("%", "%25")
    return (
        f"{internal}default_type application/grpc;\n"
        f"add_header grpc-status {int(code)} always;\n"
        f'add_header grpc-message "{escaped}" always;\n'
        "add_header X-Request-ID $request_identity always;\n"
        'return 200 "";'
    )
