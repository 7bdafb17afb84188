//! OffsetForLeaderEpoch (key 23), versions 2–4, and what a restart does to leader epochs (KIP-101, KIP-279, KIP-320).

use kafka_protocol::ResponseError;
use kafka_protocol::messages::offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic};
use kafka_protocol::messages::offset_for_leader_epoch_response::EpochEndOffset;
use kafka_protocol::messages::{BrokerId, OffsetForLeaderEpochRequest};

use crate::connect;
use crate::support::batch::Batch;
use crate::support::raw::Client;
use crate::support::requests::{Topic, batches, fetch, fetch_request, produce_at, the_partition, wait_until_led};

fn ask(
    client: &mut Client,
    version: i16,
    topic: &Topic,
    partition: i32,
    current_leader_epoch: i32,
    leader_epoch: i32,
) -> EpochEndOffset {
    let entry = OffsetForLeaderPartition::default()
        .with_partition(partition)
        .with_current_leader_epoch(current_leader_epoch)
        .with_leader_epoch(leader_epoch);
    let of_topic = OffsetForLeaderTopic::default().with_topic(topic.name.clone()).with_partitions(vec![entry]);
    let request = OffsetForLeaderEpochRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![of_topic]);
    let mut response = client.call(&request, version);
    assert_eq!(response.topics[0].topic, topic.name);
    response.topics[0].partitions.remove(0)
}

#[test]
fn kip_320_the_end_of_the_present_epoch_is_the_end_of_the_log_at_every_version() {
    let (_broker, mut client) = connect();
    let topic = Topic::create(&mut client, 1, &[]);
    produce_at(&mut client, &topic, 0, Batch::of(&["a", "b", "c"]).build(), 0);
    for version in 2..=4 {
        for current in [-1, 0] {
            let answer = ask(&mut client, version, &topic, 0, current, 0);
            assert_eq!(
                (answer.error_code, answer.partition, answer.leader_epoch, answer.end_offset),
                (0, 0, 0, 3),
                "version {version}"
            );
        }
    }
}

#[test]
fn kip_279_an_epoch_that_never_was_has_no_end() {
    let (_broker, mut client) = connect();
    let topic = Topic::create(&mut client, 1, &[]);
    produce_at(&mut client, &topic, 0, Batch::of(&["a"]).build(), 0);
    for version in 2..=4 {
        let answer = ask(&mut client, version, &topic, 0, -1, 7);
        assert_eq!((answer.error_code, answer.leader_epoch, answer.end_offset), (0, -1, -1), "version {version}");
    }
}

#[test]
fn offset_for_leader_epoch_refuses_unknown_partitions_and_epochs() {
    let (_broker, mut client) = connect();
    let topic = Topic::create(&mut client, 1, &[]);
    for version in 2..=4 {
        let unknown = ResponseError::UnknownTopicOrPartition.code();
        assert_eq!(ask(&mut client, version, &topic, 1, -1, 0).error_code, unknown, "version {version}");
        assert_eq!(ask(&mut client, version, &Topic::unknown(), 0, -1, 0).error_code, unknown, "version {version}");
        let ahead = ask(&mut client, version, &topic, 0, 3, 0);
        assert_eq!(ahead.error_code, ResponseError::UnknownLeaderEpoch.code(), "version {version}");
    }
}

#[test]
fn kip_101_after_a_kill_the_epoch_is_newer_the_old_one_fenced_and_its_end_known() {
    let (mut broker, mut client) = connect();
    if !broker.is_klamm() {
        return; // A broker that others started cannot be killed.
    }
    let topic = Topic::create(&mut client, 1, &[]);
    produce_at(&mut client, &topic, 0, Batch::of(&["a", "b"]).build(), 0);
    broker.kill_and_restart(&["num.partitions=4"]);
    let mut client = Client::connect(broker.address());
    let epoch = wait_until_led(&mut client, &topic.name).partitions[0].leader_epoch;
    assert!(epoch > 0, "a leader that may have lost records leads under a new epoch");
    produce_at(&mut client, &topic, 0, Batch::of(&["c"]).build(), 2);
    let stored = batches(&fetch(&mut client, 12, &topic, 0, 0));
    assert_eq!(
        stored.iter().map(|batch| batch.leader_epoch).collect::<Vec<_>>(),
        [0, epoch],
        "nothing acknowledged was lost"
    );
    for version in 2..=4 {
        let old = ask(&mut client, version, &topic, 0, epoch, 0);
        assert_eq!((old.error_code, old.leader_epoch, old.end_offset), (0, 0, 2), "version {version}");
        let fenced = ask(&mut client, version, &topic, 0, 0, 0);
        assert_eq!(fenced.error_code, ResponseError::FencedLeaderEpoch.code(), "version {version}");
    }
    for version in 9..=18 {
        let mut request = fetch_request(version, &topic, &[(0, 0)]);
        request.topics[0].partitions[0].current_leader_epoch = 0;
        let fenced = the_partition(client.call(&request, version), version, &topic);
        assert_eq!(fenced.error_code, ResponseError::FencedLeaderEpoch.code(), "version {version}");
    }
}
