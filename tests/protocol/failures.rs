//! Input that must fail, at every version: it is answered, in a form that the version has, and never costs the connection.

use kafka_protocol::ResponseError::{
    InvalidRequest, InvalidTopicException, OffsetOutOfRange, UnknownLeaderEpoch, UnknownTopicId,
    UnknownTopicOrPartition, UnsupportedVersion,
};
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic};
use kafka_protocol::messages::{
    BrokerId, DeleteTopicsRequest, FetchRequest, InitProducerIdRequest, ListOffsetsRequest, MetadataRequest,
    OffsetForLeaderEpochRequest, ProducerId, TopicName,
};
use uuid::Uuid;

use crate::connect;
use crate::support::batch::Batch;
use crate::support::raw::Client;
use crate::support::requests::{
    Topic, fetch, fetch_request, metadata_request, produce, produce_at, the_partition, topic_name, values,
};

const NONE: i16 = 0;

fn metadata_codes(client: &mut Client, version: i16, topics: Vec<MetadataRequestTopic>) -> Vec<i16> {
    let request = MetadataRequest::default().with_topics(Some(topics)).with_allow_auto_topic_creation(false);
    let request = if version < 4 { request.with_allow_auto_topic_creation(true) } else { request };
    client.call(&request, version).topics.iter().map(|topic| topic.error_code).collect()
}

#[test]
fn metadata_of_what_is_not_there_is_answered_at_every_version() {
    let (_broker, mut client) = connect();
    let named = |name: TopicName| MetadataRequestTopic::default().with_name(Some(name));
    let with_id = |id: Uuid| MetadataRequestTopic::default().with_name(None).with_topic_id(id);
    for version in 0..=13 {
        let codes = metadata_codes(&mut client, version, vec![named(topic_name("a/b"))]);
        assert_eq!(codes, [InvalidTopicException.code()], "version {version}");
    }
    for version in 4..=13 {
        let codes = metadata_codes(&mut client, version, vec![named(Topic::unknown().name)]);
        assert_eq!(codes, [UnknownTopicOrPartition.code()], "version {version}");
    }
    for version in 10..=11 {
        let topics = vec![with_id(Uuid::new_v4()), named(topic_name("t")).with_topic_id(Uuid::new_v4())];
        assert_eq!(metadata_codes(&mut client, version, topics), [InvalidRequest.code(); 2], "version {version}");
    }
    for version in 12..=13 {
        let topics = vec![with_id(Uuid::new_v4())];
        assert_eq!(metadata_codes(&mut client, version, topics), [UnknownTopicId.code()], "version {version}");
    }
}

#[test]
fn list_offsets_answers_what_it_cannot_find_at_every_version() {
    let (_broker, mut client) = connect();
    let topic = Topic::create(&mut client, 1, &[]);
    let mut code = |version, name: &TopicName, partition, timestamp, epoch| {
        let partition = ListOffsetsPartition::default()
            .with_partition_index(partition)
            .with_timestamp(timestamp)
            .with_current_leader_epoch(if version >= 4 { epoch } else { -1 });
        let of_topic = ListOffsetsTopic::default().with_name(name.clone()).with_partitions(vec![partition]);
        let request = ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![of_topic]);
        let answer = client.call(&request, version).topics[0].partitions[0].clone();
        if answer.error_code != NONE {
            assert_eq!((answer.offset, answer.timestamp, answer.leader_epoch), (-1, -1, -1), "version {version}");
        }
        answer.error_code
    };
    for version in 1..=10 {
        assert_eq!(code(version, &Topic::unknown().name, 0, -1, -1), UnknownTopicOrPartition.code());
        for partition in [i32::MIN, -1, 1, i32::MAX] {
            assert_eq!(code(version, &topic.name, partition, -1, -1), UnknownTopicOrPartition.code());
        }
        for timestamp in [i64::MIN, -100] {
            assert_eq!(code(version, &topic.name, 0, timestamp, -1), UnsupportedVersion.code());
        }
        assert_eq!(code(version, &topic.name, 0, i64::MAX, -1), NONE);
        if version >= 4 {
            assert_eq!(code(version, &topic.name, 0, -1, i32::MAX), UnknownLeaderEpoch.code());
        }
    }
}

#[test]
fn offset_for_leader_epoch_answers_extreme_numbers_at_every_version() {
    let (_broker, mut client) = connect();
    let topic = Topic::create(&mut client, 1, &[]);
    produce_at(&mut client, &topic, 0, Batch::of(&["a"]).build(), 0);
    let mut ask = |version, name: &TopicName, partition, current, epoch| {
        let partition = OffsetForLeaderPartition::default()
            .with_partition(partition)
            .with_current_leader_epoch(current)
            .with_leader_epoch(epoch);
        let of_topic = OffsetForLeaderTopic::default().with_topic(name.clone()).with_partitions(vec![partition]);
        let request = OffsetForLeaderEpochRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![of_topic]);
        let answer = &client.call(&request, version).topics[0].partitions[0];
        (answer.error_code, answer.end_offset)
    };
    for version in 2..=4 {
        assert_eq!(ask(version, &Topic::unknown().name, 0, -1, 0), (UnknownTopicOrPartition.code(), -1));
        assert_eq!(ask(version, &topic.name, i32::MIN, -1, 0), (UnknownTopicOrPartition.code(), -1));
        assert_eq!(ask(version, &topic.name, 0, i32::MAX, 0), (UnknownLeaderEpoch.code(), -1));
        for (epoch, end) in [(i32::MIN, 0), (-1, -1), (i32::MAX, -1)] {
            assert_eq!(ask(version, &topic.name, 0, -1, epoch), (NONE, end), "epoch {epoch}");
        }
    }
}

#[test]
fn a_topic_to_delete_is_named_in_one_way() {
    let (_broker, mut client) = connect();
    let topic = Topic::create(&mut client, 1, &[]);
    let both = DeleteTopicState::default().with_name(Some(topic.name.clone())).with_topic_id(topic.id);
    let neither = DeleteTopicState::default().with_name(None);
    let request = DeleteTopicsRequest::default().with_topics(vec![both, neither]).with_timeout_ms(1000);
    let codes: Vec<i16> = client.call(&request, 6).responses.iter().map(|each| each.error_code).collect();
    assert_eq!(codes, [InvalidRequest.code(); 2]);
    assert_eq!(client.call(&metadata_request(&[&topic.name]), 12).topics[0].error_code, NONE);
}

#[test]
fn a_producer_names_its_id_with_its_epoch_or_neither() {
    let (_broker, mut client) = connect();
    for version in 3..=5 {
        for (id, epoch) in [(5, -1), (-1, 0)] {
            let request = InitProducerIdRequest::default()
                .with_transactional_id(None)
                .with_producer_id(ProducerId(id))
                .with_producer_epoch(epoch);
            let answer = client.call(&request, version);
            assert_eq!((answer.error_code, answer.producer_id.0), (InvalidRequest.code(), -1), "version {version}");
        }
    }
}

#[test]
fn extreme_numbers_in_a_fetch_are_answered_at_every_version() {
    let (broker, mut client) = connect();
    let topic = Topic::create(&mut client, 1, &[]);
    produce_at(&mut client, &topic, 0, Batch::of(&["a"]).build(), 0);
    // Apache Kafka answers a negative limit with an error.
    let numbers: &[i32] = if broker.is_klamm() { &[i32::MIN, -1, 0] } else { &[0] };
    for version in 4..=18 {
        for offset in [i64::MIN, -1, 2, i64::MAX] {
            assert_eq!(fetch(&mut client, version, &topic, 0, offset).error_code, OffsetOutOfRange.code());
        }
        for partition in [i32::MIN, -1, i32::MAX] {
            assert_eq!(fetch(&mut client, version, &topic, partition, 0).error_code, UnknownTopicOrPartition.code());
        }
        // No limit of zero or less keeps a client from its next batch (KIP-74); no wait is negative.
        for &number in numbers {
            let mut request: FetchRequest = fetch_request(version, &topic, &[(0, 0)]);
            (request.max_wait_ms, request.min_bytes, request.max_bytes) = (number, number, number);
            request.topics[0].partitions[0].partition_max_bytes = number;
            let answer = the_partition(client.call(&request, version), version, &topic);
            assert_eq!(values(&answer), ["a"], "version {version}, {number}");
        }
        let mut request = fetch_request(version, &topic, &[(0, 0)]);
        (request.max_wait_ms, request.min_bytes, request.max_bytes) = (i32::MAX, 1, i32::MAX);
        request.topics[0].partitions[0].partition_max_bytes = i32::MAX;
        assert_eq!(values(&the_partition(client.call(&request, version), version, &topic)), ["a"]);
    }
}

#[test]
fn extreme_numbers_in_a_produce_are_answered_at_every_version() {
    let (_broker, mut client) = connect();
    let topic = Topic::create(&mut client, 1, &[]);
    for version in 3..=13 {
        for partition in [i32::MIN, -1, i32::MAX] {
            let answer = produce(&mut client, version, &topic, partition, Batch::of(&["a"]).build());
            assert_eq!((answer.error_code, answer.base_offset), (UnknownTopicOrPartition.code(), -1));
        }
        for timeout_ms in [i32::MIN, i32::MAX] {
            let records = vec![(0, Batch::of(&["a"]).build())];
            let request = crate::support::requests::produce_request(version, &topic, &records);
            let answer = client.call(&request.with_timeout_ms(timeout_ms), version);
            assert_eq!(answer.responses[0].partition_responses[0].error_code, NONE);
        }
    }
}
