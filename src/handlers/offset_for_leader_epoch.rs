//! OffsetForLeaderEpoch (key 23), versions 2–4.
//!
//! Where an epoch ends in the log: how a consumer finds out that what it read was truncated (KIP-320). An epoch that the
//! log does not know is answered with epoch and offset −1.
//!
//! Source: `KafkaApis.handleOffsetForLeaderEpochRequest`, `Partition.lastOffsetForLeaderEpoch`.

use super::errors::{lookup_error, read_error};
use super::{Client, Services};
use crate::partition::EpochEnd;
use crate::security::{Operation, Resource};
use crate::types::{LeaderEpoch, PartitionIndex};
use crate::wire::ErrorCode;
use kafka_protocol::messages::offset_for_leader_epoch_request::OffsetForLeaderPartition;
use kafka_protocol::messages::offset_for_leader_epoch_response::{EpochEndOffset, OffsetForLeaderTopicResult};
use kafka_protocol::messages::{OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse};

pub(super) fn handle(
    services: &Services,
    client: &Client,
    request: OffsetForLeaderEpochRequest,
) -> OffsetForLeaderEpochResponse {
    let topics = request.topics.iter().map(|topic| {
        let name = topic.topic.as_str();
        let allowed = services.authorizer.allows(&client.principal, Operation::Describe, Resource::Topic(name));
        let partitions = topic.partitions.iter().map(|wanted| {
            let found = if allowed { find(services, name, wanted) } else { Err(ErrorCode::TopicAuthorizationFailed) };
            answer(wanted.partition, found)
        });
        OffsetForLeaderTopicResult::default().with_topic(topic.topic.clone()).with_partitions(partitions.collect())
    });
    OffsetForLeaderEpochResponse::default().with_topics(topics.collect())
}

fn find(services: &Services, topic: &str, wanted: &OffsetForLeaderPartition) -> Result<Option<EpochEnd>, ErrorCode> {
    let partition = services.partitions.find(topic, PartitionIndex(wanted.partition)).map_err(lookup_error)?;
    let current = Some(LeaderEpoch(wanted.current_leader_epoch)).filter(|epoch| *epoch != LeaderEpoch::NONE);
    partition.end_of_epoch(LeaderEpoch(wanted.leader_epoch), current).map_err(|e| read_error(&e))
}

fn answer(partition: i32, found: Result<Option<EpochEnd>, ErrorCode>) -> EpochEndOffset {
    let answer = EpochEndOffset::default().with_partition(partition).with_leader_epoch(-1).with_end_offset(-1);
    match found {
        Ok(None) => answer,
        Ok(Some(found)) => answer.with_leader_epoch(found.epoch.0).with_end_offset(found.end.0),
        Err(code) => answer.with_error_code(code.code()),
    }
}
