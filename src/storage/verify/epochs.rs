//! The leader-epoch checkpoint of one log, compared with its batches as these go by.
//!
//! Invariants: a batch's epoch is that of the newest entry that begins at or below it; an entry other than the first begins
//! where a batch begins, at the log's end, or in a gap that a cleaner left.

use super::{Finding, Weight, reason};
use crate::record::BatchInfo;
use crate::storage::epochs::{self, EpochStart};
use crate::storage::recovery::LastStop;
use crate::types::{LeaderEpoch, Offset};
use std::path::{Path, PathBuf};

#[derive(Debug)]
pub(super) struct Epochs {
    path: PathBuf,
    last_stop: LastStop,
    recovery_point: Offset,
    log_start: Offset,
    /// `None` when the file is missing, empty or damaged, which was told.
    entries: Option<Vec<EpochStart>>,
    /// Of the batches so far.
    last: LeaderEpoch,
    is_shortness_told: bool,
}

impl Epochs {
    /// Reads the file of a folder; what is wrong in it is for the caller to tell.
    pub(super) fn read(
        folder: &Path,
        last_stop: LastStop,
        recovery_point: Offset,
        log_start: Offset,
    ) -> (Epochs, Vec<Finding>) {
        let path = folder.join(epochs::FILE_NAME);
        let mut findings = Vec::new();
        let entries = match epochs::read_entries(&path) {
            Ok(entries) => Some(entries).filter(|entries| !entries.is_empty()),
            Err(error) => {
                findings.push(Finding::new(repaired_after(last_stop), &path, reason(&error)));
                None
            }
        };
        for pair in entries.iter().flat_map(|entries| entries.windows(2)) {
            if pair[0].epoch >= pair[1].epoch || pair[0].start >= pair[1].start {
                let what =
                    format!("epoch {} at offset {} does not rise above the line before", pair[1].epoch, pair[1].start);
                findings.push(Finding::problem(&path, what));
            }
        }
        let last = LeaderEpoch::NONE;
        let epochs = Epochs {
            path,
            last_stop,
            recovery_point,
            log_start,
            entries,
            last,
            is_shortness_told: !findings.is_empty(),
        };
        (epochs, findings)
    }

    /// What is wrong with the epoch of a batch at this position of `log`.
    pub(super) fn observe(&mut self, log: &Path, position: u64, batch: &BatchInfo) -> Option<Finding> {
        let epoch = batch.leader_epoch;
        let problem = |what: String| Some(Finding::problem(log, what).at(position).offset(batch.base_offset));
        if epoch < LeaderEpoch(0) {
            return problem(format!("the batch has the leader epoch {epoch}"));
        }
        if let Some(finding) = self.entry_inside(batch) {
            return Some(finding);
        }
        match self.expected(batch) {
            Expected::Anything => {}
            Expected::Epoch(expected) if expected == epoch => {}
            Expected::Epoch(expected) => {
                return problem(format!(
                    "the batch has leader epoch {epoch}, where the leader-epoch-checkpoint has {expected}"
                ));
            }
            Expected::Missing => {
                self.last = self.last.max(epoch);
                if std::mem::replace(&mut self.is_shortness_told, true) {
                    return None;
                }
                let what = format!("leader epoch {epoch} is missing in it");
                return Some(Finding::new(repaired_after(self.last_stop), &self.path, what).offset(batch.base_offset));
            }
        }
        if epoch < self.last {
            return problem(format!("the batch has leader epoch {epoch}, after one of epoch {}", self.last));
        }
        self.last = epoch;
        None
    }

    fn expected(&self, batch: &BatchInfo) -> Expected {
        if batch.last_offset() < self.log_start {
            return Expected::Anything;
        }
        let Some(entries) = &self.entries else { return Expected::Missing };
        let offset = batch.base_offset.max(self.log_start);
        let after = entries.partition_point(|entry| entry.start <= offset);
        let is_unsynced = self.last_stop != LastStop::Clean && batch.base_offset >= self.recovery_point;
        match after.checked_sub(1).map(|place| entries[place].epoch) {
            None => Expected::Missing,
            Some(newest) if is_unsynced && after == entries.len() && batch.leader_epoch > newest => Expected::Missing,
            Some(epoch) => Expected::Epoch(epoch),
        }
    }

    /// An entry that begins in the middle of a batch.
    fn entry_inside(&self, batch: &BatchInfo) -> Option<Finding> {
        let entries = self.entries.as_ref()?;
        let inside = |entry: &&EpochStart| {
            entry.start > batch.base_offset && entry.start <= batch.last_offset() && entry.start > self.log_start
        };
        let entry = entries.iter().skip(1).find(inside)?;
        let what = format!("epoch {} begins at offset {}, in the middle of a batch", entry.epoch, entry.start);
        Some(Finding::problem(&self.path, what).offset(entry.start))
    }

    /// The log ends here.
    pub(super) fn end(&self, log_end: Offset) -> Option<Finding> {
        let last = self.entries.as_ref()?.last()?;
        let what = format!("epoch {} begins above the log's end, {log_end}", last.epoch);
        let finding = Finding::new(repaired_after(self.last_stop), &self.path, what).offset(last.start);
        (last.start > log_end).then_some(finding)
    }
}

enum Expected {
    Epoch(LeaderEpoch),
    /// The file does not say.
    Missing,
    /// It lies below the log start.
    Anything,
}

/// The file is replaced without a sync: a power cut may take the newest lines, and more.
fn repaired_after(last_stop: LastStop) -> Weight {
    match last_stop {
        LastStop::Clean => Weight::Problem,
        LastStop::Killed | LastStop::Lost => Weight::Note,
    }
}
