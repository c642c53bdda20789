"""What several servers say of their models, and where they do not agree."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from slipway.client.client import Client
from slipway.config.models import read_models
from slipway.config.schema import ModelConfig
from slipway.errors import NotFoundError, ServingError, UnimplementedError
from slipway.servables import State, VersionStatus


@dataclass(frozen=True, slots=True)
class ModelReport:
    """One model of one server."""

    versions: Sequence[VersionStatus]
    """The highest first; none for a model that has had no version yet, or is unknown."""
    config: ModelConfig | None = None
    """What the server is to serve of it, where the server says so."""

    @property
    def available(self) -> list[int]:
        return [status.version for status in self.versions if status.state is State.AVAILABLE]

    def labels_of(self, version: int) -> list[str]:
        """Return the labels that the configuration gives a version."""
        labels = self.config.labels if self.config else {}
        return sorted(label for label, number in labels.items() if number == version)


@dataclass(frozen=True, slots=True)
class ServerReport:
    """One server: its models by name, or why it does not say."""

    models: Mapping[str, ModelReport] = field(default_factory=dict)
    error: str = ""


def ask_server(client: Client, names: Sequence[str]) -> ServerReport:
    """Return what a server says of these models, or of all when none is named.

    Raises no error: a report has it.
    """
    try:
        configs = server_models(client) or {}
        asked = names or client.models()
        return ServerReport(
            {name: ModelReport(_versions(client, name), configs.get(name)) for name in asked}
        )
    except UnimplementedError:
        return ServerReport(error="it does not list its models: name those to ask for")
    except ServingError as error:
        return ServerReport(error=f"{error.code.name}: {error}")


def server_models(client: Client) -> dict[str, ModelConfig] | None:
    """Return the models that a server is to serve, by name; None where it does not say."""
    try:
        config = client.configuration()
    except UnimplementedError:
        return None
    return {model.name: model for model in read_models(config, None)}


def differences(reports: Mapping[str, ServerReport]) -> Iterator[str]:
    """Say where servers do not agree: in the models they have, the versions that answer, and
    their labels.
    """
    answering = {server: report for server, report in reports.items() if not report.error}
    names = sorted({name for report in answering.values() for name in report.models})
    for name in names:
        views = {server: _view(report.models.get(name)) for server, report in answering.items()}
        if len(set(views.values())) > 1:
            yield f"{name}: " + "; ".join(f"{server} {view}" for server, view in views.items())


def _view(report: ModelReport | None) -> str:
    if report is None:
        return "does not have it"
    if not report.available:
        return "has no version that answers"
    versions = (
        f"{version} ({', '.join(labels)})"
        if (labels := report.labels_of(version))
        else f"{version}"
        for version in report.available
    )
    return f"answers with {', '.join(versions)}"


def _versions(client: Client, name: str) -> list[VersionStatus]:
    try:
        return client.status(name)
    except NotFoundError:
        return []
