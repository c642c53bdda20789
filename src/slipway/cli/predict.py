"""`slipway predict`: ask a model from the shell, JSON in and out."""

import base64
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from slipway.cli.connection import TlsFiles, connected, tls_options
from slipway.errors import ConfigError
from slipway.signatures import DEFAULT_SIGNATURE

if TYPE_CHECKING:
    from slipway.arrays import Arrays
    from slipway.client.client import Client

_GRPC_SERVER = "127.0.0.1:8500"
_REST_SERVER = "127.0.0.1:8501"


@click.command()
@click.argument("model")
@click.argument("input_", metavar="[INPUT]", default="-")
@click.option(
    "--server",
    metavar="HOST:PORT",
    help="Address; http://host:port means REST, grpcs:// and https:// mean TLS.  [default: "
    f"{_GRPC_SERVER}, or {_REST_SERVER} with --rest]",
)
@click.option("--rest/--grpc", default=False, help="How to ask.  [default: --grpc]")
@click.option("--version", type=int, help="Version to ask. Default: the highest.")
@click.option("--label", help="Label of the version to ask.")
@click.option("--signature", help="Signature to run.  [default: serving_default]")
@click.option("--output", multiple=True, metavar="ALIAS", help="Output to show; may be repeated.")
@click.option(
    "--timeout_s",
    type=click.FloatRange(min=0),
    default=10.0,
    show_default=True,
    help="Seconds to wait for the answer.",
)
@tls_options
def predict(
    model: str,
    input_: str,
    server: str | None,
    rest: bool,
    version: int | None,
    label: str | None,
    signature: str | None,
    output: Sequence[str],
    timeout_s: float,
    tls: TlsFiles,
) -> None:
    """Ask MODEL of a running server, and print its answer as JSON.

    INPUT is JSON as the REST API takes it, {"instances": [...]} or {"inputs": {...}}, or just the
    inputs by name: {"x": [1, 2]}. @FILE reads it from a file, - (the default) from stdin.
    """
    if version is not None and label is not None:
        raise click.UsageError("--version and --label exclude each other")
    body = _read(input_)
    name = signature or body.get("signature_name") or DEFAULT_SIGNATURE
    with connected(_address(server, rest), timeout_s, tls) as client:

        def single_input() -> str:
            return _single_input(client, model, version, label, name)

        by_row = "instances" in body
        outputs = client.predict(
            model,
            _rows(body["instances"], single_input) if by_row else _columns(body, single_input),
            version=version,
            label=label,
            signature=name,
            output_filter=output,
        )
    click.echo(json.dumps(_answer(outputs, by_row), ensure_ascii=False))


def _address(server: str | None, rest: bool) -> str:
    if server is None:
        server = _REST_SERVER if rest else _GRPC_SERVER
    return f"http://{server}" if rest and "://" not in server else server


def _read(text: str) -> dict[str, Any]:
    if text == "-":
        text = sys.stdin.read()
    elif text.startswith("@"):
        text = Path(text[1:]).read_text()
    try:
        body = json.loads(text)
    except ValueError as error:
        raise ConfigError(f"INPUT is no JSON: {error}") from error
    if not isinstance(body, dict):
        raise ConfigError('INPUT must be an object, such as {"instances": [1.0, 2.0]}')
    if "instances" in body and "inputs" in body:
        raise ConfigError("INPUT has both instances and inputs; give one of them")
    return body


def _columns(body: Mapping[str, Any], single_input: Callable[[], str]) -> dict[str, Any]:
    """Return the inputs of a body by column, or of one that is nothing but inputs."""
    inputs = body.get("inputs", body)
    if not isinstance(inputs, dict) or _is_base64(inputs):
        inputs = {single_input(): inputs}
    return {alias: _unwrapped(value) for alias, value in inputs.items()}


def _rows(rows: Any, single_input: Callable[[], str]) -> dict[str, Any]:
    """Return the inputs of a body by row, turned into columns."""
    if not isinstance(rows, list) or not rows:
        raise ConfigError("instances must be a list of one row or more")
    if not isinstance(rows[0], dict) or _is_base64(rows[0]):
        return {single_input(): _unwrapped(rows)}
    for number, row in enumerate(rows):
        if not isinstance(row, dict) or row.keys() != rows[0].keys():
            raise ConfigError(f"instances: row {number} must have the inputs that row 0 has")
    return {alias: [_unwrapped(row[alias]) for row in rows] for alias in rows[0]}


def _is_base64(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {"b64"} and isinstance(value["b64"], str)


def _unwrapped(value: Any) -> Any:
    """Return bytes in place of base64, however deep."""
    if isinstance(value, list):
        return [_unwrapped(item) for item in value]
    if not _is_base64(value):
        return value
    try:
        return base64.b64decode(value["b64"], validate=True)
    except ValueError as error:
        raise ConfigError(f"{json.dumps(value)[:80]} is no base64: {error}") from error


def _single_input(
    client: "Client", model: str, version: int | None, label: str | None, name: str
) -> str:
    """Return the only input of a signature, which need not be named then."""
    signatures = client.metadata(model, version=version, label=label).signatures
    if name not in signatures:
        raise ConfigError(f'{model} has no signature "{name}"; it has {", ".join(signatures)}')
    inputs = list(signatures[name].inputs)
    if len(inputs) != 1:
        raise ConfigError(f"{model} has the inputs {', '.join(inputs)}: name each in INPUT")
    return inputs[0]


def _answer(outputs: "Arrays", by_row: bool) -> dict[str, Any]:
    """Lay the outputs out as the REST API does: a single one without its name."""
    columns = {alias: _plain(alias, array) for alias, array in outputs.items()}
    single = len(columns) == 1
    if not by_row:
        return {"outputs": next(iter(columns.values())) if single else columns}
    sizes = {array.shape[:1] for array in outputs.values()}
    if len(sizes) != 1 or () in sizes:
        raise ConfigError('The outputs have no rows in common: give "inputs", not "instances"')
    if single:
        return {"predictions": next(iter(columns.values()))}
    return {"predictions": [dict(zip(columns, row)) for row in zip(*columns.values())]}


def _plain(alias: str, array: Any) -> Any:
    """Return an array as JSON has it, floats with no more digits than their type has."""
    kind = array.dtype.kind
    if kind == "c":
        raise ConfigError(f'output "{alias}" is {array.dtype}, which JSON cannot carry')
    if array.dtype == object:
        return _text(array.tolist(), always_wrapped=alias.endswith("_bytes"))
    if kind in "iub" or array.dtype == float:
        return array.tolist()
    return array.astype("float32").astype(str).astype(float).tolist()


def _text(value: Any, always_wrapped: bool) -> Any:
    if isinstance(value, list):
        return [_text(item, always_wrapped) for item in value]
    try:
        if not always_wrapped:
            return value.decode()
    except UnicodeDecodeError:
        pass
    return {"b64": base64.b64encode(value).decode()}
