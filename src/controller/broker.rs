//! Registration of brokers, blocks of producer ids, leader epochs after an unclean start.
//!
//! After Kafka's `ClusterControlManager` and `ProducerIdControlManager`.

use super::{Decision, Error};
use crate::metadata::{ClusterImage, Endpoint, Record};
use crate::types::{BrokerEpoch, BrokerId, ProducerId};
use std::ops::Range;
use uuid::Uuid;

/// How many producer ids are handed out at a time (`ProducerIdsBlock.PRODUCER_ID_BLOCK_SIZE`).
pub const PRODUCER_ID_BLOCK: i64 = 1000;

/// What a broker says of itself.
#[derive(Clone, Debug)]
pub struct BrokerRegistration {
    /// Its node id.
    pub id: BrokerId,
    /// A random id of the running process.
    pub incarnation: Uuid,
    /// Where clients and brokers reach it.
    pub endpoints: Vec<Endpoint>,
    /// The rack that it says it is in.
    pub rack: Option<String>,
}

/// The reply is the epoch of a registration that stands already; a new one gets the index of its entry.
///
/// The broker takes part at once: there are no heartbeats yet that could fence it, or free it.
pub(super) fn decide_registration(
    image: &ClusterImage,
    registration: &BrokerRegistration,
) -> Decision<Option<BrokerEpoch>> {
    let BrokerRegistration { id, incarnation, endpoints, rack } = registration.clone();
    let standing = image.brokers.get(&id).filter(|broker| broker.incarnation == incarnation);
    if let Some(broker) = standing.filter(|broker| broker.endpoints == endpoints && broker.rack == rack) {
        return (Vec::new(), Some(broker.epoch));
    }
    let epoch = standing.map(|broker| broker.epoch);
    (vec![Record::RegisterBroker { id, incarnation, endpoints, rack, fenced: false, epoch }], epoch)
}

pub(super) fn decide_producer_ids(image: &ClusterImage, broker: BrokerId) -> Result<Decision<Range<i64>>, Error> {
    let first = image.next_producer_id.0;
    let next = first.checked_add(PRODUCER_ID_BLOCK).ok_or(Error::ProducerIdsExhausted)?;
    Ok((vec![Record::ProducerIds { next: ProducerId(next), broker }], first..next))
}

pub(super) fn decide_next_leader_epochs(image: &ClusterImage, broker: BrokerId) -> Decision<()> {
    let mut partitions = image.topics().flat_map(|topic| &topic.partitions);
    let leads = partitions.any(|partition| partition.leader == Some(broker));
    (if leads { vec![Record::NextLeaderEpochs { leader: broker }] } else { Vec::new() }, ())
}
