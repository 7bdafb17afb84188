//! What a cluster consists of: brokers, topics, partitions.
//!
//! Invariants: `isr` is a part of `replicas`, `leader` is a member of `isr` or there is none; a partition's number is its
//! place in [`Topic::partitions`].

use crate::types::{
    BrokerEpoch, BrokerId, LeaderEpoch, PartitionEpoch, PartitionIndex, TimestampMs, TopicId, TopicName,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use uuid::Uuid;

/// A topic as the cluster knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    /// Its name, unique in the cluster.
    pub name: TopicName,
    /// Its identity, unique in time.
    pub id: TopicId,
    /// When it was created.
    pub created_at: TimestampMs,
    /// Its partitions; the place is the number.
    pub partitions: Vec<Partition>,
    /// The settings that were set for this topic, as strings under Kafka's names.
    pub configs: BTreeMap<String, String>,
}

impl Topic {
    /// The partition of this number, if there is one.
    pub fn partition(&self, index: PartitionIndex) -> Option<&Partition> {
        self.partitions.get(usize::try_from(index.0).ok()?)
    }

    /// How many replicas the first partition has, which is what Kafka calls the topic's replication factor.
    pub fn replication_factor(&self) -> usize {
        self.partitions.first().map_or(0, |partition| partition.replicas.len())
    }
}

/// Who keeps a partition, and who leads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// The brokers that keep it, the preferred leader first.
    pub replicas: Arc<[BrokerId]>,
    /// Those of them that are in sync.
    pub isr: Arc<[BrokerId]>,
    /// The leader, if one could be elected.
    pub leader: Option<BrokerId>,
    /// Counts the leaders.
    pub leader_epoch: LeaderEpoch,
    /// Counts all changes.
    pub partition_epoch: PartitionEpoch,
}

/// A registered broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broker {
    /// Its node id.
    pub id: BrokerId,
    /// Which registration this is: the index of its entry in the metadata log (KIP-903).
    pub epoch: BrokerEpoch,
    /// A random id of the running process.
    pub incarnation: Uuid,
    /// Where clients and brokers reach it.
    pub endpoints: Vec<Endpoint>,
    /// The rack that it says it is in.
    pub rack: Option<String>,
    /// Whether it is kept out of leadership and of new ISRs.
    pub fenced: bool,
}

/// Where one listener of a broker is reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// The listener's name.
    pub name: String,
    /// The advertised host.
    pub host: String,
    /// The advertised port.
    pub port: u16,
    /// How to talk to it.
    pub protocol: SecurityProtocol,
}

/// Kafka's security protocols (`org.apache.kafka.common.security.auth.SecurityProtocol`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SecurityProtocol {
    /// Neither encrypted nor authenticated.
    Plaintext,
    /// TLS.
    Ssl,
    /// SASL over plain TCP.
    SaslPlaintext,
    /// SASL over TLS.
    SaslSsl,
}
