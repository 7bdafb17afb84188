//! The partitions that have records which are not on disk, and since when: what is flushed although nobody waits.
//!
//! Invariants:
//! * a partition with unsynced records stands in the queue, or is being flushed; it stands there once;
//! * an append to a partition that is dirty already costs one look at an atomic; the others are never looked at;
//! * the age of a partition's oldest unsynced record is never said to be less than it is.
//!
//! Appends and syncs mark, under the partition's append lock; a task of the broker flushes
//! ([`PartitionManager::flush_dirty`](super::PartitionManager::flush_dirty)).

use super::Partition;
use crate::types::TimestampMs;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;
use tokio::sync::Notify;

const CLEAN: i64 = i64::MAX;

/// Since when a partition has unsynced records.
#[derive(Debug)]
pub(super) struct Mark {
    since: AtomicI64,
    is_queued: AtomicBool,
}

impl Default for Mark {
    fn default() -> Self {
        Mark { since: AtomicI64::new(CLEAN), is_queued: AtomicBool::new(false) }
    }
}

impl Mark {
    /// Records were appended. True when the partition must be queued.
    #[inline]
    pub(super) fn dirty(&self, now: TimestampMs) -> bool {
        self.since.load(Ordering::Relaxed) == CLEAN && self.set(now)
    }

    /// All that is in the log is on disk.
    pub(super) fn clean(&self) {
        self.since.store(CLEAN, Ordering::SeqCst);
    }

    /// What is not on disk was appended at `since` or later. True when the partition must be queued.
    pub(super) fn set(&self, since: TimestampMs) -> bool {
        self.since.store(since.0.min(CLEAN - 1), Ordering::SeqCst);
        !self.is_queued.swap(true, Ordering::SeqCst)
    }

    /// The partition left the queue. Whether it has something to flush.
    fn take(&self) -> bool {
        self.is_queued.swap(false, Ordering::SeqCst);
        self.since().is_some()
    }

    fn since(&self) -> Option<TimestampMs> {
        Some(self.since.load(Ordering::SeqCst)).filter(|since| *since != CLEAN).map(TimestampMs)
    }
}

#[derive(Debug, Default)]
pub(super) struct Dirty {
    queues: Mutex<Queues>,
    news: Notify,
}

#[derive(Debug, Default)]
struct Queues {
    waiting: Vec<Arc<Partition>>,
    /// In reverse order.
    round: Vec<Arc<Partition>>,
    running: Vec<Arc<Partition>>,
}

impl Dirty {
    /// Puts a partition into the queue, because its [`Mark`] says so.
    pub(super) fn push(&self, partition: Arc<Partition>) {
        self.queues.lock().waiting.push(partition);
        self.news.notify_one();
    }

    /// Waits until something was queued.
    pub(super) async fn news(&self) {
        self.news.notified().await;
    }

    /// How many wait for the next round.
    pub(super) fn count(&self) -> usize {
        self.queues.lock().waiting.len()
    }

    /// Begins a round with all that are queued. How many they are.
    pub(super) fn begin_round(&self) -> usize {
        let mut queues = self.queues.lock();
        let waiting = std::mem::take(&mut queues.waiting);
        queues.round.extend(waiting);
        queues.round.reverse();
        queues.round.len()
    }

    /// Flushes those of the round, by any number of threads.
    pub(super) fn flush_round(&self, flush: impl Fn(&Arc<Partition>)) {
        loop {
            let mut queues = self.queues.lock();
            let Some(partition) = queues.round.pop() else { return };
            queues.running.push(partition.clone());
            drop(queues);
            if partition.mark().take() {
                flush(&partition);
            }
            self.queues.lock().running.retain(|running| !Arc::ptr_eq(running, &partition));
        }
    }

    /// Lets those go that others have flushed.
    pub(super) fn forget_clean(&self) {
        let mut queues = self.queues.lock();
        let waiting = std::mem::take(&mut queues.waiting);
        let still = |partition: &Arc<Partition>| {
            let mark = partition.mark();
            // An append between the two queues it again, or sees that it is queued.
            mark.take() && !partition.log.is_offline() && !mark.is_queued.swap(true, Ordering::SeqCst)
        };
        queues.waiting = waiting.into_iter().filter(still).collect();
    }

    /// How long the oldest record that is not on disk has been waiting for that.
    pub(super) fn oldest(&self, now: TimestampMs) -> Option<Duration> {
        let queues = self.queues.lock();
        let all = queues.waiting.iter().chain(&queues.round).chain(&queues.running);
        let online = all.filter(|partition| !partition.log.is_offline());
        let since = online.filter_map(|partition| partition.mark().since()).min()?;
        Some(Duration::from_millis(u64::try_from(now.0.saturating_sub(since.0)).unwrap_or(0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_is_queued_once_and_keeps_the_time_of_its_first_record() {
        let mark = Mark::default();
        assert!(mark.dirty(TimestampMs(10)));
        assert!(!mark.dirty(TimestampMs(20)), "it stands in the queue");
        assert_eq!(mark.since(), Some(TimestampMs(10)));
        assert!(mark.take());
        assert!(!mark.dirty(TimestampMs(30)), "its flush will queue it again");
        assert!(mark.set(TimestampMs(25)), "as it does, with what came during it");
        assert_eq!(mark.since(), Some(TimestampMs(25)));
        mark.clean();
        assert!(!mark.dirty(TimestampMs(40)), "others flushed it, and it stands there still");
        assert_eq!(mark.since(), Some(TimestampMs(40)));
        mark.clean();
        assert!(!mark.take(), "nothing to flush");
        assert!(mark.dirty(TimestampMs(50)));
    }
}
