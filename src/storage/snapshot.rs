//! The `.snapshot` files: the producers' state below an offset, in Kafka's format, version 1.
//!
//! | bytes | what |
//! |---|---|
//! | 0–1 | version, 1 |
//! | 2–5 | CRC-32C of all that follows |
//! | 6–9 | number of entries |
//! | 10– | entries of 46 bytes: producer id 8, epoch 2, last sequence 4, last offset 8, offset delta 4, timestamp 8, coordinator epoch 4, start of the open transaction 8 (−1: none) |
//!
//! Only the last batch of a producer is kept, as in Kafka: its earlier ones are known again only by replay.
//! Source: Kafka's `ProducerStateManager.writeSnapshot`.

use crate::runtime::Disk;
use crate::storage::producers::{Entry, Producers, StoredBatch};
use crate::storage::segment::is_possible;
use crate::storage::{Error, checkpoint};
use crate::types::{Offset, ProducerEpoch, ProducerId, Sequence, TimestampMs};
use std::path::Path;

const VERSION: i16 = 1;
const HEADER_BYTES: usize = 10;
const ENTRY_BYTES: usize = 46;

/// Writes the state. Not synced: appends wait for it, and the CRC finds a file that a crash cut.
pub(super) fn write(disk: &Disk, path: &Path, producers: &Producers) -> Result<(), Error> {
    disk.write_file(path, &encode(producers)).map_err(Error::io("write", path)).map(drop)
}

/// Reads a state.
///
/// # Errors
/// A newer version, a wrong CRC, a wrong size: the caller takes an older snapshot.
pub(super) fn read(path: &Path) -> Result<Producers, Error> {
    let bytes = checkpoint::read_file(path).map_err(Error::io("read", path))?;
    let corrupt = |what: &str| Error::Corrupt { path: path.to_owned(), what: what.into() };
    let mut fields = Fields(&bytes);
    let version = fields.take().map(i16::from_be_bytes).ok_or_else(|| corrupt("no version"))?;
    if version != VERSION {
        return Err(Error::NewerFormat { path: path.to_owned(), found: version.into(), known: VERSION.into() });
    }
    let crc = fields.take().map(u32::from_be_bytes).ok_or_else(|| corrupt("no checksum"))?;
    if crc != crc32c::crc32c(fields.0) {
        return Err(corrupt("wrong checksum"));
    }
    let count = fields.take().map(u32::from_be_bytes).ok_or_else(|| corrupt("no count"))?;
    if fields.0.len() as u64 != u64::from(count) * ENTRY_BYTES as u64 {
        return Err(corrupt("wrong size"));
    }
    let mut producers = Producers::default();
    while let Some((id, entry)) = decode_entry(&mut fields) {
        producers.entries.insert(id, entry);
    }
    Ok(producers)
}

/// The contents of the file.
pub(super) fn encode(producers: &Producers) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER_BYTES + producers.entries.len() * ENTRY_BYTES);
    bytes.extend_from_slice(&VERSION.to_be_bytes());
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(&(producers.entries.len() as u32).to_be_bytes());
    for (id, entry) in &producers.entries {
        let last = entry.batches.last();
        let delta = last.map_or(0, |b| b.last_offset.0.saturating_sub(b.base_offset.0) as i32);
        bytes.extend_from_slice(&id.0.to_be_bytes());
        bytes.extend_from_slice(&entry.epoch.0.to_be_bytes());
        bytes.extend_from_slice(&last.map_or(-1, |b| b.last_sequence.0).to_be_bytes());
        bytes.extend_from_slice(&last.map_or(-1, |b| b.last_offset.0).to_be_bytes());
        bytes.extend_from_slice(&delta.to_be_bytes());
        bytes.extend_from_slice(&entry.last_timestamp.0.to_be_bytes());
        bytes.extend_from_slice(&entry.coordinator_epoch.to_be_bytes());
        bytes.extend_from_slice(&entry.transaction_start.map_or(-1, |o| o.0).to_be_bytes());
    }
    let crc = crc32c::crc32c(&bytes[6..]);
    bytes[2..6].copy_from_slice(&crc.to_be_bytes());
    bytes
}

fn decode_entry(fields: &mut Fields<'_>) -> Option<(ProducerId, Entry)> {
    let id = ProducerId(i64::from_be_bytes(fields.take()?));
    let mut entry = Entry::new(ProducerEpoch(i16::from_be_bytes(fields.take()?)));
    let last_sequence = i32::from_be_bytes(fields.take()?);
    let last_offset = i64::from_be_bytes(fields.take()?);
    let delta = i32::from_be_bytes(fields.take()?);
    entry.last_timestamp = TimestampMs(i64::from_be_bytes(fields.take()?));
    entry.coordinator_epoch = i32::from_be_bytes(fields.take()?);
    entry.transaction_start = Some(i64::from_be_bytes(fields.take()?)).filter(|o| *o >= 0).map(Offset);
    if last_sequence >= 0 && is_possible(Offset(last_offset)) && delta >= 0 {
        // Sequences wrap, so the first one is found modulo 2³¹ (`DefaultRecordBatch.decrementSequence`).
        let base = i64::from(last_sequence) - i64::from(delta);
        entry.batches.push(StoredBatch {
            base_sequence: Sequence(base.rem_euclid(1 << 31) as i32),
            last_sequence: Sequence(last_sequence),
            base_offset: Offset(last_offset - i64::from(delta)),
            last_offset: Offset(last_offset),
            timestamp: entry.last_timestamp,
        });
    }
    Some((id, entry))
}

struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*field)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn some() -> Producers {
        let mut producers = Producers::default();
        let mut entry = Entry::new(ProducerEpoch(2));
        entry.last_timestamp = TimestampMs(99);
        entry.batches.push(StoredBatch {
            base_sequence: Sequence(i32::MAX),
            last_sequence: Sequence(1),
            base_offset: Offset(40),
            last_offset: Offset(42),
            timestamp: TimestampMs(99),
        });
        producers.entries.insert(ProducerId(7), entry);
        producers.entries.insert(ProducerId(8), Entry::new(ProducerEpoch(0)));
        producers
    }

    #[test]
    fn a_state_comes_back_with_each_producers_last_batch() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("00000000000000000043.snapshot");
        write(&Disk::system(), &path, &some()).unwrap();
        assert_eq!(read(&path).unwrap(), some());
    }

    #[test]
    fn a_snapshot_cut_or_changed_anywhere_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.snapshot");
        let whole = encode(&some());
        for length in 0..whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            assert!(read(&path).is_err(), "cut to {length}");
            let mut changed = whole.clone();
            changed[length] ^= 1;
            fs::write(&path, changed).unwrap();
            assert!(read(&path).is_err(), "changed at {length}");
        }
    }
}
