// SPDX-License-Identifier: Apache-2.0
//! A client of the TensorFlow Serving contract: Predict, metadata and status, over gRPC or REST.
//!
//! A [`Client`] is for one address and for any number of threads. A thread that waits for its
//! answer moves the bytes itself, for itself and for all others that wait: see [`driver`](mod@driver).

#![forbid(unsafe_code)]

mod address;
mod client;
mod credentials;
mod driver;
mod failure;
mod grpc;
mod link;
mod model;
mod rest;
mod socket;

pub use client::{Client, Task};
pub use credentials::Credentials;
pub use model::{Answer, Metadata, ModelRef, Predict, Request, SignatureInfo, TensorInfo};
