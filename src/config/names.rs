//! Sentences about names that are not known.
//!
//! Invariants: each names the nearest known one, if one is near, or says what the name is instead.

use super::{broker_table, topic_table};

/// What Kafka puts before a name to set it for one listener alone.
const OF_ONE_LISTENER: &str = "listener.name.";

/// The sentence about a name that is not one of Kafka's for the broker.
pub(super) fn unknown_kafka_name(name: &str) -> String {
    if is_of_one_listener(name) {
        return format!("'{name}' is for one listener alone, which is not served yet: leave it out");
    }
    if let Some(broker_name) = topic_table::find(name).and_then(|setting| setting.broker_name) {
        return format!("'{name}' is a topic's setting; the broker's is '{broker_name}'");
    }
    unknown_name("setting", name, broker_table::all().iter().map(|setting| setting.name))
}

/// Whether the name sets something for one listener alone.
pub(super) fn is_of_one_listener(name: &str) -> bool {
    name.starts_with(OF_ONE_LISTENER)
}

/// The sentence about a name that is not among `known`.
pub(super) fn unknown_name(what: &str, name: &str, known: impl Iterator<Item = &'static str>) -> String {
    let nearest = known.map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate)).min();
    match nearest.filter(|(distance, _)| *distance <= name.chars().count() / 2) {
        Some((_, candidate)) => format!("unknown {what} '{name}': did you mean '{candidate}'?"),
        None => format!("unknown {what} '{name}'"),
    }
}
