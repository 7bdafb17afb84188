//! That every name of Kafka's is known, and what becomes of it.

use crate::config::*;

const KAFKA_SETTINGS: &str = include_str!("../../../tests/golden/kafka-4.3-settings.tsv");

/// Broker's defaults that are not Kafka's, each with its reason in `exceptions`.
const OTHER_DEFAULTS: &[&str] = &[
    "broker.id",
    "controller.listener.names",
    "listeners",
    "log.dir",
    "node.id",
    "process.roles",
    "queued.max.request.bytes",
];

/// Validators that are narrower or wider here than in Kafka's `ConfigDef`, where it checks the rest elsewhere.
const OTHER_CHECKS: &[&str] = &[
    "broker.id",
    "default.replication.factor",
    "log.retention.hours",
    "log.retention.minutes",
    "log.retention.ms",
    "log.roll.jitter.ms",
    "log.roll.ms",
];

fn from_overrides(overrides: &[&str]) -> Result<BrokerConfig, String> {
    let overrides = overrides.iter().map(|text| text.to_string()).collect();
    BrokerConfig::parse("", "", &Flags { overrides, ..Flags::default() }).map_err(|error| error.to_string())
}

fn warnings(config: &BrokerConfig) -> Vec<String> {
    config.warnings.iter().map(Warning::to_string).collect()
}

fn in_environment(variables: &[(&str, &str)], flags: &Flags) -> Result<BrokerConfig, String> {
    let environment: Environment =
        variables.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    BrokerConfig::load_in(&environment, None, flags).map_err(|error| error.to_string())
}

fn known(kind: &str) -> Vec<&'static Setting> {
    if kind == "broker" { broker_settings().to_vec() } else { TOPIC_SETTINGS.iter().collect() }
}

#[test]
fn every_setting_of_kafka_is_there_with_its_type_default_and_bounds() {
    let rows = KAFKA_SETTINGS.lines().filter(|line| !line.starts_with('#'));
    for line in rows.clone() {
        let [kind, name, of_type, default, validator, update] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        let setting = known(kind).into_iter().find(|setting| setting.name == name).unwrap_or_else(|| panic!("{line}"));
        assert_eq!(format!("{:?}", setting.kind).to_uppercase(), of_type, "{name}");
        assert_eq!(updated(setting.update), update, "{name}");
        let is_inherited = kind == "topic" && setting.disposition == Disposition::Served;
        if !is_inherited && !OTHER_DEFAULTS.contains(&name) {
            assert_eq!(setting.default.unwrap_or("null"), default, "{name}");
        }
        if !OTHER_CHECKS.contains(&name) {
            assert_eq!(bounds(setting.check), validator_text(validator), "{name}");
        }
    }
    let kafkas: Vec<&str> = rows.filter_map(|line| line.split('\t').nth(1)).collect();
    let ours = broker_settings().iter().filter(|setting| !kafkas.contains(&setting.name));
    for setting in ours {
        let is_removed = setting.documentation.starts_with("Removed in Kafka 4.0");
        assert!(is_removed || setting.visibility == Visibility::Internal, "{} is not Kafka's", setting.name);
    }
}

fn updated(update: Update) -> &'static str {
    match update {
        Update::ReadOnly => "read-only",
        Update::PerBroker => "per-broker",
        Update::ClusterWide => "cluster-wide",
    }
}

/// A check as Kafka prints the validator.
fn bounds(check: Check) -> String {
    match check {
        Check::Any => String::new(),
        Check::AtLeast(least) => format!("[{least},...]"),
        Check::Between(least, most) => format!("[{least},...,{most}]"),
        Check::BetweenOrUnset(least, most) => format!("[{least},...,{most}] or -1"),
        Check::PositiveOrUnlimited => "-1 or [1,...]".into(),
        Check::OneOf(texts) => format!("[{}]", texts.join(", ")),
        Check::OneOfAnyCase(texts) => format!("(case insensitive) [{}]", texts.join(", ")),
        Check::NotEmpty => "non-empty string".into(),
        Check::ThrottledReplicas => "[partitionId]:[brokerId],[partitionId]:[brokerId],...".into(),
    }
}

/// Kafka's text, without the validators that say nothing here: texts that cannot be `null`, lists that may be empty.
fn validator_text(text: &str) -> &str {
    match text {
        "non-null string" | "non-empty list" => "",
        other => other,
    }
}

#[test]
fn a_value_that_is_kafkas_default_is_never_refused() {
    for line in KAFKA_SETTINGS.lines().filter(|line| line.starts_with("broker\t")) {
        let [_, name, _, default, _, _] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
        // −1 is "make one up", which a broker with node.id does not.
        if default == "null" || default == "required" || name == "broker.id" {
            continue;
        }
        let config = from_overrides(&[&format!("{name}={default}")]).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(warnings(&config), [] as [&str; 0], "{name}");
    }
}

#[test]
fn what_harms_nobody_is_taken_with_a_warning_and_shown() {
    let config = from_overrides(&["num.io.threads=16", "num.network.threads=3"]).unwrap();
    assert_eq!(
        warnings(&config),
        ["--override num.io.threads=16: no effect: Threads follow the number of processors."]
    );
    let entries = broker_entries(&config);
    let shown = |name: &str| entries.iter().find(|entry| entry.name == name).and_then(|entry| entry.value.as_deref());
    assert_eq!((shown("num.io.threads"), shown("num.network.threads")), (Some("16"), Some("3")));
    assert_eq!(shown("background.threads"), Some("10"), "nobody set it");
    assert!(from_overrides(&["num.io.threads=0"]).unwrap_err().ends_with("Value must be at least 1"));
}

#[test]
fn fractions_are_written_with_and_without_quotes() {
    for written in ["0.75", "\"0.75\"", "7.5e-1"] {
        let text =
            format!("[kafka]\nlog.cleaner.io.buffer.load.factor = {written}\nlog.cleaner.min.cleanable.ratio = 0.5");
        let config = BrokerConfig::parse("k", &text, &Flags::default()).unwrap();
        assert_eq!(config.warnings.len(), 1, "0.5 is the default: {written}");
    }
    let told = BrokerConfig::parse("k", "[kafka]\nnum.partitions = 0.5", &Flags::default()).unwrap_err().to_string();
    assert!(told.ends_with("write a string, a whole number, true or false"), "{told}");
}

#[test]
fn what_would_change_safety_or_security_is_refused_with_advice() {
    for (asked, advice) in [
        ("authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer", "There are no ACLs yet"),
        ("ssl.client.auth=required", "TLS is not served yet"),
        ("sasl.enabled.mechanisms=PLAIN", "SASL is not served yet"),
        ("security.inter.broker.protocol=SSL", "Only PLAINTEXT is served"),
        ("remote.log.storage.system.enable=true", "There is no remote storage"),
        ("replication.quota.window.num=5", "Nothing is replicated yet"),
        ("listener.name.internal.ssl.client.auth=required", "for one listener alone"),
        ("log.dirs=/a,/b", "several directories"),
        ("process.roles=broker", "broker and controller in one"),
        ("controller.quorum.voters=1@a:1,2@b:1", "names node 2, and this is node 1"),
        ("controller.quorum.voters=a:1", "not of the form ID@HOST:PORT"),
        ("controller.quorum.bootstrap.servers=a:1,b:1", "several nodes"),
    ] {
        let refused = from_overrides(&[asked]).unwrap_err();
        assert!(refused.starts_with("--override ") && refused.contains(advice), "{refused}");
    }
    assert!(from_overrides(&["ssl.keystore.location="]).is_ok(), "a template's empty line asks for nothing");
}

#[test]
fn a_secret_is_told_to_nobody() {
    let told = from_overrides(&["ssl.keystore.password=sesame"]).unwrap_err();
    assert!(told.contains("ssl.keystore.password") && !told.contains("sesame"), "{told}");
    let told = in_environment(&[("KAFKA_SASL_JAAS_CONFIG", "sesame")], &Flags::default()).unwrap_err();
    assert!(told.starts_with("KAFKA_SASL_JAAS_CONFIG=[hidden]: ") && !told.contains("sesame"), "{told}");
    let config = from_overrides(&["ssl.key.password="]).unwrap();
    let entries = broker_entries(&config);
    let entry = entries.iter().find(|entry| entry.name == "ssl.key.password").unwrap();
    assert!(entry.sensitive && entry.value.is_none() && entry.synonyms.iter().all(|synonym| synonym.value.is_none()));
}

/// The `config/server.properties` that Kafka 4 is shipped with, without its comments.
const SHIPPED: &[&str] = &[
    "process.roles=broker,controller",
    "node.id=1",
    "controller.quorum.bootstrap.servers=localhost:9093",
    "listeners=PLAINTEXT://:9092,CONTROLLER://:9093",
    "inter.broker.listener.name=PLAINTEXT",
    "advertised.listeners=PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093",
    "controller.listener.names=CONTROLLER",
    "listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT",
    "num.network.threads=3",
    "num.io.threads=8",
    "socket.send.buffer.bytes=102400",
    "socket.receive.buffer.bytes=102400",
    "socket.request.max.bytes=104857600",
    "log.dirs=/tmp/kraft-combined-logs",
    "num.partitions=1",
    "num.recovery.threads.per.data.dir=2",
    "offsets.topic.replication.factor=1",
    "share.coordinator.state.topic.replication.factor=1",
    "share.coordinator.state.topic.min.isr=1",
    "transaction.state.log.replication.factor=1",
    "transaction.state.log.min.isr=1",
    "log.retention.hours=168",
    "log.segment.bytes=1073741824",
    "log.retention.check.interval.ms=300000",
];

#[test]
fn the_file_that_kafka_is_shipped_with_is_taken() {
    let config = from_overrides(SHIPPED).unwrap();
    let names: Vec<&str> = config.listeners.iter().map(|listener| listener.name.as_str()).collect();
    assert_eq!(names, ["PLAINTEXT"], "nothing connects to the controller of a single node");
    assert_eq!(config.listeners[0].advertised_address(9092, "here").to_string(), "localhost:9092");
    assert_eq!(config.warnings.len(), 7, "{:#?}", warnings(&config));

    let overrides =
        SHIPPED.iter().filter(|line| !line.starts_with("advertised")).map(|line| line.to_string()).collect();
    let flags = Flags { overrides, advertise: vec!["elsewhere".into()], ..Flags::default() };
    let config = BrokerConfig::parse("", "", &flags).unwrap();
    let advertised = config.listeners[0].advertised_address(9092, "here").to_string();
    assert_eq!(advertised, "elsewhere:9092", "the controller's is not one of several listeners");
}

#[test]
fn properties_become_a_file_that_configures_the_same() {
    let text = SHIPPED.join("\n");
    let imported = import_properties("server.properties", &text).unwrap();
    let ours = BrokerConfig::parse("klamm.toml", &imported.text, &Flags::default()).unwrap();
    let theirs = from_overrides(SHIPPED).unwrap();
    assert_eq!(ours.warnings, []);
    let (settings, effective) = (theirs.settings.clone(), theirs.effective.clone());
    assert_eq!(BrokerConfig { settings, effective, warnings: theirs.warnings.clone(), ..ours }, theirs);
    assert_eq!(imported.warnings.len(), theirs.warnings.len());
}

#[test]
fn properties_keep_their_comments_and_what_has_no_effect_becomes_one() {
    let text = "# Where\nlisteners = PLAINTEXT://localhost:\\\n   9092\n\nnum.io.threads: 16\nnum.partitions 2\nnum.partitions=3\n\
                auto.create.topics.enable=false\nlog.dirs=/a \"b\"\n";
    let imported = import_properties("server.properties", text).unwrap();
    assert_eq!(
        imported.text,
        "[kafka]\n# Where\n\"listeners\" = \"PLAINTEXT://localhost:9092\"\n\n\
         # No effect: Threads follow the number of processors.\n# \"num.io.threads\" = 16\n\
         # Set again below.\n# \"num.partitions\" = 2\n\"num.partitions\" = 3\n\
         \"auto.create.topics.enable\" = false\n\"log.dirs\" = '/a \"b\"'\n"
    );
    let told: Vec<String> = imported.warnings.iter().map(Warning::to_string).collect();
    assert!(told[0].starts_with("server.properties:5:1: num.io.threads: no effect"), "{told:?}");
    assert!(import_properties("", "").unwrap().text.starts_with("# listeners is not set: "));
}

#[test]
fn everything_that_is_wrong_in_properties_is_told() {
    let text = "num.partition=3\nremote.log.storage.system.enable=true\n  num.partitions=0\nssl.key.password=sesame";
    let told = import_properties("s", text).unwrap_err().iter().map(Error::to_string).collect::<Vec<_>>().join("\n");
    for part in
        ["s:1:1: unknown setting", "s:2:1: remote.log", "s:3:3: num.partitions: Invalid", "s:4:1: ssl.key.password"]
    {
        assert!(told.contains(part), "{told}");
    }
    assert!(!told.contains("sesame"));
    let together = import_properties("s", "\nlisteners=PLAINTEXT://0.0.0.0:9092").unwrap_err();
    assert!(together[0].to_string().starts_with("s:2:1: listeners: listener PLAINTEXT is bound"), "{together:?}");
}

#[test]
fn the_smallest_file_says_where_the_data_lies_and_where_to_listen() {
    let text = include_str!("../../../config/minimal.toml");
    let config = BrokerConfig::parse("minimal.toml", text, &Flags::default()).unwrap();
    assert_eq!((config.data_dir.to_str(), config.listeners[0].bind.port), (Some("/var/lib/klamm"), 9092));
    let defaults = BrokerConfig::default();
    let (data_dir, listeners) = (config.data_dir.clone(), config.listeners.clone());
    let (settings, effective) = (config.settings.clone(), config.effective.clone());
    let expected = BrokerConfig { data_dir, listeners, settings, effective, ..defaults };
    assert_eq!(config, expected, "it sets nothing else");
}

proptest::proptest! {
    #[test]
    fn what_is_imported_is_taken(text in "(((num.partitions|log.dirs|broker.rack|num.io.threads|listeners)[=: ]|#)[ -~\\PC]{0,12}\n){0,5}") {
        if let Ok(imported) = import_properties("s", &text) {
            BrokerConfig::parse("k", &imported.text, &Flags::default()).unwrap();
        }
    }
}

#[test]
fn the_environment_wins_over_the_file_and_the_command_line_over_both() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("klamm.toml");
    let text = "topics.partitions = 2\n[kafka]\nlog.retention.ms = 1000\nmax.connections = 7";
    std::fs::write(&file, text).unwrap();
    let environment: Environment = [
        ("KAFKA_NUM_PARTITIONS", "3"),
        ("KAFKA_LOG_RETENTION_HOURS", "1"),
        ("KAFKA_DEFAULT_REPLICATION_FACTOR", "1"),
        ("KAFKA_HEAP_OPTS", "-Xmx1G"),
        ("KAFKA_NUM_PARTITION", "4"),
        ("PATH", "/bin"),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect();
    let config = BrokerConfig::load_in(&environment, Some(&file), &Flags::default()).unwrap();
    assert_eq!((config.topics.partitions, config.network.connections_max), (3, 7));
    assert_eq!(config.log.retention, Some(std::time::Duration::from_secs(3600)));
    assert_eq!(
        warnings(&config),
        ["KAFKA_NUM_PARTITION: unknown setting 'num.partition': did you mean 'num.partitions'? It is ignored"]
    );
    let flags = Flags { overrides: vec!["num.partitions=5".into()], ..Flags::default() };
    assert_eq!(BrokerConfig::load_in(&environment, Some(&file), &flags).unwrap().topics.partitions, 5);
}

#[test]
fn what_is_wrong_in_the_environment_is_told_with_its_variable() {
    let told = |name, value| in_environment(&[(name, value)], &Flags::default()).unwrap_err();
    assert_eq!(
        told("KAFKA_NUM_PARTITIONS", "0"),
        "KAFKA_NUM_PARTITIONS=0: Invalid value 0 for configuration num.partitions: Value must be at least 1"
    );
    assert!(told("KAFKA_LISTENER_NAME_SSL_SSL_CLIENT_AUTH", "required").contains("one listener alone"));
}

/// What Docker Compose files and Testcontainers set for a single node.
#[test]
fn the_variables_of_a_container_are_taken() {
    let config = in_environment(
        &[
            ("KAFKA_NODE_ID", "1"),
            ("KAFKA_PROCESS_ROLES", "broker,controller"),
            ("KAFKA_LISTENERS", "PLAINTEXT://0.0.0.0:9092,BROKER://0.0.0.0:9093,CONTROLLER://0.0.0.0:9094"),
            ("KAFKA_ADVERTISED_LISTENERS", "PLAINTEXT://localhost:32768,BROKER://here:9093"),
            ("KAFKA_LISTENER_SECURITY_PROTOCOL_MAP", "BROKER:PLAINTEXT,PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT"),
            ("KAFKA_CONTROLLER_LISTENER_NAMES", "CONTROLLER"),
            ("KAFKA_INTER_BROKER_LISTENER_NAME", "BROKER"),
            ("KAFKA_CONTROLLER_QUORUM_VOTERS", "1@localhost:9094"),
            ("KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR", "1"),
            ("KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS", "1"),
            ("KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR", "1"),
            ("KAFKA_TRANSACTION_STATE_LOG_MIN_ISR", "1"),
            ("KAFKA_LOG_FLUSH_INTERVAL_MESSAGES", "9223372036854775807"),
            ("KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS", "0"),
        ],
        &Flags::default(),
    )
    .unwrap();
    let names: Vec<&str> = config.listeners.iter().map(|listener| listener.name.as_str()).collect();
    assert_eq!(names, ["PLAINTEXT", "BROKER"]);
    assert_eq!(config.warnings.len(), 7, "{:#?}", warnings(&config));
}

#[test]
fn a_topic_shows_what_it_set_without_effect() {
    let overrides = [("preallocate".to_owned(), "true".to_owned())].into();
    let shown = |broker: &BrokerConfig, name: &str| {
        let entries = topic_entries(&overrides, broker);
        entries.into_iter().find(|entry| entry.name == name).map(|entry| (entry.value.unwrap(), entry.source))
    };
    let plain = BrokerConfig::default();
    assert_eq!(shown(&plain, "preallocate"), Some(("true".into(), ConfigSource::DynamicTopic)));
    assert_eq!(shown(&plain, "compression.lz4.level"), Some(("9".into(), ConfigSource::Default)));
    let set = from_overrides(&["compression.lz4.level=4"]).unwrap();
    assert_eq!(shown(&set, "compression.lz4.level"), Some(("4".into(), ConfigSource::StaticBroker)));
}
