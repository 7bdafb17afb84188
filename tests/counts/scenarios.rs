//! What is counted: windows of requests, the same again and again, each sent with one write and answered before the next.

use bytes::Bytes;
use kafka_protocol::messages::{FetchResponse, ProduceRequest, ProduceResponse};

use crate::support::batch::Batch;
use crate::support::raw::{Client, decode_response};
use crate::support::requests::{Topic, fetch_request, new_producer, produce_request};

/// A broker: a process of its own, or a part of this one.
pub struct Target {
    pub address: String,
    pub process_id: u32,
}

/// Sends the requests of one window and takes their answers.
pub type Window = Box<dyn FnMut()>;

const PRODUCE: i16 = 12;
const FETCH: i16 = 16;
/// How many records a mapped log has to begin with.
const FILLED: i64 = 2;

/// A batch of one record of so many bytes.
fn batch(record_bytes: usize) -> Batch {
    Batch::of(&[&"v".repeat(record_bytes)])
}

/// A new topic, whose logs are young.
fn young(broker: &Target, partitions: i32) -> (Client, Topic) {
    let mut client = Client::connect(&broker.address);
    let topic = Topic::create(&mut client, partitions, &[]);
    (client, topic)
}

/// A new topic whose logs have the size from which on they are mapped.
fn mapped(broker: &Target, partitions: i32) -> (Client, Topic) {
    let (mut client, topic) = young(broker, partitions);
    (0..partitions).for_each(|partition| fill(&mut client, &topic, partition));
    (client, topic)
}

/// Gives a log [`FILLED`] records, with which it is mapped.
fn fill(client: &mut Client, topic: &Topic, partition: i32) {
    let request = produce_request(PRODUCE, topic, &[(partition, batch(600 << 10).build())]);
    (0..FILLED).for_each(|_| produce_once(client, &request));
}

fn produce_once(client: &mut Client, request: &ProduceRequest) {
    check_produced(&client.call(request, PRODUCE));
}

/// The answer to a frame that was made before.
fn take_produced(client: &mut Client) {
    let frame = client.receive_frame().expect("the broker answers");
    check_produced(&decode_response(frame, PRODUCE).1);
}

fn check_produced(answer: &ProduceResponse) {
    let mut partitions = answer.responses.iter().flat_map(|topic| &topic.partition_responses);
    assert!(partitions.all(|partition| partition.error_code == 0), "{answer:?}");
}

fn take_fetched(client: &mut Client) -> usize {
    let frame = client.receive_frame().expect("the broker answers");
    let (_, answer) = decode_response::<FetchResponse>(frame, FETCH);
    assert_eq!(answer.error_code, 0);
    let partitions = answer.responses.iter().flat_map(|topic| &topic.partitions);
    partitions.map(|partition| partition.records.as_ref().map_or(0, Bytes::len)).sum()
}

/// So many Produce requests in flight, each with a batch of one record for one partition.
pub fn produce(broker: &Target, depth: usize, record_bytes: usize) -> Window {
    let (client, topic) = mapped(broker, 1);
    produce_to(client, &topic, depth, record_bytes)
}

/// One Produce request of a record to a log that is not mapped yet.
pub fn produce_to_a_young_log(broker: &Target) -> Window {
    let (client, topic) = young(broker, 1);
    produce_to(client, &topic, 1, 100)
}

/// One Produce request of a record that is acknowledged when it is on disk.
pub fn produce_durably(broker: &Target) -> Window {
    let mut client = Client::connect(&broker.address);
    let topic = Topic::create(&mut client, 1, &[("flush.messages", "1")]);
    fill(&mut client, &topic, 0);
    produce_to(client, &topic, 1, 100)
}

fn produce_to(mut client: Client, topic: &Topic, depth: usize, record_bytes: usize) -> Window {
    let request = produce_request(PRODUCE, topic, &[(0, batch(record_bytes).build())]);
    let window: Vec<u8> = (0..depth).flat_map(|_| client.frame(&request, PRODUCE)).collect();
    Box::new(move || {
        client.send_bytes(&window);
        (0..depth).for_each(|_| take_produced(&mut client));
    })
}

/// One Produce request with a batch for each of so many partitions.
pub fn produce_to_partitions(broker: &Target, partitions: i32) -> Window {
    let (mut client, topic) = mapped(broker, partitions);
    let data: Vec<_> = (0..partitions).map(|partition| (partition, batch(100).build())).collect();
    let window = client.frame(&produce_request(PRODUCE, &topic, &data), PRODUCE);
    Box::new(move || {
        client.send_bytes(&window);
        take_produced(&mut client);
    })
}

/// Produce requests of an idempotent producer, five in flight.
pub fn produce_idempotently(broker: &Target) -> Window {
    const DEPTH: i32 = 5;
    let (mut client, topic) = mapped(broker, 1);
    let producer = new_producer(&mut client);
    let mut sequence = 0;
    Box::new(move || {
        let mut window = Vec::new();
        for _ in 0..DEPTH {
            let data = batch(100).by(producer, 0, sequence).build();
            window.extend(client.frame(&produce_request(PRODUCE, &topic, &[(0, data)]), PRODUCE));
            sequence += 1;
        }
        client.send_bytes(&window);
        (0..DEPTH).for_each(|_| take_produced(&mut client));
    })
}

/// A request for the same mebibyte, in batches of 16 KiB.
pub fn fetch(broker: &Target) -> Window {
    let (mut client, topic) = mapped(broker, 1);
    let request = produce_request(PRODUCE, &topic, &[(0, batch(16 << 10).build())]);
    (0..70).for_each(|_| produce_once(&mut client, &request));
    let window = client.frame(&fetch_request(FETCH, &topic, &[(0, 0)]), FETCH);
    Box::new(move || {
        client.send_bytes(&window);
        assert!(take_fetched(&mut client) > 1 << 19);
    })
}

/// Requests in a session of a hundred partitions, one of which has a record.
pub fn fetch_in_session(broker: &Target) -> Window {
    let (mut client, topic) = young(broker, 100);
    fill(&mut client, &topic, 70);
    produce_once(&mut client, &produce_request(PRODUCE, &topic, &[(70, batch(100).build())]));
    let partitions: Vec<_> = (0..100).map(|partition| (partition, if partition == 70 { FILLED } else { 0 })).collect();
    let mut request = fetch_request(FETCH, &topic, &partitions).with_session_id(0).with_session_epoch(0);
    let answer = client.call(&request, FETCH);
    assert_ne!(answer.session_id, 0);
    request = request.with_session_id(answer.session_id).with_topics(Vec::new());
    Box::new(move || {
        request.session_epoch += 1;
        let window = client.frame(&request, FETCH);
        client.send_bytes(&window);
        assert!(take_fetched(&mut client) > 0);
    })
}

/// A long poll that a record of another connection ends.
pub fn long_poll(broker: &Target) -> Window {
    let (mut producer, topic) = mapped(broker, 1);
    let produced = producer.frame(&produce_request(PRODUCE, &topic, &[(0, batch(100).build())]), PRODUCE);
    let mut consumer = Client::connect(&broker.address);
    let process_id = broker.process_id;
    let mut offset = FILLED;
    Box::new(move || {
        let poll = fetch_request(FETCH, &topic, &[(0, offset)]).with_min_bytes(1).with_max_wait_ms(500);
        let poll = consumer.frame(&poll, FETCH);
        consumer.send_bytes(&poll);
        crate::threads::rest(process_id);
        producer.send_bytes(&produced);
        take_produced(&mut producer);
        assert!(take_fetched(&mut consumer) > 0);
        offset += 1;
    })
}

/// A long poll that waits, with its client.
pub fn waiting_poll(broker: &Target) -> Client {
    let (mut client, topic) = young(broker, 1);
    client.send(&fetch_request(FETCH, &topic, &[(0, 0)]).with_min_bytes(1).with_max_wait_ms(60_000), FETCH);
    client
}

/// A long poll that nothing ends but its time.
pub fn empty_poll(broker: &Target) -> Window {
    let (mut client, topic) = mapped(broker, 1);
    let poll = fetch_request(FETCH, &topic, &[(0, FILLED)]).with_min_bytes(1).with_max_wait_ms(5);
    let window = client.frame(&poll, FETCH);
    Box::new(move || {
        client.send_bytes(&window);
        assert_eq!(take_fetched(&mut client), 0);
    })
}
