//! kafka-get-offsets and kafka-delete-records.

use std::path::Path;

use super::{DELETE_RECORDS, GET_OFFSETS};
use crate::support::batch::Batch;
use crate::support::broker::Broker;
use crate::support::java::Tools;
use crate::support::raw::Client;
use crate::support::requests::{Topic, produce_at};

#[test]
fn kafka_get_offsets_finds_ends_times_and_partitions() {
    let Some(tools) = Tools::gather("kafka-get-offsets") else { return };
    let broker = Broker::start();
    let topic = Topic::create(&mut Client::connect(broker.address()), 3, &[]);
    let name = topic.name.to_string();
    let mut client = Client::connect(broker.address());
    for (offset, timestamp) in [(0, 1000), (1, 3000), (2, 2000)] {
        produce_at(&mut client, &topic, 0, Batch::at(&["x"], timestamp).build(), offset);
    }
    produce_at(&mut client, &topic, 2, Batch::at(&["x"], 500).build(), 0);
    let session = tools.session(&broker);
    let offsets = |words: &[&str]| {
        let found = session.output(GET_OFFSETS, words);
        let numbers = found.lines().map(|line| line.strip_prefix(&name).expect("our topic alone").to_owned());
        numbers.collect::<Vec<_>>()
    };
    let at = |time| offsets(&["--topic", &name, "--time", time]);
    for latest in ["latest", "-1"] {
        assert_eq!(at(latest), [":0:3", ":1:0", ":2:1"], "{latest}");
    }
    for earliest in ["earliest", "-2", "earliest-local", "-4"] {
        assert_eq!(at(earliest), [":0:0", ":1:0", ":2:0"], "{earliest}");
    }
    // A partition without an answer is left out.
    assert_eq!(at("max-timestamp"), [":0:1", ":2:0"]);
    assert_eq!(at("501"), [":0:0"]);
    assert_eq!(at("1001"), [":0:1"]);
    for nothing in ["3001", "latest-tiered", "earliest-pending-upload"] {
        assert_eq!(at(nothing), [""; 0], "{nothing}");
    }
    assert_eq!(offsets(&["--topic", &name, "--partitions", "0,2"]), [":0:3", ":2:1"]);
    assert_eq!(offsets(&["--topic-partitions", &format!("{name}:1-")]), [":1:0", ":2:1"]);
    assert_eq!(offsets(&["--topic-partitions", &format!("{name}:0,{name}:2-3")]), [":0:3", ":2:1"]);
    assert_eq!(offsets(&["--topic", &format!("{}.*", &name[..20]), "--exclude-internal-topics"]).len(), 3);
    let complaint = |words: &[&str]| session.complaint(GET_OFFSETS, words);
    let unmatched = "Could not match any topic-partitions with the specified filters";
    assert!(complaint(&["--topic", &format!("{name}x")]).contains(unmatched));
    assert!(complaint(&["--topic", &name, "--partitions", "9"]).contains(unmatched));
    assert!(complaint(&["--topic", &name, "--time", "soon"]).contains("Malformed time argument soon"));
}

#[test]
fn kafka_delete_records_moves_the_log_start_or_says_why_not() {
    let Some(tools) = Tools::gather("kafka-delete-records") else { return };
    let broker = Broker::start();
    let mut client = Client::connect(broker.address());
    let topic = Topic::create(&mut client, 3, &[]);
    let name = topic.name.to_string();
    for partition in 0..3 {
        produce_at(&mut client, &topic, partition, Batch::of(&["a", "b", "c"]).build(), 0);
    }
    let session = tools.session(&broker);
    let folder = tempfile::tempdir().expect("a temporary directory can be made");
    let file = folder.path().join("offsets.json");
    let delete = |file: &Path| session.run(DELETE_RECORDS, &["--offset-json-file", &file.display().to_string()]);
    let wanted = |offsets: &[(i32, i64)]| {
        let partition =
            |(index, offset): &(i32, i64)| format!(r#"{{"topic":"{name}","partition":{index},"offset":{offset}}}"#);
        let partitions: Vec<_> = offsets.iter().map(partition).collect();
        let text = format!(r#"{{"partitions":[{}],"version":1}}"#, partitions.join(","));
        std::fs::write(&file, text).expect("the file can be written");
    };
    // Each partition by itself; −1 is the high watermark.
    wanted(&[(0, 2), (1, -1), (2, 4)]);
    let deleted = delete(&file).expect_success("kafka-delete-records");
    for line in [
        format!("partition: {name}-0\tlow_watermark: 2"),
        format!("partition: {name}-1\tlow_watermark: 3"),
        format!("partition: {name}-2\terror: org.apache.kafka.common.errors.OffsetOutOfRangeException"),
    ] {
        assert!(deleted.contains(&line), "{line} is not in {deleted}");
    }
    wanted(&[(0, 1), (1, -7)]);
    let deleted = delete(&file).expect_success("kafka-delete-records");
    assert!(deleted.contains(&format!("{name}-0\tlow_watermark: 2")), "it does not move back: {deleted}");
    assert!(deleted.contains(&format!("{name}-1\terror: ")), "{deleted}");
    let starts = session.output(GET_OFFSETS, &["--topic", &name, "--time", "earliest"]);
    assert_eq!(starts, format!("{name}:0:2\n{name}:1:3\n{name}:2:0\n"));

    let complaint = |file: &Path| {
        let failed = delete(file);
        assert!(!failed.succeeded, "{}", failed.output);
        failed.errors
    };
    wanted(&[(0, 2), (0, 3)]);
    assert!(complaint(&file).contains("Offset json file contains duplicate topic partitions"));
    std::fs::write(&file, "nonsense").expect("the file can be written");
    assert!(complaint(&file).contains("The input string is not a valid JSON"));
    assert!(complaint(&folder.path().join("missing")).contains("Unable to read file"));
}
