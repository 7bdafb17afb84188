//! Reads a segment from its beginning and checks every batch.
//!
//! Invariants: nothing is believed before the CRC of the whole batch was right; memory is bounded whatever a length field
//! claims. Source: Kafka's `LogSegment.recover`.

use crate::record::BatchInfo;
use crate::storage::Error;
use crate::storage::headers::{Fault, Headers};
use crate::storage::index::{Index, Progress};
use crate::storage::segment::Segment;
use crate::types::TimestampMs;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// What is known of a segment that can be appended to.
#[derive(Debug)]
pub(super) struct Active {
    pub(super) index: Index,
    pub(super) progress: Progress,
    pub(super) first_timestamp: Option<TimestampMs>,
    pub(super) end: u64,
}

/// A segment whose batches were all checked.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) active: Active,
    /// Why the rest of the file is not part of the log.
    pub(super) fault: Option<String>,
}

/// Checks the batches of a segment up to the first that does not hold, and shows each that does.
pub(super) fn check(
    segment: &Segment,
    file: &File,
    path: &Path,
    interval_bytes: u32,
    mut seen: impl FnMut(&BatchInfo),
) -> Result<Checked, Error> {
    let mut progress = Progress::new(segment.base_offset);
    let mut index = Index::default();
    let mut first_timestamp = None;
    let mut headers = Headers::new(file, None, 0, segment.end());
    let mut bytes = Bytes::new(file, segment.end());
    let mut end = 0;
    let fault = loop {
        let (position, batch) = match headers.next() {
            Ok(Some(next)) => next,
            Ok(None) => break None,
            Err(Fault::Broken { what, .. }) => break Some(what),
            Err(fault @ Fault::Io(_)) => return Err(fault.at(path)),
        };
        if batch.base_offset < segment.base_offset {
            break Some(format!("offset {} lies below the segment", batch.base_offset));
        }
        let size = u64::from(batch.size_bytes);
        if bytes.crc(position + CRC_COVERS, position + size).map_err(Error::io("read", path))? != batch.crc {
            break Some(format!("the checksum of the batch at offset {} is wrong", batch.base_offset));
        }
        if progress.observe(&batch, interval_bytes) {
            index.push(segment.base_offset, batch.last_offset(), position, progress.largest);
        }
        first_timestamp.get_or_insert(batch.max_timestamp);
        seen(&batch);
        end = position + size;
    };
    Ok(Checked { active: Active { index, progress, first_timestamp, end }, fault })
}

/// Whether a range of a file holds nothing but zeros, as what is allocated ahead does.
pub(super) fn is_zero(file: &File, start: u64, end: u64) -> io::Result<bool> {
    Bytes::new(file, end).are_zero_from(start)
}

/// The first byte that a batch's CRC covers.
const CRC_COVERS: u64 = 21;
const READ_BYTES: u64 = 256 << 10;

/// The bytes of a file, read a block at a time: a length field may claim anything up to the end of the file.
struct Bytes<'a> {
    file: &'a File,
    end: u64,
    block: Vec<u8>,
    block_start: u64,
}

impl Bytes<'_> {
    fn new(file: &File, end: u64) -> Bytes<'_> {
        Bytes { file, end, block: Vec::new(), block_start: 0 }
    }

    fn crc(&mut self, start: u64, end: u64) -> io::Result<u32> {
        let (mut crc, mut position) = (0, start);
        while position < end {
            let piece = self.at(position)?;
            let piece = &piece[..piece.len().min(usize::try_from(end - position).unwrap_or(usize::MAX))];
            crc = crc32c::crc32c_append(crc, piece);
            position += piece.len() as u64;
        }
        Ok(crc)
    }

    fn are_zero_from(&mut self, start: u64) -> io::Result<bool> {
        let mut position = start;
        while position < self.end {
            let piece = self.at(position)?;
            if piece.iter().any(|byte| *byte != 0) {
                return Ok(false);
            }
            position += piece.len() as u64;
        }
        Ok(true)
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
