//! Kafka's metadata as they stand after all records were applied.
//!
//! Invariants: changes within a metadata transaction (KIP-868) count when it ends, and not when it is aborted or open.

use super::Error;
use super::records::{Change, decode};
use crate::types::{BrokerId, LeaderEpoch, PartitionEpoch, PartitionIndex, ProducerId, TopicId};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// `ConfigResource.Type`.
const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const CLIENT_METRICS: i8 = 16;

/// Kinds of a quota's entity, with their names; none for the default.
pub(super) type Entity = Vec<(String, Option<String>)>;

/// Names and values.
pub(super) type Configs = BTreeMap<String, String>;

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) topics: BTreeMap<TopicId, Topic>,
    /// By topic name.
    pub(super) topic_configs: BTreeMap<String, Configs>,
    /// By the broker's id as a text; those of all brokers under the empty one.
    pub(super) broker_configs: BTreeMap<String, Configs>,
    /// By the name of the subscription.
    pub(super) client_metrics: BTreeMap<String, Configs>,
    /// Settings of groups and of what else has some.
    pub(super) other_configs: BTreeSet<(i8, String, String)>,
    /// Limits of an entity, whose kinds are sorted, by name.
    pub(super) quotas: BTreeMap<(Entity, String), f64>,
    pub(super) next_producer_id: Option<ProducerId>,
    pub(super) acls: BTreeSet<Uuid>,
    /// What there is, or was, and is not taken over.
    pub(super) left_out: BTreeSet<&'static str>,
    transaction: Option<Vec<Change>>,
}

#[derive(Debug)]
pub(super) struct Topic {
    pub(super) name: String,
    pub(super) partitions: BTreeMap<PartitionIndex, Partition>,
}

#[derive(Debug)]
pub(super) struct Partition {
    pub(super) replicas: Vec<BrokerId>,
    pub(super) leader_epoch: LeaderEpoch,
    pub(super) partition_epoch: PartitionEpoch,
}

impl State {
    /// Applies the value of the record at `offset`.
    ///
    /// # Errors
    /// It cannot be read, or does not fit what was before it.
    pub(super) fn apply(&mut self, offset: i64, value: &[u8]) -> Result<(), Error> {
        let change = decode(value).map_err(|reason| Error::Record { offset, reason: reason.to_string() })?;
        match (change, &mut self.transaction) {
            (Change::BeginTransaction, transaction) => *transaction = Some(Vec::new()),
            (Change::AbortTransaction, transaction) => *transaction = None,
            (Change::EndTransaction, transaction) => {
                let changes = transaction.take().unwrap_or_default();
                return changes.into_iter().try_for_each(|change| self.change(offset, change));
            }
            (change, Some(transaction)) => transaction.push(change),
            (change, None) => return self.change(offset, change),
        }
        Ok(())
    }

    fn change(&mut self, offset: i64, change: Change) -> Result<(), Error> {
        let unknown = || Error::Record { offset, reason: "its topic or partition is not known".into() };
        match change {
            Change::Topic { name, id } => {
                self.topics.insert(id, Topic { name, partitions: BTreeMap::new() });
            }
            Change::Partition { topic, index, replicas, leader_epoch, partition_epoch } => {
                let topic = self.topics.get_mut(&topic).ok_or_else(unknown)?;
                topic.partitions.insert(index, Partition { replicas, leader_epoch, partition_epoch });
            }
            Change::ChangedPartition { topic, index, replicas, has_new_leader } => {
                let topic = self.topics.get_mut(&topic).ok_or_else(unknown)?;
                let partition = topic.partitions.get_mut(&index).ok_or_else(unknown)?;
                partition.partition_epoch.0 = partition.partition_epoch.0.saturating_add(1);
                if has_new_leader {
                    partition.leader_epoch.0 = partition.leader_epoch.0.saturating_add(1);
                }
                if let Some(replicas) = replicas {
                    partition.replicas = replicas;
                }
            }
            Change::RemoveTopic { id } => {
                let topic = self.topics.remove(&id).ok_or_else(unknown)?;
                self.topic_configs.remove(&topic.name);
            }
            Change::Config { resource_type, resource, name, value } => {
                self.configure(resource_type, resource, name, value);
            }
            Change::Quota { mut entity, key, value } => {
                entity.sort();
                match value {
                    Some(value) => self.quotas.insert((entity, key), value),
                    None => self.quotas.remove(&(entity, key)),
                };
            }
            Change::ProducerIds { next } => self.next_producer_id = Some(next),
            Change::Acl { id } => drop(self.acls.insert(id)),
            Change::RemoveAcl { id } => drop(self.acls.remove(&id)),
            Change::LeftOut(what) => drop(self.left_out.insert(what)),
            Change::Nothing | Change::BeginTransaction | Change::EndTransaction | Change::AbortTransaction => {}
        }
        Ok(())
    }

    fn configure(&mut self, resource_type: i8, resource: String, name: String, value: Option<String>) {
        let all = match resource_type {
            TOPIC => &mut self.topic_configs,
            BROKER => &mut self.broker_configs,
            CLIENT_METRICS => &mut self.client_metrics,
            _ => {
                let setting = (resource_type, resource, name);
                match value {
                    Some(_) => self.other_configs.insert(setting),
                    None => self.other_configs.remove(&setting),
                };
                return;
            }
        };
        let configs = all.entry(resource).or_default();
        match value {
            Some(value) => configs.insert(name, value),
            None => configs.remove(&name),
        };
    }
}
