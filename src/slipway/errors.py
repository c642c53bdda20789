"""The exceptions of Slipway, as a tree.

SlipwayError
├── ConfigError                 what the operator wrote cannot be used
│   └── TextFormatError         a protobuf text file, with line and column
├── RuntimeNotFoundError        TensorFlow is not installed
├── InputError                  a client of the gateway sent what cannot be used
│   ├── BadInputError           it is not what it should be
│   ├── InputTooLargeError      it is more than is taken
│   ├── UrlTooLongError         it belongs into a body
│   └── UnsupportedInputError   its format is not one that is taken
└── ServingError                a call failed; `code` says how
    ├── CancelledError          ├── PermissionDeniedError     ├── UnimplementedError
    ├── UnknownError            ├── ResourceExhaustedError    ├── InternalError
    ├── InvalidArgumentError    ├── FailedPreconditionError   ├── UnavailableError
    ├── DeadlineExceededError   ├── AbortedError              ├── DataLossError
    ├── NotFoundError           ├── OutOfRangeError           └── UnauthenticatedError
    └── AlreadyExistsError
"""

from enum import IntEnum
from typing import ClassVar


class Code(IntEnum):
    """Canonical status codes, numbered as in `google.rpc.Code`."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


class SlipwayError(Exception):
    """Anything that Slipway raises on purpose."""


class ConfigError(SlipwayError):
    """A flag, a variable or a file says something that cannot be used."""


class TextFormatError(ConfigError):
    """A protobuf text file is not one. `line` and `column` begin at 1."""

    def __init__(self, reason: str, line: int, column: int) -> None:
        super().__init__(f"{line}:{column}: {reason}")
        self.reason = reason
        self.line = line
        self.column = column


class RuntimeNotFoundError(SlipwayError):
    """There is no TensorFlow to run models with."""


class InputError(SlipwayError):
    """A client of the gateway sent what cannot be used.

    The message goes to that client: it says what is wrong and what would be right.
    """


class BadInputError(InputError):
    """Something is missing, of another type, or damaged."""


class InputTooLargeError(InputError):
    """It has more bytes, pixels or levels than are taken."""


class UrlTooLongError(InputError):
    """A value in the URL is so long that it belongs into the body of a POST."""


class UnsupportedInputError(InputError):
    """It has a format that is not taken, such as an image that is neither JPEG nor PNG."""


class ServingError(SlipwayError):
    """A call of the data plane, or of a server, failed with a canonical code."""

    code: ClassVar[Code]

    @staticmethod
    def of_code(code: int, message: str) -> "ServingError":
        """Return the error for a canonical code's number; UNKNOWN for numbers that are none."""
        return _CLASSES.get(code, UnknownError)(message)


class CancelledError(ServingError):
    """The caller gave up."""

    code = Code.CANCELLED


class UnknownError(ServingError):
    """The failure has no better code."""

    code = Code.UNKNOWN


class InvalidArgumentError(ServingError):
    """The request is wrong, whatever the state of the server."""

    code = Code.INVALID_ARGUMENT


class DeadlineExceededError(ServingError):
    """The answer would have come too late."""

    code = Code.DEADLINE_EXCEEDED


class NotFoundError(ServingError):
    """There is no such model, version or file."""

    code = Code.NOT_FOUND


class AlreadyExistsError(ServingError):
    """What was to be made is there already."""

    code = Code.ALREADY_EXISTS


class PermissionDeniedError(ServingError):
    """The caller may not do this."""

    code = Code.PERMISSION_DENIED


class ResourceExhaustedError(ServingError):
    """A limit was reached; later or smaller it may work."""

    code = Code.RESOURCE_EXHAUSTED


class FailedPreconditionError(ServingError):
    """The server is not in a state for this."""

    code = Code.FAILED_PRECONDITION


class AbortedError(ServingError):
    """Something else came in between."""

    code = Code.ABORTED


class OutOfRangeError(ServingError):
    """The request goes beyond what there is."""

    code = Code.OUT_OF_RANGE


class UnimplementedError(ServingError):
    """The server does not do this."""

    code = Code.UNIMPLEMENTED


class InternalError(ServingError):
    """The server broke one of its own rules."""

    code = Code.INTERNAL


class UnavailableError(ServingError):
    """Nobody answers now; trying again may help."""

    code = Code.UNAVAILABLE


class DataLossError(ServingError):
    """Data is damaged beyond repair."""

    code = Code.DATA_LOSS


class UnauthenticatedError(ServingError):
    """The caller did not say who it is."""

    code = Code.UNAUTHENTICATED


_CLASSES = {int(error.code): error for error in ServingError.__subclasses__()}
