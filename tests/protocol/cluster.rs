//! DescribeCluster (key 60, versions 0–2), DescribeTopicPartitions (75, version 0), ListPartitionReassignments (46, version 0),
//! UnregisterBroker (64, version 0).

use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_topic_partitions_request::{Cursor, TopicRequest};
use kafka_protocol::messages::list_partition_reassignments_request::ListPartitionReassignmentsTopics;
use kafka_protocol::messages::{
    BrokerId, DescribeClusterRequest, DescribeTopicPartitionsRequest, ListPartitionReassignmentsRequest,
    UnregisterBrokerRequest,
};

use crate::connect;
use crate::support::broker::Broker;
use crate::support::raw::Client;
use crate::support::requests::{Topic, metadata_request};

#[test]
fn kip_700_describe_cluster_names_the_cluster_and_its_broker_at_every_version() {
    let (broker, mut client) = connect();
    let metadata = client.call(&metadata_request(&[]), 12);
    for version in 0..=2 {
        let response = client.call(&DescribeClusterRequest::default(), version);
        assert_eq!(response.error_code, 0, "version {version}");
        assert_eq!(Some(&response.cluster_id), metadata.cluster_id.as_ref());
        assert_eq!(response.cluster_authorized_operations, i32::MIN, "they were not asked for");
        let [node] = &response.brokers[..] else { panic!("one broker: {response:?}") };
        assert_eq!(format!("{}:{}", node.host.as_str(), node.port), broker.address());
        assert_eq!((node.broker_id, response.controller_id), (metadata.brokers[0].node_id, metadata.controller_id));
        if version >= 1 {
            assert_eq!(response.endpoint_type, 1, "KIP-919: brokers");
        }
        let asking = DescribeClusterRequest::default().with_include_cluster_authorized_operations(true);
        assert!(client.call(&asking, version).cluster_authorized_operations > 0, "version {version}");
    }
}

#[test]
fn kip_919_the_endpoints_of_controllers_are_not_known_to_a_broker() {
    let (_broker, mut client) = connect();
    for version in 1..=2 {
        let response = client.call(&DescribeClusterRequest::default().with_endpoint_type(2), version);
        assert_eq!(response.error_code, ResponseError::MismatchedEndpointType.code(), "version {version}");
        let response = client.call(&DescribeClusterRequest::default().with_endpoint_type(9), version);
        assert_eq!(response.error_code, ResponseError::UnsupportedEndpointType.code(), "version {version}");
    }
}

fn describe(topics: &[&Topic], limit: i32) -> DescribeTopicPartitionsRequest {
    let topics = topics.iter().map(|topic| TopicRequest::default().with_name(topic.name.clone())).collect();
    DescribeTopicPartitionsRequest::default().with_topics(topics).with_response_partition_limit(limit)
}

#[test]
fn kip_966_describe_topic_partitions_answers_in_pages_sorted_by_name() {
    let (_broker, mut client) = connect();
    let mut topics = [Topic::create(&mut client, 3, &[]), Topic::create(&mut client, 2, &[])];
    topics.sort_by(|a, b| a.name.cmp(&b.name));
    let all = [&topics[1], &topics[0]];
    let response = client.call(&describe(&all, 2000), 0);
    assert!(response.next_cursor.is_none());
    let names: Vec<_> = response.topics.iter().map(|each| each.name.clone().expect("a topic has a name")).collect();
    assert_eq!(names, [topics[0].name.clone(), topics[1].name.clone()]);
    for (described, topic) in response.topics.iter().zip(&topics) {
        assert_eq!((described.error_code, described.topic_id, described.is_internal), (0, topic.id, false));
        for (partition, index) in described.partitions.iter().zip(0..) {
            assert_eq!((partition.error_code, partition.partition_index, partition.leader_epoch), (0, index, 0));
            assert_eq!(
                (&partition.replica_nodes, &partition.isr_nodes),
                (&vec![partition.leader_id], &vec![partition.leader_id])
            );
        }
    }

    let (mut seen, mut request) = (Vec::new(), describe(&all, 2));
    loop {
        let response = client.call(&request, 0);
        let page: Vec<_> = response
            .topics
            .iter()
            .flat_map(|each| each.partitions.iter().map(|partition| (each.name.clone(), partition.partition_index)))
            .collect();
        assert!(!page.is_empty() && page.len() <= 2, "{page:?}");
        seen.extend(page);
        let Some(next) = response.next_cursor else { break };
        request.cursor =
            Some(Cursor::default().with_topic_name(next.topic_name).with_partition_index(next.partition_index));
    }
    let expected: Vec<_> = response
        .topics
        .iter()
        .flat_map(|each| each.partitions.iter().map(|p| (each.name.clone(), p.partition_index)))
        .collect();
    assert_eq!(seen, expected);
}

#[test]
fn kip_966_describe_topic_partitions_of_an_unknown_topic_is_an_error_of_that_topic() {
    let (_broker, mut client) = connect();
    let (known, unknown) = (Topic::create(&mut client, 1, &[]), Topic::unknown());
    let response = client.call(&describe(&[&known, &unknown], 2000), 0);
    let code_of = |topic: &Topic| {
        response.topics.iter().find(|each| each.name.as_ref() == Some(&topic.name)).expect("it is answered").error_code
    };
    assert_eq!((code_of(&known), code_of(&unknown)), (0, ResponseError::UnknownTopicOrPartition.code()));
}

#[test]
fn kip_455_no_partition_is_being_reassigned() {
    let (_broker, mut client) = connect();
    let topic = Topic::create(&mut client, 2, &[]);
    let of = |topic: &Topic| {
        let entry = ListPartitionReassignmentsTopics::default()
            .with_name(topic.name.clone())
            .with_partition_indexes(vec![0, 1]);
        ListPartitionReassignmentsRequest::default().with_timeout_ms(15000).with_topics(Some(vec![entry]))
    };
    let all = ListPartitionReassignmentsRequest::default().with_timeout_ms(15000).with_topics(None);
    for request in [all, of(&topic), of(&Topic::unknown())] {
        let response = client.call(&request, 0);
        assert_eq!((response.error_code, response.topics.len()), (0, 0), "{request:?}");
    }
}

#[test]
fn kip_631_a_broker_that_is_not_registered_cannot_be_unregistered() {
    let (_broker, mut client) = connect();
    for id in [77, i32::MAX, -1, i32::MIN] {
        let response = client.call(&UnregisterBrokerRequest::default().with_broker_id(BrokerId(id)), 0);
        let expected = format!("Broker ID {id} is not currently registered");
        assert_eq!(response.error_code, ResponseError::BrokerIdNotRegistered.code(), "{response:?}");
        assert_eq!(response.error_message.as_deref(), Some(expected.as_str()));
    }
}

#[test]
fn the_broker_that_runs_is_not_unregistered_and_goes_on() {
    // Apache Kafka would say that all is well, and have no broker from then on.
    let broker = Broker::start_ours(&[]);
    let mut client = Client::connect(broker.address());
    let id = client.call(&metadata_request(&[]), 12).brokers[0].node_id;
    let response = client.call(&UnregisterBrokerRequest::default().with_broker_id(id), 0);
    assert_eq!(response.error_code, ResponseError::InvalidRequest.code(), "{response:?}");
    assert!(response.error_message.is_some_and(|text| text.contains("is running")));
    assert_eq!(client.call(&DescribeClusterRequest::default(), 2).brokers.len(), 1);
    Topic::create(&mut client, 1, &[]);
}
