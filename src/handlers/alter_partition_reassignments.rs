//! AlterPartitionReassignments (key 45), versions 0–1.
//!
//! In a cluster of one, a partition can only be assigned to where it is, which is done at once; no reassignment is ever
//! under way that could be cancelled. Version 1 may forbid a change of the replication factor.
//!
//! Source: `ReplicationControlManager.alterPartitionReassignments` (KIP-455).

use super::errors::topic_error;
use super::{Client, Services};
use crate::controller::{TopicError, check_assignment};
use crate::metadata::ClusterImage;
use crate::security::{Operation, Resource};
use crate::types::PartitionIndex;
use crate::wire::ErrorCode;
use kafka_protocol::messages::alter_partition_reassignments_request::ReassignablePartition;
use kafka_protocol::messages::alter_partition_reassignments_response::{
    ReassignablePartitionResponse, ReassignableTopicResponse,
};
use kafka_protocol::messages::{AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse};
use kafka_protocol::protocol::StrBytes;

/// Why a partition is not reassigned; Kafka has no sentence for one of the reasons.
type Refusal = (ErrorCode, Option<String>);

pub(super) fn handle(
    services: &Services,
    client: &Client,
    request: AlterPartitionReassignmentsRequest,
) -> AlterPartitionReassignmentsResponse {
    let may_change_factor = request.allow_replication_factor_change;
    let response = AlterPartitionReassignmentsResponse::default()
        .with_allow_replication_factor_change(may_change_factor)
        .with_error_message(None);
    if !services.authorizer.allows(&client.principal, Operation::Alter, Resource::Cluster) {
        return response.with_error_code(ErrorCode::ClusterAuthorizationFailed.code());
    }
    if request.topics.is_empty() {
        // Kafka's answer to nothing has its schema's empty sentence.
        return response.with_error_message(Some(StrBytes::default()));
    }
    let image = services.image();
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|wanted| {
            let answer = ReassignablePartitionResponse::default().with_partition_index(wanted.partition_index);
            match reassign(&image, topic.name.as_str(), wanted, may_change_factor) {
                Ok(()) => answer.with_error_message(None),
                Err((code, message)) => {
                    answer.with_error_code(code.code()).with_error_message(message.map(StrBytes::from_string))
                }
            }
        });
        let partitions = partitions.collect();
        ReassignableTopicResponse::default().with_name(topic.name.clone()).with_partitions(partitions)
    });
    response.with_responses(topics.collect())
}

fn reassign(
    image: &ClusterImage,
    topic: &str,
    wanted: &ReassignablePartition,
    may_change_factor: bool,
) -> Result<(), Refusal> {
    let index = wanted.partition_index;
    let unknown = |text: String| (ErrorCode::UnknownTopicOrPartition, Some(text));
    let found = image.topic(topic).ok_or_else(|| unknown(format!("Unable to find a topic named {topic}.")))?;
    let partition = found
        .partition(PartitionIndex(index))
        .ok_or_else(|| unknown(format!("Unable to find partition {topic}:{index}.")))?;
    let Some(replicas) = &wanted.replicas else {
        return Err((ErrorCode::NoReassignmentInProgress, None));
    };
    let replicas: Vec<i32> = replicas.iter().map(|broker| broker.0).collect();
    let refused = |e: TopicError| (topic_error(&e), Some(e.to_string()));
    check_assignment(image, &replicas, replicas.len()).map_err(refused)?;
    if !may_change_factor && replicas.len() != partition.replicas.len() {
        let text = format!("The replication factor is changed from {} to {}", partition.replicas.len(), replicas.len());
        return Err((ErrorCode::InvalidReplicationFactor, Some(text)));
    }
    if replicas.iter().eq(partition.replicas.iter().map(|broker| &broker.0)) {
        return Ok(());
    }
    Err((ErrorCode::InvalidRequest, Some("Partitions cannot be moved between brokers yet.".into())))
}
