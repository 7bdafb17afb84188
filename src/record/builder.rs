//! Builds batches: for internal topics, markers and tests.
//!
//! Invariants: what is built passes [`validate_produced`](super::validate_produced) when it is neither control nor
//! at a base offset other than 0; records are numbered from 0 without gaps.

use super::batch::crc_of;
use super::records::put_nullable;
use super::varint::{put_varint, put_varlong};
use super::{Attributes, BatchInfo, Compression, HEADER_BYTES};
use crate::types::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, TimestampMs};
use bytes::Bytes;

/// Collects records into one batch.
#[derive(Clone, Debug)]
pub struct BatchBuilder {
    info: BatchInfo,
    compression: Compression,
    records: Vec<u8>,
    body: Vec<u8>,
}

impl BatchBuilder {
    /// An empty batch: uncompressed, of no producer, with the records' own timestamps.
    pub fn new(base_offset: Offset) -> BatchBuilder {
        BatchBuilder {
            info: BatchInfo {
                base_offset,
                size_bytes: HEADER_BYTES as u32,
                leader_epoch: LeaderEpoch::NONE,
                crc: 0,
                attributes: Attributes(0),
                last_offset_delta: -1,
                base_timestamp: TimestampMs::NONE,
                max_timestamp: TimestampMs::NONE,
                producer_id: ProducerId::NONE,
                producer_epoch: ProducerEpoch::NONE,
                base_sequence: Sequence::NONE,
                record_count: 0,
            },
            compression: Compression::None,
            records: Vec::new(),
            body: Vec::new(),
        }
    }

    /// Compresses the records.
    #[must_use]
    pub fn compression(mut self, compression: Compression) -> Self {
        self.compression = compression;
        self.info.attributes.0 = (self.info.attributes.0 & !0b111) | compression.id();
        self
    }

    /// Names the idempotent producer and the sequence of the first record.
    #[must_use]
    pub fn producer(mut self, id: ProducerId, epoch: ProducerEpoch, sequence: Sequence) -> Self {
        self.info.producer_id = id;
        self.info.producer_epoch = epoch;
        self.info.base_sequence = sequence;
        self
    }

    /// Sets the epoch of the leader that appends the batch.
    #[must_use]
    pub fn leader_epoch(mut self, epoch: LeaderEpoch) -> Self {
        self.info.leader_epoch = epoch;
        self
    }

    /// Makes the batch part of a transaction.
    #[must_use]
    pub fn transactional(mut self) -> Self {
        self.info.attributes.0 |= Attributes::TRANSACTIONAL;
        self
    }

    /// Makes the batch a control batch.
    #[must_use]
    pub fn control(mut self) -> Self {
        self.info.attributes.0 |= Attributes::CONTROL;
        self
    }

    /// Adds a record.
    pub fn append(
        &mut self,
        timestamp: TimestampMs,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[(&str, Option<&[u8]>)],
    ) -> &mut Self {
        if self.info.record_count == 0 {
            self.info.base_timestamp = timestamp;
        }
        self.info.max_timestamp = self.info.max_timestamp.max(timestamp);
        self.info.last_offset_delta += 1;
        self.info.record_count += 1;

        self.body.clear();
        self.body.push(0); // attributes
        put_varlong(&mut self.body, timestamp.0.wrapping_sub(self.info.base_timestamp.0));
        put_varint(&mut self.body, self.info.last_offset_delta);
        put_nullable(&mut self.body, key);
        put_nullable(&mut self.body, value);
        put_varint(&mut self.body, headers.len() as i32);
        for (key, value) in headers {
            put_nullable(&mut self.body, Some(key.as_bytes()));
            put_nullable(&mut self.body, *value);
        }
        put_varint(&mut self.records, self.body.len() as i32);
        self.records.extend_from_slice(&self.body);
        self
    }

    /// How many bytes the records have, before compression.
    pub fn records_bytes(&self) -> usize {
        self.records.len()
    }

    /// The batch, with its CRC.
    ///
    /// # Panics
    /// When it holds no record, or more than 2 GiB: no batch is either.
    pub fn build(&self) -> Bytes {
        assert!(self.info.record_count > 0, "a batch holds at least one record");
        let payload = self.compression.compress(&self.records);
        let size = HEADER_BYTES + payload.len();
        assert!(size <= i32::MAX as usize, "a batch is smaller than 2 GiB");
        let mut info = BatchInfo { size_bytes: size as u32, ..self.info };
        info.crc = crc_of(&info.to_header(), &payload);
        let mut batch = Vec::with_capacity(size);
        batch.extend_from_slice(&info.to_header());
        batch.extend_from_slice(&payload);
        batch.into()
    }
}
