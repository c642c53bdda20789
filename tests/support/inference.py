"""Classify and Regress over either protocol, behind one call."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import grpc

from tests.support.rest import ask

Features = dict[str, list[Any]]
"""Lists of str, float or int, by the name of the feature."""
Class = tuple[str, float]
"""A label and its score."""


@dataclass(frozen=True)
class Question:
    """Examples for a signature, each by its features."""

    model: str
    signature: str
    examples: list[Features]
    context: Features | None = None
    version: str = ""
    """A part of the URL, such as `/versions/123`."""


class RefusedError(Exception):
    """The name of a code of gRPC or the status of HTTP, and the message."""

    def __init__(self, status: Any, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.found = (status, message)


class Ask(Protocol):
    """Asks over one of the protocols. Raises RefusedError."""

    refusal: Any
    """How INVALID_ARGUMENT is told."""

    def classify(self, question: Question) -> list[list[Class]]: ...
    def regress(self, question: Question) -> list[float]: ...


class OverGrpc:
    """The official stubs."""

    refusal = "INVALID_ARGUMENT"

    def __init__(self, client: Any, stubs: Any) -> None:
        self._client, self._stubs = client, stubs

    def classify(self, question: Question) -> list[list[Class]]:
        answer = self._call(self._client.classify, question)
        return [
            [(one.label, one.score) for one in classes.classes]
            for classes in answer.result.classifications
        ]

    def regress(self, question: Question) -> list[float]:
        answer = self._call(self._client.regress, question)
        return [one.value for one in answer.result.regressions]

    def _call(self, method: Callable[[Any, Any], Any], question: Question) -> Any:
        kind, _, choice = question.version.strip("/").partition("/")
        spec = self._stubs.model_spec(
            question.model,
            question.signature,
            version=int(choice) if kind == "versions" else None,
            label=choice if kind == "labels" else "",
        )
        try:
            answer = method(spec, self._stubs.examples(question.examples, question.context))
        except grpc.RpcError as error:
            raise RefusedError(error.code().name, error.details()) from error
        echoed = answer.model_spec
        assert echoed.name == question.model
        assert echoed.signature_name == (question.signature or "serving_default")
        assert echoed.version.value
        assert not echoed.version_label
        return answer


class OverRest:
    """JSON, as the REST API's documentation has it."""

    refusal = 400

    def __init__(self, address: str) -> None:
        self._address = address

    def classify(self, question: Question) -> list[list[Class]]:
        results = self._post("classify", question)
        return [[(label, score) for label, score in classes] for classes in results]

    def regress(self, question: Question) -> list[float]:
        results: list[float] = self._post("regress", question)
        return results

    def _post(self, verb: str, question: Question) -> Any:
        body: dict[str, Any] = {"examples": question.examples}
        if question.signature:
            body["signature_name"] = question.signature
        if question.context is not None:
            body["context"] = question.context
        path = f"/v1/models/{question.model}{question.version}:{verb}"
        reply = ask(self._address, "POST", path, body)
        if reply.status != 200:
            raise RefusedError(reply.status, reply.error)
        assert reply.headers["content-type"] == "application/json"
        assert list(reply.json) == ["results"]
        return reply.json["results"]


def class_echo(signature: str, *examples: Features, context: Features | None = None) -> Question:
    """Ask the model that answers with the features `classes` and `scores`."""
    return Question("class_echo", signature, list(examples), context)


def scored(**scores: float) -> Features:
    """Return the features of an example of these classes."""
    return {"classes": list(scores), "scores": list(scores.values())}


def regress_echo(signature: str, *outputs: float | None, context: float | None = None) -> Question:
    """Ask the model that answers with the feature `output`; None for an example without it."""

    def features(output: float | None) -> Features:
        return {} if output is None else {"output": [output]}

    examples = [features(output) for output in outputs]
    shared = None if context is None else features(context)
    return Question("regress_echo", signature, examples, shared)
