//! DescribeQuorum (key 55), versions 0–2.
//!
//! How the metadata quorum stands: partition 0 of `__cluster_metadata`, asked for by itself, and nothing else. The quorum is
//! this node alone. Version 1 tells when voters fetched, which a leader did just now; version 2 where they are reached:
//! there is no listener for controllers, so that it is the one that the client came through.
//!
//! Source: `KafkaRaftClient.handleDescribeQuorumRequest`, `LeaderState.describeReplicaState` (KIP-595, KIP-836, KIP-853).

use super::errors::CLUSTER_REFUSED;
use super::services::endpoint;
use super::{Client, Services};
use crate::controller::Standing;
use crate::security::{Operation, Resource};
use crate::wire::ErrorCode;
use kafka_protocol::messages::describe_quorum_request;
use kafka_protocol::messages::describe_quorum_response::{Listener, Node, PartitionData, ReplicaState, TopicData};
use kafka_protocol::messages::{BrokerId, DescribeQuorumRequest, DescribeQuorumResponse};
use kafka_protocol::protocol::StrBytes;

const METADATA_TOPIC: &str = "__cluster_metadata";
const METADATA_PARTITION: i32 = 0;

pub(super) fn handle(
    services: &Services,
    client: &Client,
    version: i16,
    request: DescribeQuorumRequest,
) -> DescribeQuorumResponse {
    if !services.authorizer.allows(&client.principal, Operation::Describe, Resource::Cluster) {
        return refused(ErrorCode::ClusterAuthorizationFailed, CLUSTER_REFUSED);
    }
    if !asks_for_the_metadata(&request) {
        let topics = request.topics.into_iter().map(unknown).collect();
        return DescribeQuorumResponse::default().with_topics(topics);
    }
    let standing = services.controller.standing();
    if standing.leader != Some(services.config.node_id) {
        let text = "For requests intended only for the leader, this error indicates that the broker is not the current \
                    leader. For requests intended for any replica, this error indicates that the broker is not a replica \
                    of the topic partition.";
        return refused(ErrorCode::NotLeaderOrFollower, text);
    }
    let topic = request.topics.into_iter().map(|topic| {
        TopicData::default().with_topic_name(topic.topic_name).with_partitions(vec![described(services, &standing)])
    });
    let nodes = if version >= 2 { vec![node(services, client)] } else { Vec::new() };
    DescribeQuorumResponse::default().with_topics(topic.collect()).with_nodes(nodes)
}

fn asks_for_the_metadata(request: &DescribeQuorumRequest) -> bool {
    let [topic] = &request.topics[..] else { return false };
    let [partition] = &topic.partitions[..] else { return false };
    topic.topic_name.as_str() == METADATA_TOPIC && partition.partition_index == METADATA_PARTITION
}

fn refused(code: ErrorCode, message: &'static str) -> DescribeQuorumResponse {
    DescribeQuorumResponse::default()
        .with_error_code(code.code())
        .with_error_message(Some(StrBytes::from_static_str(message)))
}

fn unknown(topic: describe_quorum_request::TopicData) -> TopicData {
    let partitions = topic.partitions.into_iter().map(|partition| {
        PartitionData::default()
            .with_partition_index(partition.partition_index)
            .with_error_code(ErrorCode::UnknownTopicOrPartition.code())
            .with_error_message(Some(StrBytes::from_static_str("This server does not host this topic-partition.")))
    });
    TopicData::default().with_topic_name(topic.topic_name).with_partitions(partitions.collect())
}

fn described(services: &Services, standing: &Standing) -> PartitionData {
    let (leader, now) = (BrokerId(services.config.node_id.0), services.clock.now().0);
    let voter = ReplicaState::default()
        .with_replica_id(leader)
        .with_log_end_offset(standing.log_end.0)
        .with_last_fetch_timestamp(now)
        .with_last_caught_up_timestamp(now);
    PartitionData::default()
        .with_partition_index(METADATA_PARTITION)
        .with_leader_id(leader)
        .with_leader_epoch(i32::try_from(standing.term).unwrap_or(i32::MAX))
        .with_high_watermark(standing.committed_end.0)
        .with_current_voters(vec![voter])
}

fn node(services: &Services, client: &Client) -> Node {
    let image = services.image();
    let here = image.brokers.get(&services.config.node_id).and_then(|broker| endpoint(broker, &client.listener));
    let listeners = here.map(|endpoint| {
        Listener::default()
            .with_name(StrBytes::from_string(endpoint.name.clone()))
            .with_host(StrBytes::from_string(endpoint.host.clone()))
            .with_port(endpoint.port)
    });
    Node::default().with_node_id(BrokerId(services.config.node_id.0)).with_listeners(listeners.into_iter().collect())
}
