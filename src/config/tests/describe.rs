//! That DescribeConfigs shows what a running Apache Kafka shows.

use super::{configs, from_overrides};
use crate::config::*;
use std::collections::BTreeMap;

const KAFKA_ANSWERS: &str = include_str!("../../../tests/golden/kafka-4.3-describe-configs.tsv");

/// Names with another value or source here, each with its reason in `exceptions`; the golden file leaves out the others.
const OTHER_VALUES: &[&str] = &["queued.max.request.bytes"];

/// The settings in the file, and those of all brokers and of this one at run time, of each case of the golden file.
type Case =
    (&'static str, &'static str, &'static [(&'static str, &'static str)], &'static [(&'static str, &'static str)]);

const SET: &str = include_str!("../../../tests/golden/kafka-4.3-describe-configs.properties");

const CASES: &[Case] = &[
    ("plain", "", &[], &[]),
    ("set", SET, &[], &[]),
    (
        "dynamic",
        "",
        &[
            ("log.retention.ms", "5000"),
            ("leader.replication.throttled.rate", "1000"),
            ("num.io.threads", "9"),
            ("log.message.timestamp.type", "LogAppendTime"),
        ],
        &[
            ("log.retention.ms", "6000"),
            ("log.segment.bytes", "2000000"),
            ("follower.replication.throttled.rate", "2000"),
            ("message.max.bytes", " 3000000 "),
        ],
    ),
    ("both", SET, &[("log.retention.ms", "7000000")], &[("message.max.bytes", "3000000")]),
];

#[test]
fn describe_configs_answers_as_kafka_does() {
    let kafkas = |case: &str| {
        let rows = KAFKA_ANSWERS.lines().filter_map(|line| line.strip_prefix(case)?.strip_prefix('\t'));
        rows.map(|row| (row.split('\t').take(2).collect::<Vec<_>>().join("\t"), row)).collect::<BTreeMap<_, _>>()
    };
    for (case, file, defaults, own) in CASES {
        let mut expected = kafkas("plain");
        expected.extend(kafkas(case));
        let dynamic = DynamicSettings { defaults: configs(defaults), own: configs(own) };
        let broker = from_overrides(&file.lines().collect::<Vec<_>>()).unwrap().with_dynamic(&dynamic).unwrap();
        let ours = [
            ("BROKER", broker_entries(&broker)),
            ("BROKERS", default_broker_entries(&broker)),
            ("TOPIC", topic_entries(&configs(&[("retention.ms", "1000")]), &broker)),
        ];
        let mut shown = BTreeMap::new();
        for (resource, entries) in &ours {
            assert!(entries.is_sorted_by_key(|entry| entry.name));
            shown.extend(entries.iter().map(|entry| (format!("{resource}\t{}", entry.name), row(resource, entry))));
        }
        for (key, row) in &expected {
            if !OTHER_VALUES.iter().any(|name| *key == format!("BROKER\t{name}")) {
                assert_eq!(shown.get(key).map(String::as_str), Some(*row), "{case}");
            }
        }
        let more: Vec<_> = shown.keys().filter(|key| !expected.contains_key(*key)).collect();
        let left_out = [
            "BROKER\tadvertised.listeners",
            "BROKER\tbroker.id",
            "BROKER\tcontroller.listener.names",
            "BROKER\tcontroller.quorum.voters",
            "BROKER\tlisteners",
            "BROKER\tlog.dir",
            "BROKER\tlog.dirs",
            "BROKER\tnode.id",
            "BROKER\tprocess.roles",
        ];
        assert_eq!(more, left_out, "{case}");
    }
}

/// An entry as the golden file has it.
fn row(resource: &str, entry: &ConfigEntry) -> String {
    let source = |source| match source {
        ConfigSource::DynamicTopic => "DYNAMIC_TOPIC_CONFIG",
        ConfigSource::DynamicBroker => "DYNAMIC_BROKER_CONFIG",
        ConfigSource::DynamicDefaultBroker => "DYNAMIC_DEFAULT_BROKER_CONFIG",
        ConfigSource::StaticBroker => "STATIC_BROKER_CONFIG",
        ConfigSource::Default => "DEFAULT_CONFIG",
        ConfigSource::ClientMetrics => "DYNAMIC_CLIENT_METRICS_CONFIG",
    };
    let synonyms = entry.synonyms.iter().map(|synonym| {
        format!("{}={}:{}", synonym.name, synonym.value.as_deref().unwrap_or("null"), source(synonym.source))
    });
    format!(
        "{resource}\t{}\t{}\t{}\t{}\t{}\t{}\t[{}]",
        entry.name,
        entry.value.as_deref().unwrap_or("null"),
        format!("{:?}", entry.kind).to_uppercase(),
        source(entry.source),
        entry.read_only,
        entry.sensitive,
        synonyms.collect::<Vec<_>>().join(", "),
    )
}

#[test]
fn internal_settings_are_not_shown() {
    let entries = broker_entries(&BrokerConfig::default());
    assert!(entries.iter().all(|entry| entry.name != "producer.id.expiration.check.interval.ms"));
    let node = entries.iter().find(|entry| entry.name == "node.id").unwrap();
    assert_eq!((node.source.code(), node.kind.code(), node.read_only), (5, 3, true));
}

#[test]
fn what_kafka_removed_is_shown_where_somebody_set_it() {
    let shown = |broker: &BrokerConfig| broker_entries(broker).iter().any(|entry| entry.name == "zookeeper.connect");
    assert!(!shown(&BrokerConfig::default()));
    assert!(shown(&from_overrides(&["zookeeper.connect=a:1"]).unwrap()));
}
