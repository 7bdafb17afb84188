//! One budget for the bytes of all requests that are still arriving (`queued.max.request.bytes`).
//!
//! Invariants: a frame that arrives in pieces is charged as a whole before more of it is read, so that whoever holds a
//! charge can finish, and no two half-read frames wait for each other; the charge is returned when the frame was
//! handled or its connection ended; while nothing is free, who has no charge reads little. Whoever holds a charge and
//! does not go on can be told that others wait for it ([`Budget::is_contended`]).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The unit of the budget in bytes.
const UNIT_BYTES: usize = 1024;

/// The budget. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Budget {
    units: Arc<Semaphore>,
    total: u32,
    waiting: Arc<AtomicUsize>,
}

/// Counts itself while it lives.
struct Waiter<'a>(&'a AtomicUsize);

impl<'a> Waiter<'a> {
    fn new(count: &'a AtomicUsize) -> Waiter<'a> {
        count.fetch_add(1, Ordering::Relaxed);
        Waiter(count)
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A part of the budget, returned when dropped.
#[derive(Debug)]
pub struct Charge {
    _permit: OwnedSemaphorePermit,
}

impl Budget {
    /// A budget of `bytes`, but at least one frame of `frame_bytes_max`.
    pub fn new(bytes: usize, frame_bytes_max: usize) -> Budget {
        let units = bytes.max(frame_bytes_max).div_ceil(UNIT_BYTES);
        let total = u32::try_from(units.min(Semaphore::MAX_PERMITS)).unwrap_or(u32::MAX);
        Budget { units: Arc::new(Semaphore::new(total as usize)), total, waiting: Arc::default() }
    }

    /// Whether nothing is free: somebody waits, and takes what comes back.
    pub fn is_exhausted(&self) -> bool {
        self.units.available_permits() == 0
    }

    /// Waits until `bytes` are free; first come, first served.
    pub async fn charge(&self, bytes: usize) -> Charge {
        let units = u32::try_from(bytes.div_ceil(UNIT_BYTES)).unwrap_or(u32::MAX).min(self.total);
        let _waiter = Waiter::new(&self.waiting);
        let permit = self.units.clone().acquire_many_owned(units).await.expect("the budget is never closed");
        Charge { _permit: permit }
    }

    /// Whether somebody waits.
    pub fn is_contended(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_frame_waits_until_the_budget_has_room_for_it() {
        let budget = Budget::new(10 * UNIT_BYTES, 4 * UNIT_BYTES);
        let first = budget.charge(8 * UNIT_BYTES).await;
        let second = tokio::spawn({
            let budget = budget.clone();
            async move { budget.charge(4 * UNIT_BYTES).await }
        });
        tokio::task::yield_now().await;
        assert!(!second.is_finished() && budget.is_contended());
        assert!(budget.is_exhausted(), "what is free belongs to the one who waits");
        drop(first);
        drop(second.await.unwrap());
        assert!(!budget.is_exhausted() && !budget.is_contended());
    }
}
