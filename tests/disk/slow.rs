//! A disk on which each write of a partition takes 50 ms: its producers wait for it, nobody else does.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use klamm::runtime::{Change, Disk, DiskWatcher};

use super::broker::{InProcess, config};
use super::support::batch::Batch;
use super::support::raw::Client;
use super::support::requests::{Topic, fetch, metadata_request, produce, produce_request};

const WRITE: Duration = Duration::from_millis(50);
const OTHERS_MAX: Duration = Duration::from_millis(10);
/// More than there are workers.
const PRODUCERS: usize = 6;
const LOOKS: usize = 200;

/// Lets each write to a folder's logs take its time.
#[derive(Debug)]
struct Slow {
    folder: OnceLock<String>,
}

impl DiskWatcher for Slow {
    fn before(&self, change: &Change<'_>) -> io::Result<()> {
        if let Change::Write { file, .. } = change {
            let path = super::path_of(file)?;
            if path.parent().is_some_and(|folder| folder.ends_with(self.folder.get().map_or("none", String::as_str))) {
                std::thread::sleep(WRITE);
            }
        }
        Ok(())
    }
}

/// What half of them, nine of ten and 99 of 100 took at most.
fn quantiles(mut times: Vec<Duration>) -> [Duration; 3] {
    times.sort();
    [50, 90, 99].map(|share| times[times.len() * share / 100])
}

#[test]
fn writes_that_take_50_ms_delay_neither_metadata_nor_fetches_of_other_partitions() {
    let root = tempfile::tempdir_in(super::fast_room()).expect("there is room");
    let watcher = Arc::new(Slow { folder: OnceLock::new() });
    let broker = InProcess::start(config(root.path(), &[]), Disk::watched(watcher.clone()));
    let mut client = Client::connect(broker.address());
    let slow = Topic::create(&mut client, 1, &[]);
    watcher.folder.set(format!("{}-0", slow.name.as_str())).expect("it was not set");
    let quick = Topic::create(&mut client, 1, &[]);
    produce(&mut client, 9, &quick, 0, Batch::of(&["value"]).build());

    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let producers: Vec<_> = (0..PRODUCERS)
            .map(|_| {
                scope.spawn(|| {
                    let mut client = Client::connect(broker.address());
                    let mut appended = 0;
                    while !is_over.load(Ordering::Relaxed) {
                        let request = produce_request(9, &slow, &[(0, Batch::of(&["value"]).build())]);
                        let response = client.call(&request, 9);
                        assert_eq!(response.responses[0].partition_responses[0].error_code, 0);
                        appended += 1;
                    }
                    appended
                })
            })
            .collect();
        // The first writes are on the workers: that they are slow is known after them.
        let deadline = Instant::now() + Duration::from_secs(10);
        while fetch(&mut client, 12, &slow, 0, 0).high_watermark < PRODUCERS as i64 {
            assert!(Instant::now() < deadline, "nothing is appended");
        }
        let (mut looks, mut fetches) = (Vec::new(), Vec::new());
        for _ in 0..LOOKS {
            let since = Instant::now();
            client.call(&metadata_request(&[&quick.name]), 12);
            looks.push(since.elapsed());
            let since = Instant::now();
            assert_eq!(fetch(&mut client, 12, &quick, 0, 0).high_watermark, 1);
            fetches.push(since.elapsed());
            std::thread::sleep(Duration::from_millis(2));
        }
        is_over.store(true, Ordering::Relaxed);
        let appended: usize = producers.into_iter().map(|producer| producer.join().expect("it did not fail")).sum();
        let (looks, fetches) = (quantiles(looks), quantiles(fetches));
        println!("Metadata took {looks:?}, Fetch {fetches:?} (50, 90, 99 of 100) beside {appended} slow appends");
        assert!(appended > PRODUCERS, "{appended} appends");
        // One in ten may have waited for a processor instead.
        assert!(looks[1] < OTHERS_MAX && fetches[1] < OTHERS_MAX, "{looks:?}, {fetches:?}");
    });
    broker.stop();
}
