//! The settings of remote storage, which is not there.
//!
//! Invariants: names, types, defaults and bounds are those of `AbstractKafkaConfig.CONFIG_DEF` in Apache Kafka 4.3; sorted by
//! name.

use crate::config::check::Check;
use crate::config::setting::{Kind, Setting, Update};

const REMOTE: &str = "There is no remote storage: leave it out.";
const REMOTE_TUNING: &str = "There is no remote storage to tune; turning it on is refused.";
const LOCAL_RETENTION: &str =
    "There is no remote storage: leave it out, and set log.retention.ms or log.retention.bytes.";

pub(super) static SETTINGS: &[Setting] = &[
    Setting::refused("follower.fetch.last.tiered.offset.enable", Kind::Boolean, Some("false"), REMOTE)
        .updated(Update::ClusterWide),
    Setting::refused("log.local.retention.bytes", Kind::Long, Some("-2"), LOCAL_RETENTION)
        .at_least(-2)
        .updated(Update::ClusterWide),
    Setting::refused("log.local.retention.ms", Kind::Long, Some("-2"), LOCAL_RETENTION)
        .at_least(-2)
        .updated(Update::ClusterWide),
    Setting::accepted("remote.fetch.max.wait.ms", Kind::Int, Some("500"), REMOTE_TUNING)
        .at_least(1)
        .updated(Update::ClusterWide),
    Setting::accepted("remote.list.offsets.request.timeout.ms", Kind::Long, Some("30000"), REMOTE_TUNING)
        .at_least(1)
        .updated(Update::ClusterWide),
    Setting::accepted("remote.log.index.file.cache.total.size.bytes", Kind::Long, Some("1073741824"), REMOTE_TUNING)
        .at_least(1)
        .updated(Update::ClusterWide),
    Setting::accepted("remote.log.manager.copier.thread.pool.size", Kind::Int, Some("10"), REMOTE_TUNING)
        .at_least(1)
        .updated(Update::ClusterWide),
    Setting::accepted(
        "remote.log.manager.copy.max.bytes.per.second",
        Kind::Long,
        Some("9223372036854775807"),
        REMOTE_TUNING,
    )
    .at_least(1)
    .updated(Update::ClusterWide),
    Setting::accepted("remote.log.manager.copy.quota.window.num", Kind::Int, Some("11"), REMOTE_TUNING).at_least(1),
    Setting::accepted("remote.log.manager.copy.quota.window.size.seconds", Kind::Int, Some("1"), REMOTE_TUNING)
        .at_least(1),
    Setting::accepted("remote.log.manager.expiration.thread.pool.size", Kind::Int, Some("10"), REMOTE_TUNING)
        .at_least(1)
        .updated(Update::ClusterWide),
    Setting::accepted(
        "remote.log.manager.fetch.max.bytes.per.second",
        Kind::Long,
        Some("9223372036854775807"),
        REMOTE_TUNING,
    )
    .at_least(1)
    .updated(Update::ClusterWide),
    Setting::accepted("remote.log.manager.fetch.quota.window.num", Kind::Int, Some("11"), REMOTE_TUNING).at_least(1),
    Setting::accepted("remote.log.manager.fetch.quota.window.size.seconds", Kind::Int, Some("1"), REMOTE_TUNING)
        .at_least(1),
    Setting::accepted("remote.log.manager.follower.thread.pool.size", Kind::Int, Some("2"), REMOTE_TUNING)
        .at_least(1)
        .updated(Update::ClusterWide),
    Setting::accepted("remote.log.manager.task.interval.ms", Kind::Long, Some("30000"), REMOTE_TUNING).at_least(1),
    Setting::accepted("remote.log.manager.thread.pool.size", Kind::Int, Some("2"), REMOTE_TUNING).at_least(1),
    Setting::accepted("remote.log.metadata.custom.metadata.max.bytes", Kind::Int, Some("128"), REMOTE_TUNING)
        .at_least(0),
    Setting::refused(
        "remote.log.metadata.manager.class.name",
        Kind::String,
        Some("org.apache.kafka.server.log.remote.metadata.storage.TopicBasedRemoteLogMetadataManager"),
        REMOTE,
    )
    .checked(Check::NotEmpty),
    Setting::refused("remote.log.metadata.manager.class.path", Kind::String, None, REMOTE),
    Setting::accepted("remote.log.metadata.manager.impl.prefix", Kind::String, Some("rlmm.config."), REMOTE_TUNING)
        .checked(Check::NotEmpty),
    Setting::accepted("remote.log.metadata.manager.listener.name", Kind::String, None, REMOTE_TUNING)
        .checked(Check::NotEmpty),
    Setting::accepted("remote.log.reader.max.pending.tasks", Kind::Int, Some("100"), REMOTE_TUNING).at_least(1),
    Setting::accepted("remote.log.reader.threads", Kind::Int, Some("10"), REMOTE_TUNING)
        .at_least(1)
        .updated(Update::ClusterWide),
    Setting::refused("remote.log.storage.manager.class.name", Kind::String, None, REMOTE).checked(Check::NotEmpty),
    Setting::refused("remote.log.storage.manager.class.path", Kind::String, None, REMOTE),
    Setting::accepted("remote.log.storage.manager.impl.prefix", Kind::String, Some("rsm.config."), REMOTE_TUNING)
        .checked(Check::NotEmpty),
    Setting::refused("remote.log.storage.system.enable", Kind::Boolean, Some("false"), REMOTE),
];
