"""The native connection and what its answers mean: the one module here that imports `_native`."""

from collections.abc import Mapping, Sequence

from slipway._native import Connection, Inbox, Request
from slipway.client.metadata import ModelMetadata
from slipway.errors import Code
from slipway.servables import State, VersionStatus
from slipway.signatures import Infos, read_signatures

__all__ = ["Connection", "Inbox", "Request", "read_metadata", "read_statuses"]


def read_metadata(
    answer: tuple[str, int | None, Mapping[str, tuple[str, Infos, Infos]]],
) -> ModelMetadata:
    """Return what a metadata request was answered."""
    name, version, signatures = answer
    return ModelMetadata(name, version, read_signatures(signatures))


def read_statuses(answer: Sequence[tuple[int, str, int, str]]) -> list[VersionStatus]:
    """Return what a status request was answered."""
    return [
        VersionStatus(version, State(state), Code(code), message)
        for version, state, code, message in answer
    ]
