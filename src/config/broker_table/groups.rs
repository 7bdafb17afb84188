//! The settings of groups, their offsets and transactions, which are not there yet.
//!
//! Invariants: names, types, defaults and bounds are those of `AbstractKafkaConfig.CONFIG_DEF` in Apache Kafka 4.3; sorted by
//! name.

use crate::config::check::Check;
use crate::config::setting::{Kind, Setting, Update};

const INTERNAL_REPLICATION: &str =
    "The replication of internal topics follows the size of the cluster, here one broker.";
const INTERNAL_TOPIC: &str = "There is no such internal topic yet.";
const COORDINATOR_TUNING: &str = "Tunes the inside of a coordinator that is not there yet.";
const REBALANCE_DELAY: &str = "There are no consumer groups yet, whose first members could be made to wait.";
const GROUPS: &str = "There are no consumer groups yet, which clients are told.";
const SHARE_GROUPS: &str = "There are no share groups yet, which clients are told.";
const STREAMS_GROUPS: &str = "There are no streams groups yet, which clients are told.";
const OFFSETS: &str = "There are no consumer groups yet whose offsets could be kept.";
const TRANSACTIONS: &str = "There are no transactions yet, which clients are told.";

pub(super) static SETTINGS: &[Setting] = &[
    Setting::accepted("add.partitions.to.txn.retry.backoff.max.ms", Kind::Int, Some("100"), COORDINATOR_TUNING)
        .at_least(0),
    Setting::accepted("add.partitions.to.txn.retry.backoff.ms", Kind::Int, Some("20"), COORDINATOR_TUNING).at_least(1),
    Setting::accepted("group.consumer.assignment.interval.ms", Kind::Int, Some("1000"), GROUPS)
        .at_least(0)
        .updated(Update::ClusterWide),
    Setting::accepted("group.consumer.assignors", Kind::List, Some("uniform,range"), GROUPS),
    Setting::accepted("group.consumer.heartbeat.interval.ms", Kind::Int, Some("5000"), GROUPS).at_least(1),
    Setting::accepted("group.consumer.max.assignment.interval.ms", Kind::Int, Some("15000"), GROUPS).at_least(0),
    Setting::accepted("group.consumer.max.heartbeat.interval.ms", Kind::Int, Some("15000"), GROUPS).at_least(1),
    Setting::accepted("group.consumer.max.session.timeout.ms", Kind::Int, Some("60000"), GROUPS).at_least(1),
    Setting::accepted("group.consumer.max.size", Kind::Int, Some("2147483647"), GROUPS).at_least(1),
    Setting::accepted("group.consumer.migration.policy", Kind::String, Some("bidirectional"), GROUPS)
        .checked(Check::OneOfAnyCase(&["DISABLED", "DOWNGRADE", "UPGRADE", "BIDIRECTIONAL"])),
    Setting::accepted("group.consumer.min.assignment.interval.ms", Kind::Int, Some("0"), GROUPS).at_least(0),
    Setting::accepted("group.consumer.min.heartbeat.interval.ms", Kind::Int, Some("5000"), GROUPS).at_least(1),
    Setting::accepted("group.consumer.min.session.timeout.ms", Kind::Int, Some("45000"), GROUPS).at_least(1),
    Setting::accepted("group.consumer.session.timeout.ms", Kind::Int, Some("45000"), GROUPS).at_least(1),
    Setting::accepted("group.coordinator.append.linger.ms", Kind::Int, Some("-1"), COORDINATOR_TUNING).at_least(-1),
    Setting::accepted("group.coordinator.background.threads", Kind::Int, Some("2"), COORDINATOR_TUNING).at_least(1),
    Setting::accepted("group.coordinator.cached.buffer.max.bytes", Kind::Int, Some("1048588"), COORDINATOR_TUNING)
        .at_least(524_288)
        .updated(Update::ClusterWide),
    Setting::accepted("group.coordinator.rebalance.protocols", Kind::List, Some("classic,consumer,streams"), GROUPS)
        .checked(Check::OneOf(&["consumer", "classic", "share", "streams"])),
    Setting::accepted("group.coordinator.threads", Kind::Int, Some("4"), COORDINATOR_TUNING).at_least(1),
    Setting::accepted("group.initial.rebalance.delay.ms", Kind::Int, Some("3000"), REBALANCE_DELAY),
    Setting::accepted("group.max.session.timeout.ms", Kind::Int, Some("1800000"), GROUPS),
    Setting::accepted("group.max.size", Kind::Int, Some("2147483647"), GROUPS).at_least(1),
    Setting::accepted("group.min.session.timeout.ms", Kind::Int, Some("6000"), GROUPS),
    Setting::accepted("group.share.assignment.interval.ms", Kind::Int, Some("1000"), SHARE_GROUPS)
        .at_least(0)
        .updated(Update::ClusterWide),
    Setting::accepted("group.share.assignors", Kind::List, Some("simple"), SHARE_GROUPS),
    Setting::accepted("group.share.delivery.count.limit", Kind::Int, Some("5"), SHARE_GROUPS)
        .checked(Check::Between(2, 10)),
    Setting::accepted("group.share.heartbeat.interval.ms", Kind::Int, Some("5000"), SHARE_GROUPS).at_least(1),
    Setting::accepted("group.share.max.assignment.interval.ms", Kind::Int, Some("15000"), SHARE_GROUPS).at_least(0),
    Setting::accepted("group.share.max.delivery.count.limit", Kind::Int, Some("10"), SHARE_GROUPS)
        .checked(Check::Between(5, 25)),
    Setting::accepted("group.share.max.heartbeat.interval.ms", Kind::Int, Some("15000"), SHARE_GROUPS).at_least(1),
    Setting::accepted("group.share.max.partition.max.record.locks", Kind::Int, Some("4000"), SHARE_GROUPS)
        .checked(Check::Between(2000, 10_000)),
    Setting::accepted("group.share.max.record.lock.duration.ms", Kind::Int, Some("60000"), SHARE_GROUPS)
        .checked(Check::Between(30_000, 3_600_000)),
    Setting::accepted("group.share.max.session.timeout.ms", Kind::Int, Some("60000"), SHARE_GROUPS).at_least(1),
    Setting::accepted("group.share.max.share.sessions", Kind::Int, Some("2000"), SHARE_GROUPS).at_least(1),
    Setting::accepted("group.share.max.size", Kind::Int, Some("200"), SHARE_GROUPS).checked(Check::Between(1, 1000)),
    Setting::accepted("group.share.min.assignment.interval.ms", Kind::Int, Some("0"), SHARE_GROUPS).at_least(0),
    Setting::accepted("group.share.min.delivery.count.limit", Kind::Int, Some("2"), SHARE_GROUPS)
        .checked(Check::Between(2, 5)),
    Setting::accepted("group.share.min.heartbeat.interval.ms", Kind::Int, Some("5000"), SHARE_GROUPS).at_least(1),
    Setting::accepted("group.share.min.partition.max.record.locks", Kind::Int, Some("100"), SHARE_GROUPS)
        .checked(Check::Between(100, 2000)),
    Setting::accepted("group.share.min.record.lock.duration.ms", Kind::Int, Some("15000"), SHARE_GROUPS)
        .checked(Check::Between(1000, 30_000)),
    Setting::accepted("group.share.min.session.timeout.ms", Kind::Int, Some("45000"), SHARE_GROUPS).at_least(1),
    Setting::accepted("group.share.partition.max.record.locks", Kind::Int, Some("2000"), SHARE_GROUPS)
        .checked(Check::Between(100, 10_000)),
    Setting::accepted("group.share.record.lock.duration.ms", Kind::Int, Some("30000"), SHARE_GROUPS)
        .checked(Check::Between(1000, 3_600_000)),
    Setting::accepted("group.share.session.timeout.ms", Kind::Int, Some("45000"), SHARE_GROUPS).at_least(1),
    Setting::accepted("group.streams.assignment.interval.ms", Kind::Int, Some("1000"), STREAMS_GROUPS)
        .at_least(0)
        .updated(Update::ClusterWide),
    Setting::accepted("group.streams.heartbeat.interval.ms", Kind::Int, Some("5000"), STREAMS_GROUPS).at_least(1),
    Setting::accepted("group.streams.initial.rebalance.delay.ms", Kind::Int, Some("3000"), REBALANCE_DELAY).at_least(0),
    Setting::accepted("group.streams.max.assignment.interval.ms", Kind::Int, Some("15000"), STREAMS_GROUPS).at_least(0),
    Setting::accepted("group.streams.max.heartbeat.interval.ms", Kind::Int, Some("15000"), STREAMS_GROUPS).at_least(1),
    Setting::accepted("group.streams.max.session.timeout.ms", Kind::Int, Some("60000"), STREAMS_GROUPS).at_least(1),
    Setting::accepted("group.streams.max.size", Kind::Int, Some("2147483647"), STREAMS_GROUPS).at_least(1),
    Setting::accepted("group.streams.max.standby.replicas", Kind::Int, Some("2"), STREAMS_GROUPS).at_least(0),
    Setting::accepted("group.streams.min.assignment.interval.ms", Kind::Int, Some("0"), STREAMS_GROUPS).at_least(0),
    Setting::accepted("group.streams.min.heartbeat.interval.ms", Kind::Int, Some("5000"), STREAMS_GROUPS).at_least(1),
    Setting::accepted("group.streams.min.session.timeout.ms", Kind::Int, Some("45000"), STREAMS_GROUPS).at_least(1),
    Setting::accepted("group.streams.num.standby.replicas", Kind::Int, Some("0"), STREAMS_GROUPS).at_least(0),
    Setting::accepted("group.streams.session.timeout.ms", Kind::Int, Some("45000"), STREAMS_GROUPS).at_least(1),
    Setting::accepted("offset.metadata.max.bytes", Kind::Int, Some("4096"), OFFSETS),
    Setting::accepted("offsets.commit.timeout.ms", Kind::Int, Some("5000"), COORDINATOR_TUNING).at_least(1),
    Setting::accepted("offsets.load.buffer.size", Kind::Int, Some("5242880"), COORDINATOR_TUNING).at_least(1),
    Setting::accepted("offsets.retention.check.interval.ms", Kind::Long, Some("600000"), COORDINATOR_TUNING)
        .at_least(1),
    Setting::accepted("offsets.retention.minutes", Kind::Int, Some("10080"), OFFSETS).at_least(1),
    Setting::accepted("offsets.topic.compression.codec", Kind::Int, Some("0"), INTERNAL_TOPIC),
    Setting::accepted("offsets.topic.num.partitions", Kind::Int, Some("50"), INTERNAL_TOPIC).at_least(1),
    Setting::accepted("offsets.topic.replication.factor", Kind::Short, Some("3"), INTERNAL_REPLICATION).at_least(1),
    Setting::accepted("offsets.topic.segment.bytes", Kind::Int, Some("104857600"), INTERNAL_TOPIC).at_least(1),
    Setting::accepted("share.coordinator.append.linger.ms", Kind::Int, Some("-1"), COORDINATOR_TUNING).at_least(-1),
    Setting::accepted("share.coordinator.cached.buffer.max.bytes", Kind::Int, Some("1048588"), COORDINATOR_TUNING)
        .at_least(524_288)
        .updated(Update::ClusterWide),
    Setting::accepted("share.coordinator.load.buffer.size", Kind::Int, Some("5242880"), COORDINATOR_TUNING).at_least(1),
    Setting::accepted(
        "share.coordinator.snapshot.update.records.per.snapshot",
        Kind::Int,
        Some("500"),
        COORDINATOR_TUNING,
    )
    .checked(Check::Between(0, 500)),
    Setting::accepted("share.coordinator.state.topic.compression.codec", Kind::Int, Some("0"), INTERNAL_TOPIC),
    Setting::accepted("share.coordinator.state.topic.min.isr", Kind::Short, Some("2"), INTERNAL_REPLICATION)
        .at_least(1),
    Setting::accepted("share.coordinator.state.topic.num.partitions", Kind::Int, Some("50"), INTERNAL_TOPIC)
        .at_least(1),
    Setting::accepted("share.coordinator.state.topic.replication.factor", Kind::Short, Some("3"), INTERNAL_REPLICATION)
        .at_least(1),
    Setting::accepted("share.coordinator.state.topic.segment.bytes", Kind::Int, Some("104857600"), INTERNAL_TOPIC)
        .at_least(1),
    Setting::accepted("share.coordinator.threads", Kind::Int, Some("1"), COORDINATOR_TUNING).at_least(1),
    Setting::accepted("share.coordinator.write.timeout.ms", Kind::Int, Some("5000"), COORDINATOR_TUNING).at_least(1),
    Setting::accepted(
        "transaction.abort.timed.out.transaction.cleanup.interval.ms",
        Kind::Int,
        Some("10000"),
        COORDINATOR_TUNING,
    )
    .at_least(1),
    Setting::accepted("transaction.max.timeout.ms", Kind::Int, Some("900000"), TRANSACTIONS).at_least(1),
    Setting::accepted("transaction.partition.verification.enable", Kind::Boolean, Some("true"), TRANSACTIONS)
        .updated(Update::ClusterWide),
    Setting::accepted(
        "transaction.remove.expired.transaction.cleanup.interval.ms",
        Kind::Int,
        Some("3600000"),
        COORDINATOR_TUNING,
    )
    .at_least(1),
    Setting::accepted("transaction.state.log.load.buffer.size", Kind::Int, Some("5242880"), COORDINATOR_TUNING)
        .at_least(1),
    Setting::accepted("transaction.state.log.min.isr", Kind::Int, Some("2"), INTERNAL_REPLICATION).at_least(1),
    Setting::accepted("transaction.state.log.num.partitions", Kind::Int, Some("50"), INTERNAL_TOPIC).at_least(1),
    Setting::accepted("transaction.state.log.replication.factor", Kind::Short, Some("3"), INTERNAL_REPLICATION)
        .at_least(1),
    Setting::accepted("transaction.state.log.segment.bytes", Kind::Int, Some("104857600"), INTERNAL_TOPIC).at_least(1),
    Setting::accepted("transaction.two.phase.commit.enable", Kind::Boolean, Some("false"), TRANSACTIONS),
    Setting::accepted("transactional.id.expiration.ms", Kind::Int, Some("604800000"), TRANSACTIONS).at_least(1),
];
