//! Takes over a data directory that Apache Kafka 4 wrote: its topics, their settings and its identity become ours, the logs stay
//! where they lie. And gives one of ours to Apache Kafka in the same way.
//!
//! Invariants:
//! * a plan changes nothing; what is carried out is what was planned;
//! * what would be lost is refused: another node's replicas, access rules, partitions that are not there;
//! * what would be shown wrongly, transactions that are open or were aborted, stays offline: `storage` does not open such a log;
//! * a topic one of whose settings is not served keeps everything, until somebody sets its retention.
//!
//! Called by `cli`. Source: Kafka's metadata records, see `records`; `docs/operations.md` says how it is used.

mod encode;
mod plan;
mod records;
mod release;
mod state;

pub use release::{Released, plan_release, release};

use crate::metadata::Record;
use crate::quorum::{self, Quorum, QuorumConfig};
use crate::runtime::{Clock, Disk};
use crate::storage::{self, KafkaDirectory};
use crate::types::{BrokerId, ClusterId};
use state::State;
use std::path::Path;

/// Why a directory is not taken over. Nothing was changed, unless it says so.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The directory.
    #[error(transparent)]
    Storage(#[from] storage::Error),
    /// A record of Kafka's metadata.
    #[error("the record at offset {offset} of Apache Kafka's metadata log cannot be taken over: {reason}")]
    Record {
        /// Its offset.
        offset: i64,
        /// What is wrong with it.
        reason: String,
    },
    /// What Klamm cannot serve rightly.
    #[error("it cannot be done:{}", listed(.0))]
    Unservable(Vec<String>),
    /// Our metadata log.
    #[error("the metadata log cannot be made or read: {0}")]
    Quorum(String),
}

fn listed(reasons: &[String]) -> String {
    reasons.iter().map(|reason| format!("\n  {reason}")).collect()
}

impl From<quorum::Error> for Error {
    fn from(error: quorum::Error) -> Error {
        Error::Quorum(error.to_string())
    }
}

/// What taking over a directory comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The cluster, which stays.
    pub cluster_id: ClusterId,
    /// The node, which stays: `node.id` must say so.
    pub node_id: BrokerId,
    /// How many topics there are.
    pub topics: usize,
    /// How many partitions.
    pub partitions: usize,
    /// What becomes different, or is left out.
    pub notes: Vec<String>,
    records: Vec<Record>,
}

/// Looks at a directory and says what taking it over would do. Changes nothing.
///
/// # Errors
/// It cannot be taken over.
pub fn plan(path: &Path, clock: &Clock) -> Result<Plan, Error> {
    plan_of(&KafkaDirectory::open(path)?, clock)
}

fn plan_of(directory: &KafkaDirectory, clock: &Clock) -> Result<Plan, Error> {
    let mut state = State::default();
    directory.metadata_records(|offset, value| state.apply(offset, value))?;
    plan::of(directory, &state, clock.now())
}

/// Takes a directory over: makes a metadata log of ours and puts Kafka's aside.
///
/// # Errors
/// It cannot be taken over, or is in use; or something cannot be written, and all of it may be tried again.
pub async fn take_over(path: &Path, clock: &Clock) -> Result<Plan, Error> {
    let directory = KafkaDirectory::open_to_change(path)?;
    let plan = plan_of(&directory, clock)?;
    let config = QuorumConfig { node_id: plan.node_id, cluster_id: plan.cluster_id.clone(), disk: Disk::system() };
    let quorum = Quorum::open(&directory.room_for_metadata()?, config).await?;
    let decided_on = quorum.image().index;
    let proposed = quorum.propose(plan.records.clone(), decided_on).await;
    quorum.shutdown().await;
    proposed.map_err(|error| Error::Quorum(error.to_string()))?;
    directory.take_over()?;
    Ok(plan)
}
