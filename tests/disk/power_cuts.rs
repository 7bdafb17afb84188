//! Whatever a kill or a power cut leaves of logs, behind every change that they make to the disk: they open, what was
//! durable is there, nothing is there twice or out of order, and indexes and producers agree with it.

use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use klamm::record::{BatchInfo, BatchView};
use klamm::runtime::{Clock, Disk};
use klamm::storage::{Bound, Log, Minimum, Outcome, Slice};
use klamm::types::{LeaderEpoch, Offset, ProducerId, TimestampMs};
use tempfile::TempDir;

use super::image::{self, Crash};
use super::recorder::{Event, Recorder};
use super::support::random::{Random, seed};
use super::workload::{self, BEGIN, Disks, Life, Workload};
use super::{fast_room, rounds};

/// So many changes and syncs make a life.
const EVENTS: usize = 1_200;
/// The epoch of whoever leads after a crash.
const AFTERWARDS: LeaderEpoch = LeaderEpoch(1_000_000);

#[test]
fn a_log_survives_kills_and_power_cuts_behind_each_of_its_changes() {
    let seed = seed();
    let root = tempfile::tempdir_in(fast_room()).expect("there is room");
    let recorder = Recorder::new(root.path());
    let lives = Workload::new(root.path(), &recorder, recorder.disk(), Disks::Work, seed).run(EVENTS);
    let events = recorder.take();
    let (rounds, checked) = (rounds(1), AtomicUsize::new(0));
    let points = point().map_or(0..events.len() + 1, |at| at..at + 1);
    let next = AtomicUsize::new(points.start);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    if at >= points.end {
                        break;
                    }
                    for round in 0..rounds {
                        for crash in [Crash::Kill, Crash::PowerCut] {
                            let stream = (at * rounds + round) as u64 * 2 + u64::from(crash == Crash::PowerCut);
                            let strike = Strike::new(&lives, at, crash);
                            strike.check(&events, &mut Random::new(seed, 1 + stream));
                            checked.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                }
            });
        }
    });
    let (syncs, batches) = (
        events.iter().filter(|event| matches!(event, Event::Sync { .. })).count(),
        lives.iter().map(|life| life.batches.len()).sum::<usize>(),
    );
    println!(
        "{} changes and {syncs} syncs of {} partitions with {batches} batches; {} crashes survived",
        events.len() - syncs,
        lives.len(),
        checked.load(Ordering::Relaxed)
    );
}

/// The only point to strike, where one is asked for: each failure tells its own.
fn point() -> Option<usize> {
    std::env::var("KLAMM_TEST_POINT").ok().map(|at| at.parse().expect("the point is a number"))
}

/// A folder that stays for a look at it when the test fails at a point that was asked for.
struct Image(Option<TempDir>);

impl Image {
    fn path(&self) -> &Path {
        self.0.as_ref().expect("it is there until it is dropped").path()
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        if std::thread::panicking() && point().is_some() {
            println!("the image: {}", self.0.take().expect("it is dropped once").keep().display());
        }
    }
}

/// One crash: behind the first `at` events.
pub struct Strike<'a> {
    lives: &'a [Life],
    at: usize,
    crash: Crash,
    /// What came before the recovery was struck, if it was.
    again: RefCell<Vec<String>>,
}

impl<'a> Strike<'a> {
    pub fn new(lives: &'a [Life], at: usize, crash: Crash) -> Strike<'a> {
        Strike { lives, at, crash, again: RefCell::default() }
    }
}

impl Strike<'_> {
    fn check(&self, events: &[Event], random: &mut Random) {
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.strike(events, random)));
        if let Err(panic) = result {
            println!("KLAMM_TEST_POINT={}: {:?} behind {:?}", self.at, self.crash, last(events, self.at));
            println!("and its recovery behind {:?}", self.again.take());
            std::panic::resume_unwind(panic);
        }
    }

    fn strike(&self, events: &[Event], random: &mut Random) {
        let image = tempfile::tempdir_in(fast_room()).expect("there is room");
        image::make(&events[..self.at], events.get(self.at), self.crash, random, image.path());
        let image = Image(Some(image));
        if !random.one_in(4) {
            return self.check_image(image.path(), Disk::system());
        }
        // The recovery is struck, too.
        let recorder = Recorder::new(image.path());
        let given = recorder.count();
        self.check_image(image.path(), recorder.disk());
        let events = recorder.take();
        let at = given + random.below(events.len() - given + 1);
        let second = tempfile::tempdir_in(fast_room()).expect("there is room");
        image::make(&events[..at], events.get(at), self.crash, random, second.path());
        let second = Image(Some(second));
        self.again.replace(last(&events, at));
        // What was appended to see that it works may be there, and is nothing that was promised.
        self.check_image(second.path(), Disk::system());
    }

    /// Opens what is there, and compares it with what was promised.
    pub fn check_image(&self, path: &Path, disk: Disk) {
        let clock = Clock::manual(TimestampMs(BEGIN.0 + 10_000_000));
        let directory = workload::open_directory(path, disk).expect("the directory opens");
        let living: Vec<&Life> = self.lives.iter().filter(|life| life.exists_at(self.at)).collect();
        for found in directory.partitions().expect("they can be listed") {
            let known = living.iter().find(|life| life.partition == found.topic_partition);
            if known.is_none_or(|life| found.topic_id.is_some_and(|id| id != life.id)) {
                directory.set_stray_aside(&found).expect("it can be renamed");
            }
        }
        directory.delete_due(clock.now()).expect("they can be removed");
        let mut logs = Vec::new();
        for life in living {
            let log =
                workload::open_log(&directory, life, &clock).unwrap_or_else(|e| panic!("{}: {e}", life.partition));
            logs.push((life, Arc::new(log)));
        }
        directory.note_running(|| logs.iter().map(|(_, log)| log.clone()).collect()).expect("the disk works");
        logs.iter().for_each(|(life, log)| self.check_log(life, log, &clock));
        let logs: Vec<Arc<Log>> = logs.into_iter().map(|(_, log)| log).collect();
        directory.checkpoint(&logs).expect("the disk works");
        directory.close(&logs).expect("it stops in order");
    }

    fn check_log(&self, life: &Life, log: &Log, clock: &Clock) {
        let positions = log.positions();
        let found = read_all(log, positions.log_start, positions.log_end);
        let promised = match self.crash {
            Crash::Kill => life.appended_at(self.at),
            Crash::PowerCut => life.durable_at(self.at),
        };
        assert!(positions.log_end >= promised, "{promised} was durable, the log ends at {}", positions.log_end);
        let start = life.start_at(self.at);
        assert!(positions.log_start <= start, "the log starts at {}, above {start}", positions.log_start);
        let ours = found.iter().take_while(|(info, _)| info.leader_epoch != AFTERWARDS).count();
        let (found, later) = found.split_at(ours);
        for (info, bytes) in found {
            let written = life.batches.iter().find(|batch| batch.base == info.base_offset);
            let written = written.unwrap_or_else(|| panic!("a batch at {} that nobody wrote", info.base_offset));
            assert!(written.began <= self.at, "a batch of the future");
            assert_eq!(bytes[16..], written.bytes[16..], "the batch at {}", info.base_offset);
            // A log start that was not written down yet is forgotten; the epochs below it are, too, and do not come back.
            if info.base_offset >= life.largest_start_at(self.at) {
                assert_eq!(log.epoch_at(info.base_offset), Some(info.leader_epoch), "epoch at {}", info.base_offset);
            }
            let at = log.offset_for_timestamp(info.max_timestamp, Bound::LogEnd).expect("the index works");
            assert!(at.is_some_and(|record| record.offset <= info.last_offset()), "a time is found");
        }
        if later.is_empty() {
            self.go_on(life, log, found, clock);
        }
    }

    /// Producers that were not answered send again, and those that were go on.
    fn go_on(&self, life: &Life, log: &Log, found: &[(BatchInfo, Vec<u8>)], clock: &Clock) {
        workload::lead(log, AFTERWARDS).expect("the disk works");
        for producer in [ProducerId(0), ProducerId(1)] {
            let of_producer = |info: &BatchInfo| info.producer_id == producer;
            let there: Vec<&(BatchInfo, Vec<u8>)> = found.iter().filter(|(info, _)| of_producer(info)).collect();
            for (info, _) in there.iter().rev().take(5).rev() {
                let again = life.batches.iter().find(|batch| batch.base == info.base_offset).expect("it was found");
                let outcome = workload::append(log, std::slice::from_ref(&again.bytes), clock.now()).0;
                let is_known =
                    matches!(outcome[0], Outcome::Duplicate { base_offset, .. } if base_offset == again.base);
                assert!(is_known, "{outcome:?} for the batch at {}", again.base);
            }
            let Some((last, _)) = there.last() else { continue };
            let next = life.batches.iter().find(|batch| of_producer(&batch.info) && batch.base > last.base_offset);
            if let Some(next) = next {
                let end = log.positions().log_end;
                let outcome = workload::append(log, std::slice::from_ref(&next.bytes), clock.now()).0;
                let is_new = matches!(outcome[0], Outcome::Appended { base_offset, .. } if base_offset == end);
                assert!(is_new, "{outcome:?} for the batch that was lost, at {end}");
            }
        }
    }
}

fn last(events: &[Event], at: usize) -> Vec<String> {
    let short = |event: &Event| match event {
        Event::Write { id, position, bytes } => format!("Write {id} {position}+{}", bytes.len()),
        other => format!("{other:?}"),
    };
    events[at.saturating_sub(6)..at].iter().map(short).collect()
}

/// All batches in a range of offsets, each looked up by itself, then in one walk.
fn read_all(log: &Log, start: Offset, end: Offset) -> Vec<(BatchInfo, Vec<u8>)> {
    let mut found = Vec::new();
    let mut next = start;
    while next < end {
        let read = log.read(next, 1, Bound::LogEnd, Minimum::OneBatch).expect("the log can be read");
        let bytes = match read.slice.expect("there is a batch below the end") {
            Slice::Mapped(bytes) => bytes.to_vec(),
            Slice::File(slice) => {
                let mut bytes = Vec::new();
                slice.read_into(&mut bytes).expect("the file can be read");
                bytes
            }
        };
        let view = BatchView::parse(&bytes).expect("a whole batch");
        assert!(view.verify_crc(), "the batch at {next} is intact");
        let info = view.info();
        assert_eq!(view.bytes().len(), bytes.len(), "one batch");
        let follows = info.base_offset == next || (found.is_empty() && info.base_offset < next);
        assert!(follows && info.next_offset() > next, "at {next} lies {}", info.base_offset);
        next = info.next_offset();
        found.push((info, bytes));
    }
    assert_eq!(next.max(start), end, "the last batch ends where the log does");
    found
}
