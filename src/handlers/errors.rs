//! From the floors' errors to Kafka's codes: one exhaustive match for each.

use crate::controller::{self, ProposeError, TopicError};
use crate::partition::{AppendError, LookupError, ProducerRefusal, ReadError, Unacknowledged};
use crate::record::Invalid;
use crate::wire::ErrorCode;
use kafka_protocol::protocol::StrBytes;

/// Kafka's sentence for who may not touch the cluster.
pub(super) const CLUSTER_REFUSED: &str = "Cluster authorization failed.";
/// Kafka's sentence for who may not touch a topic.
pub(super) const TOPIC_REFUSED: &str = "Topic authorization failed.";

pub(super) fn lookup_error(e: LookupError) -> ErrorCode {
    match e {
        LookupError::Unknown => ErrorCode::UnknownTopicOrPartition,
        LookupError::Elsewhere => ErrorCode::NotLeaderOrFollower,
        LookupError::Offline => ErrorCode::KafkaStorageError,
    }
}

pub(super) fn read_error(e: &ReadError) -> ErrorCode {
    match e {
        ReadError::NotLeader => ErrorCode::NotLeaderOrFollower,
        ReadError::FencedEpoch => ErrorCode::FencedLeaderEpoch,
        ReadError::UnknownEpoch => ErrorCode::UnknownLeaderEpoch,
        ReadError::OutOfRange { .. } => ErrorCode::OffsetOutOfRange,
        // As Kafka: a client that retried would never learn of it.
        ReadError::Corrupt(_) => ErrorCode::CorruptMessage,
        ReadError::Offline | ReadError::Failed(_) => ErrorCode::KafkaStorageError,
    }
}

/// The code, and a sentence where the producer can do something about it.
pub(super) fn append_error(e: &AppendError) -> (ErrorCode, Option<String>) {
    match e {
        AppendError::NotLeader => (ErrorCode::NotLeaderOrFollower, None),
        AppendError::NotEnoughReplicas { .. } => (ErrorCode::NotEnoughReplicas, Some(e.to_string())),
        AppendError::Offline => (ErrorCode::KafkaStorageError, None),
        AppendError::DiskFull(_) => (ErrorCode::KafkaStorageError, Some(e.to_string())),
        AppendError::LargerThanSegment { .. } => (ErrorCode::RecordListTooLarge, Some(e.to_string())),
    }
}

pub(super) fn unacknowledged(e: Unacknowledged) -> ErrorCode {
    match e {
        Unacknowledged::TimedOut => ErrorCode::RequestTimedOut,
        Unacknowledged::NotLeader => ErrorCode::NotLeaderOrFollower,
        Unacknowledged::Offline => ErrorCode::KafkaStorageError,
    }
}

pub(super) fn producer_refusal(refusal: &ProducerRefusal) -> ErrorCode {
    match refusal {
        ProducerRefusal::OutOfOrderSequence { .. } => ErrorCode::OutOfOrderSequenceNumber,
        ProducerRefusal::InvalidProducerEpoch { .. } => ErrorCode::InvalidProducerEpoch,
    }
}

pub(super) fn invalid_batch(e: &Invalid) -> ErrorCode {
    match e {
        Invalid::CorruptMessage(_) => ErrorCode::CorruptMessage,
        Invalid::InvalidRecord { .. } => ErrorCode::InvalidRecord,
        Invalid::InvalidTimestamp { .. } => ErrorCode::InvalidTimestamp,
        Invalid::MessageTooLarge { .. } | Invalid::RecompressedTooLarge { .. } | Invalid::DecompressedTooLarge(_) => {
            ErrorCode::MessageTooLarge
        }
        Invalid::UnsupportedCompressionType(_) => ErrorCode::UnsupportedCompressionType,
    }
}

pub(super) fn topic_error(e: &TopicError) -> ErrorCode {
    match e {
        TopicError::InvalidTopic(_) => ErrorCode::InvalidTopicException,
        TopicError::TopicAlreadyExists(_) => ErrorCode::TopicAlreadyExists,
        TopicError::InvalidRequest(_) | TopicError::NamedTwice(_) => ErrorCode::InvalidRequest,
        TopicError::InvalidPartitions(_) => ErrorCode::InvalidPartitions,
        TopicError::InvalidReplicationFactor(_) => ErrorCode::InvalidReplicationFactor,
        TopicError::InvalidReplicaAssignment(_) => ErrorCode::InvalidReplicaAssignment,
        TopicError::InvalidConfig(_) => ErrorCode::InvalidConfig,
        TopicError::PolicyViolation(_) => ErrorCode::PolicyViolation,
        TopicError::UnknownTopic(_) => ErrorCode::UnknownTopicOrPartition,
        TopicError::UnknownTopicId(_) => ErrorCode::UnknownTopicId,
        TopicError::ThrottlingQuotaExceeded => ErrorCode::ThrottlingQuotaExceeded,
    }
}

/// The text beside the code. As in Kafka there is none where it would be what the code means anyway.
pub(super) fn topic_error_text(e: &TopicError) -> Option<StrBytes> {
    (*e != TopicError::ThrottlingQuotaExceeded).then(|| StrBytes::from_string(e.to_string()))
}

pub(super) fn controller_error(e: &controller::Error) -> ErrorCode {
    match e {
        controller::Error::Quorum(ProposeError::NotLeader | ProposeError::Stale) => ErrorCode::NotController,
        controller::Error::Quorum(ProposeError::NoRoom(_)) => ErrorCode::KafkaStorageError,
        controller::Error::Quorum(ProposeError::Inconsistent(_) | ProposeError::Failed(_))
        | controller::Error::ProducerIdsExhausted
        | controller::Error::UnsupportedFeature { .. } => ErrorCode::UnknownServerError,
    }
}
