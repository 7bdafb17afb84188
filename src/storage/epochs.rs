//! The leader epochs of one log: which epoch began at which offset, and the checkpoint file that keeps them.
//!
//! Invariants:
//! * epochs and start offsets both rise;
//! * the file is replaced before the change is used, and synced with the log's bytes ([`LeaderEpochs::sync`]);
//! * where there is no room for that it is done later: until then recovery finds newer epochs in the batches, and the log
//!   start elsewhere, so that the recovery point must not move ([`LeaderEpochs::is_saved`]).
//!
//! Source: Kafka's `LeaderEpochFileCache` (KIP-101, KIP-279, KIP-320).

use crate::runtime::Disk;
use crate::storage::Error;
use crate::storage::checkpoint;
use crate::types::{LeaderEpoch, Offset};
use std::io;
use std::path::{Path, PathBuf};
use tracing::warn;

/// The name of the file.
pub(super) const FILE_NAME: &str = "leader-epoch-checkpoint";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EpochStart {
    pub(super) epoch: LeaderEpoch,
    pub(super) start: Offset,
}

/// The epochs, oldest first.
#[derive(Debug)]
pub(super) struct LeaderEpochs {
    disk: Disk,
    path: PathBuf,
    entries: Vec<EpochStart>,
    is_saved: bool,
    is_synced: bool,
}

/// The lines of the file as they are; none when there is no file.
pub(super) fn read_entries(path: &Path) -> Result<Vec<EpochStart>, Error> {
    let parse = |line: &str| {
        let (epoch, start) = line.split_once(' ')?;
        Some(EpochStart { epoch: LeaderEpoch(epoch.parse().ok()?), start: Offset(start.parse().ok()?) })
    };
    let parsed = checkpoint::read_lines(path)?.into_iter().map(|line| {
        parse(&line).ok_or_else(|| Error::Corrupt { path: path.to_owned(), what: format!("unexpected line '{line}'") })
    });
    parsed.collect()
}

impl LeaderEpochs {
    /// Reads the file; none is the same as an empty one. Entries that do not rise are dropped, as Kafka does.
    pub(super) fn open(disk: &Disk, path: PathBuf) -> Result<LeaderEpochs, Error> {
        let mut epochs =
            LeaderEpochs { disk: disk.clone(), path, entries: Vec::new(), is_saved: true, is_synced: true };
        read_entries(&epochs.path)?.into_iter().for_each(|entry| epochs.insert(entry));
        Ok(epochs)
    }

    /// The newest epoch.
    pub(super) fn latest(&self) -> Option<EpochStart> {
        self.entries.last().copied()
    }

    /// Lets `epoch` begin at `start`, unless the log is there already (`LeaderEpochFileCache.assign`).
    pub(super) fn assign(&mut self, epoch: LeaderEpoch, start: Offset) -> Result<(), Error> {
        match self.note(epoch, start) {
            true => self.save(),
            false => Ok(()),
        }
    }

    /// As [`assign`](Self::assign), but saved by the caller. True when something changed.
    pub(super) fn note(&mut self, epoch: LeaderEpoch, start: Offset) -> bool {
        let differs = self.latest().is_none_or(|last| epoch != last.epoch || start < last.start);
        let news = differs && epoch >= LeaderEpoch(0);
        if news {
            self.insert(EpochStart { epoch, start });
        }
        news
    }

    fn insert(&mut self, entry: EpochStart) {
        while self.latest().is_some_and(|last| last.epoch >= entry.epoch || last.start >= entry.start) {
            self.entries.pop();
        }
        self.entries.push(entry);
    }

    /// Where records of `epoch` and before end: the largest epoch that is not above it, and the first offset of the
    /// next one; `None` when the epoch is not known here (`endOffsetFor`).
    pub(super) fn end_offset(&self, epoch: LeaderEpoch, log_end: Offset) -> Option<(LeaderEpoch, Offset)> {
        // Other negative numbers lie below the first epoch, in Kafka too.
        if epoch == LeaderEpoch::NONE {
            return None;
        }
        if self.latest()?.epoch == epoch {
            return Some((epoch, log_end));
        }
        let next = self.entries.partition_point(|e| e.epoch <= epoch);
        let end = self.entries.get(next)?.start;
        let floor = next.checked_sub(1).map_or(epoch, |i| self.entries[i].epoch);
        Some((floor, end))
    }

    /// The epoch of the record at `offset`.
    pub(super) fn epoch_at(&self, offset: Offset) -> Option<LeaderEpoch> {
        let after = self.entries.partition_point(|e| e.start <= offset);
        after.checked_sub(1).map(|i| self.entries[i].epoch)
    }

    /// Forgets what lies wholly below the new log start.
    pub(super) fn truncate_from_start(&mut self, log_start: Offset) -> Result<(), Error> {
        let after = self.entries.partition_point(|e| e.start <= log_start);
        let Some(holds) = after.checked_sub(1) else { return Ok(()) };
        if self.entries[holds].start == log_start && holds == 0 {
            return Ok(());
        }
        self.entries.drain(..holds);
        self.entries[0].start = log_start;
        self.save()
    }

    /// Forgets the epochs that begin at or above `log_end`. The file follows with the next epoch, without which nothing is
    /// appended, and each opening forgets them again.
    pub(super) fn truncate_from_end(&mut self, log_end: Offset) {
        let kept = self.entries.partition_point(|e| e.start < log_end);
        self.entries.truncate(kept);
    }

    /// Replaces the file, now or when there is room.
    pub(super) fn save(&mut self) -> Result<(), Error> {
        let was_saved = std::mem::replace(&mut self.is_saved, false);
        self.is_synced = false;
        let lines = self.entries.iter().map(|e| format!("{} {}", e.epoch, e.start));
        match checkpoint::replace_unsynced(&self.disk, &self.path, checkpoint::format_lines(lines).as_bytes()) {
            Ok(()) => self.is_saved = true,
            Err(error) if error.is_no_room() => {
                if was_saved {
                    warn!(%error, "the leader epochs are written when there is room");
                }
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Whether the file is as it should be.
    pub(super) fn is_saved(&self) -> bool {
        self.is_saved
    }

    /// What is wrong when it is not.
    pub(super) fn no_room(&self) -> Error {
        Error::io("write", &self.path)(io::ErrorKind::StorageFull.into())
    }

    /// Makes the file last, by its contents and its name, if there is room: recovery does not look for epochs in batches below
    /// the recovery point.
    pub(super) fn sync(&mut self) -> Result<(), Error> {
        if !self.is_saved {
            self.save()?;
        }
        if self.is_saved && !self.is_synced {
            checkpoint::sync_file(&self.disk, &self.path)?;
            self.path.parent().map_or(Ok(()), |folder| checkpoint::sync_folder(&self.disk, folder))?;
            self.is_synced = true;
        }
        Ok(())
    }

    /// Follows the folder to its new name.
    pub(super) fn set_path(&mut self, path: PathBuf) {
        self.path = path;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epochs(directory: &tempfile::TempDir, entries: &[(i32, i64)]) -> LeaderEpochs {
        let mut epochs = LeaderEpochs::open(&Disk::system(), directory.path().join(FILE_NAME)).unwrap();
        entries.iter().for_each(|&(e, s)| epochs.assign(LeaderEpoch(e), Offset(s)).unwrap());
        epochs
    }

    fn list(epochs: &LeaderEpochs) -> Vec<(i32, i64)> {
        epochs.entries.iter().map(|e| (e.epoch.0, e.start.0)).collect()
    }

    #[test]
    fn the_end_of_an_epoch_is_the_start_of_the_next_known_one() {
        let directory = tempfile::tempdir().unwrap();
        let epochs = epochs(&directory, &[(2, 10), (4, 20), (5, 30)]);
        let end = |epoch| epochs.end_offset(LeaderEpoch(epoch), Offset(35)).map(|(e, o)| (e.0, o.0));
        assert_eq!(end(5), Some((5, 35)));
        assert_eq!(end(4), Some((4, 30)));
        assert_eq!(end(3), Some((2, 20)));
        assert_eq!(end(1), Some((1, 10)), "older than all that is known");
        assert_eq!(end(6), None);
        assert_eq!(end(-1), None);
        assert_eq!(epochs.epoch_at(Offset(9)), None);
        assert_eq!(epochs.epoch_at(Offset(20)), Some(LeaderEpoch(4)));
    }

    #[test]
    fn a_new_epoch_replaces_those_that_began_at_or_after_it() {
        let directory = tempfile::tempdir().unwrap();
        let mut epochs = epochs(&directory, &[(1, 0), (2, 10), (3, 20)]);
        epochs.assign(LeaderEpoch(3), Offset(25)).unwrap();
        assert_eq!(list(&epochs), [(1, 0), (2, 10), (3, 20)]);
        epochs.assign(LeaderEpoch(4), Offset(10)).unwrap();
        assert_eq!(list(&epochs), [(1, 0), (4, 10)]);
    }

    #[test]
    fn both_ends_are_cut_with_the_log_and_the_file_follows() {
        let directory = tempfile::tempdir().unwrap();
        let mut epochs = epochs(&directory, &[(1, 0), (2, 10), (3, 20)]);
        epochs.truncate_from_start(Offset(15)).unwrap();
        assert_eq!(list(&epochs), [(2, 15), (3, 20)]);
        epochs.truncate_from_end(Offset(20));
        assert_eq!(list(&epochs), [(2, 15)]);
        epochs.assign(LeaderEpoch(4), Offset(20)).unwrap();
        let path = directory.path().join(FILE_NAME);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "0\n2\n2 15\n4 20\n");
        assert_eq!(list(&LeaderEpochs::open(&Disk::system(), path).unwrap()), [(2, 15), (4, 20)]);
    }
}
