//! CreateTopics, CreatePartitions, DeleteTopics.

use kafka_protocol::messages::create_partitions_request::{CreatePartitionsAssignment, CreatePartitionsTopic};
use kafka_protocol::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use kafka_protocol::messages::create_topics_response::CreateTopicsResponse;
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::{
    BrokerId, CreatePartitionsRequest, CreateTopicsRequest, DeleteTopicsRequest, TopicName,
};
use uuid::Uuid;

use crate::scenario::Run;
use crate::support::requests::{create_request, describe_settings, metadata_request, text, topic_name};

/// Settings of which a created topic's answer is compared; DescribeConfigs is where all of them are.
const SHOWN: &[&str] = &["cleanup.policy", "max.message.bytes", "min.insync.replicas", "retention.ms", "segment.bytes"];

/// A partition and its brokers.
type Assigned<'a> = (i32, &'a [i32]);

fn show_few_settings(response: &mut CreateTopicsResponse) {
    for configs in response.topics.iter_mut().filter_map(|topic| topic.configs.as_mut()) {
        configs.retain(|config| SHOWN.contains(&config.name.as_str()));
    }
}

fn topic(name: TopicName, partitions: i32, replication_factor: i16) -> CreatableTopic {
    CreatableTopic::default()
        .with_name(name)
        .with_num_partitions(partitions)
        .with_replication_factor(replication_factor)
}

fn assigned(name: TopicName, partitions: &[Assigned]) -> CreatableTopic {
    let assignment = |(index, brokers): &Assigned| {
        CreatableReplicaAssignment::default()
            .with_partition_index(*index)
            .with_broker_ids(brokers.iter().copied().map(BrokerId).collect())
    };
    topic(name, -1, -1).with_assignments(partitions.iter().map(assignment).collect())
}

fn with_config(topic: CreatableTopic, key: &str, value: Option<&str>) -> CreatableTopic {
    let config = CreatableTopicConfig::default().with_name(text(key)).with_value(value.map(text));
    topic.with_configs(vec![config])
}

fn create_all(topics: Vec<CreatableTopic>) -> CreateTopicsRequest {
    CreateTopicsRequest::default().with_topics(topics).with_timeout_ms(15000)
}

pub fn create(run: &mut Run) {
    let create = |run: &mut Run, step: &str, topics: Vec<CreatableTopic>| {
        run.step_of(step, &create_all(topics), show_few_settings);
    };
    let name = run.name("plain");
    create(run, "two partitions", vec![topic(name.clone(), 2, 1)]);
    create(run, "a topic that exists", vec![topic(name, 2, 1)]);
    let name = run.name("settings");
    let settings = [("retention.ms", "1000"), ("segment.bytes", "1048576")];
    run.step_of("settings", &create_request(&name, 1, &settings), show_few_settings);
    let name = run.name("assigned");
    create(run, "assigned replicas", vec![assigned(name, &[(0, &[1]), (1, &[1])])]);
    if run.version() >= 4 {
        let name = run.name("defaults");
        create(run, "the broker's numbers of partitions and replicas", vec![topic(name, -1, -1)]);
    }
    let valid = run.name("only-validated");
    let only_validated = create_all(vec![topic(valid, 3, 1)]).with_validate_only(true);
    run.step_of("only validated", &only_validated, show_few_settings);
    create(run, "no topics", vec![]);

    for (step, bad) in [
        ("no name", ""),
        ("a dot", "."),
        ("two dots", ".."),
        ("a space", "a b"),
        ("a slash", "a/b"),
        ("an umlaut", "ä"),
    ] {
        create(run, &format!("name: {step}"), vec![topic(topic_name(bad), 1, 1)]);
    }
    let long = topic_name(&"n".repeat(250));
    create(run, "name: 250 characters", vec![topic(long, 1, 1)]);
    let (dotted, underscored) = (run.name("like.this"), run.name("like_this"));
    create(run, "name: with a dot", vec![topic(dotted, 1, 1)]);
    create(run, "name: the same with an underscore", vec![topic(underscored, 1, 1)]);
    create(run, "name: an internal topic", vec![topic(topic_name("__cluster_metadata"), 1, 1)]);
    let name = run.name("twice");
    let other = run.name("beside-twice");
    create(run, "one name twice", vec![topic(name.clone(), 1, 1), topic(name, 2, 1), topic(other, 1, 1)]);

    let name = run.name("bad");
    for partitions in [0, -1, -2, i32::MAX, 10001] {
        create(run, &format!("{partitions} partitions, two replicas"), vec![topic(name.clone(), partitions, 2)]);
    }
    for partitions in [0, -2, 2_000_000_000] {
        create(run, &format!("{partitions} partitions"), vec![topic(name.clone(), partitions, 1)]);
    }
    for factor in [0, -1, -2, 2, 3, i16::MAX] {
        create(run, &format!("replication factor {factor}, and no partitions"), vec![topic(name.clone(), 0, factor)]);
    }
    for factor in [0, -2, 2, i16::MAX] {
        create(run, &format!("replication factor {factor}"), vec![topic(name.clone(), 1, factor)]);
    }
    let both = assigned(name.clone(), &[(0, &[1])]);
    create(run, "assigned, and a number of partitions", vec![both.clone().with_num_partitions(1)]);
    create(run, "assigned, and a replication factor", vec![both.with_replication_factor(1)]);
    let assignments: [(&str, &[Assigned]); 8] = [
        ("not from 0", &[(1, &[1])]),
        ("with a gap", &[(0, &[1]), (2, &[1])]),
        ("one partition twice", &[(0, &[1]), (0, &[1])]),
        ("negative partition", &[(-1, &[1])]),
        ("no replicas", &[(0, &[])]),
        ("an unknown broker", &[(0, &[7])]),
        ("one broker twice", &[(0, &[1, 1])]),
        ("unlike numbers of replicas", &[(0, &[1]), (1, &[1, 2])]),
    ];
    for (step, partitions) in assignments {
        create(run, &format!("assigned: {step}"), vec![assigned(name.clone(), partitions)]);
    }

    let settings: [(&str, &str, Option<&str>); 12] = [
        ("unknown", "no.such.setting", Some("1")),
        ("not a number", "retention.ms", Some("soon")),
        ("below its range", "retention.ms", Some("-2")),
        ("empty", "retention.ms", Some("")),
        ("null", "retention.ms", None),
        ("not one of the words", "cleanup.policy", Some("burn")),
        ("a list with a wrong word", "cleanup.policy", Some("delete,burn")),
        ("zero segment", "segment.bytes", Some("0")),
        ("no replica in sync", "min.insync.replicas", Some("0")),
        ("not a Boolean", "preallocate", Some("perhaps")),
        ("compression", "compression.type", Some("rar")),
        ("beyond 32 bits", "max.message.bytes", Some("4294967296")),
    ];
    for (step, key, value) in settings {
        create(run, &format!("setting: {step}"), vec![with_config(topic(name.clone(), 1, 1), key, value)]);
    }
    let config = CreatableTopicConfig::default().with_name(text("retention.ms")).with_value(Some(text("1")));
    let twice = topic(name.clone(), 1, 1).with_configs(vec![config.clone(), config.with_value(Some(text("2")))]);
    create(run, "setting: twice", vec![twice]);
    let good = run.name("beside-bad");
    create(run, "a good one beside a bad one", vec![topic(good, 1, 1), topic(name, 0, 1)]);
    run.settle();
    for made in ["plain", "assigned", "settings", "twice", "beside-twice", "only-validated", "bad", "beside-bad"] {
        let name = run.name(made);
        run.read(&format!("afterwards: {made}"), &metadata_request(&[&name]), 12);
    }
    let settings = describe_settings(&run.name("settings"), &["retention.ms", "segment.bytes", "segment.ms"]);
    run.read("afterwards: its settings", &settings, 4);
    let late = run.name("late");
    run.step_of("no time", &create_all(vec![topic(late, 1, 1)]).with_timeout_ms(0), |response| {
        response.topics.iter_mut().for_each(|topic| topic.configs = None);
    });
}

fn more(name: TopicName, count: i32, assignments: Option<&[&[i32]]>) -> CreatePartitionsTopic {
    let assignment = |brokers: &&[i32]| {
        CreatePartitionsAssignment::default().with_broker_ids(brokers.iter().copied().map(BrokerId).collect())
    };
    CreatePartitionsTopic::default()
        .with_name(name)
        .with_count(count)
        .with_assignments(assignments.map(|all| all.iter().map(assignment).collect()))
}

pub fn create_partitions(run: &mut Run) {
    let topic = run.topic("grows", 2, &[]).name;
    let of = |topics: Vec<CreatePartitionsTopic>| {
        CreatePartitionsRequest::default().with_topics(topics).with_timeout_ms(15000)
    };
    run.step("only validated", &of(vec![more(topic.clone(), 9, None)]).with_validate_only(true));
    run.step("to three", &of(vec![more(topic.clone(), 3, None)]));
    run.step("to four, assigned", &of(vec![more(topic.clone(), 4, Some(&[&[1]]))]));
    run.step("no topics", &of(vec![]));
    for count in [4, 3, 1, 0, -1] {
        run.step(&format!("from four to {count}"), &of(vec![more(topic.clone(), count, None)]));
    }
    let assignments: [(&str, &[&[i32]]); 6] = [
        ("too few", &[&[1]]),
        ("too many", &[&[1], &[1], &[1]]),
        ("an unknown broker", &[&[1], &[7]]),
        ("one broker twice", &[&[1], &[1, 1]]),
        ("no replicas", &[&[1], &[]]),
        ("none", &[]),
    ];
    for (step, all) in assignments {
        run.step(&format!("assigned: {step}"), &of(vec![more(topic.clone(), 6, Some(all))]));
    }
    let unknown = run.unknown().name;
    run.step("an unknown topic", &of(vec![more(unknown, 3, None)]));
    run.step("no name", &of(vec![more(topic_name(""), 3, None)]));
    run.step("one topic twice", &of(vec![more(topic.clone(), 6, None), more(topic.clone(), 7, None)]));
    let other = run.topic("other", 1, &[]).name;
    let both = of(vec![more(other.clone(), 2, None), more(topic.clone(), 1, None)]);
    run.step("a good one beside a bad one", &both);
    run.settle();
    run.read("afterwards", &metadata_request(&[&topic, &other]), 12);
}

pub fn delete(run: &mut Run) {
    let by_name = |run: &Run, names: &[&TopicName]| {
        let request = DeleteTopicsRequest::default().with_timeout_ms(15000);
        if run.version() < 6 {
            return request.with_topic_names(names.iter().copied().cloned().collect());
        }
        let topic = |name: &&TopicName| DeleteTopicState::default().with_name(Some((*name).clone()));
        request.with_topics(names.iter().map(topic).collect())
    };
    let (first, second, third) = (run.topic("a", 1, &[]), run.topic("b", 1, &[]), run.topic("c", 2, &[]));
    let unknown = run.unknown();
    let request = by_name(run, &[]);
    run.step("no topics", &request);
    let request = by_name(run, &[&first.name]);
    run.step("one", &request);
    run.settle();
    run.step("one that is gone", &request);
    let request = by_name(run, &[&unknown.name]);
    run.step("one that never was", &request);
    let request = by_name(run, &[&topic_name("")]);
    run.step("no name", &request);
    let request = by_name(run, &[&second.name, &second.name]);
    run.step("one name twice", &request);
    if run.version() >= 6 {
        let by_id = |id: Uuid| DeleteTopicState::default().with_name(None).with_topic_id(id);
        let request =
            |topics: Vec<DeleteTopicState>| DeleteTopicsRequest::default().with_timeout_ms(15000).with_topics(topics);
        let named = DeleteTopicState::default().with_name(Some(third.name.clone()));
        run.step("by name and id", &request(vec![named.clone().with_topic_id(third.id)]));
        run.step("neither name nor id", &request(vec![by_id(Uuid::nil())]));
        run.step("an unknown id", &request(vec![by_id(unknown.id)]));
        run.step("one id twice", &request(vec![by_id(third.id), by_id(third.id)]));
        run.step("by its name and by its id", &request(vec![named, by_id(third.id)]));
        let fourth = run.topic("d", 1, &[]);
        run.step("by id", &request(vec![by_id(fourth.id)]));
    }
    let last = run.topic("last", 1, &[]);
    let request = by_name(run, &[&unknown.name, &last.name]);
    run.step("a good one beside a bad one", &request);
    run.settle();
    run.read("afterwards", &metadata_request(&[&first.name, &second.name, &third.name, &last.name]), 12);
}
