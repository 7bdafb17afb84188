//! When a partition is synced, and what moves then.
//!
//! Invariants:
//! * a sync runs where blocking is allowed and holds no lock that an append takes;
//! * what arrives during a sync joins the next one, so that any number of waiting acknowledgements share one;
//! * a sync that fails is not tried again: the log is offline, and who waits hears of it.
//!
//! Called by appends, which ask, and by the manager's tasks, which sync. See `docs/decisions/0009-group-commit.md`.

use super::durability::SyncNeed;
use super::hosted::Partition;
use crate::config::LogConfig;
use crate::storage::{self, Appender, Place};
use crate::types::TimestampMs;
use std::sync::Arc;
use std::time::Duration;

impl Partition {
    /// Changes the settings, from the next append on.
    ///
    /// # Errors
    /// What became readable by it cannot be found in the log.
    pub(super) fn set_config(self: &Arc<Self>, config: LogConfig) -> Result<(), storage::Error> {
        let (before, after, sync, advanced) = {
            let mut log = self.log.lock();
            let before = log.positions();
            if config.flush_records > self.log.config().flush_records {
                self.durability.promise(before.log_end);
            }
            self.log.set_config(config);
            let sync = self.move_durable_end(&log, &self.log.config());
            let advanced = self.advance_high_watermark(&mut log);
            (before, log.positions(), sync, advanced)
        };
        self.tell_moved(&before, &after);
        if sync == SyncNeed::Due {
            self.ask_for_sync();
        }
        advanced.map_err(|e| self.storage_error(e))
    }

    /// Syncs what was written since the last time. Blocks on the disk.
    ///
    /// # Errors
    /// The log is offline now, which was logged.
    pub(super) fn sync(self: &Arc<Self>) -> Result<(), storage::Error> {
        if self.log.synced() >= self.log.positions().log_end {
            return Ok(());
        }
        let recovery_point = self.log.recovery_point();
        let flushed = self.log.flush();
        if self.log.recovery_point() > recovery_point {
            self.due.note_recovery_point();
        }
        self.follow_sync(flushed)
    }

    /// The same, and moves the recovery point to what is synced then, for the caller to write down. Blocks on the disk.
    ///
    /// # Errors
    /// As [`sync`](Partition::sync).
    pub(super) fn move_recovery_point(self: &Arc<Self>) -> Result<(), storage::Error> {
        if self.log.recovery_point() >= self.log.positions().log_end {
            return Ok(());
        }
        self.follow_sync(self.log.flush_and_move_recovery_point())
    }

    fn follow_sync(self: &Arc<Self>, flushed: Result<Place, storage::Error>) -> Result<(), storage::Error> {
        let synced = flushed.and_then(|place| self.note_synced(place));
        match &synced {
            Ok(SyncNeed::Due) => self.ask_for_sync(),
            Ok(SyncNeed::NotDue) => {}
            Err(_) => self.wake_all(),
        }
        synced.map(drop)
    }

    /// Does the sync that the partition was queued for. Blocks on the disk.
    pub(super) fn sync_due(self: &Arc<Self>) {
        self.ticket.begin();
        // The housekeeping may have been faster.
        if self.awaited_sync() == SyncNeed::Due {
            // A log that fails says so itself.
            let _ = self.sync();
        }
        if self.ticket.done() {
            self.due.push(self.clone());
        }
    }

    /// Asks for a sync if there are records as old as `flush.ms` lets them be. After how long it must be looked at again;
    /// `None` without such a setting.
    pub(super) fn sync_if_old(self: &Arc<Self>, now: TimestampMs) -> Option<Duration> {
        let age_max = self.log.config().flush_age_max?;
        let log_end = self.log.positions().log_end;
        if self.log.synced() >= log_end {
            return Some(age_max);
        }
        let elapsed = now.0.saturating_sub(self.log.last_sync().0);
        let elapsed = Duration::from_millis(u64::try_from(elapsed).unwrap_or(0));
        if elapsed < age_max {
            return Some(age_max - elapsed);
        }
        self.durability.age(log_end);
        self.ask_for_sync();
        Some(age_max)
    }

    #[cfg(test)]
    pub(crate) fn log_in_tests(&self) -> &storage::Log {
        &self.log
    }

    pub(super) fn ask_for_sync(self: &Arc<Self>) {
        if self.ticket.ask() {
            self.due.push(self.clone());
        }
    }

    /// Whether a sync of what is in the log was asked for, or would be.
    pub(super) fn awaited_sync(&self) -> SyncNeed {
        let (log_end, synced) = (self.log.positions().log_end, self.log.synced());
        self.durability.sync(log_end, synced, self.log.config().flush_records)
    }

    /// Lets the log's end be acknowledged, unless the disk comes first.
    pub(super) fn move_durable_end(&self, log: &Appender<'_>, config: &LogConfig) -> SyncNeed {
        self.durability.appended(log.positions().log_end, self.log.synced(), config.flush_records)
    }

    /// Flushes what nobody waits for. Blocks on the disk.
    pub(super) fn flush_dirty(self: &Arc<Self>) {
        if !self.log.is_offline() {
            // A log that fails says so itself.
            let _ = self.sync();
        }
    }

    /// Takes note of what is on disk and what is not, while nothing is appended.
    pub(super) fn mark_synced(self: &Arc<Self>, log: &Appender<'_>) {
        if self.log.synced() >= log.positions().log_end {
            self.mark().clean();
        } else if self.mark().set(self.log.last_sync()) {
            self.dirty.push(self.clone());
        }
    }

    /// The log is on disk up to `place`. Whether it must be synced again.
    fn note_synced(self: &Arc<Self>, place: Place) -> Result<SyncNeed, storage::Error> {
        let (before, after, sync, advanced) = {
            let mut log = self.log.lock();
            let before = log.positions();
            self.durability.synced(place.offset);
            if self.is_alone() {
                log.set_high_watermark_at(place);
            }
            let sync = self.move_durable_end(&log, &self.log.config());
            let advanced = self.advance_high_watermark(&mut log);
            self.mark_synced(&log);
            (before, log.positions(), sync, advanced)
        };
        self.tell_moved(&before, &after);
        // Where the high watermark waits for replicas too, `acks=1` does not.
        self.wake_producers();
        advanced.map_err(|e| self.storage_error(e))?;
        Ok(sync)
    }
}
