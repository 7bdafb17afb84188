//! What opening logs costs: after a process was killed, when all above the recovery point is checked, by the size of the
//! batches; and of many partitions after a clean stop.
//!
//! `cargo bench --bench recovery`. The files are in the page cache, as they are when only the process ended.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use klamm::config::LogConfig;
use klamm::record::{BatchBuilder, BatchInfo};
use klamm::runtime::Clock;
use klamm::storage::{DataDirectory, LeaderBatch, Log, Outcome, Tuning};
use klamm::types::{BrokerId, Offset, PartitionIndex, TimestampMs, TopicId, TopicName, TopicPartition};
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use uuid::Uuid;

const NOW: TimestampMs = TimestampMs(1_800_000_000_000);
const TOPIC: TopicId = TopicId(Uuid::from_u128(7));
/// Batches that are appended together.
const GROUP: usize = 64;
const PARTITIONS: i32 = 1000;

fn open_directory(root: &TempDir) -> DataDirectory {
    DataDirectory::open_tuned(root.path(), BrokerId(1), Tuning::default()).expect("a data directory")
}

fn open_log(directory: &DataDirectory, partition: i32) -> Arc<Log> {
    let topic = TopicName::new("bench").expect("legal");
    let partition = TopicPartition { topic, partition: PartitionIndex(partition) };
    let log = directory.open_log(&partition, TOPIC, LogConfig::default(), &Clock::system());
    Arc::new(log.expect("a log that can be opened"))
}

fn batch(bytes: usize) -> bytes::Bytes {
    let mut builder = BatchBuilder::new(Offset(0));
    builder.append(NOW, None, Some(&vec![b'v'; bytes - 80]), &[]);
    builder.build()
}

fn append(log: &Log, batch: &[u8], count: usize) {
    let info = BatchInfo::parse_header(batch).expect("a batch");
    let one = || LeaderBatch { bytes: batch, info, outcome: Outcome::Pending };
    let mut batches: Vec<LeaderBatch<'_>> = (0..count).map(|_| one()).collect();
    log.lock().append(&mut batches, NOW).expect("there is room");
}

/// A directory with a log of so many batches, none of them below the recovery point, whose process was killed.
fn killed(batch_bytes: usize, batches: usize) -> TempDir {
    let root = tempfile::tempdir().expect("a temporary directory");
    let directory = open_directory(&root);
    let log = open_log(&directory, 0);
    directory.note_running(|| vec![log.clone()]).expect("it can be noted");
    let batch = batch(batch_bytes);
    (0..batches / GROUP).for_each(|_| append(&log, &batch, GROUP));
    root
}

fn after_a_kill(c: &mut Criterion) {
    let mut group = c.benchmark_group("open after a kill");
    group.sample_size(10).measurement_time(Duration::from_secs(3)).warm_up_time(Duration::from_millis(500));
    for (name, batch_bytes, batches) in [("16 KiB batches", 16 << 10, 16 << 10), ("150 B batches", 150, 200 << 10)] {
        let root = killed(batch_bytes, batches);
        let open = || {
            let directory = open_directory(&root);
            let log = open_log(&directory, 0);
            assert_eq!(log.positions().log_end, Offset(batches as i64));
            // What an opened log is not told to write down is to be checked again by the next.
            directory.checked_bytes()
        };
        let checked_bytes = open();
        assert!(checked_bytes >= (batch_bytes * batches) as u64 / 2 && open() == checked_bytes, "all is checked");
        for (per, throughput) in
            [("bytes", Throughput::Bytes(checked_bytes)), ("records", Throughput::Elements(batches as u64))]
        {
            group.throughput(throughput);
            group.bench_function(format!("{name}, {per}"), |b| b.iter(|| black_box(open())));
        }
    }
}

fn after_a_clean_stop(c: &mut Criterion) {
    let mut group = c.benchmark_group("open after a clean stop");
    group.sample_size(10).measurement_time(Duration::from_secs(3)).warm_up_time(Duration::from_millis(500));
    let root = tempfile::tempdir().expect("a temporary directory");
    let open = || {
        let directory = open_directory(&root);
        let logs: Vec<_> = (0..PARTITIONS).map(|partition| open_log(&directory, partition)).collect();
        (directory, logs)
    };
    let (directory, logs) = open();
    let batch = batch(1 << 10);
    logs.iter().for_each(|log| append(log, &batch, 1));
    directory.close(&logs).expect("it stops cleanly");
    group.throughput(Throughput::Elements(PARTITIONS as u64));
    group.bench_function(format!("{PARTITIONS} partitions"), |b| {
        b.iter_custom(|count| {
            let mut spent = Duration::ZERO;
            for _ in 0..count {
                let since = Instant::now();
                let (directory, logs) = black_box(open());
                spent += since.elapsed();
                assert_eq!(directory.checked_bytes(), 0);
                directory.close(&logs).expect("it stops cleanly");
            }
            spent
        });
    });
}

criterion_group!(benches, after_a_kill, after_a_clean_stop);
criterion_main!(benches);
