"""What a server says of a model."""

from collections.abc import Mapping
from dataclasses import dataclass

from slipway.signatures import Signature


@dataclass(frozen=True, slots=True)
class ModelMetadata:
    """One version of a model."""

    name: str
    version: int | None
    """The version that answered; None when the server did not say."""
    signatures: Mapping[str, Signature]
