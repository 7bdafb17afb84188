//! What is left after a broker was killed, stopped, damaged or ran out of disk: real processes, a raw client.
//!
//! * One file per way to end or to be hurt; each test has brokers of its own.
//! * Random moments and places come from a seed that is printed and taken from `KLAMM_TEST_SEED`.
//! * A sleep is a random moment to strike at, never a wait for a condition: those are asked for again until a deadline.

#[path = "../support/mod.rs"]
mod support;

mod damage;
mod epochs;
mod full_disk;
mod kills;
mod many_partitions;
mod producer;
mod retention;
mod stops;
mod topics;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Asks again until the answer is yes.
fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(Instant::now() < deadline, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The files with this ending in the partitions' folders of a data directory, in the order of their names.
fn files_in(data: &Path, ending: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for folder in entries_of(data).into_iter().filter(|path| path.is_dir()) {
        let is_partition = !folder.ends_with("__cluster_metadata-0");
        let wanted = |path: &PathBuf| is_partition && path.to_string_lossy().ends_with(ending);
        files.extend(entries_of(&folder).into_iter().filter(wanted));
    }
    files.sort();
    files
}

/// What is in a folder now.
fn entries_of(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("the folder can be listed");
    entries.map(|entry| entry.expect("the folder can be listed").path()).collect()
}

/// The bytes of all whole batches that a segment begins with: what follows is allocated ahead, or damage.
fn logical_bytes(log: &Path) -> u64 {
    let bytes = fs::read(log).expect("a segment can be read");
    let mut end = 0;
    while let Some(length) = bytes.get(end + 8..end + 12) {
        let size = 12 + i32::from_be_bytes(length.try_into().expect("four bytes")) as usize;
        if size <= 61 || end + size > bytes.len() {
            break;
        }
        end += size;
    }
    end as u64
}
