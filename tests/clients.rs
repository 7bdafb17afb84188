//! Real clients, unchanged, against a broker: kafka-python of three generations, confluent-kafka, kcat and Apache Kafka's tools.
//!
//! * Each test is one client and one group of cases; the cases of the Python clients, and those of Kafka's tools for
//!   administrators, are in `tests/clients/`.
//! * A client whose interpreter is not installed is skipped, and said so on standard error; nothing else is skipped silently.
//! * With `KLAMM_TEST_BOOTSTRAP=host:port` the same tests run against that broker (see `docs/testing.md`).

mod support;

#[path = "clients/cluster.rs"]
mod cluster;
#[path = "clients/records.rs"]
mod records;
#[path = "clients/topics.rs"]
mod topics;

use std::process::Command;
use std::time::Duration;

use support::broker::Broker;
use support::java::Tools;
use support::process::{Finished, print_skipped, run, works};
use support::python::run_cases;

#[test]
fn kafka_python_2_0_2_produces() {
    run_cases("kafka-python-2.0.2", "kafka_python_producer");
}

#[test]
fn kafka_python_2_0_2_consumes() {
    run_cases("kafka-python-2.0.2", "kafka_python_consumer");
}

#[test]
fn kafka_python_2_0_2_administers_topics() {
    run_cases("kafka-python-2.0.2", "kafka_python_admin");
}

#[test]
fn kafka_python_2_3_produces() {
    run_cases("kafka-python-2.3.3", "kafka_python_producer");
}

#[test]
fn kafka_python_2_3_consumes() {
    run_cases("kafka-python-2.3.3", "kafka_python_consumer");
}

#[test]
fn kafka_python_2_3_administers_topics() {
    run_cases("kafka-python-2.3.3", "kafka_python_admin");
}

#[test]
fn kafka_python_3_produces() {
    run_cases("kafka-python-3.0.12", "kafka_python_producer");
}

#[test]
fn kafka_python_3_consumes() {
    run_cases("kafka-python-3.0.12", "kafka_python_consumer");
}

#[test]
fn kafka_python_3_administers_topics() {
    run_cases("kafka-python-3.0.12", "kafka_python_admin");
}

#[test]
fn kafka_python_3_has_a_command_line() {
    run_cases("kafka-python-3.0.12", "kafka_python_cli");
}

#[test]
fn confluent_kafka_produces() {
    run_cases("confluent-kafka", "confluent_kafka_producer");
}

#[test]
fn confluent_kafka_consumes_by_assignment() {
    run_cases("confluent-kafka", "confluent_kafka_consumer");
}

#[test]
fn confluent_kafka_administers_topics() {
    run_cases("confluent-kafka", "confluent_kafka_admin");
}

/// A topic name that no other test uses.
fn new_topic() -> String {
    format!("t-{}", uuid::Uuid::new_v4().simple())
}

/// Runs kcat against the broker.
fn kcat(broker: &Broker, arguments: &[&str], input: &str) -> String {
    let mut command = Command::new("kcat");
    command.args(["-b", broker.address()]).args(arguments);
    run(&mut command, input.as_bytes(), Duration::from_secs(30)).expect_success(&format!("kcat {arguments:?}"))
}

/// Whether kcat is there; otherwise says that the test was skipped.
fn has_kcat(wanted_for: &str) -> bool {
    let found = works("kcat", &["-V"]);
    if !found {
        print_skipped(&format!("{wanted_for}: kcat is not installed"));
    }
    found
}

#[test]
fn kcat_produces_with_keys_and_headers_and_consumes_with_a_format() {
    if !has_kcat("kcat with keys and headers") {
        return;
    }
    let (broker, topic) = (Broker::start(), new_topic());
    kcat(&broker, &["-P", "-t", &topic, "-p", "0", "-K", ":", "-H", "h=1", "-H", "h=2"], "a:1\nb:2\nc:3\n");
    let read =
        kcat(&broker, &["-C", "-t", &topic, "-p", "0", "-o", "beginning", "-e", "-q", "-f", "%p %o %k %s %h\n"], "");
    assert_eq!(read, "0 0 a 1 h=1,h=2\n0 1 b 2 h=1,h=2\n0 2 c 3 h=1,h=2\n");
}

#[test]
fn kcat_produces_with_every_codec_and_every_acks() {
    if !has_kcat("kcat with codecs and acks") {
        return;
    }
    let broker = Broker::start();
    let lines: String =
        (0..200).map(|i| format!("line {i}, and words that repeat, that repeat, that repeat\n")).collect();
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        for acks in ["0", "1", "all"] {
            let topic = new_topic();
            let setting = format!("acks={acks}");
            kcat(&broker, &["-P", "-t", &topic, "-p", "0", "-z", codec, "-X", &setting, "-X", "linger.ms=20"], &lines);
            let read = kcat(&broker, &["-C", "-t", &topic, "-p", "0", "-o", "beginning", "-c", "200", "-q"], "");
            assert_eq!(read, lines, "{codec} with acks {acks}");
        }
    }
}

#[test]
fn kcat_reads_what_a_broker_of_every_compression_type_made_of_every_codec() {
    if !has_kcat("kcat with recompression") {
        return;
    }
    let line = |i| format!("line {i}, and words that repeat, that repeat, that repeat\n");
    let lines: String = (0..500).map(line).collect();
    for target in ["uncompressed", "gzip", "snappy", "lz4", "zstd"] {
        let broker = Broker::start_ours(&[&format!("compression.type={target}")]);
        for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
            let topic = new_topic();
            kcat(&broker, &["-P", "-t", &topic, "-p", "0", "-z", codec, "-X", "linger.ms=20"], &lines);
            let read = kcat(&broker, &["-C", "-t", &topic, "-p", "0", "-o", "beginning", "-c", "500", "-q"], "");
            assert_eq!(read, lines, "{codec} to {target}");
        }
    }
}

#[test]
fn kcat_starts_at_offsets_relative_to_both_ends() {
    if !has_kcat("kcat with offsets") {
        return;
    }
    let (broker, topic) = (Broker::start(), new_topic());
    kcat(&broker, &["-P", "-t", &topic, "-p", "0"], "0\n1\n2\n3\n4\n");
    let from = |offset: &str| kcat(&broker, &["-C", "-t", &topic, "-p", "0", "-o", offset, "-e", "-q"], "");
    assert_eq!(from("3"), "3\n4\n");
    assert_eq!(from("-2"), "3\n4\n");
    assert_eq!(from("beginning"), "0\n1\n2\n3\n4\n");
    assert_eq!(from("end"), "");
    assert_eq!(from("s@1000"), "0\n1\n2\n3\n4\n");
}

#[test]
fn kcat_queries_offsets_by_time() {
    if !has_kcat("kcat -Q") {
        return;
    }
    let (broker, topic) = (Broker::start(), new_topic());
    kcat(&broker, &["-P", "-t", &topic, "-p", "0"], "0\n1\n2\n");
    let offset_at = |time: &str| kcat(&broker, &["-Q", "-t", &format!("{topic}:0:{time}")], "");
    // librdkafka's own numbers: -2 is the beginning, -1 the end; a time after the last record gives the end, -1.
    assert_eq!(offset_at("-2"), format!("{topic} [0] offset 0\n"));
    assert_eq!(offset_at("-1"), format!("{topic} [0] offset 3\n"));
    assert_eq!(offset_at("1000"), format!("{topic} [0] offset 0\n"));
    assert_eq!(offset_at("9000000000000"), format!("{topic} [0] offset -1\n"));
}

#[test]
fn kcat_lists_brokers_topics_and_partitions() {
    if !has_kcat("kcat -L") {
        return;
    }
    let (broker, topic) = (Broker::start(), new_topic());
    kcat(&broker, &["-P", "-t", &topic, "-p", "0"], "0\n");
    let listed = kcat(&broker, &["-L", "-t", &topic], "");
    assert!(
        listed.contains(" 1 brokers:\n") && listed.contains(&format!("at {} (controller)", broker.address())),
        "{listed}"
    );
    assert!(listed.contains(&format!("topic \"{topic}\" with 4 partitions:")), "{listed}");
    for partition in 0..4 {
        assert!(listed.contains(&format!("    partition {partition}, leader ")), "{listed}");
    }
    let everything = kcat(&broker, &["-L", "-J"], "");
    let parsed: serde_json::Value = serde_json::from_str(&everything).expect("kcat -J writes JSON");
    let topics = parsed["topics"].as_array().expect("it lists topics");
    assert!(topics.iter().any(|each| each["topic"] == topic.as_str()), "{everything}");
}

#[test]
fn kcat_produces_idempotently() {
    if !has_kcat("kcat with idempotence") {
        return;
    }
    let (broker, topic) = (Broker::start(), new_topic());
    let lines: String = (0..1000).map(|i| format!("{i}\n")).collect();
    let arguments = ["-P", "-t", &topic, "-p", "0", "-X", "enable.idempotence=true", "-X", "batch.num.messages=50"];
    kcat(&broker, &arguments, &lines);
    assert_eq!(kcat(&broker, &["-C", "-t", &topic, "-p", "0", "-o", "beginning", "-c", "1000", "-q"], ""), lines);
}

const TOPIC_COMMAND: &str = "org.apache.kafka.tools.TopicCommand";
const CONSOLE_PRODUCER: &str = "org.apache.kafka.tools.ConsoleProducer";
const CONSOLE_CONSUMER: &str = "org.apache.kafka.tools.consumer.ConsoleConsumer";
const BROKER_API_VERSIONS: &str = "org.apache.kafka.tools.BrokerApiVersionsCommand";
const PRODUCER_PERFORMANCE: &str = "org.apache.kafka.tools.ProducerPerformance";
const CONFIG_COMMAND: &str = "kafka.admin.ConfigCommand";
const DELETE_RECORDS: &str = "org.apache.kafka.tools.DeleteRecordsCommand";
const LOG_DIRS: &str = "org.apache.kafka.tools.LogDirsCommand";
const LEADER_ELECTION: &str = "org.apache.kafka.tools.LeaderElectionCommand";
const REASSIGN_PARTITIONS: &str = "org.apache.kafka.tools.reassign.ReassignPartitionsCommand";
const METADATA_QUORUM: &str = "org.apache.kafka.tools.MetadataQuorumCommand";
const CLUSTER_TOOL: &str = "org.apache.kafka.tools.ClusterTool";
const GET_OFFSETS: &str = "org.apache.kafka.tools.GetOffsetShell";

/// Runs a tool against the broker.
fn tool(tools: &Tools, broker: &Broker, main_class: &str, arguments: &[&str], input: &str) -> Finished {
    let arguments = [&["--bootstrap-server", broker.address()], arguments].concat();
    tools.run(main_class, &arguments, input)
}

/// Records and partitions of a topic, as kafka-get-offsets has them.
fn records_in(tools: &Tools, broker: &Broker, topic: &str) -> (i64, usize) {
    let offsets = tool(tools, broker, GET_OFFSETS, &["--topic", topic], "").expect_success("kafka-get-offsets");
    let ends: Vec<i64> = offsets.lines().filter_map(|line| line.rsplit(':').next()?.parse().ok()).collect();
    (ends.iter().sum(), ends.len())
}

#[test]
fn kafkas_tools_change_a_topic_that_exists() {
    let Some(tools) = Tools::gather("kafka-configs") else { return };
    let (broker, topic) = (Broker::start(), new_topic());
    let run = |main, arguments: &[&str]| tool(&tools, &broker, main, arguments, "").expect_success(main);
    run(TOPIC_COMMAND, &["--create", "--topic", &topic, "--partitions", "1"]);
    run(TOPIC_COMMAND, &["--alter", "--topic", &topic, "--partitions", "3"]);
    let described = run(TOPIC_COMMAND, &["--describe", "--topic", &topic]);
    assert!(described.contains("PartitionCount: 3"), "{described}");

    let changed = "retention.ms=54321,segment.ms=60000";
    run(CONFIG_COMMAND, &["--alter", "--topic", &topic, "--add-config", changed]);
    run(CONFIG_COMMAND, &["--alter", "--topic", &topic, "--delete-config", "segment.ms"]);
    let described = run(CONFIG_COMMAND, &["--describe", "--topic", &topic]);
    assert!(described.contains("retention.ms=54321") && !described.contains("segment.ms"), "{described}");

    let lines: String = (0..100).map(|line| format!("{line}\n")).collect();
    let producer = ["--topic", &topic, "--command-property", "partitioner.ignore.keys=true"];
    tool(&tools, &broker, CONSOLE_PRODUCER, &producer, &lines).expect_success("kafka-console-producer");
    let end_of = |partition: i32| {
        let offsets = run(GET_OFFSETS, &["--topic-partitions", &format!("{topic}:{partition}")]);
        offsets.trim().rsplit(':').next().and_then(|end| end.parse::<i64>().ok()).expect("topic:partition:offset")
    };
    let partition = (0..3).find(|partition| end_of(*partition) > 1).expect("the records are somewhere");
    let file = tempfile::NamedTempFile::new().expect("a temporary file can be made");
    let wanted = format!(r#"{{"partitions":[{{"topic":"{topic}","partition":{partition},"offset":1}}],"version":1}}"#);
    std::fs::write(file.path(), wanted).expect("it can be written");
    let deleted = run(DELETE_RECORDS, &["--offset-json-file", &file.path().display().to_string()]);
    assert!(deleted.contains(&format!("partition: {topic}-{partition}\tlow_watermark: 1")), "{deleted}");
}

#[test]
fn kafka_configs_adds_describes_and_deletes_quotas() {
    let Some(tools) = Tools::gather("kafka-configs of clients, users and ips") else { return };
    let broker = Broker::start();
    let run = |arguments: &[&str]| tool(&tools, &broker, CONFIG_COMMAND, arguments, "").expect_success("kafka-configs");
    let named = |kind: &'static str, name: &'static str| vec!["--entity-type", kind, "--entity-name", name];
    let default = |kind: &'static str| vec!["--entity-type", kind, "--entity-default"];
    let all = |kind: &'static str| vec!["--entity-type", kind];
    let both = [named("users", "me"), default("clients")].concat();
    // The quota of an entity, and what describes it: of users that also asks for SCRAM credentials.
    let cases = [
        (named("clients", "mine"), "request_percentage", all("clients"), "client-id 'mine'"),
        (named("users", "me"), "consumer_byte_rate", named("users", "me"), "user-principal 'me'"),
        (default("users"), "controller_mutation_rate", all("users"), "the default user-principal"),
        (both.clone(), "producer_byte_rate", both, "user-principal 'me', the default client-id"),
        (default("ips"), "connection_creation_rate", all("ips"), "the default ip"),
    ];
    for (entity, quota, describing, words) in cases {
        let added = run(&[&entity[..], &["--alter", "--add-config", &format!("{quota}=1000")]].concat());
        assert!(added.contains("Completed updating"), "{added}");
        let described = run(&[&describing[..], &["--describe"]].concat());
        let line = format!("Quota configs for {words} are {quota}=1000.0");
        assert!(described.contains(&line), "{described}, which does not say: {line}");
    }
    let mine = named("clients", "mine");
    run(&[&mine[..], &["--alter", "--delete-config", "request_percentage"]].concat());
    let described = run(&[&mine[..], &["--describe"]].concat());
    assert!(!described.contains("request_percentage"), "{described}");
}

#[test]
fn kafka_log_dirs_shows_the_sizes_of_partitions() {
    let Some(tools) = Tools::gather("kafka-log-dirs") else { return };
    let (broker, topic) = (Broker::start(), new_topic());
    let topics = ["--create", "--topic", &topic, "--partitions", "2"];
    tool(&tools, &broker, TOPIC_COMMAND, &topics, "").expect_success("kafka-topics --create");
    tool(&tools, &broker, CONSOLE_PRODUCER, &["--topic", &topic], "one\n").expect_success("kafka-console-producer");
    let described = ["--describe", "--topic-list", &topic];
    let shown = tool(&tools, &broker, LOG_DIRS, &described, "").expect_success("kafka-log-dirs");
    let sizes: Vec<i64> = shown
        .split("\"size\":")
        .skip(1)
        .filter_map(|rest| rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok())
        .collect();
    assert_eq!((sizes.len(), sizes.iter().filter(|size| **size > 0).count()), (2, 1), "{shown}");
    assert!(shown.contains(&format!("{topic}-0")) && shown.contains("\"error\":null"), "{shown}");
}

#[test]
fn kafka_leader_election_and_reassign_partitions_find_everything_in_its_place() {
    let Some(tools) = Tools::gather("kafka-leader-election") else { return };
    let (broker, topic) = (Broker::start(), new_topic());
    let topics = ["--create", "--topic", &topic, "--partitions", "2"];
    tool(&tools, &broker, TOPIC_COMMAND, &topics, "").expect_success("kafka-topics --create");
    let preferred = ["--election-type", "preferred", "--topic", &topic, "--partition", "0"];
    let elected = tool(&tools, &broker, LEADER_ELECTION, &preferred, "").expect_success("kafka-leader-election");
    assert!(elected.contains(&format!("Valid replica already elected for partitions {topic}-0")), "{elected}");
    let all = ["--election-type", "preferred", "--all-topic-partitions"];
    tool(&tools, &broker, LEADER_ELECTION, &all, "").expect_success("kafka-leader-election of all");

    let described = tool(&tools, &broker, TOPIC_COMMAND, &["--describe", "--topic", &topic], "");
    let described = described.expect_success("kafka-topics --describe");
    let leader: i32 = described
        .split("Leader: ")
        .nth(1)
        .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .expect("a leader");
    let file = tempfile::NamedTempFile::new().expect("a temporary file can be made");
    let wanted = format!(r#"{{"partitions":[{{"topic":"{topic}","partition":0,"replicas":[{leader}]}}],"version":1}}"#);
    std::fs::write(file.path(), wanted).expect("it can be written");
    let path = file.path().display().to_string();
    let reassign = |verb| tool(&tools, &broker, REASSIGN_PARTITIONS, &["--reassignment-json-file", &path, verb], "");
    let started = reassign("--execute").expect_success("kafka-reassign-partitions --execute");
    assert!(started.contains(&format!("Successfully started partition reassignment for {topic}-0")), "{started}");
    let listed =
        tool(&tools, &broker, REASSIGN_PARTITIONS, &["--list"], "").expect_success("kafka-reassign-partitions --list");
    assert!(listed.contains("No partition reassignments found."), "{listed}");
}

#[test]
fn kafka_metadata_quorum_and_kafka_cluster_describe_the_cluster() {
    let Some(tools) = Tools::gather("kafka-metadata-quorum") else { return };
    let broker = Broker::start();
    let quorum = |view| tool(&tools, &broker, METADATA_QUORUM, &["describe", view], "").expect_success(view);
    let status = quorum("--status");
    let value = |name: &str| {
        let value = status.lines().find_map(|line| line.strip_prefix(name));
        value.unwrap_or_else(|| panic!("{name} is not in\n{status}")).trim().to_owned()
    };
    let leader: i32 = value("LeaderId:").parse().expect("a number");
    assert!(value("LeaderEpoch:").parse::<i32>().is_ok_and(|epoch| epoch > 0), "{status}");
    assert!(value("HighWatermark:").parse::<i64>().is_ok_and(|end| end > 0), "{status}");
    assert_eq!((value("MaxFollowerLag:"), value("MaxFollowerLagTimeMs:")), ("0".into(), "0".into()), "{status}");
    let voters = value("CurrentVoters:");
    assert!(voters.starts_with(&format!("[{{\"id\": {leader}, \"endpoints\": [\"")), "{status}");
    if broker.is_klamm() {
        assert!(voters.contains(&format!("://{}\"", broker.address())), "{status}");
    }
    assert_eq!(value("CurrentObservers:"), "[]", "{status}");
    let replicas = quorum("--replication");
    let [_, replica] = &replicas.lines().collect::<Vec<_>>()[..] else { panic!("one replica: {replicas}") };
    assert!(replica.starts_with(&leader.to_string()) && replica.trim_end().ends_with("Leader"), "{replicas}");

    let cluster = |verb| {
        let arguments = [verb, "--bootstrap-server", broker.address()];
        tools.run(CLUSTER_TOOL, &arguments, "").expect_success("kafka-cluster")
    };
    assert_eq!(cluster("cluster-id").trim(), format!("Cluster ID: {}", value("ClusterId:")));
    let endpoints = cluster("list-endpoints");
    let [_, endpoint] = &endpoints.lines().collect::<Vec<_>>()[..] else { panic!("one endpoint: {endpoints}") };
    let columns: Vec<_> = endpoint.split_whitespace().collect();
    let (host, port) = broker.address().rsplit_once(':').expect("host:port");
    assert_eq!(columns, [&leader.to_string(), host, port, "null", "unfenced", "broker"], "{endpoints}");
    let unregister = ["unregister", "--bootstrap-server", broker.address(), "--id", "77"];
    let refused = tools.run(CLUSTER_TOOL, &unregister, "");
    assert!((refused.output + &refused.errors).contains("Broker ID 77 is not currently registered"));
}

#[test]
fn kafka_broker_api_versions_finds_every_api_usable() {
    let Some(tools) = Tools::gather("kafka-broker-api-versions") else { return };
    let broker = Broker::start();
    let output = tool(&tools, &broker, BROKER_API_VERSIONS, &[], "").expect_success("kafka-broker-api-versions");
    assert!(output.contains(&format!("{} (id: ", broker.address())), "{output}");
    // Produce is advertised from 0, although versions below 3 are refused: old librdkafka asks for it (KAFKA-18659).
    for line in
        ["Produce(0): 0 to 13 [usable: 13]", "Fetch(1): 4 to 18 [usable: 18]", "Metadata(3): 0 to 13 [usable: 13]"]
    {
        assert!(output.contains(line), "{line} is not in\n{output}");
    }
    for api in ["CreateTopics(19): 2 to 7", "DeleteTopics(20): 1 to 6", "InitProducerId(22): 0 to "] {
        assert!(output.contains(api), "{api} is not in\n{output}");
    }
}

#[test]
fn the_console_producer_and_consumer_pass_lines_on() {
    let Some(tools) = Tools::gather("kafka-console-producer and -consumer") else { return };
    let (broker, topic) = (Broker::start(), new_topic());
    tool(&tools, &broker, TOPIC_COMMAND, &["--create", "--topic", &topic, "--partitions", "1"], "")
        .expect_success("create");
    let keyed = ["--topic", &topic, "--reader-property", "parse.key=true", "--reader-property", "key.separator=:"];
    tool(&tools, &broker, CONSOLE_PRODUCER, &keyed, "a:1\nb:2\nc:3\n").expect_success("kafka-console-producer");
    for codec in ["gzip", "snappy", "lz4", "zstd"] {
        let compressed = ["--topic", &topic, "--compression-codec", codec];
        tool(&tools, &broker, CONSOLE_PRODUCER, &compressed, &format!("{codec}\n"))
            .expect_success("kafka-console-producer");
    }
    let arguments = ["--topic", &topic, "--partition", "0", "--offset", "earliest", "--max-messages", "7"];
    let read = tool(&tools, &broker, CONSOLE_CONSUMER, &arguments, "").expect_success("kafka-console-consumer");
    assert_eq!(read, "1\n2\n3\ngzip\nsnappy\nlz4\nzstd\n");

    let from_two = ["--topic", &topic, "--partition", "0", "--offset", "2", "--max-messages", "1"];
    assert_eq!(tool(&tools, &broker, CONSOLE_CONSUMER, &from_two, "").expect_success("kafka-console-consumer"), "3\n");
}

#[test]
fn the_console_consumer_reads_what_was_recompressed() {
    let Some(tools) = Tools::gather("kafka-console-consumer with recompression") else { return };
    let broker = Broker::start();
    let lines: String = (0..500).map(|i| format!("line {i}, and words that repeat, that repeat\n")).collect();
    for (target, codec) in
        [("uncompressed", "zstd"), ("gzip", "none"), ("snappy", "lz4"), ("lz4", "gzip"), ("zstd", "snappy")]
    {
        let topic = new_topic();
        let setting = format!("compression.type={target}");
        let create = ["--create", "--topic", &topic, "--partitions", "1", "--config", &setting];
        tool(&tools, &broker, TOPIC_COMMAND, &create, "").expect_success("create");
        tool(&tools, &broker, CONSOLE_PRODUCER, &["--topic", &topic, "--compression-codec", codec], &lines)
            .expect_success("kafka-console-producer");
        let arguments = ["--topic", &topic, "--partition", "0", "--offset", "earliest", "--max-messages", "500"];
        let read = tool(&tools, &broker, CONSOLE_CONSUMER, &arguments, "").expect_success("kafka-console-consumer");
        assert_eq!(read, lines, "{codec} to {target}");
    }
}

#[test]
fn the_console_producer_creates_a_missing_topic() {
    let Some(tools) = Tools::gather("kafka-console-producer") else { return };
    let (broker, topic) = (Broker::start(), new_topic());
    tool(&tools, &broker, CONSOLE_PRODUCER, &["--topic", &topic], "one\ntwo\n")
        .expect_success("kafka-console-producer");
    assert_eq!(records_in(&tools, &broker, &topic), (2, 4));
}

#[test]
fn producer_performance_sends_everything_with_each_acks() {
    let Some(tools) = Tools::gather("kafka-producer-perf-test") else { return };
    let broker = Broker::start();
    for acks in ["acks=0", "acks=1", "acks=all"] {
        let topic = new_topic();
        tool(&tools, &broker, TOPIC_COMMAND, &["--create", "--topic", &topic, "--partitions", "2"], "")
            .expect_success("create");
        // Idempotence, which is the default, needs acks=all.
        let idempotence = if acks == "acks=all" { "enable.idempotence=true" } else { "enable.idempotence=false" };
        let load = ["--topic", &topic, "--num-records", "20000", "--record-size", "1000", "--throughput", "-1"];
        let arguments = [&load[..], &["--command-property", acks, "--command-property", idempotence]].concat();
        let output =
            tool(&tools, &broker, PRODUCER_PERFORMANCE, &arguments, "").expect_success("kafka-producer-perf-test");
        assert!(output.contains("20000 records sent"), "{output}");
        // With acks=0 the last records may still be on their way: ask again.
        let mut totals = (0..10).map(|_| records_in(&tools, &broker, &topic).0);
        assert!(totals.any(|total| total == 20000), "{acks}: not everything was stored");
    }
}
