//! From Kafka's metadata and folders to the records of ours: pure but for looking at the partitions' files.

use super::state::{Configs, Partition, State, Topic};
use super::{Error, Plan};
use crate::config::{BrokerConfig, DynamicLevel, DynamicSettings, check_client_metrics, check_topic_configs};
use crate::metadata::{ConfigResource, EntityName, QuotaEntity, QuotaValue, Record};
use crate::storage::{KafkaDirectory, Transactions};
use crate::types::{BrokerId, LeaderEpoch, PartitionEpoch, PartitionIndex, TimestampMs, TopicId, TopicName};
use std::collections::{BTreeMap, HashSet};

/// What keeps everything: no age and no size from which records go.
const KEPT: &[&str] = &["retention.ms", "retention.bytes"];

pub(super) fn of(directory: &KafkaDirectory, state: &State, now: TimestampMs) -> Result<Plan, Error> {
    let node_id = directory.node_id();
    let mut refused = Vec::new();
    if !state.acls.is_empty() {
        refused.push(format!(
            "there are {} access rules, and there are no ACLs here yet: everybody could do everything",
            state.acls.len()
        ));
    }
    let (mut records, mut notes) = (Vec::new(), Vec::new());
    let unreadable = check_folders(directory, state, &mut refused, &mut notes)?;
    if let Some(next) = state.next_producer_id {
        records.push(Record::ProducerIds { next, broker: node_id });
    }
    let of_brokers = broker_records(state, node_id, &mut notes);
    let inherits_what_is_left_out = is_retention_left_out(state, &of_brokers);
    records.extend(of_brokers);
    let none = Configs::new();
    for (id, topic) in &state.topics {
        match topic_records(*id, topic, node_id, now) {
            Ok(made) => records.extend(made),
            Err(reason) => refused.push(reason),
        }
        let configs = state.topic_configs.get(&topic.name).unwrap_or(&none);
        let (mut taken, left_out) = split_configs(configs);
        let inherits = inherits_what_is_left_out && !configs.contains_key("cleanup.policy");
        if !left_out.is_empty() || inherits || unreadable.contains(id) {
            notes.extend(left_out.iter().map(|what| format!("topic {}: {what}", topic.name)));
            notes.push(keep_all(&topic.name, &mut taken));
        }
        records.extend(config_records(*id, taken));
    }
    records.extend(client_metrics_records(state, &mut notes));
    for ((entity, key), value) in &state.quotas {
        match quota_entity(entity) {
            Some(entity) => {
                let value = Some(QuotaValue(*value));
                records.push(Record::ClientQuota { entity, key: key.clone(), value });
            }
            None => notes.push(format!("a quota of {entity:?} is left out: {key}={value}")),
        }
    }
    notes.extend(state.left_out.iter().map(|what| format!("{what} are not taken over")));
    if !state.other_configs.is_empty() {
        let names: Vec<&str> = state.other_configs.iter().map(|(_, _, name)| name.as_str()).collect();
        notes.push(format!("settings of groups are not taken over: {}", names.join(", ")));
    }
    if !refused.is_empty() {
        return Err(Error::Unservable(refused));
    }
    Ok(Plan {
        cluster_id: directory.cluster_id().clone(),
        node_id,
        topics: state.topics.len(),
        partitions: state.topics.values().map(|topic| topic.partitions.len()).sum(),
        notes,
        records,
    })
}

/// Sets what keeps everything, and says so.
fn keep_all(topic: &str, taken: &mut Configs) -> String {
    let kept = KEPT.iter().map(|name| (name, taken.insert(name.to_string(), "-1".to_owned())));
    let before: Vec<_> = kept.filter_map(|(name, before)| Some(format!("; {name} was {}", before?))).collect();
    let until = "until its retention.ms and retention.bytes are set or deleted";
    format!("topic {topic} keeps all records {until}{}", before.concat())
}

/// Why the folders are not all that the metadata say; and which partitions will not be served. Returns the topics with records
/// that cannot be read.
fn check_folders(
    directory: &KafkaDirectory,
    state: &State,
    refused: &mut Vec<String>,
    notes: &mut Vec<String>,
) -> Result<HashSet<TopicId>, Error> {
    let mut unreadable = HashSet::new();
    let found = directory.partitions()?;
    let known: HashSet<_> = found.iter().map(|found| (found.topic_id, found.topic_partition.partition)).collect();
    for (id, topic) in &state.topics {
        let missing = topic.partitions.keys().filter(|index| !known.contains(&(Some(*id), **index)));
        refused.extend(missing.map(|index| {
            format!("{}-{index} has no folder here: a directory of log.dirs alone cannot be taken over", topic.name)
        }));
    }
    for partition in &found {
        let name = &partition.topic_partition;
        let Some(id) = partition.topic_id.filter(|id| state.topics.contains_key(id)) else {
            // The first start would set it aside.
            refused.push(format!("{name} belongs to no topic of the metadata: move it away if it is not wanted"));
            continue;
        };
        if let Some(why) = directory.unreadable(partition)? {
            notes.push(format!("{name} has records that cannot be read, {why}"));
            unreadable.insert(id);
        }
        match directory.transactions(partition)? {
            Transactions::Committed => {}
            left @ (Transactions::Open | Transactions::Aborted) => {
                notes.push(format!("{name} stays offline, with all that is in it: it {left}"));
            }
        }
    }
    Ok(unreadable)
}

fn topic_records(id: TopicId, topic: &Topic, node_id: BrokerId, now: TimestampMs) -> Result<Vec<Record>, String> {
    let name = TopicName::new(&topic.name).map_err(|error| format!("topic {}: {error}", topic.name))?;
    let mut records = vec![Record::Topic { name, id, created_at: now }];
    for ((index, partition), expected) in topic.partitions.iter().zip(0..) {
        if *index != PartitionIndex(expected) {
            return Err(format!("{}-{expected} is missing in the metadata", topic.name));
        }
        if partition.replicas != [node_id] {
            let replicas: Vec<String> = partition.replicas.iter().map(ToString::to_string).collect();
            let replicas = replicas.join(", ");
            return Err(format!(
                "{}-{index} has replicas on {replicas}, and only a single node is served so far",
                topic.name
            ));
        }
        records.push(partition_record(id, *index, partition, node_id));
    }
    Ok(records)
}

/// The node leads anew, as after any start of Kafka.
fn partition_record(topic: TopicId, index: PartitionIndex, partition: &Partition, node_id: BrokerId) -> Record {
    Record::Partition {
        topic,
        partition: index,
        replicas: vec![node_id],
        isr: vec![node_id],
        leader: Some(node_id),
        leader_epoch: LeaderEpoch(partition.leader_epoch.0.saturating_add(1)),
        partition_epoch: PartitionEpoch(partition.partition_epoch.0.saturating_add(1)),
    }
}

/// The settings of a topic that are served here, and those that are not.
fn split_configs(configs: &Configs) -> (Configs, Vec<String>) {
    let (mut taken, mut left_out) = (Configs::new(), Vec::new());
    for (name, value) in configs {
        match check_topic_configs(&BTreeMap::from([(name.clone(), value.clone())])) {
            Ok(()) => drop(taken.insert(name.clone(), value.clone())),
            Err(reason) => left_out.push(format!("{name}={value} is left out: {reason}")),
        }
    }
    (taken, left_out)
}

fn config_records(id: TopicId, configs: Configs) -> impl Iterator<Item = Record> {
    let record = move |(name, value)| Record::Config { resource: ConfigResource::Topic(id), name, value: Some(value) };
    configs.into_iter().map(record)
}

/// Those of all brokers and of this one, as far as they can be changed at run time here. One may need another: they are tried
/// again as long as that helps.
fn broker_records(state: &State, node_id: BrokerId, notes: &mut Vec<String>) -> Vec<Record> {
    let ours = node_id.to_string();
    let (broker, mut settings, mut records) = (BrokerConfig::default(), DynamicSettings::default(), Vec::new());
    let mut pending = Vec::new();
    for (resource, configs) in &state.broker_configs {
        let (level, of) = match resource.as_str() {
            "" => (DynamicLevel::Defaults, ConfigResource::Brokers),
            id if id == ours => (DynamicLevel::Own, ConfigResource::Broker(node_id)),
            other => {
                notes.push(format!("the settings of broker {other} are left out: it is not this one"));
                continue;
            }
        };
        pending.extend(configs.iter().map(|(name, value)| (level, of.clone(), name, value)));
    }
    loop {
        let before = pending.len();
        pending.retain(|(level, of, name, value)| {
            let after = settings.with(*level, name, value);
            let is_refused = broker.check_dynamic(*level, &settings, &after).is_err();
            if !is_refused {
                settings = after;
                let value = Some(value.to_string());
                records.push(Record::Config { resource: of.clone(), name: name.to_string(), value });
            }
            is_refused
        });
        if pending.len() == before {
            break;
        }
    }
    for (level, _, name, value) in pending {
        let refusal = broker.check_dynamic(level, &settings, &settings.with(level, name, value)).err();
        let refusal = refusal.map(|refusal| refusal.to_string()).unwrap_or_default();
        notes.push(format!("the broker's {name}={value} is left out: {refusal}"));
    }
    records
}

/// Whether a setting of brokers that says what goes and when is left out: topics that inherit it must not lose anything.
fn is_retention_left_out(state: &State, taken: &[Record]) -> bool {
    let is_taken =
        |name: &str| taken.iter().any(|record| matches!(record, Record::Config { name: of, .. } if of == name));
    let mut names = state.broker_configs.values().flat_map(Configs::keys);
    names.any(|name| (name.starts_with("log.cleanup") || name.starts_with("log.retention")) && !is_taken(name))
}

fn client_metrics_records(state: &State, notes: &mut Vec<String>) -> Vec<Record> {
    let mut records = Vec::new();
    for (name, configs) in &state.client_metrics {
        match check_client_metrics(configs) {
            Ok(()) => records.extend(configs.iter().map(|(key, value)| Record::Config {
                resource: ConfigResource::ClientMetrics(name.clone()),
                name: key.clone(),
                value: Some(value.clone()),
            })),
            Err(refusal) => notes.push(format!("the subscription {name} is left out: {refusal}")),
        }
    }
    records
}

/// `None` for a kind of entity that is not known.
fn quota_entity(parts: &[(String, Option<String>)]) -> Option<QuotaEntity> {
    let mut entity = QuotaEntity::default();
    for (kind, name) in parts {
        let place = match kind.as_str() {
            "user" => &mut entity.user,
            "client-id" => &mut entity.client_id,
            "ip" => &mut entity.ip,
            _ => return None,
        };
        *place = Some(name.clone().map_or(EntityName::Default, EntityName::Named));
    }
    Some(entity)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_brokers(configs: &[(&str, &str)]) -> (Vec<Record>, bool, Vec<String>) {
        let configs = configs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        let mut state = State::default();
        state.broker_configs.insert(String::new(), configs);
        let mut notes = Vec::new();
        let records = broker_records(&state, BrokerId(1), &mut notes);
        let is_left_out = is_retention_left_out(&state, &records);
        (records, is_left_out, notes)
    }

    #[test]
    fn settings_that_need_each_other_are_taken_together() {
        let (records, _, notes) =
            of_brokers(&[("max.connections.per.ip", "0"), ("max.connections.per.ip.overrides", "127.0.0.1:9")]);
        assert_eq!((records.len(), notes.len()), (2, 0), "{notes:?}");
    }

    #[test]
    fn a_policy_that_is_left_out_is_known_to_be() {
        let (records, is_left_out, notes) = of_brokers(&[("log.cleanup.policy", "compact"), ("log.roll.ms", "5000")]);
        assert!(is_left_out && records.len() == 1 && notes.len() == 1, "{notes:?}");
        let (_, is_left_out, notes) = of_brokers(&[("log.retention.ms", "5000"), ("ssl.cipher.suites", "x")]);
        assert!(!is_left_out && notes.len() == 1, "{notes:?}");
    }
}
