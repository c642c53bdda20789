// SPDX-License-Identifier: Apache-2.0
//! Errors of the data plane as exceptions, and exceptions of the control plane as errors.

use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;
use slipway_core::{Code, Error, Result};

/// The exception of `slipway.errors` for an error: the mapping of codes to classes is Python's.
pub(crate) fn exception(py: Python<'_>, error: &Error) -> PyErr {
    let make = || {
        let class = py.import("slipway.errors")?.getattr("ServingError")?;
        class.call_method1("of_code", (error.code as i32, error.message.as_str()))
    };
    make().map_or_else(|failure: PyErr| failure, PyErr::from_value)
}

/// The error that an exception of a callback stands for. Only a ServingError is meant for callers.
pub(crate) fn error(py: Python<'_>, exception: &PyErr) -> Error {
    let value = exception.value(py);
    let code = || {
        let class = py.import("slipway.errors")?.getattr("ServingError")?;
        let code = if value.is_instance(&class)? { Some(value.getattr("code")?) } else { None };
        code.map(|code| code.extract()).transpose()
    };
    match code() {
        Ok(Some(code)) => Error::new(Code::from_number(code), value.to_string()),
        _ => Error::internal("the configuration could not be applied; the log says why"),
    }
}

pub(crate) fn os_error(error: &std::io::Error) -> PyErr {
    PyOSError::new_err(error.to_string())
}

/// Does `work` without the GIL; its error becomes an exception of `slipway.errors`.
pub(crate) fn detached<T: Send>(
    py: Python<'_>,
    work: impl FnOnce() -> Result<T> + Send,
) -> PyResult<T> {
    py.detach(work).map_err(|error| exception(py, &error))
}
