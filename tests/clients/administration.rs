//! Apache Kafka's tools that change a topic, elections and reassignments, and what describes the cluster.

use super::*;
use crate::support::broker::Broker;
use crate::support::java::Tools;

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
