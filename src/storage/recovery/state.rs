//! What is known from the log below the recovery point: its producers and its leader epochs. Only headers are read, and only
//! where a file that should tell it does not, but for the last bytes, which a snapshot leaves out.

use super::{Folder, remove};
use crate::record::BatchInfo;
use crate::storage::epochs::{self, LeaderEpochs};
use crate::storage::headers::Headers;
use crate::storage::index::Index;
use crate::storage::producers::Producers;
use crate::storage::segment::{self, Segment};
use crate::storage::{Error, snapshot};
use crate::types::Offset;
use std::collections::BTreeSet;
use std::sync::Arc;
use tracing::warn;

/// As many bytes before the recovery point are looked at for batches that may be sent again: five of the largest batches of
/// three producers.
const REMEMBERED_BYTES: u64 = 16 << 20;

/// The segments below an offset, the last of them up to a position.
pub(super) struct Known<'a> {
    pub(super) folder: &'a Folder<'a>,
    pub(super) segments: &'a [Arc<Segment>],
    /// Of the last segment, as far as it is known.
    pub(super) index: &'a Index,
    /// Where the last segment's known part ends.
    pub(super) position: u64,
    /// Where all of it ends.
    pub(super) end: Offset,
}

impl Known<'_> {
    /// The newest snapshot, and what follows it.
    pub(super) fn producers(&self, snapshots: &BTreeSet<Offset>) -> Result<Producers, Error> {
        let mut from = self.segments[0].base_offset;
        let mut producers = Producers::default();
        for snapshot in snapshots.range(..=self.end).rev() {
            let path = segment::file_path(self.folder.path, *snapshot, segment::SNAPSHOT);
            match snapshot::read(&path) {
                Ok(found) => {
                    (from, producers) = (*snapshot, found);
                    break;
                }
                Err(error) => warn!(path = %path.display(), %error, "snapshot passed over"),
            }
        }
        self.walk(from, |batch| producers.replay(batch))?;
        if !producers.entries.is_empty() {
            producers.remember(&self.latest_producers());
        }
        Ok(producers)
    }

    /// The leader epochs. A file that cannot be read, or is missing beside batches, is made anew from the batches; those
    /// above will be looked at anyway.
    pub(super) fn epochs(&self) -> Result<LeaderEpochs, Error> {
        let (disk, path) = (self.folder.disk, self.folder.path.join(epochs::FILE_NAME));
        let is_empty = self.segments.iter().all(|s| s.end() == 0);
        let mut epochs = match LeaderEpochs::open(disk, path.clone()) {
            Ok(epochs) if epochs.latest().is_some() || is_empty => return Ok(epochs),
            Ok(epochs) => epochs,
            Err(Error::Corrupt { path, what }) => {
                warn!(path = %path.display(), what, "leader epochs made anew from the log");
                remove(disk, &path)?;
                LeaderEpochs::open(disk, path)?
            }
            Err(other) => return Err(other),
        };
        let mut is_found = false;
        self.walk(self.segments[0].base_offset, |batch| {
            is_found |= epochs.note(batch.leader_epoch, batch.base_offset)
        })?;
        if is_found {
            epochs.save()?;
        }
        Ok(epochs)
    }

    /// Each segment, and where its known part ends.
    fn pieces(&self) -> impl DoubleEndedIterator<Item = (&Segment, u64)> {
        let last = self.segments.len() - 1;
        let end = move |place, segment: &Segment| if place == last { self.position } else { segment.end() };
        self.segments.iter().enumerate().map(move |(place, segment)| (&**segment, end(place, segment)))
    }

    /// Shows the headers of all batches from an offset on.
    fn walk(&self, from: Offset, mut seen: impl FnMut(&BatchInfo)) -> Result<(), Error> {
        if from >= self.end {
            return Ok(());
        }
        let first = self.segments.partition_point(|s| s.base_offset <= from).saturating_sub(1);
        for (segment, end) in self.pieces().skip(first) {
            let file = self.folder.open_log_file(segment.base_offset)?;
            let path = segment.path(self.folder.path, segment::LOG);
            let mut headers = Headers::new(&file, None, 0, end);
            while let Some((_, batch)) = headers.next().map_err(|fault| fault.at(&path))? {
                if batch.base_offset >= from {
                    seen(&batch);
                }
            }
        }
        Ok(())
    }

    /// What the last batches tell of their producers: a snapshot has one batch of each, and those before it may come again,
    /// because their answers were lost. What cannot be read here tells nothing: the batches that matter were looked at
    /// already.
    fn latest_producers(&self) -> Producers {
        let (mut pieces, mut bytes) = (Vec::new(), 0);
        for (segment, end) in self.pieces().rev() {
            let start = end.saturating_sub(REMEMBERED_BYTES - bytes);
            pieces.push((segment, start, end));
            bytes += end - start;
            if bytes >= REMEMBERED_BYTES {
                break;
            }
        }
        let mut producers = Producers::default();
        for (segment, start, end) in pieces.into_iter().rev() {
            let _ = self.replay(segment, start, end, &mut producers);
        }
        producers
    }

    /// Replays the batches of a segment that end after `start` and before `end`.
    fn replay(&self, segment: &Segment, start: u64, end: u64, producers: &mut Producers) -> Result<(), Error> {
        let file = self.folder.open_log_file(segment.base_offset)?;
        let is_last = segment.base_offset == self.segments[self.segments.len() - 1].base_offset;
        let start = match start {
            0 => 0,
            _ if is_last => self.index.position_before(start),
            _ => segment.load_index(&file, self.folder.path, self.folder.interval_bytes)?.0.position_before(start),
        };
        let mut headers = Headers::new(&file, None, start, end);
        while let Some((_, batch)) = headers.next().map_err(|fault| fault.at(self.folder.path))? {
            producers.replay(&batch);
        }
        Ok(())
    }
}
