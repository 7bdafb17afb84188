//! The broker's settings as data: parsing, DescribeConfigs and the documentation follow this table.
//!
//! Invariants:
//! * names, types, defaults and bounds are those of Apache Kafka 4.3 (`KafkaConfig`, `ServerLogConfigs`, `SocketServerConfigs`,
//!   `ReplicationConfigs`), read from a running broker's DescribeConfigs; where a default is ours the comment says why;
//! * every name of Kafka's that is not internal is there once: served in this file, without effect in those beside it, by
//!   families;
//! * each table is sorted by name.

mod groups;
mod log;
mod network;
mod remote;
mod removed;
mod replication;
mod security;
mod throttles;
mod tls;

use super::check::Check;
use super::setting::{Family, Kind, Setting, Update};
use std::sync::LazyLock;

pub(super) use throttles::SETTINGS as THROTTLES;

const RETENTION: Family =
    Family::Scaled(&[("log.retention.ms", 1), ("log.retention.minutes", 60_000), ("log.retention.hours", 3_600_000)]);
const ROLL: Family = Family::Scaled(&[("log.roll.ms", 1), ("log.roll.hours", 3_600_000)]);
const ROLL_JITTER: Family = Family::Scaled(&[("log.roll.jitter.ms", 1), ("log.roll.jitter.hours", 3_600_000)]);
/// Where a topic and the broker say nothing of the age of what is not synced, it is how often that is looked at.
const FLUSH_AGE: Family = Family::OrElse("log.flush.scheduler.interval.ms");
const DIRECTORIES: Family = Family::Aliases(&["log.dirs", "log.dir"]);
const NODE_ID: Family = Family::Aliases(&["node.id", "broker.id"]);

pub(super) const CLEANUP_POLICIES: Check = Check::OneOf(&["compact", "delete"]);
pub(super) const CLEANUP_SERVED: (&[&str], &str) = (&["delete"], "Only delete is served: there is no log cleaner yet");
pub(super) const COMPRESSION_TYPES: Check =
    Check::OneOf(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"]);
pub(super) const COMPRESSION_TYPE: &str = "How batches are compressed in the log. producer keeps what the producer chose; \
     otherwise batches that come in another way are recompressed, which costs CPU.";
pub(super) const LEVEL_GZIP: &str =
    "The level of gzip where compression.type is gzip: 1, the fastest, to 9, the densest; -1 is gzip's own default.";
pub(super) const LEVEL_LZ4: &str = "The level of lz4 where compression.type is lz4. 9 is the fast one; the others, 1 to 17, take longer and are denser the \
     higher they are.";
pub(super) const LEVEL_ZSTD: &str =
    "The level of zstd where compression.type is zstd: from -131072, the fastest, to 22, the densest.";
pub(super) const TIMESTAMP_TYPES: Check = Check::OneOf(&["CreateTime", "LogAppendTime"]);

/// The default of `queued.max.request.bytes`. Kafka's is −1, no bound; ours has one, as memory has.
pub(super) const REQUEST_MEMORY_BYTES: u64 = 256 << 20;

static ALL: LazyLock<Vec<&'static Setting>> = LazyLock::new(|| {
    let mut all: Vec<&Setting> = TABLES.iter().copied().flatten().collect();
    all.sort_by_key(|setting| setting.name);
    all
});

static TABLES: &[&[Setting]] = &[
    SERVED,
    groups::SETTINGS,
    log::SETTINGS,
    network::SETTINGS,
    remote::SETTINGS,
    removed::SETTINGS,
    replication::SETTINGS,
    security::SETTINGS,
    tls::SETTINGS,
];

/// All settings of the broker, sorted by name.
pub fn all() -> &'static [&'static Setting] {
    &ALL
}

/// The setting of this name.
pub(super) fn find(name: &str) -> Option<&'static Setting> {
    ALL.binary_search_by(|setting| setting.name.cmp(name)).ok().map(|index| ALL[index])
}

/// The settings that take effect, sorted by name.
static SERVED: &[Setting] = &[
    Setting::new(
        "advertised.listeners",
        Kind::List,
        None,
        "The addresses that clients are told to connect to, where they differ from those in listeners.",
    ),
    Setting::new(
        "auto.create.topics.enable",
        Kind::Boolean,
        Some("true"),
        "Whether a topic is created when a client asks for its metadata and allows it.",
    ),
    // Kafka demands one; a broker that starts without configuration is node 1.
    Setting::new("broker.id", Kind::Int, Some("1"), "The older name of node.id.").at_least(0).in_family(NODE_ID),
    Setting::new(
        "broker.rack",
        Kind::String,
        None,
        "The rack or zone of this broker, by which replicas are spread and followers chosen to read from.",
    ),
    Setting::new("compression.gzip.level", Kind::Int, Some("-1"), LEVEL_GZIP)
        .checked(Check::BetweenOrUnset(1, 9))
        .updated(Update::ClusterWide),
    Setting::new("compression.lz4.level", Kind::Int, Some("9"), LEVEL_LZ4)
        .checked(Check::Between(1, 17))
        .updated(Update::ClusterWide),
    Setting::new("compression.type", Kind::String, Some("producer"), COMPRESSION_TYPE)
        .checked(COMPRESSION_TYPES)
        .updated(Update::ClusterWide),
    Setting::new("compression.zstd.level", Kind::Int, Some("3"), LEVEL_ZSTD)
        .checked(Check::Between(-131_072, 22))
        .updated(Update::ClusterWide),
    Setting::new(
        "connections.max.idle.ms",
        Kind::Long,
        Some("600000"),
        "A connection without a request for this long is closed; a negative value keeps it for ever.",
    ),
    Setting::new(
        "controller.listener.names",
        Kind::List,
        None,
        "Names of listeners that are for other controllers: they are not opened, since the quorum of a single node needs none.",
    ),
    Setting::new(
        "controller.quota.window.num",
        Kind::Int,
        Some("11"),
        "Over how many windows the quota of changes of topics is measured: a client may change as much at once.",
    )
    .at_least(1),
    Setting::new(
        "controller.quota.window.size.seconds",
        Kind::Int,
        Some("1"),
        "How long each window of controller.quota.window.num is.",
    )
    .at_least(1),
    Setting::new(
        "default.replication.factor",
        Kind::Int,
        Some("1"),
        "The replicas of a topic that is created without saying how many.",
    )
    .checked(Check::Between(1, i16::MAX as i64)),
    Setting::new(
        "delete.topic.enable",
        Kind::Boolean,
        Some("true"),
        "Whether topics can be deleted; when false a request to delete is refused.",
    ),
    Setting::new(
        "fetch.max.bytes",
        Kind::Int,
        Some("57671680"),
        "The most bytes of records in one fetch response, unless its first batch alone is larger.",
    )
    .at_least(1024),
    Setting::new(
        "listener.security.protocol.map",
        Kind::String,
        Some("SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT"),
        "The security protocol of each listener name, as NAME:PROTOCOL separated by commas.",
    )
    .updated(Update::PerBroker),
    // Kafka listens on all addresses; a broker without authentication that nobody configured serves its own machine.
    Setting::new(
        "listeners",
        Kind::List,
        Some("PLAINTEXT://127.0.0.1:9092"),
        "The addresses to listen on, as NAME://HOST:PORT separated by commas. An empty host means all addresses, port 0 any \
         free port.",
    )
    .updated(Update::PerBroker),
    Setting::new(
        "log.cleanup.policy",
        Kind::List,
        Some("delete"),
        "What is done with old segments. delete removes them by age and size; an empty list keeps them for ever.",
    )
    .checked(CLEANUP_POLICIES)
    .served(CLEANUP_SERVED.0, CLEANUP_SERVED.1)
    .updated(Update::ClusterWide),
    Setting::new(
        "log.dir",
        Kind::List,
        Some("./klamm-data"),
        "The directory that holds the data, unless log.dirs names it.",
    )
    .in_family(DIRECTORIES),
    Setting::new("log.dirs", Kind::List, None, "The directory that holds the data.").in_family(DIRECTORIES),
    Setting::new(
        "log.flush.interval.messages",
        Kind::Long,
        Some("9223372036854775807"),
        "A sync of a partition is due at this many records that are not on disk; the record that makes them so many is \
         acknowledged and read after it. 1 lets every acknowledgement wait for the disk.",
    )
    .at_least(1)
    .updated(Update::ClusterWide),
    Setting::new(
        "log.flush.interval.ms",
        Kind::Long,
        None,
        "How old records may become, in milliseconds, before they are synced; nothing waits for it. Where it is not set, \
         log.flush.scheduler.interval.ms counts.",
    )
    .in_family(FLUSH_AGE)
    .updated(Update::ClusterWide),
    Setting::new(
        "log.flush.offset.checkpoint.interval.ms",
        Kind::Int,
        Some("60000"),
        "How often the position up to which logs are known to be on disk is written down, from which recovery starts.",
    )
    .at_least(0),
    Setting::new(
        "log.flush.scheduler.interval.ms",
        Kind::Long,
        Some("9223372036854775807"),
        "How often it is looked for records that are older than flush.ms allows; where it is not set, whenever some are due.",
    ),
    Setting::new(
        "log.flush.start.offset.checkpoint.interval.ms",
        Kind::Int,
        Some("60000"),
        "How often the first offset of every log is written down.",
    )
    .at_least(0),
    Setting::new(
        "log.index.interval.bytes",
        Kind::Int,
        Some("4096"),
        "Roughly one entry of the offset index is kept for this many bytes of log.",
    )
    .at_least(0)
    .updated(Update::ClusterWide),
    Setting::new(
        "log.index.size.max.bytes",
        Kind::Int,
        Some("10485760"),
        "The largest offset index; a segment whose index is full is rolled.",
    )
    .at_least(4)
    .updated(Update::ClusterWide),
    Setting::new(
        "log.message.timestamp.after.max.ms",
        Kind::Long,
        Some("3600000"),
        "How far a record's timestamp may lie in the future of the broker's clock. Ignored with LogAppendTime.",
    )
    .at_least(0)
    .updated(Update::ClusterWide),
    Setting::new(
        "log.message.timestamp.before.max.ms",
        Kind::Long,
        Some("9223372036854775807"),
        "How far a record's timestamp may lie in the past of the broker's clock. Ignored with LogAppendTime.",
    )
    .at_least(0)
    .updated(Update::ClusterWide),
    Setting::new(
        "log.message.timestamp.type",
        Kind::String,
        Some("CreateTime"),
        "Whether records keep their producer's time (CreateTime) or get the time of their append (LogAppendTime).",
    )
    .checked(TIMESTAMP_TYPES)
    .updated(Update::ClusterWide),
    Setting::new(
        "log.retention.bytes",
        Kind::Long,
        Some("-1"),
        "The oldest segments of a partition are deleted while it stays at least this large without them; -1 sets no limit.",
    )
    .updated(Update::ClusterWide),
    Setting::new(
        "log.retention.check.interval.ms",
        Kind::Long,
        Some("300000"),
        "How often the logs are searched for segments to delete.",
    )
    .at_least(1),
    Setting::new(
        "log.retention.hours",
        Kind::Int,
        Some("168"),
        "How long records are kept, in hours, where neither log.retention.ms nor log.retention.minutes is set; -1 keeps \
         them for ever.",
    )
    .checked(Check::PositiveOrUnlimited)
    .in_family(RETENTION),
    Setting::new(
        "log.retention.minutes",
        Kind::Int,
        None,
        "How long records are kept, in minutes, where log.retention.ms is not set; -1 keeps them for ever.",
    )
    .checked(Check::PositiveOrUnlimited)
    .in_family(RETENTION),
    Setting::new(
        "log.retention.ms",
        Kind::Long,
        None,
        "How long records are kept, in milliseconds; -1 keeps them for ever.",
    )
    .checked(Check::PositiveOrUnlimited)
    .in_family(RETENTION)
    .updated(Update::ClusterWide),
    Setting::new(
        "log.roll.hours",
        Kind::Int,
        Some("168"),
        "The age at which a segment is rolled, in hours, where log.roll.ms is not set.",
    )
    .at_least(1)
    .in_family(ROLL),
    Setting::new(
        "log.roll.jitter.hours",
        Kind::Int,
        Some("0"),
        "At most this much is taken off the age at which a segment is rolled, in hours, where log.roll.jitter.ms is not set.",
    )
    .at_least(0)
    .in_family(ROLL_JITTER),
    Setting::new(
        "log.roll.jitter.ms",
        Kind::Long,
        None,
        "At most this much is taken off the age at which a segment is rolled, in milliseconds, at random.",
    )
    .at_least(0)
    .in_family(ROLL_JITTER)
    .updated(Update::ClusterWide),
    Setting::new("log.roll.ms", Kind::Long, None, "The age at which a segment is rolled, in milliseconds.")
        .at_least(1)
        .in_family(ROLL)
        .updated(Update::ClusterWide),
    Setting::new(
        "log.segment.bytes",
        Kind::Int,
        Some("1073741824"),
        "The size at which a segment is rolled.",
    )
    .at_least(1 << 20)
    .updated(Update::ClusterWide),
    Setting::new(
        "log.segment.delete.delay.ms",
        Kind::Long,
        Some("60000"),
        "How long a deleted segment's files stay on disk, for those who are still reading them.",
    )
    .at_least(0)
    .updated(Update::ClusterWide),
    Setting::new("max.connections", Kind::Int, Some("2147483647"), "The most connections at a time.")
        .at_least(0)
        .updated(Update::ClusterWide),
    Setting::new(
        "max.connections.per.ip",
        Kind::Int,
        Some("2147483647"),
        "The most connections at a time from one address.",
    )
    .at_least(0)
    .updated(Update::ClusterWide),
    Setting::new(
        "max.connections.per.ip.overrides",
        Kind::String,
        Some(""),
        "Other limits than max.connections.per.ip for single addresses or host names, as HOST:COUNT separated by commas.",
    )
    .updated(Update::ClusterWide),
    Setting::new(
        "max.incremental.fetch.session.cache.slots",
        Kind::Int,
        Some("1000"),
        "The most incremental fetch sessions that are remembered.",
    )
    .at_least(0),
    Setting::new(
        "max.request.partition.size.limit",
        Kind::Int,
        Some("2000"),
        "The most partitions in one answer to DescribeTopicPartitions.",
    )
    .at_least(1),
    Setting::new(
        "message.max.bytes",
        Kind::Int,
        Some("1048588"),
        "The largest record batch that a producer may send.",
    )
    .at_least(0)
    .updated(Update::ClusterWide),
    Setting::new(
        "min.insync.replicas",
        Kind::Int,
        Some("1"),
        "How many replicas must be in sync for a write with acks=all to be taken.",
    )
    .at_least(1)
    .updated(Update::ClusterWide),
    Setting::new("node.id", Kind::Int, Some("1"), "The number of this node in its cluster.")
        .at_least(0)
        .in_family(NODE_ID),
    Setting::new(
        "num.partitions",
        Kind::Int,
        Some("1"),
        "The partitions of a topic that is created without saying how many.",
    )
    .at_least(1),
    Setting::new(
        "num.recovery.threads.per.data.dir",
        Kind::Int,
        Some("2"),
        "The threads that recover logs after an unclean stop.",
    )
    .at_least(1)
    .updated(Update::ClusterWide),
    // Kafka demands it.
    Setting::new(
        "process.roles",
        Kind::List,
        Some("broker,controller"),
        "What this node is: broker and controller in one, and nothing else so far.",
    )
    .checked(Check::OneOf(&["broker", "controller"])),
    Setting::new(
        "producer.id.expiration.check.interval.ms",
        Kind::Int,
        Some("600000"),
        "How often idle producer ids are searched for.",
    )
    .at_least(1)
    .internal(),
    Setting::new(
        "producer.id.expiration.ms",
        Kind::Int,
        Some("86400000"),
        "How long the last batches of an idle idempotent producer are remembered.",
    )
    .at_least(1)
    .updated(Update::ClusterWide),
    Setting::new(
        "queued.max.request.bytes",
        Kind::Long,
        Some("268435456"),
        "The most memory that all requests together may take before no more is read; at least one request of the largest \
         size. -1 stands for the default.",
    ),
    Setting::new(
        "quota.window.num",
        Kind::Int,
        Some("11"),
        "Over how many windows the quotas of bytes, request time and new connections are measured.",
    )
    .at_least(1),
    Setting::new(
        "quota.window.size.seconds",
        Kind::Int,
        Some("1"),
        "How long each window of quota.window.num is; also the longest pause for a quota of request time, and for that of \
         connections.",
    )
    .at_least(1),
    Setting::new(
        "socket.listen.backlog.size",
        Kind::Int,
        Some("50"),
        "The most connections that wait to be accepted.",
    )
    .at_least(1),
    Setting::new("socket.request.max.bytes", Kind::Int, Some("104857600"), "The largest request.").at_least(1),
];
