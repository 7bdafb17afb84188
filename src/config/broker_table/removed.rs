//! The settings that Kafka 4.0 removed and that older server.properties files still have.
//!
//! Invariants: all are texts without a default, since Kafka no longer says what they take; sorted by name.

use crate::config::setting::{Kind, Setting};

const REMOVED: &str = "Removed in Kafka 4.0: take it out.";

pub(super) static SETTINGS: &[Setting] = &[
    Setting::accepted("broker.id.generation.enable", Kind::String, None, REMOVED),
    Setting::accepted("controlled.shutdown.max.retries", Kind::String, None, REMOVED),
    Setting::accepted("controlled.shutdown.retry.backoff.ms", Kind::String, None, REMOVED),
    Setting::accepted("inter.broker.protocol.version", Kind::String, None, REMOVED),
    Setting::accepted("log.message.downconversion.enable", Kind::String, None, REMOVED),
    Setting::accepted("log.message.format.version", Kind::String, None, REMOVED),
    Setting::accepted("log.message.timestamp.difference.max.ms", Kind::String, None, REMOVED),
    Setting::accepted("offsets.commit.required.acks", Kind::String, None, REMOVED),
    Setting::accepted("reserved.broker.max.id", Kind::String, None, REMOVED),
    Setting::accepted("zookeeper.connect", Kind::String, None, REMOVED),
    Setting::accepted("zookeeper.connection.timeout.ms", Kind::String, None, REMOVED),
    Setting::accepted("zookeeper.max.in.flight.requests", Kind::String, None, REMOVED),
    Setting::accepted("zookeeper.metadata.migration.enable", Kind::String, None, REMOVED),
    Setting::accepted("zookeeper.session.timeout.ms", Kind::String, None, REMOVED),
];
