//! CreatePartitions (key 37), versions 0–3, DeleteRecords (21), 0–2, AlterConfigs (33), 0–2, and IncrementalAlterConfigs
//! (44), 0–1.

use std::time::{Duration, Instant};

use kafka_protocol::ResponseError;
use kafka_protocol::messages::create_partitions_request::{CreatePartitionsAssignment, CreatePartitionsTopic};
use kafka_protocol::messages::create_partitions_response::CreatePartitionsTopicResult;
use kafka_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use kafka_protocol::messages::delete_records_response::DeleteRecordsPartitionResult;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::{
    AlterConfigsRequest, BrokerId, CreatePartitionsRequest, DeleteRecordsRequest, DescribeConfigsRequest,
    IncrementalAlterConfigsRequest, alter_configs_request, incremental_alter_configs_request,
};

use crate::connect;
use crate::support::batch::{Batch, LOG_APPEND_TIME};
use crate::support::broker::Broker;
use crate::support::raw::Client;
use crate::support::requests::{Topic, batches, fetch, new_name, produce, text, values, wait_until_led};

const TOPIC: i8 = 2;
const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

fn more(topic: &Topic, count: i32, assignments: Option<Vec<Vec<i32>>>) -> CreatePartitionsTopic {
    let assignment =
        |ids: Vec<i32>| CreatePartitionsAssignment::default().with_broker_ids(ids.into_iter().map(BrokerId).collect());
    CreatePartitionsTopic::default()
        .with_name(topic.name.clone())
        .with_count(count)
        .with_assignments(assignments.map(|all| all.into_iter().map(assignment).collect()))
}

fn grow(client: &mut Client, version: i16, topics: Vec<CreatePartitionsTopic>) -> Vec<CreatePartitionsTopicResult> {
    let request = CreatePartitionsRequest::default().with_topics(topics).with_timeout_ms(15000);
    client.call(&request, version).results
}

#[test]
fn kip_195_a_topic_gets_more_partitions_at_every_version() {
    let (broker, mut client) = connect();
    let topic = Topic::create(&mut client, 1, &[]);
    for version in 0..=3 {
        let count = i32::from(version) + 2;
        let answers = grow(&mut client, version, vec![more(&topic, count, None)]);
        assert_eq!((answers.len(), answers[0].error_code, &answers[0].error_message), (1, 0, &None), "{version}");
        assert_eq!(answers[0].name, topic.name);
        let deadline = Instant::now() + Duration::from_secs(10);
        while wait_until_led(&mut client, &topic.name).partitions.len() < count as usize {
            // Apache Kafka's brokers hear of the new partition after it was answered.
            assert!(!broker.is_klamm() && Instant::now() < deadline, "{version}: the partition is not there");
        }
        let answer = produce(&mut client, 9, &topic, count - 1, Batch::of(&["a"]).build());
        assert_eq!((answer.error_code, answer.base_offset), (0, 0), "the new partition takes records");
    }
}

#[test]
fn what_is_no_increase_or_no_topic_fails_by_itself() {
    let (_broker, mut client) = connect();
    let topic = Topic::create(&mut client, 3, &[]);
    let broker = wait_until_led(&mut client, &topic.name).partitions[0].leader_id.0;
    let cases = [
        (more(&topic, 3, None), ResponseError::InvalidPartitions),
        (more(&topic, 2, None), ResponseError::InvalidPartitions),
        (more(&topic, -1, None), ResponseError::InvalidPartitions),
        (more(&topic, 5, Some(vec![vec![broker]])), ResponseError::InvalidReplicaAssignment),
        (more(&topic, 4, Some(vec![vec![4711]])), ResponseError::InvalidReplicaAssignment),
        (more(&topic, 4, Some(vec![vec![]])), ResponseError::InvalidReplicaAssignment),
        (more(&Topic::unknown(), 4, None), ResponseError::UnknownTopicOrPartition),
    ];
    for (request, error) in cases {
        for version in 0..=3 {
            let answers = grow(&mut client, version, vec![request.clone()]);
            assert_eq!(answers[0].error_code, error.code(), "{version}: {:?}", answers[0].error_message);
        }
    }
    let other = Topic::create(&mut client, 1, &[]);
    let mut mixed = grow(&mut client, 3, vec![more(&topic, 2, None), more(&other, 2, Some(vec![vec![broker]]))]);
    mixed.sort_by_key(|each| each.error_code);
    assert_eq!([mixed[0].error_code, mixed[1].error_code], [0, ResponseError::InvalidPartitions.code()]);
}

#[test]
fn validate_only_adds_no_partition() {
    let (_broker, mut client) = connect();
    let topic = Topic::create(&mut client, 1, &[]);
    for version in 0..=3 {
        let request = CreatePartitionsRequest::default()
            .with_topics(vec![more(&topic, 4, None)])
            .with_timeout_ms(15000)
            .with_validate_only(true);
        assert_eq!(client.call(&request, version).results[0].error_code, 0, "{version}");
        assert_eq!(wait_until_led(&mut client, &topic.name).partitions.len(), 1);
    }
}

fn delete_records(
    client: &mut Client,
    version: i16,
    topic: &Topic,
    partition: i32,
    offset: i64,
) -> DeleteRecordsPartitionResult {
    let wanted = DeleteRecordsPartition::default().with_partition_index(partition).with_offset(offset);
    let of_topic = DeleteRecordsTopic::default().with_name(topic.name.clone()).with_partitions(vec![wanted]);
    let request = DeleteRecordsRequest::default().with_topics(vec![of_topic]).with_timeout_ms(15000);
    client.call(&request, version).topics.remove(0).partitions.remove(0)
}

#[test]
fn kip_107_records_below_an_offset_are_gone_at_every_version() {
    let (_broker, mut client) = connect();
    for version in 0..=2 {
        let topic = Topic::create(&mut client, 1, &[]);
        for value in ["a", "b", "c", "d"] {
            produce(&mut client, 9, &topic, 0, Batch::of(&[value]).build());
        }
        let deleted = delete_records(&mut client, version, &topic, 0, 2);
        assert_eq!((deleted.error_code, deleted.low_watermark), (0, 2), "{version}");
        let below = fetch(&mut client, 12, &topic, 0, 1);
        assert_eq!(below.error_code, ResponseError::OffsetOutOfRange.code());
        let rest = fetch(&mut client, 12, &topic, 0, 2);
        assert_eq!((rest.log_start_offset, values(&rest)), (2, vec!["c".to_owned(), "d".to_owned()]));
        // Deleting what is gone changes nothing; −1 is all that is there.
        assert_eq!(delete_records(&mut client, version, &topic, 0, 1).low_watermark, 2);
        assert_eq!(delete_records(&mut client, version, &topic, 0, -1).low_watermark, 4);
        assert!(values(&fetch(&mut client, 12, &topic, 0, 4)).is_empty());
        let answer = produce(&mut client, 9, &topic, 0, Batch::of(&["e"]).build());
        assert_eq!((answer.base_offset, answer.log_start_offset), (4, 4));
    }
}

#[test]
fn records_that_are_not_there_cannot_be_deleted() {
    let (_broker, mut client) = connect();
    let topic = Topic::create(&mut client, 1, &[]);
    produce(&mut client, 9, &topic, 0, Batch::of(&["a"]).build());
    for version in 0..=2 {
        let cases = [
            (&topic, 0, 2, ResponseError::OffsetOutOfRange),
            (&topic, 0, -2, ResponseError::OffsetOutOfRange),
            (&topic, 7, 0, ResponseError::UnknownTopicOrPartition),
            (&Topic::unknown(), 0, 0, ResponseError::UnknownTopicOrPartition),
        ];
        for (topic, partition, offset, error) in cases {
            let answer = delete_records(&mut client, version, topic, partition, offset);
            assert_eq!((answer.error_code, answer.low_watermark), (error.code(), -1), "{version} {offset}");
        }
    }
}

/// The overrides of a topic.
fn overrides(client: &mut Client, topic: &Topic) -> Vec<(String, String)> {
    let resource =
        DescribeConfigsResource::default().with_resource_type(TOPIC).with_resource_name(topic.name.0.clone());
    let described = client.call(&DescribeConfigsRequest::default().with_resources(vec![resource]), 4);
    let set = described.results[0].configs.iter().filter(|config| config.config_source == 1);
    let mut set: Vec<_> =
        set.map(|config| (config.name.to_string(), config.value.clone().unwrap().to_string())).collect();
    set.sort();
    set
}

/// Waits until the topic has these overrides: Apache Kafka's brokers hear of a change after it was answered.
fn expect_overrides(client: &mut Client, topic: &Topic, expected: &[(&str, &str)]) {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let found = overrides(client, topic);
        if found == pairs(expected) {
            return;
        }
        assert!(Instant::now() < deadline, "{found:?} instead of {expected:?}");
    }
}

fn pairs(of: &[(&str, &str)]) -> Vec<(String, String)> {
    of.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn change(
    client: &mut Client,
    version: i16,
    topic: &Topic,
    operations: &[(&str, i8, Option<&str>)],
) -> (i16, Option<String>) {
    let config = |(name, operation, value): &(&str, i8, Option<&str>)| {
        incremental_alter_configs_request::AlterableConfig::default()
            .with_name(text(name))
            .with_config_operation(*operation)
            .with_value(value.map(text))
    };
    let resource = incremental_alter_configs_request::AlterConfigsResource::default()
        .with_resource_type(TOPIC)
        .with_resource_name(topic.name.0.clone())
        .with_configs(operations.iter().map(config).collect());
    let mut answer =
        client.call(&IncrementalAlterConfigsRequest::default().with_resources(vec![resource]), version).responses;
    let answer = answer.remove(0);
    assert_eq!((answer.resource_type, &answer.resource_name), (TOPIC, &topic.name.0));
    (answer.error_code, answer.error_message.map(|message| message.to_string()))
}

#[test]
fn kip_339_single_settings_of_a_topic_change_at_every_version() {
    let (_broker, mut client) = connect();
    for version in 0..=1 {
        let topic = Topic::create(&mut client, 1, &[("retention.ms", "1000")]);
        let set = [("max.message.bytes", SET, Some("300")), ("segment.ms", SET, Some("60000"))];
        assert_eq!(change(&mut client, version, &topic, &set), (0, None));
        expect_overrides(
            &mut client,
            &topic,
            &[("max.message.bytes", "300"), ("retention.ms", "1000"), ("segment.ms", "60000")],
        );
        assert_eq!(change(&mut client, version, &topic, &[("retention.ms", DELETE, None)]), (0, None));
        let large = produce(&mut client, 9, &topic, 0, Batch::of(&[&"x".repeat(400)]).build());
        assert_eq!(large.error_code, ResponseError::MessageTooLarge.code(), "the setting takes effect at once");
        assert_eq!(change(&mut client, version, &topic, &[("max.message.bytes", DELETE, None)]), (0, None));
        assert_eq!(produce(&mut client, 9, &topic, 0, Batch::of(&[&"x".repeat(400)]).build()).error_code, 0);
        expect_overrides(&mut client, &topic, &[("segment.ms", "60000")]);
    }
}

/// Milliseconds since 1970.
fn now() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("it is after 1970");
    i64::try_from(now.as_millis()).expect("64 bits are enough")
}

/// Sets or, without a value, deletes a setting of a topic.
fn set(client: &mut Client, topic: &Topic, name: &str, value: Option<&str>) {
    let operation = if value.is_some() { SET } else { DELETE };
    assert_eq!(change(client, 1, topic, &[(name, operation, value)]), (0, None), "{name}");
}

#[test]
fn settings_about_times_take_effect_while_the_topic_exists() {
    let (_broker, mut client) = connect();
    let topic = Topic::create(&mut client, 1, &[("retention.ms", "-1")]);
    let produced_at =
        |client: &mut Client, time| produce(client, 9, &topic, 0, Batch::at(&["a"], time).build()).error_code;
    let invalid = ResponseError::InvalidTimestamp.code();
    for (name, time) in
        [("message.timestamp.before.max.ms", now() - 600_000), ("message.timestamp.after.max.ms", now() + 600_000)]
    {
        assert_eq!(produced_at(&mut client, time), 0, "{name}: by default");
        set(&mut client, &topic, name, Some("60000"));
        assert_eq!(produced_at(&mut client, time), invalid, "{name}: at once");
        set(&mut client, &topic, name, None);
        assert_eq!(produced_at(&mut client, time), 0, "{name}: no more");
    }
    for (value, bit) in [(Some("LogAppendTime"), LOG_APPEND_TIME), (None, 0)] {
        set(&mut client, &topic, "message.timestamp.type", value);
        let answer = produce(&mut client, 9, &topic, 0, Batch::at(&["b"], 1_700_000_000_000).build());
        assert_eq!((answer.error_code, answer.log_append_time_ms > 0), (0, bit != 0));
        let stored = batches(&fetch(&mut client, 12, &topic, 0, answer.base_offset));
        assert_eq!(stored[0].attributes & LOG_APPEND_TIME, bit);
        assert_eq!(stored[0].max_timestamp == 1_700_000_000_000, bit == 0);
    }
}

#[test]
fn settings_about_segments_and_retention_take_effect_while_the_topic_exists() {
    let broker = Broker::start_ours(&["log.retention.check.interval.ms=100", "log.segment.delete.delay.ms=0"]);
    let mut client = Client::connect(broker.address());
    let topic = Topic::create(&mut client, 1, &[("retention.ms", "-1")]);
    let folder = broker.data().join(format!("{}-0", topic.name.as_str()));
    let segments = || {
        let names = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.ends_with(".log")).count()
    };
    let large = "x".repeat(600_000);
    let append = |client: &mut Client, value: &str, time| {
        assert_eq!(produce(client, 9, &topic, 0, Batch::at(&[value], time).build()).error_code, 0);
    };
    append(&mut client, &large, 1_000_000);
    append(&mut client, &large, 1_000_000);
    assert_eq!(segments(), 1, "a segment holds a GiB by default");
    set(&mut client, &topic, "segment.bytes", Some("1048576"));
    append(&mut client, &large, 1_000_000);
    assert_eq!(segments(), 2, "segment.bytes");
    append(&mut client, "small", 1_001_000);
    assert_eq!(segments(), 2);
    set(&mut client, &topic, "segment.ms", Some("5"));
    append(&mut client, "small", 1_002_000);
    assert_eq!(segments(), 3, "segment.ms");
    set(&mut client, &topic, "index.interval.bytes", Some("0"));
    for step in 0..4 {
        set(&mut client, &topic, "segment.ms", Some("100000000"));
        append(&mut client, "small", 1_003_000 + step);
    }
    set(&mut client, &topic, "segment.ms", Some("5"));
    append(&mut client, "small", 1_005_000);
    let index = folder.join("00000000000000000004.index");
    assert!(std::fs::metadata(index).unwrap().len() >= 4 * 8, "index.interval.bytes: an entry for every batch");

    let first = |client: &mut Client| fetch(client, 12, &topic, 0, 10).log_start_offset;
    assert_eq!(first(&mut client), 0);
    set(&mut client, &topic, "retention.bytes", Some("500000"));
    wait_until("retention.bytes", || first(&mut client) == 2);
    set(&mut client, &topic, "retention.ms", Some("1"));
    wait_until("retention.ms", || first(&mut client) > 4);
}

/// Asks again until it is so, for at most 20 seconds.
fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < deadline, "{what} has no effect");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn kip_339_lists_are_appended_to_and_subtracted_from() {
    let (_broker, mut client) = connect();
    let topic = Topic::create(&mut client, 1, &[]);
    for version in 0..=1 {
        assert_eq!(change(&mut client, version, &topic, &[("cleanup.policy", APPEND, Some("delete"))]), (0, None));
        expect_overrides(&mut client, &topic, &[("cleanup.policy", "delete")]);
        let (code, message) = change(&mut client, version, &topic, &[("segment.ms", APPEND, Some("1"))]);
        assert_eq!(code, ResponseError::InvalidConfig.code(), "{message:?}");
        let (code, message) = change(&mut client, version, &topic, &[("segment.ms", SUBTRACT, Some("1"))]);
        assert_eq!(code, ResponseError::InvalidConfig.code(), "{message:?}");
    }
}

#[test]
fn the_changes_of_a_topic_are_made_all_or_none() {
    let (_broker, mut client) = connect();
    let topic = Topic::create(&mut client, 1, &[("retention.ms", "1000")]);
    type Operations<'a> = &'a [(&'a str, i8, Option<&'a str>)];
    let cases: &[(Operations<'_>, ResponseError)] = &[
        (&[("retention.ms", SET, Some("5")), ("no.such.name", SET, Some("1"))], ResponseError::InvalidConfig),
        (&[("segment.ms", SET, Some("5")), ("retention.ms", SET, Some("abc"))], ResponseError::InvalidConfig),
        (&[("segment.ms", SET, Some("5")), ("segment.ms", DELETE, None)], ResponseError::InvalidRequest),
        (&[("segment.ms", SET, None)], ResponseError::InvalidRequest),
    ];
    for (operations, error) in cases {
        for version in 0..=1 {
            let (code, message) = change(&mut client, version, &topic, operations);
            assert_eq!(code, error.code(), "{version} {operations:?}: {message:?}");
            assert!(message.is_some());
            expect_overrides(&mut client, &topic, &[("retention.ms", "1000")]);
        }
    }
    let unknown = Topic { name: new_name(), id: topic.id };
    let (code, _) = change(&mut client, 1, &unknown, &[("segment.ms", SET, Some("5"))]);
    assert_eq!(code, ResponseError::UnknownTopicOrPartition.code());
}

#[test]
fn kip_133_alter_configs_replaces_all_overrides_at_every_version() {
    let (_broker, mut client) = connect();
    for version in 0..=2 {
        let topic = Topic::create(&mut client, 1, &[("retention.ms", "1000"), ("segment.ms", "60000")]);
        let config = alter_configs_request::AlterableConfig::default()
            .with_name(text("max.message.bytes"))
            .with_value(Some(text("300")));
        let resource = alter_configs_request::AlterConfigsResource::default()
            .with_resource_type(TOPIC)
            .with_resource_name(topic.name.0.clone())
            .with_configs(vec![config]);
        let request = AlterConfigsRequest::default().with_resources(vec![resource]);
        let validated = client.call(&request.clone().with_validate_only(true), version);
        assert_eq!(validated.responses[0].error_code, 0);
        expect_overrides(&mut client, &topic, &[("retention.ms", "1000"), ("segment.ms", "60000")]);
        let answer = client.call(&request, version);
        assert_eq!(answer.responses[0].error_code, 0, "{version}");
        expect_overrides(&mut client, &topic, &[("max.message.bytes", "300")]);
    }
}
