//! Fetch (key 1), versions 4–18, without sessions.

use std::time::{Duration, Instant};

use kafka_protocol::ResponseError;
use kafka_protocol::protocol::StrBytes;

use crate::connect;
use crate::support::batch::Batch;
use crate::support::raw::Client;
use crate::support::requests::{Topic, batches, fetch, fetch_request, produce_at, the_partition, values};

const VERSIONS: std::ops::RangeInclusive<i16> = 4..=18;

#[test]
fn fetch_gives_the_stored_batches_at_every_version() {
    let (_broker, mut client) = connect();
    let topic = Topic::create(&mut client, 1, &[]);
    produce_at(&mut client, &topic, 0, Batch::of(&["a", "b"]).build(), 0);
    produce_at(&mut client, &topic, 0, Batch::of(&["c"]).build(), 2);
    for version in VERSIONS {
        let fetched = fetch(&mut client, version, &topic, 0, 0);
        assert_eq!(
            (fetched.error_code, fetched.high_watermark, fetched.last_stable_offset),
            (0, 3, 3),
            "version {version}"
        );
        assert_eq!(values(&fetched), ["a", "b", "c"], "version {version}");
        let stored = batches(&fetched);
        assert_eq!([stored[0].base_offset, stored[1].base_offset], [0, 2]);
        assert!(stored.iter().all(|batch| batch.leader_epoch >= 0), "the leader stamps its epoch");
        if version >= 5 {
            assert_eq!(fetched.log_start_offset, 0);
        }
        if version >= 11 {
            assert_eq!(fetched.preferred_read_replica.0, -1);
        }
        assert!(fetched.aborted_transactions.unwrap_or_default().is_empty());
    }
}

#[test]
fn fetch_at_the_end_is_empty_and_beyond_it_out_of_range_at_every_version() {
    let (_broker, mut client) = connect();
    let topic = Topic::create(&mut client, 1, &[]);
    produce_at(&mut client, &topic, 0, Batch::of(&["a", "b"]).build(), 0);
    for version in VERSIONS {
        let fetched = fetch(&mut client, version, &topic, 0, 2);
        assert_eq!((fetched.error_code, fetched.high_watermark), (0, 2), "version {version}");
        assert!(values(&fetched).is_empty());
        assert!(fetched.records.is_some(), "clients expect an empty record set, not null");
        for offset in [3, 1000] {
            let fetched = fetch(&mut client, version, &topic, 0, offset);
            assert_eq!(fetched.error_code, ResponseError::OffsetOutOfRange.code(), "version {version}");
        }
    }
}

#[test]
fn fetch_of_an_unknown_topic_or_partition_is_an_error_at_every_version() {
    let (_broker, mut client) = connect();
    let topic = Topic::create(&mut client, 1, &[]);
    for version in VERSIONS {
        let fetched = fetch(&mut client, version, &topic, 1, 0);
        assert_eq!(fetched.error_code, ResponseError::UnknownTopicOrPartition.code(), "version {version}");
        assert_eq!(fetched.high_watermark, -1);
        // KIP-516: an id that nobody has is an error of its own.
        let fetched = fetch(&mut client, version, &Topic::unknown(), 0, 0);
        let expected =
            if version < 13 { ResponseError::UnknownTopicOrPartition } else { ResponseError::UnknownTopicId };
        assert_eq!(fetched.error_code, expected.code(), "version {version}");
    }
}

#[test]
fn a_fetch_from_the_middle_of_a_batch_gives_the_whole_batch() {
    let (_broker, mut client) = connect();
    let topic = Topic::create(&mut client, 1, &[]);
    produce_at(&mut client, &topic, 0, Batch::of(&["a", "b", "c"]).build(), 0);
    produce_at(&mut client, &topic, 0, Batch::of(&["d"]).build(), 3);
    assert_eq!(values(&fetch(&mut client, 12, &topic, 0, 1)), ["a", "b", "c", "d"]);
    assert_eq!(values(&fetch(&mut client, 12, &topic, 0, 3)), ["d"]);
}

#[test]
fn kip_74_the_first_batch_comes_whole_even_above_every_limit() {
    let (_broker, mut client) = connect();
    let topic = Topic::create(&mut client, 2, &[]);
    let large = "x".repeat(10_000);
    for partition in 0..2 {
        produce_at(&mut client, &topic, partition, Batch::of(&[&large]).build(), 0);
        produce_at(&mut client, &topic, partition, Batch::of(&["next"]).build(), 1);
    }
    for version in VERSIONS {
        let mut request = fetch_request(version, &topic, &[(0, 0), (1, 0)]).with_max_bytes(100);
        request.topics[0].partitions[0].partition_max_bytes = 50;
        let response = client.call(&request, version);
        let partitions = &response.responses[0].partitions;
        assert_eq!(values(&partitions[0]), [large.as_str()], "version {version}: the first batch and no more");
        assert!(values(&partitions[1]).is_empty(), "the limit of the response is used up");
        assert_eq!(partitions[1].high_watermark, 2);
    }
}

#[test]
fn the_limits_of_partition_and_response_are_kept_when_a_batch_was_given() {
    let (_broker, mut client) = connect();
    let topic = Topic::create(&mut client, 3, &[]);
    let kilobyte = "x".repeat(1000);
    for partition in 0..3 {
        for offset in 0..10 {
            produce_at(&mut client, &topic, partition, Batch::of(&[&kilobyte]).build(), offset);
        }
    }
    let mut request = fetch_request(12, &topic, &[(0, 0), (1, 0), (2, 0)]).with_max_bytes(8000);
    for partition in &mut request.topics[0].partitions {
        partition.partition_max_bytes = 5000;
    }
    let response = client.call(&request, 12);
    let counts: Vec<usize> = response.responses[0].partitions.iter().map(|partition| values(partition).len()).collect();
    assert_eq!(counts[0], 4, "whole batches within 5000 bytes");
    assert!((2..=3).contains(&counts[1]) && counts[2] == 0, "8000 bytes in all: {counts:?}");
}

#[test]
fn each_partition_of_a_mixed_fetch_gets_its_own_answer() {
    let (_broker, mut client) = connect();
    let topic = Topic::create(&mut client, 2, &[]);
    produce_at(&mut client, &topic, 0, Batch::of(&["a"]).build(), 0);
    for version in VERSIONS {
        let mut request = fetch_request(version, &topic, &[(0, 0), (1, 5), (9, 0)]);
        request.topics.extend(fetch_request(version, &Topic::unknown(), &[(0, 0)]).topics);
        let response = client.call(&request, version);
        let mut codes: Vec<i16> =
            response.responses.iter().flat_map(|each| &each.partitions).map(|p| p.error_code).collect();
        codes.sort_unstable();
        let unknown = if version < 13 { ResponseError::UnknownTopicOrPartition } else { ResponseError::UnknownTopicId };
        let mut expected = [0, 1, ResponseError::UnknownTopicOrPartition.code(), unknown.code()];
        expected.sort_unstable();
        assert_eq!(codes, expected, "version {version}");
    }
}

#[test]
fn an_error_answers_a_waiting_fetch_at_once() {
    let (_broker, mut client) = connect();
    let topic = Topic::create(&mut client, 1, &[]);
    let began = Instant::now();
    let request = fetch_request(12, &topic, &[(0, 5)]).with_max_wait_ms(10_000).with_min_bytes(1);
    assert_eq!(the_partition(client.call(&request, 12), 12, &topic).error_code, ResponseError::OffsetOutOfRange.code());
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_fetch_with_nothing_to_give_answers_after_max_wait() {
    let (_broker, mut client) = connect();
    let topic = Topic::create(&mut client, 1, &[]);
    for version in VERSIONS {
        let began = Instant::now();
        let request = fetch_request(version, &topic, &[(0, 0)]).with_max_wait_ms(100).with_min_bytes(1);
        let fetched = the_partition(client.call(&request, version), version, &topic);
        assert_eq!(fetched.error_code, 0);
        assert!(began.elapsed() >= Duration::from_millis(95), "version {version}: {:?}", began.elapsed());
        assert!(began.elapsed() < Duration::from_secs(5), "version {version}: {:?}", began.elapsed());
    }
}

#[test]
fn a_produce_wakes_a_waiting_fetch() {
    let (broker, mut client) = connect();
    let topic = Topic::create(&mut client, 2, &[]);
    let mut waiting = Client::connect(broker.address());
    for (offset, version) in (0..).zip(VERSIONS) {
        let began = Instant::now();
        let request = fetch_request(version, &topic, &[(0, 0), (1, offset)]).with_max_wait_ms(10_000).with_min_bytes(1);
        waiting.send(&request, version);
        produce_at(&mut client, &topic, 1, Batch::of(&["wake"]).build(), offset);
        let response = waiting.receive::<kafka_protocol::messages::FetchRequest>(version);
        assert!(began.elapsed() < Duration::from_secs(5), "version {version}: {:?}", began.elapsed());
        let woken =
            response.responses[0].partitions.iter().find(|each| each.partition_index == 1).expect("it was asked for");
        assert_eq!(values(woken), ["wake"]);
    }
}

#[test]
fn a_fetch_waits_on_hundreds_of_partitions_and_one_of_them_wakes_it() {
    const PARTITIONS: i32 = 500;
    let (broker, mut client) = connect();
    let topic = Topic::create(&mut client, PARTITIONS, &[]);
    let mut waiting = Client::connect(broker.address());
    for chosen in [0, 250, PARTITIONS - 1] {
        // Behind what is there already.
        let offset = |index| i64::from([0, 250].contains(&index) && index < chosen);
        let all: Vec<_> = (0..PARTITIONS).map(|index| (index, offset(index))).collect();
        let began = Instant::now();
        waiting.send(&fetch_request(12, &topic, &all).with_max_wait_ms(10_000).with_min_bytes(1), 12);
        produce_at(&mut client, &topic, chosen, Batch::of(&["wake"]).build(), 0);
        let response = waiting.receive::<kafka_protocol::messages::FetchRequest>(12);
        assert!(began.elapsed() < Duration::from_secs(5), "{chosen}: {:?}", began.elapsed());
        let partitions = &response.responses[0].partitions;
        assert_eq!(partitions.len(), PARTITIONS as usize);
        let woken: Vec<_> = partitions.iter().filter(|each| !values(each).is_empty()).collect();
        assert_eq!((woken.len(), woken[0].partition_index), (1, chosen));
    }
}

#[test]
fn a_waiting_fetch_is_woken_only_when_min_bytes_have_come() {
    let (broker, mut client) = connect();
    let topic = Topic::create(&mut client, 1, &[]);
    let mut waiting = Client::connect(broker.address());
    let kilobyte = "x".repeat(1000);
    waiting.send(&fetch_request(12, &topic, &[(0, 0)]).with_max_wait_ms(10_000).with_min_bytes(3000), 12);
    let began = Instant::now();
    for offset in 0..3 {
        produce_at(&mut client, &topic, 0, Batch::of(&[&kilobyte]).build(), offset);
    }
    let response = waiting.receive::<kafka_protocol::messages::FetchRequest>(12);
    assert!(began.elapsed() < Duration::from_secs(5));
    assert_eq!(values(&the_partition(response, 12, &topic)).len(), 3);
}

#[test]
fn kip_320_a_fetch_that_knows_another_leader_epoch_is_fenced() {
    let (_broker, mut client) = connect();
    let topic = Topic::create(&mut client, 1, &[]);
    produce_at(&mut client, &topic, 0, Batch::of(&["a"]).build(), 0);
    for version in 9..=18 {
        for (epoch, expected) in [(0, 0), (-1, 0), (5, ResponseError::UnknownLeaderEpoch.code())] {
            let mut request = fetch_request(version, &topic, &[(0, 0)]);
            request.topics[0].partitions[0].current_leader_epoch = epoch;
            let fetched = the_partition(client.call(&request, version), version, &topic);
            assert_eq!(fetched.error_code, expected, "version {version}, epoch {epoch}");
        }
    }
}

#[test]
fn kip_595_a_fetch_beyond_the_end_of_its_epoch_is_told_where_it_diverges() {
    let (_broker, mut client) = connect();
    let topic = Topic::create(&mut client, 1, &[]);
    produce_at(&mut client, &topic, 0, Batch::of(&["a", "b", "c"]).build(), 0);
    for version in 12..=18 {
        let mut request = fetch_request(version, &topic, &[(0, 3)]);
        request.topics[0].partitions[0].last_fetched_epoch = 0;
        let fetched = the_partition(client.call(&request, version), version, &topic);
        assert_eq!((fetched.error_code, fetched.diverging_epoch.end_offset), (0, -1), "version {version}");
        request.topics[0].partitions[0].fetch_offset = 10;
        let fetched = the_partition(client.call(&request, version), version, &topic);
        let diverging = (fetched.error_code, fetched.diverging_epoch.epoch, fetched.diverging_epoch.end_offset);
        assert_eq!(diverging, (0, 0, 3), "version {version}");
        request.topics[0].partitions[0].last_fetched_epoch = 9;
        let fetched = the_partition(client.call(&request, version), version, &topic);
        assert_eq!(fetched.error_code, ResponseError::OffsetOutOfRange.code(), "version {version}");
    }
}

#[test]
fn kip_392_a_rack_is_read_and_changes_nothing_in_a_cluster_of_one() {
    let (_broker, mut client) = connect();
    let topic = Topic::create(&mut client, 1, &[]);
    produce_at(&mut client, &topic, 0, Batch::of(&["a"]).build(), 0);
    for version in 11..=18 {
        let request = fetch_request(version, &topic, &[(0, 0)]).with_rack_id(StrBytes::from_static_str("somewhere"));
        let fetched = the_partition(client.call(&request, version), version, &topic);
        assert_eq!(
            (values(&fetched), fetched.preferred_read_replica.0),
            (vec!["a".to_owned()], -1),
            "version {version}"
        );
    }
}

#[test]
fn read_committed_reads_plain_batches_at_every_version() {
    let (_broker, mut client) = connect();
    let topic = Topic::create(&mut client, 1, &[]);
    produce_at(&mut client, &topic, 0, Batch::of(&["a"]).build(), 0);
    for version in VERSIONS {
        let request = fetch_request(version, &topic, &[(0, 0)]).with_isolation_level(1);
        let fetched = the_partition(client.call(&request, version), version, &topic);
        assert_eq!((fetched.error_code, fetched.last_stable_offset), (0, 1), "version {version}");
        assert_eq!(values(&fetched), ["a"]);
        assert!(fetched.aborted_transactions.is_some_and(|aborted| aborted.is_empty()), "read_committed gets a list");
    }
}
