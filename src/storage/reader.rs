//! Reading a log: whole batches from an offset, and offsets by time.
//!
//! Invariants:
//! * only whole batches below the bound are lent, all from one segment, and at least one when asked so;
//! * a read at the bound costs a load of the positions and nothing else;
//! * a lookup reads an index and walks the headers of about `index.interval.bytes`.
//!
//! * what was not synced yet is in the page cache, as the kernel has to write it; all else may have left it. A read that must
//!   not wait for the disk asks for what it looks at: by reading it, or once before it looks through a map.
//!
//! No lock is taken but the short one of the active segment's index.

use crate::record::{BatchInfo, BatchView, DECOMPRESSED_BYTES_MAX};
use crate::runtime::{FileReader, FileSlice, Presence, Reach, not_in_memory};
use crate::storage::headers::Headers;
use crate::storage::log::Log;
use crate::storage::positions::{Bound, Positions};
use crate::storage::segment::{self, Segment, Source};
use crate::storage::{Error, ReadError};
use crate::types::{LeaderEpoch, Offset, TimestampMs};
use bytes::Bytes;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What to do when not even one batch fits into the bytes asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Minimum {
    /// Lend the first batch all the same (KIP-74).
    OneBatch,
    /// Lend nothing.
    Nothing,
}

/// Bytes of a log.
#[derive(Clone, Debug)]
pub enum Slice {
    /// A small slice, in memory: lent from the map of the active segment while it is recent, or read.
    Mapped(Bytes),
    /// A range of a segment's file, for `sendfile`.
    File(FileSlice),
}

impl Slice {
    /// How many bytes.
    pub fn length(&self) -> u64 {
        match self {
            Slice::Mapped(bytes) => bytes.len() as u64,
            Slice::File(slice) => slice.length,
        }
    }
}

/// What a read found.
#[derive(Clone, Debug)]
pub struct LogRead {
    /// Whole batches, the first of which holds the offset asked for or the next one there is; `None` when nothing is
    /// there yet, or nothing fits.
    pub slice: Option<Slice>,
    /// How many bytes could be read from the first of these batches on, were there no limit and no end of a segment.
    pub available_bytes: u64,
    /// The positions that the read was bounded by.
    pub positions: Positions,
}

/// A record found by its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoundRecord {
    /// Its offset.
    pub offset: Offset,
    /// Its timestamp.
    pub timestamp: TimestampMs,
    /// The epoch of the leader that appended it.
    pub leader_epoch: LeaderEpoch,
}

/// A range of a segment that readers may have, and how to reach it.
struct Readable<'a> {
    log: &'a Log,
    segment: &'a Segment,
    source: Source,
    reader: &'a FileReader,
    end: u64,
    /// What is looked at below is in memory.
    present_end: u64,
}

/// More than lies, as a rule, between where a search begins and the batch that it looks for.
const SEARCHED_BYTES: u64 = 16 << 10;

impl Log {
    /// Lends whole batches from `from` on, at most `bytes_max` bytes of them unless `minimum` asks for the first. Waits for
    /// the disk to find them. Small slices are then in memory; of a [`Slice::File`] it is to be asked.
    ///
    /// # Errors
    /// An offset below the log start or above the log end; a log that is offline; bytes that cannot be read.
    pub fn read(&self, from: Offset, bytes_max: usize, bound: Bound, minimum: Minimum) -> Result<LogRead, ReadError> {
        self.read_by(&FileReader::new(&self.shared.disk, Reach::Disk), from, bytes_max, bound, minimum)
    }

    /// The same without waiting for the disk; `None` when it would have to be waited for.
    ///
    /// # Errors
    /// As [`read`](Log::read).
    pub fn read_from_memory(
        &self,
        from: Offset,
        bytes_max: usize,
        bound: Bound,
        minimum: Minimum,
    ) -> Result<Option<LogRead>, ReadError> {
        let reader = FileReader::new(&self.shared.disk, Reach::Memory);
        match self.read_by(&reader, from, bytes_max, bound, minimum) {
            Err(ReadError::Failed(error)) if error.is_not_in_memory() => Ok(None),
            other => other.map(Some),
        }
    }

    fn read_by(
        &self,
        reader: &FileReader,
        from: Offset,
        bytes_max: usize,
        bound: Bound,
        minimum: Minimum,
    ) -> Result<LogRead, ReadError> {
        if self.is_offline() {
            return Err(ReadError::Offline);
        }
        let positions = self.positions();
        check_range(from, &positions)?;
        if from >= positions.bound(bound) {
            return Ok(LogRead { slice: None, available_bytes: 0, positions });
        }
        let found = self.retry_unless_deleted(from, || {
            let segments = self.segments.load();
            let first = segments.partition_point(|s| s.base_offset <= from).saturating_sub(1);
            for segment in &segments[first..] {
                let Some(mut readable) = self.readable(segment, positions.bound_bytes(bound), reader)? else { break };
                readable.present_end = readable.find_present_end(from, bytes_max)?;
                if let Some((start, batch)) = readable.find(from)? {
                    let available = positions.bound_bytes(bound).saturating_sub(segment.base_bytes + start);
                    return Ok((readable.lend(start, &batch, bytes_max, minimum)?, available));
                }
            }
            Ok((None, 0))
        });
        let (slice, available_bytes) = found?;
        Ok(LogRead { slice, available_bytes, positions })
    }

    /// The first record at or after the log start and below `bound` whose timestamp is `at` or later.
    ///
    /// # Errors
    /// The log is offline, or its bytes cannot be read.
    pub fn offset_for_timestamp(&self, at: TimestampMs, bound: Bound) -> Result<Option<FoundRecord>, ReadError> {
        if self.is_offline() {
            return Err(ReadError::Offline);
        }
        let positions = self.positions();
        let reader = FileReader::new(&self.shared.disk, Reach::Disk);
        self.retry_unless_deleted(positions.log_start, || {
            let folder = self.folder();
            let segments = self.segments.load();
            for (i, segment) in segments.iter().enumerate() {
                let is_active = i + 1 == segments.len();
                if !is_active && segment.largest(&folder)?.0 < at {
                    continue;
                }
                let Some(readable) = self.readable(segment, positions.bound_bytes(bound), &reader)? else { break };
                let found = readable.first_record_since(at, positions.log_start, &folder)?;
                if let Some(found) = found {
                    return Ok((found.offset < positions.bound(bound)).then_some(found));
                }
            }
            Ok(None)
        })
    }

    /// The first record with the largest timestamp of the log, if it lies below `bound` (KIP-734).
    ///
    /// # Errors
    /// The log is offline, or its bytes cannot be read.
    pub fn offset_of_max_timestamp(&self, bound: Bound) -> Result<Option<FoundRecord>, ReadError> {
        if self.is_offline() {
            return Err(ReadError::Offline);
        }
        let folder = self.folder();
        // Looked up here, so that nothing is read under the lock.
        for segment in self.segments.load().iter() {
            segment.largest(&folder)?;
        }
        let (largest, segments, positions) = {
            // The largest timestamp and its offset are two values of the appender.
            let state = self.state.lock();
            let segments = self.segments.load_full();
            let mut largest = (state.progress.largest, segments.len() - 1);
            for (i, segment) in segments.iter().enumerate().rev().skip(1) {
                let candidate = segment.largest(&folder)?;
                if candidate.0 >= largest.0.0 {
                    largest = (candidate, i);
                }
            }
            (largest, segments, state.positions)
        };
        let ((timestamp, last_offset), place) = largest;
        if timestamp == TimestampMs::NONE {
            return Ok(None);
        }
        let (reader, bound_bytes) = (FileReader::new(&self.shared.disk, Reach::Disk), positions.bound_bytes(bound));
        let Some(readable) = self.readable(&segments[place], bound_bytes, &reader)? else { return Ok(None) };
        let Some((position, batch)) = readable.find(last_offset)? else { return Ok(None) };
        let found = readable.record_in(position, &batch, timestamp, positions.log_start)?;
        Ok(found.filter(|f| f.offset < positions.bound(bound)))
    }

    /// The bytes appended below `offset`, which lies between log start and log end.
    pub(super) fn bytes_below(&self, offset: Offset, positions: &Positions) -> Result<u64, ReadError> {
        if offset == positions.log_end {
            return Ok(positions.log_end_bytes);
        }
        if offset == positions.high_watermark {
            return Ok(positions.high_watermark_bytes);
        }
        let segments = self.segments.load();
        let first = segments.partition_point(|s| s.base_offset <= offset).saturating_sub(1);
        let reader = FileReader::new(&self.shared.disk, Reach::Disk);
        for segment in &segments[first..] {
            let Some(readable) = self.readable(segment, positions.log_end_bytes, &reader)? else { break };
            if let Some((position, _)) = readable.find(offset)? {
                return Ok(segment.base_bytes + position);
            }
        }
        Ok(positions.log_end_bytes)
    }

    /// The part of a segment below a bound; `None` when all of it lies above.
    fn readable<'a>(
        &'a self,
        segment: &'a Segment,
        bound_bytes: u64,
        reader: &'a FileReader,
    ) -> Result<Option<Readable<'a>>, ReadError> {
        let end = segment.end_below(bound_bytes);
        if end == 0 {
            return Ok(None);
        }
        let interval_bytes = self.config.load().index_interval_bytes;
        let source = segment.source(&self.shared, &self.folder.load(), interval_bytes, reader.reach())?;
        Ok(Some(Readable { log: self, segment, source, reader, end, present_end: 0 }))
    }

    /// Retention may rename a segment's files while they are opened: then the log start has passed `from`.
    fn retry_unless_deleted<T>(&self, from: Offset, read: impl Fn() -> Result<T, ReadError>) -> Result<T, ReadError> {
        match read() {
            Err(ReadError::Failed(error)) if error.is_not_found() => {
                if self.is_offline() {
                    return Err(ReadError::Offline);
                }
                check_range(from, &self.positions())?;
                read()
            }
            other => other,
        }
    }
}

fn check_range(offset: Offset, positions: &Positions) -> Result<(), ReadError> {
    let Positions { log_start, log_end, .. } = *positions;
    match offset < log_start || offset > log_end {
        true => Err(ReadError::OutOfRange { offset, log_start, log_end }),
        false => Ok(()),
    }
}

impl Readable<'_> {
    /// For messages.
    fn path(&self) -> PathBuf {
        self.segment.path(&self.log.folder(), segment::LOG)
    }

    fn cannot_read(&self, source: io::Error) -> ReadError {
        ReadError::Failed(Error::io("read", &self.path())(source))
    }

    /// Up to where all is in memory that is looked at from `from` on. Asks where that has to be known: a map cannot say it.
    fn find_present_end(&self, from: Offset, bytes_max: usize) -> Result<u64, ReadError> {
        if from >= self.log.synced() {
            return Ok(self.end);
        }
        if self.reader.reach() == Reach::Disk || self.source.map().is_none() {
            return Ok(0);
        }
        let start = self.position_for(from)?;
        let end = self.end.min(start.saturating_add(bytes_max as u64).saturating_add(SEARCHED_BYTES));
        match self.reader.disk().is_in_memory(self.source.file(), start, end.saturating_sub(start)) {
            true => Ok(end),
            false => Err(self.cannot_read(not_in_memory())),
        }
    }

    fn headers(&self, position: u64) -> Headers<'_> {
        let map = self.source.map().map(Arc::as_ref);
        let map_end = match self.reader.reach() {
            Reach::Memory => self.present_end,
            Reach::Disk => self.end,
        };
        Headers::new(self.source.file(), map, position, self.end).by(self.reader, map_end)
    }

    /// The first batch that ends at or after `offset`.
    fn find(&self, offset: Offset) -> Result<Option<(u64, BatchInfo)>, ReadError> {
        let position = self.position_for(offset)?;
        let mut headers = self.headers(position);
        while let Some((position, batch)) = self.next(&mut headers)? {
            if batch.last_offset() >= offset {
                return Ok(Some((position, batch)));
            }
        }
        Ok(None)
    }

    fn position_for(&self, offset: Offset) -> Result<u64, ReadError> {
        self.segment.position_for(offset, &self.source, self.reader).map_err(|e| self.cannot_read(e))
    }

    fn next(&self, headers: &mut Headers<'_>) -> Result<Option<(u64, BatchInfo)>, ReadError> {
        Ok(headers.next().map_err(|fault| fault.at(&self.path()))?)
    }

    /// Lends from `start`, where `first` begins.
    fn lend(
        &self,
        start: u64,
        first: &BatchInfo,
        bytes_max: usize,
        minimum: Minimum,
    ) -> Result<Option<Slice>, ReadError> {
        let first_end = start + u64::from(first.size_bytes);
        let limit = start.saturating_add(bytes_max as u64);
        let end = if limit >= self.end {
            self.end
        } else if limit < first_end {
            match minimum {
                Minimum::OneBatch => first_end,
                Minimum::Nothing => return Ok(None),
            }
        } else {
            self.last_end_before(limit, first_end)?
        };
        self.slice(start, end).map(Some)
    }

    /// The end of the last batch that ends at or before `limit`, given one such end.
    fn last_end_before(&self, limit: u64, known_end: u64) -> Result<u64, ReadError> {
        let indexed = self.segment.position_before(limit, &self.source, self.reader);
        let indexed = indexed.map_err(|e| self.cannot_read(e))?;
        let mut headers = self.headers(indexed.max(known_end));
        let mut end = indexed.max(known_end);
        while let Some((position, batch)) = self.next(&mut headers)? {
            let next_end = position + u64::from(batch.size_bytes);
            if next_end > limit {
                break;
            }
            end = next_end;
        }
        Ok(end)
    }

    fn slice(&self, start: u64, end: u64) -> Result<Slice, ReadError> {
        let shared = &self.log.shared;
        if end - start >= shared.tuning.copy_below_bytes {
            let presence = if end <= self.present_end { Presence::Certain } else { Presence::Unknown };
            let (file, disk) = (self.source.file().clone(), shared.disk.clone());
            return Ok(Slice::File(FileSlice { file, position: start, length: end - start, disk, presence }));
        }
        let map = self.source.map().filter(|_| end <= self.present_end);
        let lent = map.and_then(|map| map.lend(start..end));
        Ok(Slice::Mapped(match lent {
            Some(bytes) => bytes,
            None => self.bytes(start, end)?,
        }))
    }

    fn bytes(&self, start: u64, end: u64) -> Result<Bytes, ReadError> {
        let mut bytes = vec![0; (end - start) as usize];
        let read = self.reader.read_exact_at(self.source.file(), &mut bytes, start);
        read.map_err(|e| self.cannot_read(e))?;
        Ok(bytes.into())
    }

    /// The first record at or above `log_start` that is as late as `at`.
    fn first_record_since(
        &self,
        at: TimestampMs,
        log_start: Offset,
        folder: &Path,
    ) -> Result<Option<FoundRecord>, ReadError> {
        let indexed = match self.segment.index().read().as_ref() {
            Some(index) => index.relative_before(at),
            None => self.segment.read_index_files(folder)?.relative_before(at),
        };
        let from = self.segment.base_offset.plus(indexed.into()).max(log_start);
        let mut headers = self.headers(self.position_for(from)?);
        while let Some((position, batch)) = self.next(&mut headers)? {
            if batch.max_timestamp >= at
                && batch.last_offset() >= log_start
                && let Some(found) = self.record_in(position, &batch, at, log_start)?
            {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The first record of a batch that is as late as `at`, and at or above `log_start`.
    fn record_in(
        &self,
        position: u64,
        batch: &BatchInfo,
        at: TimestampMs,
        log_start: Offset,
    ) -> Result<Option<FoundRecord>, ReadError> {
        let bytes = self.bytes(position, position + u64::from(batch.size_bytes))?;
        let corrupt = |error: &dyn std::fmt::Display| {
            let what = format!("at position {position}: {error}");
            Error::Corrupt { path: self.path(), what }
        };
        let view = BatchView::parse(&bytes).map_err(|e| corrupt(&e))?;
        let mut records = view.records(DECOMPRESSED_BYTES_MAX).map_err(|e| corrupt(&e))?;
        while let Some(record) = records.next_record() {
            let record = record.map_err(|e| corrupt(&e))?;
            let offset = batch.base_offset.plus(record.offset_delta.into());
            let timestamp = record.timestamp(batch);
            if timestamp >= at && offset >= log_start {
                return Ok(Some(FoundRecord { offset, timestamp, leader_epoch: batch.leader_epoch }));
            }
        }
        Ok(None)
    }
}
