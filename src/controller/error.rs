//! What can be wrong with a command.

use crate::quorum::ProposeError;
use crate::quota::Exceeded;
use crate::types::TopicId;

/// Why a command was not carried out, or nobody knows whether it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The quorum did not agree.
    #[error(transparent)]
    Quorum(#[from] ProposeError),
    /// All producer ids have been handed out.
    #[error("there are no producer ids left")]
    ProducerIdsExhausted,
    /// A newer version finalized a feature at a level that this one does not support.
    #[error("the cluster has feature {name} at level {level}, which this version does not support: start a newer one")]
    UnsupportedFeature {
        /// The feature.
        name: String,
        /// Its finalized level.
        level: i16,
    },
}

/// What is wrong with one topic, or one resource that has settings, of a request: one variant per error of Kafka's, with the text for the client, which is
/// Kafka's too.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TopicError {
    /// `INVALID_TOPIC_EXCEPTION`: the name is illegal, or collides with another.
    #[error("{0}")]
    InvalidTopic(String),
    /// `TOPIC_ALREADY_EXISTS`.
    #[error("{0}")]
    TopicAlreadyExists(String),
    /// `INVALID_REQUEST`: the request contradicts itself.
    #[error("{0}")]
    InvalidRequest(String),
    /// `INVALID_REQUEST`: a topic is named by its name and, elsewhere in the request, by this id.
    #[error("The provided topic name maps to an ID that was already supplied.")]
    NamedTwice(TopicId),
    /// `INVALID_PARTITIONS`.
    #[error("{0}")]
    InvalidPartitions(String),
    /// `INVALID_REPLICATION_FACTOR`.
    #[error("{0}")]
    InvalidReplicationFactor(String),
    /// `INVALID_REPLICA_ASSIGNMENT`.
    #[error("{0}")]
    InvalidReplicaAssignment(String),
    /// `INVALID_CONFIG`.
    #[error("{0}")]
    InvalidConfig(String),
    /// `POLICY_VIOLATION`: the request as a whole is too large.
    #[error("{0}")]
    PolicyViolation(String),
    /// `UNKNOWN_TOPIC_OR_PARTITION`.
    #[error("{0}")]
    UnknownTopic(String),
    /// `UNKNOWN_TOPIC_ID`.
    #[error("{0}")]
    UnknownTopicId(String),
    /// `THROTTLING_QUOTA_EXCEEDED`: the client changes more than it may.
    #[error("The throttling quota has been exceeded.")]
    ThrottlingQuotaExceeded,
}

pub(super) fn too_much(_: Exceeded) -> TopicError {
    TopicError::ThrottlingQuotaExceeded
}
