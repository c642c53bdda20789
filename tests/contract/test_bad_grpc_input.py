"""What gRPC refuses, in which words, and that the connection answers the next request.

Requests are in protobuf's text form. A row whose name begins with a letter and a number is that
case of the contract.
"""

import socket
from contextlib import suppress
from typing import Any

import grpc
import numpy as np
import pytest

from tests.contract.conftest import CheckRefusal

# Through no proxy.
DIRECT = [("grpc.enable_http_proxy", 0)]

# A request, the code and a part of the message; or the same for bytes.
Table = dict[str, tuple[str, str, str]]
BytesTable = dict[str, tuple[bytes, str, str]]

MORE_THAN_ONE_CAN_HAVE = 10_001


def spec(name: str, **more: str | int) -> str:
    version = more.pop("version", None)
    fields = [f"{field}: {value!r}" for field, value in {"name": name, **more}.items()]
    fields += [] if version is None else [f"version {{value: {version}}}"]
    return f"model_spec {{{' '.join(fields)}}}"


def given(alias: str, tensor: str) -> str:
    return f'inputs {{key: "{alias}" value {{{tensor}}}}}'


def shape(*dims: int) -> str:
    return "tensor_shape {" + "".join(f"dim {{size: {size}}}" for size in dims) + "}"


FLOATS = f"dtype: DT_FLOAT {shape(2)} float_val: [1, 2]"
INT32 = f"dtype: DT_INT32 {shape(1)} int_val: 1"
INT64 = f"dtype: DT_INT64 {shape(1)} int64_val: 1"
X = given("x", FLOATS)
HALF = spec("half")


def half(tensor: str) -> str:
    """Give a tensor to a signature that wants floats."""
    return f"{HALF} {given('x', tensor)}"


def echo(dtype: str, tensor: str) -> str:
    """Give a tensor to a signature that wants this dtype, of any shape."""
    return f"{spec('echo', signature_name=dtype)} {given('x', tensor)}"


def dense(tensor: str) -> str:
    """Give a tensor to a graph that multiplies a matrix of three columns."""
    return f"{spec('dense')} {given('features', tensor)}"


MODELS: Table = {
    "e1-no-model": (X, "INVALID_ARGUMENT", "Missing ModelSpec"),
    "e1-no-name": (f"model_spec {{}} {X}", "INVALID_ARGUMENT", "ModelSpec has no name specified."),
    "e2-unknown-model": (
        f"{spec('nobody')} {X}",
        "NOT_FOUND",
        "Servable not found for request: Latest(nobody)",
    ),
    "name-in-another-case": (
        f"{spec('HALF')} {X}",
        "NOT_FOUND",
        "Servable not found for request: Latest(HALF)",
    ),
    "name-that-is-a-path": (
        f"{spec('../half')} {X}",
        "NOT_FOUND",
        "Servable not found for request: Latest(../half)",
    ),
    "e2-unknown-version": (
        f"{spec('half', version=7)} {X}",
        "NOT_FOUND",
        "Servable not found for request: Specific(half, 7)",
    ),
    "version-0-is-a-version": (
        f"{spec('half', version=0)} {X}",
        "NOT_FOUND",
        "Servable not found for request: Specific(half, 0)",
    ),
    "negative-version": (
        f"{spec('half', version=-1)} {X}",
        "NOT_FOUND",
        "Servable not found for request: Specific(half, -1)",
    ),
    "unknown-label": (
        f"{spec('half', version_label='other')} {X}",
        "INVALID_ARGUMENT",
        "Unrecognized servable version label: other",
    ),
    "empty-label": (
        f"{spec('half', version_label='')} {X}",
        "INVALID_ARGUMENT",
        "Unrecognized servable version label: ",
    ),
    "label-of-an-unknown-model": (
        f"{spec('nobody', version_label='stable')} {X}",
        "INVALID_ARGUMENT",
        "Unrecognized servable version label: stable",
    ),
    "unknown-signature": (
        f"{spec('half', signature_name='other')} {X}",
        "FAILED_PRECONDITION",
        'Serving signature key "other" not found.',
    ),
    "model-comes-before-signature": (
        spec("nobody", signature_name="other"),
        "NOT_FOUND",
        "Latest(nobody)",
    ),
    "signature-comes-before-inputs": (
        spec("half", signature_name="other"),
        "FAILED_PRECONDITION",
        'Serving signature key "other" not found.',
    ),
}

ALIASES: Table = {
    "e3-no-inputs": (
        HALF,
        "INVALID_ARGUMENT",
        "input size does not match signature: 0!=1 len({}) != len({x}). Sent extra: {}. "
        "Missing but required: {x}.",
    ),
    "e4-unknown-inputs": (
        f"{HALF} {given('unknown_key2', FLOATS)} {given('unknown_key1', 'dtype: DT_STRING')}",
        "INVALID_ARGUMENT",
        "Sent extra: {unknown_key1,unknown_key2}. Missing but required: {x}.",
    ),
    "one-input-too-many": (
        f"{HALF} {X} {given('z', FLOATS)}",
        "INVALID_ARGUMENT",
        "input size does not match signature: 2!=1 len({x,z}) != len({x}). Sent extra: {z}. "
        "Missing but required: {}.",
    ),
    "one-of-two-missing": (
        f"{spec('dense', signature_name='add')} {given('a', INT64)}",
        "INVALID_ARGUMENT",
        "Sent extra: {}. Missing but required: {b}.",
    ),
    "another-alias": (
        f"{HALF} {given('w', FLOATS)}",
        "INVALID_ARGUMENT",
        "Signature input alias: x(feed name: x:0) not found in request and no default value "
        "provided. Inputs expected to be in the request {w}, or default input alias set: {}",
    ),
    "empty-alias": (
        f"{HALF} {given('', FLOATS)}",
        "INVALID_ARGUMENT",
        "Inputs expected to be in the request {}",
    ),
    "alias-too-long-to-be-told": (
        f"{HALF} {given('w' * 5000, FLOATS)}",
        "INVALID_ARGUMENT",
        "w...TRUNCATED",
    ),
    "more-inputs-than-a-message-can-have": (
        HALF + "".join(given(str(number), "") for number in range(MORE_THAN_ONE_CAN_HAVE)),
        "RESOURCE_EXHAUSTED",
        "the message has more than 10000 inputs, names and other fields",
    ),
}

OUTPUTS: Table = {
    "e6-unknown-output": (
        f"{HALF} {X} output_filter: 'output_filter'",
        "INVALID_ARGUMENT",
        "output tensor alias not found in signature: output_filter Outputs expected to be in the "
        "set {y}.",
    ),
    "e7-output-named-twice": (
        f"{HALF} {X} output_filter: ['y', 'y']",
        "INVALID_ARGUMENT",
        "duplicate output tensor alias: y",
    ),
    "unknown-output-beside-a-known-one": (
        f"{HALF} {X} output_filter: ['y', 'Y']",
        "INVALID_ARGUMENT",
        "output tensor alias not found in signature: Y Outputs",
    ),
    "output-without-a-name": (
        f"{HALF} {X} output_filter: ''",
        "INVALID_ARGUMENT",
        "output tensor alias not found in signature:  Outputs",
    ),
    "inputs-come-before-outputs": (
        f"{HALF} output_filter: 'nothing'",
        "INVALID_ARGUMENT",
        "Missing but required: {x}.",
    ),
    "more-outputs-than-a-message-can-have": (
        HALF + X + "output_filter: 'y'" * MORE_THAN_ONE_CAN_HAVE,
        "RESOURCE_EXHAUSTED",
        "the message has more than 10000 inputs, names and other fields",
    ),
}

DTYPES: Table = {
    "e5-bool-for-float": (
        half("dtype: DT_BOOL bool_val: true"),
        "INVALID_ARGUMENT",
        'Expects arg[0] to be float but bool is provided (input "x" of signature '
        '"serving_default")',
    ),
    "e5-string-for-float": (
        half("dtype: DT_STRING string_val: 'text'"),
        "INVALID_ARGUMENT",
        "to be float but string is provided",
    ),
    "double-for-float": (
        half("dtype: DT_DOUBLE double_val: 1"),
        "INVALID_ARGUMENT",
        "to be float but double is provided",
    ),
    "the-second-input-is-named": (
        f"{spec('dense', signature_name='add')} {given('a', INT64)} {given('b', INT64)}",
        "INVALID_ARGUMENT",
        'Expects arg[1] to be int32 but int64 is provided (input "b" of signature "add")',
    ),
    "int32-for-int64": (echo("int64", INT32), "INVALID_ARGUMENT", "to be int64 but int32"),
    "int64-for-string": (echo("string", INT64), "INVALID_ARGUMENT", "to be string but int64"),
    "int8-for-uint8": (
        echo("uint8", "dtype: DT_INT8 int_val: 1"),
        "INVALID_ARGUMENT",
        "to be uint8 but int8",
    ),
    "uint32-for-int32": (
        echo("int32", "dtype: DT_UINT32 uint32_val: 1"),
        "INVALID_ARGUMENT",
        "to be int32 but uint32",
    ),
    "half-for-bfloat16": (
        echo("bfloat16", "dtype: DT_HALF half_val: 0"),
        "INVALID_ARGUMENT",
        "to be bfloat16 but half",
    ),
    "complex128-for-complex64": (
        echo("complex64", "dtype: DT_COMPLEX128"),
        "INVALID_ARGUMENT",
        "to be complex64 but complex128",
    ),
    "quantized-for-plain": (
        echo("int8", "dtype: DT_QINT8 int_val: 1"),
        "INVALID_ARGUMENT",
        "to be int8 but qint8",
    ),
    "resource": (
        half("dtype: DT_RESOURCE resource_handle_val {name: 'queue'}"),
        "INVALID_ARGUMENT",
        "to be float but resource is provided",
    ),
    "variant": (
        half("dtype: DT_VARIANT variant_val {type_name: 'tensorflow::Tensor'}"),
        "INVALID_ARGUMENT",
        "to be float but variant is provided",
    ),
    "wrong-dtype-comes-before-its-huge-shape": (
        half(f"dtype: DT_UINT8 {shape(2**28)} int_val: 1"),
        "INVALID_ARGUMENT",
        "to be float but uint8 is provided",
    ),
    "no-dtype": (
        half(f"{shape(2)} float_val: [1, 2]"),
        "INVALID_ARGUMENT",
        "tensor parsing error: x: unsupported dtype number 0",
    ),
    "no-tensor": (half(""), "INVALID_ARGUMENT", "x: unsupported dtype number 0"),
    "reference": (
        half("dtype: DT_FLOAT_REF float_val: 1"),
        "INVALID_ARGUMENT",
        "tensor parsing error: x: unsupported dtype number 101",
    ),
    "dtype-nobody-has-assigned": (
        half("dtype: 99 float_val: 1"),
        "INVALID_ARGUMENT",
        "tensor parsing error: x: unsupported dtype number 99",
    ),
    "negative-dtype": (
        half("dtype: -1 float_val: 1"),
        "INVALID_ARGUMENT",
        "tensor parsing error: x: unsupported dtype number -1",
    ),
    "four-bits": (
        half("dtype: 29 int_val: 1"),
        "INVALID_ARGUMENT",
        "tensor parsing error: x: unsupported dtype number 29",
    ),
}

SHAPES: Table = {
    "negative-dim": (
        half(f"dtype: DT_FLOAT {shape(-1)} float_val: 1"),
        "INVALID_ARGUMENT",
        "tensor parsing error: x: shape [-1] is not a valid tensor shape",
    ),
    "smallest-dim": (
        half(f"dtype: DT_FLOAT {shape(2, -(2**63))}"),
        "INVALID_ARGUMENT",
        "x: shape [2, -9223372036854775808] is not a valid tensor shape",
    ),
    "product-over-64-bits": (
        half(f"dtype: DT_FLOAT {shape(2**62, 4)} float_val: 1"),
        "INVALID_ARGUMENT",
        "x: shape [4611686018427387904, 4] is not a valid tensor shape",
    ),
    "product-over-64-bits-before-a-zero": (
        half(f"dtype: DT_FLOAT {shape(2**62, 4, 0)}"),
        "INVALID_ARGUMENT",
        "x: shape [4611686018427387904, 4, 0] is not a valid tensor shape",
    ),
    "one-dim-too-many": (
        half(f"dtype: DT_FLOAT {shape(*[1] * 255)} float_val: 1"),
        "INVALID_ARGUMENT",
        "tensor parsing error: x: more than 254 dims",
    ),
    "far-more-dims": (
        half(f"dtype: DT_FLOAT {shape(*[1] * 2**16)} float_val: 1"),
        "INVALID_ARGUMENT",
        "tensor parsing error: x: more than 254 dims",
    ),
    "huge-shape-of-one-value": (
        half(f"dtype: DT_FLOAT {shape(2**20, 2**20)} float_val: 1"),
        "RESOURCE_EXHAUSTED",
        "x: 1099511627776 elements are more than the limit of 268435456 bytes",
    ),
    "huge-shape-of-no-value": (
        echo("int64", f"dtype: DT_INT64 {shape(2**62)}"),
        "RESOURCE_EXHAUSTED",
        "x: 4611686018427387904 elements are more than the limit of 268435456 bytes",
    ),
    "huge-shape-of-one-text": (
        echo("string", f"dtype: DT_STRING {shape(2**23)} string_val: 'some text of 24 letters.'"),
        "RESOURCE_EXHAUSTED",
        "elements are more than the limit of 268435456 bytes",
    ),
    "columns-the-graph-does-not-have": (
        dense(f"dtype: DT_FLOAT {shape(2, 5)}"),
        "INVALID_ARGUMENT",
        'input "features" is declared [-1, 3] and was given [2, 5]',
    ),
    "a-row-for-rows": (
        dense(f"dtype: DT_FLOAT {shape(3)}"),
        "INVALID_ARGUMENT",
        'input "features" is declared [-1, 3] and was given [3]',
    ),
    "a-number-for-rows": (
        dense("dtype: DT_FLOAT float_val: 1"),
        "INVALID_ARGUMENT",
        'input "features" is declared [-1, 3] and was given []',
    ),
    "inputs-that-do-not-go-together": (
        spec("dense", signature_name="add")
        + given("a", f"dtype: DT_INT64 {shape(3)}")
        + given("b", f"dtype: DT_INT32 {shape(2, 2)}"),
        "INVALID_ARGUMENT",
        'input "b" is declared [-1] and was given [2, 2]',
    ),
}

VALUES: Table = {
    "content-too-short": (
        half(f"dtype: DT_FLOAT {shape(3)} tensor_content: '\\0\\0\\0\\0\\0'"),
        "INVALID_ARGUMENT",
        "tensor parsing error: x: tensor_content has 5 bytes, 3 float elements take 12",
    ),
    "content-too-long": (
        echo("int16", f"dtype: DT_INT16 {shape(1)} tensor_content: '\\1\\2\\3'"),
        "INVALID_ARGUMENT",
        "tensor parsing error: x: tensor_content has 3 bytes, 1 int16 elements take 2",
    ),
    "content-without-a-shape": (
        half("dtype: DT_FLOAT tensor_content: '\\0\\0\\0\\0\\0\\0\\0\\0'"),
        "INVALID_ARGUMENT",
        "x: tensor_content has 8 bytes, 1 float elements take 4",
    ),
    "content-wins-over-a-list-that-fits": (
        half("dtype: DT_FLOAT float_val: 1 tensor_content: '\\0'"),
        "INVALID_ARGUMENT",
        "x: tensor_content has 1 bytes, 1 float elements take 4",
    ),
    "content-that-is-no-bool": (
        echo("bool", f"dtype: DT_BOOL {shape(2)} tensor_content: '\\1\\2'"),
        "INVALID_ARGUMENT",
        "x: a bool in tensor_content is neither 0 nor 1",
    ),
    "content-of-too-few-strings": (
        echo("string", f"dtype: DT_STRING {shape(3)} tensor_content: '\\1\\1'"),
        "INVALID_ARGUMENT",
        "x: tensor_content does not hold exactly 3 strings",
    ),
    "content-behind-the-last-string": (
        echo("string", f"dtype: DT_STRING {shape(1)} tensor_content: '\\1ab'"),
        "INVALID_ARGUMENT",
        "x: tensor_content does not hold exactly 1 strings",
    ),
    "content-whose-lengths-overflow": (
        echo(
            "string",
            f"dtype: DT_STRING {shape(2)} tensor_content: '" + ("\\377" * 9 + "\\1") * 2 + "'",
        ),
        "INVALID_ARGUMENT",
        "x: tensor_content does not hold exactly 2 strings",
    ),
    "too-many-floats": (
        half(f"dtype: DT_FLOAT {shape(1)} float_val: [1, 2]"),
        "INVALID_ARGUMENT",
        "tensor parsing error: x: 2 values were given for a shape of 1 elements",
    ),
    "too-many-ints": (
        echo("int32", f"dtype: DT_INT32 {shape(1, 2)} int_val: [1, 2, 3]"),
        "INVALID_ARGUMENT",
        "x: 3 values were given for a shape of 2 elements",
    ),
    "too-many-bools": (
        echo("bool", "dtype: DT_BOOL bool_val: [true, false]"),
        "INVALID_ARGUMENT",
        "x: 2 values were given for a shape of 1 elements",
    ),
    "too-many-strings": (
        echo("string", f"dtype: DT_STRING {shape(2)} string_val: ['a', 'b', 'c']"),
        "INVALID_ARGUMENT",
        "x: 3 values were given for a shape of 2 elements",
    ),
    "an-unknown-rank-is-that-of-a-scalar": (
        half("dtype: DT_FLOAT tensor_shape {unknown_rank: true} float_val: [1, 2, 5]"),
        "INVALID_ARGUMENT",
        "x: 3 values were given for a shape of 1 elements",
    ),
    "half-a-complex-number": (
        echo("complex64", f"dtype: DT_COMPLEX64 {shape(2)} scomplex_val: [1, 2, 3]"),
        "INVALID_ARGUMENT",
        "tensor parsing error: x: a value is incomplete",
    ),
    "over-int8": (
        echo("int8", "dtype: DT_INT8 int_val: 128"),
        "INVALID_ARGUMENT",
        "tensor parsing error: x: value 128 does not fit int8",
    ),
    "below-uint8": (
        echo("uint8", "dtype: DT_UINT8 int_val: -1"),
        "INVALID_ARGUMENT",
        "x: value -1 does not fit uint8",
    ),
    "below-int16": (
        echo("int16", f"dtype: DT_INT16 {shape(2)} int_val: [0, -32769]"),
        "INVALID_ARGUMENT",
        "x: value -32769 does not fit int16",
    ),
    "over-uint16": (
        echo("uint16", "dtype: DT_UINT16 int_val: 65536"),
        "INVALID_ARGUMENT",
        "x: value 65536 does not fit uint16",
    ),
    "over-the-bits-of-half": (
        echo("float16", "dtype: DT_HALF half_val: 65536"),
        "INVALID_ARGUMENT",
        "x: value 65536 does not fit half",
    ),
    "below-the-bits-of-bfloat16": (
        echo("bfloat16", "dtype: DT_BFLOAT16 half_val: -1"),
        "INVALID_ARGUMENT",
        "x: value -1 does not fit bfloat16",
    ),
    "text-that-is-no-example": (
        spec("half", signature_name="regress_x_to_y")
        + given("inputs", f"dtype: DT_STRING {shape(1)} string_val: 'garbage'"),
        "INVALID_ARGUMENT",
        "Could not parse example input, value: 'garbage'",
    ),
}


def examples(*features: str, context: str | None = None) -> str:
    """Give an input; a feature is that of an example."""
    listed = " ".join(f"examples {{features {{{feature}}}}}" for feature in features)
    if context is None:
        return f"input {{example_list {{{listed}}}}}"
    shared = f"context {{features {{{context}}}}}"
    return f"input {{example_list_with_context {{{listed} {shared}}}}}"


def feature(name: str, values: str) -> str:
    return f'feature {{key: "{name}" value {{{values}}}}}'


X_2 = examples(feature("x", "float_list {value: 2}"))
X_TO_Y = spec("half", signature_name="regress_x_to_y")
X_TO_Y2 = spec("half", signature_name="regress_x_to_y2")

# For Classify and for Regress.
EXAMPLES: Table = {
    "no-model": (X_2, "INVALID_ARGUMENT", "Missing ModelSpec"),
    "no-name": (f"model_spec {{}} {X_2}", "INVALID_ARGUMENT", "ModelSpec has no name specified."),
    "unknown-model": (
        f"{spec('nobody')} {X_2}",
        "NOT_FOUND",
        "Servable not found for request: Latest(nobody)",
    ),
    "unknown-version": (
        f"{spec('half', version=7)} {X_2}",
        "NOT_FOUND",
        "Servable not found for request: Specific(half, 7)",
    ),
    "unknown-label": (
        f"{spec('half', version_label='other')} {X_2}",
        "INVALID_ARGUMENT",
        "Unrecognized servable version label: other",
    ),
    "unknown-signature": (
        f"{spec('half', signature_name='other')} {X_2}",
        "INVALID_ARGUMENT",
        "No signature was found with the name: other",
    ),
    "no-default-signature": (
        f"{spec('counter')} {X_2}",
        "INVALID_ARGUMENT",
        "No signature was found with the name: serving_default",
    ),
    "model-comes-before-signature": (
        spec("nobody", signature_name="other"),
        "NOT_FOUND",
        "Latest(nobody)",
    ),
    "signature-comes-before-input": (
        spec("half", signature_name="other"),
        "INVALID_ARGUMENT",
        "No signature was found with the name: other",
    ),
    "structure-comes-before-input": (HALF, "INVALID_ARGUMENT", "inputs found in SignatureDef: "),
}

REGRESS: Table = {
    "e17-no-input": (X_TO_Y, "INVALID_ARGUMENT", "Input is empty."),
    "e17-input-of-no-kind": (f"{X_TO_Y} input {{}}", "INVALID_ARGUMENT", "Input is empty."),
    "e17-no-examples": (f"{X_TO_Y} {examples()}", "INVALID_ARGUMENT", "Input is empty."),
    "e17-no-examples-but-a-context": (
        f"{X_TO_Y} {examples(context=feature('x', 'float_list {value: 2}'))}",
        "INVALID_ARGUMENT",
        "Input is empty.",
    ),
    "e17-empty-comes-before-the-dtype": (
        spec("half", signature_name="regress_x2_to_y3"),
        "INVALID_ARGUMENT",
        "Input is empty.",
    ),
    "a-context-of-another-kind": (
        f"{X_TO_Y} {examples('', context=feature('x', 'int64_list {value: 2}'))}",
        "INVALID_ARGUMENT",
        "Data type: int64 but expected type: float",
    ),
    "a-feature-of-no-values": (
        f"{X_TO_Y} {examples(feature('x', 'float_list {}'))}",
        "INVALID_ARGUMENT",
        "Key: x, Index: 0.  Number of float values != expected",
    ),
}


def tasks(*given: tuple[str, str]) -> str:
    """Give tasks: a model_spec and what is asked of it."""
    texts = (f"tasks {{{spec} method_name: 'tensorflow/serving/{name}'}}" for spec, name in given)
    return " ".join(texts)


Y = (X_TO_Y, "regress")
Y2 = (X_TO_Y2, "regress")
MULTI_INFERENCE: Table = {
    "no-tasks": (X_2, "INVALID_ARGUMENT", "ModelSpec has no name specified."),
    "no-model": (f"{tasks(('', 'regress'))} {X_2}", "INVALID_ARGUMENT", "ModelSpec has no name"),
    "e24-no-input": (tasks(Y, Y2), "INVALID_ARGUMENT", "Input is empty."),
    "e24-no-examples": (f"{tasks(Y)} {examples()}", "INVALID_ARGUMENT", "Input is empty."),
    "unknown-model": (
        f"{tasks((spec('nobody'), 'regress'))} {X_2}",
        "NOT_FOUND",
        "Servable not found for request: Latest(nobody)",
    ),
    "unknown-version-of-the-first-task": (
        f"{tasks((spec('half', version=7), 'regress'), Y)} {X_2}",
        "NOT_FOUND",
        "Servable not found for request: Specific(half, 7)",
    ),
    "unknown-label-of-the-first-task": (
        f"{tasks((spec('half', version_label='other'), 'regress'), Y)} {X_2}",
        "INVALID_ARGUMENT",
        "Unrecognized servable version label: other",
    ),
    "e24-unknown-signature": (
        f"{tasks(Y, (spec('half', signature_name='other'), 'regress'))} {X_2}",
        "INVALID_ARGUMENT",
        "Requested signature not found in model graph: other",
    ),
    "no-default-signature": (
        f"{tasks((spec('counter'), 'regress'))} {X_2}",
        "INVALID_ARGUMENT",
        "Requested signature not found in model graph: serving_default",
    ),
    "e24-another-model": (
        f"{tasks(Y, (spec('counter', signature_name='regress'), 'regress'))} {X_2}",
        "INVALID_ARGUMENT",
        "All ModelSpecs in a MultiInferenceRequest must access the same model name.",
    ),
    "a-model-without-a-name-behind-one-with": (
        f"{tasks(Y, ('model_spec {}', 'regress'))} {X_2}",
        "INVALID_ARGUMENT",
        "Found ModelSpec with an empty model name.",
    ),
    "e24-the-same-signature-twice": (
        f"{tasks(Y, Y2, Y)} {X_2}",
        "INVALID_ARGUMENT",
        "Duplicate evaluation of signature: regress_x_to_y",
    ),
    "the-default-signature-twice": (
        tasks(
            (spec("regress_echo"), "regress"),
            (spec("regress_echo", signature_name="serving_default"), "regress"),
        ),
        "INVALID_ARGUMENT",
        "Duplicate evaluation of signature: serving_default",
    ),
    "e25-predict": (
        f"{tasks(Y, (X_TO_Y2, 'predict'))} {X_2}",
        "UNIMPLEMENTED",
        "Unsupported signature method_name: tensorflow/serving/predict",
    ),
    "no-method": (
        f"tasks {{{X_TO_Y}}} {X_2}",
        "UNIMPLEMENTED",
        "Unsupported signature method_name: ",
    ),
    "method-without-its-prefix": (
        f"tasks {{{X_TO_Y} method_name: 'regress'}} {X_2}",
        "UNIMPLEMENTED",
        "Unsupported signature method_name: regress",
    ),
    "signature-comes-before-method": (
        tasks((spec("half", signature_name="other"), "predict")),
        "INVALID_ARGUMENT",
        "Requested signature not found in model graph: other",
    ),
    "method-that-the-signature-is-not-for": (
        f"{tasks(Y, (X_TO_Y2, 'classify'))} {X_2}",
        "INVALID_ARGUMENT",
        "Expected classification signature outputs to contain at least one of",
    ),
    "a-signature-of-floats-among-others": (
        f"{tasks(Y, (spec('half', signature_name='regress_x2_to_y3'), 'regress'))} {X_2}",
        "INVALID_ARGUMENT",
        'to be float but string is provided (input "inputs" of signature "regress_x2_to_y3")',
    ),
    "outputs-that-are-not-what-one-task-wants": (
        tasks(
            (spec("regress_echo"), "regress"),
            (spec("regress_echo", signature_name="twice"), "regress"),
        )
        + X_2,
        "INVALID_ARGUMENT",
        "Input batch size did not match output batch size: 1 vs. 2",
    ),
    "more-tasks-than-a-message-can-have": (
        "tasks {}" * MORE_THAN_ONE_CAN_HAVE,
        "RESOURCE_EXHAUSTED",
        "the message has more than 10000 inputs, names and other fields",
    ),
}

METADATA: Table = {
    "f7-no-model": ("metadata_field: 'signature_def'", "INVALID_ARGUMENT", "Missing ModelSpec"),
    "no-model-comes-before-no-field": ("", "INVALID_ARGUMENT", "Missing ModelSpec"),
    "f6-no-field": (
        HALF,
        "INVALID_ARGUMENT",
        "GetModelMetadataRequest must specify at least one metadata_field",
    ),
    "f6-unknown-field": (
        f"{HALF} metadata_field: 'some_stuff'",
        "INVALID_ARGUMENT",
        "Metadata field some_stuff is not supported",
    ),
    "unknown-field-beside-the-known-one": (
        f"{HALF} metadata_field: ['signature_def', 'SIGNATURE_DEF']",
        "INVALID_ARGUMENT",
        "Metadata field SIGNATURE_DEF is not supported",
    ),
    "fields-come-before-the-model": (
        f"{spec('nobody')} metadata_field: ''",
        "INVALID_ARGUMENT",
        "Metadata field  is not supported",
    ),
    "f7-no-name": (
        "model_spec {} metadata_field: 'signature_def'",
        "INVALID_ARGUMENT",
        "ModelSpec has no name specified.",
    ),
    "f7-unknown-model": (
        f"{spec('nobody')} metadata_field: 'signature_def'",
        "NOT_FOUND",
        "Servable not found for request: Latest(nobody)",
    ),
    "unknown-version": (
        f"{spec('half', version=7)} metadata_field: 'signature_def'",
        "NOT_FOUND",
        "Servable not found for request: Specific(half, 7)",
    ),
    "unknown-label": (
        f"{spec('half', version_label='other')} metadata_field: 'signature_def'",
        "INVALID_ARGUMENT",
        "Unrecognized servable version label: other",
    ),
    "more-fields-than-a-message-can-have": (
        HALF + "metadata_field: 'signature_def'" * MORE_THAN_ONE_CAN_HAVE,
        "RESOURCE_EXHAUSTED",
        "the message has more than 10000 inputs, names and other fields",
    ),
}

STATUS: Table = {
    "f1-no-model": ("", "INVALID_ARGUMENT", "Missing ModelSpec"),
    "f2-unknown-model": (
        spec("nobody"),
        "NOT_FOUND",
        "Could not find any versions of model nobody",
    ),
    "no-name": ("model_spec {}", "NOT_FOUND", "Could not find any versions of model "),
    "f2-unknown-version": (
        spec("half", version=7),
        "NOT_FOUND",
        "Could not find version 7 of model half",
    ),
    "version-of-an-unknown-model": (
        spec("nobody", version=-9),
        "NOT_FOUND",
        "Could not find version -9 of model nobody",
    ),
    "unknown-label": (
        spec("half", version_label="other"),
        "INVALID_ARGUMENT",
        "Unrecognized servable version label: other",
    ),
}

ONLY_A_LIST = (
    "ServerModelConfig type not supported by HandleReloadConfigRequest. Only ModelConfigList is "
    "currently supported"
)
RELOAD: Table = {
    "no-config": ("", "INVALID_ARGUMENT", ONLY_A_LIST),
    "config-of-no-kind": ("config {}", "INVALID_ARGUMENT", ONLY_A_LIST),
    "config-of-another-kind": (
        "config {custom_model_config {type_url: 'type.googleapis.com/no.Such' value: '\\1'}}",
        "INVALID_ARGUMENT",
        ONLY_A_LIST,
    ),
}

# A model_spec that names `half`.
HALF_BYTES = b"\x0a\x06\x0a\x04half"


def field(number: int, content: bytes) -> bytes:
    length = len(content)
    assert length < 1 << 14
    size = [length] if length < 1 << 7 else [length & 0x7F | 0x80, length >> 7]
    return bytes([number << 3 | 2, *size]) + content


def x_bytes(tensor: bytes, spec: bytes = b"\x0a\x04half") -> bytes:
    """Give an input `x` with these fields to the model of this spec."""
    return field(1, spec) + field(2, b"\x0a\x01x" + field(2, tensor))


MALFORMED: BytesTable = {
    "json": (b'{"instances": [1.0]}', "INTERNAL", "failed to decode Protobuf message"),
    "key-that-does-not-end": (HALF_BYTES + b"\xff", "INTERNAL", "invalid varint"),
    "key-of-eleven-bytes": (b"\xff" * 11, "INTERNAL", "invalid varint"),
    "field-number-0": (HALF_BYTES + b"\x02\x00", "INTERNAL", "invalid tag value: 0"),
    "wire-type-7": (HALF_BYTES + b"\x0f", "INTERNAL", "invalid wire type value: 7"),
    "end-of-a-group-that-did-not-begin": (
        HALF_BYTES + b"\x54",
        "INTERNAL",
        "unexpected end group tag",
    ),
    "group-that-does-not-end": (HALF_BYTES + b"\x53", "INTERNAL", "failed to decode"),
    "groups-without-end": (b"\x53" * 100_000, "INTERNAL", "recursion limit reached"),
    "length-behind-the-end": (b"\x0a\x7f\x0a\x04half", "INTERNAL", "buffer underflow"),
    "length-over-64-bits": (b"\x0a" + b"\xff" * 9 + b"\x7f", "INTERNAL", "invalid varint"),
    "message-as-a-number": (
        b"\x08\x01",
        "INTERNAL",
        "PredictRequest.model_spec: invalid wire type: Varint (expected LengthDelimited)",
    ),
    "name-that-is-no-utf-8": (
        b"\x0a\x06\x0a\x04hal\xff",
        "INTERNAL",
        "ModelSpec.name: PredictRequest.model_spec: invalid string value: data is not UTF-8",
    ),
    "alias-that-is-no-utf-8": (
        HALF_BYTES + b"\x12\x03\x0a\x01\xff",
        "INTERNAL",
        "PredictRequest.inputs: invalid string value: data is not UTF-8",
    ),
    "float-of-three-bytes": (
        x_bytes(b"\x08\x01\x2a\x03\0\0\0"),
        "INTERNAL",
        "TensorProto.float_val: PredictRequest.inputs: packed list ends within an element",
    ),
    "list-that-ends-within-a-varint": (
        x_bytes(b"\x08\x01\x3a\x02\x01\xff"),
        "INTERNAL",
        "TensorProto.int_val: PredictRequest.inputs: packed list ends within an element",
    ),
    "float-as-eight-bytes": (
        x_bytes(b"\x08\x01\x29" + bytes(8)),
        "INTERNAL",
        "PredictRequest.inputs: invalid wire type: SixtyFourBit (expected ThirtyTwoBit)",
    ),
    "varint-of-eleven-bytes-in-a-list": (
        x_bytes(b"\x08\x03\x3a\x0b" + b"\xff" * 10 + b"\1", b"\x0a\x04echo\x1a\x05int32"),
        "INVALID_ARGUMENT",
        "tensor parsing error: x: a value is no varint",
    ),
    "dims-in-several-shapes": (
        x_bytes(b"\x08\x01" + field(2, b"\x12\0" * 200) * 2),
        "INVALID_ARGUMENT",
        "tensor parsing error: x: more than 254 dims",
    ),
    "the-last-of-version-and-label-counts": (
        b"\x0a\x10\x0a\x04half\x12\x02\x08\x7b\x22\x04none",
        "INVALID_ARGUMENT",
        "Unrecognized servable version label: none",
    ),
    "the-last-of-label-and-version-counts": (
        b"\x0a\x12\x0a\x04half\x22\x06stable\x12\x02\x08\x07",
        "NOT_FOUND",
        "Servable not found for request: Specific(half, 7)",
    ),
    "nothing": (b"", "INVALID_ARGUMENT", "Missing ModelSpec"),
}

X_TO_Y_BYTES = field(1, b"\x0a\x04half\x1a\x0eregress_x_to_y")


def listed(*messages: bytes) -> bytes:
    """Give fields of an example list to a signature that takes examples."""
    return X_TO_Y_BYTES + field(2, field(1, b"".join(messages)))


def entry(content: bytes) -> bytes:
    """Return an example with this entry in its map of features."""
    return field(1, field(1, field(1, content)))


GOOD_EXAMPLE = entry(field(1, b"x") + field(2, field(2, field(1, bytes(4)))))
NAMED = "Example 1 of the input is malformed: failed to decode Protobuf message: "

MALFORMED_EXAMPLES: BytesTable = {
    "text": (listed(GOOD_EXAMPLE, field(1, b"garbage")), "INVALID_ARGUMENT", NAMED),
    "features-that-end-too-soon": (
        listed(GOOD_EXAMPLE, GOOD_EXAMPLE[:1] + b"\x03\x0a\x09x"),
        "INVALID_ARGUMENT",
        NAMED + "buffer underflow",
    ),
    "a-name-that-is-no-utf-8": (
        listed(GOOD_EXAMPLE, entry(field(1, b"\xff") + field(2, b""))),
        "INVALID_ARGUMENT",
        "invalid string value: data is not UTF-8",
    ),
    "a-float-of-three-bytes": (
        listed(GOOD_EXAMPLE, entry(field(1, b"x") + field(2, field(2, field(1, bytes(3)))))),
        "INVALID_ARGUMENT",
        NAMED + "FloatList.value",
    ),
    "a-number-that-does-not-end": (
        listed(GOOD_EXAMPLE, entry(field(1, b"x") + field(2, field(3, field(1, b"\xff"))))),
        "INVALID_ARGUMENT",
        NAMED + "Int64List.value",
    ),
    "groups-without-end": (
        listed(GOOD_EXAMPLE, field(1, b"\x53" * 1000)),
        "INVALID_ARGUMENT",
        "recursion limit reached",
    ),
    "an-example-that-is-a-number": (
        listed(GOOD_EXAMPLE, b"\x08\x01"),
        "INVALID_ARGUMENT",
        "The input is malformed: failed to decode Protobuf message: invalid wire type: Varint",
    ),
    "a-list-that-ends-too-soon": (
        listed(GOOD_EXAMPLE, b"\x0a\x05"),
        "INVALID_ARGUMENT",
        "The input is malformed: failed to decode Protobuf message: buffer underflow",
    ),
    "a-context-that-is-text": (
        X_TO_Y_BYTES + field(2, field(2, GOOD_EXAMPLE + field(2, b"garbage"))),
        "INVALID_ARGUMENT",
        "The context of the input is malformed: failed to decode Protobuf message: ",
    ),
    "a-context-in-a-list-without": (
        X_TO_Y_BYTES + field(2, field(1, field(2, b"garbage"))),
        "INVALID_ARGUMENT",
        "Input is empty.",
    ),
    "the-last-of-two-kinds-counts": (
        X_TO_Y_BYTES + field(2, field(1, GOOD_EXAMPLE) + field(2, b"")),
        "INVALID_ARGUMENT",
        "Input is empty.",
    ),
    "an-input-that-is-a-number": (
        X_TO_Y_BYTES + b"\x10\x01",
        "INTERNAL",
        "RegressionRequest.input: invalid wire type: Varint (expected LengthDelimited)",
    ),
    "a-list-that-is-a-number": (
        X_TO_Y_BYTES + field(2, b"\x08\x01"),
        "INTERNAL",
        "Input.example_list: RegressionRequest.input: invalid wire type: Varint",
    ),
    "a-list-in-thousands-of-pieces": (
        X_TO_Y_BYTES + field(2, b"\x0a\0" * 2000),
        "INTERNAL",
        "Input.example_list: RegressionRequest.input: the list is in too many pieces",
    ),
    "no-example-at-all": (listed(), "INVALID_ARGUMENT", "Input is empty."),
    "nothing": (b"", "INVALID_ARGUMENT", "Missing ModelSpec"),
}

METHODS = {
    "unknown-service": ("/no.such.Service/Method", "there is no method /no.such.Service/Method"),
    "unknown-method": ("/tensorflow.serving.PredictionService/NoSuchMethod", ""),
    "method-in-another-case": ("/tensorflow.serving.PredictionService/predict", ""),
    "service-without-its-package": (
        "/PredictionService/Predict",
        "there is no method /PredictionService/Predict",
    ),
    "service-that-is-never-served": (
        "/tensorflow.serving.SessionService/SessionRun",
        "there is no method /tensorflow.serving.SessionService/SessionRun: TensorFlow Serving does "
        "not serve it either; call PredictionService/Predict",
    ),
    "profiler": (
        "/tensorflow.ProfilerService/Profile",
        "there is no method /tensorflow.ProfilerService/Profile: there is no profiler in this "
        "server",
    ),
    "no-service": ("/Predict", "there is no method /Predict"),
    "something-behind-the-method": ("/tensorflow.serving.PredictionService/Predict/1", ""),
}

# A tensor for a signature that wants floats, and what its values are halved and added two to.
ANSWERED: dict[str, tuple[str, list[float]]] = {
    "unknown-rank-is-ignored": ("tensor_shape {unknown_rank: true} float_val: 1", [2.5]),
    "short-list-repeats-its-last-value": (f"{shape(4)} float_val: [1, 2]", [2.5, 3, 3, 3]),
    "no-values-are-zeros": (shape(1, 2), [2, 2]),
    "another-list-is-no-values": (f"{shape(2)} double_val: [1, 2] int_val: 7", [2, 2]),
    "no-elements-have-no-surplus": (f"{shape(2, 0)} float_val: [1, 2]", []),
    "content-wins": (f"{shape(1)} float_val: 1 tensor_content: '\\0\\0\\0@'", [3]),
    "dims-may-have-names": ("tensor_shape {dim {size: 1 name: 'rows'}} float_val: 1", [2.5]),
}


class Caller:
    """Calls over one connection, which must answer a good request after each bad one."""

    def __init__(self, client: Any, stubs: Any, check: CheckRefusal) -> None:
        self._client, self._stubs, self._check = client, stubs, check

    def refuses(self, method: str, messages: list[bytes], code: str, message: str) -> None:
        call = self._client.channel.stream_unary(method)
        with pytest.raises(grpc.RpcError) as raised:
            call(iter(messages), timeout=30)
        found = (raised.value.code().name, raised.value.details())
        self._check(found, code, message)
        assert len(found[1].encode()) <= len("...TRUNCATED") + 1024
        x = np.asarray([1, 2, 5], np.float32)
        answer = self._client.predict(self._stubs.model_spec("half"), x=x)
        assert list(answer.outputs["y"].float_val) == [2.5, 3.0, 4.5]

    def refuses_text(self, method: str, row: tuple[str, str, str]) -> None:
        text, code, message = row
        service, name = method.split("/")
        request = self._stubs.request_of(service, name, text).SerializeToString()
        self.refuses(f"/tensorflow.serving.{method}", [request], code, message)


@pytest.fixture
def caller(client: Any, stubs: Any, check_refusal: CheckRefusal) -> Caller:
    return Caller(client, stubs, check_refusal)


PREDICT = MODELS | ALIASES | OUTPUTS | DTYPES | SHAPES | VALUES


@pytest.mark.parametrize("row", PREDICT.values(), ids=PREDICT)
def test_a_bad_predict_is_refused(caller: Caller, row: tuple[str, str, str]) -> None:
    caller.refuses_text("PredictionService/Predict", row)


@pytest.mark.parametrize("method", ["Classify", "Regress"])
@pytest.mark.parametrize("row", EXAMPLES.values(), ids=EXAMPLES)
def test_bad_questions_about_examples_are_refused(
    caller: Caller, method: str, row: tuple[str, str, str]
) -> None:
    caller.refuses_text(f"PredictionService/{method}", row)


@pytest.mark.parametrize("row", REGRESS.values(), ids=REGRESS)
def test_bad_examples_are_refused(caller: Caller, row: tuple[str, str, str]) -> None:
    caller.refuses_text("PredictionService/Regress", row)
    text, code, message = row
    classify = (text.replace("regress_x_to_y", "classify_x_to_y"), code, message)
    classify = (classify[0].replace("regress_x2_to_y3", "classify_x2_to_y3"), code, message)
    caller.refuses_text("PredictionService/Classify", classify)


@pytest.mark.parametrize("row", MULTI_INFERENCE.values(), ids=MULTI_INFERENCE)
def test_a_bad_multi_inference_is_refused(caller: Caller, row: tuple[str, str, str]) -> None:
    caller.refuses_text("PredictionService/MultiInference", row)


@pytest.mark.parametrize("row", METADATA.values(), ids=METADATA)
def test_a_bad_question_for_metadata_is_refused(caller: Caller, row: tuple[str, str, str]) -> None:
    caller.refuses_text("PredictionService/GetModelMetadata", row)


@pytest.mark.parametrize("row", STATUS.values(), ids=STATUS)
def test_a_bad_question_for_a_status_is_refused(caller: Caller, row: tuple[str, str, str]) -> None:
    caller.refuses_text("ModelService/GetModelStatus", row)


@pytest.mark.parametrize("row", RELOAD.values(), ids=RELOAD)
def test_a_bad_configuration_is_refused(caller: Caller, row: tuple[str, str, str]) -> None:
    caller.refuses_text("ModelService/HandleReloadConfigRequest", row)


@pytest.mark.parametrize(("message", "code", "text"), MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_message_is_refused(
    caller: Caller, message: bytes, code: str, text: str
) -> None:
    caller.refuses("/tensorflow.serving.PredictionService/Predict", [message], code, text)


@pytest.mark.parametrize(
    ("message", "code", "text"), MALFORMED_EXAMPLES.values(), ids=MALFORMED_EXAMPLES
)
def test_a_malformed_example_is_refused(
    caller: Caller, message: bytes, code: str, text: str
) -> None:
    caller.refuses("/tensorflow.serving.PredictionService/Regress", [message], code, text)


@pytest.mark.parametrize("method", ["Predict", "Classify", "Regress", "MultiInference"])
def test_a_call_without_a_message_is_refused(caller: Caller, method: str) -> None:
    path = f"/tensorflow.serving.PredictionService/{method}"
    caller.refuses(path, [], "INTERNAL", "Missing request message.")


@pytest.mark.parametrize(("method", "message"), METHODS.values(), ids=METHODS)
def test_a_method_that_is_none_is_refused(caller: Caller, method: str, message: str) -> None:
    caller.refuses(method, [HALF_BYTES], "UNIMPLEMENTED", message)


def test_http_1_is_hung_up_on(serving: Any, client: Any, stubs: Any) -> None:
    host, port = serving.grpc.split(":")
    with socket.create_connection((host, int(port)), timeout=30) as stream:
        stream.sendall(b"GET /v1/models/half HTTP/1.1\r\n\r\n")
        # Whether the end or a reset comes first is the system's choice.
        with suppress(ConnectionResetError):
            while stream.recv(65536):
                pass
    assert client.status(stubs.model_spec("half")).model_version_status


def test_the_port_of_rest_is_unavailable(serving: Any) -> None:
    with grpc.insecure_channel(serving.rest, DIRECT) as channel:
        call = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
        with pytest.raises(grpc.RpcError) as raised:
            call(b"", timeout=30)
    assert raised.value.code() is grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize(("tensor", "halves"), ANSWERED.values(), ids=ANSWERED)
def test_what_looks_bad_and_is_not_is_answered(
    client: Any, stubs: Any, tensor: str, halves: list[float]
) -> None:
    text = half(f"dtype: DT_FLOAT {tensor}")
    answer = client.prediction.Predict(
        stubs.request_of("PredictionService", "Predict", text), timeout=30
    )
    assert list(answer.outputs["y"].float_val) == halves
