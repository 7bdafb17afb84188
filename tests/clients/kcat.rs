//! kcat, which is librdkafka as the distribution has it.

use super::new_topic;
use crate::support::broker::Broker;
use crate::support::process::{print_skipped, run, works};
use std::process::Command;
use std::time::Duration;

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
