//! Incremental fetch sessions (KIP-227): Fetch versions 7–18.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::fetch_request::ForgottenTopic;
use kafka_protocol::messages::{FetchRequest, FetchResponse};

use crate::connect;
use crate::support::batch::Batch;
use crate::support::raw::Client;
use crate::support::requests::{FETCH_BY_ID, Topic, fetch_request, produce_at, the_partition, values};

const VERSIONS: std::ops::RangeInclusive<i16> = 7..=18;

/// A full fetch that asks for a session: the session's id and the response.
fn create(client: &mut Client, version: i16, topic: &Topic, partitions: &[(i32, i64)]) -> (i32, FetchResponse) {
    let request = fetch_request(version, topic, partitions).with_session_id(0).with_session_epoch(0);
    let response = client.call(&request, version);
    assert_eq!(response.error_code, 0);
    assert!(response.session_id > 0, "version {version}: a session is created");
    (response.session_id, response)
}

/// An incremental fetch that changes nothing.
fn next(session_id: i32, session_epoch: i32) -> FetchRequest {
    FetchRequest::default()
        .with_max_wait_ms(0)
        .with_min_bytes(0)
        .with_max_bytes(1 << 24)
        .with_session_id(session_id)
        .with_session_epoch(session_epoch)
}

fn forgotten(version: i16, topic: &Topic, partition: i32) -> Vec<ForgottenTopic> {
    let entry = ForgottenTopic::default().with_partitions(vec![partition]);
    vec![if version >= FETCH_BY_ID { entry.with_topic_id(topic.id) } else { entry.with_topic(topic.name.clone()) }]
}

#[test]
fn kip_227_an_incremental_fetch_answers_only_what_changed() {
    let (_broker, mut client) = connect();
    for version in VERSIONS {
        let topic = Topic::create(&mut client, 3, &[]);
        produce_at(&mut client, &topic, 0, Batch::of(&["a"]).build(), 0);
        let (id, first) = create(&mut client, version, &topic, &[(0, 0), (1, 0), (2, 0)]);
        assert_eq!(first.responses[0].partitions.len(), 3, "version {version}: a full answer names every partition");

        // The consumer moves on in partition 0; nothing else is new, so nothing is answered.
        let moved = fetch_request(version, &topic, &[(0, 1)]).with_session_id(id).with_session_epoch(1);
        let response = client.call(&moved, version);
        assert_eq!((response.error_code, response.session_id), (0, id), "version {version}");
        assert!(response.responses.is_empty(), "version {version}: {response:?}");

        produce_at(&mut client, &topic, 2, Batch::of(&["b"]).build(), 0);
        let changed = the_partition(client.call(&next(id, 2), version), version, &topic);
        assert_eq!((changed.partition_index, values(&changed)), (2, vec!["b".to_owned()]), "version {version}");

        // As long as the consumer does not move on, the records come again.
        let again = the_partition(client.call(&next(id, 3), version), version, &topic);
        assert_eq!((again.partition_index, values(&again)), (2, vec!["b".to_owned()]), "version {version}");
    }
}

#[test]
fn kip_227_a_partition_joins_a_session_and_is_forgotten_again() {
    let (_broker, mut client) = connect();
    for version in VERSIONS {
        let topic = Topic::create(&mut client, 2, &[]);
        let (id, _) = create(&mut client, version, &topic, &[(0, 0)]);
        produce_at(&mut client, &topic, 1, Batch::of(&["b"]).build(), 0);
        let joining = fetch_request(version, &topic, &[(1, 0)]).with_session_id(id).with_session_epoch(1);
        let joined = the_partition(client.call(&joining, version), version, &topic);
        assert_eq!((joined.partition_index, values(&joined).len()), (1, 1), "version {version}");

        let forgetting = next(id, 2).with_forgotten_topics_data(forgotten(version, &topic, 1));
        let response = client.call(&forgetting, version);
        assert_eq!((response.error_code, response.responses.len()), (0, 0), "version {version}");
        produce_at(&mut client, &topic, 1, Batch::of(&["c"]).build(), 1);
        produce_at(&mut client, &topic, 0, Batch::of(&["d"]).build(), 0);
        let left = the_partition(client.call(&next(id, 3), version), version, &topic);
        assert_eq!((left.partition_index, values(&left)), (0, vec!["d".to_owned()]), "version {version}");
    }
}

#[test]
fn kip_227_a_wrong_session_epoch_and_an_unknown_session_are_refused() {
    let (_broker, mut client) = connect();
    let topic = Topic::create(&mut client, 1, &[]);
    for version in VERSIONS {
        let (id, _) = create(&mut client, version, &topic, &[(0, 0)]);
        let response = client.call(&next(id, 7), version);
        assert_eq!(response.error_code, ResponseError::InvalidFetchSessionEpoch.code(), "version {version}");
        assert!(response.responses.is_empty());
        let response = client.call(&next(1_234_567, 1), version);
        assert_eq!(response.error_code, ResponseError::FetchSessionIdNotFound.code(), "version {version}");
    }
}

#[test]
fn kip_227_a_session_ends_with_epoch_minus_1() {
    let (_broker, mut client) = connect();
    let topic = Topic::create(&mut client, 1, &[]);
    for version in VERSIONS {
        let (id, _) = create(&mut client, version, &topic, &[(0, 0)]);
        let last = fetch_request(version, &topic, &[(0, 0)]).with_session_id(id).with_session_epoch(-1);
        let response = client.call(&last, version);
        assert_eq!((response.error_code, response.session_id), (0, 0), "version {version}");
        let response = client.call(&next(id, 1), version);
        assert_eq!(response.error_code, ResponseError::FetchSessionIdNotFound.code(), "version {version}");
    }
}

#[test]
fn kip_227_a_new_session_may_replace_an_old_one() {
    let (_broker, mut client) = connect();
    let topic = Topic::create(&mut client, 1, &[]);
    for version in VERSIONS {
        let (id, _) = create(&mut client, version, &topic, &[(0, 0)]);
        let request = fetch_request(version, &topic, &[(0, 0)]).with_session_id(id).with_session_epoch(0);
        let response = client.call(&request, version);
        assert_eq!(response.error_code, 0);
        assert!(response.session_id > 0 && response.session_id != id, "version {version}");
        let response = client.call(&next(id, 1), version);
        assert_eq!(response.error_code, ResponseError::FetchSessionIdNotFound.code(), "version {version}");
    }
}

#[test]
fn kip_227_a_partition_in_error_is_answered_again_and_again() {
    let (_broker, mut client) = connect();
    let topic = Topic::create(&mut client, 1, &[]);
    for version in VERSIONS {
        let (id, first) = create(&mut client, version, &topic, &[(0, 99)]);
        let out_of_range = ResponseError::OffsetOutOfRange.code();
        assert_eq!(the_partition(first, version, &topic).error_code, out_of_range);
        let again = the_partition(client.call(&next(id, 1), version), version, &topic);
        assert_eq!(again.error_code, out_of_range, "version {version}");
    }
}

#[test]
fn kip_227_a_waiting_incremental_fetch_is_woken_by_a_produce() {
    let (broker, mut client) = connect();
    let topic = Topic::create(&mut client, 200, &[]);
    let partitions: Vec<(i32, i64)> = (0..200).map(|index| (index, 0)).collect();
    let mut waiting = Client::connect(broker.address());
    let (id, _) = create(&mut waiting, 18, &topic, &partitions);
    let began = std::time::Instant::now();
    waiting.send(&next(id, 1).with_max_wait_ms(10_000).with_min_bytes(1), 18);
    produce_at(&mut client, &topic, 137, Batch::of(&["wake"]).build(), 0);
    let woken = the_partition(waiting.receive::<FetchRequest>(18), 18, &topic);
    assert_eq!((woken.partition_index, values(&woken)), (137, vec!["wake".to_owned()]));
    assert!(began.elapsed() < std::time::Duration::from_secs(5));
}
