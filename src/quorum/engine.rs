//! The types and settings with which openraft is run.
//!
//! Invariants: an entry names the index of the change it was decided on; format versions only rise.

use crate::metadata::Record;
use openraft::{BasicNode, Config, SnapshotPolicy};
use serde::{Deserialize, Serialize};

/// The newest format of entries, of the log, the vote and of snapshots that this version knows and writes. 2 added
/// the levels of features and the settings of clients' metrics.
pub(super) const FORMAT: u32 = 2;

openraft::declare_raft_types!(
    /// What openraft works with.
    pub(super) Engine:
        D = Change,
        R = Verdict,
        NodeId = u64,
        Node = BasicNode,
        SnapshotData = Vec<u8>,
);

pub(super) type Entry = openraft::Entry<Engine>;
pub(super) type LogId = openraft::LogId<u64>;
pub(super) type Vote = openraft::Vote<u64>;
pub(super) type Membership = openraft::StoredMembership<u64, BasicNode>;
pub(super) type SnapshotMeta = openraft::SnapshotMeta<u64, BasicNode>;
pub(super) type Snapshot = openraft::Snapshot<Engine>;
pub(super) type StorageError = openraft::StorageError<u64>;
pub(super) type StorageIOError = openraft::StorageIOError<u64>;
pub(super) type Raft = openraft::Raft<Engine>;

/// One change: records that take effect together or not at all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Change {
    /// The format of this entry.
    pub format: u32,
    /// The index of the image that the records were decided on.
    pub decided_on: u64,
    /// The records.
    pub records: Vec<Record>,
}

/// What applying an entry came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Verdict {
    /// The image changed.
    Changed,
    /// Another change came between the decision and its entry: nothing changed.
    Stale,
    /// The engine's own entry.
    Nothing,
}

/// When snapshots are made, and what they leave of the log.
#[derive(Clone, Copy, Debug)]
pub(super) struct Retention {
    /// A snapshot after this many entries…
    pub snapshot_every: u64,
    /// … or when the log has grown by this many bytes: entries may hold thousands of partitions.
    pub snapshot_bytes: u64,
    /// How many entries a snapshot leaves in the log: for followers that are a little behind, so none without any.
    pub entries_kept: u64,
}

impl Default for Retention {
    fn default() -> Self {
        Retention { snapshot_every: 2000, snapshot_bytes: 16 << 20, entries_kept: 0 }
    }
}

/// The settings of a group of one voter, which needs no ticks.
///
/// `enable_tick: false` alone does not let the process sleep: the ticker of 0.9.25 keeps its rhythm and only discards the
/// tick. So the rhythm (one and a half heartbeats) is of days.
pub(super) fn single_voter(retention: Retention) -> Config {
    const DAY_MS: u64 = 24 * 60 * 60 * 1000;
    Config {
        cluster_name: "klamm".into(),
        enable_tick: false,
        enable_heartbeat: false,
        enable_elect: false,
        heartbeat_interval: 30 * DAY_MS,
        election_timeout_min: 60 * DAY_MS,
        election_timeout_max: 90 * DAY_MS,
        install_snapshot_timeout: 30_000,
        max_payload_entries: 300,
        snapshot_policy: SnapshotPolicy::LogsSinceLast(retention.snapshot_every),
        max_in_snapshot_log_to_keep: retention.entries_kept,
        ..Config::default()
    }
}
