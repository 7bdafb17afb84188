//! More partitions for topics that exist.
//!
//! Checks, their order and their texts are those of Kafka's `ReplicationControlManager.createPartitions`.

use super::error::too_much;
use super::placement::{led, place};
use super::topic::check_assignment;
use super::{Decision, TopicError};
use crate::metadata::{ClusterImage, Partition, Record, Topic};
use crate::quota::MutationQuota;
use crate::types::{BrokerId, PartitionIndex};
use std::collections::HashMap;

/// A topic that is to have more partitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MorePartitions {
    /// The topic.
    pub topic: String,
    /// How many partitions it is to have in all.
    pub count: i32,
    /// The brokers of each new one; `None` lets the controller choose.
    pub assignments: Option<Vec<Vec<i32>>>,
}

/// One answer per topic, in the order of the request.
pub type Grown = Vec<(String, Result<(), TopicError>)>;

/// Decides which topics grow.
pub(super) fn decide_growth(
    image: &ClusterImage,
    topics: &[MorePartitions],
    quota: &mut MutationQuota<'_>,
) -> Decision<Grown> {
    let mut counts = HashMap::<&str, usize>::new();
    topics.iter().for_each(|topic| *counts.entry(&topic.topic).or_default() += 1);
    let mut records = Vec::new();
    let mut reply = Vec::new();
    for wanted in topics {
        let result = match counts.remove(wanted.topic.as_str()) {
            None => continue,
            Some(1) => decide_topic(image, wanted, quota).map(|grown| records.extend(grown)),
            Some(_) => Err(TopicError::InvalidRequest("Duplicate topic name.".into())),
        };
        reply.push((wanted.topic.clone(), result));
    }
    (records, reply)
}

fn decide_topic(
    image: &ClusterImage,
    wanted: &MorePartitions,
    quota: &mut MutationQuota<'_>,
) -> Result<Vec<Record>, TopicError> {
    let topic = image
        .topic(&wanted.topic)
        .ok_or_else(|| TopicError::UnknownTopic("This server does not host this topic-partition.".into()))?;
    let present = topic.partitions.len();
    let count = usize::try_from(wanted.count).unwrap_or(0);
    if count == present {
        return Err(TopicError::InvalidPartitions(format!("Topic already has {present} partition(s).")));
    }
    if count < present {
        let text = format!(
            "The topic {} currently has {present} partition(s); {} would not be an increase.",
            topic.name, wanted.count
        );
        return Err(TopicError::InvalidPartitions(text));
    }
    if count > super::PARTITIONS_PER_REQUEST_MAX {
        return Err(TopicError::PolicyViolation("Excessively large number of partitions per request.".into()));
    }
    let added = count - present;
    if let Some(assignments) = &wanted.assignments {
        check_count(assignments, added)?;
    }
    quota.take(added).map_err(too_much)?;
    let added = match &wanted.assignments {
        Some(assignments) => assigned(image, topic, assignments)?,
        None => chosen(image, topic, count)?,
    };
    let numbered = (present..).zip(added).map(|(index, partition)| {
        let index = PartitionIndex(i32::try_from(index).expect("the count was an i32"));
        Record::of_partition(topic.id, index, &partition)
    });
    Ok(numbered.collect())
}

/// The new partitions go on where the present ones ended.
fn chosen(image: &ClusterImage, topic: &Topic, count: usize) -> Result<Vec<Partition>, TopicError> {
    let count = i32::try_from(count).expect("the count was an i32");
    let factor = i16::try_from(topic.replication_factor()).expect("a partition has fewer than 2^15 replicas");
    let placed = place(image, count, factor, topic.id.0.as_u128())?;
    Ok(placed.into_iter().skip(topic.partitions.len()).collect())
}

fn check_count(assignments: &[Vec<i32>], added: usize) -> Result<(), TopicError> {
    if assignments.len() == added {
        return Ok(());
    }
    let text = format!(
        "Attempted to add {added} additional partition(s), but only {} assignment(s) were specified.",
        assignments.len()
    );
    Err(TopicError::InvalidReplicaAssignment(text))
}

fn assigned(image: &ClusterImage, topic: &Topic, assignments: &[Vec<i32>]) -> Result<Vec<Partition>, TopicError> {
    let partition = |brokers: &Vec<i32>| {
        check_assignment(image, brokers, topic.replication_factor())?;
        let partition = led(image, brokers.iter().copied().map(BrokerId).collect());
        if partition.isr.is_empty() {
            let text = "All brokers specified in the manual partition assignment are fenced or in controlled shutdown.";
            return Err(TopicError::InvalidReplicaAssignment(text.into()));
        }
        Ok(partition)
    };
    assignments.iter().map(partition).collect()
}
