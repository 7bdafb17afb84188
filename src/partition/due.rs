//! The partitions whose logs must be synced now, in the order in which they asked.
//!
//! Invariants:
//! * a partition stands in the queue once, and is synced by one thread at a time; what asks during its sync has it queued
//!   again after it, behind the others;
//! * who asks neither waits nor takes a lock but the queue's own;
//! * who asks and who begins both write the ticket, so that one of them sees what the other wrote before: what was
//!   appended, or that it must be asked again.
//!
//! Filled by appends, emptied on the blocking pool ([`PartitionManager::sync_due`](super::PartitionManager::sync_due)).

use super::Partition;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use tokio::sync::Notify;

#[derive(Debug, Default)]
pub(super) struct DueSyncs {
    queue: Mutex<VecDeque<Arc<Partition>>>,
    news: Notify,
    recovery_points: Notify,
}

impl DueSyncs {
    /// Puts a partition at the end, because its [`Ticket`] says so.
    pub(super) fn push(&self, partition: Arc<Partition>) {
        self.queue.lock().push_back(partition);
        self.news.notify_one();
    }

    /// The next to be synced.
    pub(super) fn take(&self) -> Option<Arc<Partition>> {
        self.queue.lock().pop_front()
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.queue.lock().len()
    }

    /// Waits until something was queued.
    pub(super) async fn news(&self) {
        self.news.notified().await;
    }

    /// A recovery point moved in a sync, and is to be written down.
    pub(super) fn note_recovery_point(&self) {
        self.recovery_points.notify_one();
    }

    /// Waits until a recovery point moved.
    pub(super) async fn recovery_points_moved(&self) {
        self.recovery_points.notified().await;
    }
}

const IDLE: u8 = 0;
const QUEUED: u8 = 1;
const RUNNING: u8 = 2;
const ASKED_AGAIN: u8 = 3;

/// Where a partition stands with its syncs.
#[derive(Debug, Default)]
pub(super) struct Ticket(AtomicU8);

impl Ticket {
    /// A sync is needed. True when the partition must be queued for it.
    pub(super) fn ask(&self) -> bool {
        // Written even where it stays: a mere load may come before the sync that begins is seen.
        let asked = |state| match state {
            IDLE => Some(QUEUED),
            RUNNING => Some(ASKED_AGAIN),
            asked => Some(asked),
        };
        self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, asked) == Ok(IDLE)
    }

    /// Its sync begins: what asks from now on is not covered by it.
    pub(super) fn begin(&self) {
        self.0.swap(RUNNING, Ordering::AcqRel);
    }

    /// Its sync is over. True when it must be queued again.
    pub(super) fn done(&self) -> bool {
        let next = |state| Some(if state == ASKED_AGAIN { QUEUED } else { IDLE });
        self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, next) == Ok(ASKED_AGAIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, AtomicU64};
    use std::time::{Duration, Instant};

    #[test]
    fn a_partition_is_queued_once_and_again_when_it_asks_during_its_sync() {
        let ticket = Ticket::default();
        assert!(ticket.ask());
        assert!(!ticket.ask(), "it stands in the queue");
        ticket.begin();
        assert!(!ticket.done(), "nobody asked meanwhile");
        assert!(ticket.ask());
        ticket.begin();
        assert!(!ticket.ask(), "not beside its own sync");
        assert!(!ticket.ask());
        assert!(ticket.done(), "but after it");
        assert!(!ticket.ask());
        ticket.begin();
        assert!(!ticket.done());
    }

    /// With a store where a sync begins and a load where a queued partition is asked for, some in ten thousand were lost.
    #[test]
    fn what_is_appended_while_a_sync_begins_is_seen_by_it_or_asked_for_again() {
        let (ticket, log_end, asked) = (Ticket::default(), AtomicU64::new(0), AtomicBool::new(false));
        let (begun, over) = (AtomicU64::new(0), AtomicU64::new(0));
        let wait_for = |round: &AtomicU64, wanted: u64| {
            while round.load(Ordering::Acquire) < wanted {
                std::hint::spin_loop();
            }
        };
        let end = Instant::now() + Duration::from_millis(500);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for round in 1.. {
                    wait_for(&begun, round);
                    if begun.load(Ordering::Acquire) == u64::MAX {
                        break;
                    }
                    log_end.store(round, Ordering::Release);
                    asked.store(ticket.ask(), Ordering::Release);
                    over.store(round, Ordering::Release);
                }
            });
            for round in (1..).take_while(|_| Instant::now() < end) {
                ticket.0.store(QUEUED, Ordering::SeqCst);
                begun.store(round, Ordering::SeqCst);
                (0..round % 60).for_each(|_| std::hint::spin_loop());
                ticket.begin();
                let is_seen = log_end.load(Ordering::Acquire) == round;
                let is_queued = ticket.done();
                wait_for(&over, round);
                if !is_seen && !is_queued && !asked.load(Ordering::Acquire) {
                    begun.store(u64::MAX, Ordering::Release);
                    panic!("lost in round {round}");
                }
            }
            begun.store(u64::MAX, Ordering::Release);
        });
    }
}
