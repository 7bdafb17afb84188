//! A data directory of ours that becomes one of Apache Kafka's.
//!
//! Invariants:
//! * looking changes nothing;
//! * until `meta.properties` was replaced the directory is ours, and all of it can be done again; from then on it is Kafka's,
//!   which passes over what is left to be put away;
//! * no folder stays under a name that Kafka cannot read: its broker would not start. What is put away has the name of a folder
//!   to be deleted: Kafka passes over it, and we remove it when we are to serve the directory again.
//!
//! Source: Kafka's `LogManager`, `UnifiedLog.parseTopicPartitionName`, `BootstrapDirectory`.

use crate::runtime::Disk;
use crate::storage::directory::{self, CLEAN_SHUTDOWN};
use crate::storage::foreign::KEPT_METADATA_FOLDER;
use crate::storage::lock;
use crate::storage::partition_folder::{self, CLUSTER_METADATA, FoundPartition};
use crate::storage::properties::{FILE_NAME, FormattedBy, MetaProperties};
use crate::storage::{Error, ballast, boot, checkpoint, recovery};
use crate::types::{BrokerId, ClusterId, TopicId};
use std::fs::File;
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// What Kafka's controller begins its metadata log with.
const BOOTSTRAP: &str = "bootstrap.checkpoint";

/// A directory of ours that nobody works in, locked by this process.
#[derive(Debug)]
pub struct StoppedDirectory {
    disk: Disk,
    path: PathBuf,
    meta: MetaProperties,
    directory_id: TopicId,
    _lock: File,
}

impl StoppedDirectory {
    /// Opens and locks a directory.
    ///
    /// # Errors
    /// It is not one of ours, was not stopped in order, or is in use.
    pub fn open(path: &Path) -> Result<StoppedDirectory, Error> {
        let unreleasable = |why: &str| Error::Unreleasable { path: path.into(), why: why.into() };
        let meta = MetaProperties::read(&path.join(FILE_NAME))?;
        let meta = meta.ok_or_else(|| unreleasable("it has no meta.properties"))?;
        if meta.formatted_by == FormattedBy::Kafka {
            return Err(unreleasable("it is one of Apache Kafka's already"));
        }
        let lock = lock::exclusive(path)?;
        if !path.join(CLEAN_SHUTDOWN).exists() {
            return Err(unreleasable(
                "its broker was not stopped in order: start and stop `klamm serve` there once more",
            ));
        }
        let directory_id = meta.directory_id.unwrap_or_else(TopicId::random);
        Ok(StoppedDirectory { disk: Disk::system(), path: path.to_owned(), meta, directory_id, _lock: lock })
    }

    /// The cluster that it belongs to.
    pub fn cluster_id(&self) -> &ClusterId {
        &self.meta.cluster_id
    }

    /// The node that it belongs to.
    pub fn node_id(&self) -> BrokerId {
        self.meta.node_id
    }

    /// The directory's own id (KIP-858).
    pub fn directory_id(&self) -> TopicId {
        self.directory_id
    }

    /// Where the metadata log is.
    pub fn metadata_folder(&self) -> PathBuf {
        self.path.join(CLUSTER_METADATA)
    }

    /// The partitions that have a folder.
    ///
    /// # Errors
    /// A folder cannot be read.
    pub fn partitions(&self) -> Result<Vec<FoundPartition>, Error> {
        partition_folder::partitions(&self.path)
    }

    /// Makes the directory one of Kafka's, whose controller will begin with the records in `bootstrap`.
    ///
    /// # Errors
    /// Something cannot be renamed or written.
    pub fn release(self, bootstrap: &[u8]) -> Result<(), Error> {
        checkpoint::replace(&self.disk, &self.path.join(BOOTSTRAP), bootstrap)?;
        self.put_away(KEPT_METADATA_FOLDER)?;
        // Kafka has no use for them, and who takes the directory over again must not find how far an earlier process came.
        for ours in [boot::FILE_NAME, ballast::FILE_NAME] {
            recovery::remove(&self.disk, &self.path.join(ours))?;
        }
        let (directory_id, formatted_by) = (Some(self.directory_id), FormattedBy::Kafka);
        let meta = MetaProperties { directory_id, formatted_by, ..self.meta.clone() };
        meta.write(&self.disk, &self.path.join(FILE_NAME))?;
        self.put_away(CLUSTER_METADATA)
    }

    fn put_away(&self, name: &str) -> Result<(), Error> {
        let from = self.path.join(name);
        if !from.exists() {
            return Ok(());
        }
        let to = self.path.join(format!("{CLUSTER_METADATA}.{}{}", Uuid::new_v4().simple(), directory::DELETE));
        self.disk.rename(&from, &to).map_err(Error::io("rename", &from))?;
        checkpoint::sync_folder(&self.disk, &self.path)
    }
}
