//! What an append costs through the map and by `pwritev`, by the size of a batch; and what a small read costs.
//!
//! `cargo bench --bench append`. The threshold `Tuning::map_below_bytes` stands where the two lines cross.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use klamm::config::LogConfig;
use klamm::record::{BatchBuilder, BatchInfo};
use klamm::runtime::Clock;
use klamm::storage::{Bound, DataDirectory, LeaderBatch, Log, Minimum, Outcome, Tuning};
use klamm::types::{BrokerId, Offset, PartitionIndex, TimestampMs, TopicId, TopicName, TopicPartition};
use std::hint::black_box;
use std::time::Duration;

const NOW: TimestampMs = TimestampMs(1_800_000_000_000);

/// A log that keeps little, so that the benchmark runs in recycled memory and does not fill the disk.
fn open(root: &tempfile::TempDir, tuning: Tuning) -> (DataDirectory, Log) {
    let directory = DataDirectory::open_tuned(root.path(), BrokerId(1), tuning).expect("a new directory");
    let partition = TopicPartition { topic: TopicName::new("bench").expect("legal"), partition: PartitionIndex(0) };
    let config = LogConfig {
        segment_bytes: 256 << 20,
        retention_bytes: Some(256 << 20),
        file_delete_delay: Duration::ZERO,
        ..LogConfig::default()
    };
    let log = directory.open_log(&partition, TopicId::random(), config, &Clock::system()).expect("a new log");
    (directory, log)
}

fn batch(bytes: usize) -> bytes::Bytes {
    let mut builder = BatchBuilder::new(Offset(0));
    builder.append(NOW, None, Some(&vec![b'v'; bytes - 80]), &[]);
    builder.build()
}

fn append(log: &Log, batches: &mut [LeaderBatch<'_>]) {
    let mut appender = log.lock();
    let segments = appender.positions().log_end_bytes >> 28;
    appender.append(batches, NOW).expect("there is room");
    let positions = appender.positions();
    appender.set_high_watermark(positions.log_end).expect("the log end is known");
    appender.set_last_stable(positions.log_end).expect("the log end is known");
    drop(appender);
    if positions.log_end_bytes >> 28 > segments {
        log.delete_old_segments(NOW).expect("retention works");
        log.delete_due(TimestampMs(i64::MAX)).expect("retention works");
    }
}

fn appends(c: &mut Criterion) {
    for (group, count) in [("append one batch", 1), ("append 16 batches", 16)] {
        let mut group = c.benchmark_group(group);
        group.sample_size(20).measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_millis(500));
        for bytes in [150, 1 << 10, 2 << 10, 4 << 10, 8 << 10, 16 << 10, 64 << 10, 1 << 20] {
            let sent = batch(bytes);
            let info = BatchInfo::parse_header(&sent).expect("a batch");
            group.throughput(Throughput::Bytes((bytes * count) as u64));
            for (path, map_below_bytes) in [("map", u64::MAX), ("pwritev", 0)] {
                let root = tempfile::tempdir().expect("a temporary directory");
                let (_directory, log) = open(&root, Tuning { map_below_bytes, map_from_bytes: 0, ..Tuning::default() });
                group.bench_function(BenchmarkId::new(path, bytes), |b| {
                    b.iter(|| {
                        let one = || LeaderBatch { bytes: &sent, info, outcome: Outcome::Pending };
                        let mut batches: Vec<LeaderBatch<'_>> = (0..count).map(|_| one()).collect();
                        append(&log, black_box(&mut batches));
                    });
                });
            }
        }
    }
}

fn reads(c: &mut Criterion) {
    let mut group = c.benchmark_group("read");
    group.sample_size(20).measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_millis(500));
    let root = tempfile::tempdir().expect("a temporary directory");
    let (_directory, log) = open(&root, Tuning { map_from_bytes: 0, ..Tuning::default() });
    let sent = batch(1 << 10);
    let info = BatchInfo::parse_header(&sent).expect("a batch");
    for _ in 0..100_000 {
        append(&log, &mut [LeaderBatch { bytes: &sent, info, outcome: Outcome::Pending }]);
    }
    let end = log.positions().log_end.0;
    for (name, back, bytes_max) in [("tail", 0, 1 << 20), ("last batch", 1, 1 << 20), ("1 MiB", 50_000, 1 << 20)] {
        group.bench_function(name, |b| {
            b.iter(|| {
                log.read(Offset(end - back), black_box(bytes_max), Bound::HighWatermark, Minimum::OneBatch)
                    .expect("the offset is in the log")
            });
        });
    }
}

criterion_group!(benches, appends, reads);
criterion_main!(benches);
