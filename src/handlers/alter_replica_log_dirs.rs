//! AlterReplicaLogDirs (key 34), versions 1–2.
//!
//! A partition can be sent to the one data directory, where it is already; any other path is LOG_DIR_NOT_FOUND. A partition
//! that is named more than once goes where it was named last.
//!
//! Source: `KafkaApis.handleAlterReplicaLogDirsRequest`, `ReplicaManager.alterReplicaLogDirs` (KIP-113).

use super::{Client, Services, errors::lookup_error};
use crate::security::{Operation, Resource};
use crate::types::PartitionIndex;
use crate::wire::ErrorCode;
use kafka_protocol::messages::alter_replica_log_dirs_response::{
    AlterReplicaLogDirPartitionResult, AlterReplicaLogDirTopicResult,
};
use kafka_protocol::messages::{AlterReplicaLogDirsRequest, AlterReplicaLogDirsResponse, TopicName};
use std::collections::BTreeMap;

/// The longest name of a file.
const NAME_BYTES_MAX: usize = 255;

pub(super) fn handle(
    services: &Services,
    client: &Client,
    request: AlterReplicaLogDirsRequest,
) -> AlterReplicaLogDirsResponse {
    let allowed = services.authorizer.allows(&client.principal, Operation::Alter, Resource::Cluster);
    let directory = services.data_directory();
    let mut topics: BTreeMap<TopicName, BTreeMap<i32, bool>> = BTreeMap::new();
    for wanted in request.dirs {
        let is_here = directory.as_os_str() == wanted.path.as_str();
        for topic in wanted.topics.into_iter().filter(|topic| !topic.partitions.is_empty()) {
            let places = topics.entry(topic.name).or_default();
            places.extend(topic.partitions.into_iter().map(|index| (index, is_here)));
        }
    }
    let results = topics.into_iter().map(|(name, places)| {
        let partitions = places.into_iter().map(|(index, is_here)| {
            let moved = match (allowed, is_here) {
                (false, _) => Err(ErrorCode::ClusterAuthorizationFailed),
                (true, _) if is_too_long(&name, index) => Err(ErrorCode::InvalidTopicException),
                (true, false) => Err(ErrorCode::LogDirNotFound),
                (true, true) => find(services, &name, index),
            };
            let code = moved.err().map_or(0, |code| code.code());
            AlterReplicaLogDirPartitionResult::default().with_partition_index(index).with_error_code(code)
        });
        let partitions = partitions.collect();
        AlterReplicaLogDirTopicResult::default().with_topic_name(name).with_partitions(partitions)
    });
    AlterReplicaLogDirsResponse::default().with_results(results.collect())
}

/// Whether Kafka could not name the folder of the partition while it moves: `<topic>-<partition>.<32 digits>-future`.
fn is_too_long(topic: &str, index: i32) -> bool {
    const BESIDES_BYTES: usize = "-.".len() + 32 + "-future".len();
    topic.len() + index.to_string().len() + BESIDES_BYTES > NAME_BYTES_MAX
}

fn find(services: &Services, topic: &str, index: i32) -> Result<(), ErrorCode> {
    services.partitions.find(topic, PartitionIndex(index)).map(drop).map_err(|e| match lookup_error(e) {
        // Kafka keeps in mind where a partition shall go that it does not have yet.
        ErrorCode::NotLeaderOrFollower => ErrorCode::ReplicaNotAvailable,
        code => code,
    })
}
