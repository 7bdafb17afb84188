//! The settings of replication and of the quorum that have no effect on a broker that is alone.
//!
//! Invariants: names, types, defaults and bounds are those of `AbstractKafkaConfig.CONFIG_DEF` in Apache Kafka 4.3; sorted by
//! name.

use crate::config::setting::{Kind, Setting, Update};

const ONE_BROKER: &str = "This broker is the only one of its cluster and connects to no other.";
const QUORUM_TUNING: &str = "The quorum of a single node needs no votes or fetches of others.";
const METADATA_LOG: &str = "The metadata log keeps its own snapshots and sizes.";
const METADATA_DIR: &str = "The metadata lies in the data directory: leave it out, and set log.dirs.";
const QUORUM_VOTERS: &str = "The quorum is this node alone, which needs no address to find itself.";
const INTER_BROKER_NAME: &str = "This broker is the only one of its cluster and connects to no other.";
const SHUTDOWN: &str = "A stop hands nothing over to other brokers, as there are none.";
const UNCLEAN: &str = "A partition has one replica, and no election among replicas can be unclean.";
const LEADER_BALANCE: &str = "A partition has one replica, which is its leader.";
const SELECTOR: &str = "Consumers read from the leader: leave it out.";

pub(super) static SETTINGS: &[Setting] = &[
    Setting::accepted("auto.leader.rebalance.enable", Kind::Boolean, Some("true"), LEADER_BALANCE),
    Setting::accepted("broker.heartbeat.interval.ms", Kind::Int, Some("2000"), ONE_BROKER),
    Setting::accepted("broker.session.timeout.ms", Kind::Int, Some("9000"), ONE_BROKER),
    Setting::accepted("controlled.shutdown.enable", Kind::Boolean, Some("true"), SHUTDOWN),
    Setting::accepted("controller.quorum.append.linger.ms", Kind::Int, Some("25"), QUORUM_TUNING).at_least(0),
    Setting::accepted("controller.quorum.auto.join.enable", Kind::Boolean, Some("false"), QUORUM_TUNING),
    Setting::accepted("controller.quorum.bootstrap.servers", Kind::List, Some(""), QUORUM_VOTERS),
    Setting::accepted("controller.quorum.election.backoff.max.ms", Kind::Int, Some("1000"), QUORUM_TUNING).at_least(0),
    Setting::accepted("controller.quorum.election.timeout.ms", Kind::Int, Some("1000"), QUORUM_TUNING).at_least(0),
    Setting::accepted("controller.quorum.fetch.max.bytes", Kind::Int, Some("1048576"), QUORUM_TUNING).at_least(1),
    Setting::accepted("controller.quorum.fetch.snapshot.max.bytes", Kind::Int, Some("1048576"), QUORUM_TUNING)
        .at_least(1),
    Setting::accepted("controller.quorum.fetch.timeout.ms", Kind::Int, Some("2000"), QUORUM_TUNING).at_least(0),
    Setting::accepted("controller.quorum.request.timeout.ms", Kind::Int, Some("2000"), QUORUM_TUNING).at_least(0),
    Setting::accepted("controller.quorum.retry.backoff.ms", Kind::Int, Some("20"), QUORUM_TUNING).at_least(0),
    Setting::accepted("controller.quorum.voters", Kind::List, Some(""), QUORUM_VOTERS),
    Setting::accepted("controller.socket.timeout.ms", Kind::Int, Some("30000"), ONE_BROKER),
    Setting::accepted("initial.broker.registration.timeout.ms", Kind::Int, Some("60000"), ONE_BROKER),
    Setting::accepted("inter.broker.listener.name", Kind::String, None, INTER_BROKER_NAME),
    Setting::accepted("leader.imbalance.check.interval.seconds", Kind::Long, Some("300"), LEADER_BALANCE).at_least(1),
    Setting::refused("metadata.log.dir", Kind::String, None, METADATA_DIR),
    Setting::accepted("metadata.log.max.record.bytes.between.snapshots", Kind::Long, Some("20971520"), METADATA_LOG)
        .at_least(1),
    Setting::accepted("metadata.log.max.snapshot.interval.ms", Kind::Long, Some("3600000"), METADATA_LOG).at_least(0),
    Setting::accepted("metadata.log.segment.bytes", Kind::Int, Some("1073741824"), METADATA_LOG).at_least(8_388_608),
    Setting::accepted("metadata.log.segment.ms", Kind::Long, Some("604800000"), METADATA_LOG),
    Setting::accepted("metadata.max.idle.interval.ms", Kind::Int, Some("500"), METADATA_LOG).at_least(0),
    Setting::accepted("metadata.max.retention.bytes", Kind::Long, Some("104857600"), METADATA_LOG),
    Setting::accepted("metadata.max.retention.ms", Kind::Long, Some("604800000"), METADATA_LOG),
    Setting::accepted("num.replica.fetchers", Kind::Int, Some("1"), ONE_BROKER)
        .at_least(1)
        .updated(Update::ClusterWide),
    Setting::accepted("replica.fetch.backoff.ms", Kind::Int, Some("1000"), ONE_BROKER).at_least(0),
    Setting::accepted("replica.fetch.max.bytes", Kind::Int, Some("1048576"), ONE_BROKER).at_least(0),
    Setting::accepted("replica.fetch.min.bytes", Kind::Int, Some("1"), ONE_BROKER),
    Setting::accepted("replica.fetch.response.max.bytes", Kind::Int, Some("10485760"), ONE_BROKER).at_least(0),
    Setting::accepted("replica.fetch.wait.max.ms", Kind::Int, Some("500"), ONE_BROKER),
    Setting::accepted("replica.high.watermark.checkpoint.interval.ms", Kind::Long, Some("5000"), ONE_BROKER),
    Setting::accepted("replica.lag.time.max.ms", Kind::Long, Some("30000"), ONE_BROKER),
    Setting::refused("replica.selector.class", Kind::String, None, SELECTOR),
    Setting::accepted("replica.socket.receive.buffer.bytes", Kind::Int, Some("65536"), ONE_BROKER),
    Setting::accepted("replica.socket.timeout.ms", Kind::Int, Some("30000"), ONE_BROKER),
    Setting::accepted("request.timeout.ms", Kind::Int, Some("30000"), ONE_BROKER),
    Setting::accepted("socket.connection.setup.timeout.max.ms", Kind::Long, Some("30000"), ONE_BROKER),
    Setting::accepted("socket.connection.setup.timeout.ms", Kind::Long, Some("10000"), ONE_BROKER),
    Setting::accepted("unclean.leader.election.enable", Kind::Boolean, Some("false"), UNCLEAN)
        .updated(Update::ClusterWide),
];
