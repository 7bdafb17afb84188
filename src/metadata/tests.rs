use super::*;
use crate::types::{BrokerEpoch, BrokerId, ClusterId, LeaderEpoch, PartitionEpoch, PartitionIndex};
use crate::types::{ProducerId, TimestampMs, TopicId, TopicName};
use uuid::Uuid;

fn image() -> ClusterImage {
    ClusterImage::new(ClusterId("cluster".into()))
}

fn id(number: u128) -> TopicId {
    TopicId(Uuid::from_u128(number))
}

fn topic(name: &str, number: u128) -> Record {
    Record::Topic { name: TopicName::new(name).unwrap(), id: id(number), created_at: TimestampMs(7) }
}

fn partition(number: u128, index: i32) -> Record {
    Record::Partition {
        topic: id(number),
        partition: PartitionIndex(index),
        replicas: vec![BrokerId(1), BrokerId(2)],
        isr: vec![BrokerId(1)],
        leader: Some(BrokerId(1)),
        leader_epoch: LeaderEpoch(0),
        partition_epoch: PartitionEpoch(0),
    }
}

fn config(resource: ConfigResource, name: &str, value: Option<&str>) -> Record {
    Record::Config { resource, name: name.into(), value: value.map(Into::into) }
}

fn feature(name: &str, level: i16) -> Record {
    Record::FeatureLevel { name: name.into(), level }
}

fn broker(number: i32) -> Record {
    Record::RegisterBroker {
        id: BrokerId(number),
        incarnation: Uuid::from_u128(99),
        endpoints: vec![Endpoint {
            name: "PLAINTEXT".into(),
            host: "localhost".into(),
            port: 9092,
            protocol: SecurityProtocol::Plaintext,
        }],
        rack: None,
        fenced: false,
        epoch: None,
    }
}

fn applied(records: &[Record]) -> ClusterImage {
    let mut image = image();
    image.apply(5, records).unwrap();
    image
}

#[test]
fn a_topic_is_found_by_name_and_by_id_and_in_order_of_names() {
    let image = applied(&[topic("b", 2), topic("a", 1), partition(2, 0), partition(2, 1)]);
    assert_eq!(image.index, 5);
    assert_eq!(image.topic("b").unwrap().partitions.len(), 2);
    assert_eq!(image.topic_by_id(id(2)), image.topic("b"));
    assert_eq!(image.topic("b").unwrap().partition(PartitionIndex(1)).unwrap().leader, Some(BrokerId(1)));
    assert_eq!(image.topic("b").unwrap().partition(PartitionIndex(2)), None);
    assert_eq!(image.topic("b").unwrap().replication_factor(), 2);
    assert_eq!(image.topics().map(|topic| topic.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(image.topic_by_id(id(3)), None);
}

#[test]
fn an_image_that_was_published_does_not_change_and_shares_what_a_change_does_not_touch() {
    let before = applied(&[topic("a", 1), partition(1, 0), topic("b", 2), partition(2, 0)]);
    let mut after = before.clone();
    after.apply(6, &[partition(1, 1), config(ConfigResource::Topic(id(1)), "retention.ms", Some("1"))]).unwrap();
    assert_eq!(before.topic("a").unwrap().partitions.len(), 1);
    assert_eq!(after.topic("a").unwrap().partitions.len(), 2);
    assert!(std::sync::Arc::ptr_eq(before.topic("b").unwrap(), after.topic("b").unwrap()));
}

#[test]
fn a_removed_topic_takes_its_name_its_id_and_its_collisions_with_it() {
    let mut image = applied(&[topic("a.b", 1), partition(1, 0)]);
    let other = TopicName::new("a_b").unwrap();
    assert_eq!(image.colliding_topic(&other).map(TopicName::as_str), Some("a.b"));
    assert_eq!(image.colliding_topic(&TopicName::new("a.b").unwrap()), None);
    image.apply(6, &[Record::RemoveTopic { id: id(1) }]).unwrap();
    assert_eq!(image.colliding_topic(&other), None);
    assert_eq!(image.topics().len(), 0);
    image.apply(7, &[topic("a_b", 1)]).unwrap();
    assert!(image.topic("a_b").is_some());
}

#[test]
fn the_epoch_of_a_broker_is_the_index_of_its_entry() {
    let mut image = applied(&[broker(1)]);
    assert_eq!(image.brokers[&BrokerId(1)].epoch, BrokerEpoch(5));
    image.apply(9, &[broker(1)]).unwrap();
    assert_eq!(image.brokers[&BrokerId(1)].epoch, BrokerEpoch(9));
}

#[test]
fn settings_are_set_and_removed_for_all_that_has_some() {
    let one = ConfigResource::Broker(BrokerId(1));
    let subscription = ConfigResource::ClientMetrics("sub".into());
    let mut image = applied(&[
        topic("a", 1),
        config(ConfigResource::Topic(id(1)), "x", Some("1")),
        config(one.clone(), "y", Some("2")),
        config(ConfigResource::Brokers, "z", Some("3")),
        config(subscription.clone(), "metrics", Some("*")),
    ]);
    assert_eq!(image.client_metrics["sub"]["metrics"], "*");
    assert_eq!(image.topic("a").unwrap().configs["x"], "1");
    assert_eq!(image.broker_configs[&BrokerId(1)]["y"], "2");
    assert_eq!(image.default_broker_configs["z"], "3");
    let removals = [
        config(ConfigResource::Topic(id(1)), "x", None),
        config(one, "y", None),
        config(ConfigResource::Brokers, "z", None),
        config(subscription, "metrics", None),
    ];
    image.apply(6, &removals).unwrap();
    assert!(image.topic("a").unwrap().configs.is_empty());
    assert!(image.broker_configs.is_empty() && image.default_broker_configs.is_empty());
    assert!(image.client_metrics.is_empty(), "a subscription is its settings");
}

#[test]
fn a_feature_has_its_last_level_and_is_gone_at_level_0() {
    let mut image = applied(&[feature("a", 1), feature("b", 2), feature("a", 3)]);
    assert_eq!((image.features["a"], image.features["b"]), (3, 2));
    image.apply(6, &[feature("a", 0), feature("never was", 0)]).unwrap();
    assert_eq!(image.features.keys().collect::<Vec<_>>(), ["b"]);
}

#[test]
fn the_next_leader_epochs_go_to_the_partitions_of_that_leader_alone() {
    let mut image = applied(&[topic("a", 1), partition(1, 0), topic("b", 2), partition(2, 0)]);
    let led_by_two = Record::Partition {
        topic: id(2),
        partition: PartitionIndex(0),
        replicas: vec![BrokerId(2)],
        isr: vec![BrokerId(2)],
        leader: Some(BrokerId(2)),
        leader_epoch: LeaderEpoch(3),
        partition_epoch: PartitionEpoch(4),
    };
    image.apply(6, &[led_by_two, Record::NextLeaderEpochs { leader: BrokerId(1) }]).unwrap();
    let epochs = |name: &str| {
        let partition = &image.topic(name).unwrap().partitions[0];
        (partition.leader_epoch.0, partition.partition_epoch.0)
    };
    assert_eq!((epochs("a"), epochs("b")), ((1, 1), (3, 4)));
}

#[test]
fn a_record_that_does_not_fit_is_refused() {
    let base = [topic("a.b", 1), partition(1, 0), Record::ProducerIds { next: ProducerId(1000), broker: BrokerId(1) }];
    let refused = |record: Record| applied(&base).apply(6, &[record]).unwrap_err();
    assert!(matches!(refused(topic("a.b", 2)), Inconsistent::TopicExists(_)));
    assert!(matches!(refused(topic("c", 1)), Inconsistent::TopicExists(_)));
    assert!(matches!(refused(topic("a_b", 2)), Inconsistent::TopicCollides(..)));
    assert!(matches!(refused(partition(1, 2)), Inconsistent::PartitionGap(..)));
    assert!(matches!(refused(partition(1, -1)), Inconsistent::PartitionGap(..)));
    assert!(matches!(refused(partition(2, 0)), Inconsistent::UnknownTopic(_)));
    assert!(matches!(refused(Record::RemoveTopic { id: id(2) }), Inconsistent::UnknownTopic(_)));
    let backwards = Record::ProducerIds { next: ProducerId(999), broker: BrokerId(1) };
    assert!(matches!(refused(backwards), Inconsistent::Counter(_)));
    let foreign_leader = Record::Partition {
        topic: id(1),
        partition: PartitionIndex(0),
        replicas: vec![BrokerId(1)],
        isr: vec![BrokerId(1)],
        leader: Some(BrokerId(2)),
        leader_epoch: LeaderEpoch(0),
        partition_epoch: PartitionEpoch(0),
    };
    assert!(matches!(refused(foreign_leader), Inconsistent::PartitionReplicas(..)));
}

#[test]
fn an_image_comes_back_from_its_records() {
    let mut original = applied(&[
        broker(1),
        broker(2),
        topic("a.b", 1),
        partition(1, 0),
        partition(1, 1),
        topic("empty", 2),
        config(ConfigResource::Topic(id(1)), "x", Some("1")),
        config(ConfigResource::Broker(BrokerId(1)), "y", Some("2")),
        config(ConfigResource::Brokers, "z", Some("3")),
        config(ConfigResource::ClientMetrics("sub".into()), "metrics", Some("*")),
        Record::ProducerIds { next: ProducerId(3000), broker: BrokerId(1) },
        feature("metadata.version", 27),
    ]);
    original.apply(8, &[Record::NextLeaderEpochs { leader: BrokerId(1) }]).unwrap();
    let json = serde_json::to_string(&original.records().collect::<Vec<_>>()).unwrap();
    let records: Vec<Record> = serde_json::from_str(&json).unwrap();
    assert_eq!(ClusterImage::restore(original.cluster_id.clone(), 8, records).unwrap(), original);
}

/// The log keeps records for ever: these texts are as the first version wrote them, and must never be changed.
#[test]
fn records_are_read_as_the_first_version_wrote_them() {
    let written = [
        r#"{"RegisterBroker":{"id":1,"incarnation":"AAAAAAAAAAAAAAAAAAAAYw","endpoints":[{"name":"PLAINTEXT","host":"localhost","port":9092,"protocol":"PLAINTEXT"}],"rack":null,"fenced":false,"epoch":null}}"#,
        r#"{"Topic":{"name":"a","id":"AAAAAAAAAAAAAAAAAAAAAQ","created_at":7}}"#,
        r#"{"Partition":{"topic":"AAAAAAAAAAAAAAAAAAAAAQ","partition":0,"replicas":[1,2],"isr":[1],"leader":1,"leader_epoch":0,"partition_epoch":0}}"#,
        r#"{"RemoveTopic":{"id":"AAAAAAAAAAAAAAAAAAAAAQ"}}"#,
        r#"{"Config":{"resource":{"Topic":"AAAAAAAAAAAAAAAAAAAAAQ"},"name":"x","value":"1"}}"#,
        r#"{"Config":{"resource":{"Broker":1},"name":"x","value":null}}"#,
        r#"{"Config":{"resource":"Brokers","name":"x","value":null}}"#,
        r#"{"Config":{"resource":{"ClientMetrics":"sub"},"name":"metrics","value":"*"}}"#,
        r#"{"ProducerIds":{"next":1000,"broker":1}}"#,
        r#"{"NextLeaderEpochs":{"leader":1}}"#,
        r#"{"FeatureLevel":{"name":"metadata.version","level":27}}"#,
    ];
    let records = [
        broker(1),
        topic("a", 1),
        partition(1, 0),
        Record::RemoveTopic { id: id(1) },
        config(ConfigResource::Topic(id(1)), "x", Some("1")),
        config(ConfigResource::Broker(BrokerId(1)), "x", None),
        config(ConfigResource::Brokers, "x", None),
        config(ConfigResource::ClientMetrics("sub".into()), "metrics", Some("*")),
        Record::ProducerIds { next: ProducerId(1000), broker: BrokerId(1) },
        Record::NextLeaderEpochs { leader: BrokerId(1) },
        feature("metadata.version", 27),
    ];
    for (text, record) in written.into_iter().zip(records) {
        assert_eq!(serde_json::from_str::<Record>(text).unwrap(), record);
        assert_eq!(serde_json::to_string(&record).unwrap(), text);
    }
}

#[test]
fn client_quotas_are_set_removed_and_restored_to_the_last_bit() {
    let user = QuotaEntity { user: Some(EntityName::Named("u".into())), ..QuotaEntity::default() };
    let anybody = QuotaEntity { client_id: Some(EntityName::Default), ..QuotaEntity::default() };
    let quota = |entity: &QuotaEntity, key: &str, value: Option<f64>| Record::ClientQuota {
        entity: entity.clone(),
        key: key.into(),
        value: value.map(QuotaValue),
    };
    let set = [
        quota(&user, "producer_byte_rate", Some(0.1 + 0.2)),
        quota(&user, "consumer_byte_rate", Some(1e300)),
        quota(&anybody, "request_percentage", Some(5.0)),
    ];
    let mut image = applied(&set);
    let stored: Vec<Record> =
        image.records().map(|r| serde_json::from_str(&serde_json::to_string(&r).unwrap()).unwrap()).collect();
    let restored = ClusterImage::restore(image.cluster_id.clone(), image.index, stored).unwrap();
    assert_eq!(restored, image);
    assert_eq!(restored.client_quotas[&user]["producer_byte_rate"], QuotaValue(0.1 + 0.2));
    image.apply(6, &[quota(&anybody, "request_percentage", None)]).unwrap();
    assert_eq!(image.client_quotas.keys().collect::<Vec<_>>(), [&user], "an entity without a quota is gone");
}
