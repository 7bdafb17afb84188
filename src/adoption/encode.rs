//! The records of Apache Kafka's metadata log that say what an image of ours says, and the file that Kafka's controller begins
//! its log with: a snapshot of them.
//!
//! A value is as in `records`, in the versions that Kafka 4.1 writes.
//!
//! Invariants: what was written here is read back by `records`; the levels of features come first, as Kafka reads them first.
//!
//! Source: `BootstrapDirectory`, `BatchFileWriter`, `metadata/src/main/resources/common/metadata/*.json` of Kafka 4.1.

use super::records::FRAME_VERSION;
use crate::metadata::{ClusterImage, EntityName, Partition, QuotaEntity, SUPPORTED_FEATURES};
use crate::record::BatchBuilder;
use crate::types::{BrokerId, LeaderEpoch, Offset, PartitionIndex, TimestampMs, TopicId};
use std::collections::BTreeMap;

const TOPIC: u8 = 2;
const PARTITION: u8 = 3;
const CONFIG: u8 = 4;
const FEATURE_LEVEL: u8 = 12;
const CLIENT_QUOTA: u8 = 14;
const PRODUCER_IDS: u8 = 15;
/// Types of resources, Kafka's (`ConfigResource.Type`).
const OF_TOPIC: u8 = 2;
const OF_BROKER: u8 = 4;
const OF_CLIENT_METRICS: u8 = 16;
/// Types of control records, Kafka's (`ControlRecordType`).
const SNAPSHOT_HEADER: i16 = 3;
const SNAPSHOT_FOOTER: i16 = 4;
const BATCH_BYTES: usize = 512 << 10;

/// The file for a node that keeps everything in the directory with this id, and leads it from now on.
pub(super) fn bootstrap(image: &ClusterImage, node_id: BrokerId, directory_id: TopicId, now: TimestampMs) -> Vec<u8> {
    let control = |offset, kind: i16, value: &[u8]| {
        let mut batch = BatchBuilder::new(Offset(offset)).leader_epoch(LeaderEpoch(1)).control();
        let key = [0_i16.to_be_bytes(), kind.to_be_bytes()].concat();
        batch.append(now, Some(&key), Some(value), &[]);
        batch.build()
    };
    // Versions of the records' own, and the time up to which the log is contained.
    let mut file = control(0, SNAPSHOT_HEADER, &[&[0, 0][..], &now.0.to_be_bytes(), &[0]].concat()).to_vec();
    let mut values = values(image, node_id, directory_id).into_iter().peekable();
    let mut offset = 1;
    while values.peek().is_some() {
        let mut batch = BatchBuilder::new(Offset(offset)).leader_epoch(LeaderEpoch(1));
        while batch.records_bytes() < BATCH_BYTES
            && let Some(value) = values.next()
        {
            batch.append(now, None, Some(&value), &[]);
            offset += 1;
        }
        file.extend_from_slice(&batch.build());
    }
    file.extend_from_slice(&control(offset, SNAPSHOT_FOOTER, &[0, 0, 0]));
    file
}

fn values(image: &ClusterImage, node_id: BrokerId, directory_id: TopicId) -> Vec<Vec<u8>> {
    let mut values: Vec<_> = levels(image)
        .iter()
        .map(|(name, level)| Value::of(FEATURE_LEVEL, 0).string(name).bytes(&level.to_be_bytes()).end())
        .collect();
    for topic in image.topics() {
        let name = topic.name.as_str();
        values.push(Value::of(TOPIC, 0).string(name).id(topic.id).end());
        let partitions = (0..).map(PartitionIndex).zip(&topic.partitions);
        values.extend(partitions.map(|(index, each)| partition(topic.id, index, each, node_id, directory_id)));
        values.extend(configs(OF_TOPIC, name, &topic.configs));
    }
    values.extend(configs(OF_BROKER, "", &image.default_broker_configs));
    for (id, settings) in &image.broker_configs {
        values.extend(configs(OF_BROKER, &id.to_string(), settings));
    }
    for (name, settings) in image.client_metrics.iter() {
        values.extend(configs(OF_CLIENT_METRICS, name, settings));
    }
    for (entity, quotas) in image.client_quotas.iter() {
        values.extend(quotas.iter().map(|(key, value)| quota(entity, key, value.0)));
    }
    let next = image.next_producer_id.0.to_be_bytes();
    values.push(Value::of(PRODUCER_IDS, 0).broker(node_id).bytes(&(-1_i64).to_be_bytes()).bytes(&next).end());
    values
}

/// The levels of features, as our next start would have finalized them where nobody has.
fn levels(image: &ClusterImage) -> BTreeMap<&str, i16> {
    let supported = SUPPORTED_FEATURES.iter().filter(|feature| feature.initial > 0);
    let mut levels: BTreeMap<_, _> = supported.map(|feature| (feature.name, feature.initial)).collect();
    levels.extend(image.features.iter().map(|(name, level)| (name.as_str(), *level)));
    levels
}

/// The node leads anew, as after any start.
fn partition(
    topic: TopicId,
    index: PartitionIndex,
    from: &Partition,
    node_id: BrokerId,
    directory: TopicId,
) -> Vec<u8> {
    let next = |epoch: i32| epoch.saturating_add(1).to_be_bytes();
    Value::of(PARTITION, 1)
        .bytes(&index.0.to_be_bytes())
        .id(topic)
        .length(1)
        .broker(node_id)
        .length(1)
        .broker(node_id)
        // None is removed, none added.
        .length(0)
        .length(0)
        .broker(node_id)
        .bytes(&next(from.leader_epoch.0))
        .bytes(&next(from.partition_epoch.0))
        .length(1)
        .id(directory)
        .end()
}

fn configs(kind: u8, resource: &str, settings: &BTreeMap<String, String>) -> impl Iterator<Item = Vec<u8>> {
    let value = move |(name, value): (&String, &String)| {
        Value::of(CONFIG, 0).bytes(&[kind]).string(resource).string(name).string(value).end()
    };
    settings.iter().map(value)
}

fn quota(entity: &QuotaEntity, key: &str, limit: f64) -> Vec<u8> {
    let parts = [("user", &entity.user), ("client-id", &entity.client_id), ("ip", &entity.ip)];
    let parts: Vec<_> = parts.iter().filter_map(|(kind, name)| Some((kind, name.as_ref()?))).collect();
    let mut value = Value::of(CLIENT_QUOTA, 0).length(parts.len());
    for (kind, name) in parts {
        value = value.string(kind);
        value = match name {
            EntityName::Default => value.bytes(&[0]),
            EntityName::Named(name) => value.string(name),
        };
        value = value.bytes(&[0]);
    }
    value.string(key).bytes(&limit.to_be_bytes()).bytes(&[0]).end()
}

/// The value of a record, as far as it is written.
struct Value(Vec<u8>);

impl Value {
    fn of(kind: u8, version: u8) -> Value {
        Value(vec![FRAME_VERSION as u8, kind, version])
    }

    fn bytes(mut self, bytes: &[u8]) -> Value {
        self.0.extend_from_slice(bytes);
        self
    }

    fn unsigned(mut self, mut value: usize) -> Value {
        while value >= 0x80 {
            self.0.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
        self
    }

    /// Of what is not null.
    fn length(self, length: usize) -> Value {
        self.unsigned(length + 1)
    }

    fn string(self, text: &str) -> Value {
        self.length(text.len()).bytes(text.as_bytes())
    }

    fn id(self, id: TopicId) -> Value {
        self.bytes(id.0.as_bytes())
    }

    fn broker(self, id: BrokerId) -> Value {
        self.bytes(&id.0.to_be_bytes())
    }

    /// No tagged fields.
    fn end(self) -> Vec<u8> {
        self.bytes(&[0]).0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adoption::state::State;
    use crate::metadata::{ConfigResource, QuotaValue, Record};
    use crate::record::BatchView;
    use crate::types::{ClusterId, PartitionEpoch, ProducerId, TopicName};

    fn image() -> ClusterImage {
        let (id, node) = (TopicId::random(), BrokerId(1));
        let config = |resource, name: &str| Record::Config { resource, name: name.into(), value: Some("7".into()) };
        let partition = |index| Record::Partition {
            topic: id,
            partition: PartitionIndex(index),
            replicas: vec![node],
            isr: vec![node],
            leader: Some(node),
            leader_epoch: LeaderEpoch(4 + index),
            partition_epoch: PartitionEpoch(9),
        };
        let of_user = QuotaEntity { user: Some(EntityName::Default), ..QuotaEntity::default() };
        let records = [
            Record::FeatureLevel { name: "metadata.version".into(), level: 27 },
            Record::Topic { name: TopicName::new(&"t".repeat(200)).unwrap(), id, created_at: TimestampMs(5) },
            partition(0),
            partition(1),
            config(ConfigResource::Topic(id), "retention.ms"),
            config(ConfigResource::Broker(node), "max.connections"),
            config(ConfigResource::Brokers, "max.connections"),
            config(ConfigResource::ClientMetrics("m".into()), "interval.ms"),
            Record::ClientQuota { entity: of_user, key: "consumer_byte_rate".into(), value: Some(QuotaValue(1.5)) },
            Record::ProducerIds { next: ProducerId(3000), broker: node },
        ];
        ClusterImage::restore(ClusterId::random(), 1, records).unwrap()
    }

    #[test]
    fn what_was_written_is_what_a_take_over_reads() {
        let image = image();
        let file = bootstrap(&image, BrokerId(1), TopicId::random(), TimestampMs(1000));
        let (mut state, mut rest, mut controls) = (State::default(), &file[..], 0);
        while !rest.is_empty() {
            let batch = BatchView::parse(rest).unwrap();
            assert!(batch.verify_crc());
            rest = &rest[batch.bytes().len()..];
            controls += i32::from(batch.info().attributes.is_control());
            let mut records = batch.records(1 << 20).unwrap();
            while let Some(record) = records.next_record().filter(|_| !batch.info().attributes.is_control()) {
                state.apply(batch.info().base_offset.0, record.unwrap().value.unwrap()).unwrap();
            }
        }
        assert_eq!(controls, 2, "a header and a footer");
        let topic = image.topics().next().unwrap();
        let read = &state.topics[&topic.id];
        assert_eq!(read.name, topic.name.as_str());
        let epochs: Vec<_> = read.partitions.values().map(|p| (p.leader_epoch.0, p.partition_epoch.0)).collect();
        assert_eq!(epochs, [(5, 10), (6, 10)], "a new leader's");
        assert!(read.partitions.values().all(|partition| partition.replicas == [BrokerId(1)]));
        assert_eq!(state.topic_configs[&read.name], topic.configs);
        assert_eq!(state.broker_configs[""], image.default_broker_configs);
        assert_eq!(state.broker_configs["1"], image.broker_configs[&BrokerId(1)]);
        assert_eq!(state.client_metrics["m"], image.client_metrics["m"]);
        assert_eq!(state.next_producer_id, Some(ProducerId(3000)));
        let of_user = (vec![("user".to_owned(), None)], "consumer_byte_rate".to_owned());
        assert_eq!(state.quotas.get(&of_user), Some(&1.5));
    }

    #[test]
    fn a_directory_that_was_taken_over_and_never_served_has_levels_too() {
        let never_served = ClusterImage::new(ClusterId::random());
        let levels = levels(&never_served);
        assert_eq!(levels.get("metadata.version"), Some(&27), "Kafka begins with none without");
        let file = bootstrap(&never_served, BrokerId(1), TopicId::random(), TimestampMs(0));
        assert!(file.windows(16).any(|bytes| bytes == b"metadata.version"));
    }

    #[test]
    fn many_topics_are_several_batches() {
        let mut image = image();
        for number in 0..20_000 {
            let name = TopicName::new(&format!("{number}-{}", "n".repeat(40))).unwrap();
            image.apply(2, &[Record::Topic { name, id: TopicId::random(), created_at: TimestampMs(0) }]).unwrap();
        }
        let file = bootstrap(&image, BrokerId(1), TopicId::random(), TimestampMs(1000));
        let (mut rest, mut end, mut batches) = (&file[..], Offset(0), 0);
        while !rest.is_empty() {
            let batch = BatchView::parse(rest).unwrap();
            assert_eq!(batch.info().base_offset, end);
            assert!(batch.bytes().len() < 1 << 20);
            end = batch.info().next_offset();
            rest = &rest[batch.bytes().len()..];
            batches += 1;
        }
        assert!(batches > 4, "{batches}");
        assert!(end.0 > 20_000);
    }
}
