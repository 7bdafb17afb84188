//! Leader epochs after an unclean stop: raised, so that a reader learns of what was lost (KIP-101, KIP-320).

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::Stdio;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_quorum_request::{PartitionData, TopicData};
use kafka_protocol::messages::offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic};
use kafka_protocol::messages::{BrokerId, DescribeQuorumRequest, OffsetForLeaderEpochRequest};

use super::support::batch::Batch;
use super::support::broker::Broker;
use super::support::python::program_in;
use super::support::raw::Client;
use super::support::requests::{
    Topic, batches, fetch_request, metadata_request, produce_at, the_partition, topic_name, values, wait_until_led,
};
use super::{files_in, logical_bytes, lose_machine};

/// Epoch and end offset of the answer, which must not be an error.
fn end_of(client: &mut Client, topic: &Topic, epoch: i32) -> (i32, i64) {
    let wanted = OffsetForLeaderPartition::default().with_current_leader_epoch(-1).with_leader_epoch(epoch);
    let of_topic = OffsetForLeaderTopic::default().with_topic(topic.name.clone()).with_partitions(vec![wanted]);
    let request = OffsetForLeaderEpochRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![of_topic]);
    let answer = client.call(&request, 4).topics[0].partitions.remove(0);
    assert_eq!(answer.error_code, 0);
    (answer.leader_epoch, answer.end_offset)
}

fn fetch_at(
    client: &mut Client,
    topic: &Topic,
    offset: i64,
    current: i32,
    last_fetched: i32,
) -> kafka_protocol::messages::fetch_response::PartitionData {
    let mut request = fetch_request(12, topic, &[(0, offset)]);
    request.topics[0].partitions[0].current_leader_epoch = current;
    request.topics[0].partitions[0].last_fetched_epoch = last_fetched;
    let response = client.call(&request, 12);
    the_partition(response, 12, topic)
}

fn epoch_now(client: &mut Client, topic: &Topic) -> i32 {
    wait_until_led(client, &topic.name).partitions[0].leader_epoch
}

#[test]
fn kip_320_a_kill_raises_the_leader_epoch_and_a_clean_stop_does_not() {
    let mut broker = Broker::start();
    let mut client = Client::connect(broker.address());
    let topic = Topic::create(&mut client, 1, &[]);
    produce_at(&mut client, &topic, 0, Batch::of(&["a", "b", "c"]).build(), 0);
    assert_eq!(epoch_now(&mut client, &topic), 0);

    broker.kill_and_restart(&[]);
    let mut client = Client::connect(broker.address());
    assert_eq!(epoch_now(&mut client, &topic), 1);
    let fenced = fetch_at(&mut client, &topic, 0, 0, -1);
    assert_eq!(fenced.error_code, ResponseError::FencedLeaderEpoch.code());
    assert_eq!(values(&fetch_at(&mut client, &topic, 0, 1, -1)), ["a", "b", "c"]);
    let early = fetch_at(&mut client, &topic, 0, 2, -1);
    assert_eq!(early.error_code, ResponseError::UnknownLeaderEpoch.code());
    produce_at(&mut client, &topic, 0, Batch::of(&["d", "e"]).build(), 3);

    broker.kill_and_restart(&[]);
    let mut client = Client::connect(broker.address());
    assert_eq!(epoch_now(&mut client, &topic), 2);
    assert_eq!([0, 1, 2, 3].map(|epoch| end_of(&mut client, &topic, epoch)), [(0, 3), (1, 5), (2, 5), (-1, -1)]);

    broker.stop();
    broker.start_again(&[]);
    let mut client = Client::connect(broker.address());
    assert_eq!(epoch_now(&mut client, &topic), 2, "nothing was lost");
    let stored = batches(&fetch_at(&mut client, &topic, 0, 2, -1));
    assert_eq!(stored.iter().map(|batch| batch.leader_epoch).collect::<Vec<_>>(), [0, 1]);
}

/// The end of the metadata log.
fn metadata_end(client: &mut Client) -> i64 {
    let partition = PartitionData::default().with_partition_index(0);
    let topic = TopicData::default().with_topic_name(topic_name("__cluster_metadata")).with_partitions(vec![partition]);
    let response = client.call(&DescribeQuorumRequest::default().with_topics(vec![topic]), 2);
    response.topics[0].partitions[0].high_watermark
}

#[test]
fn kip_320_a_kill_raises_the_epoch_of_every_partition_by_one_entry_before_any_is_served() {
    let mut broker = Broker::start();
    let mut client = Client::connect(broker.address());
    let topics = [1, 7, 40].map(|partitions| Topic::create(&mut client, partitions, &[]));
    let mut end = metadata_end(&mut client);
    let mut grown_by = |client: &mut Client| metadata_end(client) - std::mem::replace(&mut end, metadata_end(client));
    broker.stop();
    broker.start_again(&[]);
    let after_a_stop = grown_by(&mut Client::connect(broker.address()));
    for raised_to in 1..3 {
        broker.kill_and_restart(&[]);
        // The first request that it takes: nobody has seen the former epoch since.
        let mut client = Client::connect(broker.address());
        let request = metadata_request(&topics.each_ref().map(|topic| &topic.name));
        let partitions = client.call(&request, 12).topics.into_iter().flat_map(|topic| topic.partitions);
        let led: Vec<_> = partitions.map(|partition| (partition.error_code, partition.leader_epoch)).collect();
        assert_eq!(led, [(0, raised_to); 48]);
        assert_eq!(grown_by(&mut client), after_a_stop + 1, "one entry for all");
    }
}

/// A broker with a record that will be kept and two that will not: the segment, and its bytes that are kept.
fn before_the_power_cut() -> (Broker, Topic, PathBuf, u64) {
    let broker = Broker::start();
    let mut client = Client::connect(broker.address());
    let topic = Topic::create(&mut client, 1, &[]);
    produce_at(&mut client, &topic, 0, Batch::of(&["kept"]).build(), 0);
    let log = files_in(&broker.data(), ".log").remove(0);
    let kept_bytes = logical_bytes(&log);
    produce_at(&mut client, &topic, 0, Batch::of(&["lost", "lost"]).build(), 1);
    (broker, topic, log, kept_bytes)
}

#[test]
fn kip_320_a_reader_of_what_a_power_cut_took_is_told_where_to_go_on() {
    let (mut broker, topic, log, kept_bytes) = before_the_power_cut();
    broker.kill();
    let file = File::options().write(true).open(&log).expect("the segment can be opened");
    file.set_len(kept_bytes).expect("the segment can be cut");
    lose_machine(&broker.data());

    broker.start_again(&[]);
    let mut client = Client::connect(broker.address());
    produce_at(&mut client, &topic, 0, Batch::of(&["new", "new", "new"]).build(), 1);
    let told = fetch_at(&mut client, &topic, 3, 1, 0);
    assert_eq!(told.error_code, 0);
    assert_eq!((told.diverging_epoch.epoch, told.diverging_epoch.end_offset), (0, 1), "{told:?}");
    assert_eq!(end_of(&mut client, &topic, 0), (0, 1));
    assert_eq!(values(&fetch_at(&mut client, &topic, 1, 1, 0)), ["new", "new", "new"]);
}

#[test]
fn kip_320_librdkafka_tells_its_application_of_what_a_power_cut_took() {
    let Some(mut command) = program_in("confluent-kafka", "confluent_kafka_truncated") else { return };
    let (mut broker, topic, log, kept_bytes) = before_the_power_cut();
    command.args([broker.address(), topic.name.as_str(), "3"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut consumer = command.spawn().expect("the program can be started");
    let mut said = BufReader::new(consumer.stdout.take().expect("it is piped")).lines();
    let mut next_line = || said.next().expect("it says something").expect("it is text");
    assert_eq!(next_line(), "has read 3");

    broker.kill();
    let file = File::options().write(true).open(&log).expect("the segment can be opened");
    file.set_len(kept_bytes).expect("the segment can be cut");
    lose_machine(&broker.data());
    broker.start_again_in_place();
    let mut client = Client::connect(broker.address());
    produce_at(&mut client, &topic, 0, Batch::of(&["new", "new", "new", "new"]).build(), 1);
    consumer.stdin.take().expect("it is piped").write_all(b"go on\n").expect("it waits for that");
    let heard = next_line();
    println!("{heard}");
    assert!(heard.contains("log truncation detected at offset 3"), "{heard}");
    assert!(consumer.wait().expect("it ends").success());
}
