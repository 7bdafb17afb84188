//! Hundreds of frames written at once: answered in their order, each in its form, and those without an answer skipped.

use kafka_protocol::messages::{ApiVersionsRequest, FetchRequest, MetadataRequest, ProduceRequest};

use crate::support::batch::Batch;
use crate::support::broker::Broker;
use crate::support::random::{Random, seed};
use crate::support::raw::{Client, decode_response};
use crate::support::requests::{
    Topic, batches, fetch, fetch_request, metadata_request, produce_request, the_partition, values,
};

/// ApiVersions 0 with correlation id 9 and without a client id.
pub const API_VERSIONS: &[u8] = &[0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 9, 0xff, 0xff];

const PARTITIONS: usize = 4;

/// What is due of one frame.
enum Due {
    Produced { at: Vec<(usize, i64)> },
    Fetched { partition: usize, offset: i64, stored: usize },
    Metadata,
    ApiVersions,
}

#[test]
fn hundreds_of_mixed_frames_written_at_once_are_answered_in_order() {
    const FRAMES: usize = 800;
    let mut random = Random::new(seed(), 3);
    let broker = Broker::start_ours(&[]);
    let mut client = Client::connect(broker.address());
    let topic = Topic::create(&mut client, PARTITIONS as i32, &[]);
    let mut stored: Vec<Vec<String>> = vec![Vec::new(); PARTITIONS];
    let (mut bytes, mut due) = (Vec::new(), Vec::new());
    let mut sender = Client::connect(broker.address());
    for number in 0..FRAMES {
        match random.below(8) {
            0..5 => {
                let (mut batches, mut at) = (Vec::new(), Vec::new());
                for partition in (0..PARTITIONS).filter(|_| random.one_in(2)) {
                    let value = format!("{number} in {partition}");
                    batches.push((partition as i32, Batch::of(&[&value]).build()));
                    at.push((partition, stored[partition].len() as i64));
                    stored[partition].push(value);
                }
                let acks = *random.pick(&[-1, -1, 1, 0]);
                bytes.extend(sender.frame(&produce_request(9, &topic, &batches).with_acks(acks), 9));
                due.push((number, (acks != 0).then_some(Due::Produced { at })));
            }
            5 => {
                let partition = random.below(PARTITIONS);
                let offset = random.below(stored[partition].len() + 1) as i64;
                bytes.extend(sender.frame(&fetch_request(12, &topic, &[(partition as i32, offset)]), 12));
                due.push((number, Some(Due::Fetched { partition, offset, stored: stored[partition].len() })));
            }
            6 => {
                bytes.extend(sender.frame(&metadata_request(&[&topic.name]), 12));
                due.push((number, Some(Due::Metadata)));
            }
            _ => {
                bytes.extend(sender.frame(&ApiVersionsRequest::default(), 0));
                due.push((number, Some(Due::ApiVersions)));
            }
        }
    }
    sender.send_bytes(&bytes);
    for (number, due) in due.into_iter().filter_map(|(number, due)| Some((number, due?))) {
        let frame = sender.receive_frame().expect("it is answered");
        let correlation_id = 1 + number as i32;
        match due {
            Due::Produced { at } => {
                let (id, mut response) =
                    decode_response::<<ProduceRequest as kafka_protocol::protocol::Request>::Response>(frame, 9);
                assert_eq!(id, correlation_id);
                let answers = response.responses.remove(0).partition_responses;
                let answered: Vec<_> = answers.iter().map(|a| (a.index as usize, a.base_offset)).collect();
                assert_eq!(answered, at, "frame {number}");
                assert!(answers.iter().all(|answer| answer.error_code == 0));
            }
            Due::Fetched { partition, offset, stored: count } => {
                let (id, response) =
                    decode_response::<<FetchRequest as kafka_protocol::protocol::Request>::Response>(frame, 12);
                assert_eq!(id, correlation_id);
                // What was produced before is there, what was produced behind it is not.
                let read = values(&the_partition(response, 12, &topic));
                assert_eq!(read, stored[partition][offset as usize..count], "frame {number}");
            }
            Due::Metadata => {
                let (id, response) =
                    decode_response::<<MetadataRequest as kafka_protocol::protocol::Request>::Response>(frame, 12);
                assert_eq!((id, response.topics[0].partitions.len()), (correlation_id, PARTITIONS));
            }
            Due::ApiVersions => {
                let (id, response) =
                    decode_response::<<ApiVersionsRequest as kafka_protocol::protocol::Request>::Response>(frame, 0);
                assert_eq!((id, response.error_code), (correlation_id, 0));
            }
        }
    }
    for (partition, expected) in stored.iter().enumerate() {
        let read = batches(&fetch(&mut client, 12, &topic, partition as i32, 0));
        let read: Vec<String> = read.into_iter().flat_map(|batch| batch.values).map(|(_, value)| value).collect();
        assert_eq!(read, *expected, "partition {partition}");
    }
}

#[test]
fn an_error_of_an_unanswered_produce_closes_the_connection_behind_the_answers_before_it() {
    let broker = Broker::start_ours(&["auto.create.topics.enable=false"]);
    let mut client = Client::connect(broker.address());
    let topic = Topic::create(&mut client, 1, &[]);
    let mut sender = Client::connect(broker.address());
    let mut bytes = Vec::new();
    for _ in 0..100 {
        let answered = produce_request(9, &topic, &[(0, Batch::of(&["x"]).build())]);
        bytes.extend(sender.frame(&answered, 9));
        bytes.extend(sender.frame(&answered.with_acks(0), 9));
    }
    let unknown = Topic::unknown();
    bytes.extend(sender.frame(&produce_request(9, &unknown, &[(0, Batch::of(&["x"]).build())]).with_acks(0), 9));
    bytes.extend(sender.frame(&metadata_request(&[&topic.name]), 12));
    sender.send_bytes(&bytes);
    for number in 0..100 {
        assert!(sender.receive_frame().is_some(), "answer {number}");
    }
    sender.expect_close();
    let read = batches(&fetch(&mut client, 12, &topic, 0, 0));
    assert_eq!(read.into_iter().flat_map(|batch| batch.values).count(), 200);
}

#[test]
fn a_malformed_frame_closes_the_connection_behind_the_answers_before_it() {
    let broker = Broker::start_ours(&[]);
    let mut sender = Client::connect(broker.address());
    let mut bytes = API_VERSIONS.repeat(300);
    bytes.extend([0xff; 4]);
    bytes.extend_from_slice(API_VERSIONS);
    sender.send_bytes(&bytes);
    for number in 0..300 {
        assert!(sender.receive_frame().is_some(), "answer {number}");
    }
    sender.expect_close();
}
