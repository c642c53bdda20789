// SPDX-License-Identifier: Apache-2.0
//! CRC-32C as TensorFlow's files store it.

/// The checksum of `bytes`, given the stored form: rotated and shifted, so that one over data with
/// checksums in it is no worse.
pub(crate) fn masked(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}
