//! Waiting for records: a long poll across any number of partitions, without polling.
//!
//! Invariants:
//! * a wait counts the bytes that it still misses; appends subtract what became readable, and only the append that
//!   brings the count to zero wakes the waiter;
//! * the count is set before the partitions are read, so that an append in between is counted (perhaps twice, which
//!   costs one more look, never a lost wake-up);
//! * a wait is registered with its partitions for as long as its [`FetchWait`] lives.

use super::Partition;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use tokio::sync::Notify;
use tokio::time::Instant;

/// Up to where a reader may read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadableBound {
    /// What is replicated: consumers with `read_uncommitted`.
    HighWatermark,
    /// What is replicated and decided: consumers with `read_committed`.
    LastStable,
}

#[derive(Debug)]
struct Missing {
    bytes: AtomicI64,
    enough: Notify,
}

/// One waiting fetch.
#[derive(Debug)]
pub struct FetchWait {
    missing: Arc<Missing>,
    partitions: Vec<Arc<Partition>>,
}

impl FetchWait {
    /// Registers a wait with `partitions`, for records below `bound`.
    pub fn register(partitions: Vec<Arc<Partition>>, bound: ReadableBound) -> FetchWait {
        let missing = Arc::new(Missing { bytes: AtomicI64::new(i64::MAX), enough: Notify::new() });
        for partition in &partitions {
            partition.waits().add(missing.clone(), bound);
        }
        FetchWait { missing, partitions }
    }

    /// To be called before the partitions are read: at least `bytes` must become readable.
    pub fn begin_round(&self, bytes: u32) {
        self.missing.bytes.store(i64::from(bytes.max(1)), Ordering::SeqCst);
    }

    /// To be called when they were read and had `found_bytes`: waits for the rest. `false` when the deadline came first.
    pub async fn wait_for_rest(&self, found_bytes: u64, deadline: Instant) -> bool {
        self.missing.subtract(found_bytes);
        tokio::time::timeout_at(deadline, async {
            while self.missing.bytes.load(Ordering::SeqCst) > 0 {
                self.missing.enough.notified().await;
            }
        })
        .await
        .is_ok()
    }
}

impl Drop for FetchWait {
    fn drop(&mut self) {
        for partition in &self.partitions {
            partition.waits().remove(&self.missing);
        }
    }
}

impl Missing {
    fn subtract(&self, bytes: u64) {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        let before = self.bytes.fetch_sub(bytes, Ordering::SeqCst);
        if before > 0 && before <= bytes {
            self.enough.notify_one();
        }
    }

    fn wake(&self) {
        self.bytes.store(0, Ordering::SeqCst);
        self.enough.notify_one();
    }
}

/// The waits registered with one partition.
#[derive(Debug, Default)]
pub(super) struct Waits(Mutex<Vec<(Arc<Missing>, ReadableBound)>>);

impl Waits {
    fn add(&self, missing: Arc<Missing>, bound: ReadableBound) {
        self.0.lock().push((missing, bound));
    }

    fn remove(&self, missing: &Arc<Missing>) {
        let mut waits = self.0.lock();
        if let Some(at) = waits.iter().position(|(m, _)| Arc::ptr_eq(m, missing)) {
            waits.swap_remove(at);
            if waits.is_empty() {
                *waits = Vec::new();
            }
        }
    }

    /// `high_watermark` and `last_stable`: by how many bytes each bound moved.
    pub(super) fn moved(&self, high_watermark: u64, last_stable: u64) {
        for (missing, bound) in self.0.lock().iter() {
            let bytes = match bound {
                ReadableBound::HighWatermark => high_watermark,
                ReadableBound::LastStable => last_stable,
            };
            if bytes > 0 {
                missing.subtract(bytes);
            }
        }
    }

    /// Something other than an append happened that a reader must hear of: a new epoch, a deletion, a failed log.
    pub(super) fn wake_all(&self) {
        for (missing, _) in self.0.lock().iter() {
            missing.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn wait() -> FetchWait {
        FetchWait::register(Vec::new(), ReadableBound::HighWatermark)
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(5)
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_ends_only_when_its_missing_bytes_are_there() {
        let (wait, waits) = (wait(), Waits::default());
        waits.add(wait.missing.clone(), ReadableBound::HighWatermark);
        wait.begin_round(100);
        waits.moved(60, 60);
        assert!(!wait.wait_for_rest(30, soon()).await);
        wait.begin_round(100);
        waits.moved(60, 0);
        assert!(wait.wait_for_rest(40, soon()).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_committed_reader_is_not_woken_by_records_it_may_not_see() {
        let (wait, waits) = (wait(), Waits::default());
        waits.add(wait.missing.clone(), ReadableBound::LastStable);
        wait.begin_round(1);
        waits.moved(1000, 0);
        assert!(!wait.wait_for_rest(0, soon()).await);
        waits.moved(0, 1);
        assert!(wait.wait_for_rest(0, soon()).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_wakes_for_what_is_not_an_append() {
        let (wait, waits) = (wait(), Waits::default());
        waits.add(wait.missing.clone(), ReadableBound::HighWatermark);
        wait.begin_round(1 << 20);
        waits.wake_all();
        assert!(wait.wait_for_rest(0, soon()).await);
        waits.remove(&wait.missing);
        assert!(waits.0.lock().is_empty());
    }
}
