//! What can go wrong with a log or a data directory.
//!
//! Invariants: a failed write or sync takes the log offline, and every later call says `Offline`; a full disk that was
//! noticed before any byte was written does not.

use crate::runtime::is_disk_full;
use crate::storage::Transactions;
use crate::types::{BrokerId, Offset, TopicId, TopicPartition};
use std::io;
use std::path::{Path, PathBuf};

/// A data directory or a log that cannot be opened, written or kept.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused.
    #[error("cannot {operation} {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb.
        operation: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file does not have the form it must have.
    #[error("{} is corrupt: {what}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// Records of a log that were there are damaged or gone. Nothing was changed.
    #[error(
        "{} is damaged at byte {position}, where offset {offset} belongs: {what}. The files were left as they are: put them back \
         as they were, or see \"A damaged log\" in docs/operations.md for how to give up what follows",
        path.display()
    )]
    Damaged {
        /// The segment's file.
        path: PathBuf,
        /// Up to where it holds, in bytes.
        position: u64,
        /// Up to where it holds, in records.
        offset: Offset,
        /// What is wrong.
        what: String,
    },
    /// Another process works in this directory.
    #[error("the data directory {} is in use by another process", path.display())]
    Locked {
        /// The directory.
        path: PathBuf,
    },
    /// The directory belongs to another node.
    #[error("the data directory {} belongs to node {found}, and this is node {expected}", path.display())]
    WrongNode {
        /// The directory.
        path: PathBuf,
        /// The node that wrote it.
        found: BrokerId,
        /// This node.
        expected: BrokerId,
    },
    /// The directory belongs to another cluster.
    #[error("the data directory {} belongs to cluster {found}, not to {expected}", path.display())]
    WrongCluster {
        /// The directory.
        path: PathBuf,
        /// The cluster that wrote it.
        found: String,
        /// This cluster.
        expected: String,
    },
    /// The directory was formatted by Apache Kafka.
    #[error("the data directory {} was formatted by Apache Kafka: `klamm adopt` takes it over; nothing in it was changed", path.display())]
    NotOurs {
        /// The directory.
        path: PathBuf,
    },
    /// The directory is not one of Apache Kafka's that could be taken over.
    #[error("{} cannot be taken over: {why}", path.display())]
    NotKafkas {
        /// The directory.
        path: PathBuf,
        /// What it is instead.
        why: String,
    },
    /// Transactions left something in the log that could not be shown rightly. Its files stay as they are.
    #[error("{} {left}", path.display())]
    Transactions {
        /// The folder.
        path: PathBuf,
        /// What they left.
        left: Transactions,
    },
    /// The directory is not one of ours that Apache Kafka could have.
    #[error("{} cannot be released: {why}", path.display())]
    Unreleasable {
        /// The directory.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// A file was written by a newer version.
    #[error("{} has format version {found}, and this version knows formats up to {known}", path.display())]
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The newest version known here.
        known: i64,
    },
    /// The folder holds the partition of an earlier topic of the same name.
    #[error("{} belongs to topic id {found}, not to {expected}", path.display())]
    OtherTopic {
        /// The folder.
        path: PathBuf,
        /// The id in it.
        found: TopicId,
        /// The id asked for.
        expected: TopicId,
    },
    /// The log failed earlier, or its files were given up; it stays as it is until the process ends.
    #[error("the log of {0} is offline")]
    Offline(TopicPartition),
}

impl Error {
    /// Wraps what the system said about `operation` on `path`.
    pub(super) fn io(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
        let path = path.to_owned();
        move |source| Error::Io { operation, path, source }
    }

    /// True when the disk, or what this user may have of it, is full: the same may work later.
    pub fn is_no_room(&self) -> bool {
        matches!(self, Error::Io { source, .. } if is_disk_full(source))
    }

    /// True when what was to be read is not in memory, and the disk was not to be waited for.
    pub(super) fn is_not_in_memory(&self) -> bool {
        matches!(self, Error::Io { source, .. } if source.kind() == io::ErrorKind::WouldBlock)
    }

    /// True when a file of that name is not there.
    pub(super) fn is_not_found(&self) -> bool {
        matches!(self, Error::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }
}

/// Why nothing was read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The offset lies below the log start or above the log end.
    #[error("offset {offset} is outside the log, which has {log_start} to {log_end}")]
    OutOfRange {
        /// The offset asked for.
        offset: Offset,
        /// The first offset there is.
        log_start: Offset,
        /// The offset that the next record will get.
        log_end: Offset,
    },
    /// The log is offline.
    #[error("the log is offline")]
    Offline,
    /// The bytes cannot be read, or are not what they must be.
    #[error(transparent)]
    Failed(#[from] Error),
}

/// Why batches were not appended.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The log is offline, since before or because this append failed; the failure was logged.
    #[error("the log is offline")]
    Offline,
    /// There was no room for the bytes. The log is as it was and works again as soon as there is.
    #[error("no room for {bytes} bytes: {source}")]
    DiskFull {
        /// How many bytes were to be stored.
        bytes: u64,
        /// What the system said.
        source: io::Error,
    },
    /// A batch has more bytes than a segment may have (Kafka's `RecordBatchTooLargeException`).
    #[error("a batch of {bytes} bytes is larger than a segment of {segment_bytes} bytes")]
    LargerThanSegment {
        /// The batch's bytes.
        bytes: u64,
        /// `segment.bytes`.
        segment_bytes: u64,
    },
}
