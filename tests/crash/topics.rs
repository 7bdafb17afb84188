//! `kill -9` while topics come and go: a topic is whole or gone, and what identifies the cluster stays or rises.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Stdio;

use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::{DeleteTopicsRequest, DescribeConfigsRequest, MetadataRequest, TopicName};
use uuid::Uuid;

use super::support::batch::Batch;
use super::support::broker::{self, Broker};
use super::support::random::Random;
use super::support::raw::Client;
use super::support::requests::{self, Topic, create_request, init_producer_request, new_name, text};
use super::verify::expect_no_problem;
use super::{entries_of, kill_while_starting, rounds};

const ROUNDS: usize = 6;
const TOPICS_MAX: usize = 12;
const UNKNOWN_TOPIC: i16 = 3;

/// What the client knows of a topic.
#[derive(Debug)]
struct Known {
    partitions: i32,
    retention_ms: u64,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Asked,
    Created(Uuid),
    AskedToGo(Uuid),
    Gone,
}

/// A client that creates and deletes topics, and takes producer ids.
struct Churn {
    random: Random,
    topics: BTreeMap<TopicName, Known>,
    producer_ids: BTreeSet<i64>,
}

impl Churn {
    /// Goes on until the broker is gone.
    fn run(&mut self, address: &str) {
        let Some(mut client) = Client::connect_unless_killed(address) else { return };
        while self.create(&mut client).is_some()
            && self.take_producer_id(&mut client).is_some()
            && (self.living().len() < TOPICS_MAX || self.delete_one(&mut client).is_some())
        {}
    }

    fn living(&self) -> Vec<(TopicName, Uuid)> {
        let id = |known: &Known| if let State::Created(id) = known.state { Some(id) } else { None };
        self.topics.iter().filter_map(|(name, known)| Some((name.clone(), id(known)?))).collect()
    }

    fn create(&mut self, client: &mut Client) -> Option<()> {
        let (name, partitions) = (new_name(), 1 + self.random.below(8));
        let retention_ms = 1_000_000 + self.random.below(1_000_000);
        let known = Known { partitions, retention_ms, state: State::Asked };
        self.topics.insert(name.clone(), known);
        let request = create_request(&name, partitions, &[("retention.ms", &retention_ms.to_string())]);
        let response = client.call_unless_killed(&request, 7)?;
        assert_eq!(response.topics[0].error_code, 0, "{:?}", response.topics[0]);
        self.set(&name, State::Created(response.topics[0].topic_id));
        Some(())
    }

    fn delete_one(&mut self, client: &mut Client) -> Option<()> {
        let living = self.living();
        let (name, id) = living[self.random.below(living.len() as u64) as usize].clone();
        self.set(&name, State::AskedToGo(id));
        let state = DeleteTopicState::default().with_name(None).with_topic_id(id);
        let request = DeleteTopicsRequest::default().with_timeout_ms(15000).with_topics(vec![state]);
        let response = client.call_unless_killed(&request, 6)?;
        assert_eq!(response.responses[0].error_code, 0, "{:?}", response.responses[0]);
        self.set(&name, State::Gone);
        Some(())
    }

    fn take_producer_id(&mut self, client: &mut Client) -> Option<()> {
        let response = client.call_unless_killed(&init_producer_request(), 4)?;
        assert_eq!(response.error_code, 0);
        assert!(self.producer_ids.insert(response.producer_id.0), "{:?} was given twice", response.producer_id);
        Some(())
    }

    fn set(&mut self, name: &TopicName, state: State) {
        self.topics.get_mut(name).expect("it is known").state = state;
    }

    /// Every topic is whole or gone, as far as the client was told which.
    fn check(&mut self, broker: &Broker) {
        let mut client = Client::connect(broker.address());
        let response = client.call(&MetadataRequest::default().with_topics(None), 12);
        let mut found: BTreeMap<TopicName, _> =
            response.topics.into_iter().map(|topic| (topic.name.clone().expect("it has a name"), topic)).collect();
        let mut folders = BTreeSet::from(["__cluster_metadata-0".to_owned()]);
        for (name, known) in &mut self.topics {
            let topic = match (found.remove(name), known.state) {
                (None, State::Asked | State::AskedToGo(_) | State::Gone) => {
                    known.state = State::Gone;
                    continue;
                }
                (None, State::Created(_)) => panic!("{name:?} was created and is gone"),
                (Some(_), State::Gone) => panic!("{name:?} was deleted and is there"),
                (Some(topic), State::Asked) => topic,
                (Some(topic), State::Created(id) | State::AskedToGo(id)) => {
                    assert_eq!(topic.topic_id, id, "{name:?} has another id");
                    topic
                }
            };
            assert_eq!((topic.error_code, topic.partitions.len() as i32), (0, known.partitions));
            known.state = State::Created(topic.topic_id);
            let topic = Topic { name: name.clone(), id: topic.topic_id };
            assert_eq!(retention_ms(&mut client, name), known.retention_ms.to_string());
            for partition in 0..known.partitions {
                let answer = requests::produce(&mut client, 9, &topic, partition, Batch::of(&["whole"]).build());
                assert_eq!(answer.error_code, 0, "{name:?}-{partition} does not take records at once");
                folders.insert(format!("{}-{partition}", name.as_str()));
            }
        }
        assert!(found.is_empty(), "topics that nobody asked for: {found:?}");
        let folder = |path: std::path::PathBuf| path.is_dir().then(|| path.file_name().map(|name| name.to_owned()));
        let there = entries_of(&broker.data()).into_iter().filter_map(folder).flatten();
        let there = there.map(|name| name.to_string_lossy().into_owned());
        // A deletion that was cut off leaves strays, as in Apache Kafka.
        let (strays, there): (BTreeSet<String>, BTreeSet<String>) = there.partition(|name| name.ends_with("-stray"));
        assert_eq!(there, folders, "folders of topics that are gone go, too");
        let is_gone =
            |topic: &str| self.topics.iter().all(|(name, known)| name.as_str() != topic || known.state == State::Gone);
        let topic_of = |stray: &str| stray.split('.').next().and_then(|name| Some(name.rsplit_once('-')?.0.to_owned()));
        assert!(strays.iter().all(|stray| topic_of(stray).is_some_and(|topic| is_gone(&topic))), "{strays:?}");
    }
}

fn retention_ms(client: &mut Client, name: &TopicName) -> String {
    let resource = DescribeConfigsResource::default()
        .with_resource_type(2)
        .with_resource_name(text(name.as_str()))
        .with_configuration_keys(Some(vec![text("retention.ms")]));
    let mut response = client.call(&DescribeConfigsRequest::default().with_resources(vec![resource]), 4);
    response.results[0].configs.remove(0).value.expect("it has a value").to_string()
}

fn cluster_id(broker: &Broker) -> String {
    let response = Client::connect(broker.address()).call(&MetadataRequest::default().with_topics(None), 12);
    response.cluster_id.expect("a cluster has an id").to_string()
}

#[test]
fn a_topic_is_whole_or_gone_after_a_kill_and_no_id_is_given_twice() {
    let rounds = rounds(ROUNDS);
    let random = Random::seeded();
    let mut moments = random.clone();
    let mut churn = Churn { random, topics: BTreeMap::new(), producer_ids: BTreeSet::new() };
    let mut broker = Broker::start();
    let cluster = cluster_id(&broker);
    let mut states = BTreeMap::<String, usize>::new();
    for _ in 0..rounds {
        let moment = moments.milliseconds(200);
        let address = broker.address().to_owned();
        std::thread::scope(|scope| {
            scope.spawn(|| churn.run(&address));
            std::thread::sleep(moment);
            broker.kill();
        });
        // What was interrupted, to see that the kills hit something.
        for known in churn.topics.values().filter(|known| !matches!(known.state, State::Created(_) | State::Gone)) {
            *states.entry(format!("{:?}", known.state).split('(').next().expect("a name").to_owned()).or_default() += 1;
        }
        for _ in 0..moments.below(3) {
            kill_while_starting(&broker, &["num.partitions=4"], moments.milliseconds(60));
        }
        expect_no_problem(&broker.data());
        broker.start_again(&["num.partitions=4"]);
        assert_eq!(cluster_id(&broker), cluster);
        churn.check(&broker);
    }
    let (topics, ids) = (churn.topics.len(), churn.producer_ids.len());
    println!("{rounds} rounds, {topics} topics, {ids} producer ids; interrupted: {states:?}");
}

#[test]
fn a_first_start_that_was_killed_at_any_moment_is_made_good_by_the_next() {
    let mut random = Random::seeded();
    for _ in 0..6 {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let data = directory.path().join("data");
        let mut command = broker::command(&data, &[]);
        let started = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let mut process = started.expect("the broker can be started");
        let moment = random.milliseconds(40);
        std::thread::sleep(moment);
        process.kill().expect("the broker can be killed");
        process.wait().expect("the broker can be awaited");
        println!("killed after {moment:?}, with {:?}", data.exists().then(|| entries_of(&data).len()));
        let broker = Broker::start_in(directory, &[]);
        let mut client = Client::connect(broker.address());
        Topic::create(&mut client, 1, &[]);
    }
}

#[test]
fn a_topic_of_many_partitions_is_whole_or_gone_after_a_kill() {
    let mut random = Random::seeded();
    let mut broker = Broker::start();
    let partitions = 300;
    let mut outcomes = Vec::new();
    for _ in 0..rounds(4) {
        let name = new_name();
        let request = create_request(&name, partitions, &[]);
        let mut client = Client::connect(broker.address());
        let frame = client.frame(&request, 7);
        client.send_bytes(&frame);
        std::thread::sleep(random.milliseconds(120));
        broker.kill_and_restart(&["num.partitions=4"]);
        let mut client = Client::connect(broker.address());
        let found = client.call(&requests::metadata_request(&[&name]), 12).topics.remove(0);
        outcomes.push(found.error_code);
        let folders = entries_of(&broker.data())
            .into_iter()
            .filter(|path| path.file_name().is_some_and(|folder| folder.to_string_lossy().starts_with(name.as_str())));
        let folders = folders.count() as i32;
        if found.error_code == UNKNOWN_TOPIC {
            assert_eq!(folders, 0, "nothing is left of it");
            continue;
        }
        assert_eq!((found.error_code, found.partitions.len() as i32, folders), (0, partitions, partitions));
        let topic = Topic { name, id: found.topic_id };
        let all: Vec<_> = (0..partitions).map(|partition| (partition, Batch::of(&["whole"]).build())).collect();
        let response = client.call(&requests::produce_request(9, &topic, &all), 9);
        assert!(response.responses[0].partition_responses.iter().all(|answer| answer.error_code == 0), "{response:?}");
    }
    println!("what Metadata said: {outcomes:?}");
}
