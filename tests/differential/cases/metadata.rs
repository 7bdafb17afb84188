//! Metadata, DescribeTopicPartitions.

use kafka_protocol::messages::describe_topic_partitions_request::{Cursor, TopicRequest};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{DescribeTopicPartitionsRequest, MetadataRequest, TopicName};
use uuid::Uuid;

use crate::scenario::Run;
use crate::support::requests::topic_name;

fn by_name(name: &TopicName) -> MetadataRequestTopic {
    MetadataRequestTopic::default().with_name(Some(name.clone()))
}

fn by_id(id: Uuid) -> MetadataRequestTopic {
    MetadataRequestTopic::default().with_name(None).with_topic_id(id)
}

pub fn metadata(run: &mut Run) {
    let creates = run.version() < 4;
    let of = |topics: Vec<MetadataRequestTopic>| {
        MetadataRequest::default().with_topics(Some(topics)).with_allow_auto_topic_creation(creates)
    };
    let (topic, other) = (run.topic("one", 2, &[]), run.topic("two", 1, &[]));
    let unknown = run.unknown();
    let (mine, theirs) = (topic.name.clone(), other.name.clone());
    let all = if run.version() == 0 { Some(vec![]) } else { None };
    let all = MetadataRequest::default().with_topics(all).with_allow_auto_topic_creation(creates);
    run.step_of("all topics", &all, |response| {
        response.topics.retain(|each| each.name.as_ref() == Some(&mine) || each.name.as_ref() == Some(&theirs));
    });
    run.step("two topics", &of(vec![by_name(&other.name), by_name(&topic.name)]));
    if run.version() >= 1 {
        run.step("no topics", &of(vec![]));
    }
    run.step("one topic twice", &of(vec![by_name(&topic.name), by_name(&topic.name)]));
    for (step, bad) in [("no name", ""), ("a dot", "."), ("a space", "a b")] {
        run.step(&format!("name: {step}"), &of(vec![by_name(&topic_name(bad))]));
    }
    run.step("name: 250 characters", &of(vec![by_name(&topic_name(&"n".repeat(250)))]));
    if run.version() >= 4 {
        run.step("an unknown topic", &of(vec![by_name(&unknown.name)]));
        run.step("a known and an unknown one", &of(vec![by_name(&unknown.name), by_name(&topic.name)]));
        let creating = MetadataRequest::default().with_allow_auto_topic_creation(true);
        let bad = vec![by_name(&topic_name("a b"))];
        run.step("a bad name that is to be created", &creating.clone().with_topics(Some(bad)));
    }
    // The first answer depends on whether the broker has heard of what its controller made.
    let name = run.name("made");
    let making = of(vec![by_name(&name)]).with_allow_auto_topic_creation(true);
    run.ask(&making.clone().with_topics(Some(vec![by_name(&name)])), 4);
    run.created("made");
    run.step("a topic that was created by itself", &of(vec![by_name(&name)]));
    if (8..=10).contains(&run.version()) {
        run.step("with what is allowed", &of(vec![]).with_include_cluster_authorized_operations(true));
    }
    if run.version() >= 8 {
        let one = of(vec![by_name(&topic.name)]);
        run.step("with what is allowed to a topic", &one.with_include_topic_authorized_operations(true));
    }
    if run.version() >= 12 {
        run.step("by id", &of(vec![by_id(topic.id)]));
        run.step("by an unknown id", &of(vec![by_id(unknown.id)]));
        run.step("neither name nor id", &of(vec![by_id(Uuid::nil())]));
        run.step("a known and an unknown id", &of(vec![by_id(unknown.id), by_id(topic.id)]));
        run.step("by name and id", &of(vec![by_name(&topic.name).with_topic_id(topic.id)]));
        run.step("by id and by name", &of(vec![by_id(topic.id), by_name(&other.name)]));
    }
}

pub fn describe_topic_partitions(run: &mut Run) {
    let of = |topics: &[&TopicName], limit: i32| {
        let topic = |name: &&TopicName| TopicRequest::default().with_name((*name).clone());
        DescribeTopicPartitionsRequest::default()
            .with_topics(topics.iter().map(topic).collect())
            .with_response_partition_limit(limit)
    };
    let from = |topic: &TopicName, partition: i32| {
        Some(Cursor::default().with_topic_name(topic.clone()).with_partition_index(partition))
    };
    let (a, b) = (run.topic("a", 3, &[]).name, run.topic("b", 2, &[]).name);
    let unknown = run.unknown().name;
    run.step("two topics", &of(&[&b, &a], 2000));
    run.step("one topic twice", &of(&[&a, &a], 2000));
    run.step("a page that ends within a topic", &of(&[&a, &b], 2));
    run.step("a page that ends with a topic", &of(&[&a, &b], 3));
    run.step("a page of everything", &of(&[&a, &b], 5));
    run.step("from a cursor", &of(&[&a, &b], 2).with_cursor(from(&a, 2)));
    run.step("from a cursor at the second topic", &of(&[&a, &b], 2000).with_cursor(from(&b, 0)));
    run.step("a cursor behind the last partition", &of(&[&a, &b], 2000).with_cursor(from(&a, 3)));
    run.step("a cursor behind the last topic", &of(&[&a], 2000).with_cursor(from(&b, 1)));
    run.step("a cursor at an unknown topic", &of(&[&a, &b], 2000).with_cursor(from(&unknown, 0)));
    run.step("a negative cursor", &of(&[&a, &b], 2000).with_cursor(from(&a, -1)));
    for limit in [0, -1] {
        run.step(&format!("limit {limit}"), &of(&[&a], limit));
    }
    run.step("an unknown topic", &of(&[&unknown, &a], 2000));
    run.step("no name", &of(&[&topic_name("")], 2000));
    run.step("a bad name", &of(&[&topic_name("a b")], 2000));
}
