// SPDX-License-Identifier: Apache-2.0
//! One request on its way to being counted.

use std::sync::Arc;
use std::time::{Duration, Instant};

use slipway_core::{
    Api, Callable, Code, Ledger, Meter, ModelMeter, Protocol, Result, RunTimes, Times,
};

/// Counts a request when it is dropped: by the code that `stop` is told, or, of a request that its
/// caller has given up, as CANCELLED. What it is counted for, it learns on the way.
///
/// It costs a request 0.14 µs, of which two readings of the clock are a half, and 0.3 µs where two
/// threads do nothing but count for the same signature (AMD EPYC). `docs/performance.md` has what a
/// request takes in all.
#[derive(Debug)]
pub(crate) struct Stopwatch {
    begin: Instant,
    api: Api,
    protocol: Protocol,
    deadline: Option<Instant>,
    model: Arc<ModelMeter>,
    signature: Option<Arc<Meter>>,
    run: Option<RunTimes>,
    code: Code,
}

impl Stopwatch {
    /// A request begins, which names no model so far.
    pub(crate) fn start(api: Api, protocol: Protocol, ledger: &Ledger) -> Self {
        Self {
            begin: Instant::now(),
            api,
            protocol,
            deadline: None,
            model: Arc::clone(ledger.nameless()),
            signature: None,
            run: None,
            code: Code::Cancelled,
        }
    }

    /// The caller stops waiting at `deadline`.
    pub(crate) fn ends_by(&mut self, deadline: Option<Instant>) {
        self.deadline = deadline;
    }

    /// The request is one for this model.
    pub(crate) fn names(&mut self, model: Arc<ModelMeter>) {
        self.model = model;
    }

    /// The request is one for this signature; of several, the first counts.
    pub(crate) fn calls(&mut self, callable: &Callable) {
        self.signature.get_or_insert_with(|| Arc::clone(&callable.meter));
    }

    /// A run of the request has ended.
    pub(crate) fn ran(&mut self, times: RunTimes) {
        *self.run.get_or_insert_default() += times;
    }

    /// A run was about so many examples, which TensorFlow Serving counts of MultiInference alone.
    pub(crate) fn examined(&self, examples: usize) {
        if self.api == Api::MultiInference {
            self.model.examples.record(examples);
        }
    }

    /// The request is answered.
    pub(crate) fn stop<T>(self, answer: &Result<T>) {
        self.stop_with(answer.as_ref().map_or_else(|error| error.code, |_| Code::Ok));
    }

    /// The request is answered with this code.
    pub(crate) fn stop_with(mut self, code: Code) {
        self.code = code;
    }

    /// The code of a request that its caller has given up after `time`. One that is given up at its
    /// deadline looks like any other, save that it comes a little before: its caller has counted from
    /// when it was sent.
    fn given_up_after(&self, time: Duration) -> Code {
        let is_late = |deadline: Instant| time >= (deadline - self.begin) / 10 * 9;
        match self.deadline.is_some_and(is_late) {
            true => Code::DeadlineExceeded,
            false => Code::Cancelled,
        }
    }
}

impl Drop for Stopwatch {
    fn drop(&mut self) {
        let Self { api, protocol, run, .. } = *self;
        let total = self.begin.elapsed();
        let meter = self.signature.as_deref().unwrap_or(&self.model.requests);
        match self.code {
            Code::Ok => meter.answered(api, protocol, Times { total, run }),
            Code::Cancelled => meter.failed(api, protocol, self.given_up_after(total)),
            code => meter.failed(api, protocol, code),
        }
    }
}
