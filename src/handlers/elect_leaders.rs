//! ElectLeaders (key 43), versions 0–2.
//!
//! A partition that is led by its preferred replica, or at all when the election is unclean, needs no election; that is
//! every one of a cluster of one. Without a list all topics are answered, with those partitions that need an election.
//!
//! Source: `ReplicationControlManager.electLeaders` (KIP-460).

use super::errors::CLUSTER_REFUSED;
use super::names::wire_name;
use super::{Client, Services};
use crate::metadata::{ClusterImage, Partition};
use crate::security::{Operation, Resource};
use crate::types::PartitionIndex;
use crate::wire::ErrorCode;
use kafka_protocol::messages::elect_leaders_response::{PartitionResult, ReplicaElectionResult};
use kafka_protocol::messages::{ElectLeadersRequest, ElectLeadersResponse};
use kafka_protocol::protocol::StrBytes;

const PREFERRED: i8 = 0;
const UNCLEAN: i8 = 1;

pub(super) fn handle(
    services: &Services,
    client: &Client,
    version: i16,
    request: ElectLeadersRequest,
) -> ElectLeadersResponse {
    let image = services.image();
    let allowed = services.authorizer.allows(&client.principal, Operation::Alter, Resource::Cluster);
    let Some(topics) = request.topic_partitions else { return of_all(&image, request.election_type, allowed, version) };
    let results = topics.into_iter().map(|wanted| {
        let topic = wanted.topic.as_str();
        let partitions = wanted.partitions.iter().map(|index| {
            let refused = match allowed {
                true => elect(&image, topic, *index, request.election_type),
                false => (ErrorCode::ClusterAuthorizationFailed, CLUSTER_REFUSED.to_owned()),
            };
            result(*index, refused)
        });
        let partitions = partitions.collect();
        ReplicaElectionResult::default().with_topic(wanted.topic.clone()).with_partition_result(partitions)
    });
    let is_known = matches!(request.election_type, PREFERRED | UNCLEAN);
    let response = respond(results.collect(), allowed, version);
    if allowed && !is_known { response.with_error_code(ErrorCode::InvalidRequest.code()) } else { response }
}

fn of_all(image: &ClusterImage, election: i8, allowed: bool, version: i16) -> ElectLeadersResponse {
    let results = image.topics().filter(|_| allowed).map(|topic| {
        let name = topic.name.as_str();
        let refusals = (0..).zip(&topic.partitions).map(|(index, _)| (index, elect(image, name, index, election)));
        let needy = refusals.filter(|(_, (code, _))| *code != ErrorCode::ElectionNotNeeded);
        ReplicaElectionResult::default()
            .with_topic(wire_name(name))
            .with_partition_result(needy.map(|(index, refusal)| result(index, refusal)).collect())
    });
    respond(results.collect(), allowed, version)
}

fn result(index: i32, (code, message): (ErrorCode, String)) -> PartitionResult {
    PartitionResult::default()
        .with_partition_id(index)
        .with_error_code(code.code())
        .with_error_message(Some(StrBytes::from_string(message)))
}

fn respond(results: Vec<ReplicaElectionResult>, allowed: bool, version: i16) -> ElectLeadersResponse {
    let response = ElectLeadersResponse::default().with_replica_election_results(results);
    match allowed || version < 1 {
        true => response,
        false => response.with_error_code(ErrorCode::ClusterAuthorizationFailed.code()),
    }
}

/// Why no leader is elected: there is always a reason.
fn elect(image: &ClusterImage, topic: &str, index: i32, election: i8) -> (ErrorCode, String) {
    let Some(found) = image.topic(topic) else {
        return (ErrorCode::UnknownTopicOrPartition, format!("No such topic as {topic}"));
    };
    let Some(partition) = found.partition(PartitionIndex(index)) else {
        return (ErrorCode::UnknownTopicOrPartition, format!("No such partition as {topic}-{index}"));
    };
    match election {
        PREFERRED if is_led_by_the_preferred(partition) => {
            (ErrorCode::ElectionNotNeeded, "Leader election not needed for topic partition.".into())
        }
        PREFERRED => (ErrorCode::PreferredLeaderNotAvailable, "The preferred leader was not available.".into()),
        UNCLEAN if partition.leader.is_some() => {
            (ErrorCode::ElectionNotNeeded, "Leader election not needed for topic partition.".into())
        }
        UNCLEAN => {
            (ErrorCode::EligibleLeadersNotAvailable, "Eligible topic partition leaders are not available.".into())
        }
        other => (ErrorCode::InvalidRequest, format!("Unknown election type {other}")),
    }
}

fn is_led_by_the_preferred(partition: &Partition) -> bool {
    partition.leader.is_some() && partition.leader == partition.replicas.first().copied()
}
