//! Logs and brokers on disks that lose, tear and refuse: power cuts, kills at every change, full and broken disks.
//!
//! * A [`recorder`] notes each change and sync of a life; an [`image`] is one of what a crash may leave behind any of
//!   them. The life is lived once, and every point of it is struck.
//! * Random choices come from a seed that is printed and taken from `KLAMM_TEST_SEED`; `KLAMM_TEST_ROUNDS` says how many
//!   images are made of each point.

#[path = "../support/mod.rs"]
mod support;

mod broker;
mod broker_cuts;
mod cold;
mod failpoints;
mod failures;
mod image;
mod power_cuts;
mod recorder;
mod refusals;
mod slow;
mod workload;

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::PathBuf;

/// How many rounds to go: these, or `KLAMM_TEST_ROUNDS`.
fn rounds(unless_told: usize) -> usize {
    std::env::var("KLAMM_TEST_ROUNDS").map_or(unless_told, |rounds| rounds.parse().expect("rounds are a number"))
}

/// A folder in memory, where there is one: what is lost is up to the tests, and a sync of the real disk only takes time.
fn fast_room() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    if memory.is_dir() { memory } else { std::env::temp_dir() }
}

/// What an open file is called now.
fn path_of(file: &File) -> io::Result<PathBuf> {
    std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()))
}
