//! What lies below the recovery point: synced, indexed, and not read again, but for the few headers that say where it is.
//!
//! Invariants:
//! * the index files are believed as far as the last entry below the recovery point names a batch that is there; otherwise
//!   the segment's headers are walked from its start;
//! * what cannot be walked up to the recovery point is damage: it was on disk.

use crate::record::BatchInfo;
use crate::storage::Error;
use crate::storage::headers::{Fault, Headers};
use crate::storage::index::{self, Index, Progress};
use crate::storage::segment::{self, Segment};
use crate::types::{Offset, TimestampMs};
use std::fs::File;
use std::path::Path;
use tracing::warn;

/// The part of a segment below the recovery point.
#[derive(Clone, Debug)]
pub(in crate::storage) struct Below {
    /// The entries of its batches.
    pub(in crate::storage) index: Index,
    pub(in crate::storage) progress: Progress,
    /// The largest timestamp of the segment's first batch.
    pub(in crate::storage) first_timestamp: Option<TimestampMs>,
    /// Where the first batch at or above the recovery point begins.
    pub(in crate::storage) position: u64,
}

/// Why the recovery point was not reached.
struct Missed {
    position: u64,
    offset: Offset,
    what: String,
}

impl Below {
    /// Of a segment all of which is to be checked.
    pub(super) fn nothing(base_offset: Offset) -> Below {
        let progress = Progress::new(base_offset);
        Below { index: Index::default(), progress, first_timestamp: None, position: 0 }
    }

    /// Finds `recovery_point`, which does not lie below the segment.
    pub(super) fn find(
        segment: &Segment,
        file: &File,
        folder: &Path,
        recovery_point: Offset,
        interval_bytes: u32,
    ) -> Result<Below, Error> {
        if recovery_point <= segment.base_offset {
            return Ok(Below::nothing(segment.base_offset));
        }
        let path = segment.path(folder, segment::LOG);
        let walk = Walk { segment, file, path: &path, recovery_point, interval_bytes };
        let first_timestamp = walk.first_timestamp()?;
        let mut index = segment.read_index_files(folder)?;
        index.keep_below(index::relative(segment.base_offset, recovery_point).unwrap_or(u32::MAX));
        let mut found = Err(Missed { position: 0, offset: segment.base_offset, what: String::new() });
        if !index.offsets.is_empty() {
            found = walk.from(index)?;
        }
        if found.is_err() {
            if segment.end() > u64::from(interval_bytes) {
                let path = segment.path(folder, segment::INDEX);
                warn!(path = %path.display(), "the index does not lead to the recovery point, looking from the segment's start");
            }
            found = walk.from(Index::default())?;
        }
        match found {
            Ok(below) => Ok(Below { first_timestamp, ..below }),
            Err(Missed { position, offset, what }) => Err(Error::Damaged {
                path,
                position,
                offset,
                what: format!("{what}, below the recovery point {recovery_point}, to which all was on disk"),
            }),
        }
    }
}

struct Walk<'a> {
    segment: &'a Segment,
    file: &'a File,
    path: &'a Path,
    recovery_point: Offset,
    interval_bytes: u32,
}

impl Walk<'_> {
    fn first_timestamp(&self) -> Result<Option<TimestampMs>, Error> {
        let mut headers = Headers::new(self.file, None, 0, self.segment.end());
        match headers.next() {
            Ok(first) => Ok(first.map(|(_, batch)| batch.max_timestamp)),
            // Told by the walk, if it comes here.
            Err(Fault::Broken { .. }) => Ok(None),
            Err(fault @ Fault::Io(_)) => Err(fault.at(self.path)),
        }
    }

    /// Walks from the last entry of `index` on, and adds what it lacks.
    fn from(&self, mut index: Index) -> Result<Result<Below, Missed>, Error> {
        let base_offset = self.segment.base_offset;
        let mut progress = Progress::new(base_offset);
        if let Some(time) = index.times.last() {
            progress.largest = (time.timestamp, base_offset.plus(time.relative.into()));
        }
        let entry = index.offsets.last().copied();
        let start = entry.map_or(0, |e| u64::from(e.position));
        let mut position = start;
        let mut headers = Headers::new(self.file, None, start, self.segment.end());
        let missed =
            |position, progress: Progress, what| Ok(Err(Missed { position, offset: progress.next_offset, what }));
        while progress.next_offset < self.recovery_point {
            let batch = match headers.next() {
                Ok(Some((_, batch))) => batch,
                Ok(None) => return missed(position, progress, "the file ends".into()),
                Err(Fault::Broken { position, what }) => return missed(position, progress, what),
                Err(fault @ Fault::Io(_)) => return Err(fault.at(self.path)),
            };
            if batch.base_offset >= self.recovery_point {
                // Compaction took what was before; what is missing from here on is another matter.
                progress.next_offset = self.recovery_point;
                break;
            }
            if batch.base_offset < base_offset {
                return missed(position, progress, format!("offset {} lies below the segment", batch.base_offset));
            }
            if position == start && entry.is_some_and(|entry| !agrees(&entry, &batch, base_offset, &progress)) {
                return missed(position, progress, "the index does not agree with the log".into());
            }
            if progress.observe(&batch, self.interval_bytes) {
                index.push(base_offset, batch.last_offset(), position, progress.largest);
            }
            position += u64::from(batch.size_bytes);
        }
        Ok(Ok(Below { index, progress, first_timestamp: None, position }))
    }
}

/// Whether an entry names this batch, and the times up to there are known.
fn agrees(entry: &index::OffsetEntry, batch: &BatchInfo, base_offset: Offset, known: &Progress) -> bool {
    index::relative(base_offset, batch.last_offset()) == Some(entry.relative) && batch.max_timestamp <= known.largest.0
}
