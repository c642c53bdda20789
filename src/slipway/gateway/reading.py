"""From a request to the inputs of a handler."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO, Any, Final
from urllib.parse import parse_qsl

from flask import Request
from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.formparser import FormDataParser

from slipway.errors import (
    BadInputError,
    InputError,
    InputTooLargeError,
    UnsupportedInputError,
    UrlTooLongError,
)
from slipway.gateway.inputs import Body, Form, Header, Json, Parameter, Query, Upload
from slipway.gateway.values import Decoder

_MAX_FIELDS = 1000
_NAMES = 10
BODYLESS: Final = ("GET", "HEAD", "DELETE")
"""Methods whose inputs are in the query."""
_COMPRESSIONS: Final = {"gzip", "x-gzip", "deflate", "compress", "br", "zstd"}


def read_inputs(
    parameters: Mapping[str, Parameter], request: Request, decoder: Decoder
) -> dict[str, Any]:
    """Return the values of parameters by name; those that are missing have their default.

    Raises InputError, and werkzeug's RequestEntityTooLarge for a body that is too large.
    """
    places = _Places(request, decoder)
    return {name: places.value_of(parameter) for name, parameter in parameters.items()}


class _Places:
    """The places of one request, each read when it is first asked for."""

    def __init__(self, request: Request, decoder: Decoder) -> None:
        self._request = request
        self._decoder = decoder
        self._query: MultiDict[str, str] | None = None
        self._members: dict[str, Any] | None = None

    def value_of(self, parameter: Parameter) -> Any:
        path = self._request.view_args or {}
        if parameter.name in path:
            return self._decoder.from_texts(parameter, [str(path[parameter.name])], in_url=True)
        match parameter.place or self._usual():
            case Query():
                query = self._query_fields()
                texts = query.getlist(parameter.name)
                return self._text(parameter, texts, "the query", list(query), in_url=True)
            case Header():
                texts = [*map(_utf8, self._request.headers.getlist(parameter.header))]
                return self._text(parameter, texts, "the headers", [], in_url=False)
            case Form():
                return self._field(parameter)
            case Body():
                body = self._body()
                if not body and not parameter.is_required:
                    return parameter.default
                return self._decoder.from_body(parameter, body)
            case Json():
                members = self._json_members(parameter)
                if parameter.name not in members:
                    return _missing(parameter, "the JSON", list(members))
                value = members[parameter.name]
                if value is None and parameter.default is None:
                    return None
                return self._decoder.from_json(parameter, value)

    def _usual(self) -> Query | Form | Json:
        if self._request.method in BODYLESS:
            return Query()
        return Form() if self._request.mimetype == "multipart/form-data" else Json()

    def _text(
        self,
        parameter: Parameter,
        texts: Sequence[str],
        place: str,
        names: Sequence[str],
        *,
        in_url: bool,
    ) -> Any:
        if not texts:
            return _missing(parameter, place, names)
        return self._decoder.from_texts(parameter, texts, in_url=in_url)

    def _field(self, parameter: Parameter) -> Any:
        self._request.form_data_parser_class = _FormParser
        with self._reading_body():
            files = [*filter(_is_chosen, self._request.files.getlist(parameter.name))]
        if len(files) > 1:
            raise BadInputError(f"{parameter.name} has {len(files)} files: send one")
        if files:
            file = files[0]
            upload = Upload(file.filename or "", file.content_type or "", file.read())
            return self._decoder.from_upload(parameter, upload)
        fields = self._request.form
        # A part may have no name.
        names = [name for name in (*self._request.files, *fields) if name]
        texts = fields.getlist(parameter.name)
        try:
            return self._text(parameter, texts, "the form", names, in_url=False)
        except BadInputError as error:
            if not texts or parameter.kind == "value":
                raise
            raise BadInputError(
                f"{error}; or it must be a file of the form, as curl -F {parameter.name}=@FILE has"
            ) from error

    def _body(self) -> bytes:
        """Return the whole body, and nothing that is less."""
        request = self._request
        with self._reading_body():
            body = request.get_data()
            promised, limit = request.content_length, request.max_content_length
            # Where no length is promised, reading ends at the limit as if that were all.
            is_cut = promised is None and len(body) == limit
            if is_cut and request.environ["wsgi.input"].read(1):
                raise RequestEntityTooLarge
        if promised is not None and len(body) < promised:
            raise BadInputError(
                f"the body ends after {len(body)} of the {promised} bytes that its Content-Length "
                "says"
            )
        return body

    @contextmanager
    def _reading_body(self) -> Iterator[None]:
        """Refuse a body that is compressed, or that cannot be read to its end."""
        headers = self._request.headers
        codings = f"{headers.get('Content-Encoding')},{headers.get('Transfer-Encoding')}"
        for coding in codings.lower().split(","):
            if coding.strip() in _COMPRESSIONS:
                raise UnsupportedInputError(
                    f"the body is compressed ({coding.strip()}): send it as it is"
                )
        try:
            yield
        except (InputError, RequestEntityTooLarge, MemoryError):
            raise
        except Exception as error:
            # Each server has errors of its own for what a client sends in place of a body.
            raise BadInputError(
                "the body cannot be read: it ends too early, or its chunks are not what HTTP has"
            ) from error

    def _query_fields(self) -> MultiDict[str, str]:
        """Return the fields of the query, whose bytes must be UTF-8, escaped or as they are."""
        if self._query is None:
            raw = self._request.query_string
            limit = self._decoder.limits.max_query_bytes
            if len(raw) > limit:
                raise UrlTooLongError(
                    f"the query has {len(raw)} bytes, {limit} are taken: send it by POST"
                )
            try:
                self._query = MultiDict(
                    parse_qsl(
                        raw.decode(),
                        keep_blank_values=True,
                        errors="strict",
                        max_num_fields=_MAX_FIELDS,
                    )
                )
            except UnicodeDecodeError as error:
                byte = error.object[error.start]
                raise BadInputError(
                    f"the query is no UTF-8: it has the byte {byte:#04x} where no character begins "
                    "or goes on"
                ) from error
            except ValueError as error:
                raise BadInputError(f"the query has more than {_MAX_FIELDS} fields") from error
        return self._query

    def _json_members(self, parameter: Parameter) -> dict[str, Any]:
        if self._members is None:
            body = self._body()
            if not body and not parameter.is_required:
                return {}
            wanted = f'an object, such as {{"{parameter.name}": ...}}'
            if parameter.kind != "value":
                wanted += f", or a multipart form with the file {parameter.name}"
            try:
                members = self._decoder.parse(body)
            except BadInputError as error:
                if body.lstrip().startswith(b"{"):
                    raise
                raise BadInputError(f"{error}; send {wanted}") from error
            if not isinstance(members, dict):
                kind = "a list" if isinstance(members, list) else "a single value"
                raise BadInputError(f"the body is {kind}: it must be {wanted}")
            self._members = members
        return self._members


class _FormParser(FormDataParser):
    """Says what is wrong with a form, where werkzeug's takes it for empty."""

    def parse(
        self,
        stream: IO[bytes],
        mimetype: str,
        content_length: int | None,
        options: dict[str, str] | None = None,
    ) -> Any:
        if mimetype == "multipart/form-data" and not (options or {}).get("boundary"):
            raise BadInputError(
                "the form's Content-Type has no boundary: leave that header to the client that "
                "writes the form"
            )
        self.silent = False
        try:
            return super().parse(stream, mimetype, content_length, options)
        except ValueError as error:
            raise BadInputError(
                "the form cannot be read: it is cut short, or is not made of named parts between "
                "the boundaries that its Content-Type says"
            ) from error
        except RequestEntityTooLarge as error:
            if self.max_content_length is None or stream.tell() < self.max_content_length:
                raise InputTooLargeError(
                    f"the form has more than the {self.max_form_parts} parts that are taken"
                ) from error
            raise


def _missing(parameter: Parameter, place: str, names: Sequence[str]) -> Any:
    """Return the default. Raises BadInputError when there is none."""
    if not parameter.is_required:
        return parameter.default
    name = parameter.header if isinstance(parameter.place, Header) else parameter.name
    found = ", ".join(names[:_NAMES])[:200]
    raise BadInputError(f"{place} must have {name}" + (f"; found {found}" if found else ""))


def _is_chosen(file: FileStorage) -> bool:
    """Return whether there is a file: browsers send one without name and data where none is."""
    if file.filename:
        return True
    begins = bool(file.read(1))
    file.seek(0)
    return begins


def _utf8(header: str) -> str:
    """Return the text of a header, whose bytes WSGI gives as Latin-1."""
    try:
        return header.encode("latin-1").decode()
    except UnicodeError:
        return header
