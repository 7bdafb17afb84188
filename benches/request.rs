//! What a request costs before and after its partition's log: walking a Produce, checking its batches, writing the
//! answer; guarding and decoding a cold request; asking for the quotas of its client.
//!
//! `cargo bench --bench request`.

use bytes::{Bytes, BytesMut};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{CreateTopicsRequest, ProduceRequest, TopicName};
use kafka_protocol::protocol::{Encodable, StrBytes};
use klamm::config::TimestampType;
use klamm::metadata::{ClusterImage, EntityName, QuotaEntity, QuotaValue, Record};
use klamm::quota::{ClientQuotas, Kind, Who, Windows};
use klamm::record::{BatchBuilder, Compression, Rules, Strictness, validate_produced};
use klamm::types::{ClusterId, Offset, TimestampMs};
use klamm::wire::produce::{Head, PartitionAnswer, Request, encode};
use klamm::wire::{self, ApiKey, guard};
use std::hint::black_box;
use std::time::Duration;

const NOW: TimestampMs = TimestampMs(1_800_000_000_000);
const PRODUCE_VERSION: i16 = 12;
const CREATE_TOPICS_VERSION: i16 = 7;

fn rules(strictness: Strictness) -> Rules {
    Rules {
        message_bytes_max: 10 << 20,
        timestamp_type: TimestampType::CreateTime,
        timestamp_before_max: Duration::from_millis(i64::MAX as u64),
        timestamp_after_max: Duration::from_secs(3600),
        now: NOW,
        strictness,
    }
}

fn batch(records: usize, record_bytes: usize, compression: Compression) -> Bytes {
    let mut builder = BatchBuilder::new(Offset::ZERO).compression(compression);
    for record in 0..records {
        let value: Vec<u8> = (0..record_bytes).map(|byte| (byte * 31 + record) as u8).collect();
        builder.append(NOW, None, Some(&value), &[]);
    }
    builder.build()
}

fn encoded(request: &impl Encodable, version: i16) -> Bytes {
    let mut body = BytesMut::new();
    request.encode(&mut body, version).expect("the request is of this version");
    body.freeze()
}

fn validation(c: &mut Criterion) {
    let mut group = c.benchmark_group("validate a batch");
    for (name, records, record_bytes, compression) in [
        ("1 x 100 B", 1, 100, Compression::None),
        ("160 x 100 B", 160, 100, Compression::None),
        ("16 x 1 KB", 16, 1000, Compression::None),
        ("1000 x 1 KB", 1000, 1000, Compression::None),
        ("16 x 1 KB lz4", 16, 1000, Compression::Lz4),
    ] {
        let sent = batch(records, record_bytes, compression);
        group.throughput(Throughput::Bytes(sent.len() as u64));
        for (how, strictness) in [("header", Strictness::Header), ("strict", Strictness::Full)] {
            group.bench_with_input(BenchmarkId::new(name, how), &sent, |b, sent| {
                b.iter(|| validate_produced(black_box(sent), &rules(strictness)).expect("a good batch"));
            });
        }
    }
}

fn produce(c: &mut Criterion) {
    let mut group = c.benchmark_group("produce request");
    for partitions in [1, 64, 1000] {
        let data =
            |index| PartitionProduceData::default().with_index(index).with_records(Some(Bytes::from_static(&[0; 100])));
        let topic = TopicProduceData::default()
            .with_name(TopicName(StrBytes::from_static_str("a-topic-of-the-benchmark")))
            .with_partition_data((0..partitions).map(data).collect());
        let body = encoded(&ProduceRequest::default().with_acks(-1).with_topic_data(vec![topic]), PRODUCE_VERSION);
        group.throughput(Throughput::Elements(partitions as u64));
        group.bench_with_input(BenchmarkId::new("parse and walk", partitions), &body, |b, body| {
            b.iter(|| {
                let request = Request::parse(PRODUCE_VERSION, black_box(body)).expect("a good request");
                request.partitions().filter_map(|partition| partition.records).map(<[u8]>::len).sum::<usize>()
            });
        });
        group.bench_with_input(BenchmarkId::new("answer", partitions), &body, |b, body| {
            let request = Request::parse(PRODUCE_VERSION, body).expect("a good request");
            let head = Head { correlation_id: 1, throttle_ms: 0, node_endpoints: &[] };
            let mut out = Vec::new();
            b.iter(|| {
                out.clear();
                let answers = (0..partitions).map(|_| PartitionAnswer::error(0, None));
                encode(&mut out, &head, &request, answers);
                out.len()
            });
        });
    }
}

fn guarding(c: &mut Criterion) {
    let topic = |i: i32| {
        let name = TopicName(StrBytes::from_string(format!("topic-{i}")));
        CreatableTopic::default().with_name(name).with_num_partitions(3).with_replication_factor(1)
    };
    let request = CreateTopicsRequest::default().with_topics((0..100).map(topic).collect());
    let body = encoded(&request, CREATE_TOPICS_VERSION);
    let mut group = c.benchmark_group("create 100 topics");
    group.throughput(Throughput::Bytes(body.len() as u64));
    group.bench_function("guard", |b| {
        b.iter(|| guard::check(ApiKey::CreateTopics, CREATE_TOPICS_VERSION, black_box(&body)).expect("a good request"));
    });
    group.bench_function("guard and decode", |b| {
        b.iter(|| {
            wire::decode::<CreateTopicsRequest>(CREATE_TOPICS_VERSION, black_box(&body)).expect("a good request")
        });
    });
}

fn client_quotas(c: &mut Criterion) {
    let quotas = |client_id: Option<&str>| {
        let mut image = ClusterImage::new(ClusterId("cluster".into()));
        if let Some(client_id) = client_id {
            let entity = QuotaEntity { client_id: Some(EntityName::Named(client_id.into())), ..QuotaEntity::default() };
            let value = Some(QuotaValue(1e15));
            let record = Record::ClientQuota { entity, key: "producer_byte_rate".into(), value };
            image.apply(1, &[record]).expect("the image takes a quota");
        }
        let quotas = ClientQuotas::new(Windows::default(), Windows::default());
        quotas.apply(&image, |_| None);
        quotas
    };
    let mut group = c.benchmark_group("quotas of a produce request");
    for (name, quotas) in [
        ("none", quotas(None)),
        ("of another client", quotas(Some("another"))),
        ("of its client", quotas(Some("client"))),
    ] {
        group.bench_function(name, |b| {
            let who = Who { user: "ANONYMOUS", client_id: "client" };
            b.iter(|| {
                let quotas = black_box(&quotas);
                let is_timed = quotas.has(Kind::Request) && quotas.limits(Kind::Request, who);
                let pause = if quotas.has(Kind::Produce) { quotas.record(Kind::Produce, who, 1000, NOW) } else { None };
                (is_timed, pause)
            });
        });
    }
}

criterion_group!(benches, validation, produce, guarding, client_quotas);
criterion_main!(benches);
