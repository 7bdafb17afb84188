//! A disk that refuses one change: whatever it was, nothing that was acknowledged is lost, no other log suffers, and a
//! full disk alone takes no log offline where it is noticed before the first byte.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use klamm::runtime::{Change, Disk, DiskWatcher};

use super::image::Crash;
use super::power_cuts::Strike;
use super::recorder::Recorder;
use super::support::random::{Random, seed};
use super::workload::{Disks, Workload};
use super::{fast_room, rounds};

/// So many steps make a life: some hundred changes.
const STEPS: usize = 150;
/// One of so many changes is tried in each round.
const STRIDE: usize = 6;

/// Refuses the changes from number `at` on of those that it may refuse, so many of them.
#[derive(Debug)]
struct Refusing {
    recorder: Arc<Recorder>,
    error: Refusal,
    at: usize,
    count: usize,
    seen: AtomicUsize,
    has_refused: AtomicBool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    /// Whatever needs blocks.
    Full,
    /// Whatever can fail.
    Broken,
}

impl Refusing {
    fn refuses(&self, change: &Change<'_>) -> bool {
        match change {
            Change::CreateFile(_) | Change::CreateFolder(_) | Change::Allocate { .. } | Change::Reserve { .. } => true,
            Change::Write { .. } | Change::Rename { .. } => true,
            Change::SetLength { .. } | Change::SyncFile(_) | Change::SyncFolder(_) => self.error == Refusal::Broken,
            Change::RemoveFile(_) | Change::RemoveFolder(_) => self.error == Refusal::Broken,
        }
    }
}

impl DiskWatcher for Refusing {
    fn before(&self, change: &Change<'_>) -> io::Result<()> {
        if self.refuses(change) && (self.at..self.at + self.count).contains(&self.seen.fetch_add(1, Ordering::Relaxed))
        {
            self.has_refused.store(true, Ordering::Relaxed);
            return Err(match self.error {
                Refusal::Full => io::ErrorKind::StorageFull.into(),
                Refusal::Broken => io::Error::from_raw_os_error(5),
            });
        }
        self.recorder.before(change)
    }

    fn after(&self, change: &Change<'_>) {
        self.recorder.after(change);
    }
}

/// What became of a life in which `count` changes from number `at` on were refused: whether one was, and how many logs went
/// offline.
fn live(seed: u64, error: Refusal, at: usize, count: usize) -> (bool, usize) {
    let root = tempfile::tempdir_in(fast_room()).expect("there is room");
    let recorder = Recorder::new(root.path());
    let (seen, has_refused) = (AtomicUsize::new(0), AtomicBool::new(false));
    let refusing = Arc::new(Refusing { recorder: recorder.clone(), error, at, count, seen, has_refused });
    let disk = Disk::watched(refusing.clone());
    let lives = Workload::new(root.path(), &recorder, disk, Disks::Refuse, seed).take_steps(STEPS);
    let end = recorder.count();
    Strike::new(&lives, end, Crash::Kill).check_image(root.path(), Disk::system());
    (refusing.has_refused.load(Ordering::Relaxed), lives.iter().filter(|life| life.is_offline).count())
}

fn refuse_each(error: Refusal, count: usize, offline_max: usize) {
    let seed = seed();
    let (mut refused, mut offline) = (0, 0);
    for round in 0..rounds(1) as u64 {
        // The number of changes is not known before: a life ends it by not getting there.
        let mut random = Random::new(seed, round);
        for at in 0.. {
            let at = at * STRIDE + random.below(STRIDE);
            let (has_refused, logs) = live(seed + round, error, at, count);
            assert!(
                logs <= offline_max,
                "{logs} logs went offline by {count} {error:?}, change {at} of seed {}",
                seed + round
            );
            offline += logs;
            refused += usize::from(has_refused);
            if !has_refused {
                break;
            }
        }
    }
    assert!(refused > 20, "{refused}");
    println!("{refused} lives with {count} changes refused as {error:?}; {offline} logs went offline");
}

#[test]
fn one_change_that_finds_the_disk_full_loses_nothing() {
    refuse_each(Refusal::Full, 1, 0);
}

#[test]
fn a_disk_that_is_full_for_a_while_loses_nothing() {
    refuse_each(Refusal::Full, 60, 0);
}

#[test]
fn one_change_that_fails_loses_nothing_and_takes_one_log_offline_at_most() {
    refuse_each(Refusal::Broken, 1, 1);
}
