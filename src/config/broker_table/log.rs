//! The settings of logs and their cleaner that have no effect.
//!
//! Invariants: names, types, defaults and bounds are those of `AbstractKafkaConfig.CONFIG_DEF` in Apache Kafka 4.3; sorted by
//! name.

use crate::config::check::Check;
use crate::config::setting::{Family, Kind, Setting, Update};

const COMPRESSION_LEVEL: &str = "Nothing is recompressed: compression.type is producer.";
const CLEANER: &str = "There is no log cleaner yet, and compacted topics are refused.";
const CLEANER_OFF: &str =
    "There is no log cleaner yet that could be turned off: leave it true, and compacted topics are refused.";
const PREALLOCATE: &str = "Segments are allocated ahead of their use whatever it says.";
const POLICY: &str =
    "Policies are classes of Java, which cannot be loaded: leave it out, and check requests before they are sent.";
const FLUSH: &str =
    "No write waits for the disk yet: leave it out, and shorten log.flush.offset.checkpoint.interval.ms instead.";
const FLUSH_INTERVAL: Family = Family::Scaled(&[("log.flush.interval.ms", 1), ("log.flush.scheduler.interval.ms", 1)]);
const CORDON: &str = "There is one data directory, which must take new partitions: leave it out.";
const DIR_FAILURE: &str = "There is one data directory; when it fails, its partitions are offline at once.";

pub(super) static SETTINGS: &[Setting] = &[
    Setting::refused("alter.config.policy.class.name", Kind::Class, None, POLICY),
    Setting::accepted("compression.gzip.level", Kind::Int, Some("-1"), COMPRESSION_LEVEL)
        .checked(Check::BetweenOrUnset(1, 9))
        .updated(Update::ClusterWide),
    Setting::accepted("compression.lz4.level", Kind::Int, Some("9"), COMPRESSION_LEVEL)
        .checked(Check::Between(1, 17))
        .updated(Update::ClusterWide),
    Setting::accepted("compression.zstd.level", Kind::Int, Some("3"), COMPRESSION_LEVEL)
        .checked(Check::Between(-131072, 22))
        .updated(Update::ClusterWide),
    Setting::refused("cordoned.log.dirs", Kind::List, Some(""), CORDON).updated(Update::PerBroker),
    Setting::refused("create.topic.policy.class.name", Kind::Class, None, POLICY),
    Setting::accepted("log.cleaner.backoff.ms", Kind::Long, Some("15000"), CLEANER)
        .at_least(0)
        .updated(Update::ClusterWide),
    Setting::accepted("log.cleaner.dedupe.buffer.size", Kind::Long, Some("134217728"), CLEANER)
        .updated(Update::ClusterWide),
    Setting::accepted("log.cleaner.delete.retention.ms", Kind::Long, Some("86400000"), CLEANER)
        .at_least(0)
        .updated(Update::ClusterWide),
    Setting::refused("log.cleaner.enable", Kind::Boolean, Some("true"), CLEANER_OFF),
    Setting::accepted("log.cleaner.io.buffer.load.factor", Kind::Double, Some("0.9"), CLEANER)
        .updated(Update::ClusterWide),
    Setting::accepted("log.cleaner.io.buffer.size", Kind::Int, Some("524288"), CLEANER)
        .at_least(0)
        .updated(Update::ClusterWide),
    Setting::accepted("log.cleaner.io.max.bytes.per.second", Kind::Double, Some("1.7976931348623157E308"), CLEANER)
        .updated(Update::ClusterWide),
    Setting::accepted("log.cleaner.max.compaction.lag.ms", Kind::Long, Some("9223372036854775807"), CLEANER)
        .at_least(1)
        .updated(Update::ClusterWide),
    Setting::accepted("log.cleaner.min.cleanable.ratio", Kind::Double, Some("0.5"), CLEANER)
        .checked(Check::Between(0, 1))
        .updated(Update::ClusterWide),
    Setting::accepted("log.cleaner.min.compaction.lag.ms", Kind::Long, Some("0"), CLEANER)
        .at_least(0)
        .updated(Update::ClusterWide),
    Setting::accepted("log.cleaner.threads", Kind::Int, Some("1"), CLEANER).at_least(0).updated(Update::ClusterWide),
    Setting::accepted("log.dir.failure.timeout.ms", Kind::Long, Some("30000"), DIR_FAILURE).at_least(1),
    Setting::refused("log.flush.interval.messages", Kind::Long, Some("9223372036854775807"), FLUSH)
        .at_least(1)
        .updated(Update::ClusterWide),
    Setting::refused("log.flush.interval.ms", Kind::Long, None, FLUSH)
        .in_family(FLUSH_INTERVAL)
        .updated(Update::ClusterWide),
    Setting::refused("log.flush.scheduler.interval.ms", Kind::Long, Some("9223372036854775807"), FLUSH)
        .in_family(FLUSH_INTERVAL),
    Setting::accepted("log.preallocate", Kind::Boolean, Some("false"), PREALLOCATE).updated(Update::ClusterWide),
];
