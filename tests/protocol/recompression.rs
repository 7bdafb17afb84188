//! `compression.type` other than `producer` (KIP-390): what is stored of what was produced.

use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use kafka_protocol::messages::{DescribeConfigsRequest, IncrementalAlterConfigsRequest, ProduceRequest};

use crate::connect;
use crate::support::batch::{Batch, GZIP, LOG_APPEND_TIME, LZ4, Record, SNAPPY, Stored, ZSTD};
use crate::support::broker::Broker;
use crate::support::raw::Client;
use crate::support::requests::{
    Topic, batches, fetch, new_producer, produce, produce_at, produce_request, text, values,
};

/// The names of the targets, each at the place of its codec's number.
const TARGETS: [&str; 5] = ["uncompressed", "gzip", "snappy", "lz4", "zstd"];
const NOW: i64 = 1_795_000_000_000;

/// Keys, nulls, empty values, headers whose key repeats, times that go forth and back.
fn varied(codec: i16) -> Batch {
    let record = |i: i64| Record {
        timestamp: NOW + [3, 0, 900, -40, 7][i as usize % 5],
        key: (i % 3 != 0).then(|| format!("key {i}").into_bytes()),
        value: (i % 4 != 1).then(|| "value ".repeat(i as usize).into_bytes()),
        headers: (0..i % 4).map(|h| (format!("h{}", h % 2), (h != 1).then(|| vec![0xfe; h as usize]))).collect(),
    };
    let records = (0..60).map(record).collect();
    Batch { records, ..Batch::of(&[]) }.with_attributes(codec)
}

fn topic_of(client: &mut Client, target: &str) -> Topic {
    Topic::create(client, 1, &[("compression.type", target)])
}

fn stored(client: &mut Client, topic: &Topic, offset: i64) -> Stored {
    batches(&fetch(client, 12, topic, 0, offset)).remove(0)
}

#[test]
fn a_batch_of_every_codec_is_stored_in_every_other_with_its_records_and_its_producer() {
    let (_broker, mut client) = connect();
    for (target, name) in (0..).zip(TARGETS) {
        let topic = topic_of(&mut client, name);
        let producer = new_producer(&mut client);
        for codec in 0..5 {
            let at = i64::from(codec) * 60;
            let sent = varied(codec).by(producer, 0, i32::from(codec) * 60);
            produce_at(&mut client, &topic, 0, sent.build(), at);
            let stored = stored(&mut client, &topic, at);
            assert_eq!(stored.attributes, target, "{codec} to {name}");
            assert_eq!(stored.plain_records, sent.plain_records(), "{codec} to {name}");
            assert_eq!((stored.base_offset, stored.last_offset_delta), (at, 59));
            assert_eq!((stored.base_timestamp, stored.max_timestamp), (NOW + 3, NOW + 900));
            assert_eq!((stored.producer_id, stored.producer_epoch), (producer, 0));
            assert_eq!(stored.base_sequence, i32::from(codec) * 60);
        }
    }
}

#[test]
fn a_batch_of_the_topics_codec_is_stored_as_it_came() {
    let (_broker, mut client) = connect();
    for (codec, name) in (0..).zip(TARGETS) {
        let configs = [("compression.type", name), ("compression.zstd.level", "22"), ("compression.gzip.level", "9")];
        let topic = Topic::create(&mut client, 1, &configs);
        let sent = varied(codec).build();
        produce_at(&mut client, &topic, 0, sent.clone(), 0);
        let stored = stored(&mut client, &topic, 0);
        // But for the leader epoch.
        assert_eq!((&stored.bytes[..12], &stored.bytes[16..]), (&sent[..12], &sent[16..]), "{name}");
    }
}

#[test]
fn kip_390_a_topics_levels_take_effect_at_once() {
    let (_broker, mut client) = connect();
    let values: Vec<String> =
        (0..2000).map(|i: u32| format!("{} of the same", i.wrapping_mul(40_503) % 1000)).collect();
    let sent = Batch::of(&values.iter().map(String::as_str).collect::<Vec<_>>());
    for (name, low, high) in [("gzip", "1", "9"), ("lz4", "9", "17"), ("zstd", "-100", "19")] {
        let level = format!("compression.{name}.level");
        let topic = Topic::create(&mut client, 1, &[("compression.type", name), (&level, low)]);
        produce_at(&mut client, &topic, 0, sent.build(), 0);
        alter(&mut client, &topic, &level, high);
        produce_at(&mut client, &topic, 0, sent.build(), 2000);
        let sizes = [0, 2000].map(|offset| stored(&mut client, &topic, offset).bytes.len());
        assert!(sizes[1] < sizes[0], "{name}: {sizes:?}");
    }
}

#[test]
fn a_topic_begins_and_ends_to_recompress_when_it_is_altered() {
    let (_broker, mut client) = connect();
    let topic = topic_of(&mut client, "producer");
    for (offset, (target, codec)) in (0..).zip([("producer", GZIP), ("snappy", SNAPPY), ("producer", GZIP)]) {
        alter(&mut client, &topic, "compression.type", target);
        produce_at(&mut client, &topic, 0, Batch::of(&["x"]).with_attributes(GZIP).build(), offset);
        assert_eq!(stored(&mut client, &topic, offset).attributes, codec, "{target}");
    }
}

/// Sets one setting of a topic and waits until it counts, which in Apache Kafka is after the answer.
fn alter(client: &mut Client, topic: &Topic, name: &str, value: &str) {
    let config = AlterableConfig::default().with_name(text(name)).with_value(Some(text(value)));
    let resource = AlterConfigsResource::default().with_resource_type(2).with_resource_name(topic.name.0.clone());
    let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource.with_configs(vec![config])]);
    assert_eq!(client.call(&request, 1).responses[0].error_code, 0);
    let described = DescribeConfigsResource::default()
        .with_resource_type(2)
        .with_resource_name(topic.name.0.clone())
        .with_configuration_keys(Some(vec![text(name)]));
    let request = DescribeConfigsRequest::default().with_resources(vec![described]);
    let deadline = Instant::now() + Duration::from_secs(15);
    while client.call(&request, 4).results[0].configs[0].value.as_deref() != Some(value) {
        assert!(Instant::now() < deadline, "{name} is not {value}");
    }
}

#[test]
fn kip_390_a_broker_may_recompress_for_all_topics_that_say_nothing_else() {
    let broker = Broker::start_ours(&["compression.type=lz4", "compression.lz4.level=3"]);
    let mut client = Client::connect(broker.address());
    let topic = Topic::create(&mut client, 1, &[]);
    produce_at(&mut client, &topic, 0, varied(ZSTD).build(), 0);
    assert_eq!(stored(&mut client, &topic, 0).attributes, LZ4);
    let topic = topic_of(&mut client, "producer");
    produce_at(&mut client, &topic, 0, varied(ZSTD).build(), 0);
    assert_eq!(stored(&mut client, &topic, 0).attributes, ZSTD);
}

#[test]
fn with_log_append_time_a_recompressed_batch_has_the_brokers_time_and_its_records_keep_their_deltas() {
    let (_broker, mut client) = connect();
    for (target, name) in (0..).zip(TARGETS) {
        let configs = [("compression.type", name), ("message.timestamp.type", "LogAppendTime")];
        let topic = Topic::create(&mut client, 1, &configs);
        let sent = varied(if target == SNAPPY { LZ4 } else { SNAPPY });
        let answer = produce(&mut client, 9, &topic, 0, sent.build());
        assert_eq!((answer.error_code, answer.base_offset), (0, 0));
        let stored = stored(&mut client, &topic, 0);
        assert_eq!(stored.attributes, target | LOG_APPEND_TIME);
        assert!(answer.log_append_time_ms > 1_500_000_000_000);
        assert_eq!((stored.base_timestamp, stored.max_timestamp), (NOW + 3, answer.log_append_time_ms));
        assert_eq!(stored.plain_records, sent.plain_records());
    }
}

#[test]
fn kip_467_all_records_out_of_time_are_named_when_a_batch_is_recompressed() {
    let (_broker, mut client) = connect();
    let configs = [("compression.type", "zstd"), ("message.timestamp.before.max.ms", "3600000")];
    let topic = Topic::create(&mut client, 1, &configs);
    let mut batch = Batch::of(&["now", "then", "now", "then"]).with_attributes(GZIP);
    for i in [1, 3] {
        batch.records[i].timestamp -= 24 * 60 * 60 * 1000;
    }
    let answer = produce(&mut client, 9, &topic, 0, batch.build());
    assert_eq!(answer.error_code, ResponseError::InvalidTimestamp.code());
    assert_eq!(answer.record_errors.iter().map(|each| each.batch_index).collect::<Vec<_>>(), [1, 3]);
    assert!(values(&fetch(&mut client, 12, &topic, 0, 0)).is_empty());
}

#[test]
fn max_message_bytes_holds_for_what_comes_and_for_what_it_is_made_to() {
    let (_broker, mut client) = connect();
    let compressible = Batch::of(&["x".repeat(5000).as_str()]);
    let configs = |target| [("compression.type", target), ("max.message.bytes", "1000")];
    let too_large = ResponseError::MessageTooLarge.code();

    let grows = Topic::create(&mut client, 1, &configs("uncompressed"));
    let sent = compressible.clone().with_attributes(ZSTD).build();
    assert!(sent.len() < 1000);
    assert_eq!(produce(&mut client, 9, &grows, 0, sent).error_code, too_large);
    produce_at(&mut client, &grows, 0, Batch::of(&["small"]).with_attributes(ZSTD).build(), 0);

    let shrinks = Topic::create(&mut client, 1, &configs("zstd"));
    assert_eq!(produce(&mut client, 9, &shrinks, 0, compressible.build()).error_code, too_large);
}

#[test]
fn what_a_segment_cannot_take_after_it_was_recompressed_is_refused() {
    let (_broker, mut client) = connect();
    let configs =
        [("compression.type", "uncompressed"), ("max.message.bytes", "8000000"), ("segment.bytes", "1048576")];
    let topic = Topic::create(&mut client, 1, &configs);
    let sent = Batch::of(&["x".repeat(2 << 20).as_str()]).with_attributes(GZIP).build();
    let answer = produce(&mut client, 9, &topic, 0, sent);
    assert_eq!(answer.error_code, ResponseError::RecordListTooLarge.code());
    produce_at(&mut client, &topic, 0, Batch::of(&["small"]).with_attributes(GZIP).build(), 0);
}

#[test]
fn a_recompressed_batch_sent_again_is_known_and_stored_once() {
    let (_broker, mut client) = connect();
    let topic = topic_of(&mut client, "gzip");
    let producer = new_producer(&mut client);
    let first = varied(LZ4).by(producer, 0, 0).build();
    let second = Batch::of(&["next"]).by(producer, 0, 60).build();
    for (batch, offset) in [(&first, 0), (&second, 60), (&first, 0), (&second, 60)] {
        produce_at(&mut client, &topic, 0, batch.clone(), offset);
    }
    assert_eq!(batches(&fetch(&mut client, 12, &topic, 0, 0)).len(), 2);
    let skipped = produce(&mut client, 9, &topic, 0, Batch::of(&["x"]).by(producer, 0, 99).build());
    assert_eq!(skipped.error_code, ResponseError::OutOfOrderSequenceNumber.code());
}

#[test]
fn kip_110_a_producer_that_cannot_zstd_may_write_to_a_topic_that_is_zstd() {
    let (_broker, mut client) = connect();
    let (to_zstd, to_gzip) = (topic_of(&mut client, "zstd"), topic_of(&mut client, "gzip"));
    for (version, offset) in (3..=13).zip((0..).step_by(60)) {
        let answer = produce(&mut client, version, &to_zstd, 0, varied(GZIP).build());
        assert_eq!((answer.error_code, answer.base_offset), (0, offset), "version {version}");
        assert_eq!(stored(&mut client, &to_zstd, offset).attributes, ZSTD);
        let expected = if version < 7 { ResponseError::UnsupportedCompressionType.code() } else { 0 };
        let answer = produce(&mut client, version, &to_gzip, 0, varied(ZSTD).build());
        assert_eq!(answer.error_code, expected, "version {version}");
    }
}

#[test]
fn a_payload_that_does_not_decompress_is_refused_and_nothing_is_stored() {
    let (_broker, mut client) = connect();
    for target in TARGETS {
        let topic = topic_of(&mut client, target);
        for (codec, _) in (1..).zip(&TARGETS[1..]).filter(|(_, name)| **name != target) {
            // Compressed by nothing, though the attributes say so.
            let mut bytes = varied(0).build().to_vec();
            bytes[22] |= codec;
            let crc = crc32c::crc32c(&bytes[21..]);
            bytes[17..21].copy_from_slice(&crc.to_be_bytes());
            assert_ne!(produce(&mut client, 9, &topic, 0, bytes.into()).error_code, 0, "{codec} to {target}");
        }
        produce_at(&mut client, &topic, 0, Batch::of(&["x"]).with_attributes(SNAPPY).build(), 0);
    }
}

#[test]
fn a_batch_of_gigabytes_in_disguise_is_too_large_and_costs_no_such_memory() {
    let broker = Broker::start_ours(&[]);
    let mut client = Client::connect(broker.address());
    let bomb = bomb();
    for target in ["uncompressed", "gzip", "lz4"] {
        let topic = topic_of(&mut client, target);
        let answer = produce(&mut client, 9, &topic, 0, bomb.clone());
        assert_eq!(answer.error_code, ResponseError::MessageTooLarge.code(), "{target}: {:?}", answer.error_message);
        produce_at(&mut client, &topic, 0, Batch::of(&["x"]).build(), 0);
    }
}

/// A zstd batch of one record of 2 GiB of zeros.
fn bomb() -> Bytes {
    let chunk = zstd::encode_all(&vec![0; 64 << 20][..], 3).expect("memory can be compressed");
    // A frame for the record's beginning, with a value of almost 2 GiB, and one after the other of zeros.
    let beginning = [0xfe, 0xff, 0xff, 0xff, 0x0f, 0, 0, 0, 1, 0xd0, 0xff, 0xff, 0xff, 0x0f];
    let mut payload = zstd::encode_all(&beginning[..], 3).expect("memory can be compressed");
    (0..32).for_each(|_| payload.extend_from_slice(&chunk));
    let mut bytes = Batch::of(&["x"]).with_attributes(ZSTD).build()[..61].to_vec();
    bytes.extend_from_slice(&payload);
    let length = i32::try_from(bytes.len() - 12).expect("it is small");
    bytes[8..12].copy_from_slice(&length.to_be_bytes());
    let crc = crc32c::crc32c(&bytes[21..]);
    bytes[17..21].copy_from_slice(&crc.to_be_bytes());
    bytes.into()
}

/// What is recompressed on a worker, what is aside, what is not recompressed, and what is refused, in one pipeline.
#[test]
fn the_order_of_a_connection_stays_whatever_is_recompressed() {
    let (_broker, mut client) = connect();
    let topics = [topic_of(&mut client, "snappy"), topic_of(&mut client, "producer")];
    let producer = new_producer(&mut client);
    let mut sequences = [0, 0];
    let mut expected = Vec::new();
    for i in 0..120 {
        let to = usize::from(i % 7 == 3);
        let value = format!("{i} ").repeat(if i % 5 == 0 { 4000 } else { 1 });
        let codec = [0, GZIP, SNAPPY, 0, ZSTD][i % 5];
        let batch = Batch::of(&[&value]).with_attributes(codec);
        // Each at its own version, and some out of sequence.
        let is_skipped = i % 11 == 10;
        let sequence = sequences[to] + if is_skipped { 50 } else { 0 };
        let request = produce_request(9, &topics[to], &[(0, batch.by(producer, 0, sequence).build())]);
        client.send(&request, 9);
        if is_skipped {
            expected.push((ResponseError::OutOfOrderSequenceNumber.code(), -1));
        } else {
            expected.push((0, i64::from(sequence)));
            sequences[to] += 1;
        }
    }
    for (i, expected) in expected.into_iter().enumerate() {
        let response = client.receive::<ProduceRequest>(9);
        let answer = &response.responses[0].partition_responses[0];
        assert_eq!((answer.error_code, answer.base_offset), expected, "frame {i}");
    }
}

/// Batches whose max timestamp is wrong are copied, which counts like what is recompressed.
#[test]
fn a_frame_that_is_put_off_because_of_its_last_batch_stores_the_others_once() {
    const PLAIN: i32 = 10;
    let (_broker, mut client) = connect();
    let (plain, to_zstd) = (Topic::create(&mut client, PLAIN, &[]), topic_of(&mut client, "zstd"));
    let mut wrong = Batch::of(&["x".repeat(1_000_000).as_str()]).build().to_vec();
    wrong[42] ^= 1;
    let crc = crc32c::crc32c(&wrong[21..]);
    wrong[17..21].copy_from_slice(&crc.to_be_bytes());
    let parts: Vec<_> = (0..PLAIN).map(|index| (index, Bytes::from(wrong.clone()))).collect();
    let mut request = produce_request(9, &plain, &parts);
    request.topic_data.extend(produce_request(9, &to_zstd, &[(0, varied(GZIP).build())]).topic_data);
    let response = client.call(&request, 9);
    let answers = response.responses.iter().flat_map(|each| &each.partition_responses);
    let offsets: Vec<_> = answers.map(|each| (each.error_code, each.base_offset)).collect();
    assert_eq!(offsets, [(0, 0); PLAIN as usize + 1]);
    for index in 0..PLAIN {
        assert_eq!(batches(&fetch(&mut client, 12, &plain, index, 0)).len(), 1, "partition {index}");
    }
}
