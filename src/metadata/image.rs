//! The image of the cluster after one entry of the metadata log.
//!
//! Invariants:
//! * an image that was published is never changed: a change is applied to a clone, which shares what it does not touch;
//! * names and ids of topics map to each other one to one; no two topics share a collision key;
//! * the partitions of a topic are numbered from 0 without a gap.
//!
//! A clone costs a few reference counts. The first record that touches topics after a clone copies the maps of names (one
//! `Arc` per topic, never its partitions): some tenths of a millisecond with 10,000 topics, accepted for metadata.

use super::model::{Broker, Partition, Topic};
use super::quota::{QuotaEntity, Quotas};
use super::record::{ConfigResource, Record};
use crate::types::{
    BrokerEpoch, BrokerId, ClusterId, LeaderEpoch, PartitionEpoch, PartitionIndex, ProducerId, TopicId, TopicName,
};
use std::collections::BTreeMap;
use std::sync::Arc;

type Configs = BTreeMap<String, String>;

/// All that the cluster has agreed on, up to one entry of the metadata log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterImage {
    /// The index of the last entry that changed the image; 0 when none has. (Entries by which the engine elects or
    /// changes its voters are not changes.)
    pub index: u64,
    /// Which cluster this is.
    pub cluster_id: ClusterId,
    /// The registered brokers.
    pub brokers: BTreeMap<BrokerId, Broker>,
    /// The first producer id that has not been handed out in a block.
    pub next_producer_id: ProducerId,
    /// The finalized features and their levels, none of which is 0 (KIP-584).
    pub features: BTreeMap<String, i16>,
    /// The settings of single brokers.
    pub broker_configs: BTreeMap<BrokerId, Configs>,
    /// The settings of all brokers.
    pub default_broker_configs: Configs,
    /// The subscriptions to metrics of clients, by name; each has a setting.
    pub client_metrics: Arc<BTreeMap<String, Configs>>,
    /// The client quotas; no entity is without any.
    pub client_quotas: Arc<BTreeMap<QuotaEntity, Quotas>>,
    topics: Arc<BTreeMap<TopicName, Arc<Topic>>>,
    names: Arc<BTreeMap<TopicId, TopicName>>,
    /// By collision key, only of names with a `.` or a `_`: others collide with nothing.
    collisions: Arc<BTreeMap<String, TopicName>>,
}

/// A record that does not fit the image: the mark of a bug, or of a log that belongs elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Inconsistent {
    /// There is a topic of this name or id already.
    #[error("topic '{0}' exists already")]
    TopicExists(TopicName),
    /// The name differs from another only in `.` and `_`.
    #[error("topic '{0}' collides with topic '{1}'")]
    TopicCollides(TopicName, TopicName),
    /// There is no topic of this id.
    #[error("there is no topic with id {0}")]
    UnknownTopic(TopicId),
    /// The partition is neither one of the topic's nor the next one.
    #[error("partition {1} of topic '{0}' would leave a gap")]
    PartitionGap(TopicName, PartitionIndex),
    /// Leader, ISR and replicas contradict each other.
    #[error("the replicas of partition {1} of topic '{0}' contradict each other")]
    PartitionReplicas(TopicName, PartitionIndex),
    /// An epoch would run over, or a counter backwards.
    #[error("{0} would run over or go backwards")]
    Counter(&'static str),
}

impl ClusterImage {
    /// The image of a cluster in which nothing has happened.
    pub fn new(cluster_id: ClusterId) -> ClusterImage {
        ClusterImage {
            index: 0,
            cluster_id,
            brokers: BTreeMap::new(),
            next_producer_id: ProducerId(0),
            features: BTreeMap::new(),
            broker_configs: BTreeMap::new(),
            default_broker_configs: BTreeMap::new(),
            client_metrics: Arc::default(),
            client_quotas: Arc::default(),
            topics: Arc::default(),
            names: Arc::default(),
            collisions: Arc::default(),
        }
    }

    /// Applies the records of the log entry `index`, in order.
    ///
    /// # Errors
    /// The first record that does not fit; the image is then half changed and must be dropped.
    pub fn apply(&mut self, index: u64, records: &[Record]) -> Result<(), Inconsistent> {
        for record in records {
            self.apply_record(index, record)?;
        }
        self.index = index;
        Ok(())
    }

    /// The topic of this name.
    pub fn topic(&self, name: &str) -> Option<&Arc<Topic>> {
        self.topics.get(name)
    }

    /// The topic of this id.
    pub fn topic_by_id(&self, id: TopicId) -> Option<&Arc<Topic>> {
        self.topics.get(self.names.get(&id)?)
    }

    /// All topics, sorted by name.
    pub fn topics(&self) -> impl ExactSizeIterator<Item = &Arc<Topic>> + DoubleEndedIterator + Clone {
        self.topics.values()
    }

    /// The topic whose name differs from this one only in `.` and `_`; the topic of this very name does not count.
    pub fn colliding_topic(&self, name: &TopicName) -> Option<&TopicName> {
        if !may_collide(name) {
            return None;
        }
        self.collisions.get(&name.collision_key()).filter(|existing| *existing != name)
    }

    /// Records that build this image anew, for [`ClusterImage::restore`]: what a snapshot holds.
    pub fn records(&self) -> impl Iterator<Item = Record> + '_ {
        let levels =
            self.features.iter().map(|(name, level)| Record::FeatureLevel { name: name.clone(), level: *level });
        let brokers = self.brokers.values().map(|broker| Record::RegisterBroker {
            id: broker.id,
            incarnation: broker.incarnation,
            endpoints: broker.endpoints.clone(),
            rack: broker.rack.clone(),
            fenced: broker.fenced,
            epoch: Some(broker.epoch),
        });
        let defaults = config_records(ConfigResource::Brokers, &self.default_broker_configs);
        let configs =
            self.broker_configs.iter().flat_map(|(id, configs)| config_records(ConfigResource::Broker(*id), configs));
        let client_metrics = self.client_metrics.iter();
        let client_metrics = client_metrics
            .flat_map(|(name, configs)| config_records(ConfigResource::ClientMetrics(name.clone()), configs));
        let producer_ids = Record::ProducerIds { next: self.next_producer_id, broker: BrokerId(-1) };
        let topics = self.topics.values().flat_map(|topic| {
            let first = Record::Topic { name: topic.name.clone(), id: topic.id, created_at: topic.created_at };
            let partitions = (0..).map(PartitionIndex).zip(&topic.partitions);
            std::iter::once(first)
                .chain(config_records(ConfigResource::Topic(topic.id), &topic.configs))
                .chain(partitions.map(|(index, partition)| Record::of_partition(topic.id, index, partition)))
        });
        let quotas = self.client_quotas.iter().flat_map(|(entity, quotas)| {
            quotas.iter().map(|(key, value)| Record::ClientQuota {
                entity: entity.clone(),
                key: key.clone(),
                value: Some(*value),
            })
        });
        let settings = defaults.chain(configs).chain(client_metrics).chain(quotas);
        levels.chain(brokers).chain(settings).chain(std::iter::once(producer_ids)).chain(topics)
    }

    /// The image that [`ClusterImage::records`] was asked of.
    ///
    /// # Errors
    /// When the records are not those of an image.
    pub fn restore(
        cluster_id: ClusterId,
        index: u64,
        records: impl IntoIterator<Item = Record>,
    ) -> Result<ClusterImage, Inconsistent> {
        let mut image = ClusterImage::new(cluster_id);
        for record in records {
            image.apply_record(index, &record)?;
        }
        image.index = index;
        Ok(image)
    }

    fn apply_record(&mut self, index: u64, record: &Record) -> Result<(), Inconsistent> {
        match record {
            Record::RegisterBroker { id, incarnation, endpoints, rack, fenced, epoch } => {
                let epoch = match epoch {
                    Some(epoch) => *epoch,
                    None => BrokerEpoch(i64::try_from(index).map_err(|_| Inconsistent::Counter("the broker epoch"))?),
                };
                let broker = Broker {
                    id: *id,
                    epoch,
                    incarnation: *incarnation,
                    endpoints: endpoints.clone(),
                    rack: rack.clone(),
                    fenced: *fenced,
                };
                self.brokers.insert(*id, broker);
                Ok(())
            }
            Record::Topic { name, id, created_at } => {
                let topic = Topic {
                    name: name.clone(),
                    id: *id,
                    created_at: *created_at,
                    partitions: Vec::new(),
                    configs: BTreeMap::new(),
                };
                self.insert_topic(topic)
            }
            Record::Partition { topic, partition, replicas, isr, leader, leader_epoch, partition_epoch } => {
                let value = Partition {
                    replicas: replicas.as_slice().into(),
                    isr: isr.as_slice().into(),
                    leader: *leader,
                    leader_epoch: *leader_epoch,
                    partition_epoch: *partition_epoch,
                };
                put_partition(self.topic_mut(*topic)?, *partition, value)
            }
            Record::RemoveTopic { id } => self.remove_topic(*id),
            Record::Config { resource, name, value } => self.set_config(resource, name, value.as_deref()),
            Record::ProducerIds { next, broker: _ } => {
                if *next < self.next_producer_id {
                    return Err(Inconsistent::Counter("the next producer id"));
                }
                self.next_producer_id = *next;
                Ok(())
            }
            Record::FeatureLevel { name, level } => {
                match level {
                    0 => self.features.remove(name),
                    level => self.features.insert(name.clone(), *level),
                };
                Ok(())
            }
            Record::NextLeaderEpochs { leader } => self.next_leader_epochs(*leader),
            Record::ClientQuota { entity, key, value } => {
                let all = Arc::make_mut(&mut self.client_quotas);
                let quotas = all.entry(entity.clone()).or_default();
                match value {
                    Some(value) => quotas.insert(key.clone(), *value),
                    None => quotas.remove(key),
                };
                if quotas.is_empty() {
                    all.remove(entity);
                }
                Ok(())
            }
        }
    }

    fn set_config(&mut self, resource: &ConfigResource, name: &str, value: Option<&str>) -> Result<(), Inconsistent> {
        match resource {
            ConfigResource::Topic(id) => set(&mut self.topic_mut(*id)?.configs, name, value),
            ConfigResource::Brokers => set(&mut self.default_broker_configs, name, value),
            ConfigResource::Broker(id) => {
                set(self.broker_configs.entry(*id).or_default(), name, value);
                self.broker_configs.retain(|_, configs| !configs.is_empty());
            }
            ConfigResource::ClientMetrics(subscription) => {
                let subscriptions = Arc::make_mut(&mut self.client_metrics);
                let configs = subscriptions.entry(subscription.clone()).or_default();
                set(configs, name, value);
                if configs.is_empty() {
                    subscriptions.remove(subscription);
                }
            }
        }
        Ok(())
    }

    fn insert_topic(&mut self, topic: Topic) -> Result<(), Inconsistent> {
        let (name, id) = (topic.name.clone(), topic.id);
        if self.topics.contains_key(&name) || self.names.contains_key(&id) {
            return Err(Inconsistent::TopicExists(name));
        }
        if let Some(existing) = self.colliding_topic(&name) {
            return Err(Inconsistent::TopicCollides(name, existing.clone()));
        }
        if may_collide(&name) {
            Arc::make_mut(&mut self.collisions).insert(name.collision_key(), name.clone());
        }
        Arc::make_mut(&mut self.names).insert(id, name.clone());
        Arc::make_mut(&mut self.topics).insert(name, Arc::new(topic));
        Ok(())
    }

    fn remove_topic(&mut self, id: TopicId) -> Result<(), Inconsistent> {
        let name = Arc::make_mut(&mut self.names).remove(&id).ok_or(Inconsistent::UnknownTopic(id))?;
        if may_collide(&name) {
            Arc::make_mut(&mut self.collisions).remove(&name.collision_key());
        }
        Arc::make_mut(&mut self.topics).remove(&name);
        Ok(())
    }

    fn topic_mut(&mut self, id: TopicId) -> Result<&mut Topic, Inconsistent> {
        let name = self.names.get(&id).ok_or(Inconsistent::UnknownTopic(id))?;
        let topic = Arc::make_mut(&mut self.topics).get_mut(name).ok_or(Inconsistent::UnknownTopic(id))?;
        Ok(Arc::make_mut(topic))
    }

    fn next_leader_epochs(&mut self, leader: BrokerId) -> Result<(), Inconsistent> {
        let leads = |partition: &Partition| partition.leader == Some(leader);
        for topic in Arc::make_mut(&mut self.topics).values_mut() {
            if !topic.partitions.iter().any(leads) {
                continue;
            }
            for partition in Arc::make_mut(topic).partitions.iter_mut().filter(|partition| leads(partition)) {
                let epochs = partition.leader_epoch.0.checked_add(1).zip(partition.partition_epoch.0.checked_add(1));
                let (leader_epoch, partition_epoch) = epochs.ok_or(Inconsistent::Counter("an epoch"))?;
                partition.leader_epoch = LeaderEpoch(leader_epoch);
                partition.partition_epoch = PartitionEpoch(partition_epoch);
            }
        }
        Ok(())
    }
}

fn set(configs: &mut Configs, name: &str, value: Option<&str>) {
    match value {
        Some(value) => configs.insert(name.to_owned(), value.to_owned()),
        None => configs.remove(name),
    };
}

fn may_collide(name: &TopicName) -> bool {
    name.as_str().contains(['.', '_'])
}

fn config_records(resource: ConfigResource, configs: &Configs) -> impl Iterator<Item = Record> + '_ {
    configs.iter().map(move |(name, value)| Record::Config {
        resource: resource.clone(),
        name: name.clone(),
        value: Some(value.clone()),
    })
}

fn put_partition(topic: &mut Topic, index: PartitionIndex, value: Partition) -> Result<(), Inconsistent> {
    let in_sync = value.isr.iter().all(|id| value.replicas.contains(id));
    let led = value.leader.is_none_or(|leader| value.isr.contains(&leader));
    if value.replicas.is_empty() || !in_sync || !led {
        return Err(Inconsistent::PartitionReplicas(topic.name.clone(), index));
    }
    match usize::try_from(index.0) {
        Ok(place) if place < topic.partitions.len() => topic.partitions[place] = value,
        Ok(place) if place == topic.partitions.len() => topic.partitions.push(value),
        _ => return Err(Inconsistent::PartitionGap(topic.name.clone(), index)),
    }
    Ok(())
}
