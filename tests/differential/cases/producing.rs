//! Produce, InitProducerId.

use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{InitProducerIdRequest, ProduceRequest, ProducerId, TransactionalId};

use crate::scenario::Run;
use crate::support::batch::{Batch, CONTROL, LOG_APPEND_TIME, TRANSACTIONAL, ZSTD};
use crate::support::requests::{PRODUCE_BY_ID, Topic, fetch_request, produce_request, text, topic_name};

/// 14 November 2023.
const TIME: i64 = 1_700_000_000_000;
const FOR_EVER: &[(&str, &str)] = &[("retention.ms", "-1")];

fn batch() -> Batch {
    Batch::at(&["a", "b"], TIME)
}

fn damaged(change: impl FnOnce(&mut Vec<u8>)) -> Bytes {
    let mut bytes = batch().build().to_vec();
    change(&mut bytes);
    bytes.into()
}

/// Sets the codec of a plain batch, and makes the checksum right.
fn call_it_gzip(bytes: &mut [u8]) {
    bytes[22] |= 1;
    let crc = crc32c::crc32c(&bytes[21..]);
    bytes[17..21].copy_from_slice(&crc.to_be_bytes());
}

/// What is wrong with a batch, and its bytes. Fields that the checksum covers are set before it is made.
fn bad_batches() -> Vec<(&'static str, Bytes)> {
    let mut without_records = batch();
    without_records.records.clear();
    let based = |base_offset| Batch { base_offset, ..batch() }.build();
    let magic = |magic| Batch { magic, ..batch() }.build();
    let two: Vec<u8> = [batch().build(), batch().build()].concat();
    vec![
        ("nothing", Bytes::new()),
        ("a few bytes", Bytes::from_static(&[0; 11])),
        ("less than a header", Bytes::from_static(&[0; 40])),
        ("cut off", damaged(|bytes| bytes.truncate(70))),
        ("bytes behind it", damaged(|bytes| bytes.push(0))),
        ("two batches", two.into()),
        ("a wrong checksum", damaged(|bytes| bytes[20] ^= 1)),
        ("a damaged record", damaged(|bytes| *bytes.last_mut().expect("it has bytes") ^= 1)),
        ("a length of nothing", damaged(|bytes| bytes[8..12].fill(0))),
        ("a negative length", damaged(|bytes| bytes[8..12].fill(0xff))),
        ("a length beyond its end", damaged(|bytes| bytes[10] = 1)),
        ("another base offset", based(7)),
        ("a negative base offset", based(-1)),
        ("magic 0", magic(0)),
        ("magic 1", magic(1)),
        ("magic 3", magic(3)),
        ("negative magic", magic(-1)),
        ("no records", without_records.build()),
        ("a control batch", batch().with_attributes(CONTROL).build()),
        ("marked as LogAppendTime", batch().with_attributes(LOG_APPEND_TIME).build()),
        ("an unknown codec", batch().with_attributes(5).build()),
        ("zstd", batch().with_attributes(ZSTD).build()),
        ("transactional without a producer", batch().with_attributes(TRANSACTIONAL).build()),
        ("a producer without a sequence", batch().by(1 << 40, 0, -1).build()),
        ("a negative epoch", batch().by(1 << 40, -1, 0).build()),
    ]
}

pub fn produce(run: &mut Run) {
    let topic = run.topic("plain", 2, FOR_EVER);
    let version = run.version();
    let to = |topic: &Topic, partitions: &[(i32, Bytes)]| produce_request(version, topic, partitions);
    run.step("a batch", &to(&topic, &[(0, batch().build())]));
    run.step("the next", &to(&topic, &[(0, batch().build())]));
    run.step("two partitions", &to(&topic, &[(1, batch().build()), (0, batch().build())]));
    run.step("acks=1", &to(&topic, &[(0, batch().build())]).with_acks(1));
    for acks in [2, -2, i16::MAX] {
        run.step(&format!("acks={acks}"), &to(&topic, &[(0, batch().build())]).with_acks(acks));
    }
    run.read("what is stored", &fetch_request(12, &topic, &[(0, 0), (1, 0)]), 12);
    let bad = bad_batches();
    let count = i32::try_from(bad.len()).expect("they are few");
    let others = run.topic("bad", count + 1, FOR_EVER);
    for ((step, bytes), partition) in bad.into_iter().zip(0..) {
        run.step(&format!("batch: {step}"), &to(&others, &[(partition, bytes)]));
        run.read(&format!("batch: {step}, read"), &fetch_request(12, &others, &[(partition, 0)]), 12);
    }
    // Whoever takes it has stored what cannot be read.
    run.step("batch: gzip that is none", &to(&others, &[(count, damaged(|bytes| call_it_gzip(bytes)))]));
    // A null batch is not sent: Apache Kafka never answers it.
    run.step("a good one beside a bad one", &to(&topic, &[(0, damaged(|bytes| bytes[20] ^= 1)), (1, batch().build())]));
    for partition in [7, -1] {
        run.step(&format!("partition {partition}"), &to(&topic, &[(partition, batch().build())]));
    }
    run.step("no topics", &ProduceRequest::default().with_acks(-1).with_timeout_ms(1000));
    run.step("no partitions", &to(&topic, &[]));
    let unknown = run.unknown();
    run.step("an unknown topic", &to(&unknown, &[(0, batch().build())]));
    if version < PRODUCE_BY_ID {
        let unnamed = Topic { name: topic_name(""), id: unknown.id };
        run.step("no name", &to(&unnamed, &[(0, batch().build())]));
    } else {
        let unnamed = Topic { name: topic_name(""), id: uuid::Uuid::nil() };
        run.step("no id", &to(&unnamed, &[(0, batch().build())]));
    }
    let data = PartitionProduceData::default().with_index(0).with_records(Some(batch().build()));
    let mut twice = TopicProduceData::default().with_partition_data(vec![data.clone(), data]);
    if version < PRODUCE_BY_ID {
        twice.name = topic.name.clone()
    } else {
        twice.topic_id = topic.id
    }
    let twice = ProduceRequest::default().with_acks(-1).with_timeout_ms(1000).with_topic_data(vec![twice]);
    run.step("one partition twice", &twice);

    let small = run.topic("small", 1, &[("max.message.bytes", "100"), ("retention.ms", "-1")]);
    run.step("too large", &to(&small, &[(0, Batch::at(&["x".repeat(100).as_str()], TIME).build())]));
    let stamped = run.topic("stamped", 1, &[("message.timestamp.type", "LogAppendTime")]);
    run.step("LogAppendTime", &to(&stamped, &[(0, batch().build())]));
    run.read("LogAppendTime, read", &fetch_request(12, &stamped, &[(0, 0)]), 12);
    let recent = run.topic("recent", 1, &[("message.timestamp.before.max.ms", "1000"), ("retention.ms", "-1")]);
    run.step("too old", &to(&recent, &[(0, batch().build())]));
    let hours = run.topic("future", 1, &[("message.timestamp.after.max.ms", "1000"), ("retention.ms", "-1")]);
    run.step("in the future", &to(&hours, &[(0, Batch::at(&["a"], 4_000_000_000_000).build())]));
    let alone = run.topic("alone", 1, &[("min.insync.replicas", "2")]);
    run.step("too few in sync", &to(&alone, &[(0, batch().build())]));
    run.step("too few in sync, acks=1", &to(&alone, &[(0, batch().build())]).with_acks(1));
    let compacted = run.topic("compacted", 1, &[("cleanup.policy", "delete"), ("retention.ms", "-1")]);
    run.step("no key where none is needed", &to(&compacted, &[(0, batch().build())]));

    let idempotent = run.topic("idempotent", 2, FOR_EVER);
    let id = producer_id(run);
    run.know_producer(id);
    let by = |epoch, sequence| to(&idempotent, &[(0, batch().by(id, epoch, sequence).build())]);
    run.step("idempotent: not from 0", &by(0, 5));
    run.step("idempotent: first", &by(0, 0));
    run.step("idempotent: again", &by(0, 0));
    run.step("idempotent: next", &by(0, 2));
    run.step("idempotent: the one before again", &by(0, 0));
    run.step("idempotent: a gap", &by(0, 9));
    run.step("idempotent: the next epoch, not from 0", &by(1, 4));
    run.step("idempotent: the next epoch", &by(1, 0));
    run.step("idempotent: the epoch before", &by(0, 4));
    let two = [batch().by(id, 1, 2).build(), batch().by(id, 1, 4).build()].concat();
    run.step("idempotent: two batches at once", &to(&idempotent, &[(0, two.into())]));
    run.read("idempotent: what is stored", &fetch_request(12, &idempotent, &[(0, 0)]), 12);
    let nobody = Batch::at(&["a"], TIME).by(999_999_999, 0, 3).build();
    run.step("idempotent: nobody has this id", &to(&idempotent, &[(1, nobody)]));
    run.step(
        "transactional without an id",
        &to(&topic, &[(0, batch().with_attributes(TRANSACTIONAL).by(id, 1, 0).build())]),
    );
}

fn idempotent_producer() -> InitProducerIdRequest {
    InitProducerIdRequest::default().with_transactional_id(None).with_transaction_timeout_ms(60000)
}

/// A producer id; Apache Kafka has none at first, until its controller gave it some.
fn producer_id(run: &mut Run) -> i64 {
    let deadline = Instant::now() + Duration::from_secs(15);
    loop {
        let response = run.ask(&idempotent_producer(), 4);
        if response.error_code == 0 {
            return response.producer_id.0;
        }
        let loads = ResponseError::CoordinatorLoadInProgress.code();
        assert!(response.error_code == loads && Instant::now() < deadline, "{response:?}");
    }
}

pub fn init_producer_id(run: &mut Run) {
    let request = idempotent_producer();
    producer_id(run);
    let first = run.step("idempotent", &request);
    run.step("another", &request);
    run.step("no timeout", &request.clone().with_transaction_timeout_ms(0));
    run.step("a negative timeout", &request.clone().with_transaction_timeout_ms(-1));
    run.step("an empty transactional id", &request.clone().with_transactional_id(Some(TransactionalId(text("")))));
    if run.version() >= 3 {
        let with = |id: ProducerId, epoch| request.clone().with_producer_id(id).with_producer_epoch(epoch);
        run.step("with the id it has", &with(first.producer_id, first.producer_epoch));
        run.step("with an id that nobody has", &with(ProducerId(i64::MAX), 3));
        run.step("an id without an epoch", &with(first.producer_id, -1));
        run.step("an epoch without an id", &with(ProducerId(-1), 0));
    }
}
