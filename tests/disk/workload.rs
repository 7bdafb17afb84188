//! A deterministic life of some logs on a recorded disk, and the ledger of what it was told about them.
//!
//! Batches are idempotent, small and unlike each other; segments are so small that there are many. What the ledger says
//! holds from an event on: a crash behind it may not break it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use klamm::config::LogConfig;
use klamm::record::{BatchBuilder, BatchInfo};
use klamm::runtime::{Clock, Disk};
use klamm::storage::{AppendError, DataDirectory, LeaderBatch, Log, Outcome, Tuning};
use klamm::types::{
    BrokerId, LeaderEpoch, Offset, PartitionIndex, ProducerEpoch, ProducerId, Sequence, TimestampMs, TopicId,
    TopicName, TopicPartition,
};

use uuid::Uuid;

use super::recorder::Recorder;
use super::support::random::Random;

/// 2026-11-24.
pub const BEGIN: TimestampMs = TimestampMs(1_795_500_000_000);
const PRODUCERS: i64 = 2;
const SEGMENT_BYTES: u32 = 6_000;

/// The settings of all logs.
pub fn config() -> LogConfig {
    LogConfig {
        segment_bytes: SEGMENT_BYTES,
        index_interval_bytes: 512,
        retention: None,
        retention_bytes: Some(40_000),
        file_delete_delay: Duration::from_millis(50),
        ..LogConfig::default()
    }
}

/// The thresholds of the directory: small segments are mapped too.
pub fn tuning() -> Tuning {
    Tuning { map_from_bytes: 1_000, map_below_bytes: 700, recovery_bytes_max: 15_000, ..Tuning::default() }
}

/// Opens the directory, on a disk.
pub fn open_directory(path: &Path, disk: Disk) -> Result<DataDirectory, klamm::storage::Error> {
    DataDirectory::open_on(disk, path, BrokerId(1), tuning())
}

/// One topic's only partition, from its creation to its removal.
#[derive(Debug)]
pub struct Life {
    pub partition: TopicPartition,
    pub id: TopicId,
    /// The event behind which the log is open; before it, nobody knows of the partition.
    pub created: usize,
    /// The event at which its removal began.
    pub removed: Option<usize>,
    /// Everything that was appended, by offset.
    pub batches: Vec<Written>,
    /// From an event on, the log may start here.
    pub starts: Vec<(usize, Offset)>,
    /// From an event on, everything below is durable.
    pub durable: Vec<(usize, Offset)>,
    /// The next sequence of each producer.
    next: [i32; PRODUCERS as usize],
}

/// A batch in a log.
#[derive(Clone, Debug)]
pub struct Written {
    pub base: Offset,
    pub info: BatchInfo,
    pub bytes: Bytes,
    /// The event at which its append began, and the one behind which it was appended.
    pub began: usize,
    pub done: usize,
}

impl Written {
    /// The offset after the batch.
    pub fn end(&self) -> Offset {
        Offset(self.base.0 + i64::from(self.info.last_offset_delta) + 1)
    }
}

impl Life {
    /// What is durable when the process ends behind event `at`.
    pub fn durable_at(&self, at: usize) -> Offset {
        self.durable.iter().rev().find(|(since, _)| *since <= at).map_or(Offset::ZERO, |(_, end)| *end)
    }

    /// The largest offset at which the log may start then.
    pub fn start_at(&self, at: usize) -> Offset {
        self.starts.iter().rev().find(|(since, _)| *since <= at).map_or(Offset::ZERO, |(_, start)| *start)
    }

    /// The largest offset at which it ever was to start, then.
    pub fn largest_start_at(&self, at: usize) -> Offset {
        self.starts.iter().filter(|(since, _)| *since <= at).map(|(_, start)| *start).max().unwrap_or(Offset::ZERO)
    }

    /// Where the log ended for the process then.
    pub fn appended_at(&self, at: usize) -> Offset {
        self.batches.iter().rev().find(|batch| batch.done <= at).map_or(Offset::ZERO, Written::end)
    }

    pub fn exists_at(&self, at: usize) -> bool {
        self.created <= at && self.removed.is_none_or(|removed| at < removed)
    }

    /// A batch of this producer that follows what it wrote.
    fn next_batch(&mut self, producer: i64, now: TimestampMs, random: &mut Random) -> Bytes {
        let records = 1 + random.below(3_i32);
        let sequence = self.next[producer as usize];
        let mut builder =
            BatchBuilder::new(Offset(0)).producer(ProducerId(producer), ProducerEpoch(0), Sequence(sequence));
        for record in 0..records {
            let bytes = if random.one_in(8) { 1_500 } else { 150 };
            let mut value = format!("{}/{producer}/{}/", self.id, sequence + record).into_bytes();
            value.extend(random.bytes(1 + random.clone().below(bytes)));
            builder.append(TimestampMs(now.0 + i64::from(record)), None, Some(&value), &[]);
        }
        self.next[producer as usize] += records;
        builder.build()
    }
}

/// The logs that are open, and the ledger of all that ever were.
pub struct Workload {
    pub lives: Vec<Life>,
    path: std::path::PathBuf,
    recorder: Arc<Recorder>,
    disk: Disk,
    clock: Clock,
    random: Random,
    directory: Option<DataDirectory>,
    /// By the place in `lives`.
    logs: BTreeMap<usize, Arc<Log>>,
    epoch: i32,
}

impl Workload {
    pub fn new(path: &Path, seed: u64) -> Workload {
        let recorder = Recorder::new(path);
        let disk = recorder.disk();
        let mut workload = Workload {
            lives: Vec::new(),
            path: path.to_owned(),
            recorder,
            disk,
            clock: Clock::manual(BEGIN),
            random: Random::new(seed, 0),
            directory: None,
            logs: BTreeMap::new(),
            epoch: 0,
        };
        workload.open();
        workload
    }

    /// Goes on until so many events have happened. Everything that happened is returned.
    pub fn run(mut self, events: usize) -> (Vec<Life>, Vec<super::recorder::Event>) {
        while self.recorder.count() < events {
            self.step();
        }
        (self.lives, self.recorder.take())
    }

    fn step(&mut self) {
        self.clock.advance(Duration::from_millis(1 + self.random.below(20_u64)));
        match self.random.below(100_u64) {
            0..70 => self.append(),
            70..78 => self.with_a_log(Self::flush),
            78..81 => self.with_a_log(Self::move_recovery_point),
            81..84 => self.checkpoint(),
            84..87 => self.with_a_log(Self::delete_old_segments),
            87..89 => self.with_a_log(Self::advance_log_start),
            89..92 => self.delete_due(),
            92..94 => self.reopen(Stop::Clean),
            94..96 => self.reopen(Stop::Kill),
            96..98 => self.create(),
            _ => self.remove(),
        }
    }

    fn open(&mut self) {
        let directory = open_directory(&self.path, self.disk.clone()).expect("the directory opens");
        for (place, life) in self.lives.iter().enumerate().filter(|(_, life)| life.removed.is_none()) {
            let log = open_log(&directory, life, &self.clock).expect("the log opens");
            assert_eq!(log.positions().log_end, life.batches.last().map_or(Offset::ZERO, Written::end));
            self.logs.insert(place, Arc::new(log));
        }
        self.directory = Some(directory);
        self.begin_epoch();
    }

    /// As a leader does at its start.
    fn begin_epoch(&mut self) {
        self.epoch += 1;
        for log in self.logs.values() {
            lead(log, LeaderEpoch(self.epoch));
        }
    }

    fn create(&mut self) {
        let names = ["orders", "payments", "returns"];
        let name = TopicName::new(names[self.random.below(names.len())]).expect("it is a name");
        if self.lives.iter().any(|life| life.removed.is_none() && life.partition.topic == name) {
            return;
        }
        let partition = TopicPartition { topic: name, partition: PartitionIndex(0) };
        let id = u128::from(self.random.next()) << 64 | u128::from(self.random.next());
        let mut life = Life {
            partition,
            id: TopicId(Uuid::from_u128(id)),
            created: usize::MAX,
            removed: None,
            batches: Vec::new(),
            starts: Vec::new(),
            durable: Vec::new(),
            next: [0; PRODUCERS as usize],
        };
        let directory = self.directory.as_ref().expect("it is open");
        let log = open_log(directory, &life, &self.clock).expect("the log is made");
        life.created = self.recorder.count();
        self.logs.insert(self.lives.len(), Arc::new(log));
        self.lives.push(life);
        self.begin_epoch();
    }

    fn remove(&mut self) {
        if self.logs.len() < 3 {
            return;
        }
        let places: Vec<usize> = self.logs.keys().copied().collect();
        let place = *self.random.pick(&places);
        self.lives[place].removed = Some(self.recorder.count());
        let log = self.logs.remove(&place).expect("it was picked");
        self.directory.as_ref().expect("it is open").remove_log(&log).expect("the log is removed");
    }

    fn with_a_log(&mut self, act: fn(&mut Workload, usize, &Log)) {
        let places: Vec<usize> = self.logs.keys().copied().collect();
        if !places.is_empty() {
            let place = *self.random.pick(&places);
            let log = self.logs[&place].clone();
            act(self, place, &log);
        }
    }

    fn append(&mut self) {
        if self.logs.is_empty() {
            return self.create();
        }
        self.with_a_log(|workload, place, log| {
            let (now, began) = (workload.clock.now(), workload.recorder.count());
            let count = 1 + workload.random.below(3_usize);
            let batches: Vec<Bytes> = (0..count)
                .map(|_| {
                    let producer = workload.random.below(PRODUCERS);
                    workload.lives[place].next_batch(producer, now, &mut workload.random)
                })
                .collect();
            let outcomes = append(log, &batches, now).expect("the disk works");
            let done = workload.recorder.count();
            for (bytes, outcome) in batches.into_iter().zip(outcomes) {
                let Outcome::Appended { base_offset: base, .. } = outcome else { panic!("{outcome:?}") };
                let info = BatchInfo::parse_header(&bytes).expect("it is a batch");
                workload.lives[place].batches.push(Written { base, info, bytes, began, done });
            }
        });
    }

    fn flush(&mut self, place: usize, log: &Log) {
        let end = log.flush().expect("the disk works").offset;
        self.lives[place].durable.push((self.recorder.count(), end));
    }

    fn move_recovery_point(&mut self, place: usize, log: &Log) {
        let end = log.flush_and_move_recovery_point().expect("the disk works").offset;
        self.lives[place].durable.push((self.recorder.count(), end));
    }

    fn checkpoint(&mut self) {
        let logs: Vec<Arc<Log>> = self.logs.values().cloned().collect();
        self.directory.as_ref().expect("it is open").checkpoint(&logs).expect("the disk works");
    }

    fn delete_old_segments(&mut self, place: usize, log: &Log) {
        // Whichever segments go, no batch above goes.
        let began = self.recorder.count();
        log.delete_old_segments(self.clock.now()).expect("the disk works");
        self.lives[place].starts.push((began, log.positions().log_start));
    }

    fn advance_log_start(&mut self, place: usize, log: &Log) {
        let positions = log.positions();
        let to = Offset(positions.log_start.0 + self.random.below(1 + positions.log_end.0 - positions.log_start.0));
        self.lives[place].starts.push((self.recorder.count(), to));
        log.advance_log_start(to).expect("the disk works");
    }

    fn delete_due(&mut self) {
        let now = self.clock.now();
        for log in self.logs.values() {
            log.delete_due(now).expect("the disk works");
        }
        self.directory.as_ref().expect("it is open").delete_due(now).expect("the disk works");
    }

    fn reopen(&mut self, stop: Stop) {
        let directory = self.directory.take().expect("it is open");
        let logs: Vec<Arc<Log>> = std::mem::take(&mut self.logs).into_values().collect();
        match stop {
            Stop::Clean => {
                directory.close(&logs).expect("the disk works");
                let at = self.recorder.count();
                for life in self.lives.iter_mut().filter(|life| life.removed.is_none()) {
                    let end = life.batches.last().map_or(Offset::ZERO, Written::end);
                    life.durable.push((at, end));
                }
            }
            Stop::Kill => drop((logs, directory)),
        }
        self.open();
    }
}

enum Stop {
    Clean,
    Kill,
}

/// Opens the log of a partition.
pub fn open_log(directory: &DataDirectory, life: &Life, clock: &Clock) -> Result<Log, klamm::storage::Error> {
    directory.open_log(&life.partition, life.id, config(), clock)
}

/// Makes a log lead, with all it has readable.
pub fn lead(log: &Log, epoch: LeaderEpoch) {
    let mut appender = log.lock();
    appender.assign_epoch(epoch).expect("the disk works");
    let log_end = appender.positions().log_end;
    appender.set_high_watermark(log_end).expect("it is in the log");
    appender.set_last_stable(log_end).expect("it is in the log");
}

/// Appends batches, and lets them be read.
pub fn append(log: &Log, batches: &[Bytes], now: TimestampMs) -> Result<Vec<Outcome>, AppendError> {
    let mut batches: Vec<LeaderBatch<'_>> = (batches.iter())
        .map(|bytes| LeaderBatch {
            bytes,
            info: BatchInfo::parse_header(bytes).expect("it is a batch"),
            outcome: Outcome::Pending,
        })
        .collect();
    let mut appender = log.lock();
    appender.append(&mut batches, now)?;
    let log_end = appender.positions().log_end;
    appender.set_high_watermark(log_end).expect("it is in the log");
    appender.set_last_stable(log_end).expect("it is in the log");
    Ok(batches.iter().map(|batch| batch.outcome).collect())
}
