//! The offset index and the time index of one segment, in Kafka's formats.
//!
//! Invariants:
//! * an offset entry names the *last* offset of a batch and the batch's position; entries rise in both;
//! * a time entry says that no record up to its offset has a later timestamp; entries rise in both;
//! * there is an entry for the first batch after more than `index.interval.bytes` since the last entry.
//!
//! Source: Kafka's `OffsetIndex`, `TimeIndex` and `LogSegment.append`. On disk an offset entry is two big-endian 32 bit
//! numbers (offset relative to the base offset, position), a time entry a 64 bit timestamp and a 32 bit relative offset.

use crate::record::BatchInfo;
use crate::runtime::{Disk, FileReader};
use crate::storage::{Error, checkpoint};
use crate::types::{Offset, TimestampMs};
use std::fs::File;
use std::io;
use std::path::Path;
use tracing::warn;

/// Bytes of an offset entry on disk.
pub(super) const OFFSET_ENTRY_BYTES: u64 = 8;
/// Bytes of a time entry on disk.
pub(super) const TIME_ENTRY_BYTES: u64 = 12;

/// Where the batch with the last offset `base offset + relative` begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OffsetEntry {
    pub(super) relative: u32,
    pub(super) position: u32,
}

/// No record at or below `base offset + relative` is later than `timestamp`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TimeEntry {
    pub(super) timestamp: TimestampMs,
    pub(super) relative: u32,
}

/// The entries of one segment, in memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Index {
    pub(super) offsets: Vec<OffsetEntry>,
    pub(super) times: Vec<TimeEntry>,
}

/// What is remembered between two entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Progress {
    /// Bytes since the batch of the last entry began.
    pub(super) bytes_since_entry: u64,
    /// The largest timestamp so far, and the last offset of the first batch that has it.
    pub(super) largest: (TimestampMs, Offset),
    /// The offset after the last batch.
    pub(super) next_offset: Offset,
}

impl Progress {
    /// At the beginning of a segment.
    pub(super) fn new(base_offset: Offset) -> Progress {
        Progress { bytes_since_entry: 0, largest: (TimestampMs::NONE, base_offset), next_offset: base_offset }
    }

    /// Takes note of the next batch; true when the indexes want an entry for it, which [`Index::push`] makes.
    pub(super) fn observe(&mut self, batch: &BatchInfo, interval_bytes: u32) -> bool {
        if batch.max_timestamp > self.largest.0 {
            self.largest = (batch.max_timestamp, batch.last_offset());
        }
        self.next_offset = batch.next_offset();
        let due = self.bytes_since_entry > u64::from(interval_bytes);
        if due {
            self.bytes_since_entry = 0;
        }
        self.bytes_since_entry += u64::from(batch.size_bytes);
        due
    }
}

/// `offset` counted from the segment's base; `None` when an index cannot hold it.
pub(super) fn relative(base_offset: Offset, offset: Offset) -> Option<u32> {
    let difference = offset.0.checked_sub(base_offset.0)?;
    i32::try_from(difference).ok().and_then(|d| u32::try_from(d).ok())
}

impl Index {
    /// Adds the entries for a batch that ends at `last_offset` and begins at `position`.
    pub(super) fn push(
        &mut self,
        base_offset: Offset,
        last_offset: Offset,
        position: u64,
        largest: (TimestampMs, Offset),
    ) {
        let position = u32::try_from(position).ok();
        if let (Some(relative), Some(position)) = (relative(base_offset, last_offset), position) {
            self.offsets.push(OffsetEntry { relative, position });
        }
        self.push_time(base_offset, largest);
    }

    /// Adds a time entry, unless the last one says as much already. Called for the largest time when a segment closes.
    pub(super) fn push_time(&mut self, base_offset: Offset, (timestamp, offset): (TimestampMs, Offset)) {
        let Some(relative) = relative(base_offset, offset) else { return };
        let before = self.times.last().map_or((TimestampMs::NONE, 0), |e| (e.timestamp, e.relative));
        if timestamp > before.0 && relative >= before.1 {
            self.times.push(TimeEntry { timestamp, relative });
        }
    }

    /// True when no further entry fits into index files of `bytes_max`.
    pub(super) fn is_full(&self, bytes_max: u32) -> bool {
        let bytes_max = u64::from(bytes_max);
        self.offsets.len() as u64 >= bytes_max / OFFSET_ENTRY_BYTES
            || self.times.len() as u64 + 1 >= bytes_max / TIME_ENTRY_BYTES
    }

    /// The position at which a search for the relative offset begins.
    pub(super) fn position_for(&self, relative: u32) -> u64 {
        let after = self.offsets.partition_point(|e| e.relative <= relative);
        after.checked_sub(1).map_or(0, |i| self.offsets[i].position.into())
    }

    /// The last indexed position at or before `position`.
    pub(super) fn position_before(&self, position: u64) -> u64 {
        let after = self.offsets.partition_point(|e| u64::from(e.position) <= position);
        after.checked_sub(1).map_or(0, |i| self.offsets[i].position.into())
    }

    /// The relative offset up to which no record is later than, or as late as, `timestamp`.
    pub(super) fn relative_before(&self, timestamp: TimestampMs) -> u32 {
        let after = self.times.partition_point(|e| e.timestamp < timestamp);
        after.checked_sub(1).map_or(0, |i| self.times[i].relative)
    }

    /// Forgets what says something of the relative offset `end` or above.
    pub(super) fn keep_below(&mut self, end: u32) {
        self.offsets.truncate(self.offsets.partition_point(|e| e.relative < end));
        self.times.truncate(self.times.partition_point(|e| e.relative < end));
    }

    /// Writes both files over what is there, so that entries which are on disk already stay there. Not synced: that is due
    /// before the recovery point passes them, as what a power cut leaves of others may look like entries.
    pub(super) fn write(&self, disk: &Disk, offsets: &Path, times: &Path) -> Result<(), Error> {
        for (path, bytes) in [(offsets, offset_bytes(&self.offsets)), (times, time_bytes(&self.times))] {
            write_at(disk, path, &bytes, 0)?;
            cut(disk, path, bytes.len() as u64)?;
        }
        Ok(())
    }

    /// The same, and makes the contents last; not the names.
    pub(super) fn write_synced(&self, disk: &Disk, offsets: &Path, times: &Path) -> Result<(), Error> {
        self.write(disk, offsets, times)?;
        checkpoint::sync_file(disk, offsets)?;
        checkpoint::sync_file(disk, times)
    }

    /// The same; where there is no room, they are made when somebody needs them.
    pub(super) fn write_synced_if_room(&self, disk: &Disk, offsets: &Path, times: &Path) -> Result<(), Error> {
        match self.write_synced(disk, offsets, times) {
            Err(error) if error.is_no_room() => {
                warn!(%error, "the indexes of a segment are written when there is room");
                Ok(())
            }
            other => other,
        }
    }

    /// Reads both files of a segment of `size` bytes. What does not rise, and what lies beyond the segment, is left out
    /// with all that follows; a missing file has no entries. The caller completes the rest from the log.
    pub(super) fn read(offsets: &Path, times: &Path, size: u64) -> Result<Index, Error> {
        IndexFiles::read(offsets, times, size).map(|files| files.index)
    }
}

/// What the files of a segment's indexes hold.
#[derive(Debug)]
pub(super) struct IndexFiles {
    /// As far as it can be believed.
    pub(super) index: Index,
    offset_bytes: u64,
    time_bytes: u64,
}

impl IndexFiles {
    /// As [`Index::read`].
    pub(super) fn read(offsets: &Path, times: &Path, size: u64) -> Result<IndexFiles, Error> {
        let mut index = Index::default();
        let (offsets, times) = (read_or_nothing(offsets)?, read_or_nothing(times)?);
        for entry in offsets.chunks_exact(OFFSET_ENTRY_BYTES as usize) {
            let entry = offset_entry(entry);
            let rises = (index.offsets.last())
                .is_none_or(|last| entry.relative > last.relative && entry.position > last.position);
            if !rises || u64::from(entry.position) >= size {
                break;
            }
            index.offsets.push(entry);
        }
        for entry in times.chunks_exact(TIME_ENTRY_BYTES as usize) {
            let entry = time_entry(entry);
            let rises = (index.times.last())
                .is_none_or(|last| entry.timestamp > last.timestamp && entry.relative >= last.relative);
            if !rises || entry.timestamp < TimestampMs(0) {
                break;
            }
            index.times.push(entry);
        }
        Ok(IndexFiles { index, offset_bytes: offsets.len() as u64, time_bytes: times.len() as u64 })
    }
}

/// How many entries of the segment at `base_offset` are in its files, which are not longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SavedIndex {
    pub(super) base_offset: Offset,
    pub(super) offsets: usize,
    pub(super) times: usize,
}

/// The entries that are not in the files yet.
#[derive(Debug)]
pub(super) struct Unsaved {
    saved: SavedIndex,
    offsets: Vec<OffsetEntry>,
    times: Vec<TimeEntry>,
}

impl SavedIndex {
    /// What was `found` in the files of the segment at `base_offset` and agrees with its index. What does not is cut off.
    pub(super) fn agreeing(
        disk: &Disk,
        base_offset: Offset,
        index: &Index,
        found: &IndexFiles,
        (offsets, times): (&Path, &Path),
    ) -> Result<Self, Error> {
        let entries = &found.index;
        let saved = SavedIndex {
            base_offset,
            offsets: entries.offsets.iter().zip(&index.offsets).take_while(|(a, b)| a == b).count(),
            times: entries.times.iter().zip(&index.times).take_while(|(a, b)| a == b).count(),
        };
        let files = [
            (offsets, found.offset_bytes, saved.offsets as u64 * OFFSET_ENTRY_BYTES),
            (times, found.time_bytes, saved.times as u64 * TIME_ENTRY_BYTES),
        ];
        for (path, _, kept) in files.iter().filter(|(_, found, kept)| found != kept) {
            cut(disk, path, *kept)?;
        }
        Ok(saved)
    }

    /// What the active segment's index has beyond.
    pub(super) fn unsaved(&self, base_offset: Offset, index: &Index) -> Unsaved {
        let saved =
            if self.base_offset == base_offset { *self } else { SavedIndex { base_offset, offsets: 0, times: 0 } };
        let (offsets, times) = (index.offsets[saved.offsets..].to_vec(), index.times[saved.times..].to_vec());
        Unsaved { saved, offsets, times }
    }
}

impl Unsaved {
    /// Writes the entries behind those that are there. The segment may be closed meanwhile, which writes the same and more.
    pub(super) fn append(&self, disk: &Disk, offsets: &Path, times: &Path) -> Result<(), Error> {
        write_at(disk, offsets, &offset_bytes(&self.offsets), self.saved.offsets as u64 * OFFSET_ENTRY_BYTES)?;
        write_at(disk, times, &time_bytes(&self.times), self.saved.times as u64 * TIME_ENTRY_BYTES)
    }

    /// What is in the files after [`append`](Unsaved::append).
    pub(super) fn saved_with(&self) -> SavedIndex {
        let SavedIndex { base_offset, offsets, times } = self.saved;
        SavedIndex { base_offset, offsets: offsets + self.offsets.len(), times: times + self.times.len() }
    }
}

fn offset_bytes(entries: &[OffsetEntry]) -> Vec<u8> {
    entries.iter().flat_map(|e| [e.relative.to_be_bytes(), e.position.to_be_bytes()]).flatten().collect()
}

fn time_bytes(entries: &[TimeEntry]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(entries.len() * TIME_ENTRY_BYTES as usize);
    for entry in entries {
        bytes.extend_from_slice(&entry.timestamp.0.to_be_bytes());
        bytes.extend_from_slice(&entry.relative.to_be_bytes());
    }
    bytes
}

fn write_at(disk: &Disk, path: &Path, bytes: &[u8], position: u64) -> Result<(), Error> {
    let file = match File::options().write(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => disk.create(path),
        other => other,
    };
    file.and_then(|file| disk.write_at(&file, bytes, position)).map_err(Error::io("write", path))
}

fn cut(disk: &Disk, path: &Path, length: u64) -> Result<(), Error> {
    match path.metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Ok(found) if found.len() == length => Ok(()),
        Err(error) => Err(Error::io("inspect", path)(error)),
        Ok(_) => {
            let file = File::options().write(true).open(path);
            file.and_then(|file| disk.set_length(&file, length)).map_err(Error::io("cut", path))
        }
    }
}

fn read_or_nothing(path: &Path) -> Result<Vec<u8>, Error> {
    match checkpoint::read_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        other => other.map_err(Error::io("read", path)),
    }
}

pub(super) fn offset_entry(bytes: &[u8]) -> OffsetEntry {
    let (relative, position) = bytes.split_at(4);
    OffsetEntry {
        relative: u32::from_be_bytes(relative.try_into().expect("split at 4")),
        position: u32::from_be_bytes(position.try_into().expect("an entry has 8 bytes")),
    }
}

pub(super) fn time_entry(bytes: &[u8]) -> TimeEntry {
    let (timestamp, relative) = bytes.split_at(8);
    TimeEntry {
        timestamp: TimestampMs(i64::from_be_bytes(timestamp.try_into().expect("split at 8"))),
        relative: u32::from_be_bytes(relative.try_into().expect("an entry has 12 bytes")),
    }
}

/// The offset index of a closed segment.
#[derive(Debug)]
pub(super) enum ClosedIndex {
    OnDisk(IndexFile),
    /// There was no room for its file.
    InMemory(Index),
}

impl ClosedIndex {
    /// As [`Index::position_for`].
    pub(super) fn position_for(&self, relative: u32, reader: &FileReader) -> io::Result<u64> {
        match self {
            ClosedIndex::OnDisk(file) => file.position_for(relative, reader),
            ClosedIndex::InMemory(index) => Ok(index.position_for(relative)),
        }
    }

    /// As [`Index::position_before`].
    pub(super) fn position_before(&self, position: u64, reader: &FileReader) -> io::Result<u64> {
        match self {
            ClosedIndex::OnDisk(file) => file.position_before(position, reader),
            ClosedIndex::InMemory(index) => Ok(index.position_before(position)),
        }
    }
}

/// The same in its file: searched where it lies, so that a thousand of them cost no memory.
#[derive(Debug)]
pub(super) struct IndexFile {
    file: File,
    entries: u64,
}

/// Once the search has come down to this many entries, they are read at once.
const SEARCH_BLOCK: u64 = 64;

impl IndexFile {
    pub(super) fn open(path: &Path) -> Result<IndexFile, Error> {
        let file = File::open(path).map_err(Error::io("open", path))?;
        let bytes = file.metadata().map_err(Error::io("inspect", path))?.len();
        Ok(IndexFile { file, entries: bytes / OFFSET_ENTRY_BYTES })
    }

    /// As [`Index::position_for`].
    pub(super) fn position_for(&self, relative: u32, reader: &FileReader) -> io::Result<u64> {
        self.last_position_where(|e| e.relative <= relative, reader)
    }

    /// As [`Index::position_before`].
    pub(super) fn position_before(&self, position: u64, reader: &FileReader) -> io::Result<u64> {
        self.last_position_where(|e| u64::from(e.position) <= position, reader)
    }

    fn last_position_where(&self, holds: impl Fn(&OffsetEntry) -> bool, reader: &FileReader) -> io::Result<u64> {
        let (mut low, mut high) = (0, self.entries);
        while high - low > SEARCH_BLOCK {
            let middle = low + (high - low) / 2;
            let mut bytes = [0; OFFSET_ENTRY_BYTES as usize];
            reader.read_exact_at(&self.file, &mut bytes, middle * OFFSET_ENTRY_BYTES)?;
            if holds(&offset_entry(&bytes)) { low = middle } else { high = middle }
        }
        let mut block = [0; (SEARCH_BLOCK * OFFSET_ENTRY_BYTES) as usize];
        let block = &mut block[..((high - low) * OFFSET_ENTRY_BYTES) as usize];
        reader.read_exact_at(&self.file, block, low * OFFSET_ENTRY_BYTES)?;
        let entries = block.chunks_exact(OFFSET_ENTRY_BYTES as usize).map(offset_entry);
        Ok(entries.take_while(holds).last().map_or(0, |e| e.position.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::fs;

    /// Offset entries that rise by the given steps, and time entries likewise.
    fn index(steps: &[(u32, u32, i64)]) -> Index {
        let mut index = Index::default();
        let (mut relative, mut position, mut timestamp) = (0, 0, 0);
        for (more_offsets, more_bytes, later) in steps {
            relative += more_offsets;
            position += more_bytes;
            timestamp += later;
            index.push(
                Offset(100),
                Offset(100 + i64::from(relative)),
                position.into(),
                (TimestampMs(timestamp), Offset(100 + i64::from(relative))),
            );
        }
        index
    }

    proptest! {
        #[test]
        fn lookups_agree_with_a_search_through_all_entries_in_memory_and_on_disk(
            steps in prop::collection::vec((1..50_u32, 1..5000_u32, 0..3_i64), 0..400),
            probes in prop::collection::vec(0..300_000_u32, 1..20),
        ) {
            let index = index(&steps);
            let directory = tempfile::tempdir().unwrap();
            let (offsets, times) = (directory.path().join("i"), directory.path().join("t"));
            index.write(&Disk::system(), &offsets, &times).unwrap();
            prop_assert_eq!(&Index::read(&offsets, &times, u64::MAX).unwrap(), &index);
            let (file, reader) = (IndexFile::open(&offsets).unwrap(), FileReader::default());
            for probe in probes {
                let by_offset = index.offsets.iter().rev().find(|e| e.relative <= probe / 20);
                let expected = by_offset.map_or(0, |e| e.position.into());
                prop_assert_eq!(index.position_for(probe / 20), expected);
                prop_assert_eq!(file.position_for(probe / 20, &reader).unwrap(), expected);
                let by_position = index.offsets.iter().rev().find(|e| e.position <= probe);
                let expected = by_position.map_or(0, |e| e.position.into());
                prop_assert_eq!(index.position_before(probe.into()), expected);
                prop_assert_eq!(file.position_before(probe.into(), &reader).unwrap(), expected);
                let time = TimestampMs(i64::from(probe) / 300);
                let by_time = index.times.iter().rev().find(|e| e.timestamp < time);
                prop_assert_eq!(index.relative_before(time), by_time.map_or(0, |e| e.relative));
            }
        }
    }

    #[test]
    fn the_files_are_big_endian_as_kafkas() {
        let directory = tempfile::tempdir().unwrap();
        let (offsets, times) = (directory.path().join("i"), directory.path().join("t"));
        index(&[(1, 2, 3)]).write(&Disk::system(), &offsets, &times).unwrap();
        assert_eq!(fs::read(&offsets).unwrap(), [0, 0, 0, 1, 0, 0, 0, 2]);
        assert_eq!(fs::read(&times).unwrap(), [0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 1]);
    }

    #[test]
    fn what_does_not_rise_or_lies_beyond_the_segment_is_left_out() {
        let directory = tempfile::tempdir().unwrap();
        let (offsets, times) = (directory.path().join("i"), directory.path().join("t"));
        index(&[(1, 10, 1), (1, 10, 1), (1, 10, 1)]).write(&Disk::system(), &offsets, &times).unwrap();
        let read = Index::read(&offsets, &times, 30).unwrap();
        assert_eq!((read.offsets.len(), read.times.len()), (2, 3));
        fs::write(&offsets, [0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 9, 0]).unwrap();
        assert_eq!(Index::read(&offsets, &times, 30).unwrap().offsets.len(), 1);
    }

    #[test]
    fn an_index_is_full_by_kafkas_count() {
        let mut index = index(&[(1, 1, 1); 9]);
        assert!(!index.is_full(132));
        index.push(Offset(100), Offset(200), 100, (TimestampMs(100), Offset(200)));
        assert!(index.is_full(132), "one place of the time index is kept for the close of the segment");
        assert!(index.is_full(80) && !index.is_full(144));
    }
}
