// SPDX-License-Identifier: Apache-2.0
//! JSON bodies: text straight into typed buffers, and typed buffers straight into text.
//!
//! No document tree stands between the two. What is accepted, and the words of every refusal, are
//! TensorFlow Serving's, whose reader and writer is RapidJSON.
//!
//! - `reader`: the grammar, as a cursor over the body; `text` and `number` are its two tokens.
//! - `tensors`: a JSON value into the buffer of one dtype; `scalars` has the rules of each dtype.
//! - `rows`: the values of `instances` and `inputs`; `predict`: the body around them.
//! - `examples`: the body of Classify and Regress, whose features become serialized examples.
//! - `dump`: JSON quoted in messages; `writer`: the answers.

mod dump;
mod examples;
mod number;
mod predict;
mod reader;
mod rows;
mod scalars;
mod tensors;
mod text;
mod writer;

use reader::{Reader, SyntaxError};
use slipway_core::{narrow, Error, Result, Room};

pub(crate) use examples::{read_examples, ExamplesBody};
pub(crate) use predict::{read_predict, PredictBody};
pub(crate) use writer::{write_error, write_predict, write_results};

/// How a body lays out its tensors; the answer is laid out as its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// One element of a list a row: `instances`, answered by `predictions`.
    Row,
    /// Whole tensors by name: `inputs`, answered by `outputs`.
    Column,
}

/// How much a body may hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits<'a> {
    /// Levels of lists and objects, the outermost object being the first. Reading recurses as deep.
    pub(crate) max_depth: usize,
    /// Memory of one input, or of all examples.
    pub(crate) room: Room<'a>,
}

/// A reader at the one value of a body.
fn open<'a>(body: &'a [u8], limits: &Limits<'_>) -> Result<Reader<'a>> {
    if body.is_empty() {
        return Err(Error::invalid_argument("JSON Parse error: The document is empty"));
    }
    Reader::new(body, limits.max_depth).map_err(not_json)
}

fn not_json(error: SyntaxError) -> Error {
    Error::invalid_argument(error.to_string())
}
