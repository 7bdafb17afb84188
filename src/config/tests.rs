//! The configuration as a whole: tables, files, flags, and what a real broker answers.

mod describe;
mod dynamic;
mod names;

use super::native_table::{KEYS, LISTENER_KEYS, ListenerKey};
use super::setting::Family;
use super::*;
use std::collections::BTreeMap;
use std::time::Duration;

const SHOWN_FILE: &str = include_str!("../../config/klamm.toml");

fn from_file(text: &str) -> Result<BrokerConfig, String> {
    BrokerConfig::parse("klamm.toml", text, &Flags::default()).map_err(|error| error.to_string())
}

fn from_overrides(overrides: &[&str]) -> Result<BrokerConfig, String> {
    let overrides = overrides.iter().map(|text| text.to_string()).collect();
    BrokerConfig::parse("", "", &Flags { overrides, ..Flags::default() }).map_err(|error| error.to_string())
}

fn configs(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
}

#[test]
fn the_tables_are_sorted_and_their_defaults_are_allowed() {
    for table in [broker_settings().to_vec(), TOPIC_SETTINGS.iter().collect()] {
        assert!(table.is_sorted_by(|one, next| one.name < next.name));
        for setting in table {
            assert!(setting.documentation.ends_with('.'), "{}", setting.name);
            if let Some(default) = setting.default {
                setting.parse(default).unwrap();
            }
        }
    }
}

#[test]
fn every_topic_setting_inherits_from_one_of_the_broker_of_its_type() {
    let broker = BrokerConfig::default();
    for topic in TOPIC_SETTINGS {
        let Some(broker_name) = topic.broker_name else {
            assert!(topic.disposition != Disposition::Served && topic.default.is_some(), "{}", topic.name);
            continue;
        };
        let inherited = broker_table::find(broker_name).unwrap();
        assert_eq!(topic.kind, inherited.kind, "{}", topic.name);
        let value = broker.settings.effective_text(inherited.name).or(topic.default.map(str::to_owned)).unwrap();
        topic.parse(&value).unwrap();
    }
}

#[test]
fn the_names_of_a_family_all_belong_to_it() {
    for setting in broker_settings() {
        for name in setting.family.names(setting.name) {
            assert_eq!(broker_table::find(name).unwrap().family, setting.family, "{name}");
        }
        match setting.family {
            Family::Alone => {}
            Family::OrElse(other) => assert_eq!(broker_table::find(other).unwrap().kind, setting.kind),
            Family::Scaled(_) | Family::Aliases(_) => assert!(setting.family.names("").contains(&setting.name)),
        }
    }
}

#[test]
fn an_empty_configuration_is_a_broker_on_the_loopback() {
    let config = from_file("").unwrap();
    assert_eq!(config, BrokerConfig::default());
    assert_eq!(config.node_id.0, 1);
    assert_eq!(config.data_dir.to_str(), Some("./klamm-data"));
    assert_eq!(config.rack, None);
    let bind = HostPort { host: "127.0.0.1".into(), port: 9092 };
    assert_eq!(config.listeners, [Listener { name: "PLAINTEXT".into(), bind, advertised: None }]);
    assert_eq!(config.network.request_memory_bytes, 256 << 20);
    assert_eq!(config.network.idle_time_max, Some(Duration::from_secs(600)));
    assert_eq!(config.log.retention, Some(Duration::from_secs(7 * 24 * 3600)));
    assert_eq!(config.log.retention_bytes, None);
    assert_eq!(config.log, LogConfig::default());
}

#[test]
fn the_shown_file_has_every_key_with_its_default() {
    let parsed = from_file(SHOWN_FILE).unwrap();
    let defaults = BrokerConfig::default();
    let (settings, effective) = (defaults.settings.clone(), defaults.effective.clone());
    assert_eq!(BrokerConfig { settings, effective, ..parsed }, defaults);

    let document: toml::Table = SHOWN_FILE.parse().unwrap();
    for known in KEYS {
        assert!(document[known.section].get(known.key).is_some(), "{}.{} is missing", known.section, known.key);
    }
    for ListenerKey { key, .. } in LISTENER_KEYS {
        assert!(document["listener"][0].get(key).is_some(), "listener.{key} is missing");
    }
    // One sentence each: a comment stands above every key.
    let lines: Vec<&str> = SHOWN_FILE.lines().collect();
    for pair in lines.windows(2).filter(|pair| pair[1].contains(" = ")) {
        assert!(
            pair[0].starts_with('#') || pair[1].starts_with('#') || pair[0] == "[kafka]",
            "{} has no comment",
            pair[1]
        );
    }
}

#[test]
fn native_keys_have_units() {
    let config = from_file(
        r#"
        [node]
        id = 7
        data_dir = "/data"
        rack = "eu-1a"
        [[listener]]
        name = "internal"
        bind = "0.0.0.0:0"
        advertised = "broker1.example"
        [[listener]]
        name = "EXTERNAL"
        bind = "[::1]:9093"
        [topics]
        partitions = 3
        replication = 2
        retention = "250ms"
        retention_bytes = "1GiB"
        segment = 2097152
        [storage]
        reserve = "1MiB"
        flush_delay = "20ms"
        [validation]
        compressed_batches = "strict"
        "#,
    )
    .unwrap();
    assert_eq!(config.node_id.0, 7);
    assert_eq!(config.rack.as_deref(), Some("eu-1a"));
    assert_eq!(config.listeners[0].name, "INTERNAL");
    assert_eq!(config.listeners[0].advertised_address(4711, "here").to_string(), "broker1.example:4711");
    assert_eq!(config.listeners[1].advertised_address(9093, "here").to_string(), "[::1]:9093");
    assert_eq!((config.topics.partitions, config.topics.replication_factor), (3, 2));
    assert_eq!(config.log.retention, Some(Duration::from_millis(250)));
    assert_eq!(config.log.retention_bytes, Some(1 << 30));
    assert_eq!(config.log.segment_bytes, 2 << 20);
    assert_eq!(config.compressed_batches, CompressedBatches::Strict);
    assert_eq!((config.storage.reserve_bytes, config.storage.flush_delay), (1 << 20, Some(Duration::from_millis(20))));
    let none = from_file("[storage]\nreserve = 0\nflush_delay = \"0ms\"").unwrap().storage;
    assert_eq!((none.reserve_bytes, none.flush_delay), (0, None));
    assert_eq!(from_file("topics.retention = -1").unwrap().log.retention, None);
}

#[test]
fn the_kafka_table_takes_names_with_and_without_quotes() {
    let config = from_file(
        r#"
        [kafka]
        "log.retention.hours" = "24"
        num.partitions = 5
        auto.create.topics.enable = false
        "max.connections" = 10
        "max.connections.per.ip.overrides" = "127.0.0.1:5, [::1]:6,localhost:7"
        "#,
    )
    .unwrap();
    assert_eq!(config.log.retention, Some(Duration::from_secs(24 * 3600)));
    assert_eq!(config.topics.partitions, 5);
    assert!(!config.topics.auto_create);
    assert_eq!(config.network.connections_max, 10);
    assert_eq!(config.network.connections_per_address_overrides[&"127.0.0.1".parse().unwrap()], 7);
}

#[test]
fn what_is_wrong_in_a_file_is_told_with_its_place() {
    let told = |text: &str| from_file(text).unwrap_err();
    assert_eq!(told("[node]\nidd = 1"), "klamm.toml:2:1: unknown key in [node] 'idd': did you mean 'id'?");
    assert_eq!(told("[topic]"), "klamm.toml:1:2: unknown section 'topic': did you mean 'topics'?");
    assert_eq!(
        told("[[listener]]\nbind = \"a:1\"\n  adverised = \"\""),
        "klamm.toml:3:3: unknown key in [[listener]] 'adverised': did you mean 'advertised'?"
    );
    assert_eq!(
        told("[kafka]\n\"num.partition\" = 3"),
        "klamm.toml:2:1: unknown setting 'num.partition': did you mean 'num.partitions'?"
    );
    assert_eq!(
        told("[kafka]\n\"retention.ms\" = 3"),
        "klamm.toml:2:1: 'retention.ms' is a topic's setting; the broker's is 'log.retention.ms'"
    );
    assert_eq!(
        told("[kafka]\n\"log.segment.bytes\" = 3"),
        "klamm.toml:2:23: log.segment.bytes: Invalid value 3 for configuration log.segment.bytes: Value must be at least \
         1048576"
    );
    assert_eq!(
        told("[topics]\npartitions = 0"),
        "klamm.toml:2:14: topics.partitions: Invalid value 0 for configuration num.partitions: Value must be at least 1"
    );
    assert_eq!(
        told("topics.retention = \"7 fortnights\""),
        "klamm.toml:1:20: topics.retention: '7 fortnights' is not a duration: write a number and a unit, such as \
         \"250ms\", \"12h\" or \"7d\""
    );
    assert_eq!(
        told("topics.retention = 7"),
        "klamm.toml:1:20: topics.retention: write a number with its unit, such as \"7d\" or \"250ms\", or -1 for no limit"
    );
    assert!(told("topics.segment = \"much\"").contains("is not a size"));
    assert!(told("validation.compressed_batches = \"x\"").ends_with("write one of \"header\", \"strict\""));
    assert!(told("kafka.x = [1]").starts_with("klamm.toml:1:7: unknown setting 'x'"));
    assert!(told("kafka.num.partitions = [1]").ends_with("write a string, a whole number, true or false"));
    assert!(told("kafka.num.partitions = 99999999999999999999").ends_with("is too large a number"));
    assert!(told("[kafka]\nnum.partitions = 1\n\"num.partitions\" = 1").ends_with("with and without quotes"));
    assert!(told("node = 1").contains("under a line [node]"));
    assert!(told("listener = 1").contains("under a line [[listener]]"));
    assert!(told("[[listener]]\nname = \"A\"").contains("bind is missing"));
    assert!(told("[node\nid = 1").starts_with("klamm.toml:1:6: "), "{}", told("[node\nid = 1"));
    assert!(told("[node]\nid = 1\nid = 2").starts_with("klamm.toml:3:1: "));
}

#[test]
fn one_thing_set_twice_to_different_values_is_an_error() {
    assert_eq!(
        from_file("topics.partitions = 2\n[kafka]\nnum.partitions = 3").unwrap_err(),
        "klamm.toml:1:21: topics.partitions (num.partitions = 2) and klamm.toml:3:18: num.partitions (num.partitions = 3) \
         set the same thing to different values"
    );
    let other_unit = "topics.retention = \"1d\"\n[kafka]\nlog.retention.hours = ";
    assert!(from_file(&format!("{other_unit}24")).is_ok());
    assert!(from_file(&format!("{other_unit}25")).is_err());
    assert!(from_file("node.data_dir = \"/a\"\n[kafka]\nlog.dir = \"/b\"").is_err());
    assert!(from_file("node.id = 2\n[kafka]\nbroker.id = 3").is_err());
    assert!(from_file("[kafka]\nnode.id = 2\nbroker.id = 3").is_err());
    assert!(from_file("[kafka]\nnode.id = 2\nbroker.id = 2").is_ok());
    assert!(from_file("[[listener]]\nbind = \"a:1\"\n[kafka]\nlisteners = \"PLAINTEXT://a:2\"").is_err());
}

#[test]
fn the_command_line_wins_over_the_file() {
    let file = "[node]\nid = 2\ndata_dir = \"/file\"\n[kafka]\nlog.retention.ms = 1000\n\
                [[listener]]\nbind = \"0.0.0.0:1\"\nadvertised = \"file:1\"";
    let flags = Flags {
        listen: vec!["127.0.0.1:0".into()],
        advertise: vec!["line".into()],
        data_dir: Some("/line".into()),
        node_id: Some("3".into()),
        overrides: vec!["log.retention.hours=1".into(), "num.partitions=4".into(), "num.partitions=5".into()],
    };
    let config = BrokerConfig::parse("klamm.toml", file, &flags).unwrap();
    assert_eq!(config.node_id.0, 3);
    assert_eq!(config.data_dir.to_str(), Some("/line"));
    assert_eq!(config.log.retention, Some(Duration::from_secs(3600)));
    assert_eq!(config.topics.partitions, 5);
    assert_eq!(config.listeners[0].bind.to_string(), "127.0.0.1:0");
    assert_eq!(config.listeners[0].advertised_address(5000, "").to_string(), "line:5000");
}

#[test]
fn a_listener_of_the_command_line_is_plaintext_whatever_its_name() {
    let file = "[[listener]]\nname = \"INSIDE\"\nbind = \"127.0.0.1:1\"";
    let flags = Flags { listen: vec!["OTHER://127.0.0.1:2".into()], ..Flags::default() };
    let config = BrokerConfig::parse("klamm.toml", file, &flags).unwrap();
    assert_eq!(config.listeners[0].name, "OTHER");
    let verbatim = from_overrides(&["listeners=OTHER://127.0.0.1:2"]).unwrap_err();
    assert!(verbatim.contains("No security protocol defined for listener OTHER"), "{verbatim}");
}

#[test]
fn flags_that_do_not_fit_are_told() {
    let told = |flags: Flags| BrokerConfig::parse("", "", &flags).unwrap_err().to_string();
    let overrides = |text: &str| Flags { overrides: vec![text.into()], ..Flags::default() };
    assert_eq!(told(overrides("num.partitions")), "--override num.partitions: write NAME=VALUE");
    assert_eq!(
        told(overrides("num.prtitions=1")),
        "--override num.prtitions=1: unknown setting 'num.prtitions': did you mean 'num.partitions'?"
    );
    assert_eq!(
        told(Flags { node_id: Some("x".into()), ..Flags::default() }),
        "--node-id x: Invalid value x for configuration node.id: Not a number of type INT"
    );
    let listen = vec!["A://127.0.0.1:1".into(), "B://127.0.0.1:2".into()];
    let several = Flags { listen, advertise: vec!["host".into()], ..Flags::default() };
    assert_eq!(told(several), "--advertise host: there are several listeners: say which with NAME://host");
    let both = Flags { node_id: Some("5".into()), ..overrides("node.id=6") };
    assert!(told(both).ends_with("set the same thing to different values"));
}

#[test]
fn values_that_do_not_go_together_are_refused() {
    assert!(from_overrides(&["queued.max.request.bytes=1000"]).unwrap_err().contains("socket.request.max.bytes"));
    let larger = from_overrides(&["socket.request.max.bytes=2147483647"]).unwrap();
    assert_eq!(larger.network.request_memory_bytes, 2_147_483_647);
    assert_eq!(from_overrides(&["queued.max.request.bytes=-1"]).unwrap().network.request_memory_bytes, 256 << 20);
    assert!(from_overrides(&["max.connections.per.ip=0"]).is_err());
    assert!(from_overrides(&["max.connections.per.ip=0", "max.connections.per.ip.overrides=::1:2"]).is_ok());
    assert!(from_overrides(&["max.connections.per.ip.overrides=nowhere.invalid:1"]).is_err());
    assert!(from_overrides(&["max.connections.per.ip.overrides=127.0.0.1:-1"]).is_err());
    assert!(from_overrides(&["log.dirs=/a,/b"]).unwrap_err().contains("several directories"));
    assert!(from_overrides(&["log.dirs= "]).is_err());
    assert!(from_overrides(&["log.retention.hours=0"]).is_err());
    assert!(from_overrides(&["log.cleanup.policy=compact"]).unwrap_err().contains("no log cleaner"));
    assert_eq!(from_overrides(&["connections.max.idle.ms=-1"]).unwrap().network.idle_time_max, None);
    assert_eq!(from_overrides(&["log.retention.minutes=-1"]).unwrap().log.retention, None);
    assert_eq!(
        from_overrides(&["log.retention.hours=2147483647"]).unwrap().log.retention,
        Some(Duration::from_secs(3600 * 2_147_483_647))
    );
}

/// Values and sentences from Apache Kafka 4.3.0: `Admin#createTopics`, validate-only, with one config each.
#[test]
fn topic_configs_are_refused_in_kafkas_words() {
    let told = |name: &str, value: &str| check_topic_configs(&configs(&[(name, value)])).err();
    let refused = [
        ("x.y", "1", "Unknown topic config name: x.y"),
        (
            "preallocate",
            "x",
            "Invalid value x for configuration preallocate: Expected value to be either true or false",
        ),
        (
            "min.cleanable.dirty.ratio",
            "1.5",
            "Invalid value 1.5 for configuration min.cleanable.dirty.ratio: Value must be no more than 1",
        ),
        (
            "min.cleanable.dirty.ratio",
            "nan",
            "Invalid value nan for configuration min.cleanable.dirty.ratio: Not a number of type DOUBLE",
        ),
        (
            "compression.gzip.level",
            "0",
            "Invalid value 0 for configuration compression.gzip.level: Value must be between 1 and 9 or equal to -1",
        ),
        (
            "leader.replication.throttled.replicas",
            "*,1:1",
            "Invalid value [*, 1:1] for configuration leader.replication.throttled.replicas: \
             leader.replication.throttled.replicas must be the literal '*' or a list of replicas in the following format: \
             [partitionId]:[brokerId],[partitionId]:[brokerId],...",
        ),
        ("retention.ms", "abc", "Invalid value abc for configuration retention.ms: Not a number of type LONG"),
        ("retention.ms", "-2", "Invalid value -2 for configuration retention.ms: Value must be at least -1"),
        ("retention.ms", "1L", "Invalid value 1L for configuration retention.ms: Not a number of type LONG"),
        ("retention.bytes", "", "Invalid value  for configuration retention.bytes: Not a number of type LONG"),
        ("segment.bytes", "0", "Invalid value 0 for configuration segment.bytes: Value must be at least 1048576"),
        (
            "segment.bytes",
            "99999999999",
            "Invalid value 99999999999 for configuration segment.bytes: Not a number of type INT",
        ),
        ("segment.ms", "0", "Invalid value 0 for configuration segment.ms: Value must be at least 1"),
        ("segment.jitter.ms", "-1", "Invalid value -1 for configuration segment.jitter.ms: Value must be at least 0"),
        ("segment.index.bytes", "3", "Invalid value 3 for configuration segment.index.bytes: Value must be at least 4"),
        (
            "index.interval.bytes",
            "-1",
            "Invalid value -1 for configuration index.interval.bytes: Value must be at least 0",
        ),
        ("max.message.bytes", "-1", "Invalid value -1 for configuration max.message.bytes: Value must be at least 0"),
        (
            "file.delete.delay.ms",
            "-1",
            "Invalid value -1 for configuration file.delete.delay.ms: Value must be at least 0",
        ),
        ("min.insync.replicas", "0", "Invalid value 0 for configuration min.insync.replicas: Value must be at least 1"),
        (
            "message.timestamp.type",
            "foo",
            "Invalid value foo for configuration message.timestamp.type: String must be one of: CreateTime, LogAppendTime",
        ),
        (
            "message.timestamp.after.max.ms",
            "9223372036854775808",
            "Invalid value 9223372036854775808 for configuration message.timestamp.after.max.ms: Not a number of type LONG",
        ),
        (
            "cleanup.policy",
            "foo",
            "Invalid value foo for configuration cleanup.policy: String must be one of: compact, delete",
        ),
        (
            "compression.type",
            "foo",
            "Invalid value foo for configuration compression.type: String must be one of: uncompressed, zstd, lz4, snappy, \
             gzip, producer",
        ),
    ];
    for (name, value, sentence) in refused {
        assert_eq!(told(name, value).as_deref(), Some(sentence));
    }
    let taken = [
        ("cleanup.policy", ""),
        ("cleanup.policy", "delete,delete"),
        ("preallocate", "true"),
        ("compression.zstd.level", "-131072"),
        ("min.cleanable.dirty.ratio", "0.25"),
        ("leader.replication.throttled.replicas", "*"),
        ("follower.replication.throttled.replicas", "0:1,0:1"),
        ("flush.messages", " 1 "),
        ("flush.ms", "0"),
        ("remote.storage.enable", "FALSE"),
        ("unclean.leader.election.enable", "false"),
        ("retention.bytes", "-2"),
        ("retention.bytes", " 77 "),
        ("min.insync.replicas", "2"),
        ("index.interval.bytes", "0"),
        ("retention.ms", "+5"),
        ("segment.index.bytes", "4"),
        ("message.timestamp.type", "LogAppendTime "),
        ("segment.jitter.ms", "999999999999"),
    ];
    for (name, value) in taken {
        assert_eq!(told(name, value), None, "{name}={value}");
    }
    let several = configs(&[("a.a", "1"), ("retention.ms", "x"), ("segment.bytes", "1")]);
    assert_eq!(check_topic_configs(&several).unwrap_err(), "Unknown topic config name: a.a");
}

#[test]
fn kip_390_a_topics_compression_is_its_type_with_the_level_of_the_topic_or_of_the_broker() {
    let broker =
        from_overrides(&["compression.type=lz4", "compression.lz4.level=12", "compression.zstd.level=-7"]).unwrap();
    let of = |pairs: &[(&str, &str)]| LogConfig::resolve(&configs(pairs), &broker).unwrap().compression;
    assert_eq!(LogConfig::default().compression, None);
    assert_eq!(of(&[]), Some(TargetCompression::Lz4 { level: 12 }));
    assert_eq!(of(&[("compression.lz4.level", "17")]), Some(TargetCompression::Lz4 { level: 17 }));
    assert_eq!(of(&[("compression.type", "zstd")]), Some(TargetCompression::Zstd { level: -7 }));
    assert_eq!(of(&[("compression.type", "gzip")]), Some(TargetCompression::Gzip { level: -1 }));
    assert_eq!(of(&[("compression.type", "snappy")]), Some(TargetCompression::Snappy));
    assert_eq!(of(&[("compression.type", "uncompressed")]), Some(TargetCompression::None));
    assert_eq!(of(&[("compression.type", "producer"), ("compression.gzip.level", "9")]), None);
}

#[test]
fn topic_configs_that_are_not_served_yet_are_refused_and_not_called_unknown() {
    let told = |name: &str, value: &str| check_topic_configs(&configs(&[(name, value)])).unwrap_err();
    assert!(told("cleanup.policy", "delete, compact").contains("no log cleaner"));
    assert!(told("remote.storage.enable", "true").contains("no remote storage"));
}

#[test]
fn a_topic_overrides_the_broker() {
    let broker = from_overrides(&["log.roll.hours=2", "message.max.bytes=5000", "log.retention.bytes=10"]).unwrap();
    let none = LogConfig::resolve(&configs(&[]), &broker).unwrap();
    assert_eq!(none.segment_age_max, Duration::from_secs(7200));
    assert_eq!(none, broker.log);
    let overrides =
        configs(&[("max.message.bytes", "9"), ("message.timestamp.type", "LogAppendTime"), ("retention.ms", "-1")]);
    let some = LogConfig::resolve(&overrides, &broker).unwrap();
    assert_eq!((some.message_bytes_max, some.timestamp_type), (9, TimestampType::LogAppendTime));
    assert_eq!((some.retention, some.retention_bytes), (None, Some(10)));
    let for_ever = LogConfig::resolve(&configs(&[("cleanup.policy", "")]), &broker).unwrap();
    assert_eq!((for_ever.retention, for_ever.retention_bytes), (None, None));
    assert!(LogConfig::resolve(&configs(&[("segment.bytes", "x")]), &broker).is_err());
}

#[test]
fn the_age_of_what_is_not_synced_is_bounded_by_the_topic_the_broker_or_how_often_it_is_looked_at() {
    let resolved = |broker: &[&str], topic: &[(&str, &str)]| {
        let broker = from_overrides(broker).unwrap();
        let log = LogConfig::resolve(&configs(topic), &broker).unwrap();
        (log.flush_records, log.flush_age_max, broker.storage.flush_check_interval)
    };
    let ms = |ms| Some(Duration::from_millis(ms));
    let (scheduled, broker) = ("log.flush.scheduler.interval.ms=5000", "log.flush.interval.ms=700");
    assert_eq!(resolved(&[], &[]), (i64::MAX as u64, None, None));
    assert_eq!(resolved(&[scheduled], &[]), (i64::MAX as u64, ms(5000), ms(5000)));
    assert_eq!(resolved(&[scheduled, broker], &[]).1, ms(700));
    assert_eq!(resolved(&[broker], &[("flush.ms", "9"), ("flush.messages", "3")]), (3, ms(9), None));
    assert_eq!(resolved(&["log.flush.interval.messages=1"], &[]).0, 1);
    assert_eq!(resolved(&[broker, "log.flush.scheduler.interval.ms=-1"], &[]), (i64::MAX as u64, ms(700), None));
    let refused = from_overrides(&["log.flush.interval.ms=-1"]).unwrap_err();
    assert!(refused.contains("flush.ms: Value must be at least 0"), "{refused}");
}

const ODD: &[&str] = &[
    "",
    " ",
    ",",
    "-9223372036854775808",
    "-2147483648",
    "-1",
    "0",
    "1",
    "65536",
    "2147483647",
    "9223372036854775807",
    "1e3",
    "true",
    "a,b",
    "delete",
    "PLAINTEXT://a:1",
    "PLAINTEXT://:0,SSL://[",
    "127.0.0.1:2147483648",
    "ö://\u{0}",
];

#[test]
fn no_value_of_any_setting_panics() {
    for setting in broker_settings() {
        for value in ODD {
            if let Ok(broker) = from_overrides(&[&format!("{}={value}", setting.name)]) {
                broker_entries(&broker);
                topic_entries(&configs(&[]), &broker);
            }
        }
    }
    let broker = BrokerConfig::default();
    for setting in TOPIC_SETTINGS {
        for value in ODD {
            let overrides = configs(&[(setting.name, value)]);
            let checked = check_topic_configs(&overrides).map_err(|_| ());
            assert_eq!(LogConfig::resolve(&overrides, &broker).map(|_| ()).map_err(|_| ()), checked, "{overrides:?}");
            topic_entries(&overrides, &broker);
        }
    }
}

proptest::proptest! {
    #[test]
    fn no_text_of_a_file_panics(at in 0..SHOWN_FILE.len(), length in 0_usize..40, text in "[\\PC\n]{0,20}") {
        let mut bytes = SHOWN_FILE.as_bytes().to_vec();
        let end = (at + length).min(bytes.len());
        bytes.splice(at..end, text.bytes());
        let _ = from_file(&String::from_utf8_lossy(&bytes));
    }
}
