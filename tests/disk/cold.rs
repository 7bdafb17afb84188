//! Records that are not in memory, on a disk that takes as long as the test wants: who reads them waits, nobody else does.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex, OnceLock};
use std::time::{Duration, Instant};

use klamm::runtime::{Disk, DiskWatcher, Reach, not_in_memory};

use super::broker::{InProcess, config};
use super::support::batch::Batch;
use super::support::raw::Client;
use super::support::requests::{Topic, fetch, fetch_request, metadata_request, produce_at, values};

/// How many reads wait for the disk at a time, as the broker says.
const AT_ONCE_MAX: usize = 4;
/// More than may wait for the disk, and more than there are workers.
const READERS: usize = 7;
const PATIENCE: Duration = Duration::from_secs(15);

/// Of the records of one folder no more than `warm_bytes` at a time are in memory; other reads wait until the disk works.
#[derive(Debug, Default)]
struct ColdFolder {
    folder: OnceLock<String>,
    warm_bytes: u64,
    disk: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    works: bool,
    waiting: usize,
    waiting_at_most: usize,
    reads: usize,
}

impl ColdFolder {
    fn holds(&self, file: &File) -> io::Result<bool> {
        let folder = self.folder.get().map_or("none", String::as_str);
        Ok(super::path_of(file)?.parent().is_some_and(|parent| parent.ends_with(folder)))
    }

    fn set_works(&self) {
        self.disk.lock().expect("nobody panics with it").works = true;
        self.changed.notify_all();
    }

    fn wait_until(&self, holds: impl Fn(&State) -> bool) {
        let state = self.disk.lock().expect("nobody panics with it");
        let waited = self.changed.wait_timeout_while(state, PATIENCE, |state| !holds(state));
        let (state, _) = waited.expect("nobody panics with it");
        assert!(holds(&state), "{state:?}");
    }
}

impl DiskWatcher for ColdFolder {
    fn reads(&self, file: &File, range: Range<u64>, reach: Reach) -> io::Result<()> {
        if range.end - range.start <= self.warm_bytes || !self.holds(file)? {
            return Ok(());
        }
        if reach == Reach::Memory {
            return Err(not_in_memory());
        }
        let mut state = self.disk.lock().expect("nobody panics with it");
        state.reads += 1;
        state.waiting += 1;
        state.waiting_at_most = state.waiting_at_most.max(state.waiting);
        self.changed.notify_all();
        let waited = self.changed.wait_timeout_while(state, PATIENCE, |state| !state.works);
        let (mut state, timed_out) = waited.expect("nobody panics with it");
        state.waiting -= 1;
        assert!(!timed_out.timed_out(), "the disk never worked again");
        Ok(())
    }
}

/// A broker with a topic whose records are on the disk, and another one's in memory.
fn start(root: &tempfile::TempDir, cold_value: &str, warm_bytes: u64) -> (Arc<ColdFolder>, InProcess, Topic, Topic) {
    let watcher = Arc::new(ColdFolder { warm_bytes, ..ColdFolder::default() });
    let broker = InProcess::start(config(root.path(), &[]), Disk::watched(watcher.clone()));
    let mut client = Client::connect(broker.address());
    // Acknowledged when they are on the disk: from then on they may leave the memory.
    let cold = Topic::create(&mut client, 1, &[("flush.messages", "1")]);
    let other = Topic::create(&mut client, 1, &[("flush.messages", "1")]);
    produce_at(&mut client, &cold, 0, Batch::of(&[cold_value]).build(), 0);
    produce_at(&mut client, &other, 0, Batch::of(&["value"]).build(), 0);
    watcher.folder.set(format!("{}-0", cold.name.as_str())).expect("it was not set");
    (watcher, broker, cold, other)
}

fn reads_stuck_on_the_disk_delay_nobody_else(cold_value: &str, warm_bytes: u64) {
    let root = tempfile::tempdir_in(super::fast_room()).expect("there is room");
    let (watcher, broker, cold, other) = start(&root, cold_value, warm_bytes);
    let mut readers: Vec<_> = (0..READERS).map(|_| Client::connect(broker.address())).collect();
    readers.iter_mut().for_each(|reader| reader.send(&fetch_request(12, &cold, &[(0, 0)]), 12));
    watcher.wait_until(|state| state.waiting == AT_ONCE_MAX);

    let mut client = Client::connect(broker.address());
    for i in 1..20 {
        assert_eq!(client.call(&metadata_request(&[&cold.name]), 12).topics[0].error_code, 0);
        produce_at(&mut client, &other, 0, Batch::of(&["more"]).build(), i);
        assert_eq!(fetch(&mut client, 12, &other, 0, 0).high_watermark, i + 1);
        produce_at(&mut client, &cold, 0, Batch::of(&["more"]).build(), i);
    }
    watcher.wait_until(|state| state.waiting == AT_ONCE_MAX);

    watcher.set_works();
    for reader in &mut readers {
        let response = reader.receive::<kafka_protocol::messages::FetchRequest>(12);
        let partition = super::support::requests::the_partition(response, 12, &cold);
        assert_eq!(values(&partition)[0], cold_value);
    }
    assert_eq!(watcher.disk.lock().expect("nobody panics with it").waiting_at_most, AT_ONCE_MAX);
    broker.stop();
}

#[test]
fn small_reads_stuck_on_the_disk_delay_neither_metadata_nor_produce_nor_other_fetches() {
    reads_stuck_on_the_disk_delay_nobody_else("value", 0);
}

#[test]
fn slices_stuck_on_the_disk_delay_neither_metadata_nor_produce_nor_other_fetches() {
    // What is looked at to find them is in memory.
    reads_stuck_on_the_disk_delay_nobody_else(&"v".repeat(100_000), 50_000);
}

#[test]
fn clients_that_do_not_read_keep_no_turn_at_the_disk() {
    let root = tempfile::tempdir_in(super::fast_room()).expect("there is room");
    let (watcher, broker, cold, _) = start(&root, &"v".repeat(500_000), 0);
    watcher.set_works();
    let mut client = Client::connect(broker.address());
    // More than sockets take.
    (1..40).for_each(|i| produce_at(&mut client, &cold, 0, Batch::of(&[&*"v".repeat(500_000)]).build(), i));
    let mut request = fetch_request(12, &cold, &[(0, 0)]);
    request.max_bytes = 1 << 25;
    request.topics[0].partitions[0].partition_max_bytes = 1 << 25;
    let mut stalled: Vec<_> = (0..=AT_ONCE_MAX).map(|_| Client::connect(broker.address())).collect();
    for reader in &mut stalled {
        reader.send(&request, 12);
        reader.wait_for_bytes();
    }
    let before = watcher.disk.lock().expect("nobody panics with it").reads;
    let since = Instant::now();
    let mut next = 0;
    while next < 40 {
        let found = values(&fetch(&mut client, 12, &cold, 0, next)).len();
        assert!(found > 0 && since.elapsed() < PATIENCE, "{found} records at {next}");
        next += found as i64;
    }
    let state = watcher.disk.lock().expect("nobody panics with it");
    assert!(state.reads > before && state.waiting == 0, "{state:?}");
    drop(state);
    drop(stalled);
    broker.stop();
}
