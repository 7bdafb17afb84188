//! `klamm release`: makes a data directory of ours one of Apache Kafka's.
//!
//! Invariants:
//! * exit code 0 when it was released, or could be; 1 when not, with everything that stands against it;
//! * with `--dry-run` nothing is changed.

use super::FAILED;
use crate::adoption::{self, Released};
use crate::runtime::Clock;
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub(super) struct Arguments {
    /// The data directory of a Klamm that was stopped in order.
    directory: PathBuf,
    /// Say what would be done, and do nothing.
    #[arg(long)]
    dry_run: bool,
}

/// Does what was asked for.
pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let directory = &arguments.directory;
    let (outcome, verb) = if arguments.dry_run {
        (adoption::plan_release(directory), "can be released")
    } else {
        (adoption::release(directory, &Clock::system()), "is Apache Kafka's now")
    };
    match outcome {
        Err(error) => {
            eprintln!("klamm: {}: {error}", directory.display());
            ExitCode::from(FAILED)
        }
        Ok(Released { cluster_id, node_id, topics, partitions }) => {
            println!(
                "{} {verb}: node {node_id} of cluster {cluster_id}, {topics} topics with {partitions} partitions",
                directory.display()
            );
            ExitCode::SUCCESS
        }
    }
}
