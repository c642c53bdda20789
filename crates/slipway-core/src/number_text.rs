// SPDX-License-Identifier: Apache-2.0
//! Numbers as the JSON of the REST API has them.

/// Appends the decimal digits of an integer.
pub fn push_integer<I: itoa::Integer>(out: &mut Vec<u8>, value: I) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Appends the shortest text that reads back to `value`, which always shows that it is no integer;
/// or `NaN`, `Infinity` and `-Infinity`, as the API has them.
pub fn push_float<F: zmij::Float + Into<f64>>(out: &mut Vec<u8>, value: F) {
    let wide: f64 = value.into();
    if wide.is_finite() {
        out.extend_from_slice(zmij::Buffer::new().format_finite(value).as_bytes());
    } else if wide.is_nan() {
        out.extend_from_slice(b"NaN");
    } else {
        out.extend_from_slice(if wide > 0.0 { b"Infinity" } else { b"-Infinity" });
    }
}
