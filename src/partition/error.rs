//! What can go wrong with a hosted partition; `handlers` match these to Kafka's codes.

use crate::storage;
use crate::types::{Offset, TopicPartition};
use std::io;

/// Why a partition could not be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LookupError {
    /// No such topic, or no such partition in it.
    #[error("unknown topic or partition")]
    Unknown,
    /// The metadata names another broker as its host.
    #[error("not hosted by this broker")]
    Elsewhere,
    /// It is hosted here, but its log could not be opened.
    #[error("its log is offline")]
    Offline,
}

/// Why nothing of an append was stored.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// This broker does not lead the partition.
    #[error("not the leader")]
    NotLeader,
    /// `acks=all` with fewer replicas in sync than `min.insync.replicas`, or than there are replicas if those are fewer.
    #[error("{in_sync} replicas in sync, {required} required")]
    NotEnoughReplicas {
        /// How many are.
        in_sync: usize,
        /// How many must be.
        required: usize,
    },
    /// The log failed, now or before; the failure was logged.
    #[error("its log is offline")]
    Offline,
    /// No room on the disk; the log works again as soon as there is.
    #[error("no room on the disk: {0}")]
    DiskFull(io::Error),
    /// A batch that no segment can hold.
    #[error("a batch of {bytes} bytes is larger than a segment of {segment_bytes} bytes")]
    LargerThanSegment {
        /// The batch's bytes.
        bytes: u64,
        /// `segment.bytes`.
        segment_bytes: u64,
    },
}

impl From<storage::AppendError> for AppendError {
    fn from(e: storage::AppendError) -> Self {
        match e {
            storage::AppendError::Offline => AppendError::Offline,
            storage::AppendError::DiskFull { source, .. } => AppendError::DiskFull(source),
            storage::AppendError::LargerThanSegment { bytes, segment_bytes } => {
                AppendError::LargerThanSegment { bytes, segment_bytes }
            }
        }
    }
}

/// Why a read got nothing.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// This broker does not lead the partition.
    #[error("not the leader")]
    NotLeader,
    /// The reader knows an older leader epoch (KIP-320).
    #[error("the reader's leader epoch is fenced")]
    FencedEpoch,
    /// The reader knows a newer leader epoch than this broker does.
    #[error("the reader's leader epoch is not known yet")]
    UnknownEpoch,
    /// Below the log start or above the readable end.
    #[error("offset out of range {log_start}..={end}")]
    OutOfRange {
        /// The first offset that can be read.
        log_start: Offset,
        /// The readable end.
        end: Offset,
    },
    /// The log failed before.
    #[error("its log is offline")]
    Offline,
    /// The bytes on the way to what was asked for are not what they must be.
    #[error(transparent)]
    Corrupt(storage::Error),
    /// The bytes could not be read.
    #[error(transparent)]
    Failed(storage::Error),
}

impl From<storage::ReadError> for ReadError {
    fn from(e: storage::ReadError) -> Self {
        match e {
            storage::ReadError::OutOfRange { log_start, log_end, .. } => {
                ReadError::OutOfRange { log_start, end: log_end }
            }
            storage::ReadError::Offline => ReadError::Offline,
            storage::ReadError::Failed(e @ storage::Error::Corrupt { .. }) => ReadError::Corrupt(e),
            storage::ReadError::Failed(e) => ReadError::Failed(e),
        }
    }
}

/// Why the manager could not do what an image asks.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// One partition's log.
    #[error("{topic_partition}: {source}")]
    Log {
        /// Whose log.
        topic_partition: TopicPartition,
        /// What went wrong.
        source: storage::Error,
    },
    /// The data directory.
    #[error(transparent)]
    Directory(#[from] storage::Error),
}
