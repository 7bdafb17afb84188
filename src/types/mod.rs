//! The vocabulary that all floors share: offsets, epochs, identifiers and names.
//!
//! Invariants:
//! * a number that could be confused with another at a call site has a type of its own;
//! * the wire's "no value" numbers (−1, −2) are constants here and stop in `handlers`;
//! * a [`TopicName`] obeys Kafka's naming rules; one that does not cannot be built.

mod name;
mod number;

pub use name::{ClusterId, InvalidTopicName, TopicId, TopicName, TopicPartition};
pub use number::{
    BrokerEpoch, BrokerId, LeaderEpoch, Offset, PartitionEpoch, PartitionIndex, ProducerEpoch, ProducerId, Sequence,
    TimestampMs,
};
