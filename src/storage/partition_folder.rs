//! The folders of partitions in a data directory: their names, and the topic's id in them.
//!
//! Invariants: a folder whose name is not that of exactly one partition is none; the id is replaced as a whole, and lasts from
//! the log's first sync on.
//! Source: Kafka's `UnifiedLog.parseTopicPartitionName`, `PartitionMetadataFile`.

use crate::runtime::Disk;
use crate::storage::{Error, checkpoint};
use crate::types::{PartitionIndex, TopicId, TopicName, TopicPartition};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The file with the topic's id.
pub(super) const METADATA: &str = "partition.metadata";
/// The folder of the cluster's metadata, which is no topic's partition.
pub(super) const CLUSTER_METADATA: &str = "__cluster_metadata-0";

/// A partition's folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundPartition {
    /// Which partition its name says it is.
    pub topic_partition: TopicPartition,
    /// The topic's id; `None` when a crash came before it was written.
    pub topic_id: Option<TopicId>,
    /// The folder.
    pub path: PathBuf,
}

/// The partitions that have a folder in a directory.
pub(super) fn partitions(directory: &Path) -> Result<Vec<FoundPartition>, Error> {
    let mut found = Vec::new();
    for name in folders(directory)? {
        if name == CLUSTER_METADATA {
            continue;
        }
        if let Some(topic_partition) = parse_folder_name(&name) {
            let path = directory.join(&name);
            let topic_id = read_topic_id(&path)?;
            found.push(FoundPartition { topic_partition, topic_id, path });
        }
    }
    Ok(found)
}

/// The names of the folders in a directory, in order.
pub(super) fn folders(directory: &Path) -> Result<Vec<String>, Error> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory).map_err(Error::io("list", directory))? {
        let entry = entry.map_err(Error::io("list", directory))?;
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            names.extend(entry.file_name().into_string());
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// The names of what is in a folder; `None` when there is no folder.
pub(super) fn names(folder: &Path) -> Result<Option<Vec<String>>, Error> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other.map_err(Error::io("list", folder))?,
    };
    let mut names = Vec::new();
    for entry in entries {
        names.extend(entry.map_err(Error::io("list", folder))?.file_name().into_string());
    }
    Ok(Some(names))
}

/// Which partition's folder bears this name.
pub(super) fn parse_folder_name(name: &str) -> Option<TopicPartition> {
    let (topic, partition) = name.rsplit_once('-')?;
    let partition = partition.parse().ok().filter(|p: &i32| *p >= 0)?;
    let parsed = TopicPartition { topic: TopicName::new(topic).ok()?, partition: PartitionIndex(partition) };
    // Not `topic-007`, nor `topic-+7`.
    (parsed.to_string() == name).then_some(parsed)
}

/// The id in a partition's folder; an empty file is what a power cut leaves of one.
pub(super) fn read_topic_id(folder: &Path) -> Result<Option<TopicId>, Error> {
    let path = folder.join(METADATA);
    let Some(text) = checkpoint::read_text(&path)? else { return Ok(None) };
    let value = |key: &str| text.lines().find_map(|line| line.split_once(':').filter(|(k, _)| *k == key)).map(|l| l.1);
    match value("version").map(|v| v.trim().parse::<i64>()) {
        None if text.trim_matches(['\0', '\n']).is_empty() => return Ok(None),
        Some(Ok(0)) => {}
        Some(Ok(found)) => return Err(Error::NewerFormat { path, found, known: 0 }),
        Some(Err(_)) | None => return Err(Error::Corrupt { path, what: "no version".into() }),
    }
    let id = value("topic_id").and_then(|id| id.trim().parse().ok());
    id.map(Some).ok_or(Error::Corrupt { path, what: "no topic_id".into() })
}

/// Writes the id; not synced.
pub(super) fn write_topic_id(disk: &Disk, folder: &Path, topic_id: TopicId) -> Result<(), Error> {
    let text = format!("version: 0\ntopic_id: {topic_id}\n");
    checkpoint::replace_unsynced(disk, &folder.join(METADATA), text.as_bytes())
}
