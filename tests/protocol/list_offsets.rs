//! ListOffsets (key 2), versions 1–10.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::list_offsets_response::ListOffsetsPartitionResponse;
use kafka_protocol::messages::{BrokerId, ListOffsetsRequest};

use crate::connect;
use crate::support::batch::{Batch, ZSTD};
use crate::support::raw::Client;
use crate::support::requests::{Topic, produce_at};

const VERSIONS: std::ops::RangeInclusive<i16> = 1..=10;
const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;
const EARLIEST_LOCAL: i64 = -4;
const LATEST_TIERED: i64 = -5;

fn request(topic: &Topic, partitions: &[(i32, i64)]) -> ListOffsetsRequest {
    let partition = |(index, timestamp): &(i32, i64)| {
        ListOffsetsPartition::default()
            .with_partition_index(*index)
            .with_timestamp(*timestamp)
            .with_current_leader_epoch(-1)
    };
    let of_topic = ListOffsetsTopic::default()
        .with_name(topic.name.clone())
        .with_partitions(partitions.iter().map(partition).collect());
    ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![of_topic])
}

fn list(
    client: &mut Client,
    version: i16,
    topic: &Topic,
    partition: i32,
    timestamp: i64,
) -> ListOffsetsPartitionResponse {
    let mut response = client.call(&request(topic, &[(partition, timestamp)]), version);
    assert_eq!(response.topics[0].name, topic.name);
    response.topics[0].partitions.remove(0)
}

/// Offset and timestamp of an answer that is no error.
fn found(answer: &ListOffsetsPartitionResponse) -> (i64, i64) {
    assert_eq!(answer.error_code, 0);
    (answer.offset, answer.timestamp)
}

#[test]
fn list_offsets_finds_both_ends_at_every_version() {
    let (_broker, mut client) = connect();
    let topic = Topic::create(&mut client, 1, &[]);
    for version in VERSIONS {
        assert_eq!(found(&list(&mut client, version, &topic, 0, LATEST)).0, i64::from(version - 1) * 2);
        produce_at(&mut client, &topic, 0, Batch::of(&["a", "b"]).build(), i64::from(version - 1) * 2);
        let latest = list(&mut client, version, &topic, 0, LATEST);
        assert_eq!(found(&latest), (i64::from(version) * 2, -1), "version {version}");
        let earliest = list(&mut client, version, &topic, 0, EARLIEST);
        assert_eq!(found(&earliest), (0, -1), "version {version}");
        let epoch = if version >= 4 { 0 } else { -1 };
        assert_eq!((latest.leader_epoch, earliest.leader_epoch), (epoch, epoch), "version {version}");
    }
}

#[test]
fn kip_79_list_offsets_by_time_is_exact_to_the_record_at_every_version() {
    let (_broker, mut client) = connect();
    let topic = Topic::create(&mut client, 1, &[]);
    produce_at(&mut client, &topic, 0, Batch::at(&["0", "1", "2"], 10_000).build(), 0);
    produce_at(&mut client, &topic, 0, Batch::at(&["3", "4", "5"], 20_000).with_attributes(ZSTD).build(), 3);
    produce_at(&mut client, &topic, 0, Batch::at(&["6"], 15_000).build(), 6);
    for version in VERSIONS {
        for (at, expected) in [
            (0, (0, 10_000)),
            (10_000, (0, 10_000)),
            (10_001, (1, 10_001)),
            (10_003, (3, 20_000)),
            (15_000, (3, 20_000)),
            (20_001, (4, 20_001)),
            (20_002, (5, 20_002)),
            (20_003, (-1, -1)),
        ] {
            assert_eq!(found(&list(&mut client, version, &topic, 0, at)), expected, "version {version} at {at}");
        }
    }
}

#[test]
fn kip_734_the_record_with_the_newest_timestamp_is_found_from_version_7_on() {
    let (_broker, mut client) = connect();
    let topic = Topic::create(&mut client, 2, &[]);
    produce_at(&mut client, &topic, 0, Batch::at(&["0"], 1000).build(), 0);
    produce_at(&mut client, &topic, 0, Batch::at(&["1", "2", "3"], 2000).with_attributes(ZSTD).build(), 1);
    produce_at(&mut client, &topic, 0, Batch::at(&["4"], 1500).build(), 4);
    for version in VERSIONS {
        let answer = list(&mut client, version, &topic, 0, MAX_TIMESTAMP);
        if version < 7 {
            assert_eq!(answer.error_code, ResponseError::UnsupportedVersion.code(), "version {version}");
        } else {
            assert_eq!(found(&answer), (3, 2002), "version {version}");
            assert_eq!(found(&list(&mut client, version, &topic, 1, MAX_TIMESTAMP)), (-1, -1), "an empty partition");
        }
    }
}

#[test]
fn kip_405_without_remote_storage_the_local_log_is_all_there_is() {
    let (_broker, mut client) = connect();
    let topic = Topic::create(&mut client, 1, &[]);
    produce_at(&mut client, &topic, 0, Batch::of(&["a", "b"]).build(), 0);
    for version in 8..=10 {
        assert_eq!(found(&list(&mut client, version, &topic, 0, EARLIEST_LOCAL)), (0, -1), "version {version}");
    }
    for version in 9..=10 {
        assert_eq!(found(&list(&mut client, version, &topic, 0, LATEST_TIERED)), (-1, -1), "version {version}");
    }
}

#[test]
fn each_partition_of_a_mixed_list_offsets_gets_its_own_answer() {
    let (_broker, mut client) = connect();
    let topic = Topic::create(&mut client, 2, &[]);
    produce_at(&mut client, &topic, 1, Batch::of(&["a"]).build(), 0);
    for version in VERSIONS {
        let mut mixed = request(&topic, &[(0, LATEST), (1, LATEST), (9, LATEST)]);
        mixed.topics.extend(request(&Topic::unknown(), &[(0, LATEST)]).topics);
        let response = client.call(&mixed, version);
        let mut answers: Vec<_> =
            response.topics.iter().flat_map(|each| &each.partitions).map(|p| (p.error_code, p.offset)).collect();
        answers.sort_unstable();
        let unknown = ResponseError::UnknownTopicOrPartition.code();
        assert_eq!(answers, [(0, 0), (0, 1), (unknown, -1), (unknown, -1)], "version {version}");
    }
}

#[test]
fn kip_320_list_offsets_with_another_leader_epoch_is_fenced_from_version_4_on() {
    let (_broker, mut client) = connect();
    let topic = Topic::create(&mut client, 1, &[]);
    for version in 4..=10 {
        for (epoch, expected) in [(0, 0), (3, ResponseError::UnknownLeaderEpoch.code())] {
            let mut fenced = request(&topic, &[(0, LATEST)]);
            fenced.topics[0].partitions[0].current_leader_epoch = epoch;
            let response = client.call(&fenced, version);
            assert_eq!(response.topics[0].partitions[0].error_code, expected, "version {version}, epoch {epoch}");
        }
    }
}

#[test]
fn list_offsets_for_read_committed_gives_the_last_stable_offset() {
    let (_broker, mut client) = connect();
    let topic = Topic::create(&mut client, 1, &[]);
    produce_at(&mut client, &topic, 0, Batch::of(&["a", "b"]).build(), 0);
    for version in 2..=10 {
        let response = client.call(&request(&topic, &[(0, LATEST)]).with_isolation_level(1), version);
        assert_eq!(found(&response.topics[0].partitions[0]).0, 2, "version {version}");
    }
}

#[test]
fn a_partition_named_twice_in_list_offsets_is_an_invalid_request() {
    let (_broker, mut client) = connect();
    let topic = Topic::create(&mut client, 1, &[]);
    for version in VERSIONS {
        let response = client.call(&request(&topic, &[(0, LATEST), (0, EARLIEST)]), version);
        let partitions = &response.topics[0].partitions;
        assert!(
            partitions.iter().any(|each| each.error_code == ResponseError::InvalidRequest.code()),
            "version {version}"
        );
    }
}
