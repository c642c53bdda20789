"""Several model servers, asked like one."""

import logging
import os
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Protocol

from slipway.arrays import Arrays
from slipway.client.client import Client
from slipway.errors import DeadlineExceededError, ServingError, UnavailableError
from slipway.gateway.balance import ELSEWHERE, Load, choose, most_telling
from slipway.servables import State, VersionStatus
from slipway.signatures import DEFAULT_SIGNATURE

logger = logging.getLogger(__name__)

CHECK_TIMEOUT_S: Final = 1.0
"""A server that takes longer than this to say where a model is gets no calls."""


class ModelClient(Protocol):
    """The part of `slipway.Client` that is used. Threads share it."""

    def predict(
        self,
        model: str,
        inputs: Mapping[str, Any],
        *,
        version: int | None,
        label: str | None,
        signature: str,
        output_filter: Sequence[str],
        timeout_s: float,
    ) -> Arrays: ...

    def status(
        self,
        model: str,
        *,
        version: int | None = None,
        label: str | None = None,
        timeout_s: float,
    ) -> list[VersionStatus]: ...

    def close(self) -> None: ...


def connect(address: str) -> ModelClient:
    """Return a client whose calls hold up nothing but their caller, a thread or a greenlet."""
    patches = sys.modules.get("gevent.monkey")
    if patches and patches.is_module_patched("threading"):
        from slipway.client.greenlets import GreenletClient

        return GreenletClient(address)
    return Client(address)


@dataclass(slots=True, eq=False, kw_only=True)
class _Upstream(Load):
    """One server, as this process sees it."""

    address: str
    client: ModelClient
    doubted_for: str | None = None
    """The model of the call that made it doubtful whether it answers; until it did."""
    absence: str = ""
    """Why it is away."""


class Upstreams:
    """Model servers that hold the same models, asked like one. Threads share it.

    `addresses` are those of `slipway.Client`, each once; `connect` makes the client of one. Raises
    ValueError for what is no address, for none and for one that comes twice. Making it opens
    nothing, so that the master of a pre-forking server may: the clients are opened by the first
    call of a process, and a forked child begins afresh.

    A call goes to the server with the fewest calls of this process under way, the idle ones taking
    turns. A server is away once a call to it ended with UnavailableError, and gets no calls while
    another is not away. One that let a deadline pass is asked whether it answers at all, and is
    away if not. A daemon thread checks these every `check_interval_s` seconds, and lives only while
    there are any: whatever the server answers about the model, it is back. While all are away,
    calls go to each in turn.
    """

    def __init__(
        self,
        addresses: Sequence[str],
        *,
        connect: Callable[[str], ModelClient] = connect,
        check_interval_s: float = 0.5,
    ) -> None:
        if not addresses:
            raise ValueError("there is no address of a model server: give at least one")
        for address in addresses:
            # A client reads its address when it is made, and sends nothing before it is asked.
            Client(address).close()
            if addresses.count(address) > 1:
                raise ValueError(f"address {address!r}: it is there twice; give each server once")
        self._addresses = tuple(addresses)
        self._connect = connect
        self._check_interval_s = check_interval_s
        self._closed = False
        self._begin()
        # The parent's threads, and what they held at that moment, are not in the child.
        begin = weakref.WeakMethod(self._begin)
        os.register_at_fork(after_in_child=lambda: (method := begin()) and method())

    def predict(
        self,
        model: str,
        inputs: Mapping[str, Any],
        *,
        version: int | None = None,
        label: str | None = None,
        signature: str = DEFAULT_SIGNATURE,
        output_filter: Sequence[str] = (),
        timeout_s: float,
        idempotent: bool = True,
    ) -> Arrays:
        """Run a signature of a model on one of the servers; else as `Client.predict`.

        `timeout_s` seconds are for all attempts together. An idempotent call that ends with
        UnavailableError, ResourceExhaustedError, FailedPreconditionError or NotFoundError is tried
        on the other servers, on each at most once. When no attempt succeeds, the first of these
        in the order ResourceExhaustedError, UnavailableError, FailedPreconditionError,
        NotFoundError is raised, where a server that is away and was not tried counts as
        unavailable. Any other error is raised as it comes.

        A call that is not idempotent is tried once: no error tells reliably that a server has not
        begun it.
        """
        end = time.monotonic() + timeout_s
        left = timeout_s
        tried: list[_Upstream] = []
        errors: list[ServingError] = []
        try:
            while upstream := self._take(tried):
                tried.append(upstream)
                try:
                    with self._learning_from(upstream, model):
                        return upstream.client.predict(
                            model,
                            inputs,
                            version=version,
                            label=label,
                            signature=signature,
                            output_filter=output_filter,
                            timeout_s=left,
                        )
                except ELSEWHERE as error:
                    if not idempotent:
                        raise
                    errors.append(error)
                left = end - time.monotonic()
                if left <= 0:
                    break
            errors += [UnavailableError(away.absence) for away in self._away_but(tried)]
            raise most_telling(errors)
        finally:
            # Their tracebacks lead back here: a cycle that would keep the inputs in memory.
            errors.clear()

    def unready_reason(
        self, model: str, *, version: int | None, label: str | None, timeout_s: float
    ) -> str | None:
        """Return None when a server has an available version that a call of this kind would get.

        Otherwise, or when that is not known within `timeout_s` seconds, a sentence for the operator
        that says so of each server by its address. Servers that are away are not asked while
        another is not; each of the others gets its share of the time. No ServingError is raised.
        """
        if self._closed:
            return "the connections to the model servers are closed"
        end = time.monotonic() + timeout_s
        tried: list[_Upstream] = []
        reasons: list[str] = []
        while upstream := self._take(tried):
            left = max(0.0, end - time.monotonic())
            share = left / (len(self._addresses) - len(tried))
            tried.append(upstream)
            try:
                with self._learning_from(upstream, model):
                    versions = upstream.client.status(
                        model, version=version, label=label, timeout_s=share
                    )
            except ServingError as error:
                reasons.append(_told(upstream.address, f"{error.code.name}: ", str(error)))
                continue
            if any(status.state is State.AVAILABLE for status in versions):
                return None
            states = ", ".join(f"version {status.version} is {status.state}" for status in versions)
            reasons.append(_told(upstream.address, "", states or "it has no version"))
        away = [_told(away.address, "away: ", away.absence) for away in self._away_but(tried)]
        return f'no server can answer for model "{model}": {"; ".join(reasons + away)}'

    def health(self) -> Mapping[str, bool]:
        """Return by address whether a server is not away, as far as this process knows."""
        with self._lock:
            known = {upstream.address: not upstream.is_away for upstream in self._upstreams}
        return known or dict.fromkeys(self._addresses, True)

    def close(self) -> None:
        """Give up the clients and end the checks; calls under way are still answered.

        May wait for a check under way, for about a second. Later calls raise ValueError.
        """
        with self._lock:
            self._closed = True
            self._closing.notify_all()
            checker = self._checker
        if checker:
            checker.join()
        for upstream in self._upstreams:
            upstream.client.close()

    def _begin(self) -> None:
        """Know nothing yet, in a new process."""
        self._lock = threading.Lock()
        """Guards what follows, and is never held while a server is asked."""
        self._closing = threading.Condition(self._lock)
        self._upstreams: list[_Upstream] = []
        self._checker: threading.Thread | None = None
        self._turn = 0

    def _take(self, tried: Sequence[_Upstream]) -> _Upstream | None:
        """Count a call to the server that it should go to, and return that; None when none is left.

        Each server that is taken is to be given back, by `_learning_from`.
        """
        with self._lock:
            if self._closed:
                raise ValueError("the connections to the model servers are closed")
            if not self._upstreams:
                self._open()
            upstream = choose(self._upstreams, tried)
            if upstream:
                upstream.under_way += 1
                # A further attempt is nobody's turn: else one that fails would be first each time.
                if not tried:
                    self._turn += 1
                    upstream.turn = self._turn
            return upstream

    def _open(self) -> None:
        upstreams = [
            _Upstream(address=address, client=self._connect(address)) for address in self._addresses
        ]
        # Worker processes, whose numbers follow one another, begin at different servers.
        first = os.getpid() % len(upstreams)
        for turn, upstream in enumerate(upstreams[first:] + upstreams[:first], -len(upstreams)):
            upstream.turn = turn
        self._upstreams = upstreams

    @contextmanager
    def _learning_from(self, upstream: _Upstream, model: str) -> Iterator[None]:
        """Take note of how a call ends, and that it has."""
        was_away = upstream.is_away
        try:
            yield
        except UnavailableError as error:
            self._mark_away(upstream, model, str(error))
            raise
        except DeadlineExceededError:
            self._doubt(upstream, model)
            raise
        except ServingError:
            if was_away:
                self._mark_back(upstream)
            raise
        else:
            # An answer to what was asked before it went away says nothing.
            if was_away:
                self._mark_back(upstream)
        finally:
            with self._lock:
                upstream.under_way -= 1

    def _doubt(self, upstream: _Upstream, model: str) -> None:
        """Have a server checked that may be slow or gone."""
        with self._lock:
            self._check_later(upstream, model)

    def _mark_away(self, upstream: _Upstream, model: str, reason: str) -> None:
        with self._lock:
            is_news = not upstream.is_away
            upstream.is_away = True
            upstream.absence = reason
            self._check_later(upstream, model)
        if is_news:
            logger.warning("model server %s is away: %s", upstream.address, reason)

    def _mark_back(self, upstream: _Upstream) -> None:
        with self._lock:
            is_news = upstream.is_away
            upstream.is_away = False
            upstream.doubted_for = None
        if is_news:
            logger.info("model server %s answers again", upstream.address)

    def _check_later(self, upstream: _Upstream, model: str) -> None:
        """Have a server checked; the lock is held."""
        upstream.doubted_for = model
        if self._checker is None and not self._closed:
            checker = threading.Thread(target=self._check, name="slipway-upstreams", daemon=True)
            checker.start()
            self._checker = checker

    def _check(self) -> None:
        """Check the doubted servers again and again, until there are none."""
        while True:
            with self._lock:
                if self._closed or not self._doubted():
                    self._checker = None
                    return
                self._closing.wait(self._check_interval_s)
                doubted = self._doubted()
            for upstream, model in doubted:
                if self._closed:
                    break
                self._check_one(upstream, model)

    def _doubted(self) -> list[tuple[_Upstream, str]]:
        return [(one, one.doubted_for) for one in self._upstreams if one.doubted_for is not None]

    def _check_one(self, upstream: _Upstream, model: str) -> None:
        try:
            upstream.client.status(model, timeout_s=CHECK_TIMEOUT_S)
        except (UnavailableError, DeadlineExceededError) as error:
            self._mark_away(upstream, model, str(error))
            return
        except ServingError:
            # Whatever it says, it says something.
            pass
        self._mark_back(upstream)

    def _away_but(self, tried: Sequence[_Upstream]) -> list[_Upstream]:
        with self._lock:
            return [one for one in self._upstreams if one.is_away and one not in tried]


def _told(address: str, code: str, text: str) -> str:
    """Return what is known of a server; the client's own errors begin with the address already."""
    return f"{address}: {code}{text.removeprefix(address.removeprefix('http://') + ': ')}"
