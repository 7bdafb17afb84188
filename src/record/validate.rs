//! The checks of a batch that a client produced (Kafka: `ProduceRequest.validateRecords`,
//! `UnifiedLog.analyzeAndValidateRecords`, `LogValidator`), in Kafka's order and with its errors.
//!
//! Invariants: what passes has one batch and nothing else, a right CRC, records numbered 0, 1, 2, … as many as the
//! header says, and a max timestamp that is that of its records (Kafka rewrites a wrong one; so do we, see
//! [`corrected`](super::corrected)). Of a compressed batch only the header is known, unless [`Strictness::Full`].
//!
//! Where we differ from a real broker (Apache Kafka 4.3.0, asked with each of these batches):
//! * bytes after the batch that are no whole batch are INVALID_RECORD; Kafka cuts them off, or says CORRUPT_MESSAGE
//!   where they are long enough to look like a header;
//! * an unknown codec is UNSUPPORTED_COMPRESSION_TYPE, and a payload that does not decompress INVALID_RECORD; Kafka's
//!   exceptions end as UNKNOWN_SERVER_ERROR;
//! * offset deltas other than 0, 1, 2, … are INVALID_RECORD; Kafka stores them as they are in a plain batch and answers
//!   UNKNOWN_SERVER_ERROR to a compressed one;
//! * the `LogAppendTime` bit is always INVALID_TIMESTAMP; Kafka takes it off where the topic keeps the producer's time;
//! * a delete horizon, a producer's negative epoch, and a transaction without a producer are INVALID_RECORD; Kafka
//!   accepts the first two and finds the last unauthorized.
//!
//! Attribute bits without a meaning are let pass, as Kafka does, and so is any sequence or epoch of no producer.

use super::batch::crc_of;
use super::records::{LENGTH, split_record};
use super::{BatchInfo, BatchView, Compression, DECOMPRESSED_BYTES_MAX, Malformed, RecordView};
use crate::config::TimestampType;
use crate::types::{Offset, TimestampMs};
use std::time::Duration;

/// The rules that one topic's batches are checked by.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// `max.message.bytes`.
    pub message_bytes_max: u32,
    /// `message.timestamp.type`.
    pub timestamp_type: TimestampType,
    /// `message.timestamp.before.max.ms`.
    pub timestamp_before_max: Duration,
    /// `message.timestamp.after.max.ms`.
    pub timestamp_after_max: Duration,
    /// The time that timestamps are compared with.
    pub now: TimestampMs,
    /// How far compressed batches are looked into.
    pub strictness: Strictness,
}

/// How far compressed batches are looked into. Plain ones are always walked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strictness {
    /// Their header only.
    Header,
    /// Every record, decompressed to at most [`DECOMPRESSED_BYTES_MAX`].
    Full,
}

/// Why a batch is refused; a variant for each of Kafka's errors.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// CORRUPT_MESSAGE: the bytes are not those that the producer made. Clients send them again.
    #[error("{0}")]
    CorruptMessage(String),
    /// INVALID_RECORD: the producer made something that is not allowed.
    #[error("{message}")]
    InvalidRecord {
        /// What is wrong.
        message: String,
        /// The bad records, where it is about records (KIP-467).
        records: Vec<RecordError>,
    },
    /// INVALID_TIMESTAMP.
    #[error("{message}")]
    InvalidTimestamp {
        /// What is wrong.
        message: String,
        /// The bad records (KIP-467); empty when a compressed batch was judged by its header.
        records: Vec<RecordError>,
    },
    /// MESSAGE_TOO_LARGE.
    #[error("The record batch size is {size_bytes} bytes which exceeds the maximum configured value of {bytes_max}.")]
    MessageTooLarge {
        /// Of the whole batch.
        size_bytes: u32,
        /// What is allowed.
        bytes_max: u32,
    },
    /// MESSAGE_TOO_LARGE: what the broker made of it is too large.
    #[error("the recompressed batch has {size_bytes} bytes, which exceeds the maximum configured size of {bytes_max}")]
    RecompressedTooLarge {
        /// Of the whole batch, recompressed.
        size_bytes: u64,
        /// What is allowed.
        bytes_max: u32,
    },
    /// MESSAGE_TOO_LARGE: its records have more bytes than are looked at. Java's producer splits the batch then.
    #[error("{0}")]
    DecompressedTooLarge(String),
    /// UNSUPPORTED_COMPRESSION_TYPE.
    #[error("Unknown compression type id: {0}")]
    UnsupportedCompressionType(u8),
}

impl Invalid {
    /// The records to blame, for the answer to the producer.
    pub fn records(&self) -> &[RecordError] {
        match self {
            Invalid::InvalidRecord { records, .. } | Invalid::InvalidTimestamp { records, .. } => records,
            Invalid::CorruptMessage(_)
            | Invalid::MessageTooLarge { .. }
            | Invalid::RecompressedTooLarge { .. }
            | Invalid::DecompressedTooLarge(_)
            | Invalid::UnsupportedCompressionType(_) => &[],
        }
    }
}

/// A record that made the broker refuse its batch (KIP-467).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordError {
    /// The record's place in the batch, from 0.
    pub index: i32,
    /// What is wrong with it.
    pub message: String,
}

/// The least length of a record in Kafka's oldest format.
const RECORD_OVERHEAD_BYTES: i32 = 14;

/// How many bad records are named. Kafka names all; a batch of a million one-byte records would make us answer with
/// a hundred megabytes.
const RECORD_ERRORS_MAX: usize = 100;

/// Checks a batch that a client sent for one partition. Returns its header, with the max timestamp (and CRC) that the
/// stored batch must have.
///
/// # Errors
/// The first broken rule; all records whose timestamps are out of range, up to 100.
pub fn validate_produced(bytes: &[u8], rules: &Rules) -> Result<BatchInfo, Invalid> {
    let batch = check_batch(bytes, rules)?;
    let mut info = batch.info();
    let Some(max_timestamp) = check_records(&batch, rules)? else {
        return Ok(info);
    };
    if rules.timestamp_type == TimestampType::CreateTime && max_timestamp != info.max_timestamp {
        info.max_timestamp = max_timestamp;
        info.crc = crc_of(&info.to_header(), batch.payload());
    }
    Ok(info)
}

/// Everything but the records.
pub(super) fn check_batch<'a>(bytes: &'a [u8], rules: &Rules) -> Result<BatchView<'a>, Invalid> {
    let batch = only_batch(bytes)?;
    let info = batch.info();
    if info.base_offset != Offset::ZERO {
        let message = format!("The baseOffset of the record batch should be 0, but it is {}", info.base_offset);
        return Err(invalid(message));
    }
    if info.size_bytes > rules.message_bytes_max {
        let bytes_max = rules.message_bytes_max;
        return Err(Invalid::MessageTooLarge { size_bytes: info.size_bytes, bytes_max });
    }
    if !batch.verify_crc() {
        let crc = info.crc;
        return Err(Invalid::CorruptMessage(format!("Record is corrupt (stored crc = {crc})")));
    }
    check_header(&info)?;
    Ok(batch)
}

fn invalid(message: impl Into<String>) -> Invalid {
    Invalid::InvalidRecord { message: message.into(), records: Vec::new() }
}

/// A broken record under a right CRC is the producer's doing: not CORRUPT_MESSAGE, which would be sent again for ever.
pub(super) fn invalid_records(malformed: Malformed) -> Invalid {
    let message = malformed.to_string();
    if let Malformed::DecompressedTooLarge(_) = malformed {
        return Invalid::DecompressedTooLarge(message);
    }
    let records = match malformed {
        Malformed::Record { index, fault } => vec![RecordError { index, message: fault.into() }],
        _ => Vec::new(),
    };
    Invalid::InvalidRecord { message, records }
}

/// The one batch that a produce request may hold for a partition.
fn only_batch(bytes: &[u8]) -> Result<BatchView<'_>, Invalid> {
    check_frame(bytes)?;
    if let Some(&magic @ (0 | 1)) = bytes.get(16) {
        let message = "Produce requests are only allowed to contain record batches with magic version 2";
        return Err(invalid(format!("{message}, not {magic}")));
    }
    let batch = match BatchView::parse(bytes) {
        Ok(batch) => batch,
        Err(Malformed::HeaderTruncated(_) | Malformed::Truncated { .. }) => {
            return Err(invalid("Produce requests must have at least one record batch per partition"));
        }
        Err(malformed) => return Err(Invalid::CorruptMessage(malformed.to_string())),
    };
    match &bytes[batch.bytes().len()..] {
        [] => Ok(batch),
        _ => Err(invalid("Produce requests are only allowed to contain exactly one record batch per partition")),
    }
}

/// What Kafka says of bytes before it takes them for a batch (`ByteBufferLogInputStream.nextBatchSize`).
fn check_frame(bytes: &[u8]) -> Result<(), Invalid> {
    let field = |at: usize| bytes.get(at..).and_then(|rest| rest.first_chunk::<4>()).copied().map(i32::from_be_bytes);
    if let Some(length) = field(8).filter(|length| *length < RECORD_OVERHEAD_BYTES) {
        let message =
            format!("Record size {length} is less than the minimum record overhead ({RECORD_OVERHEAD_BYTES})");
        return Err(Invalid::CorruptMessage(message));
    }
    match bytes.get(16).map(|magic| *magic as i8) {
        None | Some(0..=2) => Ok(()),
        Some(magic) => Err(Invalid::CorruptMessage(format!("Invalid magic found in record: {magic}"))),
    }
}

/// `LogValidator.validateBatch`, and what only brokers may write.
fn check_header(info: &BatchInfo) -> Result<(), Invalid> {
    let (count, last) = (info.record_count, info.last_offset_delta);
    if last < 0 {
        return Err(invalid(format!("Batch has an invalid offset range: [0, {last}]")));
    }
    if count <= 0 {
        return Err(invalid(format!("Invalid reported count for record batch: {count}")));
    }
    if count - 1 != last {
        return Err(invalid(format!("Inconsistent batch offset range [0, {last}] and count of records {count}")));
    }
    if info.attributes.is_control() {
        return Err(invalid("Clients are not allowed to write control records"));
    }
    if info.attributes.has_delete_horizon() {
        return Err(invalid("Clients are not allowed to set a delete horizon"));
    }
    let (id, epoch, sequence) = (info.producer_id, info.producer_epoch, info.base_sequence);
    if info.is_idempotent() && sequence.0 < 0 {
        return Err(invalid(format!("Invalid sequence number {sequence} in record batch with producerId {id}")));
    }
    if info.is_idempotent() && epoch.0 < 0 {
        return Err(invalid(format!("Invalid epoch {epoch} in record batch with producerId {id}")));
    }
    if info.attributes.is_transactional() && !info.is_idempotent() {
        return Err(invalid("Transactional record batch without a producerId"));
    }
    if info.attributes.timestamp_type() == TimestampType::LogAppendTime {
        let message = "Invalid timestamp type: Producer should not set timestamp type to LogAppendTime.".into();
        return Err(Invalid::InvalidTimestamp { message, records: Vec::new() });
    }
    Ok(())
}

/// Walks the records, where the rules want it, and returns their largest timestamp.
fn check_records(batch: &BatchView<'_>, rules: &Rules) -> Result<Option<TimestampMs>, Invalid> {
    let info = batch.info();
    let codec = match info.attributes.compression() {
        Ok(codec) => codec,
        Err(_) => return Err(Invalid::UnsupportedCompressionType((info.attributes.0 & 0b111) as u8)),
    };
    let mut walk = Walk::new(&info, rules);
    check_payload(batch)?;
    match (codec, rules.strictness) {
        (Compression::None, _) => walk.plain(batch.payload())?,
        (_, Strictness::Full) => walk.compressed(batch)?,
        (_, Strictness::Header) => {
            return match walk.bounds.fault(info.max_timestamp) {
                None => Ok(None),
                Some(message) => Err(Invalid::InvalidTimestamp { message, records: Vec::new() }),
            };
        }
    }
    walk.finish().map(Some)
}

pub(super) fn check_payload(batch: &BatchView<'_>) -> Result<(), Invalid> {
    match batch.payload() {
        [] => Err(invalid("Incorrect declared batch size, premature EOF reached")),
        _ => Ok(()),
    }
}

/// The checks of one batch's records.
pub(super) struct Walk<'a> {
    info: &'a BatchInfo,
    bounds: TimestampBounds,
    max: TimestampMs,
    bad: Vec<RecordError>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(info: &'a BatchInfo, rules: &Rules) -> Walk<'a> {
        Walk { info, bounds: TimestampBounds::new(rules), max: TimestampMs::NONE, bad: Vec::new() }
    }

    pub(super) fn info(&self) -> &'a BatchInfo {
        self.info
    }

    pub(super) fn is_good(&self) -> bool {
        self.bad.is_empty()
    }

    /// The largest timestamp of the records that were walked.
    pub(super) fn finish(self) -> Result<TimestampMs, Invalid> {
        if self.bad.is_empty() {
            return Ok(self.max);
        }
        let message = "One or more records have been rejected due to invalid timestamp".into();
        Err(Invalid::InvalidTimestamp { message, records: self.bad })
    }

    fn plain(&mut self, payload: &[u8]) -> Result<(), Invalid> {
        let mut rest = payload;
        for index in 0..self.info.record_count {
            let (body, after) =
                split_record(rest).ok_or_else(|| invalid_records(Malformed::Record { index, fault: LENGTH }))?;
            let record =
                RecordView::parse(body).map_err(|fault| invalid_records(Malformed::Record { index, fault }))?;
            self.record(index, &record)?;
            rest = after;
        }
        if rest.is_empty() { Ok(()) } else { Err(invalid_records(Malformed::TrailingBytes(self.info.record_count))) }
    }

    fn compressed(&mut self, batch: &BatchView<'_>) -> Result<(), Invalid> {
        let mut records = batch.records(DECOMPRESSED_BYTES_MAX).map_err(invalid_records)?;
        let mut index = 0;
        while let Some(record) = records.next_record() {
            self.record(index, &record.map_err(invalid_records)?)?;
            index += 1;
        }
        Ok(())
    }

    #[inline]
    pub(super) fn record(&mut self, index: i32, record: &RecordView<'_>) -> Result<(), Invalid> {
        if record.offset_delta != index {
            let fault = "its offset delta is not its place in the batch";
            return Err(invalid_records(Malformed::Record { index, fault }));
        }
        let timestamp = record.timestamp(self.info);
        self.max = self.max.max(timestamp);
        if !self.bounds.hold(timestamp) && self.bad.len() < RECORD_ERRORS_MAX {
            let message = self.bounds.describe(&format!("{timestamp} of message with offset {index}"));
            self.bad.push(RecordError { index, message });
        }
        Ok(())
    }
}

/// How far from now a producer's time may lie. Without a limit when the broker sets the time.
#[derive(Clone, Copy)]
struct TimestampBounds {
    now: i64,
    limits: Option<(i64, i64)>,
}

impl TimestampBounds {
    fn new(rules: &Rules) -> TimestampBounds {
        let ms = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        let limits = match rules.timestamp_type {
            TimestampType::LogAppendTime => None,
            TimestampType::CreateTime => Some((ms(rules.timestamp_before_max), ms(rules.timestamp_after_max))),
        };
        TimestampBounds { now: rules.now.0, limits }
    }

    /// The difference wraps as Java's does: a time near either end of the range is out of every bound.
    #[inline]
    fn hold(&self, timestamp: TimestampMs) -> bool {
        let Some((before, after)) = self.limits else {
            return true;
        };
        let age = self.now.wrapping_sub(timestamp.0);
        timestamp == TimestampMs::NONE || (age <= before && age >= -after)
    }

    fn fault(&self, timestamp: TimestampMs) -> Option<String> {
        (!self.hold(timestamp)).then(|| self.describe(&timestamp.to_string()))
    }

    fn describe(&self, timestamp: &str) -> String {
        let (before, after) = self.limits.unwrap_or((i64::MAX, i64::MAX));
        let (from, to) = (self.now.saturating_sub(before), self.now.saturating_add(after));
        format!("Timestamp {timestamp} is out of range. The timestamp should be within [{from}, {to}]")
    }
}

#[cfg(test)]
mod tests;
