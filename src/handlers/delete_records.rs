//! DeleteRecords (key 21), versions 0–2.
//!
//! Moves the log start of partitions forward; −1 stands for the high watermark. What lies below is gone for readers at
//! once; its segments go with retention.
//!
//! Source: `KafkaApis.handleDeleteRecordsRequest`, `Partition.deleteRecordsOnLeader` (KIP-107).

use super::errors::{lookup_error, read_error};
use super::{Client, Services};
use crate::security::{Operation, Resource};
use crate::types::{Offset, PartitionIndex};
use crate::wire::ErrorCode;
use kafka_protocol::messages::delete_records_request::DeleteRecordsPartition;
use kafka_protocol::messages::delete_records_response::{DeleteRecordsPartitionResult, DeleteRecordsTopicResult};
use kafka_protocol::messages::{DeleteRecordsRequest, DeleteRecordsResponse};

const TO_HIGH_WATERMARK: i64 = -1;

pub(super) async fn handle(
    services: &Services,
    client: &Client,
    request: DeleteRecordsRequest,
) -> DeleteRecordsResponse {
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in request.topics.into_iter().filter(|topic| !topic.partitions.is_empty()) {
        let name = topic.name.as_str();
        let allowed = services.authorizer.allows(&client.principal, Operation::Delete, Resource::Topic(name));
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for wanted in &topic.partitions {
            let deleted = match allowed {
                true => delete(services, name, wanted).await,
                false => Err(ErrorCode::TopicAuthorizationFailed),
            };
            partitions.push(answer(wanted.partition_index, deleted));
        }
        topics.push(DeleteRecordsTopicResult::default().with_name(topic.name.clone()).with_partitions(partitions));
    }
    DeleteRecordsResponse::default().with_topics(topics)
}

fn answer(index: i32, deleted: Result<Offset, ErrorCode>) -> DeleteRecordsPartitionResult {
    let answer = DeleteRecordsPartitionResult::default().with_partition_index(index);
    match deleted {
        Ok(log_start) => answer.with_low_watermark(log_start.0),
        Err(code) => answer.with_low_watermark(-1).with_error_code(code.code()),
    }
}

/// Moving the log start writes a checkpoint and renames segments: not on a worker's time.
async fn delete(services: &Services, topic: &str, wanted: &DeleteRecordsPartition) -> Result<Offset, ErrorCode> {
    let partition = services.partitions.find(topic, PartitionIndex(wanted.partition_index)).map_err(lookup_error)?;
    let to = match wanted.offset {
        TO_HIGH_WATERMARK => None,
        offset => Some(Offset(offset)),
    };
    let deleted = tokio::task::spawn_blocking(move || partition.delete_records(to)).await;
    deleted.unwrap_or_else(|e| std::panic::resume_unwind(e.into_panic())).map_err(|e| read_error(&e))
}
