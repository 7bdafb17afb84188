//! What a Fetch costs around the read of its logs: parsing it, writing its answer; and the whole of it with its session, over
//! a connection to a broker in this process.
//!
//! `cargo bench --bench fetch`.

use bytes::{BufMut, Bytes, BytesMut};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{
    CreateTopicsRequest, CreateTopicsResponse, FetchRequest, FetchResponse, ProduceRequest, ProduceResponse,
    RequestHeader, ResponseHeader, TopicName,
};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request as ApiRequest, StrBytes};
use klamm::broker::Broker;
use klamm::config::{BrokerConfig, Flags};
use klamm::record::BatchBuilder;
use klamm::types::{Offset, TimestampMs, TopicId};
use klamm::wire::TopicRef;
use klamm::wire::fetch::{Head, PartitionAnswer, Request, ResponseWriter};
use std::hint::black_box;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;
use uuid::Uuid;

/// Long ago: the broker takes no record of the future.
const NOW: TimestampMs = TimestampMs(1_700_000_000_000);
const FETCH: i16 = 16;
const PARTITIONS: [i32; 2] = [1, 100];

fn fetch_request(topic: Uuid, partitions: i32) -> FetchRequest {
    let partition = |index| FetchPartition::default().with_partition(index).with_partition_max_bytes(1 << 20);
    let topic = FetchTopic::default().with_topic_id(topic).with_partitions((0..partitions).map(partition).collect());
    FetchRequest::default().with_max_bytes(1 << 24).with_session_epoch(0).with_topics(vec![topic])
}

fn requests(c: &mut Criterion) {
    let mut group = c.benchmark_group("fetch request");
    for partitions in PARTITIONS {
        let mut body = BytesMut::new();
        let request = fetch_request(Uuid::from_u128(7), partitions);
        request.encode(&mut body, FETCH).expect("the request is of this version");
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

/// One connection to a broker.
struct Client(TcpStream);

impl Client {
    fn frame<R: ApiRequest>(request: &R, version: i16) -> Vec<u8> {
        let mut body = BytesMut::new();
        let header = RequestHeader::default().with_request_api_key(R::KEY).with_request_api_version(version);
        header.encode(&mut body, R::header_version(version)).expect("the header can be encoded");
        request.encode(&mut body, version).expect("the request is of this version");
        let mut frame = Vec::new();
        frame.put_i32(body.len() as i32);
        frame.put(body);
        frame
    }

    fn exchange(&mut self, frame: &[u8]) -> Bytes {
        self.0.write_all(frame).expect("the broker reads");
        let mut length = [0; 4];
        self.0.read_exact(&mut length).expect("the broker answers");
        let mut answer = vec![0; i32::from_be_bytes(length) as usize];
        self.0.read_exact(&mut answer).expect("the broker answers");
        answer.into()
    }

    fn call<R: ApiRequest, A: Decodable + HeaderVersion>(&mut self, request: &R, version: i16) -> A {
        let mut answer = self.exchange(&Client::frame(request, version));
        ResponseHeader::decode(&mut answer, A::header_version(version)).expect("a good header");
        A::decode(&mut answer, version).expect("a good answer")
    }

    /// A topic of so many partitions, a record in the last.
    fn create_topic(&mut self, name: &str, partitions: i32) -> Uuid {
        let name = TopicName(StrBytes::from_string(name.to_owned()));
        let topic = CreatableTopic::default().with_name(name.clone()).with_num_partitions(partitions);
        let request = CreateTopicsRequest::default().with_topics(vec![topic.with_replication_factor(1)]);
        let created: CreateTopicsResponse = self.call(&request.with_timeout_ms(10_000), 7);
        let mut builder = BatchBuilder::new(Offset::ZERO);
        builder.append(NOW, None, Some(&[7; 100]), &[]);
        let data = PartitionProduceData::default().with_index(partitions - 1).with_records(Some(builder.build()));
        let topic = TopicProduceData::default().with_name(name).with_partition_data(vec![data]);
        let produced: ProduceResponse =
            self.call(&ProduceRequest::default().with_acks(-1).with_topic_data(vec![topic]), 12);
        assert_eq!(produced.responses[0].partition_responses[0].error_code, 0);
        created.topics[0].topic_id
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
    let stream = TcpStream::connect(broker.bound()[0].address).expect("a connection");
    stream.set_nodelay(true).expect("a socket takes it");
    let mut client = Client(stream);
    let mut group = c.benchmark_group("fetch over a connection");
    group.sample_size(20).measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_millis(500));
    for partitions in PARTITIONS {
        let topic = client.create_topic(&format!("of-{partitions}"), partitions);
        let mut request = fetch_request(topic, partitions);
        let alone = Client::frame(&request.clone().with_session_epoch(-1), FETCH);
        group.bench_function(BenchmarkId::new("without a session", partitions), |b| b.iter(|| client.exchange(&alone)));
        let answer: FetchResponse = client.call(&request, FETCH);
        assert_ne!(answer.session_id, 0);
        request = request.with_session_id(answer.session_id).with_topics(Vec::new());
        group.bench_function(BenchmarkId::new("in a session", partitions), |b| {
            b.iter(|| {
                request.session_epoch += 1;
                client.exchange(&Client::frame(&request, FETCH)).len()
            });
        });
        request.session_epoch += 1;
        let answer: FetchResponse = client.call(&request, FETCH);
        assert_eq!((answer.error_code, answer.responses.len()), (0, 1), "the session holds");
    }
    group.finish();
    runtime.block_on(broker.shutdown()).expect("it stops");
}

criterion_group!(benches, requests, connections);
criterion_main!(benches);
