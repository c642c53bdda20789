// SPDX-License-Identifier: Apache-2.0
//! `slipway._native`: what `src/slipway/_native.pyi` shows, and nothing else.
//!
//! Every call that waits lets go of the GIL first. Errors are the classes of `slipway.errors`.

#![forbid(unsafe_code)]

mod arrays;
mod client;
mod convert;
mod errors;
mod saved_model;
mod server;

use pyo3::prelude::*;

/// The data plane, the client and the library of Slipway. Only `slipway.dataplane.native`,
/// `slipway.client.native` and `slipway.saved_model` import it.
#[pymodule]
mod _native {
    #[pymodule_export]
    use crate::client::{Connection, Inbox, Request};
    #[pymodule_export]
    use crate::convert::parse_text;
    #[pymodule_export]
    use crate::saved_model::SavedModel;
    #[pymodule_export]
    use crate::server::Server;
    #[pymodule_export]
    use crate::server::{check_tls, incomplete_reason, runtime_version};
}
