//! A partition as Metadata and DescribeTopicPartitions show it: who leads it, and whether a client can reach them.

use super::services::endpoint;
use super::{Client, Services};
use crate::metadata::{ClusterImage, Topic};
use crate::partition::{Hosted, LookupError};
use crate::types::PartitionIndex;
use crate::wire::ErrorCode;
use kafka_protocol::messages::BrokerId;

/// What is shown of a partition.
pub(super) struct PartitionView {
    pub(super) code: i16,
    pub(super) index: i32,
    /// −1 with an error.
    pub(super) leader: BrokerId,
    pub(super) leader_epoch: i32,
    pub(super) replicas: Vec<BrokerId>,
    pub(super) isr: Vec<BrokerId>,
    pub(super) offline_replicas: Vec<BrokerId>,
}

/// The partitions of a topic from the one with this number on.
pub(super) fn partitions_from<'a>(
    services: &'a Services,
    client: &'a Client,
    image: &'a ClusterImage,
    hosted: &'a Hosted,
    topic: &'a Topic,
    first: usize,
) -> impl Iterator<Item = PartitionView> + 'a {
    let here = hosted.topic_by_id(topic.id);
    (0..).zip(&topic.partitions).skip(first).map(move |(index, partition)| {
        let offline = here.and_then(|t| t.partition(PartitionIndex(index)).err()) == Some(LookupError::Offline);
        let leader = partition.leader.filter(|_| !offline).and_then(|leader| image.brokers.get(&leader));
        let (code, leader) = match leader.map(|leader| (leader, endpoint(leader, &client.listener))) {
            None => (ErrorCode::LeaderNotAvailable.code(), -1),
            Some((_, None)) => (ErrorCode::ListenerNotFound.code(), -1),
            Some((leader, Some(_))) => (0, leader.id.0),
        };
        let ids = |brokers: &[crate::types::BrokerId]| brokers.iter().map(|b| BrokerId(b.0)).collect();
        PartitionView {
            code,
            index,
            leader: BrokerId(leader),
            leader_epoch: partition.leader_epoch.0,
            replicas: ids(&partition.replicas),
            isr: ids(&partition.isr),
            offline_replicas: if offline { vec![BrokerId(services.config.node_id.0)] } else { vec![] },
        }
    })
}
