// SPDX-License-Identifier: Apache-2.0
//! Finding TensorFlow in the process, once.

use std::ffi::CStr;
use std::fmt;
use std::path::Path;
use std::sync::Mutex;

use libloading::os::unix;
use slipway_core::{Code, Error, Result};

use crate::sys::Functions;

/// The TensorFlow runtime. It stays in the process for good: its threads cannot be taken back.
#[derive(Clone, Copy)]
pub struct Library {
    pub(crate) functions: &'static Functions,
}

static LOADED: Mutex<Option<Library>> = Mutex::new(None);

impl Library {
    /// Loads `libtensorflow_cc` from `path`, or returns the runtime that was loaded before.
    ///
    /// Takes about a second and 300 MB the first time. The symbols stay local to the library, so
    /// that a later `import tensorflow` in the same process finds them as it expects.
    ///
    /// # Errors
    /// FAILED_PRECONDITION when the file is no TensorFlow library or lacks a function.
    pub fn load(path: &Path) -> Result<Library> {
        let mut loaded = LOADED.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(library) = *loaded {
            return Ok(library);
        }
        let failed = |error: libloading::Error| {
            let message = format!("cannot load the TensorFlow runtime: {error}");
            Error::new(Code::FailedPrecondition, message)
        };
        // SAFETY: the path is the operator's choice of TensorFlow runtime; running its
        // initialisers is the point of loading it.
        let library = unsafe { unix::Library::open(Some(path), unix::RTLD_NOW | unix::RTLD_LOCAL) }
            .map_err(failed)?;
        let library: &'static libloading::Library = Box::leak(Box::new(library.into()));
        // SAFETY: the functions are TensorFlow's, and the library is never unloaded.
        let functions = unsafe { Functions::find(library) }.map_err(failed)?;
        let library = Library { functions: Box::leak(Box::new(functions)) };
        keep_large_blocks_apart();
        *loaded = Some(library);
        Ok(library)
    }

    /// The version of the runtime, such as `2.21.0`.
    pub fn version(self) -> String {
        // SAFETY: TF_Version returns a static, NUL-terminated string.
        let version = unsafe { CStr::from_ptr((self.functions.TF_Version)()) };
        version.to_string_lossy().into_owned()
    }
}

impl fmt::Debug for Library {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Library").field("version", &self.version()).finish()
    }
}

/// Has variables and large bodies mapped for themselves, so that freeing one gives it back whole.
///
/// Left to itself, glibc puts blocks up to the size of the largest that was freed so far into its
/// heaps: after the first unload those of the next version too, in between the buffers of requests,
/// which then keep the heaps from shrinking. What the operator has set is left alone.
fn keep_large_blocks_apart() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        // Mapping a block anew costs as much as filling it: an image as JSON is to stay below.
        const LARGE_BYTES: libc::c_int = 8 << 20;
        let is_set = |name| std::env::var_os(name).is_some();
        if is_set("MALLOC_MMAP_THRESHOLD_") || is_set("GLIBC_TUNABLES") {
            return;
        }
        // SAFETY: mallopt may be called at any time.
        unsafe {
            libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE_BYTES);
            // Fixing the one fixes the other, at a size that would shrink a heap at every request.
            libc::mallopt(libc::M_TRIM_THRESHOLD, LARGE_BYTES);
        }
    }
}

/// Gives memory that was freed back to the system, where the C library can.
pub fn trim_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: malloc_trim may be called at any time, from any thread.
    unsafe {
        libc::malloc_trim(0);
    }
}

#[cfg(all(test, target_os = "linux", target_env = "gnu"))]
mod tests {
    use super::*;

    /// Bytes in blocks that are mapped for themselves.
    fn mapped_apart() -> i64 {
        // SAFETY: mallinfo may be called at any time.
        i64::from(unsafe { libc::mallinfo() }.hblkhd)
    }

    #[test]
    fn a_large_block_is_mapped_apart_after_one_was_freed_as_well() {
        const BYTES: usize = 16 << 20;
        keep_large_blocks_apart();
        drop(std::hint::black_box(vec![1u8; BYTES]));
        let before = mapped_apart();
        let block = std::hint::black_box(vec![1u8; BYTES]);
        assert!(mapped_apart() - before >= BYTES as i64);
        drop(block);
    }
}
