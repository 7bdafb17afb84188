//! That the golden lists of settings are what Apache Kafka says, and how they are made anew.
//!
//! * `tests/golden/Golden.java` prints the rows; this runs it, and brokers of Apache Kafka for those that a running one answers.
//! * With `KLAMM_GOLDEN=write` the files are written instead of compared.
//! * What needs no broker runs where Java and Maven are; what does is ignored unless it is asked for.

mod support;

use std::path::{Path, PathBuf};

use support::apache_kafka::ApacheKafka;
use support::java::Tools;

/// Names whose values differ by the machine: what a node must be told.
const OWN: &[&str] = &[
    "advertised.listeners",
    "broker.id",
    "controller.listener.names",
    "controller.quorum.voters",
    "listeners",
    "log.dir",
    "log.dirs",
    "node.id",
    "process.roles",
];

/// The settings in the file of the cases "set" and "both".
const SET: &str = include_str!("golden/kafka-4.3-describe-configs.properties");

/// The settings at run time of the case "dynamic"; `1:` sets for the broker alone.
const DYNAMIC: &[&str] = &[
    "log.retention.ms=5000",
    "1:log.retention.ms=6000",
    "1:log.segment.bytes=2000000",
    "leader.replication.throttled.rate=1000",
    "1:follower.replication.throttled.rate=2000",
    "num.io.threads=9",
    "1:message.max.bytes= 3000000 ",
    "log.message.timestamp.type=LogAppendTime",
];

/// Those of the case "both".
const BOTH: &[&str] = &["log.retention.ms=7000000", "1:message.max.bytes=3000000"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn print(tools: &Tools, arguments: &[&str]) -> Vec<String> {
    let source = folder().join("Golden.java").display().to_string();
    let printed = tools.run(&source, arguments, "").expect_success("Golden.java");
    printed.lines().map(str::to_owned).collect()
}

/// Compares the rows with a file's, or writes them under its head of comments.
fn compare_or_write(file: &str, rows: &[String]) {
    let path = folder().join(file);
    let text = std::fs::read_to_string(&path).expect("the file is in the repository");
    if std::env::var("KLAMM_GOLDEN").is_ok_and(|what| what == "write") {
        let head: String = text.lines().filter(|line| line.starts_with('#')).map(|line| format!("{line}\n")).collect();
        std::fs::write(path, head + &rows.join("\n") + "\n").expect("the file can be written");
        return;
    }
    let committed: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    for (row, committed) in rows.iter().zip(&committed) {
        assert_eq!(row, committed);
    }
    assert_eq!(rows.len(), committed.len());
}

#[test]
fn the_settings_are_those_of_apache_kafka() {
    let Some(tools) = Tools::gather("the golden list of settings") else { return };
    compare_or_write("kafka-4.3-settings.tsv", &print(&tools, &["settings"]));
}

#[test]
#[ignore = "starts Apache Kafka twice"]
fn describe_configs_is_what_apache_kafka_answers() {
    let wanted_for = "the golden answers of DescribeConfigs";
    let Some(tools) = Tools::gather(wanted_for) else { return };
    let cases = |file: &[&str], cases: &[(&str, &[&str])]| {
        let kafka =
            ApacheKafka::start(wanted_for, file, &["eligible.leader.replicas.version=0"]).expect("Java is there");
        let rows = cases.iter().map(|(case, at_run_time)| {
            print(&tools, &[&["describe", kafka.address(), case][..], at_run_time].concat())
        });
        rows.collect::<Vec<_>>()
    };
    let plain = cases(&[], &[("plain", &[]), ("dynamic", DYNAMIC)]);
    let set = cases(&SET.lines().collect::<Vec<_>>(), &[("set", &[]), ("both", BOTH)]);
    let is_own = |row: &String| row.split('\t').nth(2).is_none_or(|name| OWN.contains(&name));
    let without_case = |row: &String| row.split_once('\t').map(|(_, rest)| rest.to_owned());
    let mut rows: Vec<String> = plain[0].iter().filter(|row| !is_own(row)).cloned().collect();
    let known: std::collections::HashSet<_> = rows.iter().map(without_case).collect();
    for case in [&set[0], &plain[1], &set[1]] {
        rows.extend(case.iter().filter(|row| !is_own(row) && !known.contains(&without_case(row))).cloned());
    }
    compare_or_write("kafka-4.3-describe-configs.tsv", &rows);
}
