//! Retention while the broker runs: the log start moves, files go, and readers are not harmed.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};

use kafka_protocol::ResponseError;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::{BrokerId, FetchResponse, ListOffsetsRequest};

use super::support::batch::{self, Batch};
use super::support::broker::Broker;
use super::support::random::Random;
use super::support::raw::{Client, decode_response};
use super::support::requests::{Topic, batches, fetch, fetch_request, produce_at, produce_request, values};
use super::verify::expect_no_problem;
use super::{files_in, logical_bytes, rounds, wait_until};

const EARLIEST: i64 = -2;
const SEGMENT_BYTES: u64 = 1 << 20;
/// Retention is looked at often; files stay for a moment that can be seen.
const SETTINGS: [&str; 3] =
    ["log.retention.check.interval.ms=20", "log.segment.bytes=1048576", "log.segment.delete.delay.ms=1500"];

fn earliest(client: &mut Client, topic: &Topic) -> i64 {
    let wanted = ListOffsetsPartition::default().with_timestamp(EARLIEST).with_current_leader_epoch(-1);
    let of_topic = ListOffsetsTopic::default().with_name(topic.name.clone()).with_partitions(vec![wanted]);
    let request = ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![of_topic]);
    let answer = client.call(&request, 7).topics[0].partitions.remove(0);
    assert_eq!(answer.error_code, 0);
    answer.offset
}

fn value(offset: i64) -> String {
    format!("{offset}.{}", "z".repeat(100_000))
}

/// Produces one record per batch at these offsets.
fn fill(client: &mut Client, topic: &Topic, offsets: std::ops::Range<i64>) {
    for offset in offsets {
        produce_at(client, topic, 0, Batch::of(&[&value(offset)]).build(), offset);
    }
}

/// A fetch whose answer is on its way, and of which only the first byte was read.
struct Interrupted {
    stream: TcpStream,
    length: [u8; 4],
}

impl Interrupted {
    fn begin(broker: &Broker, client: &mut Client, topic: &Topic) -> Interrupted {
        let mut request = fetch_request(12, topic, &[(0, 0)]);
        request.max_bytes = 64 << 20;
        request.topics[0].partitions[0].partition_max_bytes = 64 << 20;
        let mut stream = TcpStream::connect(broker.address()).expect("the broker can be reached");
        stream.write_all(&client.frame(&request, 12)).expect("the broker takes a request");
        let mut length = [0; 4];
        stream.read_exact(&mut length).expect("the answer begins");
        Interrupted { stream, length }
    }

    fn finish(mut self) -> Vec<batch::Stored> {
        let mut frame = vec![0; i32::from_be_bytes(self.length) as usize];
        self.stream.read_exact(&mut frame).expect("the answer ends");
        let (_, mut response) = decode_response::<FetchResponse>(frame.into(), 12);
        let partition = response.responses.remove(0).partitions.remove(0);
        assert_eq!(partition.error_code, 0);
        batch::read(&partition.records.expect("there are records"))
    }
}

fn deleted_files(data: &Path) -> Vec<PathBuf> {
    files_in(data, ".deleted")
}

#[test]
fn by_size_old_segments_go_and_what_is_below_is_out_of_range() {
    let mut broker = Broker::start_with(&SETTINGS);
    let mut client = Client::connect(broker.address());
    let topic = Topic::create(&mut client, 1, &[("retention.bytes", "3145728")]);
    fill(&mut client, &topic, 0..30);
    assert_eq!(earliest(&mut client, &topic), 0, "nothing is too much yet");
    fill(&mut client, &topic, 30..55);
    // Ten records are a segment; the size may not fall below what is to be kept.
    let log_start = 20;
    wait_until("the log start moves", || earliest(&mut client, &topic) == log_start);
    wait_until("the files wait for late readers", || !deleted_files(&broker.data()).is_empty());
    let below = fetch(&mut client, 12, &topic, 0, log_start - 1);
    assert_eq!(below.error_code, ResponseError::OffsetOutOfRange.code());
    let first = fetch(&mut client, 12, &topic, 0, log_start);
    assert_eq!(first.log_start_offset, log_start);
    assert!(values(&first)[0].starts_with(&format!("{log_start}.")));

    wait_until("the files go", || deleted_files(&broker.data()).is_empty());
    let logs = files_in(&broker.data(), ".log");
    let bytes: u64 = logs.iter().map(|log| logical_bytes(log)).sum();
    assert!((3 * SEGMENT_BYTES..4 * SEGMENT_BYTES + 200_000).contains(&bytes), "{bytes} bytes are left");
    assert_eq!(files_in(&broker.data(), ".index").len(), logs.len() - 1, "indexes go with their segments");

    broker.kill_and_restart(&SETTINGS);
    let mut client = Client::connect(broker.address());
    assert_eq!(earliest(&mut client, &topic), log_start, "and it stays there");
}

#[test]
fn a_reader_in_the_middle_of_a_segment_gets_all_of_it_though_it_is_deleted() {
    let settings = [&SETTINGS[..], &["log.retention.bytes=20971520", "log.segment.delete.delay.ms=0"]].concat();
    let broker = Broker::start_with(&settings);
    let mut client = Client::connect(broker.address());
    let topic = Topic::create(&mut client, 1, &[("segment.bytes", "16777216"), ("retention.bytes", "20000000")]);
    fill(&mut client, &topic, 0..160);
    let reading = Interrupted::begin(&broker, &mut client, &topic);
    fill(&mut client, &topic, 160..400);
    wait_until("the first segment goes", || earliest(&mut client, &topic) >= 160);
    wait_until("its files go", || deleted_files(&broker.data()).is_empty());
    let stored = reading.finish();
    assert!(stored.len() >= 150, "{} batches", stored.len());
    for (stored, offset) in stored.iter().zip(0..) {
        assert_eq!(stored.values, [(offset, value(offset))]);
    }
}

#[test]
fn by_time_even_the_last_segment_goes_and_offsets_go_on() {
    let mut broker = Broker::start_with(&SETTINGS);
    let mut client = Client::connect(broker.address());
    let topic = Topic::create(&mut client, 1, &[("retention.ms", "700")]);
    fill(&mut client, &topic, 0..25);
    wait_until("all is too old", || earliest(&mut client, &topic) == 25);
    assert_eq!(fetch(&mut client, 12, &topic, 0, 0).error_code, ResponseError::OffsetOutOfRange.code());
    let end = fetch(&mut client, 12, &topic, 0, 25);
    assert_eq!((end.error_code, end.high_watermark, end.log_start_offset), (0, 25, 25));
    wait_until("the files go", || files_in(&broker.data(), "").iter().all(|path| !is_old(path)));
    produce_at(&mut client, &topic, 0, Batch::of(&["young"]).build(), 25);

    broker.kill_and_restart(&SETTINGS);
    let mut client = Client::connect(broker.address());
    let next = earliest(&mut client, &topic);
    assert!((25..=26).contains(&next), "{next}");
    produce_at(&mut client, &topic, 0, Batch::of(&["younger"]).build(), 26);
}

#[test]
fn kills_while_segments_are_deleted_leave_a_log_without_a_hole() {
    let mut random = Random::seeded();
    let settings = [
        "log.retention.check.interval.ms=1",
        "log.segment.delete.delay.ms=0",
        "log.flush.offset.checkpoint.interval.ms=100",
    ];
    let mut broker = Broker::start_with(&settings);
    let mut client = Client::connect(broker.address());
    let configs = [("segment.bytes", "1048576"), ("retention.bytes", "2097152")];
    let topic = Topic::create(&mut client, 1, &configs);
    let mut acknowledged = 0;
    for round in 0..rounds(6) {
        let moment = random.milliseconds(300);
        let address = broker.address().to_owned();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let Some(mut client) = Client::connect_unless_killed(&address) else { return };
                for offset in acknowledged.. {
                    let records = Batch::of(&[&value(offset)]).build();
                    let request = produce_request(9, &topic, &[(0, records)]);
                    let Some(response) = client.call_unless_killed(&request, 9) else { break };
                    let answer = &response.responses[0].partition_responses[0];
                    assert_eq!((answer.error_code, answer.base_offset), (0, offset), "{answer:?}");
                    acknowledged = offset + 1;
                }
            });
            std::thread::sleep(moment);
            broker.kill();
        });
        expect_no_problem(&broker.data());
        broker.start_again(&settings);
        let mut client = Client::connect(broker.address());
        let log_start = earliest(&mut client, &topic);
        let mut next = log_start;
        loop {
            let found = fetch(&mut client, 12, &topic, 0, next);
            // Retention goes on meanwhile.
            if found.error_code == ResponseError::OffsetOutOfRange.code() {
                next = earliest(&mut client, &topic);
                continue;
            }
            assert_eq!(found.error_code, 0);
            let stored = batches(&found);
            for stored in &stored {
                assert_eq!(stored.values, [(next, value(next))]);
                next += 1;
            }
            if stored.is_empty() {
                break;
            }
        }
        println!("round {round}: killed after {moment:?}; {log_start} to {next}, {acknowledged} acknowledged");
        // The last one may be there without its answer.
        assert!((acknowledged..=acknowledged + 1).contains(&next), "{next} records, {acknowledged} acknowledged");
        acknowledged = next;
    }
}

/// A file of the segments before offset 25.
fn is_old(path: &Path) -> bool {
    let name = path.file_name().expect("a file has a name").to_string_lossy();
    name.split_once('.').and_then(|(digits, _)| digits.parse().ok()).is_some_and(|base: i64| base < 25)
}
