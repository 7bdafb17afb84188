//! ListOffsets (key 2), versions 1–10.
//!
//! The offset of a time, or of a special point: latest (−1), earliest (−2), the record with the largest timestamp (−3,
//! from version 7), earliest on local disk (−4, from 8), latest in remote storage (−5, from 9; there is none, so that
//! the answer is "unknown"). From version 2 on a `read_committed` client sees the last stable offset as the latest; from
//! 4 on leader epochs are checked and returned. Version 10's time-out concerns remote storage only.
//!
//! Source: `KafkaApis.handleListOffsetRequest`, `UnifiedLog.fetchOffsetByTimestamp`.

use super::errors::{lookup_error, read_error};
use super::{Call, Client, Services};
use crate::partition::{Partition, ReadError, ReadableBound, TimestampOffset};
use crate::security::{Operation, Resource};
use crate::types::{LeaderEpoch, PartitionIndex, TimestampMs};
use crate::wire::ErrorCode;
use kafka_protocol::messages::list_offsets_request::ListOffsetsPartition;
use kafka_protocol::messages::list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse};
use kafka_protocol::messages::{ListOffsetsRequest, ListOffsetsResponse};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;
const EARLIEST_LOCAL: i64 = -4;
const LATEST_TIERED: i64 = -5;
const READ_COMMITTED: i8 = 1;

/// What a client wants the offset of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Point {
    Latest,
    Earliest,
    MaxTimestamp,
    Tiered,
    Time(TimestampMs),
}

impl Point {
    fn of(timestamp: i64, version: i16) -> Option<Point> {
        match timestamp {
            LATEST => Some(Point::Latest),
            EARLIEST => Some(Point::Earliest),
            MAX_TIMESTAMP if version >= 7 => Some(Point::MaxTimestamp),
            EARLIEST_LOCAL if version >= 8 => Some(Point::Earliest),
            LATEST_TIERED if version >= 9 => Some(Point::Tiered),
            0.. => Some(Point::Time(TimestampMs(timestamp))),
            _ => None,
        }
    }
}

pub(super) async fn handle(
    services: &Services,
    client: &Client,
    call: &Call<'_>,
    request: ListOffsetsRequest,
) -> ListOffsetsResponse {
    let bound = match request.isolation_level == READ_COMMITTED && call.version >= 2 {
        true => ReadableBound::LastStable,
        false => ReadableBound::HighWatermark,
    };
    let twice = named_twice(&request);
    let mut refused = HashSet::new();
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in request.topics.iter().filter(|topic| !topic.partitions.is_empty()) {
        let name = topic.name.as_str();
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for wanted in &topic.partitions {
            let is_named_twice = !twice.is_empty() && twice.contains(&(name, wanted.partition_index));
            if is_named_twice && !refused.insert((name, wanted.partition_index)) {
                continue;
            }
            let found = if is_named_twice {
                Err(ErrorCode::InvalidRequest)
            } else if !services.authorizer.allows(&client.principal, Operation::Describe, Resource::Topic(name)) {
                Err(ErrorCode::TopicAuthorizationFailed)
            } else {
                find(services, name, wanted, call.version, bound).await
            };
            partitions.push(answer(wanted.partition_index, call.version, found));
        }
        topics.push(ListOffsetsTopicResponse::default().with_name(topic.name.clone()).with_partitions(partitions));
    }
    ListOffsetsResponse::default().with_topics(topics)
}

/// The partitions that the request names more than once.
fn named_twice(request: &ListOffsetsRequest) -> HashSet<(&str, i32)> {
    // Each name is hashed once, however many partitions it has.
    let mut by_topic: HashMap<&str, HashSet<i32>> = HashMap::new();
    let mut twice = HashSet::new();
    for topic in &request.topics {
        let seen = by_topic.entry(topic.name.as_str()).or_default();
        let repeated = topic.partitions.iter().map(|p| p.partition_index).filter(|index| !seen.insert(*index));
        twice.extend(repeated.map(|index| (topic.name.as_str(), index)));
    }
    twice
}

fn answer(index: i32, version: i16, found: Result<Option<TimestampOffset>, ErrorCode>) -> ListOffsetsPartitionResponse {
    let answer = ListOffsetsPartitionResponse::default().with_partition_index(index);
    match found {
        Ok(None) => answer,
        Ok(Some(found)) => {
            let epoch = found.epoch.filter(|_| version >= 4).unwrap_or(LeaderEpoch::NONE);
            answer.with_offset(found.offset.0).with_timestamp(found.timestamp.0).with_leader_epoch(epoch.0)
        }
        Err(code) => answer.with_error_code(code.code()),
    }
}

async fn find(
    services: &Services,
    topic: &str,
    wanted: &ListOffsetsPartition,
    version: i16,
    bound: ReadableBound,
) -> Result<Option<TimestampOffset>, ErrorCode> {
    let partition = services.partitions.find(topic, PartitionIndex(wanted.partition_index)).map_err(lookup_error)?;
    let point = Point::of(wanted.timestamp, version).ok_or(ErrorCode::UnsupportedVersion)?;
    let epoch = LeaderEpoch(wanted.current_leader_epoch);
    let epoch = (version >= 4 && epoch != LeaderEpoch::NONE).then_some(epoch);
    let found = match point {
        Point::Latest => partition.latest(bound, epoch).map(Some),
        Point::Earliest => partition.earliest(epoch).map(Some),
        Point::Tiered => partition.earliest(epoch).map(|_| None),
        Point::MaxTimestamp | Point::Time(_) => search(partition, point, bound, epoch).await,
    };
    found.map_err(|e| read_error(&e))
}

/// A search by time reads and decompresses batches, perhaps from a cold disk: not on a worker's time.
async fn search(
    partition: Arc<Partition>,
    point: Point,
    bound: ReadableBound,
    epoch: Option<LeaderEpoch>,
) -> Result<Option<TimestampOffset>, ReadError> {
    let search = move || match point {
        Point::Time(at) => partition.offset_for_timestamp(at, bound, epoch),
        _ => partition.offset_of_max_timestamp(epoch),
    };
    tokio::task::spawn_blocking(search).await.unwrap_or_else(|e| std::panic::resume_unwind(e.into_panic()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_special_point_is_known_only_from_its_version_on() {
        assert_eq!(Point::of(MAX_TIMESTAMP, 6), None);
        assert_eq!(Point::of(MAX_TIMESTAMP, 7), Some(Point::MaxTimestamp));
        assert_eq!(Point::of(EARLIEST_LOCAL, 7), None);
        assert_eq!(Point::of(EARLIEST_LOCAL, 8), Some(Point::Earliest));
        assert_eq!(Point::of(LATEST_TIERED, 8), None);
        assert_eq!(Point::of(-6, 10), None);
        assert_eq!(Point::of(0, 1), Some(Point::Time(TimestampMs(0))));
    }
}
