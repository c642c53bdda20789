// SPDX-License-Identifier: Apache-2.0
//! Numbers too small for a full mantissa. TensorFlow's own threads take each for zero, which
//! matters to the numbers of a model as well as to its speed.

use std::arch::asm;
use std::marker::PhantomData;

/// Has the calling thread take denormal numbers for zero, as long as it lives. That is to be no
/// longer than one call of the runtime: code of Rust's own may count on them.
pub(crate) struct FlushedDenormals {
    before: Control,
    /// It belongs to the thread that made it.
    not_send: PhantomData<*const ()>,
}

impl FlushedDenormals {
    pub(crate) fn new() -> Self {
        let before = control();
        set_control(before | FLUSH);
        Self { before, not_send: PhantomData }
    }
}

impl Drop for FlushedDenormals {
    fn drop(&mut self) {
        set_control(self.before);
    }
}

#[cfg(target_arch = "x86_64")]
type Control = u32;

/// Of the register MXCSR: results that are denormal become zero, and so do operands.
#[cfg(target_arch = "x86_64")]
const FLUSH: Control = 1 << 15 | 1 << 6;

#[cfg(target_arch = "x86_64")]
fn control() -> Control {
    let mut value: Control = 0;
    // SAFETY: stores the register in the four bytes pointed to, and does nothing else.
    unsafe { asm!("stmxcsr [{}]", in(reg) &raw mut value, options(nostack, preserves_flags)) };
    value
}

#[cfg(target_arch = "x86_64")]
fn set_control(value: Control) {
    // SAFETY: `value` is what the register had, or that with FLUSH, which every processor that
    // TensorFlow runs on knows. Rust computes no floats before it is set back.
    unsafe { asm!("ldmxcsr [{}]", in(reg) &raw const value, options(nostack)) };
}

#[cfg(target_arch = "aarch64")]
type Control = u64;

/// Of the register FPCR: denormal operands and results become zero.
#[cfg(target_arch = "aarch64")]
const FLUSH: Control = 1 << 24;

#[cfg(target_arch = "aarch64")]
fn control() -> Control {
    let value: Control;
    // SAFETY: reads a register that every thread may read.
    unsafe { asm!("mrs {}, fpcr", out(reg) value, options(nostack, preserves_flags)) };
    value
}

#[cfg(target_arch = "aarch64")]
fn set_control(value: Control) {
    // SAFETY: `value` is what the register had, or that with FLUSH. Rust computes no floats before
    // it is set back.
    unsafe { asm!("msr fpcr, {}", in(reg) value, options(nostack)) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_flushes_denormals_until_it_is_dropped() {
        let before = control();
        assert_eq!(before & FLUSH, 0);
        let flushed = FlushedDenormals::new();
        assert_eq!(control(), before | FLUSH);
        drop(flushed);
        assert_eq!(control(), before);
    }
}
