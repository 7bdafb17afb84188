//! The throttles of replication, which Kafka sets at run time only (`QuotaConfig.brokerQuotaConfigs`).
//!
//! Invariants: none of them is one of the names of a file, and none has a default; sorted by name.

use crate::config::setting::{Kind, Setting, Update};

const THROTTLE: &str = "A partition has one replica, so that nothing is replicated that could be throttled.";
const MOVES: &str = "There is one data directory, so that no replica moves from one to another.";

pub(in crate::config) static SETTINGS: &[Setting] = &[
    Setting::accepted("follower.replication.throttled.rate", Kind::Long, None, THROTTLE)
        .at_least(0)
        .updated(Update::ClusterWide),
    Setting::accepted("leader.replication.throttled.rate", Kind::Long, None, THROTTLE)
        .at_least(0)
        .updated(Update::ClusterWide),
    Setting::accepted("replica.alter.log.dirs.io.max.bytes.per.second", Kind::Long, None, MOVES)
        .at_least(0)
        .updated(Update::ClusterWide),
];
