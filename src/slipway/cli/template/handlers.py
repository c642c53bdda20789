"""The routes of this project: what a client has goes in, what it wants comes out."""

from typing import Any

import numpy as np

from slipway import Handler


class Sentence(Handler):
    """Is a review in Chinese, its words apart, bad (NEG), good (POS) or neither (NEU)?"""

    route = "/sentence"
    methods = ("GET", "POST")
    model = "sentiment"

    def preprocess(self, line: str) -> dict[str, Any]:
        """Return the inputs of the model for what the client sent: one row of words."""
        words = line.split()
        # A row of no words has no shape that every model takes.
        return {
            "words": np.array([words or [""]], dtype=object),
            "nwords": np.array([len(words)], np.int32),
        }

    def postprocess(self, outputs: dict[str, Any]) -> dict[str, Any]:
        """Return what the client gets for the outputs of the model."""
        label = outputs["labels"][0].decode()
        return {"label": label, "certainty": round(float(outputs["softmax"][0].max()), 3)}
