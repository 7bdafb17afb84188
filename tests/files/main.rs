//! Kafka's files, both ways: what Apache Kafka's own programs make of what we wrote.
//!
//! * `workload.rs` fills a broker of ours with all that a log can hold, and remembers it.
//! * Without a JDK or Maven the tests are skipped, and said so on standard error.

#[path = "../support/mod.rs"]
mod support;

mod dump_log;
mod release;
mod workload;

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

/// The files of a folder that end so, in the order of their names.
fn files_in(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("the folder can be listed");
    let paths = entries.map(|entry| entry.expect("the folder can be listed").path());
    let mut files: Vec<_> = paths.filter(|path| path.extension().is_some_and(|found| found == ending)).collect();
    files.sort();
    files
}
