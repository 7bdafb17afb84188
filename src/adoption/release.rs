//! The other way: makes a data directory of ours one of Apache Kafka's, with all topics under their ids.
//!
//! Invariants: nothing is changed unless everything can be; every partition has its folder, as Kafka would begin a missing one
//! anew without a word.

use super::{Error, encode};
use crate::metadata::ClusterImage;
use crate::quorum::{Quorum, QuorumConfig};
use crate::runtime::{Clock, Disk};
use crate::storage::StoppedDirectory;
use crate::types::{BrokerId, ClusterId, PartitionIndex, TopicPartition};
use std::collections::HashSet;
use std::path::Path;

/// What is given away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Released {
    /// The cluster, which stays.
    pub cluster_id: ClusterId,
    /// The node, which stays: `node.id` must say so.
    pub node_id: BrokerId,
    /// How many topics there are.
    pub topics: usize,
    /// How many partitions.
    pub partitions: usize,
}

/// Looks at a directory and says what would be released. Changes nothing.
///
/// # Errors
/// It cannot be released.
pub fn plan_release(path: &Path) -> Result<Released, Error> {
    let directory = StoppedDirectory::open(path)?;
    Ok(look(&directory)?.1)
}

/// Makes a directory one of Kafka's.
///
/// # Errors
/// It cannot be released; or something cannot be written, and all of it may be tried again.
pub fn release(path: &Path, clock: &Clock) -> Result<Released, Error> {
    let directory = StoppedDirectory::open(path)?;
    let (image, released) = look(&directory)?;
    let bootstrap = encode::bootstrap(&image, directory.node_id(), directory.directory_id(), clock.now());
    directory.release(&bootstrap)?;
    Ok(released)
}

fn look(directory: &StoppedDirectory) -> Result<(ClusterImage, Released), Error> {
    let (node_id, cluster_id) = (directory.node_id(), directory.cluster_id().clone());
    let metadata = directory.metadata_folder();
    if !Quorum::exists(&metadata) {
        return Err(Error::Quorum(format!("{} holds none", metadata.display())));
    }
    let config = QuorumConfig { node_id, cluster_id: cluster_id.clone(), disk: Disk::system() };
    let image = ClusterImage::clone(&*Quorum::read(&metadata, config)?);
    let found: HashSet<_> = directory.partitions()?.into_iter().map(|f| (f.topic_id, f.topic_partition)).collect();
    let mut missing = Vec::new();
    let mut partitions = 0;
    for topic in image.topics() {
        for index in 0..topic.partitions.len() {
            let index = PartitionIndex(i32::try_from(index).expect("a topic has fewer than 2^31 partitions"));
            let name = topic.name.clone();
            let partition = TopicPartition { topic: name, partition: index };
            partitions += 1;
            if !found.contains(&(Some(topic.id), partition.clone())) {
                missing.push(format!("{partition} has no folder here, or one of another topic"));
            }
        }
    }
    if !missing.is_empty() {
        return Err(Error::Unservable(missing));
    }
    let topics = image.topics().len();
    Ok((image, Released { cluster_id, node_id, topics, partitions }))
}
