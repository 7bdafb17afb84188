//! CreateTopics (key 19), versions 2–7, and DeleteTopics (key 20), versions 1–6.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::create_topics_request::{CreatableReplicaAssignment, CreatableTopic};
use kafka_protocol::messages::create_topics_response::CreatableTopicResult;
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::delete_topics_response::DeletableTopicResult;
use kafka_protocol::messages::{BrokerId, CreateTopicsRequest, DeleteTopicsRequest, MetadataRequest, TopicName};
use uuid::Uuid;

use crate::connect;
use crate::support::batch::Batch;
use crate::support::raw::Client;
use crate::support::requests::{
    Topic, create_request, fetch, metadata_request, new_name, produce, topic_name, values, wait_until_led,
};

fn create(client: &mut Client, version: i16, request: &CreateTopicsRequest) -> CreatableTopicResult {
    client.call(request, version).topics.remove(0)
}

/// Deletes by name at any version.
fn delete(client: &mut Client, version: i16, name: &TopicName) -> DeletableTopicResult {
    let request = DeleteTopicsRequest::default().with_timeout_ms(15000);
    let request = if version < 6 {
        request.with_topic_names(vec![name.clone()])
    } else {
        request.with_topics(vec![DeleteTopicState::default().with_name(Some(name.clone()))])
    };
    client.call(&request, version).responses.remove(0)
}

fn exists(client: &mut Client, name: &TopicName) -> bool {
    let all = client.call(&MetadataRequest::default().with_topics(None), 12);
    all.topics.iter().any(|each| each.name.as_ref() == Some(name))
}

fn wait_until_gone(client: &mut Client, name: &TopicName) {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(15);
    while exists(client, name) {
        assert!(std::time::Instant::now() < deadline, "the topic is still there");
    }
}

#[test]
fn create_topics_makes_a_topic_that_takes_records_at_every_version() {
    let (broker, mut client) = connect();
    for version in 2..=7 {
        let name = new_name();
        let created = create(&mut client, version, &create_request(&name, 2, &[("retention.ms", "12345")]));
        assert_eq!((created.error_code, &created.name), (0, &name), "version {version}: {:?}", created.error_message);
        if version >= 5 {
            // KIP-525: what came out of the defaults.
            assert_eq!((created.num_partitions, created.replication_factor), (2, 1));
            let configs = created.configs.expect("the configs are described");
            let of = |wanted: &str| {
                configs
                    .iter()
                    .find(|each| each.name.as_str() == wanted)
                    .unwrap_or_else(|| panic!("{wanted} is missing"))
            };
            let retention = of("retention.ms");
            assert_eq!(
                (retention.value.as_deref(), retention.config_source, retention.read_only),
                (Some("12345"), 1, false)
            );
            assert_eq!(
                (of("cleanup.policy").value.as_deref(), of("cleanup.policy").config_source),
                (Some("delete"), 5)
            );
        }
        if version >= 7 {
            assert!(!created.topic_id.is_nil());
        }
        if !broker.is_klamm() {
            wait_until_led(&mut client, &name);
        }
        // Ours takes records as soon as it has answered: no client needs to ask again.
        let topic = Topic { name, id: created.topic_id };
        assert_eq!(produce(&mut client, 9, &topic, 1, Batch::of(&["x"]).build()).error_code, 0, "version {version}");
    }
}

#[test]
fn kip_464_partitions_and_replicas_of_minus_1_are_the_brokers_defaults_from_version_4_on() {
    let (_broker, mut client) = connect();
    for version in 2..=7 {
        let mut request = create_request(&new_name(), -1, &[]);
        request.topics[0].replication_factor = -1;
        let created = create(&mut client, version, &request);
        // Kafka does not look at the version here: the defaults serve below 4 as well.
        assert_eq!(created.error_code, 0, "version {version}");
        if version >= 5 {
            assert_eq!((created.num_partitions, created.replication_factor), (4, 1), "version {version}");
        }
    }
}

#[test]
fn create_topics_with_validate_only_creates_nothing() {
    let (_broker, mut client) = connect();
    for version in 2..=7 {
        let name = new_name();
        let created = create(&mut client, version, &create_request(&name, 2, &[]).with_validate_only(true));
        assert_eq!(created.error_code, 0, "version {version}");
        assert!(!exists(&mut client, &name));
        let refused =
            create(&mut client, version, &create_request(&topic_name("a/b"), 2, &[]).with_validate_only(true));
        assert_eq!(refused.error_code, ResponseError::InvalidTopicException.code(), "version {version}");
    }
}

#[test]
fn create_topics_refuses_what_cannot_be_each_with_its_own_error() {
    let (_broker, mut client) = connect();
    let existing = Topic::create(&mut client, 1, &[]);
    let long = "x".repeat(250);
    let mut cases: Vec<(&str, CreateTopicsRequest, ResponseError)> = vec![
        ("it exists", create_request(&existing.name, 1, &[]), ResponseError::TopicAlreadyExists),
        ("no partitions", create_request(&new_name(), 0, &[]), ResponseError::InvalidPartitions),
        ("an unknown config", create_request(&new_name(), 1, &[("no.such.config", "1")]), ResponseError::InvalidConfig),
        (
            "a config that is no number",
            create_request(&new_name(), 1, &[("retention.ms", "soon")]),
            ResponseError::InvalidConfig,
        ),
        (
            "a config out of range",
            create_request(&new_name(), 1, &[("segment.bytes", "-1")]),
            ResponseError::InvalidConfig,
        ),
    ];
    for name in ["", ".", "..", "a/b", "a b", "ä", long.as_str()] {
        cases.push(("the name", create_request(&topic_name(name), 1, &[]), ResponseError::InvalidTopicException));
    }
    let mut replicas = create_request(&new_name(), 1, &[]);
    replicas.topics[0].replication_factor = 5;
    cases.push(("too many replicas", replicas.clone(), ResponseError::InvalidReplicationFactor));
    replicas.topics[0].replication_factor = 0;
    cases.push(("no replicas", replicas, ResponseError::InvalidReplicationFactor));
    for version in 2..=7 {
        for (what, request, expected) in &cases {
            let refused = create(&mut client, version, request);
            assert_eq!(refused.error_code, expected.code(), "version {version}, {what}: {:?}", refused.error_message);
            assert!(refused.error_message.is_some(), "version {version}, {what}: the client is told why");
        }
    }
}

#[test]
fn create_topics_honours_and_checks_assignments() {
    let (_broker, mut client) = connect();
    let broker = client.call(&metadata_request(&[]), 12).brokers[0].node_id;
    let with = |assignments: &[(i32, &[i32])]| {
        let assignment = |(index, brokers): &(i32, &[i32])| {
            CreatableReplicaAssignment::default()
                .with_partition_index(*index)
                .with_broker_ids(brokers.iter().map(|id| BrokerId(*id)).collect())
        };
        let mut request = create_request(&new_name(), -1, &[]);
        request.topics[0].replication_factor = -1;
        request.topics[0].assignments = assignments.iter().map(assignment).collect();
        request
    };
    for version in 2..=7 {
        let good = with(&[(0, &[broker.0]), (1, &[broker.0])]);
        assert_eq!(create(&mut client, version, &good).error_code, 0, "version {version}");
        assert_eq!(wait_until_led(&mut client, &good.topics[0].name).partitions.len(), 2);
        let refused: [&[(i32, &[i32])]; 4] =
            [&[(0, &[77])], &[(1, &[broker.0])], &[(0, &[])], &[(0, &[broker.0, broker.0])]];
        for assignments in refused {
            let answer = create(&mut client, version, &with(assignments));
            let expected = ResponseError::InvalidReplicaAssignment.code();
            assert_eq!(answer.error_code, expected, "version {version}, {assignments:?}: {:?}", answer.error_message);
        }
        let mut both = good.clone();
        both.topics[0].name = new_name();
        both.topics[0].num_partitions = 2;
        assert_eq!(
            create(&mut client, version, &both).error_code,
            ResponseError::InvalidRequest.code(),
            "version {version}"
        );
    }
}

#[test]
fn topic_names_that_differ_only_in_dots_and_underscores_collide() {
    let (_broker, mut client) = connect();
    let name = topic_name(&format!("a.{}", new_name().as_str()));
    assert_eq!(create(&mut client, 7, &create_request(&name, 1, &[])).error_code, 0);
    let colliding = topic_name(&name.as_str().replace('.', "_"));
    let refused = create(&mut client, 7, &create_request(&colliding, 1, &[]));
    assert_eq!(refused.error_code, ResponseError::InvalidTopicException.code());
}

#[test]
fn each_topic_of_a_mixed_create_gets_its_own_answer_and_one_named_twice_is_refused() {
    let (_broker, mut client) = connect();
    for version in 2..=7 {
        let (good, twice) = (new_name(), new_name());
        let topic = |name: &TopicName| {
            CreatableTopic::default().with_name(name.clone()).with_num_partitions(1).with_replication_factor(1)
        };
        let topics = vec![topic(&good), topic(&topic_name("a/b")), topic(&twice), topic(&twice)];
        let response = client.call(&CreateTopicsRequest::default().with_topics(topics).with_timeout_ms(15000), version);
        let code_of = |name: &str| {
            response.topics.iter().find(|each| each.name.as_str() == name).expect("it is answered").error_code
        };
        assert_eq!(code_of(good.as_str()), 0, "version {version}");
        assert_eq!(code_of("a/b"), ResponseError::InvalidTopicException.code());
        assert_eq!(code_of(twice.as_str()), ResponseError::InvalidRequest.code());
        assert_eq!(response.topics.len(), 3);
    }
}

#[test]
fn delete_topics_removes_a_topic_and_its_records_at_every_version() {
    let (_broker, mut client) = connect();
    for version in 1..=6 {
        let topic = Topic::create(&mut client, 1, &[]);
        assert_eq!(produce(&mut client, 9, &topic, 0, Batch::of(&["old"]).build()).error_code, 0);
        let deleted = delete(&mut client, version, &topic.name);
        assert_eq!((deleted.error_code, deleted.name.as_ref()), (0, Some(&topic.name)), "version {version}");
        if version >= 6 {
            assert_eq!(deleted.topic_id, topic.id);
        }
        wait_until_gone(&mut client, &topic.name);
        // The same name is a new topic with another id and no records.
        assert_eq!(create(&mut client, 7, &create_request(&topic.name, 1, &[])).error_code, 0);
        let again = wait_until_led(&mut client, &topic.name);
        assert_ne!(again.topic_id, topic.id);
        let fetched = fetch(&mut client, 12, &topic, 0, 0);
        assert_eq!((fetched.error_code, values(&fetched).len()), (0, 0), "version {version}");
        let by_old_id = fetch(&mut client, 13, &topic, 0, 0);
        assert_eq!(by_old_id.error_code, ResponseError::UnknownTopicId.code(), "KIP-516: the old id stays gone");
    }
}

#[test]
fn delete_topics_of_an_unknown_topic_is_an_error_at_every_version() {
    let (_broker, mut client) = connect();
    for version in 1..=6 {
        let refused = delete(&mut client, version, &new_name());
        assert_eq!(refused.error_code, ResponseError::UnknownTopicOrPartition.code(), "version {version}");
        assert_eq!(refused.error_message.is_some(), version >= 5, "KIP-599 added the message");
    }
}

#[test]
fn kip_516_delete_topics_takes_ids_from_version_6_on() {
    let (_broker, mut client) = connect();
    let topic = Topic::create(&mut client, 1, &[]);
    let unknown = Uuid::new_v4();
    let state = |id: Uuid| DeleteTopicState::default().with_name(None).with_topic_id(id);
    let request =
        DeleteTopicsRequest::default().with_timeout_ms(15000).with_topics(vec![state(topic.id), state(unknown)]);
    let response = client.call(&request, 6);
    let of = |id: Uuid| response.responses.iter().find(|each| each.topic_id == id).expect("it is answered");
    assert_eq!((of(topic.id).error_code, of(topic.id).name.as_ref()), (0, Some(&topic.name)));
    assert_eq!((of(unknown).error_code, of(unknown).name.as_ref()), (ResponseError::UnknownTopicId.code(), None));
    wait_until_gone(&mut client, &topic.name);
}
