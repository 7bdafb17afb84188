//! What the disk must have before records may be acknowledged and read: `flush.messages`, as one partition keeps it.
//!
//! Invariants:
//! * fewer than `flush.messages` of the records below [`end`](Durability::end) are not on disk: with 1 none;
//! * what was appended under a stricter setting waits for the sync that it was promised, whatever comes after;
//! * `end` never moves back. The holder of the append lock moves it, anybody reads it.
//!
//! Source: Kafka's `UnifiedLog.append`, which syncs within the append that makes the records `flush.messages`; here the
//! append goes on, and its acknowledgement and its readers wait for a sync that other appends share.

use crate::types::Offset;
use std::sync::atomic::{AtomicI64, Ordering};

/// Whether a partition must be synced now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SyncNeed {
    /// Somebody waits for it.
    Due,
    /// Nobody does.
    NotDue,
}

#[derive(Debug)]
pub(super) struct Durability {
    end: AtomicI64,
    /// What was appended below was promised a sync.
    owed: AtomicI64,
    /// A sync was asked for up to here, for which nobody waits: its records are as old as `flush.ms` lets them be.
    aged: AtomicI64,
}

impl Durability {
    /// Of a log whose records below `readable` were read before.
    pub(super) fn new(readable: Offset) -> Durability {
        let (end, owed, aged) = (AtomicI64::new(readable.0), AtomicI64::new(0), AtomicI64::new(0));
        Durability { end, owed, aged }
    }

    /// Records below may be acknowledged and read, as far as the disk is concerned.
    pub(super) fn end(&self) -> Offset {
        Offset(self.end.load(Ordering::Acquire))
    }

    /// The log has grown, or the setting is another one.
    pub(super) fn appended(&self, log_end: Offset, synced: Offset, flush_records: u64) -> SyncNeed {
        let sync = self.awaited(log_end, synced, flush_records);
        if sync == SyncNeed::NotDue {
            self.raise(log_end);
        }
        sync
    }

    /// The log is on disk up to `synced`, where an append ended.
    pub(super) fn synced(&self, synced: Offset) {
        self.raise(synced);
    }

    /// A setting that asks for less will rule: what waits now still waits for its sync.
    pub(super) fn promise(&self, log_end: Offset) {
        if self.end() < log_end {
            self.owed.store(log_end.0, Ordering::Relaxed);
        }
    }

    /// The records below `log_end` are to be synced although nobody waits.
    pub(super) fn age(&self, log_end: Offset) {
        self.aged.store(log_end.0, Ordering::Relaxed);
    }

    /// Whether a sync that was asked for is still to be done.
    pub(super) fn sync(&self, log_end: Offset, synced: Offset, flush_records: u64) -> SyncNeed {
        if synced.0 < self.aged.load(Ordering::Relaxed) {
            return SyncNeed::Due;
        }
        self.awaited(log_end, synced, flush_records)
    }

    fn awaited(&self, log_end: Offset, synced: Offset, flush_records: u64) -> SyncNeed {
        let unsynced = u64::try_from(log_end.0 - synced.0).unwrap_or(0);
        if unsynced >= flush_records || synced.0 < self.owed.load(Ordering::Relaxed) {
            SyncNeed::Due
        } else {
            SyncNeed::NotDue
        }
    }

    fn raise(&self, to: Offset) {
        if self.end() < to {
            self.end.store(to.0, Ordering::Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEVER: u64 = i64::MAX as u64;

    /// A log of a hundred records, all of them on disk.
    fn durability() -> Durability {
        Durability::new(Offset(100))
    }

    #[test]
    fn without_a_setting_nothing_waits() {
        let durability = Durability::new(Offset(0));
        assert_eq!(durability.appended(Offset(100), Offset(0), NEVER), SyncNeed::NotDue);
        assert_eq!(durability.end(), Offset(100));
    }

    #[test]
    fn with_one_everything_waits_for_the_sync_that_covers_it() {
        let durability = durability();
        assert_eq!(durability.appended(Offset(101), Offset(100), 1), SyncNeed::Due);
        assert_eq!(durability.appended(Offset(105), Offset(100), 1), SyncNeed::Due);
        assert_eq!(durability.end(), Offset(100));
        durability.synced(Offset(101));
        assert_eq!(durability.appended(Offset(105), Offset(101), 1), SyncNeed::Due);
        assert_eq!(durability.end(), Offset(101), "what came during the sync waits for the next");
        durability.synced(Offset(105));
        assert_eq!(durability.appended(Offset(105), Offset(105), 1), SyncNeed::NotDue);
        assert_eq!(durability.end(), Offset(105));
    }

    #[test]
    fn with_more_fewer_than_so_many_go_ahead_of_the_disk() {
        let durability = durability();
        assert_eq!(durability.appended(Offset(109), Offset(100), 10), SyncNeed::NotDue);
        assert_eq!(durability.end(), Offset(109));
        assert_eq!(durability.appended(Offset(110), Offset(100), 10), SyncNeed::Due);
        assert_eq!(durability.appended(Offset(114), Offset(100), 10), SyncNeed::Due);
        assert_eq!(durability.end(), Offset(109));
        durability.synced(Offset(110));
        assert_eq!(durability.appended(Offset(114), Offset(110), 10), SyncNeed::NotDue);
        assert_eq!(durability.end(), Offset(114));
    }

    #[test]
    fn what_waits_when_the_setting_goes_still_gets_its_sync() {
        let durability = durability();
        durability.appended(Offset(105), Offset(100), 1);
        durability.promise(Offset(105));
        assert_eq!(durability.appended(Offset(108), Offset(100), NEVER), SyncNeed::Due);
        assert_eq!(durability.end(), Offset(100));
        durability.synced(Offset(108));
        assert_eq!(durability.appended(Offset(120), Offset(108), NEVER), SyncNeed::NotDue);
        assert_eq!(durability.end(), Offset(120));
        durability.promise(Offset(120));
        assert_eq!(durability.appended(Offset(121), Offset(108), NEVER), SyncNeed::NotDue, "nothing waited");
    }

    #[test]
    fn a_stricter_setting_takes_nothing_back_and_asks_for_a_sync() {
        let durability = durability();
        durability.appended(Offset(120), Offset(100), NEVER);
        assert_eq!(durability.appended(Offset(120), Offset(100), 1), SyncNeed::Due);
        assert_eq!(durability.end(), Offset(120));
        durability.synced(Offset(110));
        assert_eq!(durability.end(), Offset(120));
    }

    #[test]
    fn nobody_waits_for_the_sync_of_old_records() {
        let durability = durability();
        durability.appended(Offset(120), Offset(100), NEVER);
        durability.age(Offset(120));
        assert_eq!(durability.sync(Offset(120), Offset(100), NEVER), SyncNeed::Due);
        assert_eq!(durability.appended(Offset(121), Offset(100), NEVER), SyncNeed::NotDue);
        assert_eq!(durability.end(), Offset(121));
        assert_eq!(durability.sync(Offset(121), Offset(120), NEVER), SyncNeed::NotDue);
    }
}
