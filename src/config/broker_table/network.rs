//! The settings of connections, threads, metrics and quotas that have no effect.
//!
//! Invariants: names, types, defaults and bounds are those of `AbstractKafkaConfig.CONFIG_DEF` in Apache Kafka 4.3; sorted by
//! name.

use crate::config::setting::{Kind, Setting, Update};

const THREADS: &str = "Threads follow the number of processors.";
const JVM_PURGE: &str = "Waiting requests are dropped from memory as soon as they are answered.";
const SOCKET_BUFFERS: &str = "The size of socket buffers is left to the system, which tunes each connection by itself.";
const REQUEST_COUNT: &str =
    "Waiting requests are bounded by their bytes, with queued.max.request.bytes, not by their number.";
const REPORTERS: &str = "Reporters are classes of Java, which cannot be loaded.";
const METRICS: &str = "Tunes metrics of a JVM.";
const TELEMETRY: &str = "Metrics of clients are not collected: clients are told so and send none.";
const QUOTA_WINDOW: &str = "Nothing is replicated yet, and no replication is slowed down: leave it out.";
const CONNECTION_RATE: &str = "The rate of new connections is not limited yet: leave it out, and use max.connections.";
const PROVIDERS: &str = "Values are not fetched from elsewhere: leave it out, and write the values themselves.";
const EARLY_START: &str = "All listeners start when the broker is ready, so that nobody meets one that is not.";

pub(super) static SETTINGS: &[Setting] = &[
    Setting::refused("alter.log.dirs.replication.quota.window.num", Kind::Int, Some("11"), QUOTA_WINDOW).at_least(1),
    Setting::refused("alter.log.dirs.replication.quota.window.size.seconds", Kind::Int, Some("1"), QUOTA_WINDOW)
        .at_least(1),
    Setting::accepted("background.threads", Kind::Int, Some("10"), THREADS).at_least(1).updated(Update::ClusterWide),
    Setting::refused("config.providers", Kind::List, Some(""), PROVIDERS).updated(Update::ClusterWide),
    Setting::accepted("delete.records.purgatory.purge.interval.requests", Kind::Int, Some("1"), JVM_PURGE),
    Setting::accepted("early.start.listeners", Kind::List, None, EARLY_START),
    Setting::accepted("fetch.purgatory.purge.interval.requests", Kind::Int, Some("1000"), JVM_PURGE),
    Setting::accepted("kafka.metrics.polling.interval.secs", Kind::Int, Some("10"), METRICS).at_least(1),
    Setting::accepted("kafka.metrics.reporters", Kind::List, Some(""), REPORTERS),
    Setting::refused("max.connection.creation.rate", Kind::Int, Some("2147483647"), CONNECTION_RATE)
        .at_least(0)
        .updated(Update::ClusterWide),
    Setting::accepted("metric.reporters", Kind::List, Some("org.apache.kafka.common.metrics.JmxReporter"), REPORTERS)
        .updated(Update::ClusterWide),
    Setting::accepted("metrics.num.samples", Kind::Int, Some("2"), METRICS).at_least(1),
    Setting::accepted("metrics.recording.level", Kind::String, Some("INFO"), METRICS),
    Setting::accepted("metrics.sample.window.ms", Kind::Long, Some("30000"), METRICS).at_least(1),
    Setting::accepted("num.io.threads", Kind::Int, Some("8"), THREADS).at_least(1).updated(Update::ClusterWide),
    Setting::accepted("num.network.threads", Kind::Int, Some("3"), THREADS).at_least(1).updated(Update::ClusterWide),
    Setting::accepted("num.replica.alter.log.dirs.threads", Kind::Int, None, THREADS),
    Setting::accepted("producer.purgatory.purge.interval.requests", Kind::Int, Some("1000"), JVM_PURGE),
    Setting::accepted("queued.max.requests", Kind::Int, Some("500"), REQUEST_COUNT).at_least(1),
    Setting::refused("replication.quota.window.num", Kind::Int, Some("11"), QUOTA_WINDOW).at_least(1),
    Setting::refused("replication.quota.window.size.seconds", Kind::Int, Some("1"), QUOTA_WINDOW).at_least(1),
    Setting::accepted("share.fetch.purgatory.purge.interval.requests", Kind::Int, Some("1000"), JVM_PURGE),
    Setting::accepted("socket.receive.buffer.bytes", Kind::Int, Some("102400"), SOCKET_BUFFERS),
    Setting::accepted("socket.send.buffer.bytes", Kind::Int, Some("102400"), SOCKET_BUFFERS),
    Setting::accepted("telemetry.max.bytes", Kind::Int, Some("1048576"), TELEMETRY).at_least(1),
];
