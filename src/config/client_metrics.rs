//! Subscriptions to metrics of clients (KIP-714), as settings: stored and described, and fetched by no client, as long as
//! GetTelemetrySubscriptions is not advertised. Apache Kafka does the same without a plug-in that receives telemetry.
//!
//! Invariants: names, types, defaults, checks and texts are those of `ClientMetricsConfigs` in Apache Kafka 4.3.

use super::describe::{ConfigEntry, ConfigSource, ConfigSynonym};
use super::dynamic::DynamicRefusal;
use super::java_pattern;
use super::setting::{Kind, Setting, Update, Value};
use std::collections::BTreeMap;

const INTERVAL: &str = "interval.ms";
const MATCH: &str = "match";
const METRICS: &str = "metrics";

/// From a tenth of a second to an hour.
const INTERVALS: std::ops::RangeInclusive<i64> = 100..=3_600_000;

/// What a pattern can look at.
const MATCHED: &[&str] = &[
    "client_instance_id",
    "client_id",
    "client_software_name",
    "client_software_version",
    "client_source_address",
    "client_source_port",
];

/// The settings of a subscription, sorted by name.
static SETTINGS: &[Setting] = &[
    Setting::new(INTERVAL, Kind::Int, Some("300000"), "How often clients are to send their metrics, in milliseconds.")
        .updated(Update::ClusterWide),
    Setting::new(
        MATCH,
        Kind::List,
        Some(""),
        "Which clients are meant: NAME=PATTERN, all of which must match; empty means all clients.",
    )
    .updated(Update::ClusterWide),
    Setting::new(
        METRICS,
        Kind::List,
        Some(""),
        "Beginnings of the names of metrics that are wanted; * means all, and nothing means none.",
    )
    .updated(Update::ClusterWide),
];

/// Whether a subscription may have these settings.
///
/// # Errors
/// Kafka's error about the first that it may not have.
pub fn check(configs: &BTreeMap<String, String>) -> Result<(), DynamicRefusal> {
    if let Some(name) = configs.keys().find(|name| find(name).is_none()) {
        return Err(DynamicRefusal::InvalidRequest(format!("Unknown client metrics configuration: {name}")));
    }
    for (name, text) in configs {
        let setting = find(name).expect("names were checked");
        let value = setting.parse(text).map_err(|error| DynamicRefusal::InvalidConfig(error.to_string()))?;
        match value {
            Value::Number(interval) if !INTERVALS.contains(&interval) => {
                return Err(DynamicRefusal::InvalidRequest(format!(
                    "Invalid value {text} for {INTERVAL}, interval must be between 100 and 3600000 (1 hour)"
                )));
            }
            Value::List(items) => check_items(setting.name, &items)?,
            Value::Boolean(_) | Value::Number(_) | Value::Fraction(_) | Value::Text(_) => {}
        }
    }
    Ok(())
}

/// The settings of a subscription, sorted by name; that there is none of this name is not seen.
pub fn entries(configs: &BTreeMap<String, String>) -> Vec<ConfigEntry> {
    let entry = |setting: &'static Setting| {
        let given = configs.get(setting.name).map(|text| setting.normalized(text));
        let source = ConfigSource::ClientMetrics;
        let synonym = |value: &String| ConfigSynonym { name: setting.name, value: Some(value.clone()), source };
        ConfigEntry {
            name: setting.name,
            read_only: false,
            source: given.as_ref().map_or(ConfigSource::Default, |_| source),
            sensitive: false,
            synonyms: given.iter().map(synonym).collect(),
            value: given.or_else(|| setting.default.map(str::to_owned)),
            kind: setting.kind,
            documentation: setting.documentation,
        }
    };
    SETTINGS.iter().map(entry).collect()
}

fn find(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.name == name)
}

fn check_items(name: &str, items: &[String]) -> Result<(), DynamicRefusal> {
    // One empty text stands for the empty list.
    if items.len() > 1 && items.iter().any(String::is_empty) {
        return Err(DynamicRefusal::InvalidConfig(format!("Configuration '{name}' values must not be empty.")));
    }
    let is_pattern = |item: &&String| match item.split('=').map(str::trim).collect::<Vec<_>>()[..] {
        [matched, pattern] => MATCHED.contains(&matched) && !pattern.is_empty() && java_pattern::compiles(pattern),
        _ => false,
    };
    match items.iter().find(|item| name == MATCH && !item.is_empty() && !is_pattern(item)) {
        Some(item) => Err(DynamicRefusal::InvalidConfig(format!("Illegal client matching pattern: {item}"))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(name: &str, value: &str) -> Option<DynamicRefusal> {
        check(&[(name.to_owned(), value.to_owned())].into()).err()
    }

    /// From Apache Kafka 4.3.0: `Admin#incrementalAlterConfigs` of a subscription, with one setting each.
    #[test]
    fn kip_714_subscriptions_are_refused_in_kafkas_words() {
        let request = |text: &str| Some(DynamicRefusal::InvalidRequest(text.into()));
        let config = |text: &str| Some(DynamicRefusal::InvalidConfig(text.into()));
        let interval = |value: &str| {
            format!("Invalid value {value} for interval.ms, interval must be between 100 and 3600000 (1 hour)")
        };
        assert_eq!(told("interval.ms", "99"), request(&interval("99")));
        assert_eq!(told("interval.ms", "3600001"), request(&interval("3600001")));
        let not_a_number = "Invalid value x for configuration interval.ms: Not a number of type INT";
        assert_eq!(told("interval.ms", "x"), config(not_a_number));
        assert_eq!(told("nosuch", "1"), request("Unknown client metrics configuration: nosuch"));
        assert_eq!(told("metrics", "a,,b"), config("Configuration 'metrics' values must not be empty."));
        assert_eq!(
            told("match", "client_id=a,,client_id=b"),
            config("Configuration 'match' values must not be empty.")
        );
        let illegal = [
            "foo",
            "foo=bar",
            "client_id",
            "client_id=",
            "client_id==a",
            "client_id=[",
            "client_id=*a",
            "client_id=(a",
        ];
        for pattern in illegal {
            assert_eq!(told("match", pattern), config(&format!("Illegal client matching pattern: {pattern}")));
        }
        let repetition = "Illegal client matching pattern: client_id=a{";
        assert_eq!(told("match", "client_id=a{,3}"), config(repetition), "the list is cut at the comma first");
        for (name, value) in [
            ("interval.ms", "100"),
            ("interval.ms", " 700 "),
            ("interval.ms", "3600000"),
            ("metrics", ""),
            ("metrics", "*"),
            ("metrics", "*,a"),
            ("match", ""),
            ("match", "client_id=a,client_id=b"),
            ("match", " client_id = a b , client_instance_id = x "),
            ("match", "client_id=(?<name>a)b++"),
            ("match", "client_source_address=10.0.0.*"),
        ] {
            assert_eq!(told(name, value), None, "{name}={value}");
        }
    }
}
