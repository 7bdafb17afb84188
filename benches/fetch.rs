//! What a Fetch costs around the read of its logs: parsing it, writing its answer; and the whole of it with its session, over
//! a connection to a broker in this process.
//!
//! `cargo bench --bench fetch`.

#[path = "../tests/support/mod.rs"]
mod support;

use bytes::BytesMut;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use kafka_protocol::messages::FetchRequest;
use kafka_protocol::protocol::Encodable;
use klamm::broker::Broker;
use klamm::config::{BrokerConfig, Flags};
use klamm::types::TopicId;
use klamm::wire::TopicRef;
use klamm::wire::fetch::{Head, PartitionAnswer, Request, ResponseWriter};
use std::hint::black_box;
use std::time::Duration;
use support::batch::Batch;
use support::raw::Client;
use support::requests::{Topic, fetch_request, produce_at};
use uuid::Uuid;

const FETCH: i16 = 16;
const PARTITIONS: [i32; 2] = [1, 100];

/// A request that begins a session with all partitions.
fn first_request(topic: &Topic, partitions: i32) -> FetchRequest {
    let from_the_start: Vec<(i32, i64)> = (0..partitions).map(|partition| (partition, 0)).collect();
    fetch_request(FETCH, topic, &from_the_start).with_session_epoch(0)
}

/// What the broker answers to a frame, undecoded.
fn exchange(client: &mut Client, frame: &[u8]) -> usize {
    client.send_bytes(frame);
    client.receive_frame().expect("the broker answers").len()
}

fn requests(c: &mut Criterion) {
    let mut group = c.benchmark_group("fetch request");
    for partitions in PARTITIONS {
        let mut body = BytesMut::new();
        let topic = Topic { id: Uuid::from_u128(7), ..Topic::unknown() };
        first_request(&topic, partitions).encode(&mut body, FETCH).expect("the request is of this version");
        group.throughput(Throughput::Elements(partitions as u64));
        group.bench_with_input(BenchmarkId::new("parse", partitions), &body, |b, body| {
            b.iter(|| Request::parse(FETCH, black_box(body)).expect("a good request"));
        });
        group.bench_function(BenchmarkId::new("answer", partitions), |b| {
            let head = Head {
                correlation_id: 1,
                version: FETCH,
                throttle_ms: 0,
                error_code: 0,
                session_id: 7,
                topic_count: 1,
            };
            let (mut out, records) = (Vec::new(), [7; 100]);
            b.iter(|| {
                out.clear();
                let mut writer = ResponseWriter::new(&mut out, &head);
                writer.topic(TopicRef::Id(TopicId(Uuid::from_u128(7))), partitions as usize);
                for index in 0..partitions {
                    writer.partition(&PartitionAnswer::error(index, 0), records.len());
                    writer.out().extend_from_slice(black_box(&records));
                }
                writer.finish(0, &[]);
                out.len()
            });
        });
    }
}

fn connections(c: &mut Criterion) {
    let data = tempfile::tempdir().expect("a temporary directory");
    let flags = Flags {
        listen: vec!["127.0.0.1:0".into()],
        data_dir: Some(data.path().display().to_string()),
        ..Flags::default()
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let config = BrokerConfig::load(None, &flags).expect("a configuration");
    let broker = runtime.block_on(Broker::start(config)).expect("a broker");
    let mut client = Client::connect(&broker.bound()[0].address.to_string());
    let mut group = c.benchmark_group("fetch over a connection");
    group.sample_size(20).measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_millis(500));
    for partitions in PARTITIONS {
        let topic = Topic::create(&mut client, partitions, &[]);
        produce_at(&mut client, &topic, partitions - 1, Batch::of(&[&"v".repeat(100)]).build(), 0);
        let mut request = first_request(&topic, partitions);
        let alone = client.frame(&request.clone().with_session_epoch(-1), FETCH);
        group.bench_function(BenchmarkId::new("without a session", partitions), |b| {
            b.iter(|| exchange(&mut client, &alone));
        });
        let answer = client.call(&request, FETCH);
        assert_ne!(answer.session_id, 0);
        request = request.with_session_id(answer.session_id).with_topics(Vec::new());
        group.bench_function(BenchmarkId::new("in a session", partitions), |b| {
            b.iter(|| {
                request.session_epoch += 1;
                let frame = client.frame(&request, FETCH);
                exchange(&mut client, &frame)
            });
        });
        request.session_epoch += 1;
        let answer = client.call(&request, FETCH);
        assert_eq!((answer.error_code, answer.responses.len()), (0, 1), "the session holds");
    }
    group.finish();
    runtime.block_on(broker.shutdown()).expect("it stops");
}

criterion_group!(benches, requests, connections);
criterion_main!(benches);
