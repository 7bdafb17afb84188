//! Creation and deletion of topics.
//!
//! Checks, their order and their texts are those of Kafka's `ReplicationControlManager.createTopics`, and of
//! `ControllerApis` for what concerns a request as a whole. Stricter than Kafka: two names of one request may not collide
//! either.

use super::error::too_much;
use super::placement::{led, place};
use super::{ConfigCheck, Decision, Defaults, TopicError};
use crate::metadata::{ClusterImage, ConfigResource, Partition, Record, Topic};
use crate::quota::MutationQuota;
use crate::types::{BrokerId, PartitionIndex, TimestampMs, TopicId, TopicName};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

/// The most partitions that one request may create (`ReplicationControlManager.MAX_PARTITIONS_PER_BATCH`).
pub const PARTITIONS_PER_REQUEST_MAX: usize = 10_000;

/// The name of Kafka's own metadata log, which no topic may have.
const METADATA_LOG: &str = "__cluster_metadata";

/// A topic to be created. What the wire says as −1 is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewTopic {
    /// Its name, unchecked.
    pub name: String,
    /// How many partitions; `None` takes the default.
    pub partitions: Option<i32>,
    /// How many replicas of each; `None` takes the default.
    pub replication_factor: Option<i16>,
    /// Which brokers keep which partition; empty lets the controller choose.
    pub assignments: Vec<(i32, Vec<i32>)>,
    /// Its settings.
    pub configs: Vec<(String, Option<String>)>,
}

/// A topic to be deleted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TopicRef {
    /// By name.
    Name(String),
    /// By id.
    Id(TopicId),
}

/// A topic that was deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeletedTopic {
    /// Its name.
    pub name: TopicName,
    /// Its id.
    pub id: TopicId,
}

/// What a creation is decided by, besides the image and the request.
pub(super) struct Rules<'a> {
    pub(super) defaults: Defaults,
    pub(super) config_check: &'a ConfigCheck,
    pub(super) now: TimestampMs,
}

/// One answer per name, in the order of the request.
pub type Created = Vec<(String, Result<Arc<Topic>, TopicError>)>;
/// One answer per reference, in the order of the request.
pub type Deleted = Vec<(TopicRef, Result<DeletedTopic, TopicError>)>;

/// Decides which topics come to be. Ids come from `new_id`, and with them the choice of the first broker.
pub(super) fn decide_creation(
    image: &ClusterImage,
    topics: &[NewTopic],
    rules: &Rules<'_>,
    quota: &mut MutationQuota<'_>,
    mut new_id: impl FnMut() -> TopicId,
) -> Decision<Created> {
    if partition_count(topics, rules.defaults) > PARTITIONS_PER_REQUEST_MAX {
        let refusal = TopicError::PolicyViolation("Excessively large number of partitions per request.".into());
        return (Vec::new(), topics.iter().map(|topic| (topic.name.clone(), Err(refusal.clone()))).collect());
    }
    let mut counts = HashMap::<&str, usize>::new();
    topics.iter().for_each(|topic| *counts.entry(&topic.name).or_default() += 1);
    let mut taken = BTreeSet::new();
    let mut records = Vec::new();
    let mut reply = Vec::new();
    for topic in topics {
        let result = match counts.remove(topic.name.as_str()) {
            None => continue,
            Some(1) => decide_topic(image, topic, rules, &mut taken, &mut new_id).and_then(|created| {
                quota.take(created.partitions.len()).map_err(too_much)?;
                Ok(created)
            }),
            Some(_) => Err(TopicError::InvalidRequest("Duplicate topic name.".into())),
        };
        if let Ok(created) = &result {
            push_records(&mut records, created);
        }
        reply.push((topic.name.clone(), result.map(Arc::new)));
    }
    (records, reply)
}

fn partition_count(topics: &[NewTopic], defaults: Defaults) -> usize {
    let count = |topic: &NewTopic| match topic.assignments.len() {
        0 => usize::try_from(topic.partitions.unwrap_or(defaults.partitions)).unwrap_or(0),
        assigned => assigned,
    };
    topics.iter().map(count).fold(0, usize::saturating_add)
}

fn decide_topic(
    image: &ClusterImage,
    topic: &NewTopic,
    rules: &Rules<'_>,
    taken: &mut BTreeSet<String>,
    new_id: &mut impl FnMut() -> TopicId,
) -> Result<Topic, TopicError> {
    let name = check_name(image, &topic.name)?;
    let configs = check_configs(&topic.configs, rules.config_check)?;
    let id = new_id();
    let partitions = if topic.assignments.is_empty() {
        place_by_counts(image, topic, rules.defaults, id)?
    } else {
        place_by_assignment(image, topic)?
    };
    if !taken.insert(name.collision_key()) {
        return Err(TopicError::InvalidTopic(format!("Topic '{name}' collides with another topic of the request")));
    }
    Ok(Topic { name, id, created_at: rules.now, partitions, configs })
}

fn check_name(image: &ClusterImage, name: &str) -> Result<TopicName, TopicError> {
    if name == METADATA_LOG {
        let text = format!("Creation of internal topic {METADATA_LOG} is prohibited.");
        return Err(TopicError::InvalidRequest(text));
    }
    let name = TopicName::new(name).map_err(|e| TopicError::InvalidTopic(e.to_string()))?;
    if image.topic(name.as_str()).is_some() {
        return Err(TopicError::TopicAlreadyExists(format!("Topic '{name}' already exists.")));
    }
    match image.colliding_topic(&name) {
        Some(existing) => {
            Err(TopicError::InvalidTopic(format!("Topic '{name}' collides with existing topic: {existing}")))
        }
        None => Ok(name),
    }
}

fn check_configs(
    configs: &[(String, Option<String>)],
    check: &ConfigCheck,
) -> Result<BTreeMap<String, String>, TopicError> {
    let absent: Vec<_> = configs.iter().filter(|(_, value)| value.is_none()).map(|(name, _)| name.as_str()).collect();
    if !absent.is_empty() {
        let text = format!("Null value not supported for topic configs: {}", absent.join(","));
        return Err(TopicError::InvalidConfig(text));
    }
    let configs = configs.iter().filter_map(|(name, value)| Some((name.clone(), value.clone()?))).collect();
    check(&configs).map_err(TopicError::InvalidConfig)?;
    Ok(configs)
}

fn place_by_counts(
    image: &ClusterImage,
    topic: &NewTopic,
    defaults: Defaults,
    id: TopicId,
) -> Result<Vec<Partition>, TopicError> {
    if topic.replication_factor.is_some_and(|factor| factor <= 0) {
        let text = "Replication factor must be larger than 0, or -1 to use the default value.";
        return Err(TopicError::InvalidReplicationFactor(text.into()));
    }
    if topic.partitions.is_some_and(|count| count <= 0) {
        let text = "Number of partitions was set to an invalid non-positive value.";
        return Err(TopicError::InvalidPartitions(text.into()));
    }
    let partitions = topic.partitions.unwrap_or(defaults.partitions);
    place(image, partitions, topic.replication_factor.unwrap_or(defaults.replication_factor), id.0.as_u128())
}

fn place_by_assignment(image: &ClusterImage, topic: &NewTopic) -> Result<Vec<Partition>, TopicError> {
    let both = |what| {
        let text = format!("A manual partition assignment was specified, but {what} was not set to -1.");
        Err(TopicError::InvalidRequest(text))
    };
    if topic.replication_factor.is_some() {
        return both("replication factor");
    }
    if topic.partitions.is_some() {
        return both("numPartitions");
    }
    let refuse = |text: String| Err(TopicError::InvalidReplicaAssignment(text));
    let mut placed = BTreeMap::new();
    let mut replication_factor = None;
    for (index, brokers) in &topic.assignments {
        if placed.contains_key(index) {
            return refuse(format!("Found multiple manual partition assignments for partition {index}"));
        }
        check_assignment(image, brokers, *replication_factor.get_or_insert(brokers.len()))?;
        let partition = led(image, brokers.iter().copied().map(BrokerId).collect());
        if partition.isr.is_empty() {
            return refuse(format!(
                "All brokers specified in the manual partition assignment for partition {index} are fenced or in \
                 controlled shutdown."
            ));
        }
        placed.insert(*index, partition);
    }
    if !placed.keys().copied().eq((0..).take(placed.len())) {
        return refuse("partitions should be a consecutive 0-based integer sequence".into());
    }
    Ok(placed.into_values().collect())
}

/// Whether the brokers of a manual assignment are registered, each named once, and as many as the other partitions have.
///
/// # Errors
/// [`TopicError::InvalidReplicaAssignment`], with Kafka's text.
pub fn check_assignment(image: &ClusterImage, brokers: &[i32], replication_factor: usize) -> Result<(), TopicError> {
    let refuse = |text| Err(TopicError::InvalidReplicaAssignment(text));
    if brokers.is_empty() {
        return refuse("The manual partition assignment includes an empty replica list.".into());
    }
    let mut sorted = brokers.to_vec();
    sorted.sort_unstable();
    let mut previous = None;
    for broker in sorted {
        if !image.brokers.contains_key(&BrokerId(broker)) {
            return refuse(format!(
                "The manual partition assignment includes broker {broker}, but no such broker is registered."
            ));
        }
        if previous.replace(broker) == Some(broker) {
            return refuse(format!("The manual partition assignment includes the broker {broker} more than once."));
        }
    }
    if brokers.len() != replication_factor {
        return refuse(format!(
            "The manual partition assignment includes a partition with {} replica(s), but this is not consistent with \
             previous partitions, which have {replication_factor} replica(s).",
            brokers.len()
        ));
    }
    Ok(())
}

fn push_records(records: &mut Vec<Record>, topic: &Topic) {
    let id = topic.id;
    records.push(Record::Topic { name: topic.name.clone(), id, created_at: topic.created_at });
    records.extend(topic.configs.iter().map(|(name, value)| Record::Config {
        resource: ConfigResource::Topic(id),
        name: name.clone(),
        value: Some(value.clone()),
    }));
    let partitions = (0..).map(PartitionIndex).zip(&topic.partitions);
    records.extend(partitions.map(|(index, partition)| Record::of_partition(id, index, partition)));
}

/// Decides which topics cease to be, as far as `quota` admits it. One that is named by its name and by its id stays, with one
/// answer, to its name.
pub(super) fn decide_deletion(
    image: &ClusterImage,
    topics: &[TopicRef],
    quota: &mut MutationQuota<'_>,
) -> Decision<Deleted> {
    let mut counts = HashMap::<&TopicRef, usize>::new();
    topics.iter().for_each(|topic| *counts.entry(topic).or_default() += 1);
    let ids: HashSet<TopicId> = topics.iter().filter_map(given_id).collect();
    let named: HashSet<TopicId> = topics.iter().filter_map(|topic| id_of_name(image, topic)).collect();
    let mut records = Vec::new();
    let mut reply = Vec::new();
    for topic in topics {
        let result = match counts.remove(topic) {
            None => continue,
            Some(_) if given_id(topic).is_some_and(|id| named.contains(&id)) => continue,
            Some(1) => find_deletable(image, topic, &ids).and_then(|found| {
                quota.take(found.partitions.len()).map_err(too_much)?;
                Ok(DeletedTopic { name: found.name.clone(), id: found.id })
            }),
            Some(_) => Err(TopicError::InvalidRequest(match topic {
                TopicRef::Name(_) => "Duplicate topic name.".into(),
                TopicRef::Id(_) => "Duplicate topic id.".into(),
            })),
        };
        if let Ok(deleted) = &result {
            records.push(Record::RemoveTopic { id: deleted.id });
        }
        reply.push((topic.clone(), result));
    }
    (records, reply)
}

fn given_id(topic: &TopicRef) -> Option<TopicId> {
    match topic {
        TopicRef::Name(_) => None,
        TopicRef::Id(id) => Some(*id),
    }
}

fn id_of_name(image: &ClusterImage, topic: &TopicRef) -> Option<TopicId> {
    match topic {
        TopicRef::Name(name) => image.topic(name).map(|topic| topic.id),
        TopicRef::Id(_) => None,
    }
}

fn find_deletable<'a>(
    image: &'a ClusterImage,
    topic: &TopicRef,
    ids: &HashSet<TopicId>,
) -> Result<&'a Topic, TopicError> {
    let found = match topic {
        TopicRef::Name(name) => image
            .topic(name)
            .ok_or_else(|| TopicError::UnknownTopic("This server does not host this topic-partition.".into()))?,
        TopicRef::Id(id) => image
            .topic_by_id(*id)
            .ok_or_else(|| TopicError::UnknownTopicId("This server does not host this topic ID.".into()))?,
    };
    if matches!(topic, TopicRef::Name(_)) && ids.contains(&found.id) {
        return Err(TopicError::NamedTwice(found.id));
    }
    Ok(found)
}
