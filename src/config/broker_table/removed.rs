//! The settings that Kafka 4.0 removed and that older server.properties files still have.
//!
//! Invariants: all are texts without a default, since Kafka no longer says what they take; sorted by name.

use crate::config::setting::Setting;

const REMOVED: &str = "Removed in Kafka 4.0: take it out.";

pub(super) static SETTINGS: &[Setting] = &[
    Setting::removed("broker.id.generation.enable", REMOVED),
    Setting::removed("controlled.shutdown.max.retries", REMOVED),
    Setting::removed("controlled.shutdown.retry.backoff.ms", REMOVED),
    Setting::removed("inter.broker.protocol.version", REMOVED),
    Setting::removed("log.message.downconversion.enable", REMOVED),
    Setting::removed("log.message.format.version", REMOVED),
    Setting::removed("log.message.timestamp.difference.max.ms", REMOVED),
    Setting::removed("offsets.commit.required.acks", REMOVED),
    Setting::removed("reserved.broker.max.id", REMOVED),
    Setting::removed("zookeeper.connect", REMOVED),
    Setting::removed("zookeeper.connection.timeout.ms", REMOVED),
    Setting::removed("zookeeper.max.in.flight.requests", REMOVED),
    Setting::removed("zookeeper.metadata.migration.enable", REMOVED),
    Setting::removed("zookeeper.session.timeout.ms", REMOVED),
];
