//! One segment of a log as its readers see it, and the names of its files.
//!
//! Invariants:
//! * bytes below `end` are whole batches and never change; `end` rises after they are stored;
//! * the index is in memory while the segment is active, and only in its file once it is closed;
//! * a segment holds its own descriptor while it has bytes that were not synced, so that a failed sync is seen on it;
//!   otherwise its file is opened through the bounded [`FileCache`].

use crate::runtime::{Disk, FileReader, Reach, not_in_memory};
use crate::storage::Error;
use crate::storage::files::OpenSegment;
use crate::storage::headers::Headers;
use crate::storage::index::{self, ClosedIndex, Index, IndexFile, Progress};
use crate::storage::log::Shared;
use crate::storage::map::Map;
use crate::types::{Offset, TimestampMs};
use arc_swap::ArcSwapOption;
use parking_lot::RwLock;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use tracing::warn;

/// The endings of a segment's files.
pub(super) const LOG: &str = "log";
pub(super) const INDEX: &str = "index";
pub(super) const TIME_INDEX: &str = "timeindex";
pub(super) const SNAPSHOT: &str = "snapshot";
/// Of transactions, written by Kafka only so far; it goes with its segment.
pub(super) const TRANSACTION_INDEX: &str = "txnindex";
/// All files of a segment.
pub(super) const ENDINGS: [&str; 5] = [LOG, INDEX, TIME_INDEX, TRANSACTION_INDEX, SNAPSHOT];
/// Appended to the name of a file that is no longer part of the log.
pub(super) const DELETED: &str = ".deleted";

/// The path of the file that belongs to the segment at `base_offset` (`LogFileUtils.filenamePrefixFromOffset`).
pub(super) fn file_path(folder: &Path, base_offset: Offset, ending: &str) -> PathBuf {
    folder.join(format!("{:020}.{ending}", base_offset.0))
}

/// Whether a number from disk can be an offset: what a segment may hold after it must have numbers too.
pub(super) fn is_possible(offset: Offset) -> bool {
    (0..i64::MAX - (1 << 33)).contains(&offset.0)
}

/// The offset in the name of a file with this ending.
pub(super) fn parse_file_name(name: &str, ending: &str) -> Option<Offset> {
    let digits = name.strip_suffix(ending)?.strip_suffix('.')?;
    let all_digits = digits.len() == 20 && digits.bytes().all(|b| b.is_ascii_digit());
    all_digits.then(|| digits.parse().ok()).flatten().map(Offset).filter(|offset| is_possible(*offset))
}

/// "Not looked up yet", for the largest timestamp of a segment that was there at the start.
const UNKNOWN: i64 = i64::MIN;

static NEXT_KEY: AtomicU64 = AtomicU64::new(0);

#[derive(Debug)]
pub(super) struct Segment {
    pub(super) base_offset: Offset,
    /// All bytes appended to the log before this segment, in the sense of [`Positions`](super::Positions).
    pub(super) base_bytes: u64,
    /// Identifies the segment in the cache.
    pub(super) key: u64,
    end: AtomicU64,
    file: ArcSwapOption<File>,
    map: ArcSwapOption<Map>,
    index: RwLock<Option<Index>>,
    largest_timestamp: AtomicI64,
    largest_timestamp_offset: AtomicI64,
}

impl Segment {
    /// A closed segment of `end` bytes, of which nothing has been looked at.
    pub(super) fn closed(base_offset: Offset, base_bytes: u64, end: u64) -> Segment {
        Segment {
            base_offset,
            base_bytes,
            key: NEXT_KEY.fetch_add(1, Ordering::Relaxed),
            end: AtomicU64::new(end),
            file: ArcSwapOption::empty(),
            map: ArcSwapOption::empty(),
            index: RwLock::new(None),
            largest_timestamp: AtomicI64::new(UNKNOWN),
            largest_timestamp_offset: AtomicI64::new(base_offset.0),
        }
    }

    /// The active segment, with its indexes so far.
    pub(super) fn active(base_offset: Offset, base_bytes: u64, end: u64, index: Index, progress: &Progress) -> Segment {
        let segment = Segment::closed(base_offset, base_bytes, end);
        *segment.index.write() = Some(index);
        segment.set_largest(progress.largest);
        segment
    }

    /// Bytes in the segment.
    pub(super) fn end(&self) -> u64 {
        self.end.load(Ordering::Acquire)
    }

    /// The bytes below are stored.
    pub(super) fn set_end(&self, end: u64) {
        self.end.store(end, Ordering::Release);
    }

    /// The bytes of the segment below a bound that is given as a count of bytes.
    pub(super) fn end_below(&self, bound_bytes: u64) -> u64 {
        bound_bytes.saturating_sub(self.base_bytes).min(self.end())
    }

    pub(super) fn set_file(&self, file: Arc<File>) {
        self.file.store(Some(file));
    }

    /// The bytes are synced: the cache decides from now on how long the file stays open.
    pub(super) fn release_file(&self) {
        self.file.store(None);
    }

    /// The descriptor that the bytes were written through, if the segment still holds it.
    pub(super) fn own_file(&self) -> Option<Arc<File>> {
        self.file.load_full()
    }

    pub(super) fn set_map(&self, map: Option<Arc<Map>>) {
        self.map.store(map);
    }

    pub(super) fn map(&self) -> Option<Arc<Map>> {
        self.map.load_full()
    }

    /// The in-memory index: there while the segment is active.
    pub(super) fn index(&self) -> &RwLock<Option<Index>> {
        &self.index
    }

    pub(super) fn set_largest(&self, (timestamp, offset): (TimestampMs, Offset)) {
        self.largest_timestamp_offset.store(offset.0, Ordering::Relaxed);
        self.largest_timestamp.store(timestamp.0, Ordering::Relaxed);
    }

    /// The largest timestamp and the last offset of its batch; [`TimestampMs::NONE`] when no record bears one.
    pub(super) fn largest(&self, folder: &Path) -> Result<(TimestampMs, Offset), Error> {
        if self.largest_timestamp.load(Ordering::Relaxed) == UNKNOWN {
            let path = self.path(folder, LOG);
            let file = File::open(&path).map_err(Error::io("open", &path))?;
            self.set_largest(self.load_index(&file, folder, u32::MAX)?.1.largest);
        }
        let timestamp = TimestampMs(self.largest_timestamp.load(Ordering::Relaxed));
        Ok((timestamp, Offset(self.largest_timestamp_offset.load(Ordering::Relaxed))))
    }

    pub(super) fn path(&self, folder: &Path, ending: &str) -> PathBuf {
        file_path(folder, self.base_offset, ending)
    }

    /// Reads what the index files of the segment have.
    pub(super) fn read_index_files(&self, folder: &Path) -> Result<Index, Error> {
        Index::read(&self.path(folder, INDEX), &self.path(folder, TIME_INDEX), self.end())
    }

    /// Adds the entries that are missing after the last one, from the headers in the log.
    fn complete(&self, index: &mut Index, file: &File, folder: &Path, interval_bytes: u32) -> Result<Progress, Error> {
        let mut progress = Progress::new(self.base_offset);
        if let Some(time) = index.times.last() {
            progress.largest = (time.timestamp, self.base_offset.plus(time.relative.into()));
        }
        let start = index.offsets.last().map_or(0, |e| e.position.into());
        let mut headers = Headers::new(file, None, start, self.end());
        while let Some((position, batch)) = headers.next().map_err(|e| e.at(&self.path(folder, LOG)))? {
            if progress.observe(&batch, interval_bytes) {
                index.push(self.base_offset, batch.last_offset(), position, progress.largest);
            }
        }
        Ok(progress)
    }

    /// The file and the index of a closed segment, from the cache or opened. Index files that are missing, short or
    /// wrong are written anew from the log.
    pub(super) fn open(&self, shared: &Shared, folder: &Path, interval_bytes: u32) -> Result<Arc<OpenSegment>, Error> {
        shared.files.get_or_open(self.key, || {
            let path = self.path(folder, LOG);
            let file = match self.own_file() {
                Some(file) => file,
                None => Arc::new(File::open(&path).map_err(Error::io("open", &path))?),
            };
            let index = self.repair_index_files(&shared.disk, &file, folder, interval_bytes)?;
            Ok(OpenSegment { file, index })
        })
    }

    fn repair_index_files(
        &self,
        disk: &Disk,
        file: &File,
        folder: &Path,
        interval_bytes: u32,
    ) -> Result<ClosedIndex, Error> {
        let (offsets, times) = (self.path(folder, INDEX), self.path(folder, TIME_INDEX));
        let (mut index, progress) = self.load_index(file, folder, interval_bytes)?;
        index.push_time(self.base_offset, progress.largest);
        self.set_largest(progress.largest);
        let lengths_agree = [
            (&offsets, index.offsets.len() as u64 * index::OFFSET_ENTRY_BYTES),
            (&times, index.times.len() as u64 * index::TIME_ENTRY_BYTES),
        ]
        .iter()
        .all(|(path, bytes)| path.metadata().is_ok_and(|m| m.len() == *bytes));
        if !lengths_agree || index != self.read_index_files(folder)? {
            warn!(path = %offsets.display(), "the indexes of a segment were missing, short or wrong, and are made anew");
            match index.write_synced(disk, &offsets, &times) {
                Err(error) if error.is_no_room() => return Ok(ClosedIndex::InMemory(index)),
                other => other?,
            }
        }
        Ok(ClosedIndex::OnDisk(IndexFile::open(&offsets)?))
    }

    /// The indexes of the segment: from the files as far as they agree with the log, from the log for the rest.
    pub(super) fn load_index(
        &self,
        file: &File,
        folder: &Path,
        interval_bytes: u32,
    ) -> Result<(Index, Progress), Error> {
        self.complete_index(self.read_index_files(folder)?, file, folder, interval_bytes)
    }

    /// The same of what was read from the files.
    pub(super) fn complete_index(
        &self,
        mut index: Index,
        file: &File,
        folder: &Path,
        interval_bytes: u32,
    ) -> Result<(Index, Progress), Error> {
        if self.points_at_batches(&index, file) {
            let progress = self.complete(&mut index, file, folder, interval_bytes)?;
            if index.times.is_empty() || progress.largest.1 < progress.next_offset {
                return Ok((index, progress));
            }
        }
        let mut index = Index::default();
        let progress = self.complete(&mut index, file, folder, interval_bytes)?;
        Ok((index, progress))
    }

    /// Whether the last offset entry points at a batch that ends where it says.
    fn points_at_batches(&self, index: &Index, file: &File) -> bool {
        index.offsets.last().is_none_or(|entry| {
            let mut headers = Headers::new(file, None, entry.position.into(), self.end());
            let batch = headers.next().ok().flatten();
            batch.is_some_and(|(_, b)| index::relative(self.base_offset, b.last_offset()) == Some(entry.relative))
        })
    }

    /// Where a search for `offset` begins: at or before the batch that holds it.
    pub(super) fn position_for(&self, offset: Offset, source: &Source, reader: &FileReader) -> io::Result<u64> {
        let relative = index::relative(self.base_offset, offset).unwrap_or(i32::MAX as u32);
        match source {
            Source::Closed(open) => open.index.position_for(relative, reader),
            // The segment may have been closed since; then the search begins at its start, once.
            Source::Active { .. } => Ok(self.index.read().as_ref().map_or(0, |index| index.position_for(relative))),
        }
    }

    /// A batch begins here, at or before `position`.
    pub(super) fn position_before(&self, position: u64, source: &Source, reader: &FileReader) -> io::Result<u64> {
        match source {
            Source::Closed(open) => open.index.position_before(position, reader),
            Source::Active { .. } => Ok(self.index.read().as_ref().map_or(0, |index| index.position_before(position))),
        }
    }
}

/// How the bytes of a segment are reached.
#[derive(Debug)]
pub(super) enum Source {
    Active { file: Arc<File>, map: Option<Arc<Map>> },
    Closed(Arc<OpenSegment>),
}

impl Source {
    pub(super) fn file(&self) -> &Arc<File> {
        match self {
            Source::Active { file, .. } => file,
            Source::Closed(open) => &open.file,
        }
    }

    pub(super) fn map(&self) -> Option<&Arc<Map>> {
        match self {
            Source::Active { map, .. } => map.as_ref(),
            Source::Closed(_) => None,
        }
    }
}

impl Segment {
    /// Opens what is needed to read. Where a name is to be looked up, and indexes are to be checked, the disk may have to be
    /// waited for.
    pub(super) fn source(
        &self,
        shared: &Shared,
        folder: &Path,
        interval_bytes: u32,
        reach: Reach,
    ) -> Result<Source, Error> {
        let not_open = || Error::io("open", &self.path(folder, LOG))(not_in_memory());
        if self.index.read().is_none() {
            let open = match reach {
                Reach::Memory => shared.files.get(self.key).ok_or_else(not_open)?,
                Reach::Disk => self.open(shared, folder, interval_bytes)?,
            };
            return Ok(Source::Closed(open));
        }
        let file = match self.own_file() {
            Some(file) => file,
            None if reach == Reach::Memory => return Err(not_open()),
            None => {
                // The appender may open it at the same time; both descriptors name the same file.
                let path = self.path(folder, LOG);
                let file = Arc::new(File::open(&path).map_err(Error::io("open", &path))?);
                self.file.compare_and_swap(&None::<Arc<File>>, Some(file.clone()));
                file
            }
        };
        Ok(Source::Active { file, map: self.map() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_are_kafkas() {
        let path = file_path(Path::new("/d/t-0"), Offset(42), LOG);
        assert_eq!(path, Path::new("/d/t-0/00000000000000000042.log"));
        assert_eq!(parse_file_name("00000000000000000042.log", LOG), Some(Offset(42)));
        assert_eq!(parse_file_name("42.log", LOG), None);
        assert_eq!(parse_file_name("00000000000000000042.log.deleted", LOG), None);
        assert_eq!(parse_file_name("0000000000000000004x.index", INDEX), None);
        assert_eq!(parse_file_name("99999999999999999999.log", LOG), None, "beyond any offset");
        assert_eq!(parse_file_name("09223372036854775807.log", LOG), None, "nothing could follow");
    }
}
