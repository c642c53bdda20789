// SPDX-License-Identifier: Apache-2.0
//! Memory that requests may take, counted before it is taken.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::Arc;

use crate::{Code, Error, Result};

/// The bytes that all requests under way may hold together.
#[derive(Debug)]
pub struct Budget {
    total: usize,
    used: AtomicUsize,
}

/// What one request has taken of a budget; given back when it is dropped. Threads may share it.
#[derive(Debug)]
pub struct Lease {
    budget: Arc<Budget>,
    taken: AtomicUsize,
}

/// What a string costs in TensorFlow's memory beside its bytes.
pub const STRING_COST: usize = 24;

/// How much memory a tensor of a request may take.
#[derive(Clone, Copy, Debug)]
pub struct Room<'a> {
    pub max_tensor_bytes: usize,
    /// Pays for memory beyond that of the message itself.
    pub lease: &'a Lease,
}

impl Budget {
    pub fn new(total: usize) -> Arc<Self> {
        Arc::new(Self { total, used: AtomicUsize::new(0) })
    }

    /// A lease that has taken nothing yet.
    pub fn lease(self: &Arc<Self>) -> Lease {
        Lease { budget: Arc::clone(self), taken: AtomicUsize::new(0) }
    }

    /// Bytes that may be taken.
    pub fn total(&self) -> usize {
        self.total
    }

    /// Bytes that are taken now.
    pub fn used(&self) -> usize {
        self.used.load(Relaxed)
    }
}

impl Room<'_> {
    /// Takes the `bytes` of one tensor.
    ///
    /// # Errors
    /// RESOURCE_EXHAUSTED when a tensor may not be that large, or the budget does not have them.
    pub fn take(&self, bytes: usize) -> Result<()> {
        let limit = self.max_tensor_bytes;
        if bytes > limit {
            return Err(Error::new(
                Code::ResourceExhausted,
                format!("{bytes} bytes are more than the limit of {limit} for one tensor"),
            ));
        }
        self.lease.take(bytes)
    }

    /// Takes what one tensor of `count` strings needs that have `bytes` altogether.
    ///
    /// # Errors
    /// Those of [`take`](Self::take).
    pub fn take_strings(&self, count: usize, bytes: usize) -> Result<()> {
        self.take(count.saturating_mul(STRING_COST).saturating_add(bytes))
    }
}

impl Lease {
    /// A lease for work that no request asked for.
    pub fn unlimited() -> Self {
        Budget::new(usize::MAX).lease()
    }

    /// Takes `bytes` more.
    ///
    /// # Errors
    /// RESOURCE_EXHAUSTED, with nothing taken, when the budget does not have them.
    pub fn take(&self, bytes: usize) -> Result<()> {
        let Budget { total, used } = &*self.budget;
        let fits = |used: usize| used.checked_add(bytes).filter(|sum| sum <= total);
        match used.fetch_update(Relaxed, Relaxed, fits) {
            Ok(_) => {
                self.taken.fetch_add(bytes, Relaxed);
                Ok(())
            }
            Err(used) => Err(Error::new(
                Code::ResourceExhausted,
                format!(
                    "{bytes} more bytes do not fit: requests under way hold {used} of the {total} \
                     that they may hold together. Try again later, or with less"
                ),
            )),
        }
    }

    /// Gives everything back.
    pub fn release(&self) {
        self.budget.used.fetch_sub(self.taken.swap(0, Relaxed), Relaxed);
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.release();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leases_share_a_budget_and_give_back_what_they_took() {
        let budget = Budget::new(10);
        let (first, second) = (budget.lease(), budget.lease());
        first.take(4).unwrap();
        first.take(2).unwrap();
        let error = second.take(5).unwrap_err();
        assert_eq!(error.code, Code::ResourceExhausted);
        assert!(error.message.contains("hold 6 of the 10"), "{error}");
        assert_eq!(budget.used(), 6);
        drop(first);
        second.take(10).unwrap();
        assert!(second.take(usize::MAX).is_err());
        second.release();
        assert_eq!(budget.used(), 0);
    }
}
