//! Metadata (key 3), versions 0–13.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::MetadataRequest;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use uuid::Uuid;

use crate::connect;
use crate::support::batch::Batch;
use crate::support::requests::{Topic, metadata_request, new_name, produce_at, topic_name, wait_until_led};

const VERSIONS: std::ops::RangeInclusive<i16> = 0..=13;
const NOT_ASKED: i32 = i32::MIN;

/// A request by name at any version; auto-creation can be forbidden from version 4 on.
fn by_name(version: i16, topic: &Topic) -> MetadataRequest {
    metadata_request(&[&topic.name]).with_allow_auto_topic_creation(version < 4)
}

#[test]
fn metadata_describes_a_topic_and_its_cluster_at_every_version() {
    let (broker, mut client) = connect();
    let topic = Topic::create(&mut client, 3, &[]);
    for version in VERSIONS {
        let response = client.call(&by_name(version, &topic), version);
        assert_eq!(response.error_code, 0);
        let [node] = &response.brokers[..] else { panic!("one broker: {response:?}") };
        assert_eq!(format!("{}:{}", node.host.as_str(), node.port), broker.address(), "version {version}");
        assert!(node.rack.is_none());
        if version >= 1 {
            assert_eq!(response.controller_id, node.node_id, "version {version}");
        }
        if version >= 2 {
            // KIP-78: the id of the cluster.
            assert_eq!(response.cluster_id.expect("there is a cluster id").len(), 22, "version {version}");
        }
        let [described] = &response.topics[..] else { panic!("one topic") };
        assert_eq!(
            (described.error_code, described.name.as_ref(), described.is_internal),
            (0, Some(&topic.name), false)
        );
        if version >= 10 {
            assert_eq!(described.topic_id, topic.id, "version {version}");
        }
        let mut indexes: Vec<i32> = described.partitions.iter().map(|each| each.partition_index).collect();
        indexes.sort_unstable();
        assert_eq!(indexes, [0, 1, 2]);
        for partition in &described.partitions {
            assert_eq!((partition.error_code, partition.leader_id), (0, node.node_id), "version {version}");
            assert_eq!(
                (&partition.replica_nodes[..], &partition.isr_nodes[..]),
                (&[node.node_id][..], &[node.node_id][..])
            );
            assert!(partition.offline_replicas.is_empty());
            assert_eq!(partition.leader_epoch, if version >= 7 { 0 } else { -1 }, "version {version}");
        }
    }
}

#[test]
fn metadata_names_all_topics_for_null_or_in_version_0_for_an_empty_list() {
    let (_broker, mut client) = connect();
    let topics = [Topic::create(&mut client, 1, &[]), Topic::create(&mut client, 2, &[])];
    for version in VERSIONS {
        let all = if version == 0 { Some(Vec::new()) } else { None };
        let response = client.call(&MetadataRequest::default().with_topics(all), version);
        for topic in &topics {
            assert!(response.topics.iter().any(|each| each.name.as_ref() == Some(&topic.name)), "version {version}");
        }
        if version >= 1 {
            let response = client.call(&MetadataRequest::default().with_topics(Some(Vec::new())), version);
            assert!(
                response.topics.is_empty() && !response.brokers.is_empty(),
                "version {version}: none was asked for"
            );
        }
    }
}

#[test]
fn kip_204_metadata_of_an_unknown_topic_creates_it_only_when_that_is_allowed() {
    let (_broker, mut client) = connect();
    for version in 4..=13 {
        let unknown = Topic::unknown();
        let response = client.call(&by_name(version, &unknown), version);
        let code = response.topics[0].error_code;
        assert_eq!(code, ResponseError::UnknownTopicOrPartition.code(), "version {version}");
        assert!(response.topics[0].partitions.is_empty());
        let all = client.call(&MetadataRequest::default().with_topics(None), 12);
        assert!(!all.topics.iter().any(|each| each.name.as_ref() == Some(&unknown.name)), "version {version}");
    }
}

#[test]
fn metadata_creates_a_missing_topic_with_the_default_partitions_at_every_version() {
    let (broker, mut client) = connect();
    for version in VERSIONS {
        let name = new_name();
        let response = client.call(&metadata_request(&[&name]).with_allow_auto_topic_creation(true), version);
        if broker.is_klamm() {
            // Apache Kafka answers LEADER_NOT_AVAILABLE first, and the client asks again; ours is ready with its first answer.
            let topic = &response.topics[0];
            assert_eq!((topic.error_code, topic.partitions.len()), (0, 4), "version {version}");
            assert!(topic.partitions.iter().all(|each| each.error_code == 0 && each.leader_id.0 >= 0));
        }
        let topic = wait_until_led(&mut client, &name);
        assert_eq!(topic.partitions.len(), 4, "version {version}");
        produce_at(&mut client, &Topic { name, id: topic.topic_id }, 3, Batch::of(&["x"]).build(), 0);
    }
}

#[test]
fn metadata_of_an_impossible_name_is_an_invalid_topic() {
    let (_broker, mut client) = connect();
    let long = "x".repeat(250);
    for version in VERSIONS {
        for name in ["no/slash", "", ".", "..", long.as_str()] {
            let request = metadata_request(&[&topic_name(name)]).with_allow_auto_topic_creation(true);
            let response = client.call(&request, version);
            let code = response.topics[0].error_code;
            assert_eq!(code, ResponseError::InvalidTopicException.code(), "version {version}, name {name:?}");
        }
    }
}

#[test]
fn kip_516_metadata_finds_topics_by_id_from_version_12_on() {
    let (_broker, mut client) = connect();
    let topic = Topic::create(&mut client, 1, &[]);
    let by_id = |id: Uuid| {
        let entry = MetadataRequestTopic::default().with_topic_id(id).with_name(None);
        MetadataRequest::default().with_topics(Some(vec![entry])).with_allow_auto_topic_creation(false)
    };
    for version in 12..=13 {
        let found = client.call(&by_id(topic.id), version).topics.remove(0);
        assert_eq!((found.error_code, found.name, found.topic_id), (0, Some(topic.name.clone()), topic.id));
        let unknown = Uuid::new_v4();
        let missing = client.call(&by_id(unknown), version).topics.remove(0);
        let expected = (ResponseError::UnknownTopicId.code(), None, unknown);
        assert_eq!((missing.error_code, missing.name, missing.topic_id), expected);
    }
}

#[test]
fn kip_516_names_do_not_count_beside_an_id() {
    // Java's describeTopics by id sends an empty name with each id.
    let (_broker, mut client) = connect();
    let (topic, other) = (Topic::create(&mut client, 1, &[]), Topic::create(&mut client, 1, &[]));
    let entry = |id: Uuid, name: Option<&str>| {
        MetadataRequestTopic::default().with_topic_id(id).with_name(name.map(topic_name))
    };
    for version in 12..=13 {
        for entries in [
            vec![entry(topic.id, Some(""))],
            vec![entry(topic.id, Some(other.name.as_str()))],
            vec![entry(topic.id, None), entry(Uuid::nil(), Some(other.name.as_str()))],
            vec![entry(Uuid::nil(), None), entry(topic.id, None)],
        ] {
            let request = MetadataRequest::default().with_topics(Some(entries));
            let response = client.call(&request.with_allow_auto_topic_creation(true), version);
            let found: Vec<_> = response.topics.iter().map(|each| (each.error_code, each.name.clone())).collect();
            assert_eq!(found, [(0, Some(topic.name.clone()))], "version {version}");
        }
    }
}

#[test]
fn kip_430_authorized_operations_come_only_when_asked_for() {
    let (_broker, mut client) = connect();
    let topic = Topic::create(&mut client, 1, &[]);
    for version in 8..=13 {
        let response = client.call(&by_name(version, &topic), version);
        assert_eq!(response.topics[0].topic_authorized_operations, NOT_ASKED, "version {version}");
        let asking = by_name(version, &topic).with_include_topic_authorized_operations(true);
        let response = client.call(&asking, version);
        // Read (3), write (4), create (5), delete (6), alter (7), describe (8), describe and alter configs (10, 11).
        let everything = [3, 4, 5, 6, 7, 8, 10, 11].iter().fold(0, |bits, operation| bits | 1 << operation);
        assert_eq!(response.topics[0].topic_authorized_operations, everything, "version {version}");
    }
}

#[test]
fn each_topic_of_a_mixed_metadata_gets_its_own_answer() {
    let (_broker, mut client) = connect();
    let known = Topic::create(&mut client, 1, &[]);
    let unknown = Topic::unknown();
    for version in 4..=13 {
        let response = client.call(&metadata_request(&[&unknown.name, &known.name]), version);
        let code_of = |topic: &Topic| {
            response
                .topics
                .iter()
                .find(|each| each.name.as_ref() == Some(&topic.name))
                .expect("it is answered")
                .error_code
        };
        assert_eq!(
            (code_of(&known), code_of(&unknown)),
            (0, ResponseError::UnknownTopicOrPartition.code()),
            "version {version}"
        );
    }
}
