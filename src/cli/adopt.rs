//! `klamm adopt`: takes over a data directory of Apache Kafka.
//!
//! Invariants:
//! * exit code 0 when it was taken over, or could be; 1 when not, with everything that stands against it;
//! * with `--dry-run` nothing is changed.

use super::FAILED;
use crate::adoption::{self, Error, Plan};
use crate::runtime::Clock;
use clap::Args;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub(super) struct Arguments {
    /// The data directory (log.dirs) of an Apache Kafka 4 that was stopped in order.
    directory: PathBuf,
    /// Say what would be done, and do nothing.
    #[arg(long)]
    dry_run: bool,
}

/// Does what was asked for.
pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let (directory, clock) = (&arguments.directory, Clock::system());
    let outcome = if arguments.dry_run { adoption::plan(directory, &clock) } else { take_over(directory, &clock) };
    match outcome {
        Err(error) => {
            eprintln!("klamm: {}: {error}", directory.display());
            ExitCode::from(FAILED)
        }
        Ok(plan) => {
            for note in &plan.notes {
                eprintln!("note: {note}");
            }
            let verb = if arguments.dry_run { "can be taken over" } else { "is taken over" };
            let Plan { cluster_id, node_id, topics, partitions, .. } = &plan;
            println!(
                "{} {verb}: node {node_id} of cluster {cluster_id}, {topics} topics with {partitions} partitions",
                directory.display()
            );
            ExitCode::SUCCESS
        }
    }
}

fn take_over(directory: &Path, clock: &Clock) -> Result<Plan, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Error::Quorum(error.to_string()))?;
    runtime.block_on(adoption::take_over(directory, clock))
}
