//! The two requests that are measured, built once and patched for each use: Produce 8 and Fetch 11, the last versions whose
//! fields stand at fixed places, which every broker since Kafka 2.4 has.

use crate::Result;
use bytes::BufMut;
use klamm::record::{BatchBuilder, Compression};
use klamm::types::{Offset, TimestampMs};
use std::ops::Range;
use std::time::{SystemTime, UNIX_EPOCH};

pub const CLIENT_ID: &str = "klamm-bench";
const PRODUCE: (i16, i16) = (0, 8);
const FETCH: (i16, i16) = (1, 11);
const CORRELATION_AT: usize = 8;
/// Where things stand in a batch (`DefaultRecordBatch`).
const BATCH_LENGTH_AT: usize = 8;
const CRC_AT: usize = 17;
const ATTRIBUTES_AT: usize = 21;
const LAST_OFFSET_DELTA_AT: usize = 23;
const PRODUCER_AT: usize = 43;
const SEQUENCE_AT: usize = 53;
const RECORDS_COUNT_AT: usize = 57;
const BATCH_HEADER_BYTES: usize = 61;

/// What a batch holds.
#[derive(Clone, Copy, Debug)]
pub struct Content {
    pub records: usize,
    pub record_bytes: usize,
    pub compression: Compression,
}

impl Content {
    pub const fn plain(records: usize, record_bytes: usize) -> Content {
        Content { records, record_bytes, compression: Compression::None }
    }

    /// Records of words, which a codec makes to about a third.
    fn batch(&self) -> Vec<u8> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").as_millis() as i64;
        let mut builder = BatchBuilder::new(Offset(0)).compression(self.compression);
        let mut random = 0x9e37_79b9_7f4a_7c15_u64;
        for _ in 0..self.records {
            let value: Vec<u8> = (0..self.record_bytes)
                .map(|_| {
                    random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    b"etaoin shrdlu cmfwyp"[(random >> 59) as usize % 20]
                })
                .collect();
            builder.append(TimestampMs(now), None, Some(&value), &[]);
        }
        builder.build().to_vec()
    }
}

/// Whose batches they are, where they are idempotent.
#[derive(Clone, Copy, Debug)]
pub struct Producer {
    pub id: i64,
    pub next_sequence: i32,
}

/// A Produce frame with one batch for one partition.
#[derive(Clone, Debug)]
pub struct ProduceFrame {
    bytes: Vec<u8>,
    partition_at: usize,
    batch_at: usize,
    pub records: usize,
    pub batch_bytes: usize,
}

impl ProduceFrame {
    pub fn new(topic: &str, content: Content) -> ProduceFrame {
        let batch = content.batch();
        let mut bytes = header(PRODUCE);
        bytes.put_i16(-1); // no transactional id
        bytes.put_i16(-1); // acks=all
        bytes.put_i32(30_000);
        bytes.put_i32(1);
        put_string(&mut bytes, topic);
        bytes.put_i32(1);
        let partition_at = bytes.len();
        bytes.put_i32(0);
        bytes.put_i32(batch.len() as i32);
        let batch_at = bytes.len();
        bytes.extend_from_slice(&batch);
        put_length(&mut bytes);
        ProduceFrame { bytes, partition_at, batch_at, records: content.records, batch_bytes: batch.len() }
    }

    /// The frame for this request. An idempotent batch gets its sequence, and its checksum anew.
    pub fn patch(&mut self, correlation_id: i32, partition: i32, producer: Option<&mut Producer>) -> &[u8] {
        self.bytes[CORRELATION_AT..][..4].copy_from_slice(&correlation_id.to_be_bytes());
        self.bytes[self.partition_at..][..4].copy_from_slice(&partition.to_be_bytes());
        if let Some(producer) = producer {
            let batch = &mut self.bytes[self.batch_at..];
            batch[PRODUCER_AT..][..8].copy_from_slice(&producer.id.to_be_bytes());
            batch[PRODUCER_AT + 8..][..2].copy_from_slice(&0_i16.to_be_bytes());
            batch[SEQUENCE_AT..][..4].copy_from_slice(&producer.next_sequence.to_be_bytes());
            let crc = crc32c::crc32c(&batch[ATTRIBUTES_AT..]);
            batch[CRC_AT..][..4].copy_from_slice(&crc.to_be_bytes());
            producer.next_sequence = producer.next_sequence.wrapping_add(self.records as i32) & i32::MAX;
        }
        &self.bytes
    }
}

/// What a Produce was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProduceAnswer {
    pub correlation_id: i32,
    pub partition: i32,
    pub base_offset: i64,
}

/// Reads the answer to a [`ProduceFrame`].
///
/// # Errors
/// An error code, or what is no such answer.
pub fn produce_answer(frame: &[u8]) -> Result<ProduceAnswer> {
    let mut fields = Fields { rest: frame };
    let correlation_id = fields.i32()?;
    fields.expect_one()?;
    fields.string()?;
    fields.expect_one()?;
    let partition = fields.i32()?;
    let code = fields.i16()?;
    let base_offset = fields.i64()?;
    match code {
        0 => Ok(ProduceAnswer { correlation_id, partition, base_offset }),
        _ => Err(format!("Produce was answered with error {code}").into()),
    }
}

/// A Fetch frame over some partitions, and where each one's offset stands in it.
#[derive(Clone, Debug)]
pub struct FetchFrame {
    pub bytes: Vec<u8>,
    pub offsets_at: Vec<usize>,
}

/// How a Fetch waits and how much it takes.
#[derive(Clone, Copy, Debug)]
pub struct FetchLimits {
    pub wait_ms: i32,
    pub bytes_min: i32,
    pub bytes_max: i32,
    pub partition_bytes_max: i32,
}

/// The place of a Fetch in its session (KIP-227); id 0 and epoch −1: none.
#[derive(Clone, Copy, Debug)]
pub struct Session {
    pub id: i32,
    pub epoch: i32,
}

impl Session {
    pub const NONE: Session = Session { id: 0, epoch: -1 };
}

impl FetchFrame {
    /// Fetches these partitions from these offsets.
    pub fn new(topic: &str, partitions: &[(i32, i64)], limits: FetchLimits, session: Session) -> FetchFrame {
        let mut bytes = header(FETCH);
        bytes.put_i32(-1);
        bytes.put_i32(limits.wait_ms);
        bytes.put_i32(limits.bytes_min);
        bytes.put_i32(limits.bytes_max);
        bytes.put_i8(0);
        bytes.put_i32(session.id);
        bytes.put_i32(session.epoch);
        bytes.put_i32(i32::from(!partitions.is_empty()));
        let mut offsets_at = Vec::new();
        if !partitions.is_empty() {
            put_string(&mut bytes, topic);
            bytes.put_i32(partitions.len() as i32);
            for (partition, offset) in partitions {
                bytes.put_i32(*partition);
                bytes.put_i32(-1);
                offsets_at.push(bytes.len());
                bytes.put_i64(*offset);
                bytes.put_i64(-1);
                bytes.put_i32(limits.partition_bytes_max);
            }
        }
        bytes.put_i32(0);
        put_string(&mut bytes, "");
        put_length(&mut bytes);
        FetchFrame { bytes, offsets_at }
    }

    /// Asks from `offset` on in the partition that stands at `index`.
    pub fn set_offset(&mut self, index: usize, offset: i64) {
        self.bytes[self.offsets_at[index]..][..8].copy_from_slice(&offset.to_be_bytes());
    }
}

/// One partition of a Fetch's answer.
#[derive(Clone, Debug)]
pub struct FetchedPartition {
    pub partition: i32,
    /// Where its records stand in the answer.
    pub records: Range<usize>,
}

/// Reads the answer to a [`FetchFrame`]: the session's id, and each partition in turn to `visit`.
///
/// # Errors
/// An error code, what is no such answer, or what `visit` says.
pub fn fetch_answer(frame: &[u8], mut visit: impl FnMut(&FetchedPartition) -> Result<()>) -> Result<i32> {
    let mut fields = Fields { rest: frame };
    fields.i32()?;
    fields.i32()?;
    let code = fields.i16()?;
    if code != 0 {
        return Err(format!("Fetch was answered with error {code}").into());
    }
    let session = fields.i32()?;
    for _ in 0..fields.i32()? {
        fields.string()?;
        for _ in 0..fields.i32()? {
            let partition = fields.i32()?;
            let code = fields.i16()?;
            if code != 0 {
                return Err(format!("Fetch was answered with error {code} of partition {partition}").into());
            }
            fields.take(24)?;
            let aborted = fields.i32()?.max(0) as usize;
            fields.take(aborted * 16 + 4)?;
            let length = fields.i32()?.max(0) as usize;
            let from = frame.len() - fields.rest.len();
            fields.take(length)?;
            visit(&FetchedPartition { partition, records: from..from + length })?;
        }
    }
    Ok(session)
}

/// Walks whole batches, whose offsets must begin at `next_offset` or hold it and have no gap, and whose checksums must be
/// right; a batch that is cut at the end is left. Returns the offset behind them, and their bytes.
pub fn verify_batches(records: &[u8], next_offset: i64) -> Result<(i64, usize)> {
    let mut at = 0;
    let mut next = next_offset;
    while let Some(rest) = records.get(at..).filter(|rest| rest.len() >= BATCH_HEADER_BYTES) {
        let base = i64::from_be_bytes(rest[..8].try_into()?);
        let length = i32::from_be_bytes(rest[BATCH_LENGTH_AT..][..4].try_into()?);
        let size = usize::try_from(length)? + 12;
        let Some(batch) = rest.get(..size) else { break };
        let last = base + i64::from(i32::from_be_bytes(batch[LAST_OFFSET_DELTA_AT..][..4].try_into()?));
        let is_first = at == 0 && base <= next && next <= last;
        if base != next && !is_first {
            return Err(format!("offset {base} was served where {next} is next").into());
        }
        let crc = u32::from_be_bytes(batch[CRC_AT..][..4].try_into()?);
        if crc32c::crc32c(&batch[ATTRIBUTES_AT..]) != crc {
            return Err(format!("the batch at offset {base} has a wrong checksum").into());
        }
        let count = i32::from_be_bytes(batch[RECORDS_COUNT_AT..][..4].try_into()?);
        if i64::from(count) != last - base + 1 {
            return Err(format!("the batch at offset {base} does not have the records that were sent").into());
        }
        next = last + 1;
        at += size;
    }
    Ok((next, at))
}

fn header((key, version): (i16, i16)) -> Vec<u8> {
    let mut bytes = vec![0; 4];
    bytes.put_i16(key);
    bytes.put_i16(version);
    bytes.put_i32(0);
    put_string(&mut bytes, CLIENT_ID);
    bytes
}

fn put_string(bytes: &mut Vec<u8>, text: &str) {
    bytes.put_i16(text.len() as i16);
    bytes.extend_from_slice(text.as_bytes());
}

fn put_length(bytes: &mut [u8]) {
    let length = (bytes.len() - 4) as u32;
    bytes[..4].copy_from_slice(&length.to_be_bytes());
}

struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    fn take(&mut self, bytes: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(bytes).ok_or("an answer is shorter than it says")?;
        self.rest = rest;
        Ok(taken)
    }

    fn i16(&mut self) -> Result<i16> {
        Ok(i16::from_be_bytes(self.take(2)?.try_into()?))
    }

    fn i32(&mut self) -> Result<i32> {
        Ok(i32::from_be_bytes(self.take(4)?.try_into()?))
    }

    fn i64(&mut self) -> Result<i64> {
        Ok(i64::from_be_bytes(self.take(8)?.try_into()?))
    }

    fn string(&mut self) -> Result<()> {
        let length = usize::try_from(self.i16()?)?;
        self.take(length).map(drop)
    }

    fn expect_one(&mut self) -> Result<()> {
        match self.i32()? {
            1 => Ok(()),
            count => Err(format!("one was sent, and {count} are answered").into()),
        }
    }
}
