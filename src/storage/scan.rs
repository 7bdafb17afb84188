//! Reads a segment from the recovery point, or its beginning, and checks every batch.
//!
//! Invariants: nothing is believed before the CRC of the whole batch was right; memory is bounded whatever a length field
//! claims. Source: Kafka's `LogSegment.recover`.

use crate::record::BatchInfo;
use crate::storage::Error;
use crate::storage::headers::{Fault, Headers};
use crate::storage::index::{Index, Progress};
use crate::storage::recovery::Below;
use crate::storage::segment::Segment;
use crate::types::TimestampMs;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// What is known of a segment that can be appended to.
#[derive(Debug)]
pub(super) struct Active {
    pub(super) index: Index,
    pub(super) progress: Progress,
    pub(super) first_timestamp: Option<TimestampMs>,
    pub(super) end: u64,
}

/// A segment whose batches were checked, up to the first that does not hold.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) active: Active,
    /// Why what follows is not part of the log.
    pub(super) fault: Option<String>,
}

/// Whether offsets may be missing between two batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gaps {
    /// Appends leave none.
    None,
    /// Nobody knows whether the log was compacted here.
    Possible,
}

/// How to check.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules<'a> {
    pub(super) gaps: Gaps,
    pub(super) interval_bytes: u32,
    /// Where the bytes that were read are counted.
    pub(super) bytes: &'a AtomicU64,
}

/// Checks the batches of a segment above what is known of it, and shows each that holds.
pub(super) fn check(
    segment: &Segment,
    file: &File,
    path: &Path,
    below: Below,
    rules: &Rules<'_>,
    mut seen: impl FnMut(&BatchInfo),
) -> Result<Checked, Error> {
    let Below { mut index, mut progress, mut first_timestamp, position: start } = below;
    let mut headers = Headers::new(file, None, start, segment.end());
    let mut bytes = Bytes::new(file, segment.end());
    let mut end = start;
    let fault = loop {
        let (position, batch) = match headers.next() {
            Ok(Some(next)) => next,
            Ok(None) => break None,
            Err(Fault::Broken { what, .. }) => break Some(what),
            Err(fault @ Fault::Io(_)) => return Err(fault.at(path)),
        };
        let (found, expected) = (batch.base_offset, progress.next_offset);
        if found < expected || (found > expected && rules.gaps == Gaps::None) {
            break Some(format!("offset {found} is where {expected} is expected"));
        }
        let size = u64::from(batch.size_bytes);
        if bytes.crc(position + CRC_COVERS, position + size).map_err(Error::io("read", path))? != batch.crc {
            break Some(format!("the checksum of the batch at offset {found} is wrong"));
        }
        if progress.observe(&batch, rules.interval_bytes) {
            index.push(segment.base_offset, batch.last_offset(), position, progress.largest);
        }
        first_timestamp.get_or_insert(batch.max_timestamp);
        seen(&batch);
        end = position + size;
        rules.bytes.fetch_add(size, Ordering::Relaxed);
    };
    Ok(Checked { active: Active { index, progress, first_timestamp, end }, fault })
}

/// The CRC of the batch that lies between two positions, whatever it holds.
pub(super) fn crc(file: &File, start: u64, end: u64) -> io::Result<u32> {
    Bytes::new(file, end).crc(start + CRC_COVERS, end)
}

/// The first byte that a batch's CRC covers.
pub(super) const CRC_COVERS: u64 = 21;
const READ_BYTES: u64 = 256 << 10;

/// The bytes of a file, read a block at a time: a length field may claim anything up to the end of the file.
pub(super) struct Bytes<'a> {
    file: &'a File,
    end: u64,
    block: Vec<u8>,
    block_start: u64,
}

impl Bytes<'_> {
    pub(super) fn new(file: &File, end: u64) -> Bytes<'_> {
        Bytes { file, end, block: Vec::new(), block_start: 0 }
    }

    pub(super) fn crc(&mut self, start: u64, end: u64) -> io::Result<u32> {
        let (mut crc, mut position) = (0, start);
        while position < end {
            let piece = self.at(position)?;
            let piece = &piece[..piece.len().min(usize::try_from(end - position).unwrap_or(usize::MAX))];
            crc = crc32c::crc32c_append(crc, piece);
            position += piece.len() as u64;
        }
        Ok(crc)
    }

    /// Some bytes from `position`, which lies below the end, on: at least one.
    fn at(&mut self, position: u64) -> io::Result<&[u8]> {
        let block_end = self.block_start + self.block.len() as u64;
        if position < self.block_start || position >= block_end {
            self.block.resize(READ_BYTES.min(self.end - position) as usize, 0);
            self.block_start = position;
            self.file.read_exact_at(&mut self.block, position)?;
        }
        Ok(&self.block[(position - self.block_start) as usize..])
    }
}
