//! What only a broker as a whole shows: the order of one connection, waits for replicas, starts and stops.

mod background;
mod flush;

use super::*;
use crate::metadata::Record;
use crate::quota::MutationQuota;
use crate::record::BatchBuilder;
use crate::types::BrokerId;
use bytes::{Buf, Bytes, BytesMut};
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{
    ApiVersionsRequest, BrokerId as WireBrokerId, DescribeConfigsRequest, FetchRequest, FetchResponse, ProduceRequest,
    ProduceResponse, RequestHeader, TopicName as WireName,
};
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

const PRODUCE: (i16, i16) = (0, 9);
const FETCH: (i16, i16) = (1, 12);
const API_VERSIONS: (i16, i16) = (18, 0);
const DESCRIBE_CONFIGS: (i16, i16) = (32, 4);
const NONE: i16 = 0;
const REQUEST_TIMED_OUT: i16 = 7;
const RECORD_LIST_TOO_LARGE: i16 = 18;

fn config(data: &tempfile::TempDir) -> BrokerConfig {
    let flags = config::Flags {
        listen: vec!["127.0.0.1:0".into()],
        data_dir: Some(data.path().display().to_string()),
        ..config::Flags::default()
    };
    BrokerConfig::load(None, &flags).unwrap()
}

/// A broker with a topic `alone` of one replica, and a topic `pair` whose second replica, broker 2, never fetches.
async fn broker_with_a_silent_replica(data: &tempfile::TempDir) -> Broker {
    let broker = Broker::start(config(data)).await.unwrap();
    let controller = controller(&broker.config, &broker.quorum, &Clock::system());
    let silent = BrokerRegistration { id: BrokerId(2), incarnation: Uuid::new_v4(), endpoints: vec![], rack: None };
    controller.register_broker(silent).await.unwrap();
    let topic = |name: &str, brokers: Vec<i32>| controller::NewTopic {
        name: name.into(),
        assignments: vec![(0, brokers)],
        ..controller::NewTopic::default()
    };
    let topics = vec![topic("alone", vec![1]), topic("pair", vec![1, 2])];
    let created =
        controller.create_topics(topics, controller::Mode::Apply, &mut MutationQuota::unlimited()).await.unwrap();
    broker.partitions.wait_applied(created.index).await;
    broker
}

async fn create(broker: &Broker, name: &str, configs: &[(&str, &str)]) {
    let controller = controller(&broker.config, &broker.quorum, &Clock::system());
    let configs = configs.iter().map(|(name, value)| ((*name).into(), Some((*value).into())));
    let topic = controller::NewTopic {
        name: name.into(),
        partitions: Some(1),
        replication_factor: Some(1),
        configs: configs.collect(),
        ..controller::NewTopic::default()
    };
    let created =
        controller.create_topics(vec![topic], controller::Mode::Apply, &mut MutationQuota::unlimited()).await.unwrap();
    created.reply[0].1.as_ref().unwrap();
    broker.partitions.wait_applied(created.index).await;
}

fn frame(api: (i16, i16), correlation_id: i32, request: &impl Encodable) -> Vec<u8> {
    let header = RequestHeader::default()
        .with_request_api_key(api.0)
        .with_request_api_version(api.1)
        .with_correlation_id(correlation_id);
    let mut body = BytesMut::new();
    let header_version = if api == API_VERSIONS { 1 } else { 2 };
    header.encode(&mut body, header_version).unwrap();
    request.encode(&mut body, api.1).unwrap();
    [&u32::try_from(body.len()).unwrap().to_be_bytes()[..], &body].concat()
}

fn batch(value: &str) -> Bytes {
    let mut batch = BatchBuilder::new(crate::types::Offset::ZERO);
    batch.append(Clock::system().now(), None, Some(value.as_bytes()), &[]);
    batch.build()
}

fn produce(correlation_id: i32, topic: &str, acks: i16, timeout_ms: i32, value: &str) -> Vec<u8> {
    produce_batch(correlation_id, topic, acks, timeout_ms, batch(value))
}

fn produce_batch(correlation_id: i32, topic: &str, acks: i16, timeout_ms: i32, batch: Bytes) -> Vec<u8> {
    let data = PartitionProduceData::default().with_index(0).with_records(Some(batch));
    let topic = TopicProduceData::default()
        .with_name(WireName(StrBytes::from_string(topic.into())))
        .with_partition_data(vec![data]);
    let request = ProduceRequest::default().with_acks(acks).with_timeout_ms(timeout_ms).with_topic_data(vec![topic]);
    frame(PRODUCE, correlation_id, &request)
}

fn fetch(correlation_id: i32, topic: &str, max_wait_ms: i32) -> Vec<u8> {
    fetch_at_least(correlation_id, topic, 0, 1, max_wait_ms)
}

fn fetch_at_least(correlation_id: i32, topic: &str, offset: i64, min_bytes: i32, max_wait_ms: i32) -> Vec<u8> {
    let partition = FetchPartition::default().with_fetch_offset(offset).with_partition_max_bytes(1 << 20);
    let topic = FetchTopic::default()
        .with_topic(WireName(StrBytes::from_string(topic.into())))
        .with_partitions(vec![partition]);
    let request = FetchRequest::default()
        .with_replica_id(WireBrokerId(-1))
        .with_max_wait_ms(max_wait_ms)
        .with_min_bytes(min_bytes)
        .with_session_epoch(-1)
        .with_topics(vec![topic]);
    frame(FETCH, correlation_id, &request)
}

async fn connect(broker: &Broker) -> TcpStream {
    TcpStream::connect(broker.bound()[0].address).await.unwrap()
}

/// The next answer: its correlation id and what follows.
async fn answer(stream: &mut TcpStream) -> (i32, Bytes) {
    let length = stream.read_u32().await.unwrap();
    let mut body = vec![0; length as usize];
    stream.read_exact(&mut body).await.unwrap();
    let mut body = Bytes::from(body);
    (body.get_i32(), body)
}

fn produced(mut body: Bytes) -> (i16, i64) {
    body.advance(1); // the tagged fields of the header
    let response = ProduceResponse::decode(&mut body, PRODUCE.1).unwrap();
    let partition = &response.responses[0].partition_responses[0];
    (partition.error_code, partition.base_offset)
}

fn fetched(mut body: Bytes) -> (i64, usize) {
    body.advance(1);
    let response = FetchResponse::decode(&mut body, FETCH.1).unwrap();
    let partition = &response.responses[0].partitions[0];
    (partition.high_watermark, partition.records.as_ref().map_or(0, Bytes::len))
}

#[tokio::test(flavor = "multi_thread")]
async fn produces_that_wait_for_replicas_overlap_and_are_answered_in_order() {
    let data = tempfile::tempdir().unwrap();
    let broker = broker_with_a_silent_replica(&data).await;
    let mut stream = connect(&broker).await;
    let before = Instant::now();
    let frames = [
        produce(1, "pair", -1, 400, "a"),
        produce(2, "pair", -1, 400, "b"),
        produce(3, "alone", 1, 400, "c"),
        produce(4, "pair", -1, 400, "d"),
    ];
    stream.write_all(&frames.concat()).await.unwrap();
    // Appended while the first waits for its replica.
    let mut other = connect(&broker).await;
    other.write_all(&fetch(9, "alone", 10_000)).await.unwrap();
    assert!(fetched(answer(&mut other).await.1).1 > 0);
    assert!(before.elapsed() < Duration::from_millis(400), "the third was not appended while the first waited");
    let expected =
        [(1, (REQUEST_TIMED_OUT, 0)), (2, (REQUEST_TIMED_OUT, 1)), (3, (NONE, 0)), (4, (REQUEST_TIMED_OUT, 2))];
    for (correlation_id, outcome) in expected {
        let (id, body) = answer(&mut stream).await;
        assert_eq!((id, produced(body)), (correlation_id, outcome));
    }
    let took = before.elapsed();
    assert!(took >= Duration::from_millis(400), "{took:?}");
    assert!(took < Duration::from_millis(1100), "three waits of 400 ms did not overlap: {took:?}");
    broker.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn any_other_request_waits_until_the_produces_before_it_are_answered() {
    let data = tempfile::tempdir().unwrap();
    let broker = broker_with_a_silent_replica(&data).await;
    let mut stream = connect(&broker).await;
    let before = Instant::now();
    let frames = [
        produce(1, "pair", -1, 300, "a"),
        frame(API_VERSIONS, 2, &ApiVersionsRequest::default()),
        produce(3, "alone", 1, 300, "b"),
    ];
    stream.write_all(&frames.concat()).await.unwrap();
    let ids = [answer(&mut stream).await.0, answer(&mut stream).await.0, answer(&mut stream).await.0];
    assert_eq!(ids, [1, 2, 3]);
    assert!(before.elapsed() >= Duration::from_millis(300));
    broker.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_replicas_do_not_have_is_not_read() {
    let data = tempfile::tempdir().unwrap();
    let broker = broker_with_a_silent_replica(&data).await;
    let mut stream = connect(&broker).await;
    stream.write_all(&produce(1, "pair", 1, 1000, "a")).await.unwrap();
    assert_eq!(produced(answer(&mut stream).await.1), (NONE, 0));
    stream.write_all(&fetch(2, "pair", 50)).await.unwrap();
    assert_eq!(fetched(answer(&mut stream).await.1), (0, 0));
    broker.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_larger_than_a_segment_fails_alone_among_those_appended_with_it() {
    let data = tempfile::tempdir().unwrap();
    let broker = Broker::start(config(&data)).await.unwrap();
    create(&broker, "tight", &[("segment.bytes", "1048576"), ("max.message.bytes", "10000000")]).await;
    let mut stream = connect(&broker).await;
    let large = "v".repeat(1_100_000);
    let frames =
        [produce(1, "tight", 1, 0, "a"), produce(2, "tight", 1, 0, &large), produce(3, "tight", 1, 0, "b")].concat();
    stream.write_all(&frames).await.unwrap();
    for outcome in [(NONE, 0), (RECORD_LIST_TOO_LARGE, -1), (NONE, 1)] {
        assert_eq!(produced(answer(&mut stream).await.1), outcome);
    }
    broker.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fetch_does_not_wait_for_bytes_that_are_there_behind_its_limits() {
    let data = tempfile::tempdir().unwrap();
    let broker = Broker::start(config(&data)).await.unwrap();
    create(&broker, "plenty", &[("segment.bytes", "1048576")]).await;
    let mut stream = connect(&broker).await;
    let value = "v".repeat(300_000);
    for id in 0..7 {
        stream.write_all(&produce(id, "plenty", 1, 0, &value)).await.unwrap();
        assert_eq!(produced(answer(&mut stream).await.1), (NONE, i64::from(id)));
    }
    // Three whole batches fit into the limit of 1 MiB, and are less than is wanted; at 2 the segment ends after one.
    for (offset, batches) in [(0, 3), (2, 1)] {
        let before = Instant::now();
        stream.write_all(&fetch_at_least(9, "plenty", offset, 1 << 20, 15_000)).await.unwrap();
        let (_, bytes) = fetched(answer(&mut stream).await.1);
        assert_eq!(bytes / value.len(), batches);
        assert!(before.elapsed() < Duration::from_secs(10), "{:?}", before.elapsed());
    }
    // Here is less than is wanted.
    let before = Instant::now();
    stream.write_all(&fetch_at_least(9, "plenty", 6, 1 << 20, 300)).await.unwrap();
    assert_eq!(fetched(answer(&mut stream).await.1).1 / value.len(), 1);
    assert!(before.elapsed() >= Duration::from_millis(300));
    broker.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_ends_a_waiting_fetch_at_once() {
    let data = tempfile::tempdir().unwrap();
    let broker = broker_with_a_silent_replica(&data).await;
    let mut stream = connect(&broker).await;
    stream.write_all(&fetch(1, "alone", 60_000)).await.unwrap();
    // Answered behind the fetch, were it not waiting; so the fetch has begun when the stop comes or never will.
    let before = Instant::now();
    broker.shutdown().await.unwrap();
    assert!(before.elapsed() < Duration::from_secs(5));
    assert_eq!(stream.read(&mut [0; 1]).await.unwrap_or(0), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_does_not_wait_for_a_client_that_reads_nothing() {
    let data = tempfile::tempdir().unwrap();
    let broker = broker_with_a_silent_replica(&data).await;
    let mut stream = connect(&broker).await;
    // Their answers are more than any socket buffers; the broker sends until the socket is full.
    ask_much_and_read_nothing(&mut stream).await;
    let before = Instant::now();
    broker.shutdown().await.unwrap();
    assert!(before.elapsed() < Duration::from_secs(5), "{:?}", before.elapsed());
}

/// Sends a thousand requests with answers of many kilobytes each, and waits until the first has begun to come.
async fn ask_much_and_read_nothing(stream: &mut TcpStream) {
    let resource = DescribeConfigsResource::default()
        .with_resource_type(4)
        .with_resource_name("1".into())
        .with_configuration_keys(None);
    let request = DescribeConfigsRequest::default()
        .with_resources(vec![resource])
        .with_include_synonyms(true)
        .with_include_documentation(true);
    let requests: Vec<u8> = (0..1000).flat_map(|id| frame(DESCRIBE_CONFIGS, id, &request)).collect();
    stream.write_all(&requests).await.unwrap();
    stream.readable().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_does_not_wait_for_replicas() {
    let data = tempfile::tempdir().unwrap();
    let broker = broker_with_a_silent_replica(&data).await;
    let mut stream = connect(&broker).await;
    let frames = [
        produce(1, "pair", -1, i32::MAX, "a"),
        frame(API_VERSIONS, 2, &ApiVersionsRequest::default()),
        produce(3, "alone", 1, 1000, "b"),
    ];
    stream.write_all(&frames.concat()).await.unwrap();
    let mut other = connect(&broker).await;
    other.write_all(&produce(1, "pair", 1, 1000, "c")).await.unwrap();
    answer(&mut other).await;
    let before = Instant::now();
    broker.shutdown().await.unwrap();
    assert!(before.elapsed() < Duration::from_secs(5), "{:?}", before.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_is_read_while_too_many_produces_wait_for_replicas() {
    let data = tempfile::tempdir().unwrap();
    let broker = broker_with_a_silent_replica(&data).await;
    let mut stream = connect(&broker).await;
    let value = "v".repeat(100_000);
    let one = produce(1, "pair", -1, 60_000, &value);
    let sent = tokio::time::timeout(Duration::from_secs(1), async {
        // 80 MB, far more than the sockets of both sides buffer.
        for _ in 0..800 {
            stream.write_all(&one).await.unwrap();
        }
    });
    assert!(sent.await.is_err(), "the broker reads on and keeps everything");
    broker.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_waited_for_its_answer_was_not_idle() {
    let data = tempfile::tempdir().unwrap();
    let mut config = config(&data);
    config.network.idle_time_max = Some(Duration::from_millis(600));
    let broker = Broker::start(config).await.unwrap();
    create(&broker, "alone", &[]).await;
    let mut stream = connect(&broker).await;
    stream.write_all(&fetch(1, "alone", 900)).await.unwrap();
    assert_eq!(answer(&mut stream).await.0, 1);
    // Well within the idle time, counted from the answer.
    tokio::time::sleep(Duration::from_millis(200)).await;
    stream.write_all(&fetch(2, "alone", 0)).await.unwrap();
    assert_eq!(answer(&mut stream).await.0, 2);
    let mut rest = [0; 1];
    let ended = tokio::time::timeout(Duration::from_secs(5), stream.read(&mut rest)).await;
    assert_eq!(ended.expect("an idle connection is closed").unwrap(), 0);
    broker.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_that_does_not_arrive_keeps_nobody_from_the_memory() {
    let data = tempfile::tempdir().unwrap();
    let mut config = config(&data);
    (config.network.request_bytes_max, config.network.request_memory_bytes) = (1 << 20, 1 << 20);
    let broker = Broker::start(config).await.unwrap();
    let mut silent = connect(&broker).await;
    silent.write_all(&(1u32 << 20).to_be_bytes()).await.unwrap();
    // Nobody waits for the memory: a slow client is let be.
    let waited = tokio::time::timeout(Duration::from_secs(7), silent.read(&mut [0; 1])).await;
    assert!(waited.is_err(), "{waited:?}");
    // Behind a fetch that waits, nothing is promised to the frame.
    let mut behind = connect(&broker).await;
    create(&broker, "alone", &[]).await;
    behind.write_all(&[fetch(1, "alone", 60_000), (1u32 << 20).to_be_bytes().to_vec()].concat()).await.unwrap();
    let request = frame(API_VERSIONS, 1, &ApiVersionsRequest::default());
    let mut other = connect(&broker).await;
    other.write_all(&request[..5]).await.unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(10), silent.read(&mut [0; 1])).await;
    assert_eq!(ended.expect("the silent one is closed").unwrap_or(0), 0);
    other.write_all(&request[5..]).await.unwrap();
    assert_eq!(answer(&mut other).await.0, 1);
    broker.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn several_brokers_live_in_one_process() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let [first, second] =
        [broker_with_a_silent_replica(&folders[0]).await, broker_with_a_silent_replica(&folders[1]).await];
    assert_ne!(first.cluster_id(), second.cluster_id());
    assert_ne!(first.bound()[0].address, second.bound()[0].address);
    first.shutdown().await.unwrap();
    let mut stream = connect(&second).await;
    stream.write_all(&produce(1, "alone", -1, 1000, "a")).await.unwrap();
    assert_eq!(produced(answer(&mut stream).await.1), (NONE, 0));
    second.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clean_stop_keeps_the_leader_epochs_and_an_unclean_one_raises_them() {
    let data = tempfile::tempdir().unwrap();
    let epoch = |broker: &Broker| broker.quorum.image().topic("alone").unwrap().partitions[0].leader_epoch.0;
    let broker = broker_with_a_silent_replica(&data).await;
    assert_eq!(epoch(&broker), 0);
    broker.shutdown().await.unwrap();
    let broker = Broker::start(config(&data)).await.unwrap();
    assert_eq!(epoch(&broker), 0);
    broker.quorum.shutdown().await;
    drop(broker);
    // The directory's lock is free when the last task has let go of the partitions.
    let broker = loop {
        match Broker::start(config(&data)).await {
            Ok(broker) => break broker,
            Err(Error::Storage(storage::Error::Locked { .. })) => tokio::task::yield_now().await,
            Err(e) => panic!("{e}"),
        }
    };
    assert_eq!(epoch(&broker), 1);
    broker.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn kip_584_features_are_finalized_once_in_directories_new_and_old_and_a_newer_level_is_refused() {
    let data = tempfile::tempdir().unwrap();
    let features = |broker: &Broker| broker.quorum.image().features.clone().into_iter().collect::<Vec<_>>();
    let level = |level| Record::FeatureLevel { name: "metadata.version".into(), level };
    let broker = Broker::start(config(&data)).await.unwrap();
    let finalized = features(&broker);
    assert_eq!(finalized, [("metadata.version".to_owned(), 27)]);
    // As a version without features would have left it.
    let index = broker.quorum.image().index;
    broker.quorum.propose(vec![level(0)], index).await.unwrap();
    assert_eq!(features(&broker), []);
    broker.shutdown().await.unwrap();

    let broker = Broker::start(config(&data)).await.unwrap();
    assert_eq!(features(&broker), finalized);
    let index = broker.quorum.image().index;
    broker.quorum.propose(vec![level(99)], index).await.unwrap();
    broker.shutdown().await.unwrap();
    let refused = Broker::start(config(&data)).await.err().expect("it does not start");
    assert!(refused.to_string().contains("has feature metadata.version at level 99"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_without_their_metadata_are_refused() {
    let data = tempfile::tempdir().unwrap();
    broker_with_a_silent_replica(&data).await.shutdown().await.unwrap();
    std::fs::remove_dir_all(data.path().join(METADATA_FOLDER)).unwrap();
    assert!(matches!(Broker::start(config(&data)).await, Err(Error::MetadataMissing { .. })));
    assert!(data.path().join("alone-0").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_of_apache_kafka_is_refused_and_left_as_it_is() {
    let data = tempfile::tempdir().unwrap();
    std::fs::write(data.path().join(".kafka_cleanshutdown"), b"{}").unwrap();
    let properties = "version=1\ncluster.id=MkU3OEVBNTcwNTJENDM2Qg\nnode.id=1\ndirectory.id=8TDnkO6lQrqxTQNLR_zhSg\n";
    std::fs::write(data.path().join("meta.properties"), properties).unwrap();
    for folder in [METADATA_FOLDER, "orders-0"] {
        std::fs::create_dir(data.path().join(folder)).unwrap();
        std::fs::write(data.path().join(folder).join("00000000000000000000.log"), b"records").unwrap();
    }
    assert!(matches!(Broker::start(config(&data)).await, Err(Error::Storage(storage::Error::NotOurs { .. }))));
    assert_eq!(std::fs::read(data.path().join("orders-0/00000000000000000000.log")).unwrap(), b"records");
    assert!(data.path().join(".kafka_cleanshutdown").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_crash_left_of_a_creation_or_deletion_is_whole_or_gone_after_a_start() {
    let data = tempfile::tempdir().unwrap();
    broker_with_a_silent_replica(&data).await.shutdown().await.unwrap();
    // Deleted in the metadata, the files not yet; created in the metadata, the files not yet.
    std::fs::create_dir(data.path().join("half-0")).unwrap();
    std::fs::write(data.path().join("half-0/00000000000000000000.log"), b"").unwrap();
    std::fs::remove_dir_all(data.path().join("alone-0")).unwrap();
    let broker = Broker::start(config(&data)).await.unwrap();
    assert!(!data.path().join("half-0").exists());
    let mut stream = connect(&broker).await;
    stream.write_all(&produce(1, "alone", 1, 1000, "a")).await.unwrap();
    assert_eq!(produced(answer(&mut stream).await.1), (NONE, 0));
    broker.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_is_deleted_and_created_again_at_once_begins_anew() {
    let data = tempfile::tempdir().unwrap();
    let broker = broker_with_a_silent_replica(&data).await;
    let mut stream = connect(&broker).await;
    stream.write_all(&produce(1, "alone", 1, 1000, "a")).await.unwrap();
    assert_eq!(produced(answer(&mut stream).await.1), (NONE, 0));
    let controller = controller(&broker.config, &broker.quorum, &Clock::system());
    for _ in 0..20 {
        controller
            .delete_topics(vec![controller::TopicRef::Name("alone".into())], &mut MutationQuota::unlimited())
            .await
            .unwrap();
        let again = controller::NewTopic {
            name: "alone".into(),
            assignments: vec![(0, vec![1])],
            ..controller::NewTopic::default()
        };
        let created = controller
            .create_topics(vec![again], controller::Mode::Apply, &mut MutationQuota::unlimited())
            .await
            .unwrap();
        broker.partitions.wait_applied(created.index).await;
        stream.write_all(&produce(2, "alone", 1, 1000, "b")).await.unwrap();
        assert_eq!(produced(answer(&mut stream).await.1), (NONE, 0));
    }
    broker.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_topic_leaves_the_disk_when_its_delay_is_over() {
    let data = tempfile::tempdir().unwrap();
    let broker = Broker::start(config(&data)).await.unwrap();
    create(&broker, "short", &[("file.delete.delay.ms", "0")]).await;
    create(&broker, "long", &[("file.delete.delay.ms", "3600000")]).await;
    let controller = controller(&broker.config, &broker.quorum, &Clock::system());
    let both = ["short", "long"].map(|name| controller::TopicRef::Name(name.into())).to_vec();
    controller.delete_topics(both, &mut MutationQuota::unlimited()).await.unwrap();
    let left = || {
        let names =
            std::fs::read_dir(data.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.ends_with("-delete")).map(|name| name[..4].to_owned()).collect::<Vec<_>>()
    };
    // Long before retention is looked after.
    flush::until("the folder goes", || left() == ["long"]).await;
    broker.shutdown().await.unwrap();
}
