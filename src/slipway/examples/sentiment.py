"""Is a review in Chinese bad, good or neither? The routes of the usual example.

The model takes reviews that are cut into words, `words` string [-1, -1], and how many words each
has, `nwords` int32 [-1]; it answers with `classes_id` [-1], `labels` [-1] and `softmax` [-1, 3], as
the packaged model `sentiment` does.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from slipway.arrays import Arrays
from slipway.errors import BadInputError
from slipway.examples import segmentation
from slipway.gateway import Base64, Handler


class _Review(Handler):
    """What the routes have in common: the model and its answer."""

    model = "sentiment"

    def postprocess(self, outputs: Arrays) -> dict[str, Any]:
        return {
            "status": 0,
            "classes_id": outputs["classes_id"][0],
            "labels": outputs["labels"][0],
            "softmax": outputs["softmax"][0],
        }


class Words(_Review):
    """Tell whether words are a bad review (NEG), a good one (POS) or neither (NEU)."""

    route = "/predict"
    methods = ("GET", "POST")

    def preprocess(self, words: list[str], nwords: int | None = None) -> Mapping[str, Any]:
        """Return one row of words. `nwords` of them count; the others fill the row up."""
        return _one_row(words, nwords)


class Sentence(_Review):
    """Tell whether a sentence is a bad review (NEG), a good one (POS) or neither (NEU).

    It is cut into words here. Words that are cut already are taken in its place.
    """

    route = "/lstm/predict"
    methods: Sequence[str] = ("POST",)

    def prepare(self, run_folder: Path) -> None:
        """Load the dictionary of words."""
        segmentation.prepare()

    def preprocess(
        self,
        line: str | None = None,
        words: list[str] | None = None,
        nwords: int | None = None,
    ) -> Mapping[str, Any]:
        """Return one row of words. Either `line` or `words` must be there."""
        if line is not None and words is not None:
            raise BadInputError("line and words are two ways to say the same: give one of them")
        if line is not None:
            return _one_row(segmentation.cut(line), None)
        if words is None:
            raise BadInputError("line, a sentence, is missing: give it, or words that are cut")
        return _one_row(words, nwords)


class EncodedSentence(Sentence):
    """Tell whether a sentence is a bad review (NEG), a good one (POS) or neither (NEU).

    It comes in the URL, in URL-safe base64. Words that are cut already are taken in its place.
    """

    methods = ("GET",)

    def preprocess(
        self,
        line: Annotated[str | None, Base64()] = None,
        words: Annotated[list[str] | None, Base64()] = None,
        nwords: int | None = None,
    ) -> Mapping[str, Any]:
        """Return one row of words. Either `line` or `words` must be there."""
        return super().preprocess(line, words, nwords)


def _one_row(words: Sequence[str], nwords: int | None) -> Mapping[str, Any]:
    """Return the inputs of the model for one review. Raises BadInputError."""
    count = len(words) if nwords is None else nwords
    if not 0 <= count <= len(words):
        raise BadInputError(
            f"nwords is {count}, and words has {len(words)}: it must be from 0 to {len(words)}"
        )
    # A row of no words has no shape that every model takes.
    row = np.array([words or [""]], dtype=object)
    return {"words": row, "nwords": np.array([count], np.int32)}
