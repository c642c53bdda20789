// SPDX-License-Identifier: Apache-2.0
//! SavedModels run by TensorFlow's C API, which is loaded at run time from an installed wheel.
//!
//! All `unsafe` code of the workspace is here: `sys` declares the C functions, and `library`,
//! `status`, `tensor` and `session` make of them values that free themselves. `denormals` sets the
//! floating point of a thread that runs TensorFlow's ops.

mod checksum;
mod complete;
mod denormals;
mod library;
mod reach;
mod records;
mod saved_model;
mod session;
mod status;
mod sys;
mod table;
mod tensor;
mod trial;
mod warm_up;

pub use complete::incomplete_reason;
pub use library::{trim_memory, Library};
pub use saved_model::{load, LoadOptions, Loaded, Pin, Threads};
pub use warm_up::WarmUp;
