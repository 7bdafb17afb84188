//! That settings change at run time as Kafka's do.

use super::{configs, from_overrides};
use crate::config::*;
use std::time::Duration;

fn both(defaults: &[(&str, &str)], own: &[(&str, &str)]) -> DynamicSettings {
    DynamicSettings { defaults: configs(defaults), own: configs(own) }
}

/// What is said when these are set, of a broker for which nothing was set.
fn told(level: DynamicLevel, pairs: &[(&str, &str)]) -> Option<DynamicRefusal> {
    let after = match level {
        DynamicLevel::Defaults => both(pairs, &[]),
        DynamicLevel::Own => both(&[], pairs),
    };
    BrokerConfig::default().check_dynamic(level, &DynamicSettings::default(), &after).err()
}

#[test]
fn one_broker_wins_over_all_and_both_over_the_file() {
    let file = from_overrides(&["log.retention.hours=2", "message.max.bytes=5000", "max.connections=7"]).unwrap();
    let dynamic = both(
        &[("log.retention.ms", "1000"), ("message.max.bytes", "6000"), ("max.connections", "8")],
        &[("message.max.bytes", "7000"), ("producer.id.expiration.ms", "9000")],
    );
    let broker = file.with_dynamic(&dynamic).unwrap();
    assert_eq!(broker.log.retention, Some(Duration::from_secs(1)));
    assert_eq!((broker.log.message_bytes_max, broker.network.connections_max), (7000, 8));
    assert_eq!(broker.storage.producer_expiry, Duration::from_secs(9));
    assert_eq!(LogConfig::resolve(&configs(&[]), &broker).unwrap(), broker.log);
    let topic = LogConfig::resolve(&configs(&[("max.message.bytes", "9")]), &broker).unwrap();
    assert_eq!(topic.message_bytes_max, 9);
    assert_eq!(broker.with_dynamic(&DynamicSettings::default()).unwrap(), file, "and back");
}

/// From Apache Kafka 4.3.0: `Admin#incrementalAlterConfigs` of broker 1 and of all brokers.
#[test]
fn what_cannot_change_at_run_time_is_refused_in_kafkas_words() {
    use DynamicLevel::{Defaults, Own};
    type Case<'a> = (DynamicLevel, &'a [(&'a str, &'a str)], &'a str);
    let cases: &[Case<'_>] = &[
        (Own, &[("num.partitions", "3")], "Cannot update these configs dynamically: [num.partitions]"),
        (Defaults, &[("num.partitions", "x")], "Cannot update these configs dynamically: [num.partitions]"),
        (
            Own,
            &[("log.roll.hours", "1"), ("num.partitions", "4"), ("log.segment.bytes", "1"), ("nosuch.x", "1")],
            "Cannot update these configs dynamically: [log.roll.hours, num.partitions]",
        ),
        (
            Own,
            &[("ssl.keystore.location", "/x")],
            "These security configs can be dynamically updated only per-listener using the listener prefix: \
             [ssl.keystore.location]",
        ),
        (
            Defaults,
            &[("listeners", "PLAINTEXT://127.0.0.1:9092")],
            "Cannot update these configs at default cluster level, broker id must be specified: [listeners]",
        ),
        (
            Own,
            &[("log.segment.bytes", "3")],
            "Invalid value 3 for configuration log.segment.bytes: Value must be at least 1048576",
        ),
        (
            Defaults,
            &[("log.segment.bytes", "abc")],
            "Invalid value abc for configuration log.segment.bytes: Not a number of type INT",
        ),
        (
            Own,
            &[("leader.replication.throttled.rate", "-1")],
            "Invalid value -1 for configuration leader.replication.throttled.rate: Value must be at least 0",
        ),
        (
            Own,
            &[("num.io.threads", "100")],
            "Invalid value org.apache.kafka.common.config.ConfigException: Dynamic thread count update validation failed for \
             num.io.threads=100, value should not be greater than double the current value 8 for configuration Invalid \
             dynamic configuration",
        ),
        (
            Own,
            &[("background.threads", "1")],
            "Invalid value org.apache.kafka.common.config.ConfigException: Dynamic thread count update validation failed for \
             background.threads=1, value should be at least half the current value 10 for configuration Invalid dynamic \
             configuration",
        ),
    ];
    for (level, pairs, text) in cases {
        assert_eq!(told(*level, pairs), Some(DynamicRefusal::InvalidRequest((*text).into())), "{pairs:?}");
    }
    for pairs in [
        &[("log.retention.ms", "-5")][..],
        &[("log.retention.ms", " 7 ")],
        &[("max.connections.per.ip", "0"), ("max.connections.per.ip.overrides", "127.0.0.1:5")],
        &[("num.io.threads", "16"), ("num.recovery.threads.per.data.dir", "1")],
        &[("unclean.leader.election.enable", "true")],
        &[("replica.alter.log.dirs.io.max.bytes.per.second", "0")],
    ] {
        assert_eq!(told(Own, pairs), None, "{pairs:?}");
        assert_eq!(told(Defaults, pairs), None, "{pairs:?}");
    }
    assert_eq!(told(Own, &[("listeners", "PLAINTEXT://127.0.0.1:9092")]), None, "it says what is so");
}

#[test]
fn what_is_not_served_is_refused_at_run_time_as_in_a_file() {
    let told = |name: &str, value: &str| told(DynamicLevel::Own, &[(name, value)]).unwrap();
    let unknown = DynamicRefusal::InvalidConfig("Unknown config name: nosuch.name".into());
    assert_eq!(told("nosuch.name", "1"), unknown, "Kafka keeps it for plug-ins");
    let of_one_listener = told("listener.name.plaintext.max.connections", "10").to_string();
    assert!(of_one_listener.contains("for one listener alone"), "{of_one_listener}");
    for (name, value, advice) in [
        ("log.cleanup.policy", "compact", "no log cleaner"),
        ("sasl.jaas.config", "sesame", "SASL is not served"),
        ("listeners", "PLAINTEXT://127.0.0.1:1", "at the start only"),
        ("max.connections.per.ip", "0", "can be set to zero only if"),
        ("max.connections.per.ip.overrides", "foo", "write HOST:COUNT"),
    ] {
        let refused = told(name, value).to_string();
        assert!(refused.contains(advice) && !refused.contains("sesame"), "{refused}");
    }
}

#[test]
fn a_change_of_threads_is_measured_by_what_was_set_before() {
    let (before, after) = (both(&[], &[("num.io.threads", "16")]), both(&[], &[("num.io.threads", "32")]));
    assert_eq!(BrokerConfig::default().check_dynamic(DynamicLevel::Own, &before, &after), Ok(()));
}

#[test]
fn lists_begin_with_kafkas_default_where_nothing_is_set() {
    assert_eq!(broker_list_default("log.cleanup.policy", "APPEND").as_deref(), Ok("delete"));
    let told = |name: &str| broker_list_default(name, "SUBTRACT").unwrap_err().to_string();
    assert_eq!(told("log.segment.bytes"), "Config value subtract is not allowed for config key: log.segment.bytes");
    assert_eq!(told("nosuch.list"), "Unknown config name: nosuch.list");
    let broker = from_overrides(&["log.cleanup.policy="]).unwrap();
    let dynamic = both(&[("log.cleanup.policy", "delete")], &[]);
    assert_eq!(topic_list_default("cleanup.policy", &dynamic, &broker).as_deref(), Some("delete"));
    assert_eq!(topic_list_default("cleanup.policy", &DynamicSettings::default(), &broker).as_deref(), Some(""));
}

#[test]
fn subscriptions_to_metrics_show_defaults_without_synonyms() {
    let entries = client_metrics_entries(&configs(&[("metrics", " a , b ")]));
    let shown: Vec<_> =
        entries.iter().map(|entry| (entry.name, entry.value.as_deref().unwrap(), entry.source.code())).collect();
    assert_eq!(shown, [("interval.ms", "300000", 5), ("match", "", 5), ("metrics", "a,b", 7)]);
    assert_eq!((entries[0].synonyms.len(), entries[2].synonyms.len()), (0, 1));
}

#[test]
fn what_is_stored_and_wrong_has_no_effect_and_takes_nothing_else_with_it() {
    let stored = both(
        &[("log.retention.ms", "-1"), ("max.connections.per.ip", "0"), ("message.max.bytes", "900")],
        &[("message.max.bytes", "1000")],
    );
    let file = from_overrides(&["log.retention.hours=2"]).unwrap();
    assert!(file.with_dynamic(&stored).is_err(), "0 needs overrides");
    let (config, wrong) = file.with_stored(&stored);
    assert!(matches!(&wrong[..], [one] if one.starts_with("max.connections.per.ip=0: ")), "{wrong:?}");
    assert_eq!((config.log.retention, config.log.message_bytes_max), (None, 1000));
    assert_eq!(config.dynamic(), &stored, "it is shown, so that it can be repaired");
    // Others can be changed, and it can be deleted.
    let more = stored.with(DynamicLevel::Defaults, "log.retention.bytes", "5");
    assert_eq!(file.check_dynamic(DynamicLevel::Defaults, &stored, &more), Ok(()));
    let repaired = both(&[("log.retention.ms", "-1")], &[]);
    assert_eq!(file.check_dynamic(DynamicLevel::Defaults, &stored, &repaired), Ok(()));
    let worse = stored.with(DynamicLevel::Own, "max.connections.per.ip", "0");
    assert!(file.check_dynamic(DynamicLevel::Own, &stored, &worse).is_err());
    // One that comes first may need one that comes later.
    let (_, wrong) = file.with_stored(&both(
        &[("listeners", "x"), ("max.connections.per.ip", "0"), ("max.connections.per.ip.overrides", "127.0.0.1:5")],
        &[],
    ));
    assert!(matches!(&wrong[..], [one] if one.starts_with("listeners=x: ")), "{wrong:?}");
}

#[test]
fn threads_are_counted_from_what_was_in_effect_to_what_will_be() {
    let broker = BrokerConfig::default();
    let check = |level, before: &DynamicSettings, after: &DynamicSettings| broker.check_dynamic(level, before, after);
    let before = both(&[("num.io.threads", "8")], &[("num.io.threads", "32")]);
    let unrelated = before.with(DynamicLevel::Defaults, "log.retention.bytes", "5");
    assert_eq!(check(DynamicLevel::Defaults, &before, &unrelated), Ok(()), "32 stay");
    let deleted = both(&[("num.io.threads", "8")], &[]);
    assert!(check(DynamicLevel::Own, &before, &deleted).is_err(), "from 32 to 8");
}
