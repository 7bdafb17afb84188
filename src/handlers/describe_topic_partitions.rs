//! DescribeTopicPartitions (key 75), version 0 (KIP-966).
//!
//! Topics by name, or all of them, in the order of their names; at most `response_partition_limit` partitions at a time,
//! with a cursor to go on from. There are no eligible leader replicas without replication: both lists are empty.
//!
//! Source: `DescribeTopicPartitionsRequestHandler`.

use super::names::wire_name;
use super::partition_view::partitions_from;
use super::{Client, Services};
use crate::metadata::{ClusterImage, Topic};
use crate::security::{Operation, Resource};
use crate::types::TopicName;
use crate::wire::ErrorCode;
use kafka_protocol::messages::describe_topic_partitions_request::Cursor as WantedCursor;
use kafka_protocol::messages::describe_topic_partitions_response::{
    Cursor, DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic,
};
use kafka_protocol::messages::{DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse};
use std::collections::BTreeSet;

pub(super) fn handle(
    services: &Services,
    client: &Client,
    request: DescribeTopicPartitionsRequest,
) -> DescribeTopicPartitionsResponse {
    if request.cursor.as_ref().is_some_and(|cursor| !is_valid(cursor, &request)) {
        return refused(&request);
    }
    let image = services.image();
    let limit = services.config.answers.described_partitions_max as usize;
    let mut room = usize::try_from(request.response_partition_limit).unwrap_or(0).clamp(1, limit);
    let (from_topic, mut from_partition) = match &request.cursor {
        Some(cursor) => (cursor.topic_name.to_string(), usize::try_from(cursor.partition_index).unwrap_or(0)),
        None => (String::new(), 0),
    };
    let mut topics = Vec::new();
    let mut next = None;
    for name in names(&image, &request).into_iter().filter(|name| *name >= from_topic) {
        if name != from_topic {
            from_partition = 0;
        }
        let Some(topic) = image.topic(&name).filter(|_| may_describe(services, client, &name)) else {
            if !request.topics.is_empty() {
                topics.push(missing(services, client, &name));
            }
            continue;
        };
        if room == 0 {
            next = Some((name, 0));
            break;
        }
        let end = topic.partitions.len().min(from_partition.saturating_add(room));
        room -= end.saturating_sub(from_partition);
        topics.push(described(services, client, &image, topic, from_partition..end));
        if end < topic.partitions.len() {
            next = Some((name, end));
            break;
        }
    }
    let cursor = next.map(|(name, partition)| {
        let partition = i32::try_from(partition).expect("a topic has fewer than 2^31 partitions");
        Cursor::default().with_topic_name(wire_name(&name)).with_partition_index(partition)
    });
    DescribeTopicPartitionsResponse::default().with_topics(topics).with_next_cursor(cursor)
}

/// Whether a cursor stands at a partition of one of the topics asked for.
fn is_valid(cursor: &WantedCursor, request: &DescribeTopicPartitionsRequest) -> bool {
    let is_asked_for = request.topics.is_empty() || request.topics.iter().any(|topic| topic.name == cursor.topic_name);
    is_asked_for && cursor.partition_index >= 0
}

/// There is no error but that of topics.
fn refused(request: &DescribeTopicPartitionsRequest) -> DescribeTopicPartitionsResponse {
    let topics = request.topics.iter().map(|topic| {
        DescribeTopicPartitionsResponseTopic::default()
            .with_name(Some(topic.name.clone()))
            .with_error_code(ErrorCode::InvalidRequest.code())
    });
    DescribeTopicPartitionsResponse::default().with_topics(topics.collect())
}

/// The topics asked for, sorted; all of them when none is named.
fn names(image: &ClusterImage, request: &DescribeTopicPartitionsRequest) -> BTreeSet<String> {
    match request.topics.is_empty() {
        true => image.topics().map(|topic| topic.name.to_string()).collect(),
        false => request.topics.iter().map(|topic| topic.name.to_string()).collect(),
    }
}

fn missing(services: &Services, client: &Client, name: &str) -> DescribeTopicPartitionsResponseTopic {
    let code = match may_describe(services, client, name) {
        false => ErrorCode::TopicAuthorizationFailed,
        true if TopicName::new(name).is_err() => ErrorCode::InvalidTopicException,
        true => ErrorCode::UnknownTopicOrPartition,
    };
    let answer =
        DescribeTopicPartitionsResponseTopic::default().with_name(Some(wire_name(name))).with_error_code(code.code());
    if code == ErrorCode::TopicAuthorizationFailed {
        // What may be done to it would tell whether it is there.
        return answer;
    }
    answer.with_topic_authorized_operations(services.authorizer.allowed(&client.principal, Resource::Topic(name)))
}

fn described(
    services: &Services,
    client: &Client,
    image: &ClusterImage,
    topic: &Topic,
    range: std::ops::Range<usize>,
) -> DescribeTopicPartitionsResponseTopic {
    let hosted = services.partitions.hosted();
    let views = partitions_from(services, client, image, &hosted, topic, range.start).take(range.len());
    let partitions = views.map(|view| {
        DescribeTopicPartitionsResponsePartition::default()
            .with_error_code(view.code)
            .with_partition_index(view.index)
            .with_leader_id(view.leader)
            .with_leader_epoch(view.leader_epoch)
            .with_replica_nodes(view.replicas)
            .with_isr_nodes(view.isr)
            .with_eligible_leader_replicas(Some(vec![]))
            .with_last_known_elr(Some(vec![]))
            .with_offline_replicas(view.offline_replicas)
    });
    let operations = services.authorizer.allowed(&client.principal, Resource::Topic(topic.name.as_str()));
    DescribeTopicPartitionsResponseTopic::default()
        .with_name(Some(wire_name(topic.name.as_str())))
        .with_topic_id(topic.id.0)
        .with_partitions(partitions.collect())
        .with_topic_authorized_operations(operations)
}

fn may_describe(services: &Services, client: &Client, topic: &str) -> bool {
    services.authorizer.allows(&client.principal, Operation::Describe, Resource::Topic(topic))
}
