//! The positions of a log: one value, published together, read without a lock.
//!
//! Invariants:
//! * log start ≤ last stable ≤ high watermark ≤ log end, in every value that a reader sees;
//! * the log end is published after the bytes below it are stored, and the segment that holds them is in the list;
//! * one writer at a time: the holder of the append lock.
//!
//! Each bound comes with a count of bytes: all bytes ever appended below it since the log was opened. Waiters subtract
//! two of them; a reader takes a segment's own count off and has the bound's place in the file.

use crate::types::{LeaderEpoch, Offset};
use std::hint;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering, fence};
use std::thread;

/// Where a log begins and ends, at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Positions {
    /// The first offset that may be read.
    pub log_start: Offset,
    /// Records below may be read by read-committed consumers.
    pub last_stable: Offset,
    /// Records below may be read by consumers.
    pub high_watermark: Offset,
    /// The offset that the next record will get.
    pub log_end: Offset,
    /// Bytes appended below `last_stable`.
    pub last_stable_bytes: u64,
    /// Bytes appended below `high_watermark`.
    pub high_watermark_bytes: u64,
    /// Bytes appended below `log_end`.
    pub log_end_bytes: u64,
    /// The epoch with which batches are stamped; [`LeaderEpoch::NONE`] before the first.
    pub leader_epoch: LeaderEpoch,
}

/// How far a read may reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// For consumers that read uncommitted records.
    HighWatermark,
    /// For consumers that read committed records.
    LastStable,
    /// For followers.
    LogEnd,
}

impl Positions {
    /// The first offset that `bound` keeps from a reader.
    pub fn bound(&self, bound: Bound) -> Offset {
        match bound {
            Bound::HighWatermark => self.high_watermark,
            Bound::LastStable => self.last_stable,
            Bound::LogEnd => self.log_end,
        }
    }

    /// The bytes appended below `bound`.
    pub fn bound_bytes(&self, bound: Bound) -> u64 {
        match bound {
            Bound::HighWatermark => self.high_watermark_bytes,
            Bound::LastStable => self.last_stable_bytes,
            Bound::LogEnd => self.log_end_bytes,
        }
    }
}

/// How often a reader looks again before it gives its processor away.
const SPINS: u32 = 64;

/// A sequence lock around a [`Positions`]; an odd sequence says that a writer is at work.
#[derive(Debug)]
pub(super) struct Published {
    sequence: AtomicU64,
    log_start: AtomicI64,
    last_stable: AtomicI64,
    high_watermark: AtomicI64,
    log_end: AtomicI64,
    last_stable_bytes: AtomicU64,
    high_watermark_bytes: AtomicU64,
    log_end_bytes: AtomicU64,
    leader_epoch: AtomicI64,
}

impl Published {
    pub(super) fn new(first: Positions) -> Published {
        Published {
            sequence: AtomicU64::new(0),
            log_start: AtomicI64::new(first.log_start.0),
            last_stable: AtomicI64::new(first.last_stable.0),
            high_watermark: AtomicI64::new(first.high_watermark.0),
            log_end: AtomicI64::new(first.log_end.0),
            last_stable_bytes: AtomicU64::new(first.last_stable_bytes),
            high_watermark_bytes: AtomicU64::new(first.high_watermark_bytes),
            log_end_bytes: AtomicU64::new(first.log_end_bytes),
            leader_epoch: AtomicI64::new(first.leader_epoch.0.into()),
        }
    }

    /// Replaces the value. Only the holder of the append lock calls this.
    pub(super) fn store(&self, next: &Positions) {
        let ordered = next.log_start <= next.last_stable
            && next.last_stable <= next.high_watermark
            && next.high_watermark <= next.log_end;
        assert!(ordered, "positions out of order: {next:?}");
        let sequence = self.sequence.load(Ordering::Relaxed);
        self.sequence.store(sequence + 1, Ordering::Relaxed);
        fence(Ordering::Release);
        self.log_start.store(next.log_start.0, Ordering::Relaxed);
        self.last_stable.store(next.last_stable.0, Ordering::Relaxed);
        self.high_watermark.store(next.high_watermark.0, Ordering::Relaxed);
        self.log_end.store(next.log_end.0, Ordering::Relaxed);
        self.last_stable_bytes.store(next.last_stable_bytes, Ordering::Relaxed);
        self.high_watermark_bytes.store(next.high_watermark_bytes, Ordering::Relaxed);
        self.log_end_bytes.store(next.log_end_bytes, Ordering::Relaxed);
        self.leader_epoch.store(next.leader_epoch.0.into(), Ordering::Relaxed);
        self.sequence.store(sequence + 2, Ordering::Release);
    }

    /// One value that was published.
    pub(super) fn load(&self) -> Positions {
        let mut attempt: u32 = 0;
        loop {
            let before = self.sequence.load(Ordering::Acquire);
            if before.is_multiple_of(2) {
                let value = Positions {
                    log_start: Offset(self.log_start.load(Ordering::Relaxed)),
                    last_stable: Offset(self.last_stable.load(Ordering::Relaxed)),
                    high_watermark: Offset(self.high_watermark.load(Ordering::Relaxed)),
                    log_end: Offset(self.log_end.load(Ordering::Relaxed)),
                    last_stable_bytes: self.last_stable_bytes.load(Ordering::Relaxed),
                    high_watermark_bytes: self.high_watermark_bytes.load(Ordering::Relaxed),
                    log_end_bytes: self.log_end_bytes.load(Ordering::Relaxed),
                    leader_epoch: LeaderEpoch(self.leader_epoch.load(Ordering::Relaxed) as i32),
                };
                fence(Ordering::Acquire);
                if self.sequence.load(Ordering::Relaxed) == before {
                    return value;
                }
            }
            // A store takes nanoseconds, unless the writer was preempted in it: then it needs a processor.
            attempt = attempt.wrapping_add(1);
            if attempt.is_multiple_of(SPINS) { thread::yield_now() } else { hint::spin_loop() }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn at(n: i64) -> Positions {
        let bytes = n as u64;
        Positions {
            log_start: Offset(n),
            last_stable: Offset(n),
            high_watermark: Offset(n),
            log_end: Offset(n),
            last_stable_bytes: bytes,
            high_watermark_bytes: bytes,
            log_end_bytes: bytes,
            leader_epoch: LeaderEpoch(n as i32),
        }
    }

    #[test]
    fn a_reader_never_sees_parts_of_two_values() {
        let published = Arc::new(Published::new(at(0)));
        let reader = {
            let published = published.clone();
            thread::spawn(move || {
                let mut last = 0;
                while last < 100_000 {
                    let seen = published.load();
                    assert_eq!(seen, at(seen.log_end.0));
                    assert!(seen.log_end.0 >= last);
                    last = seen.log_end.0;
                }
            })
        };
        (1..=100_000).for_each(|n| published.store(&at(n)));
        reader.join().unwrap();
    }

    #[test]
    #[should_panic(expected = "positions out of order")]
    fn positions_out_of_order_are_not_published() {
        Published::new(at(0)).store(&Positions { high_watermark: Offset(8), ..at(7) });
    }
}
