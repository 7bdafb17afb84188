//! The header of a batch: parsing it, checking the CRC, and making it anew for the log.
//!
//! Invariants: a [`BatchView`] covers exactly one batch, header and payload; a [`BatchInfo`] may be parsed from the
//! header alone, so its numbers are claims until the CRC of the whole has been checked.

use super::{Compression, Records};
use crate::config::TimestampType;
use crate::types::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, TimestampMs};
use std::borrow::Cow;
use std::ops::Range;

/// The size of a batch's header.
pub const HEADER_BYTES: usize = 61;

/// The base offset and the length, which the length does not count.
const BEFORE_LENGTH_BYTES: usize = 12;
const BASE_OFFSET: Range<usize> = 0..8;
const LENGTH: Range<usize> = 8..12;
const LEADER_EPOCH: Range<usize> = 12..16;
const MAGIC: usize = 16;
const CRC: Range<usize> = 17..21;
const CRC_COVERS: usize = 21;
const ATTRIBUTES: Range<usize> = 21..23;
const MAX_TIMESTAMP: Range<usize> = 35..43;

/// Bytes that are not what they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Fewer bytes than a header has.
    #[error("{0} bytes are too few for the header of a record batch")]
    HeaderTruncated(usize),
    /// A length field that no batch can have.
    #[error("record batch length {0} is less than that of an empty batch")]
    Length(i32),
    /// The batch is longer than what is there.
    #[error("the record batch has {size_bytes} bytes, of which {present_bytes} are there")]
    Truncated {
        /// What the length field claims, for the whole batch.
        size_bytes: u64,
        /// What is there.
        present_bytes: u64,
    },
    /// A format other than v2.
    #[error("magic {0} is not that of record batch format v2")]
    Magic(i8),
    /// A compression codec that does not exist.
    #[error("unknown compression type id {0}")]
    Codec(u8),
    /// A negative number of records.
    #[error("record batch claims {0} records")]
    Count(i32),
    /// A record that breaks the format.
    #[error("record {index}: {fault}")]
    Record {
        /// The record's place in the batch, from 0.
        index: i32,
        /// What is wrong with it.
        fault: &'static str,
    },
    /// Bytes after the last record.
    #[error("bytes remain after the last of {0} records")]
    TrailingBytes(i32),
    /// What the codec could not read.
    #[error("record batch does not decompress as {0:?}")]
    Compressed(Compression),
    /// Decompression was stopped.
    #[error("record batch decompresses to more than {0} bytes")]
    DecompressedTooLarge(usize),
}

/// The attributes of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attributes(pub i16);

impl Attributes {
    pub(super) const LOG_APPEND_TIME: i16 = 1 << 3;
    pub(super) const TRANSACTIONAL: i16 = 1 << 4;
    pub(super) const CONTROL: i16 = 1 << 5;
    pub(super) const DELETE_HORIZON: i16 = 1 << 6;

    /// How the records are compressed.
    ///
    /// # Errors
    /// [`Malformed::Codec`] for the numbers 5 to 7, which name nothing.
    pub fn compression(self) -> Result<Compression, Malformed> {
        let id = (self.0 & 0b111) as u8;
        Compression::from_id(id).ok_or(Malformed::Codec(id))
    }

    /// Whose time the batch bears.
    pub fn timestamp_type(self) -> TimestampType {
        if self.0 & Self::LOG_APPEND_TIME != 0 { TimestampType::LogAppendTime } else { TimestampType::CreateTime }
    }

    /// Part of a transaction.
    pub fn is_transactional(self) -> bool {
        self.0 & Self::TRANSACTIONAL != 0
    }

    /// Holds a transaction's end marker; written by brokers only.
    pub fn is_control(self) -> bool {
        self.0 & Self::CONTROL != 0
    }

    /// The base timestamp is the time from which tombstones may go (KIP-534); written by the cleaner only.
    pub fn has_delete_horizon(self) -> bool {
        self.0 & Self::DELETE_HORIZON != 0
    }
}

/// What a batch's header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchInfo {
    /// The offset of the first record that the batch was made with.
    pub base_offset: Offset,
    /// The size of the whole batch, including the 12 bytes that its length field does not count.
    pub size_bytes: u32,
    /// The epoch of the leader that appended it.
    pub leader_epoch: LeaderEpoch,
    /// CRC-32C from the attributes to the end.
    pub crc: u32,
    /// Codec, kind of timestamp, transactional, control.
    pub attributes: Attributes,
    /// The offset of the last record, from the base offset; stays when compaction removes records.
    pub last_offset_delta: i32,
    /// What the records' timestamp deltas count from.
    pub base_timestamp: TimestampMs,
    /// The largest timestamp of a record; the time of the append with `LogAppendTime`.
    pub max_timestamp: TimestampMs,
    /// The idempotent producer, or none.
    pub producer_id: ProducerId,
    /// Its epoch.
    pub producer_epoch: ProducerEpoch,
    /// The sequence of the first record.
    pub base_sequence: Sequence,
    /// How many records the batch holds.
    pub record_count: i32,
}

impl BatchInfo {
    /// Reads a header. The body need not be there.
    ///
    /// # Errors
    /// Fewer than 61 bytes, a length less than an empty batch's, a magic other than 2.
    pub fn parse_header(bytes: &[u8]) -> Result<BatchInfo, Malformed> {
        let header: &[u8; HEADER_BYTES] = bytes.first_chunk().ok_or(Malformed::HeaderTruncated(bytes.len()))?;
        let length = i32::from_be_bytes(field(header, LENGTH.start));
        let magic = i8::from_be_bytes(field(header, MAGIC));
        if length < (HEADER_BYTES - BEFORE_LENGTH_BYTES) as i32 {
            return Err(Malformed::Length(length));
        }
        if magic != 2 {
            return Err(Malformed::Magic(magic));
        }
        Ok(BatchInfo {
            base_offset: Offset(i64::from_be_bytes(field(header, BASE_OFFSET.start))),
            size_bytes: length as u32 + BEFORE_LENGTH_BYTES as u32,
            leader_epoch: LeaderEpoch(i32::from_be_bytes(field(header, LEADER_EPOCH.start))),
            crc: u32::from_be_bytes(field(header, CRC.start)),
            attributes: Attributes(i16::from_be_bytes(field(header, ATTRIBUTES.start))),
            last_offset_delta: i32::from_be_bytes(field(header, 23)),
            base_timestamp: TimestampMs(i64::from_be_bytes(field(header, 27))),
            max_timestamp: TimestampMs(i64::from_be_bytes(field(header, MAX_TIMESTAMP.start))),
            producer_id: ProducerId(i64::from_be_bytes(field(header, 43))),
            producer_epoch: ProducerEpoch(i16::from_be_bytes(field(header, 51))),
            base_sequence: Sequence(i32::from_be_bytes(field(header, 53))),
            record_count: i32::from_be_bytes(field(header, 57)),
        })
    }

    /// The header's bytes.
    pub(super) fn to_header(self) -> [u8; HEADER_BYTES] {
        let mut header = [0; HEADER_BYTES];
        let mut put = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
        put(BASE_OFFSET.start, &self.base_offset.0.to_be_bytes());
        put(LENGTH.start, &(self.size_bytes - BEFORE_LENGTH_BYTES as u32).to_be_bytes());
        put(LEADER_EPOCH.start, &self.leader_epoch.0.to_be_bytes());
        put(MAGIC, &[2]);
        put(CRC.start, &self.crc.to_be_bytes());
        put(ATTRIBUTES.start, &self.attributes.0.to_be_bytes());
        put(23, &self.last_offset_delta.to_be_bytes());
        put(27, &self.base_timestamp.0.to_be_bytes());
        put(MAX_TIMESTAMP.start, &self.max_timestamp.0.to_be_bytes());
        put(43, &self.producer_id.0.to_be_bytes());
        put(51, &self.producer_epoch.0.to_be_bytes());
        put(53, &self.base_sequence.0.to_be_bytes());
        put(57, &self.record_count.to_be_bytes());
        header
    }

    /// The offset of the last record that the batch was made with. Saturates where a header claims the impossible.
    pub fn last_offset(&self) -> Offset {
        Offset(self.base_offset.0.saturating_add(self.last_offset_delta.into()))
    }

    /// The offset after the batch.
    pub fn next_offset(&self) -> Offset {
        Offset(self.last_offset().0.saturating_add(1))
    }

    /// The sequence of the last record; none when there is no base sequence.
    pub fn last_sequence(&self) -> Sequence {
        if self.base_sequence.0 < 0 {
            return Sequence::NONE;
        }
        self.base_sequence.plus(self.last_offset_delta.max(0))
    }

    /// Sent by an idempotent or transactional producer.
    pub fn is_idempotent(&self) -> bool {
        self.producer_id > ProducerId::NONE
    }
}

fn field<const N: usize>(header: &[u8; HEADER_BYTES], at: usize) -> [u8; N] {
    header[at..at + N].try_into().expect("every field lies within the header")
}

/// One whole batch in memory.
#[derive(Clone, Copy, Debug)]
pub struct BatchView<'a> {
    bytes: &'a [u8],
    info: BatchInfo,
}

impl<'a> BatchView<'a> {
    /// The first batch in `bytes`; more may follow it. Its CRC is not checked.
    ///
    /// # Errors
    /// What [`BatchInfo::parse_header`] refuses, and a batch that is not wholly there.
    pub fn parse(bytes: &'a [u8]) -> Result<BatchView<'a>, Malformed> {
        let info = BatchInfo::parse_header(bytes)?;
        match bytes.get(..info.size_bytes as usize) {
            Some(bytes) => Ok(BatchView { bytes, info }),
            None => {
                let present_bytes = bytes.len() as u64;
                Err(Malformed::Truncated { size_bytes: info.size_bytes.into(), present_bytes })
            }
        }
    }

    /// What the header says.
    pub fn info(&self) -> BatchInfo {
        self.info
    }

    /// Whether the bytes are those that the CRC was made of.
    pub fn verify_crc(&self) -> bool {
        crc32c::crc32c(&self.bytes[CRC_COVERS..]) == self.info.crc
    }

    /// The whole batch.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The records as they are stored, compressed or not.
    pub fn payload(&self) -> &'a [u8] {
        &self.bytes[HEADER_BYTES..]
    }

    /// The records one by one. Decompression is streamed: only what the current record needs is held, and it stops
    /// with an error after `decompressed_bytes_max`.
    ///
    /// # Errors
    /// An unknown codec, a negative count, a payload that the codec refuses at once.
    pub fn records(&self, decompressed_bytes_max: usize) -> Result<Records<'a>, Malformed> {
        Records::open(self.payload(), &self.info, decompressed_bytes_max)
    }
}

/// The header of `batch`, one whole batch, as the log stores it: base offset and leader epoch set, which lie outside
/// the CRC. With an `append_time` also the `LogAppendTime` bit and the max timestamp, and the CRC anew
/// (`DefaultRecordBatch.setMaxTimestamp`).
///
/// # Panics
/// When `batch` is not a whole batch: it comes from [`validate_produced`](super::validate_produced) or a [`BatchView`].
pub fn stamp(
    batch: &[u8],
    base_offset: Offset,
    leader_epoch: LeaderEpoch,
    append_time: Option<TimestampMs>,
) -> [u8; HEADER_BYTES] {
    let mut header: [u8; HEADER_BYTES] = *batch.first_chunk().expect("a whole batch begins with its header");
    header[BASE_OFFSET].copy_from_slice(&base_offset.0.to_be_bytes());
    header[LEADER_EPOCH].copy_from_slice(&leader_epoch.0.to_be_bytes());
    if let Some(time) = append_time {
        let attributes = i16::from_be_bytes(field(&header, ATTRIBUTES.start)) | Attributes::LOG_APPEND_TIME;
        header[ATTRIBUTES].copy_from_slice(&attributes.to_be_bytes());
        header[MAX_TIMESTAMP].copy_from_slice(&time.0.to_be_bytes());
        let size = BEFORE_LENGTH_BYTES + u32::from_be_bytes(field(&header, LENGTH.start)) as usize;
        let crc = crc_of(&header, &batch[HEADER_BYTES..size]);
        header[CRC].copy_from_slice(&crc.to_be_bytes());
    }
    header
}

/// The batch that `info`, the result of [`validate_produced`](super::validate_produced), describes: `bytes` as they
/// are, or, where the producer's max timestamp was not that of its records, a copy with the right one.
pub fn corrected<'a>(bytes: &'a [u8], info: &BatchInfo) -> Cow<'a, [u8]> {
    if bytes[MAX_TIMESTAMP] == info.max_timestamp.0.to_be_bytes() {
        return Cow::Borrowed(bytes);
    }
    let mut copy = bytes.to_vec();
    copy[MAX_TIMESTAMP].copy_from_slice(&info.max_timestamp.0.to_be_bytes());
    copy[CRC].copy_from_slice(&info.crc.to_be_bytes());
    Cow::Owned(copy)
}

/// The CRC of a batch that has this header and this payload.
pub(super) fn crc_of(header: &[u8; HEADER_BYTES], payload: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&header[CRC_COVERS..]), payload)
}
