//! What can go wrong with the metadata log.

use crate::metadata::Inconsistent;
use crate::types::{BrokerId, ClusterId};
use std::io;
use std::path::{Path, PathBuf};

/// Why the metadata log could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Reading or writing failed.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another process, or another quorum of this one, has the folder.
    #[error("{}: the metadata log is in use by another process", .0.display())]
    Locked(PathBuf),
    /// The folder belongs to another cluster.
    #[error("{}: this is the metadata log of cluster {found}, not of cluster {expected}", path.display())]
    OtherCluster {
        /// The file that says so.
        path: PathBuf,
        /// The cluster it names.
        found: ClusterId,
        /// The cluster it should name.
        expected: ClusterId,
    },
    /// The folder belongs to another node.
    #[error("{}: this is the metadata log of node {found}, not of node {expected}", path.display())]
    OtherNode {
        /// The file that says so.
        path: PathBuf,
        /// The node it names.
        found: BrokerId,
        /// The node it should name.
        expected: BrokerId,
    },
    /// A newer version of this program wrote the file.
    #[error("{}: written in format {found} by a newer version; this one knows formats up to {known}", path.display())]
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The newest format that this version knows.
        known: u32,
    },
    /// The file is damaged in a way that no crash explains.
    #[error("{}: damaged at byte {position}: {reason}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// Where.
        position: u64,
        /// How.
        reason: String,
    },
    /// A node id that the engine cannot take.
    #[error("node id {0} is negative")]
    NodeId(BrokerId),
    /// The engine failed before it could lead.
    #[error("the metadata quorum failed while starting: {0}")]
    Engine(String),
}

impl Error {
    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> Error + '_ {
        move |source| Error::Io { path: path.into(), source }
    }

    pub(super) fn corrupt(path: &Path, position: usize, reason: impl ToString) -> Error {
        Error::Corrupt { path: path.into(), position: position as u64, reason: reason.to_string() }
    }
}

/// Why a proposal changed nothing, or why nobody knows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProposeError {
    /// Another change came between: decide again on the image of now.
    #[error("decided on the image of another index")]
    Stale,
    /// The records do not fit the image they were decided on.
    #[error("the records do not fit the metadata: {0}")]
    Inconsistent(#[from] Inconsistent),
    /// The metadata log cannot grow, mostly for want of room on the disk. Nothing was changed.
    #[error("the metadata log cannot grow: {0}")]
    NoRoom(String),
    /// Another node leads.
    #[error("this node does not lead the metadata quorum")]
    NotLeader,
    /// The quorum failed or stopped; whether the change was made is unknown.
    #[error("the metadata quorum failed: {0}")]
    Failed(String),
}
