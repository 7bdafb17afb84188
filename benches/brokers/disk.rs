//! Producers beside work for the disk: a consumer whose records are not in the page cache, and segments that are deleted.
//!
//! The same acknowledgements are measured alone and beside it in one run, and compared with each other. What was to happen
//! beside them must have happened: records were read from the disk, files are gone before the measured time is over.

use crate::Result;
use crate::cold::Admin;
use crate::fetch;
use crate::latency::{self, Pace};
use crate::peer::Peer;
use crate::produce::{self, Load};
use crate::report::Better::{Higher, Lower};
use crate::report::Bound::Value;
use crate::report::Compared::Median;
use crate::report::Figure;
use crate::rows::{Bench, Row, figure, latency, row};
use crate::wire::{BATCH_64K, RECORD_1K};
use rustix::fs::{Advice, fadvise, fdatasync};
use std::fs::File;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const COLD_BYTES: u64 = 1_500_000_000;
const DELETED_BYTES: u64 = 4 << 30;
const PACE: Pace = Pace { content: RECORD_1K, per_second: 5000, time: Duration::from_secs(4) };
/// The deletion begins when the warm-up of the acknowledgements is over.
const DELETES_AFTER: Duration = Duration::from_secs(1);

pub const ROWS: &[Row] = &[
    row("cold-1", "acknowledgement at 5,000/s of 1 KB beside 1 consumer that reads from the disk", COLD, |b, p| {
        beside_cold_consumers(b, p, 1)
    }),
    row("cold-2", "the same, 2 consumers", COLD, |b, p| beside_cold_consumers(b, p, 2)),
    Row {
        is_repeated: false,
        ..row(
            "retention",
            "acknowledgement at 5,000/s of 1 KB beside the deletion of 4 segments of 1 GiB",
            RETENTION,
            beside_deletion,
        )
    },
];

const COLD: &[Figure] = &[
    latency("p99 alone", &[]),
    latency("p99 beside it", &[]),
    figure("p99, beside ÷ alone", "times", Lower, Median, &[Value(5.0)]),
    figure("consumers", "MB/s", Higher, Median, &[]),
];

const RETENTION: &[Figure] = &[
    latency("p99 alone", &[]),
    latency("p99 beside it", &[]),
    figure("p99, beside ÷ alone", "times", Lower, Median, &[Value(2.0)]),
];

fn beside_cold_consumers(bench: &mut Bench, peer: &Peer, consumers: usize) -> Result<Vec<f64>> {
    let cold = format!("cold-{consumers}");
    let measured = beside_filled_topic(bench, peer, &cold, COLD_BYTES, |topic| {
        drop_from_page_cache(peer, &cold)?;
        let alone = p99(peer, topic)?;
        let is_over = AtomicBool::new(false);
        let (beside, megabytes_per_second) = std::thread::scope(|scope| {
            let reading = scope.spawn(|| read_cold(peer, &cold, consumers, &is_over).map_err(|e| e.to_string()));
            let beside = p99(peer, topic);
            is_over.store(true, Ordering::Relaxed);
            (beside, reading.join().expect("the consumers do not panic"))
        });
        let beside = beside?;
        Ok(vec![alone, beside, beside / alone, megabytes_per_second?])
    });
    Admin::connect(peer.address)?.delete_topic(&cold)?;
    peer.wait_until_gone(&cold)?;
    measured
}

/// Does something with an empty topic while another one is full, and on the disk.
fn beside_filled_topic(
    bench: &mut Bench,
    peer: &Peer,
    filled: &str,
    bytes: u64,
    action: impl FnOnce(&str) -> Result<Vec<f64>>,
) -> Result<Vec<f64>> {
    bench.with_topic(peer, bytes, 1, &[], |topic| {
        let settings = [("file.delete.delay.ms", "0"), ("segment.bytes", "1073741824")];
        Admin::connect(peer.address)?.create_topic(filled, 1, &settings)?;
        let load = Load { bytes_max: bytes, time_max: Duration::from_secs(120), ..Load::single(BATCH_64K, 8) };
        produce::run(peer, filled, &load)?;
        // What is still to be written would slow down what is measured.
        for path in logs(peer, filled)? {
            fdatasync(File::open(path)?)?;
        }
        action(topic)
    })
}

/// Reads all of the topic from the disk, and again until it is over. Megabytes per second.
fn read_cold(peer: &Peer, topic: &str, consumers: usize, is_over: &AtomicBool) -> Result<f64> {
    let (mut bytes, mut time) = (0, Duration::ZERO);
    while !is_over.load(Ordering::Relaxed) {
        drop_from_page_cache(peer, topic)?;
        let before = peer.bytes_read_from_disk()?;
        let fetched = fetch::whole(peer, topic, consumers)?;
        let read = peer.bytes_read_from_disk()? - before;
        if read < COLD_BYTES / 2 {
            return Err(format!("{read} bytes of {COLD_BYTES} were read from the disk: the topic was not cold").into());
        }
        bytes += fetched.bytes;
        time += fetched.time;
    }
    Ok(bytes as f64 / 1e6 / time.as_secs_f64())
}

/// What is mapped by the broker stays: the end of an active segment may.
fn drop_from_page_cache(peer: &Peer, topic: &str) -> Result<()> {
    for path in logs(peer, topic)? {
        let file = File::open(path)?;
        fdatasync(&file)?;
        fadvise(&file, 0, None, Advice::DontNeed)?;
    }
    Ok(())
}

/// The files of a topic's records: in folders by partition, or one beside the other.
fn logs(peer: &Peer, topic: &str) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(peer.data())? {
        let entry = entry?;
        if !entry.file_name().to_string_lossy().starts_with(&format!("{topic}-")) {
            continue;
        }
        match entry.file_type()?.is_dir() {
            true => {
                for file in std::fs::read_dir(entry.path())? {
                    found.push(file?.path());
                }
            }
            false => found.push(entry.path()),
        }
    }
    found.retain(|path| path.extension().is_some_and(|ending| ending == "log"));
    match found.is_empty() {
        true => Err(format!("{} has no files of {topic}", peer.name).into()),
        false => Ok(found),
    }
}

fn beside_deletion(bench: &mut Bench, peer: &Peer) -> Result<Vec<f64>> {
    const DELETED: &str = "deleted";
    beside_filled_topic(bench, peer, DELETED, DELETED_BYTES, |topic| {
        let alone = p99(peer, topic)?;
        let ends_at = Instant::now() + PACE.time;
        let (beside, deleted) = std::thread::scope(|scope| {
            let deleting = scope.spawn(|| delete(peer, DELETED, ends_at).map_err(|e| e.to_string()));
            (p99(peer, topic), deleting.join().expect("the deletion does not panic"))
        });
        deleted?;
        let beside = beside?;
        Ok(vec![alone, beside, beside / alone])
    })
}

fn delete(peer: &Peer, topic: &str, until: Instant) -> Result<()> {
    std::thread::sleep(DELETES_AFTER);
    Admin::connect(peer.address)?.delete_topic(topic)?;
    peer.wait_until_gone(topic)?;
    match Instant::now() < until {
        true => Ok(()),
        false => Err("the files were not deleted within the measured time".into()),
    }
}

fn p99(peer: &Peer, topic: &str) -> Result<f64> {
    Ok(latency::acknowledgements(peer, topic, &PACE)?.quantile(0.99))
}
