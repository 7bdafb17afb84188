//! Which brokers keep the partitions of a new topic.
//!
//! Invariants: leaders go round all unfenced brokers; the followers of partitions with the same leader are spread too
//! (Kafka's `AdminUtils.replicaIndex`); a fenced broker is taken only when the others are too few. Racks are not looked at.
//! Texts are those of Kafka's `StripedReplicaPlacer`; the cordoned log directories that one speaks of are not here.

use super::TopicError;
use crate::metadata::{ClusterImage, Partition};
use crate::types::{BrokerId, LeaderEpoch, PartitionEpoch};

/// Places `partitions` partitions; `start` shifts the whole, so that first partitions of topics do not meet on one broker.
pub(super) fn place(
    image: &ClusterImage,
    partitions: i32,
    replication_factor: i16,
    start: u128,
) -> Result<Vec<Partition>, TopicError> {
    let fails = |reason: String| {
        let text = format!("Unable to replicate the partition {replication_factor} time(s): {reason}");
        Err(TopicError::InvalidReplicationFactor(text))
    };
    let (fenced, active): (Vec<_>, Vec<_>) = image.brokers.values().partition(|broker| broker.fenced);
    if active.is_empty() {
        return fails("All brokers are currently fenced.".into());
    }
    let wanted = usize::try_from(replication_factor).unwrap_or(0);
    if wanted > image.brokers.len() {
        return fails(format!(
            "The target replication factor of {replication_factor} cannot be reached because only {} broker(s) are \
             registered or some brokers have all their log directories cordoned.",
            image.brokers.len()
        ));
    }
    let count = active.len();
    let start = usize::try_from(start % count as u128).expect("a remainder of a usize is one");
    let placed = (0..usize::try_from(partitions).unwrap_or(0)).map(|partition| {
        let leader = start + partition;
        let follower = |place: usize| leader + 1 + (start + partition / count + place - 1) % (count - 1);
        let stripe = (0..wanted.min(count)).map(|place| if place == 0 { leader } else { follower(place) } % count);
        let replicas = stripe.map(|place| active[place].id).chain(fenced.iter().map(|broker| broker.id)).take(wanted);
        led(image, replicas.collect())
    });
    Ok(placed.collect())
}

/// A new partition on these brokers: those that take part are in sync, the first of them leads.
pub(super) fn led(image: &ClusterImage, replicas: Vec<BrokerId>) -> Partition {
    let takes_part = |id: &BrokerId| image.brokers.get(id).is_some_and(|broker| !broker.fenced);
    let isr: Vec<_> = replicas.iter().copied().filter(takes_part).collect();
    Partition {
        leader: isr.first().copied(),
        replicas: replicas.into(),
        isr: isr.into(),
        leader_epoch: LeaderEpoch(0),
        partition_epoch: PartitionEpoch(0),
    }
}
