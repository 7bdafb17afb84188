use super::topic::{Rules, decide_creation, decide_deletion};
use super::*;
use crate::config::DynamicSettings;
use crate::metadata::{Endpoint, Feature, Partition, SecurityProtocol, Topic};
use crate::quorum::QuorumConfig;
use crate::runtime::Disk;
use crate::types::{BrokerId, ClusterId, LeaderEpoch, PartitionEpoch, ProducerId, TimestampMs, TopicName};
use uuid::Uuid;

const DEFAULTS: Defaults = Defaults { partitions: 3, replication_factor: 1 };

fn registration(id: i32, incarnation: u128) -> BrokerRegistration {
    let endpoint = Endpoint {
        name: "PLAINTEXT".into(),
        host: "localhost".into(),
        port: 9092,
        protocol: SecurityProtocol::Plaintext,
    };
    BrokerRegistration {
        id: BrokerId(id),
        incarnation: Uuid::from_u128(incarnation),
        endpoints: vec![endpoint],
        rack: None,
    }
}

fn image(brokers: i32) -> ClusterImage {
    let mut image = ClusterImage::new(ClusterId("cluster".into()));
    for id in 1..=brokers {
        let (records, _) = broker::decide_registration(&image, &registration(id, 1));
        image.apply(id as u64, &records).unwrap();
    }
    image
}

fn fence(image: &mut ClusterImage, id: i32) {
    image.brokers.get_mut(&BrokerId(id)).unwrap().fenced = true;
}

fn no_foo(configs: &BTreeMap<String, String>) -> Result<(), String> {
    if configs.contains_key("foo") { Err("Unknown topic config name: foo".into()) } else { Ok(()) }
}

fn topic(name: &str) -> NewTopic {
    NewTopic { name: name.into(), ..NewTopic::default() }
}

fn assigned(name: &str, assignments: &[(i32, &[i32])]) -> NewTopic {
    let assignments = assignments.iter().map(|(index, brokers)| (*index, brokers.to_vec())).collect();
    NewTopic { assignments, ..topic(name) }
}

fn decide(image: &ClusterImage, topics: &[NewTopic]) -> Decision<Created> {
    let rules = Rules { defaults: DEFAULTS, config_check: &no_foo, now: TimestampMs(7) };
    let mut number = 0;
    decide_creation(image, topics, &rules, &mut MutationQuota::unlimited(), || {
        number += 1;
        TopicId(Uuid::from_u128(number))
    })
}

fn refusal(image: &ClusterImage, new: NewTopic) -> TopicError {
    let (records, mut reply) = decide(image, &[new]);
    assert_eq!(records, []);
    reply.remove(0).1.unwrap_err()
}

fn replicas(topic: &Topic) -> Vec<Vec<i32>> {
    let ids = |partition: &Partition| partition.replicas.iter().map(|id| id.0).collect();
    topic.partitions.iter().map(ids).collect()
}

#[test]
fn a_created_topic_is_in_the_image_as_it_was_in_the_reply() {
    let mut image = image(1);
    let configs = vec![("retention.ms".into(), Some("1".into()))];
    let (records, reply) = decide(&image, &[NewTopic { partitions: Some(2), configs, ..topic("a") }, topic("b")]);
    image.apply(9, &records).unwrap();
    for (name, created) in reply {
        assert_eq!(image.topic(&name).unwrap(), &created.unwrap());
    }
    let a = image.topic("a").unwrap();
    assert_eq!((a.created_at, a.configs["retention.ms"].as_str()), (TimestampMs(7), "1"));
    assert_eq!(replicas(a), [[1], [1]]);
    assert_eq!((a.partitions[0].leader, &*a.partitions[0].isr), (Some(BrokerId(1)), &[BrokerId(1)][..]));
    assert_eq!((a.partitions[0].leader_epoch, a.partitions[0].partition_epoch), (LeaderEpoch(0), PartitionEpoch(0)));
    assert_eq!(image.topic("b").unwrap().partitions.len(), 3);
}

#[test]
fn each_topic_of_a_request_succeeds_or_fails_by_itself() {
    let (records, reply) =
        decide(&image(1), &[topic("a/b"), topic("ok"), NewTopic { partitions: Some(0), ..topic("c") }]);
    assert_eq!(reply.iter().map(|(_, result)| result.is_ok()).collect::<Vec<_>>(), [false, true, false]);
    assert_eq!(records.len(), 4);
}

#[test]
fn names_are_refused_as_kafka_refuses_them() {
    let mut image = image(1);
    let (records, _) = decide(&image, &[topic("a.b")]);
    image.apply(9, &records).unwrap();
    let invalid = |text: &str| TopicError::InvalidTopic(text.into());
    assert_eq!(refusal(&image, topic("")), invalid("Topic name is invalid: the empty string is not allowed"));
    assert!(matches!(refusal(&image, topic("a/b")), TopicError::InvalidTopic(_)));
    assert_eq!(refusal(&image, topic("a_b")), invalid("Topic 'a_b' collides with existing topic: a.b"));
    let exists = TopicError::TopicAlreadyExists("Topic 'a.b' already exists.".into());
    assert_eq!(refusal(&image, topic("a.b")), exists);
    let prohibited = "Creation of internal topic __cluster_metadata is prohibited.";
    assert_eq!(refusal(&image, topic("__cluster_metadata")), TopicError::InvalidRequest(prohibited.into()));
}

#[test]
fn names_that_collide_within_a_request_are_refused_but_the_first() {
    let (_, reply) = decide(&image(1), &[topic("x.y"), topic("x_y")]);
    assert!(reply[0].1.is_ok());
    assert!(matches!(reply[1].1, Err(TopicError::InvalidTopic(_))));
}

#[test]
fn a_name_that_is_given_twice_is_refused_once_and_created_never() {
    let (records, reply) = decide(&image(1), &[topic("a"), topic("b"), topic("a")]);
    assert_eq!(reply.len(), 2);
    assert_eq!(reply[0], ("a".into(), Err(TopicError::InvalidRequest("Duplicate topic name.".into()))));
    assert!(reply[1].1.is_ok());
    assert_eq!(records.len(), 4);
}

#[test]
fn counts_are_refused_as_kafka_refuses_them() {
    let image = image(2);
    for count in [0, -2, i32::MIN] {
        let text = "Number of partitions was set to an invalid non-positive value.";
        let refused = refusal(&image, NewTopic { partitions: Some(count), ..topic("a") });
        assert_eq!(refused, TopicError::InvalidPartitions(text.into()));
    }
    for factor in [0, -2, i16::MIN] {
        let text = "Replication factor must be larger than 0, or -1 to use the default value.";
        let refused = refusal(&image, NewTopic { replication_factor: Some(factor), ..topic("a") });
        assert_eq!(refused, TopicError::InvalidReplicationFactor(text.into()));
    }
    let refused = refusal(&image, NewTopic { replication_factor: Some(3), ..topic("a") });
    assert!(matches!(refused, TopicError::InvalidReplicationFactor(_)), "{refused}");
}

#[test]
fn a_request_for_too_many_partitions_is_refused_whole() {
    let many = |name, count| NewTopic { partitions: Some(count), ..topic(name) };
    let (records, reply) = decide(&image(1), &[many("a", 5000), many("b", 5000)]);
    assert_eq!((records.len(), reply.len()), (10_002, 2));
    for topics in [[many("a", 5000), many("b", 5001)], [many("a", i32::MAX), many("b", i32::MAX)]] {
        let (records, reply) = decide(&image(1), &topics);
        assert_eq!(records, []);
        assert!(reply.iter().all(|(_, result)| matches!(result, Err(TopicError::PolicyViolation(_)))));
    }
}

#[test]
fn assignments_are_refused_as_kafka_refuses_them() {
    let mut image = image(3);
    fence(&mut image, 3);
    let counts = NewTopic { partitions: Some(1), ..assigned("a", &[(0, &[1])]) };
    let text = "A manual partition assignment was specified, but numPartitions was not set to -1.";
    assert_eq!(refusal(&image, counts), TopicError::InvalidRequest(text.into()));
    let counts = NewTopic { replication_factor: Some(1), ..assigned("a", &[(0, &[1])]) };
    let text = "A manual partition assignment was specified, but replication factor was not set to -1.";
    assert_eq!(refusal(&image, counts), TopicError::InvalidRequest(text.into()));
    type Case<'a> = (&'a [(i32, &'a [i32])], &'a str);
    let cases: &[Case<'_>] = &[
        (&[(0, &[1]), (0, &[2])], "Found multiple manual partition assignments for partition 0"),
        (&[(0, &[])], "The manual partition assignment includes an empty replica list."),
        (&[(0, &[9])], "The manual partition assignment includes broker 9, but no such broker is registered."),
        (&[(0, &[1, 1])], "The manual partition assignment includes the broker 1 more than once."),
        (
            &[(0, &[1, 2]), (1, &[1])],
            "The manual partition assignment includes a partition with 1 replica(s), but this is not consistent with \
             previous partitions, which have 2 replica(s).",
        ),
        (&[(0, &[1]), (2, &[1])], "partitions should be a consecutive 0-based integer sequence"),
        (&[(-1, &[1]), (0, &[1])], "partitions should be a consecutive 0-based integer sequence"),
        (
            &[(0, &[3])],
            "All brokers specified in the manual partition assignment for partition 0 are fenced or in controlled \
             shutdown.",
        ),
    ];
    for (assignments, text) in cases {
        let refused = refusal(&image, assigned("a", assignments));
        assert_eq!(refused, TopicError::InvalidReplicaAssignment((*text).into()));
    }
}

#[test]
fn an_assignment_is_taken_as_given_and_led_by_the_first_broker_that_takes_part() {
    let mut image = image(3);
    fence(&mut image, 3);
    let (_, reply) = decide(&image, &[assigned("a", &[(1, &[3, 2]), (0, &[2, 1])])]);
    let created = reply[0].1.as_ref().unwrap();
    assert_eq!(replicas(created), [[2, 1], [3, 2]]);
    assert_eq!(created.partitions[1].leader, Some(BrokerId(2)));
    assert_eq!(&*created.partitions[1].isr, &[BrokerId(2)]);
}

#[test]
fn settings_are_checked_and_absent_values_refused() {
    let with = |configs: &[(&str, Option<&str>)]| {
        let configs = configs.iter().map(|(name, value)| ((*name).into(), value.map(Into::into))).collect();
        NewTopic { configs, ..topic("a") }
    };
    let text = "Null value not supported for topic configs: x,y";
    let refused = refusal(&image(1), with(&[("x", None), ("z", Some("1")), ("y", None)]));
    assert_eq!(refused, TopicError::InvalidConfig(text.into()));
    let refused = refusal(&image(1), with(&[("foo", Some("1"))]));
    assert_eq!(refused, TopicError::InvalidConfig("Unknown topic config name: foo".into()));
}

#[test]
fn replicas_go_round_the_brokers_and_no_partition_has_one_twice() {
    for brokers in 1..=6 {
        for factor in 1..=brokers {
            let new = NewTopic { partitions: Some(brokers * 4), replication_factor: Some(factor as i16), ..topic("a") };
            let (_, reply) = decide(&image(brokers), &[new]);
            let placed = replicas(reply[0].1.as_ref().unwrap());
            for id in 1..=brokers {
                assert_eq!(placed.iter().filter(|replicas| replicas[0] == id).count(), 4);
                let kept = placed.iter().filter(|replicas| replicas.contains(&id)).count();
                assert_eq!(kept, 4 * factor as usize, "broker {id} of {brokers}, factor {factor}");
            }
        }
    }
}

#[test]
fn a_fenced_broker_is_taken_only_when_the_others_are_too_few_and_never_leads() {
    let mut image = image(3);
    fence(&mut image, 2);
    let with = |factor| NewTopic { partitions: Some(6), replication_factor: Some(factor), ..topic("a") };
    let (_, reply) = decide(&image, &[with(2)]);
    assert!(replicas(reply[0].1.as_ref().unwrap()).iter().all(|replicas| !replicas.contains(&2)));
    let (_, reply) = decide(&image, &[with(3)]);
    for partition in &reply[0].1.as_ref().unwrap().partitions {
        assert!(partition.replicas.contains(&BrokerId(2)) && !partition.isr.contains(&BrokerId(2)));
    }
    fence(&mut image, 1);
    fence(&mut image, 3);
    let text = "Unable to replicate the partition 2 time(s): All brokers are currently fenced.";
    assert_eq!(refusal(&image, with(2)), TopicError::InvalidReplicationFactor(text.into()));
}

#[test]
fn topics_are_deleted_by_name_and_by_id() {
    let mut image = image(1);
    let (records, reply) = decide(&image, &["a", "b", "c", "d"].map(topic));
    image.apply(9, &records).unwrap();
    let ids: Vec<_> = reply.iter().map(|(_, result)| result.as_ref().unwrap().id).collect();
    let name = |name: &str| TopicRef::Name(name.into());
    let id = TopicRef::Id;
    let request = [name("a"), id(ids[1]), id(ids[3]), name("b"), name("c"), name("c"), name("none"), id(TopicId::NONE)];
    let (records, reply) = decide_deletion(&image, &request, &mut MutationQuota::unlimited());
    let results: Vec<_> = reply.into_iter().map(|(_, result)| result).collect();
    let name_of = |result: &Result<DeletedTopic, TopicError>| result.as_ref().unwrap().name.to_string();
    assert_eq!((name_of(&results[0]), name_of(&results[1])), ("a".into(), "d".into()));
    assert_eq!(results[2], Err(TopicError::NamedTwice(ids[1])));
    assert_eq!(results[3], Err(TopicError::InvalidRequest("Duplicate topic name.".into())));
    assert!(matches!(results[4], Err(TopicError::UnknownTopic(_))));
    assert!(matches!(results[5], Err(TopicError::UnknownTopicId(_))));
    assert_eq!(results.len(), 6, "a topic named in both ways has one answer");
    image.apply(10, &records).unwrap();
    assert_eq!(image.topics().map(|topic| topic.name.as_str()).collect::<Vec<_>>(), ["b", "c"]);
}

#[test]
fn producer_ids_end_before_they_run_over() {
    let mut image = image(1);
    let (records, block) = broker::decide_producer_ids(&image, BrokerId(1)).unwrap();
    assert_eq!(block, 0..1000);
    image.apply(9, &records).unwrap();
    assert_eq!(broker::decide_producer_ids(&image, BrokerId(1)).unwrap().1, 1000..2000);
    image.next_producer_id = ProducerId(i64::MAX - 999);
    assert_eq!(broker::decide_producer_ids(&image, BrokerId(1)).unwrap_err(), Error::ProducerIdsExhausted);
}

#[test]
fn a_registration_that_stands_is_not_written_again() {
    let image = image(1);
    let (records, epoch) = broker::decide_registration(&image, &registration(1, 1));
    assert_eq!((records.len(), epoch), (0, Some(BrokerEpoch(1))));
    assert_eq!(broker::decide_registration(&image, &registration(1, 2)).0.len(), 1);
}

fn config_rules() -> ConfigRules {
    let list_default = |name: &str, _: &DynamicSettings| (name == "list").then(|| "a,b".to_owned());
    let broker = |_, _: &DynamicSettings, _: &DynamicSettings| Ok(());
    ConfigRules {
        local: BrokerId(1),
        topic: Arc::new(no_foo),
        list_default: Arc::new(list_default),
        broker: Arc::new(broker),
    }
}

async fn controller(path: &std::path::Path) -> (Controller, Quorum) {
    let config = QuorumConfig { node_id: BrokerId(1), cluster_id: ClusterId("cluster".into()), disk: Disk::system() };
    let quorum = Quorum::open(path, config).await.unwrap();
    let clock = Clock::manual(TimestampMs(7));
    (Controller::new(quorum.clone(), clock, DEFAULTS, config_rules()), quorum)
}

#[tokio::test]
async fn commands_take_effect_and_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (controller, quorum) = controller(folder.path()).await;
    let registered = controller.register_broker(registration(1, 1)).await.unwrap();
    assert_eq!(quorum.image().brokers[&BrokerId(1)].epoch, registered.reply);
    assert_eq!(i64::try_from(registered.index).unwrap(), registered.reply.0);
    let again = controller.register_broker(registration(1, 1)).await.unwrap();
    assert_eq!(again, registered);

    let validated =
        controller.create_topics(vec![topic("a")], Mode::Validate, &mut MutationQuota::unlimited()).await.unwrap();
    assert_eq!(validated.reply[0].1.as_ref().unwrap().partitions.len(), 3);
    assert!(quorum.image().topic("a").is_none());
    let created = controller
        .create_topics(vec![topic("a"), topic("b")], Mode::Apply, &mut MutationQuota::unlimited())
        .await
        .unwrap();
    assert_eq!(quorum.image().index, created.index);
    assert_eq!(quorum.image().topic("a"), created.reply[0].1.as_ref().ok());

    assert_eq!(controller.allocate_producer_ids(BrokerId(1)).await.unwrap(), 0..1000);
    controller.bump_leader_epochs(BrokerId(1)).await.unwrap();
    assert_eq!(quorum.image().topic("a").unwrap().partitions[2].leader_epoch, LeaderEpoch(1));
    controller.delete_topics(vec![TopicRef::Name("b".into())], &mut MutationQuota::unlimited()).await.unwrap();
    let before = quorum.image();
    assert_eq!(before.topics().len(), 1);
    drop(controller);
    quorum.shutdown().await;

    let (controller, quorum) = self::controller(folder.path()).await;
    assert_eq!(quorum.image(), before);
    assert_eq!(controller.allocate_producer_ids(BrokerId(1)).await.unwrap(), 1000..2000);
    let registered = controller.register_broker(registration(1, 2)).await.unwrap();
    assert!(registered.reply > before.brokers[&BrokerId(1)].epoch);
}

#[tokio::test]
async fn concurrent_commands_are_all_carried_out_and_a_stale_one_is_decided_again() {
    let folder = tempfile::tempdir().unwrap();
    let (controller, quorum) = controller(folder.path()).await;
    controller.register_broker(registration(1, 1)).await.unwrap();
    let creations = (0..20).map(|n| {
        let topics = vec![NewTopic { partitions: Some(1), ..topic(&format!("t{n}")) }];
        let controller = &controller;
        async move { controller.create_topics(topics, Mode::Apply, &mut MutationQuota::unlimited()).await }
    });
    // Beside the controller's lock, so that its decisions do go stale.
    let intruder = async {
        for number in 0..20 {
            let name = TopicName::new(&format!("intruder{number}")).unwrap();
            let record = Record::Topic { name, id: TopicId::random(), created_at: TimestampMs(0) };
            while quorum.propose(vec![record.clone()], quorum.image().index).await.is_err() {}
        }
    };
    let (created, ()) = tokio::join!(futures_util::future::join_all(creations), intruder);
    assert!(created.into_iter().all(|decided| decided.unwrap().reply[0].1.is_ok()));
    assert_eq!(quorum.image().topics().len(), 40);
}

#[tokio::test]
async fn a_caller_that_gives_up_leaves_the_controller_usable() {
    let folder = tempfile::tempdir().unwrap();
    let (controller, quorum) = controller(folder.path()).await;
    controller.register_broker(registration(1, 1)).await.unwrap();
    for number in 0..50 {
        let mut quota = MutationQuota::unlimited();
        let given_up = controller.create_topics(vec![topic(&format!("given-up{number}"))], Mode::Apply, &mut quota);
        let mut given_up = Box::pin(given_up);
        // One look sends the proposal, and seldom sees the answer; then the caller is gone.
        let _ = futures_util::poll!(&mut given_up);
        drop(given_up);
        let created = controller
            .create_topics(vec![topic(&format!("kept{number}"))], Mode::Apply, &mut MutationQuota::unlimited())
            .await
            .unwrap();
        assert!(created.reply[0].1.is_ok());
    }
    let kept = quorum.image().topics().filter(|topic| topic.name.as_str().starts_with("kept")).count();
    assert_eq!(kept, 50);
}

const FEATURES: &[Feature] = &[
    Feature { name: "metadata.version", levels: 7..=30, initial: 30 },
    Feature { name: "transaction.version", levels: 0..=2, initial: 0 },
];

fn update(name: &str, level: i16, direction: Option<Direction>) -> FeatureUpdate {
    FeatureUpdate { name: name.into(), level, direction }
}

fn updated(image: &ClusterImage, updates: &[FeatureUpdate]) -> Result<Vec<(String, i16)>, String> {
    let rules = features::Rules { controller: BrokerId(1), supported: FEATURES };
    let (records, reply) = features::decide_updates(image, updates, &rules);
    let levels = records.into_iter().map(|record| match record {
        Record::FeatureLevel { name, level } => (name, level),
        other => panic!("{other:?}"),
    });
    let levels: Vec<_> = levels.collect();
    assert!(reply.is_ok() || levels.is_empty(), "all or nothing");
    reply.map(|()| levels).map_err(|e| e.to_string())
}

#[test]
fn kip_584_levels_move_within_their_ranges_and_down_only_when_that_was_meant() {
    let mut image = image(1);
    let (up, down) = (Some(Direction::Upgrade), Some(Direction::Downgrade));
    let levels = |levels: &[(&str, i16)]| {
        Ok(levels.iter().map(|(name, level)| ((*name).to_owned(), *level)).collect::<Vec<_>>())
    };
    let (records, ()) = features::decide_initial_levels(&image, FEATURES).unwrap();
    image.apply(9, &records).unwrap();
    assert_eq!(image.features.clone().into_iter().collect::<Vec<_>>(), [("metadata.version".into(), 30)]);
    assert_eq!(features::decide_initial_levels(&image, FEATURES).unwrap().0, [], "once");

    assert_eq!(updated(&image, &[]), levels(&[]));
    assert_eq!(updated(&image, &[update("metadata.version", 30, up)]), levels(&[]));
    assert_eq!(updated(&image, &[update("metadata.version", 29, down)]), levels(&[("metadata.version", 29)]));
    let both = [update("transaction.version", 2, up), update("metadata.version", 7, down)];
    assert_eq!(updated(&image, &both), levels(&[("transaction.version", 2), ("metadata.version", 7)]));
    let twice = [update("metadata.version", 99, up), update("metadata.version", 30, up)];
    assert_eq!(updated(&image, &twice), levels(&[]), "the last one counts");
    image.apply(10, &[Record::FeatureLevel { name: "transaction.version".into(), level: 2 }]).unwrap();
    let gone = [update("transaction.version", 0, down)];
    assert_eq!(updated(&image, &gone), levels(&[("transaction.version", 0)]));
    // What is known and not supported is at level 0 already.
    assert_eq!(updated(&image, &[update("group.version", 0, up)]), levels(&[]));
}

#[test]
fn kip_584_updates_are_refused_with_the_texts_of_kafka_4_3_and_all_together() {
    let mut image = image(1);
    image.apply(9, &[Record::FeatureLevel { name: "metadata.version".into(), level: 30 }]).unwrap();
    let (up, down) = (Some(Direction::Upgrade), Some(Direction::Downgrade));
    let flag = "Can't downgrade the version of this feature without setting the upgrade type to either safe or unsafe \
                downgrade.";
    for (refused, reason) in [
        (update("nope", 1, up), "Local controller 1 does not support this feature."),
        (update("nope", 0, down), "Feature nope not found."),
        (update("group.version", 1, up), "Local controller 1 does not support this feature."),
        (update("metadata.version", 31, up), "Local controller 1 only supports versions 7-30"),
        (update("metadata.version", 0, down), "Local controller 1 only supports versions 7-30"),
        (update("metadata.version", -1, down), "A feature version cannot be less than 0."),
        (update("metadata.version", -1, None), "The controller does not support the given upgrade type."),
        (update("metadata.version", 29, up), flag),
    ] {
        let expected = format!(
            "The update failed for all features since the following feature had an error: Invalid update version {} for \
             feature {}. {reason}",
            refused.level, refused.name
        );
        let good = update("transaction.version", 1, up);
        assert_eq!(updated(&image, &[good, refused]), Err(expected));
    }
}

#[test]
fn a_feature_that_a_newer_version_finalized_is_not_taken_over() {
    for (name, level) in [("metadata.version", 31), ("transaction.version", 3), ("new.version", 1)] {
        let mut image = image(1);
        image.apply(9, &[Record::FeatureLevel { name: name.into(), level }]).unwrap();
        let refused = features::decide_initial_levels(&image, FEATURES).unwrap_err();
        assert!(matches!(&refused, Error::UnsupportedFeature { name: found, .. } if found == name), "{refused}");
    }
}

#[test]
fn what_one_request_sets_for_all_brokers_and_for_one_must_go_together() {
    let image = ClusterImage::new(ClusterId("cluster".into()));
    let set = |of, name: &str| ConfigChanges {
        of,
        operations: vec![(name.into(), ConfigOperation::Set(Some("1".into())))],
        others: Others::Stay,
    };
    let mut rules = config_rules();
    rules.broker = Arc::new(|_, _: &DynamicSettings, after: &DynamicSettings| {
        let both = after.defaults.contains_key("a") && after.own.contains_key("b");
        if both { Err(DynamicRefusal::InvalidRequest("not both".into())) } else { Ok(()) }
    });
    let changes = [set(Configured::Brokers, "a"), set(Configured::Broker(BrokerId(1)), "b")];
    let (records, reply) = configs::decide_changes(&image, &changes, &rules);
    assert!(reply[0].is_ok() && reply[1].is_err(), "{reply:?}");
    assert_eq!(records.len(), 1);
}
