//! A data directory that Apache Kafka wrote, taken over by `klamm adopt`.
//!
//! * `tests/data/kafka-directory` was written by Apache Kafka 4.3 and stopped in order; its README says how.
//! * Each test works on a copy.

#[path = "support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::{
    BrokerId, DeleteTopicsRequest, DescribeClientQuotasRequest, DescribeConfigsRequest, ListOffsetsRequest,
};
use klamm::record::BatchView;
use support::batch::Batch;
use support::broker::Broker;
use support::raw::Client;
use support::requests::{self, Topic, text, topic_name};
use tempfile::TempDir;

/// What is in it ages: without this, the topics without a retention of their own would be empty one day.
const FOR_EVER: &[&str] = &["log.retention.ms=-1"];
const EARLIEST: i64 = -2;
const LATEST: i64 = -1;

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::write(&target, std::fs::read(entry.path()).unwrap()).unwrap();
        }
    }
}

/// A copy of Kafka's directory, where a broker of [`Broker::start_in`] looks for its data.
fn kafkas() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/kafka-directory"), &data);
    (folder, data)
}

fn adopt(data: &Path, more: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_klamm")).arg("adopt").arg(data).args(more).output().unwrap()
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Every file below a folder with its contents.
fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(contents(&path));
        } else {
            all.insert(path.clone(), std::fs::read(&path).unwrap());
        }
    }
    all
}

fn topic(client: &mut Client, name: &str) -> Topic {
    let name = topic_name(name);
    let id = requests::wait_until_led(client, &name).topic_id;
    Topic { name, id }
}

fn offset(client: &mut Client, topic: &Topic, partition: i32, timestamp: i64) -> i64 {
    let partition = ListOffsetsPartition::default().with_partition_index(partition).with_timestamp(timestamp);
    let topics = vec![ListOffsetsTopic::default().with_name(topic.name.clone()).with_partitions(vec![partition])];
    let request = ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(topics);
    let response = client.call(&request, 6);
    assert_eq!(response.topics[0].partitions[0].error_code, 0);
    response.topics[0].partitions[0].offset
}

/// Offset and value of every record of a partition, without the markers of transactions.
fn records(client: &mut Client, topic: &Topic, partition: i32) -> Vec<(i64, String)> {
    let (mut at, end) = (offset(client, topic, partition, EARLIEST), offset(client, topic, partition, LATEST));
    let mut found = Vec::new();
    while at < end {
        let fetched = requests::fetch(client, 13, topic, partition, at);
        assert_eq!(fetched.error_code, 0);
        let (from, bytes) = (at, fetched.records.unwrap());
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let batch = BatchView::parse(rest).unwrap();
            assert!(batch.verify_crc());
            rest = &rest[batch.bytes().len()..];
            at = batch.info().next_offset().0;
            if batch.info().attributes.is_control() {
                continue;
            }
            let mut records = batch.records(1 << 20).unwrap();
            while let Some(record) = records.next_record() {
                let record = record.unwrap();
                let offset = batch.info().base_offset.0 + i64::from(record.offset_delta);
                let value = String::from_utf8(record.value.unwrap().to_vec()).unwrap();
                if offset >= from {
                    found.push((offset, value));
                }
            }
        }
    }
    found
}

const OF_TOPIC: i8 = 1;
const OF_BROKER: i8 = 2;
const OF_ALL_BROKERS: i8 = 3;
const OF_CLIENT_METRICS: i8 = 7;

/// A setting of a topic and where it comes from.
fn config(client: &mut Client, topic: &Topic, name: &str) -> (Option<String>, i8) {
    config_of(client, 2, &topic.name, name)
}

fn config_of(client: &mut Client, resource_type: i8, resource: &str, name: &str) -> (Option<String>, i8) {
    let resource = DescribeConfigsResource::default()
        .with_resource_type(resource_type)
        .with_resource_name(text(resource))
        .with_configuration_keys(Some(vec![text(name)]));
    let response = client.call(&DescribeConfigsRequest::default().with_resources(vec![resource]), 4);
    let found = &response.results[0].configs[0];
    (found.value.as_ref().map(ToString::to_string), found.config_source)
}

#[test]
fn topics_records_settings_and_identity_of_kafkas_directory_are_served() {
    let (folder, data) = kafkas();
    let meta = std::fs::read_to_string(data.join("meta.properties")).unwrap();
    let cluster_id = meta.lines().find_map(|line| line.strip_prefix("cluster.id=")).unwrap();
    let adopted = adopt(&data, &[]);
    assert_eq!(adopted.status.code(), Some(0), "{}", errors(&adopted));
    let said = String::from_utf8(adopted.stdout.clone()).unwrap();
    assert!(said.contains(&format!("node 1 of cluster {cluster_id}, 8 topics with 12 partitions")), "{said}");

    let mut broker = Broker::start_in(folder, FOR_EVER);
    let is_bad = |line: &&str| line.contains("WARN") || line.contains("ERROR");
    let log = broker.log();
    let bad: Vec<_> = log.lines().filter(is_bad).filter(|line| !line.contains("topic=transactions")).collect();
    assert_eq!(bad, [""; 0]);
    let mut client = Client::connect(broker.address());
    let plain = topic(&mut client, "plain");
    let all: Vec<_> = [0, 1].into_iter().flat_map(|index| records(&mut client, &plain, index)).collect();
    assert_eq!(all.len(), 60);
    let codecs = topic(&mut client, "codecs");
    let expected: Vec<_> = ["none", "gzip", "snappy", "lz4", "zstd"]
        .iter()
        .flat_map(|codec| (0..30).map(move |i| format!("codecs {codec} {i}")))
        .collect();
    let found: Vec<_> = records(&mut client, &codecs, 0).into_iter().map(|(_, value)| value).collect();
    assert_eq!(found, expected);
    let segments = topic(&mut client, "segments");
    assert_eq!(records(&mut client, &segments, 0).len(), 20, "four segments");
    let trimmed = topic(&mut client, "trimmed");
    assert_eq!(records(&mut client, &trimmed, 0)[0].0, 12, "DeleteRecords moved the start");
    let compacted = topic(&mut client, "compacted");
    assert_eq!(records(&mut client, &compacted, 0).len(), 50);

    assert_eq!(config(&mut client, &plain, "retention.ms"), (Some("999999999999".into()), OF_TOPIC));
    assert_eq!(config(&mut client, &plain, "max.message.bytes"), (Some("200000".into()), OF_TOPIC));

    requests::produce_at(&mut client, &trimmed, 0, Batch::of(&["new"]).build(), 30);
    broker.kill_and_restart(FOR_EVER);
    let mut client = Client::connect(broker.address());
    assert_eq!(records(&mut client, &trimmed, 0).last().unwrap(), &(30, "new".into()));
    // Kafka's blocks of producer ids have a thousand each, of which one was taken.
    assert!(requests::new_producer(&mut client) >= 1000, "ids that Kafka gave away are not given again");
}

#[test]
fn settings_of_brokers_quotas_and_subscriptions_are_those_of_kafka() {
    let (folder, data) = kafkas();
    assert_eq!(adopt(&data, &[]).status.code(), Some(0));
    let broker = Broker::start_in(folder, FOR_EVER);
    let mut client = Client::connect(broker.address());
    let mut setting = |name: &str| config_of(&mut client, 4, "1", name);
    assert_eq!(setting("log.segment.bytes"), (Some("2000000".into()), OF_BROKER));
    assert_eq!(setting("num.io.threads"), (Some("4".into()), OF_BROKER));
    assert_eq!(setting("log.retention.ms"), (Some("88888888888".into()), OF_ALL_BROKERS));
    assert_eq!(config_of(&mut client, 16, "m", "interval.ms"), (Some("30000".into()), OF_CLIENT_METRICS));
    let quotas = client.call(&DescribeClientQuotasRequest::default(), 1).entries.unwrap();
    let [quota] = &quotas[..] else { panic!("the one of addresses was deleted: {quotas:?}") };
    let named = |kind: &str| quota.entity.iter().find(|part| part.entity_type.as_str() == kind).unwrap();
    assert_eq!((named("user").entity_name.as_deref(), named("client-id").entity_name.as_deref()), (Some("me"), None));
    assert_eq!((quota.values[0].key.as_str(), quota.values[0].value), ("producer_byte_rate", 5000.0));
}

/// The files of the partitions that are not served.
fn withheld(data: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    [1, 2].iter().flat_map(|partition| contents(&data.join(format!("transactions-{partition}")))).collect()
}

#[test]
fn partitions_with_open_or_aborted_transactions_stay_offline_and_the_others_are_served() {
    let (folder, data) = kafkas();
    let before = withheld(&data);
    let notes = errors(&adopt(&data, &[]));
    let open = "has an open transaction, and there are no transactions here yet";
    let aborted = "has records of aborted transactions, which read_committed could not leave out here yet";
    for (partition, left) in [(1, aborted), (2, open)] {
        let note = format!("note: transactions-{partition} stays offline, with all that is in it: it {left}");
        assert!(notes.contains(&note), "{note} is not in {notes}");
    }
    assert_eq!(notes.matches("stays offline").count(), 2, "{notes}");

    let mut broker = Broker::start_in(folder, FOR_EVER);
    for round in 1..=3 {
        let log = broker.log();
        for left in [aborted, open] {
            let is_told = |line: &&str| line.contains("the partition is offline") && line.contains(left);
            assert_eq!(log.lines().filter(is_told).count(), round, "once at each start: {log}");
        }
        let mut client = Client::connect(broker.address());
        let name = topic_name("transactions");
        let described = client.call(&requests::metadata_request(&[&name]), 12).topics.remove(0);
        let transactions = Topic { name, id: described.topic_id };
        let led: Vec<_> = described.partitions.iter().filter(|each| each.leader_id.0 >= 0).collect();
        assert_eq!(led.iter().map(|each| each.partition_index).collect::<Vec<_>>(), [0, 3]);
        for partition in [1, 2] {
            let produced = requests::produce(&mut client, 9, &transactions, partition, Batch::of(&["x"]).build());
            assert_eq!(produced.error_code, ResponseError::KafkaStorageError.code());
            let fetched = requests::fetch(&mut client, 13, &transactions, partition, 0);
            assert_eq!(fetched.error_code, ResponseError::KafkaStorageError.code());
        }
        let values = |client: &mut Client, partition| {
            records(client, &transactions, partition).into_iter().map(|(_, value)| value).collect::<Vec<_>>()
        };
        let committed = values(&mut client, 0);
        assert_eq!(committed[..3], ["committed 0", "committed 1", "committed 2"]);
        assert_eq!(committed.len(), 3 + round, "with the plain ones");
        assert_eq!(values(&mut client, 3).len(), round);
        for partition in [0, 3] {
            let produced = requests::produce(&mut client, 9, &transactions, partition, Batch::of(&["more"]).build());
            assert_eq!(produced.error_code, 0);
        }
        match round {
            1 => {
                broker.stop();
                assert!(data.join(".kafka_cleanshutdown").exists(), "nothing of them is unfinished");
                broker.start_again(FOR_EVER);
            }
            _ => broker.kill_and_restart(FOR_EVER),
        }
        for (path, bytes) in withheld(&data) {
            assert_eq!(before.get(&path), Some(&bytes), "{} stays as it is", path.display());
        }
        assert_eq!(withheld(&data).len(), before.len(), "none goes");
    }
}

#[test]
fn an_offline_partition_keeps_its_log_start_and_goes_with_its_topic() {
    let (folder, data) = kafkas();
    let lines = "0\n2\ntransactions 2 1\ntrimmed 0 12\n";
    std::fs::write(data.join("log-start-offset-checkpoint"), lines).unwrap();
    adopt(&data, &[]);
    let mut broker = Broker::start_in(folder, FOR_EVER);
    broker.stop();
    let kept = std::fs::read_to_string(data.join("log-start-offset-checkpoint")).unwrap();
    assert!(kept.contains("transactions 2 1\n") && kept.contains("trimmed 0 12\n"), "{kept}");
    let points = std::fs::read_to_string(data.join("recovery-point-offset-checkpoint")).unwrap();
    assert!(points.contains("transactions 2 4\n"), "{points}");

    broker.start_again(&[FOR_EVER[0], "log.segment.delete.delay.ms=0"]);
    let mut client = Client::connect(broker.address());
    let request = DeleteTopicsRequest::default().with_topic_names(vec![topic_name("transactions")]);
    assert_eq!(client.call(&request, 5).responses[0].error_code, 0);
    broker.stop();
    broker.start_again(FOR_EVER);
    assert!((0..4).all(|partition| !data.join(format!("transactions-{partition}")).exists()));
}

#[test]
fn a_topic_whose_settings_are_not_served_keeps_everything() {
    let (folder, data) = kafkas();
    let adopted = adopt(&data, &[]);
    let notes = errors(&adopted);
    assert!(notes.contains("note: topic compacted: cleanup.policy=compact is left out"), "{notes}");
    let broker = Broker::start_in(folder, &["log.retention.ms=1"]);
    let mut client = Client::connect(broker.address());
    let compacted = topic(&mut client, "compacted");
    assert_eq!(config(&mut client, &compacted, "retention.ms"), (Some("-1".into()), OF_TOPIC));
    assert_eq!(config(&mut client, &compacted, "retention.bytes"), (Some("-1".into()), OF_TOPIC));
}

#[test]
fn a_topic_with_records_that_cannot_be_read_keeps_everything() {
    let (folder, data) = kafkas();
    // As messages of the formats before v2 begin.
    for segment in ["segments-0/00000000000000000005.log", "plain-1/00000000000000000000.log"] {
        let mut bytes = std::fs::read(data.join(segment)).unwrap();
        bytes[16] = 1;
        std::fs::write(data.join(segment), bytes).unwrap();
    }
    let notes = errors(&adopt(&data, &[]));
    let why = "in the segment at offset 5: magic 1 is not that of record batch format v2";
    assert!(notes.contains(&format!("note: segments-0 has records that cannot be read, {why}\n")), "{notes}");
    let until = "keeps all records until its retention.ms and retention.bytes are set or deleted";
    assert!(notes.contains(&format!("note: topic segments {until}\n")), "{notes}");
    assert!(notes.contains(&format!("note: topic plain {until}; retention.ms was 999999999999\n")), "{notes}");
    let broker = Broker::start_in(folder, FOR_EVER);
    let mut client = Client::connect(broker.address());
    let segments = topic(&mut client, "segments");
    assert_eq!(offset(&mut client, &segments, 0, EARLIEST), 0);
    assert_eq!(config(&mut client, &segments, "retention.ms"), (Some("-1".into()), OF_TOPIC));
    for (from, error) in [(0, 0), (5, ResponseError::CorruptMessage.code()), (10, 0)] {
        let fetched = requests::fetch(&mut client, 13, &segments, 0, from);
        assert_eq!(fetched.error_code, error, "from {from}");
        assert_eq!(requests::batches(&fetched).is_empty(), error != 0, "from {from}");
    }
}

#[test]
fn kafkas_directory_is_verified_before_and_after_it_is_taken_over() {
    let (_folder, data) = kafkas();
    let verify = || {
        let before = contents(&data);
        let output = Command::new(env!("CARGO_BIN_EXE_klamm")).args(["log", "verify"]).arg(&data).output().unwrap();
        assert!(before == contents(&data), "nothing is changed");
        let printed = String::from_utf8(output.stdout.clone()).unwrap();
        assert_eq!((output.status.code(), errors(&output)), (Some(0), String::new()), "{printed}");
        printed
    };
    let kafkas = verify();
    for topic in ["__cluster_metadata", "__consumer_offsets", "codecs", "compacted", "segments", "trimmed"] {
        assert!(kafkas.lines().any(|line| line.starts_with(&format!("{topic} "))), "{kafkas}");
    }
    assert!(adopt(&data, &[]).status.success());
    assert!(!verify().contains("__cluster_metadata"), "ours has another format");
}

#[test]
fn a_dry_run_changes_nothing() {
    let (_folder, data) = kafkas();
    let before = contents(&data);
    let looked = adopt(&data, &["--dry-run"]);
    assert_eq!(looked.status.code(), Some(0), "{}", errors(&looked));
    assert!(String::from_utf8(looked.stdout).unwrap().contains("can be taken over: node 1"));
    assert!(contents(&data) == before);
}

#[test]
fn a_take_over_that_was_cut_off_is_done_again() {
    let (folder, data) = kafkas();
    let before = std::fs::read(data.join("meta.properties")).unwrap();
    assert_eq!(adopt(&data, &[]).status.code(), Some(0));
    // As a crash before the last step leaves it.
    std::fs::write(data.join("meta.properties"), before).unwrap();
    let again = adopt(&data, &[]);
    assert_eq!(again.status.code(), Some(0), "{}", errors(&again));
    let broker = Broker::start_in(folder, FOR_EVER);
    let mut client = Client::connect(broker.address());
    let codecs = topic(&mut client, "codecs");
    assert_eq!(records(&mut client, &codecs, 0).len(), 150);
}

/// Whether the directory is refused with this sentence, and left as it was.
#[track_caller]
fn assert_refused(data: &Path, sentence: &str) {
    let contents = || {
        let mut all = contents(data);
        all.remove(&data.join(".lock"));
        all
    };
    let before = contents();
    let refused = adopt(data, &[]);
    assert_eq!(refused.status.code(), Some(1), "{sentence}");
    assert!(errors(&refused).contains(sentence), "{}", errors(&refused));
    assert!(contents() == before, "{sentence}");
}

#[test]
fn what_cannot_be_served_rightly_is_refused_and_left_alone() {
    let (_folder, data) = kafkas();
    std::fs::remove_dir_all(data.join("codecs-0")).unwrap();
    assert_refused(&data, "codecs-0 has no folder here");

    let (_folder, data) = kafkas();
    std::fs::create_dir(data.join("other-0")).unwrap();
    assert_refused(&data, "other-0 belongs to no topic of the metadata");

    let (_folder, data) = kafkas();
    std::fs::remove_file(data.join(".kafka_cleanshutdown")).unwrap();
    assert_refused(&data, "was not stopped in order");

    let (_folder, data) = kafkas();
    std::fs::remove_dir_all(data.join("__cluster_metadata-0")).unwrap();
    assert_refused(&data, "there is no metadata log in it");

    let (_folder, data) = kafkas();
    let log = data.join("__cluster_metadata-0/00000000000000000000.log");
    let mut bytes = std::fs::read(&log).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&log, bytes).unwrap();
    assert_refused(&data, "the checksum of the batch is wrong");

    let (_folder, data) = kafkas();
    assert_eq!(adopt(&data, &[]).status.code(), Some(0));
    assert_refused(&data, "it is one of Klamm's already");
}
