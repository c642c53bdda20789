"""What REST refuses, in which words, and that the server answers the next request.

A row whose name begins with a letter and a number is that case of the contract.
"""

import http.client
import socket
import zlib
from collections.abc import Iterator
from typing import Any

import pytest

from tests.contract.conftest import CheckRefusal
from tests.support.rest import Reply, ask, exchange

GOOD = b'{"instances": [1.0, 2.0, 5.0]}'
PREDICT = "/v1/models/half:predict"

# A method and a path, the status and the whole message.
URLS: dict[str, tuple[str, str, int, str]] = {
    "d1-get-of-nothing-there-is": ("GET", "/v1/foo", 400, "Malformed request: GET /v1/foo"),
    "d1-post-to-nothing-there-is": ("POST", "/v1/foo", 400, "Malformed request: POST /v1/foo"),
    "d1-post-to-all-models": ("POST", "/v1/models", 400, "Malformed request: POST /v1/models"),
    "d1-name-of-two-parts": (
        "GET",
        "/v1/models/debug/model_name",
        400,
        "Malformed request: GET /v1/models/debug/model_name",
    ),
    "d2-no-name": ("GET", "/v1/models", 400, "Missing model name in request."),
    "version-of-no-name": ("GET", "/v1/models/versions/3", 400, "Missing model name in request."),
    "d3-get-of-a-prediction": ("GET", PREDICT, 400, f"Malformed request: GET {PREDICT}"),
    "d4-singular-version": (
        "POST",
        "/v1/models/half/version/123:predict",
        400,
        "Malformed request: POST /v1/models/half/version/123:predict",
    ),
    "d4-version-in-words": (
        "POST",
        "/v1/models/half/versions/HELLO:predict",
        400,
        "Malformed request: POST /v1/models/half/versions/HELLO:predict",
    ),
    "d4-singular-label": (
        "POST",
        "/v1/models/half/label/stable:predict",
        400,
        "Malformed request: POST /v1/models/half/label/stable:predict",
    ),
    "d4-version-and-label": (
        "POST",
        "/v1/models/half/versions/123/labels/stable:predict",
        400,
        "Malformed request: POST /v1/models/half/versions/123/labels/stable:predict",
    ),
    "d4-post-to-metadata": (
        "POST",
        "/v1/models/half/metadata",
        400,
        "Malformed request: POST /v1/models/half/metadata",
    ),
    "d3-get-of-a-classification": (
        "GET",
        "/v1/models/half:classify",
        400,
        "Malformed request: GET /v1/models/half:classify",
    ),
    "d4-regression-by-version-and-label": (
        "POST",
        "/v1/models/half/versions/123/labels/stable:regress",
        400,
        "Malformed request: POST /v1/models/half/versions/123/labels/stable:regress",
    ),
    "d5-regression-by-a-version-over-64-bits": (
        "POST",
        "/v1/models/half/versions/18446744073709551615:regress",
        400,
        "Failed to convert version: 18446744073709551615 to numeric.",
    ),
    "negative-version": (
        "GET",
        "/v1/models/half/versions/-1",
        400,
        "Malformed request: GET /v1/models/half/versions/-1",
    ),
    "empty-version": (
        "POST",
        "/v1/models/half/versions/:predict",
        400,
        "Malformed request: POST /v1/models/half/versions/:predict",
    ),
    "empty-label": (
        "GET",
        "/v1/models/half/labels/",
        400,
        "Malformed request: GET /v1/models/half/labels/",
    ),
    "d5-version-over-64-bits": (
        "POST",
        "/v1/models/half/versions/18446744073709551615:predict",
        400,
        "Failed to convert version: 18446744073709551615 to numeric.",
    ),
    "status-of-a-version-over-64-bits": (
        "GET",
        "/v1/models/half/versions/9223372036854775808",
        400,
        "Failed to convert version: 9223372036854775808 to numeric.",
    ),
    "d21-prediction-with-a-query": (
        "POST",
        f"{PREDICT}?x=1",
        400,
        f"Malformed request: POST {PREDICT}?x=1",
    ),
    "status-with-a-query": (
        "GET",
        "/v1/models/half?x=1",
        404,
        "Could not find any versions of model half?x=1",
    ),
    "slash-behind-all-models": ("GET", "/v1/models/", 400, "Malformed request: GET /v1/models/"),
    "slash-behind-a-model": (
        "GET",
        "/v1/models/half/",
        400,
        "Malformed request: GET /v1/models/half/",
    ),
    "verb-in-another-case": (
        "POST",
        "/v1/models/half:PREDICT",
        400,
        "Malformed request: POST /v1/models/half:PREDICT",
    ),
    "unknown-verb": (
        "POST",
        "/v1/models/half:explain",
        400,
        "Malformed request: POST /v1/models/half:explain",
    ),
    "two-verbs": (
        "POST",
        "/v1/models/half:predict:predict",
        400,
        "Malformed request: POST /v1/models/half:predict:predict",
    ),
    "no-verb": ("POST", "/v1/models/half", 400, "Malformed request: POST /v1/models/half"),
    "verb-of-no-name": (
        "POST",
        "/v1/models/:predict",
        400,
        "Malformed request: POST /v1/models/:predict",
    ),
    "put": ("PUT", "/v1/models/half", 400, "Malformed request: PUT /v1/models/half"),
    "delete": ("DELETE", "/v1/models/half", 400, "Malformed request: DELETE /v1/models/half"),
    "patch": ("PATCH", PREDICT, 400, f"Malformed request: PATCH {PREDICT}"),
    "d7-unknown-model": (
        "POST",
        "/v1/models/foo:predict",
        404,
        "Servable not found for request: Latest(foo)",
    ),
    "d7-unknown-version": (
        "POST",
        "/v1/models/half/versions/50:predict",
        404,
        "Servable not found for request: Specific(half, 50)",
    ),
    "d10-unknown-label": (
        "POST",
        "/v1/models/half/labels/unknown:predict",
        400,
        "Unrecognized servable version label: unknown",
    ),
    "label-of-an-unknown-model": (
        "POST",
        "/v1/models/foo/labels/stable:predict",
        400,
        "Unrecognized servable version label: stable",
    ),
    "escaped-slash-is-part-of-the-name": (
        "POST",
        "/v1/models/half%2Fx%3A+:predict",
        404,
        "Servable not found for request: Latest(half/x:+)",
    ),
    "escapes-that-are-no-utf-8": (
        "GET",
        "/v1/models/%ff",
        404,
        "Could not find any versions of model \ufffd",
    ),
    "status-of-an-unknown-model": (
        "GET",
        "/v1/models/nobody",
        404,
        "Could not find any versions of model nobody",
    ),
    "status-of-an-unknown-version": (
        "GET",
        "/v1/models/half/versions/7",
        404,
        "Could not find version 7 of model half",
    ),
    "status-of-an-unknown-label": (
        "GET",
        "/v1/models/half/labels/other",
        400,
        "Unrecognized servable version label: other",
    ),
    "metadata-of-an-unknown-model": (
        "GET",
        "/v1/models/nobody/metadata",
        404,
        "Servable not found for request: Latest(nobody)",
    ),
    "metadata-of-an-unknown-version": (
        "GET",
        "/v1/models/half/versions/7/metadata",
        404,
        "Servable not found for request: Specific(half, 7)",
    ),
    "metadata-of-an-unknown-label": (
        "GET",
        "/v1/models/half/labels/other/metadata",
        400,
        "Unrecognized servable version label: other",
    ),
}

# What the HTTP layer answers with a page: a method and a path, the status and its phrase.
PAGES: dict[str, tuple[str, str, int, str]] = {
    "d6-status-page": ("GET", "/statuspage", 404, "Not Found"),
    "d6-index": ("POST", "/index", 404, "Not Found"),
    "v1-without-a-slash": ("GET", "/v1", 404, "Not Found"),
    "root": ("GET", "/", 404, "Not Found"),
    "trace": ("TRACE", PREDICT, 501, "Not Implemented"),
    "unknown-method": ("BREW", PREDICT, 501, "Not Implemented"),
    "bracket": ("GET", "/v1/models/half[0]", 400, "Bad Request"),
    "brace-outside-the-api": ("GET", "/{}", 400, "Bad Request"),
    "bar-in-a-query": ("GET", "/v1/models/half?a|b", 400, "Bad Request"),
    "backslash": ("POST", "/v1/models\\half:predict", 400, "Bad Request"),
    "escape-of-one-digit": ("GET", "/v1/models/half%4", 400, "Bad Request"),
    "escape-of-no-digits": ("GET", "/v1/models/%zz/metadata", 400, "Bad Request"),
}

# Bodies that are no JSON, and what is wrong with them at which byte.
SYNTAX: dict[str, tuple[bytes, str]] = {
    "a15-nothing": (b"", "The document is empty"),
    "blanks": (b"  \r\n", "The document is empty. at offset: 4"),
    "brace-that-closes-nothing": (b"}", "The document is empty. at offset: 0"),
    "d8-python": (b"instances = [1, 2]", "Invalid value. at offset: 0"),
    "form": (b"instances=1.0&inputs=2", "Invalid value. at offset: 0"),
    "utf-16": ('{"instances": [1.0]}'.encode("utf-16-le"), "Missing a name for object member."),
    "ends-in-an-object": (b"{", "Missing a name for object member. at offset: 1"),
    "ends-in-a-name": (b'{"insta', "Missing a closing quotation mark in string. at offset: 7"),
    "ends-behind-a-name": (
        b'{"instances"',
        "Missing a colon after a name of object member. at offset: 12",
    ),
    "ends-behind-a-colon": (b'{"instances":', "Invalid value. at offset: 13"),
    "ends-in-a-list": (b'{"instances":[', "Invalid value. at offset: 14"),
    "ends-behind-an-element": (
        b'{"instances":[1',
        "Missing a comma or ']' after an array element. at offset: 15",
    ),
    "ends-behind-a-comma": (b'{"instances":[1,', "Invalid value. at offset: 16"),
    "ends-behind-a-member": (
        b'{"instances":[1]',
        "Missing a comma or '}' after an object member. at offset: 16",
    ),
    "ends-in-a-word": (b'{"a":tru', "Invalid value. at offset: 8"),
    "ends-in-an-exponent": (b'{"instances":[1e', "Miss exponent in number. at offset: 16"),
    "ends-in-an-escape": (b'{"a":"\\', "Invalid escape character in string. at offset: 6"),
    "ends-between-surrogates": (
        b'{"a":"\\ud83d',
        "The surrogate pair in string is invalid. at offset: 6",
    ),
    "name-without-quotes": (b"{instances:[1]}", "Missing a name for object member. at offset: 1"),
    "single-quotes": (b"{'instances':[1]}", "Missing a name for object member. at offset: 1"),
    "comma-behind-the-last-element": (b'{"instances":[1,]}', "Invalid value. at offset: 16"),
    "comma-behind-the-last-member": (
        b'{"instances":[1],}',
        "Missing a name for object member. at offset: 17",
    ),
    "no-comma": (
        b'{"instances":[1 2]}',
        "Missing a comma or ']' after an array element. at offset: 16",
    ),
    "no-value": (b'{"instances":}', "Invalid value. at offset: 13"),
    "comment": (b'{"instances":[1]/**/}', "Missing a comma or '}' after an object member."),
    "another-bracket": (b'{"instances":[1}}', "Missing a comma or ']' after an array element."),
    "nan-in-small-letters": (b'{"instances":[nan]}', "Invalid value. at offset: 15"),
    "nan-in-capital-letters": (b'{"instances":[NAN]}', "Invalid value. at offset: 15"),
    "infinity-with-a-plus": (b'{"instances":[+Infinity]}', "Invalid value. at offset: 14"),
    "infinity-in-python": (b'{"instances":[inf]}', "Invalid value. at offset: 14"),
    "leading-zero": (b'{"instances":[01]}', "Missing a comma or ']' after an array element."),
    "hexadecimal": (b'{"instances":[0x10]}', "Missing a comma or ']' after an array element."),
    "point-without-a-fraction": (
        b'{"instances":[1.]}',
        "Miss fraction part in number. at offset: 16",
    ),
    "fraction-without-a-digit-before": (b'{"instances":[.5]}', "Invalid value. at offset: 14"),
    "minus-alone": (b'{"instances":[-]}', "Invalid value. at offset: 15"),
    "over-double": (
        b'{"instances":[1e400]}',
        "Number too big to be stored in double. at offset: 14",
    ),
    "newline-in-a-string": (
        b'{"a":"x\ny","instances":[1]}',
        "Invalid escape character in string. at offset: 7",
    ),
    "unknown-escape": (b'{"a":"\\x41"}', "Invalid escape character in string. at offset: 6"),
    "escape-that-is-not-hexadecimal": (
        b'{"a":"\\u00g0"}',
        "Incorrect hex digit after \\u escape in string. at offset: 6",
    ),
    "high-surrogate-alone": (
        b'{"a":"\\ud800 "}',
        "The surrogate pair in string is invalid. at offset: 6",
    ),
    "low-surrogate-alone": (
        b'{"a":"\\udc00"}',
        "The surrogate pair in string is invalid. at offset: 6",
    ),
    "nul-in-a-string": (
        b'{"a":"\0"}',
        "Missing a closing quotation mark in string. at offset: 6",
    ),
    "broken-behind-what-is-asked-for": (
        b'{"instances":["wrong type"],"other":[1 2]}',
        "Missing a comma or ']' after an array element. at offset: 39",
    ),
    "a-hundred-thousand-lists": (
        b"[" * 100_000,
        "Nested deeper than the limit of 64 at offset: 64",
    ),
    "deep-instances": (
        b'{"instances":' + b"[" * 64 + b"]" * 64 + b"}",
        "Nested deeper than the limit of 64 at offset: 76",
    ),
    "a3-deep-where-nobody-looks": (
        b'{"instances":[1],"nested":' + b'{"a":' * 500_000,
        "Nested deeper than the limit of 64",
    ),
    "a4-deep-signature-name": (
        b'{"signature_name":' + b"[" * 500_000,
        "Nested deeper than the limit of 64",
    ),
}

HALF = "half"
# A model and the signature to name, the value of `instances`, and a part of the message.
ROWS: dict[str, tuple[str, str, str]] = {
    "rows-as-an-object": (
        HALF,
        '{"x": [1.0]}',
        'JSON Value: {\n    "instances": {\n        "x": [1.0]\n    }\n} Expecting '
        "'instances' to be an list/array",
    ),
    "rows-as-a-number": (HALF, "1.0", "Expecting 'instances' to be an list/array"),
    "no-rows-but-null": (HALF, "null", "Expecting 'instances' to be an list/array"),
    "no-rows": (
        HALF,
        "[]",
        "JSON Value: {\n    \"instances\": []\n} No values in 'instances' array",
    ),
    "a18-longer-row": (
        HALF,
        "[[1,2],[3,4],[5,6,7]]",
        "Failed to process element: 2 of 'instances' list. Error: INVALID_ARGUMENT: Expecting "
        "tensor size: 2 but got: 3",
    ),
    "a19-row-of-another-shape": (
        HALF,
        "[[1,2],[3,4],[[5,6]]]",
        "Expecting shape [2] but got: [1,2]",
    ),
    "a19-list-beside-a-number": (HALF, "[1,[1]]", "Expecting shape [] but got: [1]"),
    "empty-row-beside-a-full-one": (HALF, "[[1],[]]", "Expecting tensor size: 1 but got: 0"),
    "ragged-row": (
        HALF,
        "[[[1,2],[3]]]",
        "Failed to process element: 0 of 'instances' list. Error: INVALID_ARGUMENT: Encountered "
        "list at unexpected size: 1 at level: 1 expected size: 2",
    ),
    "row-deeper-than-it-began": (
        HALF,
        "[[1,[2]]]",
        "Encountered list at unexpected level: 1 expected < 1",
    ),
    "row-flatter-than-it-began": (
        HALF,
        "[[[1],2]]",
        "JSON Value: 2 found at incorrect level: 2 in the JSON DOM. Expected at level: 2",
    ),
    "a22-list-among-objects": (
        HALF,
        '[{"x":1},[1],{"x":1}]',
        "Expecting object but got list at item 1 of input list",
    ),
    "a23-object-among-numbers": (
        HALF,
        '[1,{"x":1}]',
        "Expecting value/list but got object at item 1 of input list",
    ),
    "unknown-key": (
        HALF,
        '[{"x":1},{"x":1,"z":2}]',
        "Failed to process element: 1 key: z of 'instances' list. Error: INVALID_ARGUMENT: JSON "
        "object: does not have named input: z",
    ),
    "key-that-is-no-utf-8": (HALF, '[{"\udcff":1}]', "does not have named input: \ufffd"),
    "missing-key": (
        "dense/add",
        '[{"a":1,"b":2},{"a":1}]',
        "Failed to process element: 1 of 'instances' list. JSON object: {\n    \"a\": 1\n} keys "
        "must be equal to: a,b",
    ),
    "no-keys": (HALF, "[{}]", "JSON object: {} keys must be equal to: x"),
    "key-twice": (
        HALF,
        '[{"x":1,"x":2}]',
        "Failed to process element: 0 key: x of 'instances' list. Error: INVALID_ARGUMENT: JSON "
        "object: has named input more than once: x",
    ),
    "plain-rows-for-two-inputs": (
        "dense/add",
        "[1,2]",
        "instances is a plain list, but expecting list of objects as multiple input tensors "
        "required as per tensorinfo_map",
    ),
    "wrong-value-under-a-key": (
        "dense/add",
        '[{"a":1,"b":2},{"a":1,"b":"2"}]',
        "Failed to process element: 1 key: b of 'instances' list. Error: INVALID_ARGUMENT: JSON "
        'Value: "2" Type: String is not of expected type: int32',
    ),
    "a21-key-of-another-shape": (
        "dense/add",
        '[{"a":[1],"b":2},{"a":[[1]],"b":2}]',
        "Failed to process element: 1 key: a of 'instances' list. Error: INVALID_ARGUMENT: "
        "Expecting shape [1] but got: [1,1]",
    ),
    "columns-the-graph-does-not-have": (
        "dense",
        "[[1,2]]",
        'input "features" is declared [-1, 3] and was given [1, 2]',
    ),
    "text-that-is-no-example": (
        "half/regress_x_to_y",
        '["garbage"]',
        "Could not parse example input, value: 'garbage'",
    ),
    "d9-text-for-a-float": (
        HALF,
        '["x","y"]',
        "Failed to process element: 0 of 'instances' list. Error: INVALID_ARGUMENT: JSON Value: "
        '"x" Type: String is not of expected type: float',
    ),
    "number-in-quotes": (HALF, '["1.0"]', '"1.0" Type: String is not of expected type: float'),
    "null": (HALF, "[1.0,null]", "JSON Value: null Type: Null is not of expected type: float"),
    "true-for-a-float": (HALF, "[true]", "JSON Value: true Type: True is not of expected type"),
    "false-for-an-integer": ("echo/int32", "[false]", "Type: False is not of expected type: int32"),
    "object-in-a-list": (HALF, "[[{}]]", "JSON Value: {} Type: Object is not of expected type"),
    "base64-for-a-float": (HALF, '[{"b64":"AAAA"}]', "Type: Object is not of expected type: float"),
    "text-for-a-half": ("echo/float16", '["1"]', "Type: String is not of expected type: half"),
    "fraction-for-an-integer": (
        "echo/int32",
        "[1.5]",
        "JSON Value: 1.5 Type: Number is not of expected type: int32",
    ),
    "whole-fraction-for-an-integer": (
        "echo/int64",
        "[1.0]",
        "JSON Value: 1.0 Type: Number is not of expected type: int64",
    ),
    "exponent-for-an-integer": (
        "echo/uint8",
        "[1e2]",
        "JSON Value: 100.0 Type: Number is not of expected type: uint8",
    ),
    "nan-for-an-integer": ("echo/int32", "[NaN]", "JSON Value: NaN Type: Number is not of"),
    "over-int8": (
        "echo/int8",
        "[128]",
        'JSON Value: 128 Type: Number is not of expected type: int8: input "x" takes -128 to 127',
    ),
    "below-uint8": ("echo/uint8", "[-1]", 'uint8: input "x" takes 0 to 255'),
    "below-int16": ("echo/int16", "[-32769]", 'int16: input "x" takes -32768 to 32767'),
    "over-uint16": ("echo/uint16", "[65536]", 'uint16: input "x" takes 0 to 65535'),
    "over-int32": ("echo/int32", "[2147483648]", "2147483648 Type: Number is not of expected type"),
    "below-uint32": ("echo/uint32", "[-1]", "Type: Number is not of expected type: uint32"),
    "over-int64": (
        "echo/int64",
        "[9223372036854775808]",
        "9223372036854775808 Type: Number is not of expected type: int64",
    ),
    "over-uint64": (
        "echo/uint64",
        "[18446744073709551616]",
        "Type: Number is not of expected type: uint64",
    ),
    "number-for-a-bool": ("echo/bool", "[1]", "1 Type: Number is not of expected type: bool"),
    "text-for-a-bool": ("echo/bool", '["true"]', "Type: String is not of expected type: bool"),
    "number-for-a-string": ("echo/string", "[5]", "5 Type: Number is not of expected type: string"),
    "null-for-a-string": ("echo/string", "[null]", "Type: Null is not of expected type: string"),
    "complex": (
        "echo/complex64",
        "[1]",
        "Failed to process element: 0 of 'instances' list. Error: UNIMPLEMENTED: Conversion of "
        "JSON Value: 1 to type: complex64",
    ),
    "base64-of-another-alphabet": ("echo/string", '[{"b64":"-_8="}]', "Unable to base64 decode"),
    "base64-with-too-much-padding": ("echo/string", '[{"b64":"aGk=="}]', "Unable to base64 decode"),
    "base64-with-padding-within": (
        "echo/string",
        '[{"b64":"aA==aA=="}]',
        "Unable to base64 decode",
    ),
    "base64-of-one-letter": ("echo/string", '[{"b64":"a"}]', "Unable to base64 decode"),
    "base64-of-a-number": (
        "echo/string",
        '[[{"b64":5}]]',
        'JSON Value: {\n    "b64": 5\n} not formatted correctly for base64 data',
    ),
    "base64-beside-another-key": (
        "echo/string",
        '[[{"b64":"aGk=","x":1}]]',
        "not formatted correctly for base64 data",
    ),
    "base64-beside-another-key-is-an-object-row": (
        "echo/string",
        '[{"b64":"aGk=","x":"hi"}]',
        "does not have named input: b64",
    ),
    "base64-in-another-case": (
        "echo/string",
        '[[{"B64":"aGk="}]]',
        "not formatted correctly for base64 data",
    ),
}

# A model and the signature to name, the value of `inputs`, the status and a part of the message.
COLUMNS: dict[str, tuple[str, str, int, str]] = {
    "null": (HALF, "null", 400, "JSON Value: null Type: Null is not of expected type: float"),
    "text-for-a-float": (HALF, '"x"', 400, 'JSON Value: "x" Type: String is not of expected type'),
    "no-inputs": (HALF, "{}", 400, "Missing named input: x in 'inputs' object."),
    "missing-input": ("dense/add", '{"a":[1]}', 400, "Missing named input: b in 'inputs' object."),
    "plain-value-for-two-inputs": (
        "dense/add",
        "[1]",
        400,
        "inputs is a plain value/list, but expecting an object as multiple input tensors required "
        "as per tensorinfo_map",
    ),
    "the-wrong-one-of-two-is-named": (
        "dense/add",
        '{"a":[1],"b":[2.5]}',
        400,
        'JSON Value: 2.5 Type: Number is not of expected type: int32 (input "b")',
    ),
    "ragged": (
        HALF,
        "[[1,2],[3]]",
        400,
        "Encountered list at unexpected size: 1 at level: 1 expected size: 2",
    ),
    "inputs-that-do-not-go-together": (
        "dense/add",
        '{"a":[1,2],"b":[1,2,3]}',
        400,
        "Incompatible shapes: [3] vs. [2]",
    ),
    "number-for-rows": (
        "dense",
        "1.0",
        400,
        'input "features" is declared [-1, 3] and was given []',
    ),
    "complex": (
        "echo/complex64",
        "[1]",
        501,
        "Conversion of JSON Value: 1 to type: complex64",
    ),
}

# A model, a whole body, the status and a part of the message.
BODIES: dict[str, tuple[str, str, int, str]] = {
    "list": (HALF, "[1]", 400, "JSON Value: [1] Is not object"),
    "text": (HALF, '"instances"', 400, 'JSON Value: "instances" Is not object'),
    "null": (HALF, "null", 400, "JSON Value: null Is not object"),
    "nothing-asked": (HALF, "{}", 400, "Missing 'inputs' or 'instances' key"),
    "key-in-another-case": (HALF, '{"Instances":[1]}', 400, "Missing 'inputs' or 'instances' key"),
    "a17-both": (
        HALF,
        '{"instances":[1],"inputs":[1]}',
        400,
        "\"inputs\": [1]\n} Not formatted correctly expecting only one of 'inputs' or "
        "'instances' keys to exist ",
    ),
    "a16-signature-name-that-is-a-number": (
        HALF,
        '{"instances":["x"],"signature_name":5}',
        400,
        "not formatted correctly. 'signature_name' key must be a string value.",
    ),
    "signature-name-that-is-null": (
        HALF,
        '{"signature_name":null,"instances":[1]}',
        400,
        '{\n    "signature_name": null,\n    "instances": [1]\n} not formatted correctly. '
        "'signature_name' key must be a string value.",
    ),
    "unknown-signature": (
        HALF,
        '{"signature_name":"other","instances":[1.0]}',
        400,
        'Serving signature name: "other" not found in signature def',
    ),
    "no-default-signature": (
        "echo",
        '{"instances":[1.0]}',
        400,
        'Serving signature name: "serving_default" not found in signature def',
    ),
    "d8-syntax-comes-before-the-model": (
        "nobody",
        "instances = [1, 2]",
        400,
        "JSON Parse error: Invalid value. at offset: 0",
    ),
    "signature-name-comes-before-the-model": (
        "nobody",
        '{"signature_name":[]}',
        400,
        "'signature_name' key must be a string value.",
    ),
    "model-comes-before-the-signature": (
        "nobody",
        '{"signature_name":"other"}',
        404,
        "Servable not found for request: Latest(nobody)",
    ),
    "signature-comes-before-the-inputs": (
        HALF,
        '{"signature_name":"other","instances":5}',
        400,
        'Serving signature name: "other" not found in signature def',
    ),
    "d10-model-comes-before-the-inputs": (
        "half/labels/unknown",
        '{"instances":["x","y"]}',
        400,
        "Unrecognized servable version label: unknown",
    ),
}

# A model, a whole body for :classify and for :regress, the status and a part of the message.
EXAMPLES: dict[str, tuple[str, str, int, str]] = {
    "nothing": (HALF, "", 400, "JSON Parse error: The document is empty"),
    "python": (HALF, "examples = [{}]", 400, "JSON Parse error: Invalid value. at offset: 0"),
    "list": (HALF, '[{"x":1.0}]', 400, "] Is not object"),
    "c3-signature-name-that-is-a-list": (
        HALF,
        '{"signature_name":["hello"],"examples":[{}]}',
        400,
        "not formatted correctly. 'signature_name' key must be a string value.",
    ),
    "c4-context-that-is-a-list": (
        HALF,
        '{"context":[{"x":1.0}]}',
        400,
        "Example must be JSON object but got JSON Array",
    ),
    "context-comes-before-examples": (
        HALF,
        '{"examples":[null],"context":{"x":null}}',
        400,
        "Feature: x has element with unexpected JSON type: Null",
    ),
    "no-examples": (
        HALF,
        '{"instances":[1.0]}',
        400,
        "JSON Value: {\n    \"instances\": [1.0]\n} When method is classify, key 'examples' is "
        "expected and was not found",
    ),
    "c5-examples-as-an-object": (
        HALF,
        '{"examples":{"x":1.0}}',
        400,
        "Expecting 'examples' value to be an list/array",
    ),
    "empty-examples": (
        HALF,
        '{"examples":[],"context":{"x":1.0}}',
        400,
        "'examples' value is an empty array",
    ),
    "c6-an-example-that-is-a-list": (
        HALF,
        '{"examples":[[{"x":1.0}]]}',
        400,
        "Example must be JSON object but got JSON Array",
    ),
    "an-example-that-is-a-number": (
        HALF,
        '{"examples":[{"x":1.0},5]}',
        400,
        "Example must be JSON object but got JSON Number",
    ),
    "c7-null-in-a-feature": (
        HALF,
        '{"examples":[{"names":[10,null]}]}',
        400,
        "Feature: names has element with unexpected JSON type: Null",
    ),
    "c7-object-in-a-feature": (
        HALF,
        '{"examples":[{"names":[10,{"test":10}]}]}',
        400,
        "Feature: names has element with unexpected JSON type: Object",
    ),
    "c7-list-in-a-feature": (
        HALF,
        '{"examples":[{"names":[[10],20]}]}',
        400,
        "Feature: names has element with unexpected JSON type: Array",
    ),
    "base64-of-a-number": (
        HALF,
        '{"examples":[{"names":{"b64":5}}]}',
        400,
        "Feature: names has element with unexpected JSON type: Object",
    ),
    "base64-of-another-alphabet": (
        HALF,
        '{"examples":[{"names":[{"b64":"-_8="}]}]}',
        400,
        "Unable to base64 decode",
    ),
    "c8-a-decimal-among-integers": (
        HALF,
        '{"examples":[{"names":[10,10.0]}]}',
        400,
        "Unexpected element type in feature: names expecting type: int64",
    ),
    "an-integer-among-decimals": (
        HALF,
        '{"examples":[{"names":[10.0,10]}]}',
        400,
        "Unexpected element type in feature: names expecting type: float",
    ),
    "a-bool-among-texts": (
        HALF,
        '{"examples":[{"names":["a",true]}]}',
        400,
        "Unexpected element type in feature: names expecting type: bytes",
    ),
    "c9-an-integer-over-int64": (
        HALF,
        '{"examples":[{"names":[20,18446744073709551603]}]}',
        400,
        "Feature: names has uint64_t element. Only int64_t is supported.",
    ),
    "a-name-that-is-no-utf-8": (
        HALF,
        '{"signature_name":"regress_x_to_y","examples":[{"\udcff":null}]}',
        400,
        "Feature: \ufffd has element with unexpected JSON type: Null",
    ),
    "deep-examples": (
        HALF,
        '{"examples":' + "[" * 500_000,
        400,
        "Nested deeper than the limit of 64",
    ),
    "deep-context": (
        HALF,
        '{"context":{"a":' + "[" * 500_000,
        400,
        "Nested deeper than the limit of 64",
    ),
    "broken-behind-what-is-wrong": (
        HALF,
        '{"examples":[null],"other":[1 2]}',
        400,
        "Missing a comma or ']' after an array element. at offset: 30",
    ),
    "body-comes-before-the-model": (
        "nobody",
        '{"examples":[{"x":null}]}',
        400,
        "Feature: x has element with unexpected JSON type: Null",
    ),
    "unknown-model": (
        "nobody",
        '{"examples":[{"x":1.0}]}',
        404,
        "Servable not found for request: Latest(nobody)",
    ),
    "unknown-version": (
        "half/versions/7",
        '{"examples":[{"x":1.0}]}',
        404,
        "Servable not found for request: Specific(half, 7)",
    ),
    "unknown-label": (
        "half/labels/other",
        '{"examples":[{"x":1.0}]}',
        400,
        "Unrecognized servable version label: other",
    ),
    "unknown-signature": (
        HALF,
        '{"signature_name":"other","examples":[{"x":1.0}]}',
        400,
        "No signature was found with the name: other",
    ),
    "a-signature-of-predict": (HALF, '{"examples":[{"x":1.0}]}', 400, "inputs found in Signature"),
}

HEAD = f"POST {PREDICT} HTTP/1.1\r\nHost: x\r\n".encode()
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
# What follows is the HTTP library's.
UNREADABLE = "The request body could not be read: "

# What comes over a connection of its own, the status and a part of the answer, which has no body
# where the request did not get past the HTTP library.
HTTP: dict[str, tuple[bytes, int, str]] = {
    "tls": (b"\x16\x03\x01\x02\0\1\0\1\xfc\x03\x03" + bytes(32), 400, ""),
    "no-version": (b"GET /v1/models/half\r\n\r\n", 400, ""),
    "version-3": (b"GET /v1/models/half HTTP/3.0\r\n\r\n", 400, ""),
    "bracket-in-a-method": (b"G<T /v1/models/half HTTP/1.1\r\n\r\n", 400, ""),
    "path-without-a-slash": (b"GET v1/models/half HTTP/1.1\r\n\r\n", 400, ""),
    "blank-in-a-path": (b"GET /v1/models/half x HTTP/1.1\r\n\r\n", 400, ""),
    "angle-bracket-in-a-path": (b"GET /v1/models/<half> HTTP/1.1\r\n\r\n", 400, ""),
    "control-character-in-a-path": (b"GET /v1/models/\1 HTTP/1.1\r\n\r\n", 400, ""),
    "latin-1-in-a-path": (b"GET /v1/models/\xe9 HTTP/1.1\r\n\r\n", 400, ""),
    "utf-8-in-a-path": (
        "GET /v1/models/模型 HTTP/1.1\r\n\r\n".encode(),
        400,
        "<TITLE>400 Bad Request</TITLE>",
    ),
    "proxy": (
        b"CONNECT half:80 HTTP/1.1\r\n\r\n",
        501,
        "<TITLE>501 Not Implemented</TITLE>",
    ),
    "header-without-a-colon": (HEAD + b"colon\r\n\r\n", 400, ""),
    "header-without-a-name": (HEAD + b": x\r\n\r\n", 400, ""),
    "blank-before-a-colon": (HEAD + b"Content-Length : 2\r\n\r\n{}", 400, ""),
    "nul-in-a-header": (HEAD + b"x: \0\r\n\r\n", 400, ""),
    "too-many-headers": (HEAD + b"x: y\r\n" * 101 + b"\r\n", 431, ""),
    "unknown-expectation": (
        HEAD + b"Expect: 200-ok\r\nContent-Length: 2\r\n\r\n",
        417,
        "<TITLE>417 Expectation Failed</TITLE>",
    ),
    "length-in-words": (HEAD + b"Content-Length: two\r\n\r\n{}", 400, ""),
    "negative-length": (HEAD + b"Content-Length: -2\r\n\r\n{}", 400, ""),
    "two-lengths": (HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", 400, ""),
    "length-over-64-bits": (HEAD + b"Content-Length: 18446744073709551616\r\n\r\n{}", 400, ""),
    "length-over-the-limit": (
        HEAD + b"Content-Length: 1099511627776\r\n\r\n{",
        413,
        "The request body is larger than the limit of 268435456 bytes",
    ),
    "length-shorter-than-the-body": (
        HEAD + b"Content-Length: 29\r\n\r\n" + GOOD,
        400,
        "JSON Parse error: Missing a comma or '}' after an object member. at offset: 29",
    ),
    "chunk-without-a-size": (
        CHUNKED + b"\r\n" + GOOD,
        400,
        UNREADABLE,
    ),
    "chunk-size-in-words": (
        CHUNKED + b"xyz\r\n" + GOOD,
        400,
        UNREADABLE,
    ),
    "chunk-size-over-64-bits": (
        CHUNKED + b"f" * 17 + b"\r\n" + GOOD,
        400,
        UNREADABLE,
    ),
    "chunk-longer-than-its-size": (
        CHUNKED + b"3\r\n" + GOOD + b"\r\n0\r\n\r\n",
        400,
        UNREADABLE,
    ),
    "body-that-ends-by-itself": (HEAD + b"Transfer-Encoding: gzip\r\n\r\n{}", 400, ""),
    "chunks-in-http-1.0": (CHUNKED.replace(b"/1.1", b"/1.0") + b"2\r\n{}\r\n0\r\n\r\n", 400, ""),
    "unknown-encoding": (
        HEAD + b"Content-Encoding: deflate\r\nContent-Length: 35\r\n\r\n" + zlib.compress(GOOD),
        400,
        "JSON Parse error: Invalid value. at offset: 0",
    ),
    "d19-broken-gzip": (
        HEAD + b"Content-Encoding: my_gzip\r\nContent-Length: 5\r\n\r\nabcde",
        400,
        "The request body is no gzip, as its Content-Encoding says: ",
    ),
}

# A body, and the values of its answer.
ANSWERED: dict[str, tuple[bytes, list[Any]]] = {
    "a24-garbage-behind-the-body": (b'{"instances":[1]} garbage ]', [2.5]),
    "byte-order-mark": (b'\xef\xbb\xbf{"instances":[1]}', [2.5]),
    "key-nobody-knows": (b'{"model":null,"instances":[1]}', [2.5]),
    "the-first-of-a-key-twice-counts": (b'{"instances":[1],"instances":["x"]}', [2.5]),
    "escaped-key": (b'{"inst\\u0061nces":[1]}', [2.5]),
    "empty-signature-name": (b'{"signature_name":"","instances":[1]}', [2.5]),
    "shape-that-was-not-declared": (b'{"instances":[[[1]]]}', [[[2.5]]]),
    "empty-rows": (b'{"instances":[[],[]]}', [[], []]),
    "below-float": (b'{"instances":[1e-400,-0]}', [2.0, 2.0]),
    "over-float": (b'{"instances":[1e39,-Infinity]}', [float("inf"), float("-inf")]),
}


class Caller:
    """Sends requests over one connection, or over the next where the server closes it."""

    def __init__(self, serving: Any, check: CheckRefusal) -> None:
        self._serving, self._check = serving, check
        self._connection = http.client.HTTPConnection(serving.rest, timeout=30)

    def refuses(self, method: str, path: str, body: bytes, status: int, message: str) -> Reply:
        """Check that the API refuses a request, and answers the next over the same connection."""
        reply = exchange(self._connection, method, path, body)
        assert self._connection.sock, "the server closes the connection"
        assert reply.headers["content-type"] == "application/json"
        self._check((reply.status, reply.error), status, message)
        self.is_answered()
        return reply

    def is_shown_a_page(self, method: str, path: str, status: int, phrase: str) -> None:
        """Check that the HTTP layer refuses a request, and the next one is answered."""
        reply = exchange(self._connection, method, path, GOOD)
        assert reply.headers["content-type"] == "text/html"
        assert reply.headers["connection"] == "close"
        page = f"<TITLE>{status} {phrase}</TITLE>\n</HEAD><BODY>\n<H1>{phrase}</H1>"
        self._check((reply.status, reply.body.decode()), status, page)
        self.is_answered()

    def has_refused(self, request: bytes, status: int, message: str, *, ends: bool = False) -> None:
        """Check what bytes are answered over a connection of their own, and then the next one."""
        host, port = self._serving.rest.split(":")
        with socket.create_connection((host, int(port)), timeout=30) as stream:
            stream.sendall(request)
            if ends:
                stream.shutdown(socket.SHUT_WR)
            response = http.client.HTTPResponse(stream)
            response.begin()
            found = (response.status, response.read().decode())
        self._check(found, status, message)
        assert bool(found[1]) == bool(message)
        self.is_answered()

    def is_answered(self) -> None:
        reply = exchange(self._connection, "POST", PREDICT, GOOD)
        assert reply.json == {"predictions": [2.5, 3.0, 4.5]}

    def close(self) -> None:
        self._connection.close()


@pytest.fixture
def caller(serving: Any, check_refusal: CheckRefusal) -> Iterator[Caller]:
    caller = Caller(serving, check_refusal)
    yield caller
    caller.close()


@pytest.mark.parametrize(("method", "path", "status", "message"), URLS.values(), ids=URLS)
def test_a_bad_url_is_refused(
    caller: Caller, method: str, path: str, status: int, message: str
) -> None:
    reply = caller.refuses(method, path, GOOD if method == "POST" else b"", status, message)
    assert reply.error == message


@pytest.mark.parametrize(("method", "path", "status", "phrase"), PAGES.values(), ids=PAGES)
def test_what_is_none_of_the_api_is_shown_a_page(
    caller: Caller, method: str, path: str, status: int, phrase: str
) -> None:
    caller.is_shown_a_page(method, path, status, phrase)


@pytest.mark.parametrize(("body", "message"), SYNTAX.values(), ids=SYNTAX)
def test_what_is_no_json_is_refused(caller: Caller, body: bytes, message: str) -> None:
    caller.refuses("POST", PREDICT, body, 400, f"JSON Parse error: {message}")


@pytest.mark.parametrize(("model", "instances", "message"), ROWS.values(), ids=ROWS)
def test_bad_rows_are_refused(caller: Caller, model: str, instances: str, message: str) -> None:
    ask_for(caller, model, "instances", instances, 400, message)


@pytest.mark.parametrize(("model", "inputs", "status", "message"), COLUMNS.values(), ids=COLUMNS)
def test_bad_columns_are_refused(
    caller: Caller, model: str, inputs: str, status: int, message: str
) -> None:
    ask_for(caller, model, "inputs", inputs, status, message)


def ask_for(caller: Caller, model: str, key: str, value: str, status: int, message: str) -> None:
    """Give a value to `model/signature`, or to the default signature."""
    model, _, signature = model.partition("/")
    name = f'"signature_name":"{signature}",' if signature else ""
    body = f'{{{name}"{key}":{value}}}'.encode(errors="surrogateescape")
    caller.refuses("POST", f"/v1/models/{model}:predict", body, status, message)


@pytest.mark.parametrize(("model", "body", "status", "message"), BODIES.values(), ids=BODIES)
def test_a_bad_body_is_refused(
    caller: Caller, model: str, body: str, status: int, message: str
) -> None:
    caller.refuses("POST", f"/v1/models/{model}:predict", body.encode(), status, message)


@pytest.mark.parametrize("verb", ["classify", "regress"])
@pytest.mark.parametrize(("model", "body", "status", "message"), EXAMPLES.values(), ids=EXAMPLES)
def test_bad_examples_are_refused(
    caller: Caller, verb: str, model: str, body: str, status: int, message: str
) -> None:
    encoded = body.encode(errors="surrogateescape")
    caller.refuses("POST", f"/v1/models/{model}:{verb}", encoded, status, message)


@pytest.mark.parametrize(("request_bytes", "status", "message"), HTTP.values(), ids=HTTP)
def test_bad_http_is_refused(
    caller: Caller, request_bytes: bytes, status: int, message: str
) -> None:
    caller.has_refused(request_bytes, status, message)


@pytest.mark.parametrize(
    "head", [HEAD + b"Content-Length: 99\r\n\r\n", CHUNKED + b"1e\r\n"], ids=["length", "chunks"]
)
def test_a_body_that_ends_too_soon_is_refused(caller: Caller, head: bytes) -> None:
    caller.has_refused(head + GOOD, 400, UNREADABLE, ends=True)


def test_an_answer_to_head_has_no_body(caller: Caller, serving: Any) -> None:
    connection = http.client.HTTPConnection(serving.rest, timeout=30)
    reply = exchange(connection, "HEAD", "/v1/models/half")
    connection.close()
    assert (reply.status, reply.body) == (400, b"")
    caller.is_answered()


def test_an_answer_comes_before_the_refusal_of_what_follows_it(serving: Any) -> None:
    host, port = serving.rest.split(":")
    good = HEAD + f"Content-Length: {len(GOOD)}\r\n\r\n".encode() + GOOD
    with socket.create_connection((host, int(port)), timeout=30) as stream:
        stream.sendall(good + b"\0")
        answers = b"".join(iter(lambda: stream.recv(65536), b""))
    assert answers.startswith(b"HTTP/1.1 200 OK")
    assert b"HTTP/1.1 400 Bad Request" in answers


@pytest.mark.parametrize(("body", "predictions"), ANSWERED.values(), ids=ANSWERED)
def test_what_looks_bad_and_is_not_is_answered(
    serving: Any, body: bytes, predictions: list[Any]
) -> None:
    reply = ask(serving.rest, "POST", PREDICT, body)
    assert reply.json == {"predictions": predictions}


def test_text_that_is_no_utf_8_is_passed_on(serving: Any) -> None:
    body = b'{"signature_name":"string","inputs":["\xff\\u0000"]}'
    reply = ask(serving.rest, "POST", "/v1/models/echo:predict", body)
    assert b'"\xff\\u0000"' in reply.body
