"""A gateway whose workers are gevent's: it answers as that of threads, to more callers at once."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.e2e.test_gateway import (  # noqa: F401 they are tests of this gateway too
    test_a_connection_goes_on_after_a_body_that_nobody_has_read,
    test_a_picture_gets_its_mask_in_its_size,
    test_a_sentence_goes_in_the_url_in_base64_or_in_json,
    test_counts_of_all_workers_are_one,
    test_it_is_ready_when_its_models_are,
    test_words_go_in_the_url_or_in_json,
)
from tests.e2e.test_gateway_hostile import (  # noqa: F401
    test_a_body_that_nobody_reads_and_that_is_no_http_gets_no_answer_of_its_own,
    test_a_connection_goes_on_after_bad_input,
    test_a_head_is_answered_like_a_get_without_its_body,
    test_all_of_it_was_answered_by_the_workers_that_began,
    test_bad_input_is_told_what_is_wrong_and_leaves_the_gateway_well,
    test_what_only_looks_bad_is_answered,
    test_who_does_not_go_on_keeps_nobody_else_waiting,
    test_who_waits_for_a_hundred_continue_gets_it_and_then_the_answer,
)
from tests.support.foreign import grpc_server
from tests.support.process import GatewayProcess
from tests.support.projects import write_project
from tests.support.rest import ask
from tests.support.stack import Stack, running_stack
from tests.support.waiting import wait_until

GREENLETS = {"gunicorn.worker_class": "gevent"}
AT_ONCE = 50
QUESTION = {"words": ["很", "好"]}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The routes of the usual example, answered by greenlets."""
    with running_stack(tmp_path_factory.mktemp("greenlets"), GREENLETS) as stack:
        yield stack


def test_slow_calls_are_under_way_together(stubs: Any, tmp_path: Path) -> None:
    asked: list[None] = []
    go_on = threading.Event()

    def predict(*_: Any) -> Any:
        asked.append(None)
        assert go_on.wait(60)
        answer = stubs.predict_pb2.PredictResponse()
        answer.outputs["classes_id"].CopyFrom(stubs.to_proto(np.array([1])))
        answer.outputs["labels"].CopyFrom(stubs.to_proto(np.array([b"POS"], object)))
        answer.outputs["softmax"].CopyFrom(stubs.to_proto(np.array([[0.1, 0.8, 0.1]], np.float32)))
        return answer

    with ExitStack() as ending:
        address = ending.enter_context(grpc_server(stubs, predict, threads=AT_ONCE))
        ending.callback(go_on.set)
        settings = {"workers": 1, "timeout_s": 60, **GREENLETS}
        write_project(tmp_path, [address], ["slipway.examples.sentiment:Words"], settings)
        gateway = ending.enter_context(GatewayProcess(tmp_path, "--no-reload"))
        gateway.wait_until_open()
        url = gateway.url.removeprefix("http://")
        pool = ending.enter_context(ThreadPoolExecutor(AT_ONCE))
        replies = [pool.submit(ask, url, "POST", "/predict", QUESTION) for _ in range(AT_ONCE)]
        wait_until(lambda: len(asked) == AT_ONCE, f"{AT_ONCE} calls of the model at once")
        # The worker, which waits for all of them, answers others.
        assert ask(url, "GET", "/healthz").status == 200
        go_on.set()
        assert {reply.result(60).json["labels"] for reply in replies} == {"POS"}
