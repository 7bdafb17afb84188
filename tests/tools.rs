//! Apache Kafka's tools that change settings: kafka-configs, kafka-client-metrics, kafka-reassign-partitions with throttles.
//!
//! * What they print is checked, and was compared with what they print of Apache Kafka 4.3.
//! * A broker that is named by the environment must be an empty one of its own, with log.retention.hours=24, and the tests
//!   must run one after the other: settings of a broker are everybody's (`docs/testing.md`).

mod support;

use support::broker::Broker;
use support::java::{Session, Tools};

const CONFIGS: &str = "kafka.admin.ConfigCommand";
const CLIENT_METRICS: &str = "org.apache.kafka.tools.ClientMetricsCommand";
const REASSIGN_PARTITIONS: &str = "org.apache.kafka.tools.reassign.ReassignPartitionsCommand";
const TOPICS: &str = "org.apache.kafka.tools.TopicCommand";

/// The tools for a broker, in one virtual machine.
struct Desk<'a>(Session<'a>);

impl<'a> Desk<'a> {
    fn open(wanted_for: &str, broker: &'a Broker) -> Option<Desk<'a>> {
        Some(Desk(Tools::gather(wanted_for)?.session(broker)))
    }

    fn run(&self, main_class: &str, arguments: &str) -> String {
        self.run_with(main_class, &arguments.split_whitespace().collect::<Vec<_>>())
    }

    fn run_with(&self, main_class: &str, arguments: &[&str]) -> String {
        self.0.output(main_class, arguments)
    }

    /// What is said to a tool that must fail.
    fn refused(&self, main_class: &str, arguments: &str) -> String {
        self.0.complaint(main_class, &arguments.split_whitespace().collect::<Vec<_>>())
    }
}

fn broker() -> Broker {
    Broker::start_with(&["log.retention.hours=24"])
}

fn expect(output: &str, line: &str) {
    assert!(output.lines().any(|each| each.trim() == line), "{line}\nis not in\n{output}");
}

#[test]
fn kafka_configs_changes_and_describes_topics() {
    let broker = broker();
    let Some(desk) = Desk::open("kafka-configs of topics", &broker) else { return };
    desk.run(TOPICS, "--create --topic t --partitions 1");
    let changed = desk.run(CONFIGS, "--alter --topic t --add-config retention.ms=54321,segment.ms=60000");
    expect(&changed, "Completed updating config for topic t.");
    desk.run_with(
        CONFIGS,
        &["--alter", "--topic", "t", "--add-config", "leader.replication.throttled.replicas=[0:1,1:1]"],
    );
    desk.run(CONFIGS, "--alter --topic t --delete-config segment.ms");
    let described = desk.run(CONFIGS, "--describe --topic t");
    expect(&described, "Dynamic configs for topic t are:");
    expect(&described, "retention.ms=54321 sensitive=false synonyms={DYNAMIC_TOPIC_CONFIG:retention.ms=54321}");
    expect(
        &described,
        "leader.replication.throttled.replicas=0:1,1:1 sensitive=false \
         synonyms={DYNAMIC_TOPIC_CONFIG:leader.replication.throttled.replicas=0:1,1:1}",
    );
    assert!(!described.contains("segment.ms"), "{described}");
    let all = desk.run(CONFIGS, "--describe --topic t --all");
    assert_eq!(all.lines().count(), 1 + 33, "{all}");
    expect(
        &all,
        "min.cleanable.dirty.ratio=0.5 sensitive=false synonyms={DEFAULT_CONFIG:log.cleaner.min.cleanable.ratio=0.5}",
    );
    let refused = desk.refused(CONFIGS, "--alter --topic t --add-config segment.bytes=1");
    let sentence = "Invalid value 1 for configuration segment.bytes: Value must be at least 1048576";
    assert!(refused.contains(sentence), "{refused}");
}

#[test]
fn kafka_configs_changes_and_describes_brokers() {
    let broker = broker();
    let Some(desk) = Desk::open("kafka-configs of brokers", &broker) else { return };
    let changed =
        desk.run(CONFIGS, "--alter --entity-type brokers --entity-default --add-config log.retention.ms=7000");
    expect(&changed, "Completed updating default config for brokers in the cluster.");
    let changed = desk.run(CONFIGS, "--alter --broker 1 --add-config log.retention.ms=8000,log.segment.bytes=2000000");
    expect(&changed, "Completed updating config for broker 1.");
    let described = desk.run(CONFIGS, "--describe --broker-defaults");
    expect(&described, "Default configs for brokers in the cluster are:");
    expect(
        &described,
        "log.retention.ms=7000 sensitive=false synonyms={DYNAMIC_DEFAULT_BROKER_CONFIG:log.retention.ms=7000}",
    );
    let described = desk.run(CONFIGS, "--describe --broker 1");
    expect(&described, "Dynamic configs for broker 1 are:");
    expect(
        &described,
        "log.retention.ms=8000 sensitive=false synonyms={DYNAMIC_BROKER_CONFIG:log.retention.ms=8000, \
         DYNAMIC_DEFAULT_BROKER_CONFIG:log.retention.ms=7000, STATIC_BROKER_CONFIG:log.retention.hours=24, \
         DEFAULT_CONFIG:log.retention.hours=168}",
    );
    desk.run(CONFIGS, "--alter --broker 1 --delete-config log.retention.ms");
    let described = desk.run(CONFIGS, "--describe --broker 1");
    assert_eq!(described.lines().count(), 2, "what is set for the broker itself: {described}");
    assert!(described.contains("log.segment.bytes=2000000"), "{described}");
    let all = desk.run(CONFIGS, "--describe --broker 1 --all");
    assert_eq!(all.lines().count(), 1 + 340, "{all}");
    expect(
        &all,
        "log.retention.ms=7000 sensitive=false synonyms={DYNAMIC_DEFAULT_BROKER_CONFIG:log.retention.ms=7000, \
         STATIC_BROKER_CONFIG:log.retention.hours=24, DEFAULT_CONFIG:log.retention.hours=168}",
    );
    expect(&all, "num.io.threads=8 sensitive=false synonyms={DEFAULT_CONFIG:num.io.threads=8}");
    expect(&all, "ssl.key.password=null sensitive=true synonyms={}");
    let refused = desk.refused(CONFIGS, "--alter --broker 1 --add-config num.partitions=3");
    assert!(refused.contains("Cannot update these configs dynamically: [num.partitions]"), "{refused}");
    desk.run(CONFIGS, "--alter --broker 1 --delete-config log.segment.bytes");
    desk.run(CONFIGS, "--alter --entity-type brokers --entity-default --delete-config log.retention.ms");
}

#[test]
fn kafka_configs_and_kafka_client_metrics_keep_subscriptions() {
    let broker = broker();
    let Some(desk) = Desk::open("kafka-client-metrics", &broker) else { return };
    let changed = desk.run(
        CLIENT_METRICS,
        "--alter --name sub --metrics org.apache.kafka.producer.,org.apache.kafka.consumer. --interval 5000 --match \
         client_id=app.*",
    );
    expect(&changed, "Altered client metrics config for sub.");
    desk.run(CONFIGS, "--alter --client-metrics other --add-config metrics=*");
    let listed = desk.run(CLIENT_METRICS, "--list");
    let mut listed: Vec<_> = listed.lines().collect();
    listed.sort_unstable();
    assert_eq!(listed, ["other", "sub"]);
    let described = desk.run(CLIENT_METRICS, "--describe --name sub");
    for line in [
        "Client metrics configs for sub are:",
        "interval.ms=5000",
        "match=client_id=app.*",
        "metrics=org.apache.kafka.producer.,org.apache.kafka.consumer.",
    ] {
        expect(&described, line);
    }
    let described = desk.run(CONFIGS, "--describe --entity-type client-metrics");
    expect(&described, "Dynamic configs for client-metric other are:");
    expect(&described, "metrics=* sensitive=false synonyms={DYNAMIC_CLIENT_METRICS_CONFIG:metrics=*}");
    expect(&desk.run(CLIENT_METRICS, "--delete --name sub"), "Deleted client metrics config for sub.");
    expect(&desk.run(CLIENT_METRICS, "--list"), "other");
    let gone = desk.run(CLIENT_METRICS, "--describe --name sub");
    expect(&gone, "The client metric resource sub doesn't exist and doesn't have dynamic config.");
    let refused = desk.refused(CLIENT_METRICS, "--alter --name sub --interval 99");
    assert!(
        refused.contains("Invalid value 99 for interval.ms, interval must be between 100 and 3600000"),
        "{refused}"
    );
}

#[test]
fn kafka_reassign_partitions_sets_and_clears_throttles() {
    let broker = broker();
    let Some(desk) = Desk::open("kafka-reassign-partitions with throttles", &broker) else { return };
    desk.run(TOPICS, "--create --topic moved --partitions 2");
    let folder = tempfile::tempdir().expect("a temporary directory can be made");
    let written = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("it can be written");
        path.display().to_string()
    };
    let topics = written("topics.json", r#"{"topics":[{"topic":"moved"}],"version":1}"#);
    let generated = desk
        .run_with(REASSIGN_PARTITIONS, &["--generate", "--topics-to-move-json-file", &topics, "--broker-list", "1"]);
    let proposed = generated
        .split_once("Proposed partition reassignment configuration\n")
        .unwrap_or_else(|| panic!("{generated}"))
        .1;
    assert!(proposed.contains(r#"{"topic":"moved","partition":1,"replicas":[1]"#), "{proposed}");
    let plan = written("plan.json", proposed.trim());
    let executed = desk.run_with(
        REASSIGN_PARTITIONS,
        &[
            "--execute",
            "--reassignment-json-file",
            &plan,
            "--throttle",
            "1000000",
            "--replica-alter-log-dirs-throttle",
            "2000000",
        ],
    );
    assert!(executed.contains("Warning: You must run --verify periodically"), "{executed}");
    expect(&executed, "The inter-broker throttle limit was set to 1000000 B/s");
    expect(&executed, "The replica-alter-dir throttle limit was set to 2000000 B/s");
    expect(&executed, "Successfully started partition reassignments for moved-0,moved-1");
    // Of itself the tool sets it only for moves between directories.
    desk.run(CONFIGS, "--alter --broker 1 --add-config replica.alter.log.dirs.io.max.bytes.per.second=2000000");
    let throttles = desk.run(CONFIGS, "--describe --broker 1");
    for line in [
        "follower.replication.throttled.rate=1000000 sensitive=false \
         synonyms={DYNAMIC_BROKER_CONFIG:follower.replication.throttled.rate=1000000}",
        "leader.replication.throttled.rate=1000000 sensitive=false \
         synonyms={DYNAMIC_BROKER_CONFIG:leader.replication.throttled.rate=1000000}",
        "replica.alter.log.dirs.io.max.bytes.per.second=2000000 sensitive=false \
         synonyms={DYNAMIC_BROKER_CONFIG:replica.alter.log.dirs.io.max.bytes.per.second=2000000}",
    ] {
        expect(&throttles, line);
    }
    expect(&desk.run(REASSIGN_PARTITIONS, "--list"), "No partition reassignments found.");
    let verified = desk.run_with(REASSIGN_PARTITIONS, &["--verify", "--reassignment-json-file", &plan]);
    for line in [
        "Reassignment of partition moved-0 is completed.",
        "Reassignment of partition moved-1 is completed.",
        "Clearing broker-level throttles on broker 1",
        "Clearing topic-level throttles on topic moved",
    ] {
        expect(&verified, line);
    }
    for of in ["--broker 1", "--topic moved"] {
        let described = desk.run(CONFIGS, &format!("--describe {of}"));
        assert_eq!(described.lines().count(), 1, "{described}");
    }
    let cancelled = desk.run_with(REASSIGN_PARTITIONS, &["--cancel", "--reassignment-json-file", &plan]);
    expect(&cancelled, "None of the specified partition reassignments are active.");
}
