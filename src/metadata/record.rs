//! The records of the metadata log, named after Kafka's (`metadata/src/main/resources/common/metadata/*.json`).
//!
//! Invariants:
//! * a record carries everything that its effect depends on;
//! * records are stored for ever, as JSON, externally tagged: a new field has a `#[serde(default)]` that means what its
//!   absence meant, a field or variant that was ever written is never renamed or reused. A change that an older version
//!   would misread raises the format version of the entry (`quorum`).

use super::model::{Endpoint, Partition};
use super::quota::{QuotaEntity, QuotaValue};
use crate::types::{
    BrokerEpoch, BrokerId, LeaderEpoch, PartitionEpoch, PartitionIndex, ProducerId, TimestampMs, TopicId, TopicName,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// One change of the cluster's metadata.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Record {
    /// A broker registers; an earlier registration of the same id is replaced.
    RegisterBroker {
        /// Its node id.
        id: BrokerId,
        /// A random id of the running process.
        #[serde(with = "base64_uuid")]
        incarnation: Uuid,
        /// Where it is reached.
        endpoints: Vec<Endpoint>,
        /// The rack that it says it is in.
        #[serde(default)]
        rack: Option<String>,
        /// Whether it is kept out of leadership.
        #[serde(default)]
        fenced: bool,
        /// Its epoch; absent: the index of the log entry that this record is in. Only snapshots state it.
        #[serde(default)]
        epoch: Option<BrokerEpoch>,
    },
    /// A topic comes to be, without partitions yet.
    Topic {
        /// Its name.
        name: TopicName,
        /// Its id.
        id: TopicId,
        /// When that was decided.
        created_at: TimestampMs,
    },
    /// A partition comes to be (the next number of its topic), or is replaced (a number that exists).
    Partition {
        /// The topic.
        topic: TopicId,
        /// The number.
        partition: PartitionIndex,
        /// The brokers that keep it, the preferred leader first.
        replicas: Vec<BrokerId>,
        /// Those of them that are in sync.
        isr: Vec<BrokerId>,
        /// The leader.
        leader: Option<BrokerId>,
        /// Counts the leaders.
        leader_epoch: LeaderEpoch,
        /// Counts all changes.
        partition_epoch: PartitionEpoch,
    },
    /// A topic ceases to be, with its partitions and settings.
    RemoveTopic {
        /// The topic.
        id: TopicId,
    },
    /// A setting is set, or removed when there is no value.
    Config {
        /// Whose setting.
        resource: ConfigResource,
        /// Its name, Kafka's.
        name: String,
        /// Its value as a string.
        value: Option<String>,
    },
    /// Producer ids below this one have been handed out in blocks.
    ProducerIds {
        /// The first id that has not been handed out.
        next: ProducerId,
        /// Who took the last block.
        broker: BrokerId,
    },
    /// A feature is finalized at a level, or is so no longer when the level is 0 (KIP-584).
    FeatureLevel {
        /// Its name.
        name: String,
        /// The level.
        level: i16,
    },
    /// Every partition that this broker leads gets the next leader epoch: it may have lost the end of its logs, and what
    /// it writes at the same offsets must be told from what was there (KIP-320). One record however many partitions.
    NextLeaderEpochs {
        /// The leader, which stays.
        leader: BrokerId,
    },
    /// A client quota is set, or removed when there is no value.
    ClientQuota {
        /// Whom it concerns.
        entity: QuotaEntity,
        /// Its name, Kafka's.
        key: String,
        /// The limit.
        value: Option<QuotaValue>,
    },
}

/// Whose setting a [`Record::Config`] changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConfigResource {
    /// A topic's.
    Topic(TopicId),
    /// One broker's.
    Broker(BrokerId),
    /// The default of all brokers.
    Brokers,
    /// A subscription to metrics of clients, by its name (KIP-714).
    ClientMetrics(String),
}

impl Record {
    /// The record that makes this partition, or replaces it.
    pub fn of_partition(topic: TopicId, index: PartitionIndex, partition: &Partition) -> Record {
        Record::Partition {
            topic,
            partition: index,
            replicas: partition.replicas.to_vec(),
            isr: partition.isr.to_vec(),
            leader: partition.leader,
            leader_epoch: partition.leader_epoch,
            partition_epoch: partition.partition_epoch,
        }
    }
}

/// Kafka's text form of a uuid, which [`TopicId`] knows.
mod base64_uuid {
    use crate::types::TopicId;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use uuid::Uuid;

    pub fn serialize<S: Serializer>(uuid: &Uuid, serializer: S) -> Result<S::Ok, S::Error> {
        TopicId(*uuid).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Uuid, D::Error> {
        TopicId::deserialize(deserializer).map(|id| id.0)
    }
}
