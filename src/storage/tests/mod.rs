//! What the tests of a whole log share: a directory, batches, and reading everything back.

mod concurrency;
mod damage;
mod directories;
mod kills;
mod logs;
mod memory;
mod model;
mod recoveries;
mod recovery_cases;
mod recovery_points;
mod room;
mod syncs;
mod times;

use crate::config::LogConfig;
use crate::record::{BatchBuilder, BatchInfo};
use crate::runtime::Clock;
use crate::storage::{
    Allocation, AppendError, Bound, DataDirectory, Error, LeaderBatch, Log, Minimum, Outcome, Slice, Tuning,
};
use crate::types::{
    BrokerId, LeaderEpoch, Offset, PartitionIndex, ProducerEpoch, ProducerId, Sequence, TimestampMs, TopicId,
    TopicName, TopicPartition,
};
use bytes::Bytes;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// 2026-11-24.
pub(super) const NOW: TimestampMs = TimestampMs(1_795_500_000_000);

pub(super) fn partition() -> TopicPartition {
    TopicPartition { topic: TopicName::new("orders").unwrap(), partition: PartitionIndex(0) }
}

/// A directory that can be opened again and again.
pub(super) struct Disk {
    pub(super) root: tempfile::TempDir,
    pub(super) config: LogConfig,
    pub(super) tuning: Tuning,
    pub(super) clock: Clock,
    id: TopicId,
}

impl Disk {
    pub(super) fn new(segment_bytes: u32) -> Disk {
        let config = LogConfig { segment_bytes, ..LogConfig::default() };
        let root = tempfile::tempdir().unwrap();
        Disk { root, config, tuning: Tuning::default(), clock: Clock::manual(NOW), id: TopicId::random() }
    }

    /// Maps from the first byte on, so that small tests take both paths.
    pub(super) fn mapped(segment_bytes: u32) -> Disk {
        let mut disk = Disk::new(segment_bytes);
        disk.tuning.map_from_bytes = 0;
        disk
    }

    pub(super) fn unmapped(segment_bytes: u32) -> Disk {
        let mut disk = Disk::new(segment_bytes);
        disk.tuning.allocation = Allocation::Never;
        disk
    }

    pub(super) fn open_directory(&self) -> DataDirectory {
        let deadline = Instant::now() + Duration::from_secs(5);
        loop {
            match DataDirectory::open_tuned(self.root.path(), BrokerId(1), self.tuning) {
                // A child that another test just forked holds our lock until it runs its program.
                Err(Error::Locked { .. }) if Instant::now() < deadline => std::thread::yield_now(),
                opened => return opened.unwrap(),
            }
        }
    }

    pub(super) fn open(&self) -> (DataDirectory, Arc<Log>) {
        let directory = self.open_directory();
        let log = self.open_log(&directory).unwrap();
        (directory, Arc::new(log))
    }

    pub(super) fn open_log(&self, directory: &DataDirectory) -> Result<Log, Error> {
        directory.open_log(&partition(), self.id, self.config.clone(), &self.clock)
    }

    pub(super) fn folder(&self) -> PathBuf {
        self.root.path().join("orders-0")
    }

    pub(super) fn files(&self, ending: &str) -> Vec<PathBuf> {
        let mut found: Vec<PathBuf> = std::fs::read_dir(self.folder())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.to_str().unwrap().ends_with(ending))
            .collect();
        found.sort();
        found
    }
}

/// A batch of `count` records with `bytes` of value each, at a time.
pub(super) fn batch_at(time: i64, count: usize, bytes: usize) -> Bytes {
    let mut builder = BatchBuilder::new(Offset(0));
    let value = vec![b'v'; bytes];
    (0..count).for_each(|i| {
        builder.append(TimestampMs(time + i as i64), None, Some(&value), &[]);
    });
    builder.build()
}

pub(super) fn batch(count: usize, bytes: usize) -> Bytes {
    batch_at(NOW.0, count, bytes)
}

pub(super) fn produced(id: i64, epoch: i16, sequence: i32, count: usize) -> Bytes {
    let mut builder = BatchBuilder::new(Offset(0)).producer(ProducerId(id), ProducerEpoch(epoch), Sequence(sequence));
    (0..count).for_each(|_| {
        builder.append(NOW, None, Some(b"value"), &[]);
    });
    builder.build()
}

pub(super) fn produced_sized(id: i64, epoch: i16, sequence: i32, bytes: usize) -> Bytes {
    let producer = (ProducerId(id), ProducerEpoch(epoch), Sequence(sequence));
    let mut builder = BatchBuilder::new(Offset(0)).producer(producer.0, producer.1, producer.2);
    builder.append(NOW, None, Some(&vec![b'v'; bytes]), &[]);
    builder.build()
}

pub(super) fn try_append(log: &Log, batches: &[Bytes]) -> Result<Vec<Outcome>, AppendError> {
    let mut batches: Vec<LeaderBatch<'_>> = (batches.iter())
        .map(|bytes| LeaderBatch { bytes, info: BatchInfo::parse_header(bytes).unwrap(), outcome: Outcome::Pending })
        .collect();
    let mut appender = log.lock();
    appender.append(&mut batches, NOW)?;
    let log_end = appender.positions().log_end;
    appender.set_high_watermark(log_end).unwrap();
    appender.set_last_stable(log_end).unwrap();
    Ok(batches.iter().map(|b| b.outcome).collect())
}

pub(super) fn append(log: &Log, batches: &[Bytes]) -> Vec<Outcome> {
    try_append(log, batches).unwrap()
}

/// Everything as `(base offset, last offset)`, read batch by batch and checked as it comes.
pub(super) fn contents(log: &Log) -> Vec<(i64, i64)> {
    let positions = log.positions();
    let mut next = positions.log_start;
    let mut all = Vec::new();
    while next < positions.log_end {
        let read = log.read(next, 64 << 10, Bound::LogEnd, Minimum::OneBatch).unwrap();
        for info in whole_batches(&bytes_of(read.slice.as_ref().expect("there is more"))) {
            all.push((info.base_offset.0, info.last_offset().0));
            next = info.next_offset();
        }
    }
    all
}

pub(super) fn bytes_of(slice: &Slice) -> Vec<u8> {
    match slice {
        Slice::Mapped(bytes) => bytes.to_vec(),
        Slice::File(slice) => {
            let mut bytes = Vec::new();
            slice.read_into(&mut bytes).unwrap();
            bytes
        }
    }
}

/// The batches in `bytes`, which must be whole and intact.
pub(super) fn whole_batches(mut bytes: &[u8]) -> Vec<BatchInfo> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let view = crate::record::BatchView::parse(bytes).expect("a whole batch");
        assert!(view.verify_crc(), "a batch that was stored is intact");
        all.push(view.info());
        bytes = &bytes[view.bytes().len()..];
    }
    all
}

pub(super) fn logical_bytes(path: &Path) -> u64 {
    path.metadata().unwrap().len()
}

pub(super) fn appended(base_offset: i64) -> Outcome {
    Outcome::Appended { base_offset: Offset(base_offset), append_time: TimestampMs::NONE }
}

pub(super) fn epoch(number: i32) -> LeaderEpoch {
    LeaderEpoch(number)
}
