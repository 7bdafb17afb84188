//! What concerns the brokers of partitions: ElectLeaders (key 43), versions 0–2, AlterPartitionReassignments (45), 0–1; and
//! ListConfigResources (74), 0–1.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::alter_partition_reassignments_request::{ReassignablePartition, ReassignableTopic};
use kafka_protocol::messages::elect_leaders_request::TopicPartitions;
use kafka_protocol::messages::{
    AlterPartitionReassignmentsRequest, BrokerId, ElectLeadersRequest, ListConfigResourcesRequest,
    ListPartitionReassignmentsRequest,
};

use crate::connect;
use crate::support::raw::Client;
use crate::support::requests::{Topic, wait_until_led};

const PREFERRED: i8 = 0;
const UNCLEAN: i8 = 1;

#[test]
fn kip_460_a_partition_that_has_its_leader_needs_no_election_at_every_version() {
    let (_broker, mut client) = connect();
    let (topic, unknown) = (Topic::create(&mut client, 2, &[]), Topic::unknown());
    let named =
        |topic: &Topic, index| TopicPartitions::default().with_topic(topic.name.clone()).with_partitions(vec![index]);
    for version in 0..=2 {
        for election in if version == 0 { vec![PREFERRED] } else { vec![PREFERRED, UNCLEAN] } {
            for (wanted, error) in [
                (named(&topic, 0), ResponseError::ElectionNotNeeded),
                (named(&topic, 1), ResponseError::ElectionNotNeeded),
                (named(&topic, 7), ResponseError::UnknownTopicOrPartition),
                (named(&unknown, 0), ResponseError::UnknownTopicOrPartition),
            ] {
                let request = ElectLeadersRequest::default()
                    .with_election_type(election)
                    .with_topic_partitions(Some(vec![wanted.clone()]));
                let response = client.call(&request, version);
                let result = &response.replica_election_results[0];
                let partition = &result.partition_result[0];
                assert_eq!((response.error_code, &result.topic), (0, &wanted.topic));
                assert_eq!(
                    (partition.partition_id, partition.error_code),
                    (wanted.partitions[0], error.code()),
                    "version {version}"
                );
            }
        }
        // Without a list, every topic is answered with those partitions that need an election.
        let all = client.call(&ElectLeadersRequest::default().with_topic_partitions(None), version);
        let answered = all.replica_election_results.iter().find(|each| each.topic == topic.name);
        assert_eq!(all.error_code, 0, "version {version}");
        assert!(answered.is_some_and(|each| each.partition_result.is_empty()), "version {version}");
    }
}

/// Asks for these brokers for one partition; the code.
fn reassign(client: &mut Client, version: i16, topic: &Topic, index: i32, brokers: Option<Vec<i32>>) -> i16 {
    let brokers = brokers.map(|ids| ids.into_iter().map(BrokerId).collect());
    let partition = ReassignablePartition::default().with_partition_index(index).with_replicas(brokers);
    let of_topic = ReassignableTopic::default().with_name(topic.name.clone()).with_partitions(vec![partition]);
    let request = AlterPartitionReassignmentsRequest::default().with_topics(vec![of_topic]).with_timeout_ms(15000);
    let response = client.call(&request, version);
    assert_eq!((response.error_code, &response.responses[0].name), (0, &topic.name), "version {version}");
    let answer = &response.responses[0].partitions[0];
    assert_eq!(answer.partition_index, index);
    assert!(answer.error_code != 0 || answer.error_message.is_none(), "{answer:?}");
    answer.error_code
}

#[test]
fn kip_455_a_partition_stays_where_it_is_at_every_version() {
    let (_broker, mut client) = connect();
    let (topic, unknown) = (Topic::create(&mut client, 1, &[]), Topic::unknown());
    let broker = wait_until_led(&mut client, &topic.name).partitions[0].leader_id.0;
    for version in 0..=1 {
        assert_eq!(reassign(&mut client, version, &topic, 0, Some(vec![broker])), 0, "version {version}");
        let nothing_moves = client.call(&ListPartitionReassignmentsRequest::default().with_topics(None), 0);
        assert!(nothing_moves.topics.is_empty());
        let invalid = ResponseError::InvalidReplicaAssignment;
        for (topic, index, brokers, error) in [
            (&topic, 0, Some(vec![4711]), invalid),
            (&topic, 0, Some(vec![broker, broker]), invalid),
            (&topic, 0, Some(vec![-1]), invalid),
            (&topic, 0, Some(vec![]), invalid),
            (&topic, 0, None, ResponseError::NoReassignmentInProgress),
            (&topic, 7, Some(vec![broker]), ResponseError::UnknownTopicOrPartition),
            (&unknown, 0, Some(vec![broker]), ResponseError::UnknownTopicOrPartition),
        ] {
            let case = format!("version {version}: {index} {brokers:?}");
            assert_eq!(reassign(&mut client, version, topic, index, brokers), error.code(), "{case}");
        }
    }
}

#[test]
fn kip_1142_what_may_have_settings_is_listed_by_its_type() {
    let (topic_type, broker_type) = (2i8, 4i8);
    let (_broker, mut client) = connect();
    let topic = Topic::create(&mut client, 1, &[]);
    let list = |client: &mut Client, version, types: Vec<i8>| {
        client.call(&ListConfigResourcesRequest::default().with_resource_types(types), version)
    };
    // Of subscriptions to metrics, which version 0 lists, tests of their own have some.
    assert_eq!(list(&mut client, 0, vec![]).error_code, 0);
    let topics = list(&mut client, 1, vec![topic_type]);
    assert!(topics.config_resources.iter().all(|each| each.resource_type == topic_type));
    assert!(topics.config_resources.iter().any(|each| each.resource_name == topic.name.0));
    let brokers = list(&mut client, 1, vec![broker_type]);
    assert_eq!((brokers.error_code, brokers.config_resources.len()), (0, 1), "{brokers:?}");
    assert_eq!(brokers.config_resources[0].resource_type, broker_type);
    let all = list(&mut client, 1, vec![]);
    for kind in [topic_type, broker_type, 8] {
        assert!(all.config_resources.iter().any(|each| each.resource_type == kind), "{kind}");
    }
    let unknown = list(&mut client, 1, vec![topic_type, 99]);
    assert_eq!(unknown.error_code, ResponseError::UnsupportedVersion.code());
    assert!(unknown.config_resources.is_empty());
}
