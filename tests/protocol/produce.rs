//! Produce (key 0), versions 3–13.

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::produce_request::PartitionProduceData;
use kafka_protocol::messages::{ProduceRequest, TransactionalId};

use crate::connect;
use crate::support::batch::{Batch, CONTROL, LOG_APPEND_TIME, TRANSACTIONAL, ZSTD};
use crate::support::raw::Client;
use crate::support::requests::{Topic, batches, fetch, produce, produce_at, produce_request, text, values};

const VERSIONS: std::ops::RangeInclusive<i16> = 3..=13;

#[test]
fn produce_stores_a_batch_and_answers_its_offset_at_every_version() {
    let (_broker, mut client) = connect();
    for version in VERSIONS {
        let topic = Topic::create(&mut client, 1, &[]);
        produce_at(&mut client, &topic, 0, Batch::of(&["before"]).build(), 0);
        let answer = produce(&mut client, version, &topic, 0, Batch::of(&["a", "b"]).build());
        assert_eq!((answer.index, answer.error_code, answer.base_offset), (0, 0, 1), "version {version}");
        assert_eq!(answer.log_append_time_ms, -1, "the topic has CreateTime");
        if version >= 5 {
            assert_eq!(answer.log_start_offset, 0);
        }
        assert!(answer.record_errors.is_empty() && answer.error_message.is_none());
        assert_eq!(values(&fetch(&mut client, 12, &topic, 0, 0)), ["before", "a", "b"]);
    }
}

#[test]
fn produce_to_an_unknown_topic_or_partition_is_refused_at_every_version() {
    let (_broker, mut client) = connect();
    let topic = Topic::create(&mut client, 2, &[]);
    for version in VERSIONS {
        let answer = produce(&mut client, version, &topic, 2, Batch::of(&["x"]).build());
        assert_eq!(answer.error_code, ResponseError::UnknownTopicOrPartition.code(), "version {version}");
        assert_eq!(answer.base_offset, -1);
        let answer = produce(&mut client, version, &Topic::unknown(), 0, Batch::of(&["x"]).build());
        // KIP-516: an id that nobody has is an error of its own.
        let expected =
            if version < 13 { ResponseError::UnknownTopicOrPartition } else { ResponseError::UnknownTopicId };
        assert_eq!(answer.error_code, expected.code(), "version {version}");
    }
}

#[test]
fn each_partition_of_a_mixed_produce_gets_its_own_answer() {
    let (_broker, mut client) = connect();
    let topic = Topic::create(&mut client, 3, &[]);
    let mut corrupt = Batch::of(&["corrupt"]).build().to_vec();
    *corrupt.last_mut().expect("a batch has bytes") ^= 1;
    let parts = [(2, Batch::of(&["good"]).build()), (7, Batch::of(&["x"]).build()), (1, Bytes::from(corrupt))];
    for version in [3, 8, 9, 12, 13] {
        let response = client.call(&produce_request(version, &topic, &parts), version);
        let mut codes: Vec<_> = response
            .responses
            .iter()
            .flat_map(|each| &each.partition_responses)
            .map(|p| (p.index, p.error_code))
            .collect();
        codes.sort_unstable();
        let unknown = ResponseError::UnknownTopicOrPartition.code();
        assert_eq!(codes, [(1, ResponseError::CorruptMessage.code()), (2, 0), (7, unknown)], "version {version}");
    }
    assert!(values(&fetch(&mut client, 12, &topic, 1, 0)).is_empty(), "nothing corrupt was stored");
    assert_eq!(values(&fetch(&mut client, 12, &topic, 2, 0)).len(), 5);
}

#[test]
fn kip_516_one_produce_may_mix_known_and_unknown_topics() {
    let (_broker, mut client) = connect();
    let known = Topic::create(&mut client, 1, &[]);
    for version in [12, 13] {
        let mut request = produce_request(version, &known, &[(0, Batch::of(&["x"]).build())]);
        request
            .topic_data
            .extend(produce_request(version, &Topic::unknown(), &[(0, Batch::of(&["x"]).build())]).topic_data);
        let response = client.call(&request, version);
        let mut codes: Vec<_> = response.responses.iter().map(|each| each.partition_responses[0].error_code).collect();
        codes.sort_unstable();
        let unknown = if version < 13 { ResponseError::UnknownTopicOrPartition } else { ResponseError::UnknownTopicId };
        assert_eq!(codes, [0, unknown.code()]);
    }
}

#[test]
fn a_batch_above_max_message_bytes_is_refused() {
    let (_broker, mut client) = connect();
    let topic = Topic::create(&mut client, 1, &[("max.message.bytes", "1000")]);
    let large = "x".repeat(2000);
    let answer = produce(&mut client, 9, &topic, 0, Batch::of(&[&large]).build());
    assert_eq!(answer.error_code, ResponseError::MessageTooLarge.code());
    produce_at(&mut client, &topic, 0, Batch::of(&["small"]).build(), 0);
}

#[test]
fn a_batch_whose_fields_contradict_each_other_is_refused_and_nothing_is_stored() {
    let (broker, mut client) = connect();
    let topic = Topic::create(&mut client, 1, &[]);
    let good = Batch::of(&["a", "b", "c"]).build();
    let resealed = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = good.to_vec();
        change(&mut bytes);
        let crc = crc32c::crc32c(&bytes[21..]);
        bytes[17..21].copy_from_slice(&crc.to_be_bytes());
        Bytes::from(bytes)
    };
    let mut cases = vec![
        ("last offset delta is not count - 1", resealed(&|bytes| bytes[26] = 9)),
        ("count is more than there is", resealed(&|bytes| (bytes[26], bytes[60]) = (9, 10))),
        ("count is less than there is", resealed(&|bytes| (bytes[26], bytes[60]) = (0, 1))),
        ("a record is longer than it says", resealed(&|bytes| bytes[61] += 2)),
        ("a value is longer than its record", resealed(&|bytes| bytes[66] = 100)),
    ];
    if broker.is_klamm() {
        // Apache Kafka stores this one, and its readers get two records with one offset.
        cases.push(("the first offset delta is 1", resealed(&|bytes| bytes[64] = 2)));
    }
    for (what, bytes) in cases {
        let answer = produce(&mut client, 9, &topic, 0, bytes);
        let refused = [ResponseError::InvalidRecord.code(), ResponseError::CorruptMessage.code()];
        assert!(refused.contains(&answer.error_code), "{what}: {}", answer.error_code);
    }
    produce_at(&mut client, &topic, 0, good, 0);
}

#[test]
fn a_batch_of_another_magic_is_refused() {
    let (_broker, mut client) = connect();
    let topic = Topic::create(&mut client, 1, &[]);
    for magic in [0, 1, 3] {
        let mut batch = Batch::of(&["x"]);
        batch.magic = magic;
        let answer = produce(&mut client, 9, &topic, 0, batch.build());
        assert_ne!(answer.error_code, 0, "magic {magic}");
    }
}

#[test]
fn a_produce_carries_exactly_one_batch_per_partition() {
    let (_broker, mut client) = connect();
    let topic = Topic::create(&mut client, 1, &[]);
    let two = [Batch::of(&["a"]).build(), Batch::of(&["b"]).build()].concat();
    let invalid = ResponseError::InvalidRecord.code();
    assert_eq!(produce(&mut client, 9, &topic, 0, two.into()).error_code, invalid);
    assert_eq!(produce(&mut client, 9, &topic, 0, Bytes::new()).error_code, invalid);
}

#[test]
fn kip_110_zstd_needs_produce_version_7() {
    let (_broker, mut client) = connect();
    let topic = Topic::create(&mut client, 1, &[]);
    let batch = Batch::of(&["a", "b", "c"]).with_attributes(ZSTD).build();
    for version in VERSIONS {
        let expected = if version < 7 { ResponseError::UnsupportedCompressionType.code() } else { 0 };
        assert_eq!(produce(&mut client, version, &topic, 0, batch.clone()).error_code, expected, "version {version}");
    }
    assert_eq!(values(&fetch(&mut client, 12, &topic, 0, 0)).len(), 7 * 3);
    // Since down-conversion is gone (KIP-724) the bytes are sent to every version of Fetch as they are.
    for version in 4..=18 {
        assert_eq!(values(&fetch(&mut client, version, &topic, 0, 0)).len(), 7 * 3, "version {version}");
    }
}

#[test]
fn kip_32_log_append_time_is_answered_and_stored() {
    let (_broker, mut client) = connect();
    let topic = Topic::create(&mut client, 1, &[("message.timestamp.type", "LogAppendTime")]);
    for (base, version) in (0..).zip(VERSIONS) {
        let answer = produce(&mut client, version, &topic, 0, Batch::at(&["x"], 1000).build());
        assert_eq!((answer.error_code, answer.base_offset), (0, base));
        assert!(answer.log_append_time_ms > 1_500_000_000_000, "version {version}: {}", answer.log_append_time_ms);
        let stored = batches(&fetch(&mut client, 12, &topic, 0, base)).remove(0);
        assert_eq!(stored.attributes & LOG_APPEND_TIME, LOG_APPEND_TIME);
        assert_eq!(stored.max_timestamp, answer.log_append_time_ms);
    }
}

#[test]
fn a_timestamp_too_far_from_now_is_refused() {
    let (_broker, mut client) = connect();
    let configs = [("message.timestamp.before.max.ms", "3600000"), ("message.timestamp.after.max.ms", "3600000")];
    let topic = Topic::create(&mut client, 1, &configs);
    for timestamp in [1000, 9_000_000_000_000] {
        let answer = produce(&mut client, 9, &topic, 0, Batch::at(&["x"], timestamp).build());
        assert_eq!(answer.error_code, ResponseError::InvalidTimestamp.code());
    }
    produce_at(&mut client, &topic, 0, Batch::of(&["now"]).build(), 0);
}

#[test]
fn kip_467_the_bad_record_of_a_batch_is_named_from_version_8_on() {
    let (_broker, mut client) = connect();
    let topic = Topic::create(&mut client, 1, &[("message.timestamp.after.max.ms", "1000")]);
    let mut batch = Batch::of(&["of now", "of tomorrow"]);
    batch.records[1].timestamp += 24 * 60 * 60 * 1000;
    for version in VERSIONS {
        let answer = produce(&mut client, version, &topic, 0, batch.build());
        assert_eq!(answer.error_code, ResponseError::InvalidTimestamp.code(), "version {version}");
        let indexes: Vec<i32> = answer.record_errors.iter().map(|each| each.batch_index).collect();
        if version >= 8 {
            assert_eq!(indexes, [1], "version {version}");
            assert!(answer.error_message.is_some());
        } else {
            assert!(indexes.is_empty());
        }
    }
}

#[test]
fn control_batches_made_by_a_client_are_refused() {
    let (_broker, mut client) = connect();
    let topic = Topic::create(&mut client, 1, &[]);
    let batch = Batch::of(&["x"]).with_attributes(CONTROL).by(1, 0, 0).build();
    assert_eq!(produce(&mut client, 9, &topic, 0, batch).error_code, ResponseError::InvalidRecord.code());
    // The bit of a transaction makes another refusal come first.
    let batch = Batch::of(&["x"]).with_attributes(CONTROL | TRANSACTIONAL).by(1, 0, 0).build();
    assert_ne!(produce(&mut client, 9, &topic, 0, batch).error_code, 0);
    assert!(values(&fetch(&mut client, 12, &topic, 0, 0)).is_empty());
}

#[test]
fn transactional_batches_are_refused_when_no_transaction_can_hold_them() {
    let (broker, mut client) = connect();
    let topic = Topic::create(&mut client, 1, &[]);
    let batch = Batch::of(&["x"]).with_attributes(TRANSACTIONAL).by(1, 0, 0).build();
    assert_ne!(produce(&mut client, 9, &topic, 0, batch.clone()).error_code, 0, "there is no transactional id");
    if broker.is_klamm() {
        // Apache Kafka has transactions and would look for this one.
        let named = produce_request(9, &topic, &[(0, batch)]).with_transactional_id(Some(TransactionalId(text("tx"))));
        assert_ne!(client.call(&named, 9).responses[0].partition_responses[0].error_code, 0);
    }
    assert!(values(&fetch(&mut client, 12, &topic, 0, 0)).is_empty());
}

#[test]
fn acks_other_than_0_1_and_all_are_refused() {
    let (_broker, mut client) = connect();
    let topic = Topic::create(&mut client, 1, &[]);
    for version in VERSIONS {
        let request = produce_request(version, &topic, &[(0, Batch::of(&["x"]).build())]).with_acks(2);
        let response = client.call(&request, version);
        let code = response.responses[0].partition_responses[0].error_code;
        assert_eq!(code, ResponseError::InvalidRequiredAcks.code(), "version {version}");
    }
}

#[test]
fn acks_0_has_no_answer_and_the_connection_goes_on() {
    let (_broker, mut client) = connect();
    let topic = Topic::create(&mut client, 1, &[]);
    for version in VERSIONS {
        client.send_without_answer(
            &produce_request(version, &topic, &[(0, Batch::of(&["x"]).build())]).with_acks(0),
            version,
        );
    }
    // The next answer on the connection is that of the next request.
    assert_eq!(values(&fetch(&mut client, 12, &topic, 0, 0)).len(), VERSIONS.count());
}

#[test]
fn an_error_with_acks_0_closes_the_connection() {
    let (broker, mut client) = connect();
    let topic = Topic::create(&mut client, 1, &[("max.message.bytes", "1000")]);
    let large = "x".repeat(2000);
    let refused = [
        produce_request(9, &Topic::unknown(), &[(0, Batch::of(&["x"]).build())]),
        produce_request(9, &topic, &[(5, Batch::of(&["x"]).build())]),
        produce_request(9, &topic, &[(0, Batch::of(&[&large]).build())]),
    ];
    for request in refused {
        let mut other = Client::connect(broker.address());
        other.send_without_answer(&request.with_acks(0), 9);
        other.expect_close();
    }
    produce_at(&mut client, &topic, 0, Batch::of(&["x"]).build(), 0);
}

#[test]
fn kip_896_versions_below_3_are_refused_by_closing_the_connection() {
    let (_broker, mut client) = connect();
    // Version 2 as a client would send it: header 1, then acks, timeout and no topics.
    let mut frame = client.frame(&ProduceRequest::default().with_acks(1), 3);
    frame[7] = 2;
    client.send_bytes(&frame);
    client.expect_close();
}

#[test]
fn records_that_are_null_are_refused() {
    let (broker, mut client) = connect();
    if !broker.is_klamm() {
        return; // Apache Kafka 4.3 never answers this one.
    }
    let topic = Topic::create(&mut client, 1, &[]);
    let mut request = produce_request(9, &topic, &[]);
    request.topic_data[0].partition_data = vec![PartitionProduceData::default().with_index(0).with_records(None)];
    let response = client.call(&request, 9);
    assert_eq!(response.responses[0].partition_responses[0].error_code, ResponseError::InvalidRecord.code());
}
