//! Recompression: the records of a produced batch, checked one by one and compressed anew (Kafka:
//! `LogValidator.buildRecordsAndAssignOffsets`).
//!
//! Invariants:
//! * one batch in, one batch out, with the records, the producer and its sequence, and of the attributes what has a meaning;
//! * records are read, checked and written as a stream: what is held is one record, a block of each codec, and the result up to
//!   `max.message.bytes`. Reading stops at [`DECOMPRESSED_BYTES_MAX`];
//! * the base timestamp becomes that of the first record, and a record's attributes 0, as in what Kafka writes.
//!
//! Where we differ from a real broker (Apache Kafka 4.3.0, asked with such batches), besides what
//! [`validate`](super::validate_produced) says: lz4 blocks that depend on each other, and negative timestamps other than −1, are
//! taken, where Kafka answers UNKNOWN_SERVER_ERROR; wrong offset deltas are INVALID_RECORD, where Kafka counts them anew.
//!
//! Called by the produce path for topics whose `compression.type` is not `producer`. Source: LogValidator,
//! `MemoryRecordsBuilder`, `BrokerCompressionType`.

use super::batch::crc_of;
use super::encoder::Encoder;
use super::records::{nullable_bytes, put_nullable};
use super::validate::{Walk, check_batch, check_payload, invalid_records};
use super::varint::{put_varint, put_varlong, varint_bytes, varlong_bytes};
use super::{
    Attributes, BatchInfo, Compression, DECOMPRESSED_BYTES_MAX, HEADER_BYTES, Invalid, RecordView, Records, Rules,
};
use crate::config::{TargetCompression, TimestampType};
use crate::types::TimestampMs;
use std::io::{self, Write};

/// Whether `batch` has another codec than `target`. What is no batch, or has no codec, is not recompressed but refused by the
/// checks.
pub fn must_recompress(batch: &[u8], target: TargetCompression) -> bool {
    batch_codec(batch).is_some_and(|codec| codec != Compression::from(target))
}

/// The codec of a batch, if it has one.
pub fn batch_codec(batch: &[u8]) -> Option<Compression> {
    BatchInfo::parse_header(batch).ok()?.attributes.compression().ok()
}

/// Checks a batch that a client sent, record by record whatever the rules' strictness, and compresses it anew. Returns the new
/// batch, whole, and its header.
///
/// # Errors
/// The first broken rule; all records whose timestamps are out of range, up to 100; a result above `max.message.bytes`.
pub fn recompress(bytes: &[u8], rules: &Rules, target: TargetCompression) -> Result<(Vec<u8>, BatchInfo), Invalid> {
    let batch = check_batch(bytes, rules)?;
    let info = batch.info();
    check_payload(&batch)?;
    let mut walk = Walk::new(&info, rules);
    let mut records = batch.records(DECOMPRESSED_BYTES_MAX).map_err(invalid_records)?;
    let mut rewriter = Rewriter::new(target, rules.message_bytes_max as usize).expect(IN_MEMORY);
    rewrite(&mut records, &mut walk, &mut rewriter)?;
    let max_timestamp = walk.finish()?;
    let (payload, base_timestamp) = rewriter.finish().expect(IN_MEMORY);
    let size_bytes = payload.written_bytes;
    if size_bytes > u64::from(rules.message_bytes_max) {
        return Err(Invalid::RecompressedTooLarge { size_bytes, bytes_max: rules.message_bytes_max });
    }
    let mut stored = BatchInfo {
        size_bytes: u32::try_from(size_bytes).expect("it is at most max.message.bytes"),
        attributes: Attributes((info.attributes.0 & Attributes::TRANSACTIONAL) | Compression::from(target).id()),
        base_timestamp,
        ..info
    };
    if rules.timestamp_type == TimestampType::CreateTime {
        stored.max_timestamp = max_timestamp;
    }
    let mut batch = payload.kept;
    stored.crc = crc_of(&stored.to_header(), &batch[HEADER_BYTES..]);
    batch[..HEADER_BYTES].copy_from_slice(&stored.to_header());
    Ok((batch, stored))
}

const IN_MEMORY: &str = "compressing into memory does not fail";

/// Reads, checks and writes every record. Behind a bad one they are only checked, so that all bad ones are named.
fn rewrite(records: &mut Records<'_>, walk: &mut Walk<'_>, rewriter: &mut Rewriter) -> Result<(), Invalid> {
    let mut index = 0;
    while let Some(record) = records.next_record() {
        let record = record.map_err(invalid_records)?;
        walk.record(index, &record)?;
        if walk.is_good() {
            rewriter.append(walk.info(), &record).expect(IN_MEMORY);
        }
        index += 1;
    }
    Ok(())
}

/// Writes records into a batch to be.
struct Rewriter {
    encoder: Encoder<Bounded>,
    /// Records on their way to the encoder, which likes more than one at a time.
    plain: Vec<u8>,
    base_timestamp: Option<TimestampMs>,
}

impl Rewriter {
    const CHUNK_BYTES: usize = 16 << 10;

    fn new(target: TargetCompression, bytes_max: usize) -> io::Result<Rewriter> {
        let mut out = Bounded { kept: Vec::new(), bytes_max, written_bytes: 0 };
        out.write_all(&[0; HEADER_BYTES])?;
        Ok(Rewriter { encoder: Encoder::new(target, out)?, plain: Vec::new(), base_timestamp: None })
    }

    fn append(&mut self, batch: &BatchInfo, record: &RecordView<'_>) -> io::Result<()> {
        let timestamp = record.timestamp(batch);
        let base_timestamp = self.base_timestamp.get_or_insert(timestamp);
        put_record(&mut self.plain, timestamp.0.wrapping_sub(base_timestamp.0), record);
        if self.plain.len() >= Self::CHUNK_BYTES {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.encoder.write(&self.plain)?;
        self.plain.clear();
        Ok(())
    }

    fn finish(mut self) -> io::Result<(Bounded, TimestampMs)> {
        self.flush()?;
        Ok((self.encoder.finish()?, self.base_timestamp.unwrap_or(TimestampMs::NONE)))
    }
}

fn put_record(out: &mut Vec<u8>, timestamp_delta: i64, record: &RecordView<'_>) {
    let headers = record.headers.bytes();
    let count = i32::try_from(record.headers.len()).expect("it was read from 32 bits");
    let body_bytes = 1
        + varlong_bytes(timestamp_delta)
        + varint_bytes(record.offset_delta)
        + nullable_bytes(record.key)
        + nullable_bytes(record.value)
        + varint_bytes(count)
        + headers.len();
    put_varint(out, body_bytes as i32);
    out.push(0); // attributes, which mean nothing yet
    put_varlong(out, timestamp_delta);
    put_varint(out, record.offset_delta);
    put_nullable(out, record.key);
    put_nullable(out, record.value);
    put_varint(out, count);
    out.extend_from_slice(headers);
}

/// Keeps what is written up to a bound and counts the rest, so that the size can be told.
struct Bounded {
    kept: Vec<u8>,
    bytes_max: usize,
    written_bytes: u64,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = self.bytes_max.max(HEADER_BYTES) - self.kept.len();
        self.kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
        self.written_bytes += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
