//! DescribeLogDirs (key 35), versions 1–4.
//!
//! The one data directory with the sizes of the partitions in it, of all of them or of those asked for; unknown ones are
//! left out. Sizes are logical, without what is only allocated ahead. Version 4 tells the space of the file system.
//!
//! A partition whose log is offline is left out too: Kafka names what is in directories that live, and its
//! `kafka-reassign-partitions` takes the absence for an offline log. In Kafka a log that fails takes its directory with it,
//! which is then KAFKA_STORAGE_ERROR without partitions and sizes; here the directory is only when it cannot be asked.
//!
//! Source: `KafkaApis.handleDescribeLogDirsRequest`, `ReplicaManager.describeLogDirs` (KIP-113, KIP-827).

use super::names::wire_name;
use super::{Client, Services};
use crate::partition::{HostedTopic, Partition};
use crate::security::{Operation, Resource};
use crate::types::PartitionIndex;
use crate::wire::ErrorCode;
use kafka_protocol::messages::describe_log_dirs_response::{
    DescribeLogDirsPartition, DescribeLogDirsResult, DescribeLogDirsTopic,
};
use kafka_protocol::messages::{DescribeLogDirsRequest, DescribeLogDirsResponse};
use kafka_protocol::protocol::StrBytes;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub(super) fn handle(services: &Services, client: &Client, request: DescribeLogDirsRequest) -> DescribeLogDirsResponse {
    if !services.authorizer.allows(&client.principal, Operation::Describe, Resource::Cluster) {
        return DescribeLogDirsResponse::default().with_error_code(ErrorCode::ClusterAuthorizationFailed.code());
    }
    let path = services.data_directory();
    let directory = DescribeLogDirsResult::default().with_log_dir(StrBytes::from_string(path.display().to_string()));
    let directory = match services.partitions.space() {
        Ok(space) => directory
            .with_total_bytes(i64::try_from(space.total_bytes).unwrap_or(i64::MAX))
            .with_usable_bytes(i64::try_from(space.free_bytes).unwrap_or(i64::MAX))
            .with_topics(topics(services, &request)),
        Err(_) => directory.with_error_code(ErrorCode::KafkaStorageError.code()),
    };
    DescribeLogDirsResponse::default().with_results(vec![directory])
}

fn topics(services: &Services, request: &DescribeLogDirsRequest) -> Vec<DescribeLogDirsTopic> {
    let hosted = services.partitions.hosted();
    // What is asked for of each topic; nothing for all.
    let mut wanted: BTreeMap<&str, BTreeSet<i32>> = BTreeMap::new();
    for topic in request.topics.iter().flatten() {
        wanted.entry(topic.topic.as_str()).or_default().extend(&topic.partitions);
    }
    let chosen: Vec<(&Arc<HostedTopic>, Option<&BTreeSet<i32>>)> = match &request.topics {
        None => hosted.topics().map(|topic| (topic, None)).collect(),
        Some(_) => wanted.iter().filter_map(|(name, indexes)| Some((hosted.topic(name)?, Some(indexes)))).collect(),
    };
    let described = chosen.into_iter().map(|(topic, indexes)| {
        let partitions = match indexes {
            None => topic.here().map(|partition| described(partition)).collect(),
            Some(indexes) => {
                let found = indexes.iter().filter_map(|index| topic.partition(PartitionIndex(*index)).ok());
                found.map(|partition| described(partition)).collect()
            }
        };
        let name = wire_name(topic.name.as_str());
        DescribeLogDirsTopic::default().with_name(name).with_partitions(partitions)
    });
    described.filter(|topic: &DescribeLogDirsTopic| !topic.partitions.is_empty()).collect()
}

fn described(partition: &Partition) -> DescribeLogDirsPartition {
    // The leader lags behind nobody.
    DescribeLogDirsPartition::default()
        .with_partition_index(partition.topic_partition().partition.0)
        .with_partition_size(i64::try_from(partition.size_bytes()).unwrap_or(i64::MAX))
        .with_offset_lag(0)
}
