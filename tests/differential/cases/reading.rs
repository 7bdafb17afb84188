//! Fetch, ListOffsets, OffsetForLeaderEpoch, DeleteRecords.

use kafka_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use kafka_protocol::messages::fetch_request::{FetchTopic, ForgottenTopic};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic};
use kafka_protocol::messages::{
    BrokerId, DeleteRecordsRequest, FetchRequest, ListOffsetsRequest, OffsetForLeaderEpochRequest,
};
use uuid::Uuid;

use crate::scenario::Run;
use crate::support::batch::Batch;
use crate::support::requests::{FETCH_BY_ID, Topic, fetch_request, produce_request, topic_name};

/// 14 November 2023.
const TIME: i64 = 1_700_000_000_000;
/// The first version that answers what only a session or an epoch can ask.
const SESSIONS: i16 = 7;
const EPOCHS: i16 = 9;
const DIVERGENCE: i16 = 12;

/// A topic with two partitions; the first has three batches of two records, ten seconds apart.
fn filled(run: &mut Run, name: &str) -> Topic {
    let topic = run.topic(name, 2, &[("retention.ms", "-1")]);
    for (values, at) in [(["a", "b"], 0), (["c", "d"], 10_000), (["e", "f"], 20_000)] {
        let batch = Batch::at(&values, TIME + at).build();
        let response = run.ask(&produce_request(9, &topic, &[(0, batch)]), 9);
        assert_eq!(response.responses[0].partition_responses[0].error_code, 0);
    }
    topic
}

pub fn fetch(run: &mut Run) {
    let topic = filled(run, "filled");
    let version = run.version();
    let from = |topic: &Topic, partitions: &[(i32, i64)]| fetch_request(version, topic, partitions);
    run.step("from the start", &from(&topic, &[(0, 0)]));
    run.step("within a batch", &from(&topic, &[(0, 3)]));
    run.step("at the end", &from(&topic, &[(0, 6)]));
    run.step("an empty partition", &from(&topic, &[(1, 0)]));
    run.step("two partitions", &from(&topic, &[(1, 0), (0, 4)]));
    run.step("beyond the end", &from(&topic, &[(0, 7)]));
    run.step("before the start", &from(&topic, &[(0, -1)]));
    for partition in [7, -1] {
        run.step(&format!("partition {partition}"), &from(&topic, &[(partition, 0)]));
    }
    run.step("one partition twice", &from(&topic, &[(0, 0), (0, 4)]));
    run.step("no partitions", &from(&topic, &[]));
    let mut none = from(&topic, &[]);
    none.topics.clear();
    run.step("no topics", &none);
    let unknown = run.unknown();
    run.step("an unknown topic", &from(&unknown, &[(0, 0)]));
    let nil = Topic { name: topic_name(""), id: Uuid::nil() };
    run.step("neither name nor id", &from(&nil, &[(0, 0)]));
    let few = |bytes: i32| {
        let mut request = from(&topic, &[(0, 0)]);
        request.topics[0].partitions[0].partition_max_bytes = bytes;
        request
    };
    for bytes in [0, 1, 100, -1] {
        run.step(&format!("{bytes} bytes of a partition"), &few(bytes));
    }
    run.step("one byte in all", &from(&topic, &[(0, 0)]).with_max_bytes(1));
    run.step("no byte in all", &from(&topic, &[(0, 0)]).with_max_bytes(0));
    run.step("read_committed", &from(&topic, &[(0, 0)]).with_isolation_level(1));
    run.step("an unknown isolation level", &from(&topic, &[(0, 4)]).with_isolation_level(9));
    run.step("a negative wait", &from(&topic, &[(0, 6)]).with_max_wait_ms(-1).with_min_bytes(1));
    run.step("a wait that ends", &from(&topic, &[(0, 6)]).with_max_wait_ms(1).with_min_bytes(1));
    if version >= EPOCHS {
        for epoch in [0, 1, -2] {
            let mut request = from(&topic, &[(0, 4)]);
            request.topics[0].partitions[0].current_leader_epoch = epoch;
            run.step(&format!("leader epoch {epoch}"), &request);
        }
    }
    if version >= DIVERGENCE {
        for epoch in [0, 1, -2] {
            let mut request = from(&topic, &[(0, 4)]);
            request.topics[0].partitions[0].last_fetched_epoch = epoch;
            run.step(&format!("last fetched epoch {epoch}"), &request);
        }
    }
    let follower = from(&topic, &[(0, 4)]);
    let follower = if version < 15 {
        follower.with_replica_id(BrokerId(7))
    } else {
        let mut request = follower;
        request.replica_state.replica_id = BrokerId(7);
        request
    };
    run.step("an unknown follower", &follower);
    let deleted = run.ask(&delete_records(&topic, &[(0, 3)]), 2);
    assert_eq!(deleted.topics[0].partitions[0].error_code, 0);
    run.step("what was deleted", &from(&topic, &[(0, 2)]));
    run.step("what is left", &from(&topic, &[(0, 3)]));
}

pub fn fetch_sessions(run: &mut Run) {
    if run.version() < SESSIONS {
        return;
    }
    let (topic, other) = (filled(run, "filled"), filled(run, "other"));
    let version = run.version();
    let with = |topics: Vec<FetchTopic>, session: i32, epoch: i32| {
        FetchRequest::default()
            .with_max_wait_ms(0)
            .with_min_bytes(0)
            .with_max_bytes(1 << 24)
            .with_session_id(session)
            .with_session_epoch(epoch)
            .with_topics(topics)
    };
    let of = |topic: &Topic, partitions: &[(i32, i64)]| fetch_request(version, topic, partitions).topics;
    let forget = |topic: &Topic, partitions: Vec<i32>| {
        let mut forgotten = ForgottenTopic::default().with_partitions(partitions);
        if version >= FETCH_BY_ID {
            forgotten.topic_id = topic.id
        } else {
            forgotten.topic = topic.name.clone()
        }
        vec![forgotten]
    };
    let unknown = run.unknown();
    let first = run.step("a new session", &with(of(&topic, &[(0, 0), (1, 0)]), 0, 0));
    let id = first.session_id;
    run.step("nothing changes", &with(vec![], id, 1));
    run.step("one partition moves", &with(of(&topic, &[(0, 6)]), id, 2));
    run.step("a topic joins", &with(of(&other, &[(0, 4)]), id, 3));
    run.step("and again nothing", &with(vec![], id, 4));
    run.step("a partition is forgotten", &with(vec![], id, 5).with_forgotten_topics_data(forget(&other, vec![0])));
    run.step("an epoch is repeated", &with(vec![], id, 5));
    run.step("an epoch is left out", &with(vec![], id, 9));
    run.step("an unknown topic joins", &with(of(&unknown, &[(0, 0)]), id, 6));
    run.step("and stays", &with(vec![], id, 7));
    run.step(
        "what is not there is forgotten",
        &with(vec![], id, 8).with_forgotten_topics_data(forget(&other, vec![9])),
    );
    run.step("an unknown session", &with(vec![], 77, 1));
    run.step("a session without an id", &with(vec![], 0, 1));
    run.step("the session is closed", &with(of(&topic, &[(0, 4)]), id, -1));
    run.step("the closed session", &with(vec![], id, 9));
    run.step("a negative epoch", &with(vec![], 0, -2));
    run.step("an empty session", &with(vec![], 0, 0));
}

fn list(topic: &Topic, partitions: &[(i32, i64)]) -> ListOffsetsRequest {
    let partition = |(index, timestamp): &(i32, i64)| {
        ListOffsetsPartition::default().with_partition_index(*index).with_timestamp(*timestamp)
    };
    let topic = ListOffsetsTopic::default()
        .with_name(topic.name.clone())
        .with_partitions(partitions.iter().map(partition).collect());
    ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![topic])
}

pub fn list_offsets(run: &mut Run) {
    let (topic, unknown) = (filled(run, "filled"), run.unknown());
    let times = [
        ("the first batch", TIME),
        ("within the first batch", TIME + 1),
        ("between batches", TIME + 5000),
        ("the last record", TIME + 20_001),
        ("after the last record", TIME + 20_002),
        ("1970", 0),
        ("latest", -1),
        ("earliest", -2),
        ("max timestamp", -3),
        ("earliest local", -4),
        ("latest tiered", -5),
        ("earliest pending upload", -6),
        ("nothing known", -7),
    ];
    for (step, time) in times {
        run.step(step, &list(&topic, &[(0, time)]));
    }
    run.step("an empty partition", &list(&topic, &[(1, -1)]));
    run.step("by time in an empty partition", &list(&topic, &[(1, TIME)]));
    run.step("max timestamp of an empty partition", &list(&topic, &[(1, -3)]));
    run.step("two partitions", &list(&topic, &[(1, -1), (0, -1)]));
    run.step("one partition twice", &list(&topic, &[(0, -1), (0, -2)]));
    run.step("partition 7", &list(&topic, &[(7, -1)]));
    run.step("a negative partition", &list(&topic, &[(-1, -1)]));
    run.step("an unknown topic", &list(&unknown, &[(0, -1)]));
    run.step("no name", &list(&Topic { name: topic_name(""), id: Uuid::nil() }, &[(0, -1)]));
    run.step("no partitions", &list(&topic, &[]));
    run.step("no topics", &list(&topic, &[]).with_topics(vec![]));
    run.step("a follower", &list(&topic, &[(0, -1)]).with_replica_id(BrokerId(7)));
    run.step("a debugging consumer", &list(&topic, &[(0, -1)]).with_replica_id(BrokerId(-2)));
    if run.version() >= 2 {
        run.step("read_committed", &list(&topic, &[(0, -1)]).with_isolation_level(1));
        run.step("an unknown isolation level", &list(&topic, &[(0, -1)]).with_isolation_level(9));
    }
    if run.version() >= 4 {
        for epoch in [0, 1, -2] {
            let mut request = list(&topic, &[(0, -1)]);
            request.topics[0].partitions[0].current_leader_epoch = epoch;
            run.step(&format!("leader epoch {epoch}"), &request);
        }
    }
}

pub fn offset_for_leader_epoch(run: &mut Run) {
    let of = |topic: &Topic, partitions: &[(i32, i32, i32)]| {
        let partition = |(index, current, epoch): &(i32, i32, i32)| {
            OffsetForLeaderPartition::default()
                .with_partition(*index)
                .with_current_leader_epoch(*current)
                .with_leader_epoch(*epoch)
        };
        let topic = OffsetForLeaderTopic::default()
            .with_topic(topic.name.clone())
            .with_partitions(partitions.iter().map(partition).collect());
        let request = OffsetForLeaderEpochRequest::default().with_topics(vec![topic]);
        if run_version_has_replica(run.version()) { request.with_replica_id(BrokerId(-1)) } else { request }
    };
    let unknown = Topic { name: run.name("unknown"), id: Uuid::nil() };
    let name = run.name("filled");
    let topic = Topic { name, id: Uuid::nil() };
    let requests = [
        ("the present epoch", of(&topic, &[(0, -1, 0)])),
        ("known to be the present one", of(&topic, &[(0, 0, 0)])),
        ("a later epoch", of(&topic, &[(0, -1, 5)])),
        ("no epoch", of(&topic, &[(0, -1, -1)])),
        ("a negative epoch", of(&topic, &[(0, -1, -2)])),
        ("a leader of a later epoch", of(&topic, &[(0, 1, 0)])),
        ("a leader of a negative epoch", of(&topic, &[(0, -2, 0)])),
        ("an empty partition", of(&topic, &[(1, -1, 0)])),
        ("two partitions", of(&topic, &[(1, -1, 0), (0, -1, 0)])),
        ("one partition twice", of(&topic, &[(0, -1, 0), (0, -1, 1)])),
        ("partition 7", of(&topic, &[(7, -1, 0)])),
        ("a negative partition", of(&topic, &[(-1, -1, 0)])),
        ("an unknown topic", of(&unknown, &[(0, -1, 0)])),
        ("no partitions", of(&topic, &[])),
        ("no topics", of(&topic, &[]).with_topics(vec![])),
    ];
    filled(run, "filled");
    for (step, request) in requests {
        run.step(step, &request);
    }
}

fn run_version_has_replica(version: i16) -> bool {
    version >= 3
}

fn delete_records(topic: &Topic, partitions: &[(i32, i64)]) -> DeleteRecordsRequest {
    let partition = |(index, offset): &(i32, i64)| {
        DeleteRecordsPartition::default().with_partition_index(*index).with_offset(*offset)
    };
    let topic = DeleteRecordsTopic::default()
        .with_name(topic.name.clone())
        .with_partitions(partitions.iter().map(partition).collect());
    DeleteRecordsRequest::default().with_topics(vec![topic]).with_timeout_ms(15000)
}

pub fn delete(run: &mut Run) {
    let (topic, unknown) = (filled(run, "filled"), run.unknown());
    let before = |partitions: &[(i32, i64)]| delete_records(&topic, partitions);
    run.step("nothing", &before(&[(0, 0)]));
    run.step("within a batch", &before(&[(0, 3)]));
    run.step("less than before", &before(&[(0, 1)]));
    run.step("beyond the end", &before(&[(0, 7)]));
    run.step("a negative offset", &before(&[(0, -2)]));
    run.step("everything", &before(&[(0, -1)]));
    run.step("everything again", &before(&[(0, -1)]));
    run.step("an empty partition", &before(&[(1, -1)]));
    run.step("two partitions", &before(&[(0, -1), (1, 0)]));
    run.step("one partition twice", &before(&[(0, 5), (0, 6)]));
    run.step("partition 7", &before(&[(7, 0)]));
    run.step("a negative partition", &before(&[(-1, 0)]));
    run.step("an unknown topic", &delete_records(&unknown, &[(0, 0)]));
    run.step("a known and an unknown partition", &before(&[(0, -1), (7, 0)]));
    run.step("no name", &delete_records(&Topic { name: topic_name(""), id: Uuid::nil() }, &[(0, 0)]));
    run.step("no partitions", &before(&[]));
    run.step("no topics", &before(&[]).with_topics(vec![]));
    run.step("no time", &before(&[(0, -1)]).with_timeout_ms(0));
    run.read("the first offset afterwards", &list(&topic, &[(0, -2), (1, -2)]), 8);
    run.read("records afterwards", &fetch_request(12, &topic, &[(0, 5)]), 12);
}
