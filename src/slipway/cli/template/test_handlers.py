"""Handlers are plain objects: they are tested without a server.

pytest
"""

from pathlib import Path
from typing import Any

import numpy as np
from handlers import Sentence

import slipway
from slipway.testing import run_handler

MODEL = Path(__file__).parent / "models" / "sentiment" / "1"


def test_a_sentence_becomes_one_row_of_words() -> None:
    inputs = Sentence().preprocess("我 很 喜欢")
    assert inputs["words"].tolist() == [["我", "很", "喜欢"]]
    assert inputs["nwords"].tolist() == [3]


def test_the_surest_label_is_the_answer() -> None:
    def model(inputs: Any) -> dict[str, Any]:
        return {"labels": np.array([b"POS"], object), "softmax": np.array([[0.1, 0.8, 0.1]])}

    answer = run_handler(Sentence(), {"sentiment": model}, line="我 很 喜欢")
    assert answer == {"label": "POS", "certainty": 0.8}


def test_the_model_tells_good_from_bad() -> None:
    with slipway.load(MODEL) as model:
        good = run_handler(Sentence(), {"sentiment": model}, line="我 很 喜欢 这个 产品")
        bad = run_handler(Sentence(), {"sentiment": model}, line="太 失望 了")
    assert (good["label"], bad["label"]) == ("POS", "NEG")
