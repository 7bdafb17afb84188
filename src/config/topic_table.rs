//! A topic's settings as data: checking, resolving and DescribeConfigs follow this table.
//!
//! Invariants:
//! * names, types, bounds and the broker's names for the defaults are those of Apache Kafka 4.3 (`LogConfig`,
//!   `ServerTopicConfigSynonyms`);
//! * each has a broker's setting of the same type, whose value is its default;
//! * sorted by name.

use super::broker_table::{CLEANUP_POLICIES, CLEANUP_SERVED, COMPRESSION_SERVED, COMPRESSION_TYPES, TIMESTAMP_TYPES};
use super::setting::{Kind, Setting};

/// The setting of this name.
pub(super) fn find(name: &str) -> Option<&'static Setting> {
    SETTINGS.binary_search_by(|setting| setting.name.cmp(name)).ok().map(|index| &SETTINGS[index])
}

/// Names that Kafka takes and this broker does not serve yet.
pub(super) static NOT_SERVED: &[&str] = &[
    "compression.gzip.level",
    "compression.lz4.level",
    "compression.zstd.level",
    "delete.retention.ms",
    "flush.messages",
    "flush.ms",
    "follower.replication.throttled.replicas",
    "leader.replication.throttled.replicas",
    "local.retention.bytes",
    "local.retention.ms",
    "max.compaction.lag.ms",
    "min.cleanable.dirty.ratio",
    "min.compaction.lag.ms",
    "preallocate",
    "remote.log.copy.disable",
    "remote.log.delete.on.disable",
    "remote.storage.enable",
    "unclean.leader.election.enable",
];

/// All settings of a topic, sorted by name.
pub static SETTINGS: &[Setting] = &[
    Setting::topic(
        "cleanup.policy",
        "log.cleanup.policy",
        Kind::List,
        "What is done with old segments. delete removes them by age and size; an empty list keeps them for ever.",
    )
    .checked(CLEANUP_POLICIES)
    .served(CLEANUP_SERVED.0, CLEANUP_SERVED.1),
    Setting::topic(
        "compression.type",
        "compression.type",
        Kind::String,
        "How batches are compressed in the log; producer keeps what the producer chose.",
    )
    .checked(COMPRESSION_TYPES)
    .served(COMPRESSION_SERVED.0, COMPRESSION_SERVED.1),
    Setting::topic(
        "file.delete.delay.ms",
        "log.segment.delete.delay.ms",
        Kind::Long,
        "How long a deleted segment's files stay on disk, for those who are still reading them.",
    )
    .at_least(0),
    Setting::topic(
        "index.interval.bytes",
        "log.index.interval.bytes",
        Kind::Int,
        "Roughly one entry of the offset index is kept for this many bytes of log.",
    )
    .at_least(0),
    Setting::topic(
        "max.message.bytes",
        "message.max.bytes",
        Kind::Int,
        "The largest record batch that a producer may send.",
    )
    .at_least(0),
    Setting::topic(
        "message.timestamp.after.max.ms",
        "log.message.timestamp.after.max.ms",
        Kind::Long,
        "How far a record's timestamp may lie in the future of the broker's clock. Ignored with LogAppendTime.",
    )
    .at_least(0),
    Setting::topic(
        "message.timestamp.before.max.ms",
        "log.message.timestamp.before.max.ms",
        Kind::Long,
        "How far a record's timestamp may lie in the past of the broker's clock. Ignored with LogAppendTime.",
    )
    .at_least(0),
    Setting::topic(
        "message.timestamp.type",
        "log.message.timestamp.type",
        Kind::String,
        "Whether records keep their producer's time (CreateTime) or get the time of their append (LogAppendTime).",
    )
    .checked(TIMESTAMP_TYPES),
    Setting::topic(
        "min.insync.replicas",
        "min.insync.replicas",
        Kind::Int,
        "How many replicas must be in sync for a write with acks=all to be taken.",
    )
    .at_least(1),
    Setting::topic(
        "retention.bytes",
        "log.retention.bytes",
        Kind::Long,
        "The oldest segments of a partition are deleted while it stays at least this large without them; -1 sets no limit.",
    ),
    Setting::topic(
        "retention.ms",
        "log.retention.ms",
        Kind::Long,
        "How long records are kept, in milliseconds; -1 keeps them for ever.",
    )
    .at_least(-1),
    Setting::topic("segment.bytes", "log.segment.bytes", Kind::Int, "The size at which a segment is rolled.")
        .at_least(1 << 20),
    Setting::topic(
        "segment.index.bytes",
        "log.index.size.max.bytes",
        Kind::Int,
        "The largest offset index; a segment whose index is full is rolled.",
    )
    .at_least(4),
    Setting::topic(
        "segment.jitter.ms",
        "log.roll.jitter.ms",
        Kind::Long,
        "At most this much is taken off the age at which a segment is rolled, in milliseconds, at random.",
    )
    .at_least(0),
    Setting::topic("segment.ms", "log.roll.ms", Kind::Long, "The age at which a segment is rolled, in milliseconds.")
        .at_least(1),
];
