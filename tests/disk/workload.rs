//! A deterministic life of some logs on a recorded disk, and the ledger of what it was told about them.
//!
//! Batches are idempotent, small and unlike each other; segments are so small that there are many. What the ledger says
//! holds from an event on: a crash behind it may not break it.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use klamm::config::LogConfig;
use klamm::record::{BatchBuilder, BatchInfo};
use klamm::runtime::{Clock, Disk};
use klamm::storage::{AppendError, DataDirectory, LeaderBatch, Log, Outcome, Place, Tuning};
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
    /// The disk failed under it.
    pub is_offline: bool,
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

/// What the disk may do to a workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disks {
    /// Nothing: an error is a failure of the test.
    Work,
    /// It may refuse: what was refused is tried again later, and a log that went offline is left alone.
    Refuse,
}

/// The logs that are open, and the ledger of all that ever were.
pub struct Workload {
    pub lives: Vec<Life>,
    disks: Disks,
    /// What could not be made, and will be.
    unborn: Option<Life>,
    path: PathBuf,
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
    /// Logs in a folder that `recorder` watches, by `disk`.
    pub fn new(path: &Path, recorder: &Arc<Recorder>, disk: Disk, disks: Disks, seed: u64) -> Workload {
        Workload {
            lives: Vec::new(),
            disks,
            unborn: None,
            path: path.to_owned(),
            recorder: recorder.clone(),
            disk,
            clock: Clock::manual(BEGIN),
            random: Random::new(seed, 0),
            directory: None,
            logs: BTreeMap::new(),
            epoch: 0,
        }
    }

    /// Goes on until so many events have happened. What became of the logs.
    pub fn run(mut self, events: usize) -> Vec<Life> {
        while self.recorder.count() < events {
            self.step();
        }
        self.lives
    }

    /// Goes on for so many steps. What became of the logs.
    pub fn take_steps(mut self, steps: usize) -> Vec<Life> {
        (0..steps).for_each(|_| self.step());
        self.lives
    }

    /// What the disk said, unless it may not say no. A log that it took offline is out of the game.
    fn tolerate<T, E: Display>(&mut self, place: Option<usize>, result: Result<T, E>) -> Option<T> {
        if let Some(place) = place
            && self.logs.get(&place).is_some_and(|log| log.is_offline())
        {
            self.logs.remove(&place);
            self.lives[place].is_offline = true;
        }
        match result {
            Ok(done) => Some(done),
            Err(refused) => {
                assert_eq!(self.disks, Disks::Refuse, "{refused}");
                None
            }
        }
    }

    fn step(&mut self) {
        self.clock.advance(Duration::from_millis(1 + self.random.below(20_u64)));
        if self.directory.is_none() {
            return self.open();
        }
        match self.random.below(100_u64) {
            0..64 => self.append(),
            64..74 => self.with_a_log(Self::flush),
            74..81 => self.with_a_log(Self::move_recovery_point),
            81..84 => self.checkpoint(),
            84..87 => self.with_a_log(Self::delete_old_segments),
            87..89 => self.with_a_log(Self::advance_log_start),
            89..92 => self.delete_due(),
            92..93 => self.reopen(Stop::Clean),
            93..94 => self.reopen(Stop::Kill),
            94..98 => self.create(),
            _ => self.remove(),
        }
    }

    fn open(&mut self) {
        let opened = open_directory(&self.path, self.disk.clone());
        let Some(directory) = self.tolerate(None, opened) else { return };
        for place in 0..self.lives.len() {
            let life = &self.lives[place];
            if life.removed.is_some() || life.is_offline {
                continue;
            }
            let end = life.appended_at(usize::MAX);
            let opened = open_log(&directory, life, &self.clock);
            let Some(log) = self.tolerate(None, opened) else {
                self.lives[place].is_offline = true;
                continue;
            };
            assert!(log.positions().log_end == end || self.disks == Disks::Refuse, "{end} was appended");
            self.logs.insert(place, Arc::new(log));
        }
        let running = directory.note_running(|| self.logs.values().cloned().collect());
        self.tolerate(None, running);
        self.directory = Some(directory);
        self.begin_epoch();
    }

    /// As a leader does at its start.
    fn begin_epoch(&mut self) {
        self.epoch += 1;
        for (place, log) in self.logs.clone() {
            let led = lead(&log, LeaderEpoch(self.epoch));
            self.tolerate(Some(place), led);
        }
    }

    fn create(&mut self) {
        if let Some(life) = self.unborn.take() {
            return self.make(life);
        }
        let names = ["orders", "payments", "returns"];
        let name = TopicName::new(names[self.random.below(names.len())]).expect("it is a name");
        if self.lives.iter().any(|life| life.removed.is_none() && life.partition.topic == name) {
            return;
        }
        let partition = TopicPartition { topic: name, partition: PartitionIndex(0) };
        let id = u128::from(self.random.next()) << 64 | u128::from(self.random.next());
        self.make(Life {
            partition,
            id: TopicId(Uuid::from_u128(id)),
            created: usize::MAX,
            removed: None,
            batches: Vec::new(),
            starts: Vec::new(),
            durable: Vec::new(),
            is_offline: false,
            next: [0; PRODUCERS as usize],
        });
    }

    fn make(&mut self, mut life: Life) {
        let directory = self.directory.as_ref().expect("it is open");
        let made = open_log(directory, &life, &self.clock);
        let Some(log) = self.tolerate(None, made) else {
            self.unborn = Some(life);
            return;
        };
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
        let removed = self.directory.as_ref().expect("it is open").remove_log(&log);
        if self.tolerate(None, removed).is_none() {
            // Its folder stays, as that of a topic which the metadata do not know.
            self.reopen(Stop::Kill);
        }
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
            let (outcomes, appended) = append(log, &batches, now);
            let done = workload.recorder.count();
            let mut end = workload.lives[place].appended_at(usize::MAX);
            for (bytes, outcome) in batches.into_iter().zip(outcomes) {
                let info = BatchInfo::parse_header(&bytes).expect("it is a batch");
                let written = match outcome {
                    Outcome::Appended { base_offset: base, .. } => Written { base, info, bytes, began, done },
                    // A part of it, or all, may be in the file.
                    Outcome::Pending => Written { base: end, info, bytes, began, done: usize::MAX },
                    other => panic!("{other:?}"),
                };
                end = written.end();
                let is_stored = written.done != usize::MAX;
                let life = &mut workload.lives[place];
                if is_stored || log.is_offline() {
                    life.batches.push(written);
                } else {
                    // Nothing of it is there: the next batch takes its sequences.
                    let producer = written.info.producer_id.0 as usize;
                    life.next[producer] = life.next[producer].min(written.info.base_sequence.0);
                }
            }
            workload.tolerate(Some(place), appended);
        });
    }

    fn flush(&mut self, place: usize, log: &Log) {
        let flushed = log.flush();
        if let Some(Place { offset, .. }) = self.tolerate(Some(place), flushed) {
            self.lives[place].durable.push((self.recorder.count(), offset));
        }
    }

    fn move_recovery_point(&mut self, place: usize, log: &Log) {
        let flushed = log.flush_and_move_recovery_point();
        if let Some(Place { offset, .. }) = self.tolerate(Some(place), flushed) {
            self.lives[place].durable.push((self.recorder.count(), offset));
        }
    }

    fn checkpoint(&mut self) {
        let logs: Vec<Arc<Log>> = self.logs.values().cloned().collect();
        let written = self.directory.as_ref().expect("it is open").checkpoint(&logs);
        self.tolerate(None, written);
    }

    fn delete_old_segments(&mut self, place: usize, log: &Log) {
        // Whichever segments go, no batch above goes.
        let began = self.recorder.count();
        let deleted = log.delete_old_segments(self.clock.now());
        self.lives[place].starts.push((began, log.positions().log_start));
        self.tolerate(Some(place), deleted);
    }

    fn advance_log_start(&mut self, place: usize, log: &Log) {
        let positions = log.positions();
        let to = Offset(positions.log_start.0 + self.random.below(1 + positions.log_end.0 - positions.log_start.0));
        self.lives[place].starts.push((self.recorder.count(), to));
        let advanced = log.advance_log_start(to);
        self.tolerate(Some(place), advanced);
    }

    fn delete_due(&mut self) {
        let now = self.clock.now();
        for (place, log) in self.logs.clone() {
            self.tolerate(Some(place), log.delete_due(now));
        }
        let deleted = self.directory.as_ref().expect("it is open").delete_due(now);
        self.tolerate(None, deleted);
    }

    fn reopen(&mut self, stop: Stop) {
        let directory = self.directory.take().expect("it is open");
        let logs: Vec<Arc<Log>> = std::mem::take(&mut self.logs).into_values().collect();
        match stop {
            Stop::Clean => {
                let closed = directory.close(&logs);
                let at = self.recorder.count();
                if self.tolerate(None, closed).is_some() {
                    for life in self.lives.iter_mut().filter(|life| life.removed.is_none() && !life.is_offline) {
                        life.durable.push((at, life.appended_at(usize::MAX)));
                    }
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
pub fn lead(log: &Log, epoch: LeaderEpoch) -> Result<(), klamm::storage::Error> {
    let mut appender = log.lock();
    appender.assign_epoch(epoch)?;
    let log_end = appender.positions().log_end;
    appender.set_high_watermark(log_end).expect("it is in the log");
    appender.set_last_stable(log_end).expect("it is in the log");
    Ok(())
}

/// Appends batches, and lets them be read. What became of each, and of all.
pub fn append(log: &Log, batches: &[Bytes], now: TimestampMs) -> (Vec<Outcome>, Result<(), AppendError>) {
    let mut batches: Vec<LeaderBatch<'_>> = (batches.iter())
        .map(|bytes| LeaderBatch {
            bytes,
            info: BatchInfo::parse_header(bytes).expect("it is a batch"),
            outcome: Outcome::Pending,
        })
        .collect();
    let mut appender = log.lock();
    let appended = appender.append(&mut batches, now);
    let log_end = appender.positions().log_end;
    appender.set_high_watermark(log_end).expect("it is in the log");
    appender.set_last_stable(log_end).expect("it is in the log");
    (batches.iter().map(|batch| batch.outcome).collect(), appended)
}
