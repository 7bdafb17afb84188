//! Record batches, format v2 (`org.apache.kafka.common.record.DefaultRecordBatch`, KIP-98).
//!
//! | bytes | field | | bytes | field |
//! |---|---|---|---|---|
//! | 0–7 | base offset | | 27–34 | base timestamp |
//! | 8–11 | length of what follows | | 35–42 | max timestamp |
//! | 12–15 | partition leader epoch | | 43–50 | producer id |
//! | 16 | magic, 2 | | 51–52 | producer epoch |
//! | 17–20 | CRC-32C of all that follows | | 53–56 | base sequence |
//! | 21–22 | attributes | | 57–60 | record count |
//! | 23–26 | last offset delta | | 61– | records, compressed as one |
//!
//! Invariants:
//! * bytes stay bytes: only the 61 bytes of a header are ever made anew, but for a batch that a topic's `compression.type`
//!   wants otherwise ([`recompress`]);
//! * no input panics, overflows or makes us allocate more than the caller's cap, whatever its length fields claim;
//! * the headers of a record are a list: keys may repeat, and their order is kept.
//!
//! Called by the produce path (validate, stamp), by the log (views, recovery, look-ups) and by whatever writes
//! internal topics (build). No I/O, no clock.

mod batch;
mod builder;
mod compression;
mod encoder;
mod recompress;
mod records;
mod validate;
mod varint;

pub use batch::{Attributes, BatchInfo, BatchView, HEADER_BYTES, Malformed, corrected, stamp};
pub use builder::BatchBuilder;
pub use compression::{Compression, DECOMPRESSED_BYTES_MAX};
pub use recompress::{batch_codec, must_recompress, recompress};
pub use records::{Headers, RecordView, Records};
pub use validate::{Invalid, RecordError, Rules, Strictness, validate_produced};

#[cfg(test)]
mod tests;
