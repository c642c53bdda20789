// SPDX-License-Identifier: Apache-2.0
//! The front of the data plane: gRPC and REST over the servables of a registry.
//!
//! `server` opens and closes, `network` keeps the connections, `grpc` and `rest` translate between
//! the wire and a call, `runner` makes the call, `stopwatch` has it counted and `metrics` shows the
//! counts. What a request means is decided in `slipway-core`.

#![forbid(unsafe_code)]

mod activity;
mod authority;
mod grpc;
mod handshake;
mod metrics;
mod network;
mod peer;
mod plane;
mod rest;
mod runner;
mod server;
mod stopwatch;
mod unix_socket;

pub use plane::{Limits, ReloadHandler};
pub use server::{Addresses, Server, ServerConfig};
