//! Apache Kafka's tools that produce and consume.

use super::{BROKER_API_VERSIONS, CONSOLE_PRODUCER, GET_OFFSETS, TOPIC_COMMAND, new_topic, tool};
use crate::support::broker::Broker;
use crate::support::java::Tools;

const CONSOLE_CONSUMER: &str = "org.apache.kafka.tools.consumer.ConsoleConsumer";

const PRODUCER_PERFORMANCE: &str = "org.apache.kafka.tools.ProducerPerformance";

/// Records and partitions of a topic, as kafka-get-offsets has them.
fn records_in(tools: &Tools, broker: &Broker, topic: &str) -> (i64, usize) {
    let offsets = tool(tools, broker, GET_OFFSETS, &["--topic", topic], "").expect_success("kafka-get-offsets");
    let ends: Vec<i64> = offsets.lines().filter_map(|line| line.rsplit(':').next()?.parse().ok()).collect();
    (ends.iter().sum(), ends.len())
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
