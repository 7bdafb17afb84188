//! A topic's settings as data: checking, resolving and DescribeConfigs follow this table.
//!
//! Invariants:
//! * names, types, bounds and the broker's names for the defaults are those of Apache Kafka 4.3 (`LogConfig`,
//!   `ServerTopicConfigSynonyms`);
//! * each that is served has a broker's setting of the same type, whose value is its default; of the others those that Kafka
//!   gives one;
//! * sorted by name.

use super::broker_table::{
    CLEANUP_POLICIES, CLEANUP_SERVED, COMPRESSION_TYPE, COMPRESSION_TYPES, LEVEL_GZIP, LEVEL_LZ4, LEVEL_ZSTD,
    TIMESTAMP_TYPES,
};
use super::check::Check;
use super::setting::{Kind, Setting};

/// The setting of this name.
pub(super) fn find(name: &str) -> Option<&'static Setting> {
    SETTINGS.binary_search_by(|setting| setting.name.cmp(name)).ok().map(|index| &SETTINGS[index])
}

const CLEANER: &str = "There is no log cleaner yet, and compacted topics are refused.";
const PREALLOCATE: &str = "Segments are allocated ahead of their use whatever it says.";
const THROTTLED: &str = "A partition has one replica, so that nothing is replicated that could be throttled.";
const REMOTE: &str = "There is no remote storage: leave it out.";
const LOCAL_RETENTION: &str = "There is no remote storage: leave it out, and set retention.ms or retention.bytes.";
const UNCLEAN: &str = "A partition has one replica, and no election among replicas can be unclean.";

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
    Setting::topic("compression.gzip.level", "compression.gzip.level", Kind::Int, LEVEL_GZIP)
        .checked(Check::BetweenOrUnset(1, 9)),
    Setting::topic("compression.lz4.level", "compression.lz4.level", Kind::Int, LEVEL_LZ4)
        .checked(Check::Between(1, 17)),
    Setting::topic("compression.type", "compression.type", Kind::String, COMPRESSION_TYPE).checked(COMPRESSION_TYPES),
    Setting::topic("compression.zstd.level", "compression.zstd.level", Kind::Int, LEVEL_ZSTD)
        .checked(Check::Between(-131_072, 22)),
    Setting::accepted("delete.retention.ms", Kind::Long, Some("86400000"), CLEANER)
        .at_least(0)
        .of_topic(Some("log.cleaner.delete.retention.ms")),
    Setting::topic(
        "file.delete.delay.ms",
        "log.segment.delete.delay.ms",
        Kind::Long,
        "How long a deleted segment's files stay on disk, for those who are still reading them.",
    )
    .at_least(0),
    Setting::topic(
        "flush.messages",
        "log.flush.interval.messages",
        Kind::Long,
        "A sync of a partition is due at this many records that are not on disk; the record that makes them so many is \
         acknowledged and read after it. 1 lets every acknowledgement wait for the disk.",
    )
    .at_least(1),
    Setting::topic(
        "flush.ms",
        "log.flush.interval.ms",
        Kind::Long,
        "How old records may become, in milliseconds, before they are synced; nothing waits for it.",
    )
    .at_least(0),
    Setting::accepted("follower.replication.throttled.replicas", Kind::List, Some(""), THROTTLED)
        .checked(Check::ThrottledReplicas)
        .of_topic(None),
    Setting::topic(
        "index.interval.bytes",
        "log.index.interval.bytes",
        Kind::Int,
        "Roughly one entry of the offset index is kept for this many bytes of log.",
    )
    .at_least(0),
    Setting::accepted("leader.replication.throttled.replicas", Kind::List, Some(""), THROTTLED)
        .checked(Check::ThrottledReplicas)
        .of_topic(None),
    Setting::refused("local.retention.bytes", Kind::Long, Some("-2"), LOCAL_RETENTION)
        .at_least(-2)
        .of_topic(Some("log.local.retention.bytes")),
    Setting::refused("local.retention.ms", Kind::Long, Some("-2"), LOCAL_RETENTION)
        .at_least(-2)
        .of_topic(Some("log.local.retention.ms")),
    Setting::accepted("max.compaction.lag.ms", Kind::Long, Some("9223372036854775807"), CLEANER)
        .at_least(1)
        .of_topic(Some("log.cleaner.max.compaction.lag.ms")),
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
    Setting::accepted("min.cleanable.dirty.ratio", Kind::Double, Some("0.5"), CLEANER)
        .checked(Check::Between(0, 1))
        .of_topic(Some("log.cleaner.min.cleanable.ratio")),
    Setting::accepted("min.compaction.lag.ms", Kind::Long, Some("0"), CLEANER)
        .at_least(0)
        .of_topic(Some("log.cleaner.min.compaction.lag.ms")),
    Setting::topic(
        "min.insync.replicas",
        "min.insync.replicas",
        Kind::Int,
        "How many replicas must be in sync for a write with acks=all to be taken.",
    )
    .at_least(1),
    Setting::accepted("preallocate", Kind::Boolean, Some("false"), PREALLOCATE).of_topic(Some("log.preallocate")),
    Setting::refused("remote.log.copy.disable", Kind::Boolean, Some("false"), REMOTE).of_topic(None),
    Setting::refused("remote.log.delete.on.disable", Kind::Boolean, Some("false"), REMOTE).of_topic(None),
    Setting::refused("remote.storage.enable", Kind::Boolean, Some("false"), REMOTE).of_topic(None),
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
    Setting::accepted("unclean.leader.election.enable", Kind::Boolean, Some("false"), UNCLEAN)
        .of_topic(Some("unclean.leader.election.enable")),
];
