//! Names and identifiers: topics, partitions, clusters.
//!
//! Invariants: a [`TopicName`] is legal by Kafka's rules (`org.apache.kafka.common.internals.Topic`); identifiers print
//! as Kafka prints them, 22 characters of URL-safe base64 (`org.apache.kafka.common.Uuid`).

use super::PartitionIndex;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;
use uuid::Uuid;

/// The name of a topic: 1 to 249 characters of `[a-zA-Z0-9._-]`, neither `.` nor `..`. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TopicName(Arc<str>);

/// Why a string is not a topic's name; the texts are Kafka's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTopicName {
    /// The empty string.
    #[error("Topic name is invalid: the empty string is not allowed")]
    Empty,
    /// `.` or `..`.
    #[error("Topic name is invalid: '{0}' is not allowed")]
    Dots(String),
    /// Longer than 249 characters.
    #[error("Topic name is invalid: the length of '{0}' is longer than the max allowed length 249")]
    TooLong(String),
    /// A character outside `[a-zA-Z0-9._-]`.
    #[error(
        "Topic name is invalid: '{0}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"
    )]
    Character(String),
}

impl TopicName {
    /// The longest legal name, in bytes: a folder `NAME-PARTITION.UNIQUE-delete` must fit into 255.
    pub const LENGTH_MAX: usize = 249;

    /// Copies a name after checking it.
    ///
    /// # Errors
    /// Which rule the name breaks.
    pub fn new(name: &str) -> Result<TopicName, InvalidTopicName> {
        let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        match name {
            "" => Err(InvalidTopicName::Empty),
            "." | ".." => Err(InvalidTopicName::Dots(name.into())),
            _ if name.len() > Self::LENGTH_MAX => Err(InvalidTopicName::TooLong(name.into())),
            _ if !name.bytes().all(legal) => Err(InvalidTopicName::Character(name.into())),
            _ => Ok(TopicName(name.into())),
        }
    }

    /// The name as a string.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the broker itself writes it (`Topic.INTERNAL_TOPICS`).
    pub fn is_internal(&self) -> bool {
        matches!(self.as_str(), "__consumer_offsets" | "__transaction_state" | "__share_group_state")
    }

    /// The form in which metrics would show the name; two topics must not share it (`Topic.unifyCollisionChars`).
    pub fn collision_key(&self) -> String {
        self.0.replace('.', "_")
    }
}

impl TryFrom<String> for TopicName {
    type Error = InvalidTopicName;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        TopicName::new(&name)
    }
}

impl From<TopicName> for String {
    fn from(name: TopicName) -> Self {
        name.0.as_ref().into()
    }
}

impl Borrow<str> for TopicName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The identity of a topic across deletion and recreation under the same name (KIP-516).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TopicId(pub Uuid);

impl TopicId {
    /// "No id" on the wire.
    pub const NONE: TopicId = TopicId(Uuid::nil());

    /// A new random id; never one that begins with `-`, as Kafka's tools could not take it as an argument.
    pub fn random() -> TopicId {
        loop {
            let id = TopicId(Uuid::new_v4());
            if !id.to_string().starts_with('-') {
                return id;
            }
        }
    }
}

impl fmt::Display for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0.as_bytes()))
    }
}

/// A string that is not 22 characters of URL-safe base64.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not 22 characters of URL-safe base64")]
pub struct InvalidTopicId(String);

impl std::str::FromStr for TopicId {
    type Err = InvalidTopicId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok().and_then(|b| <[u8; 16]>::try_from(b).ok());
        bytes.map(|b| TopicId(Uuid::from_bytes(b))).ok_or_else(|| InvalidTopicId(text.into()))
    }
}

impl TryFrom<String> for TopicId {
    type Error = InvalidTopicId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<TopicId> for String {
    fn from(id: TopicId) -> Self {
        id.to_string()
    }
}

/// One partition of one topic. Prints as its folder is named: `topic-0`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicPartition {
    /// The topic.
    pub topic: TopicName,
    /// The partition's number in it.
    pub partition: PartitionIndex,
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

/// The identity of a cluster; made once, 22 characters of URL-safe base64. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClusterId(pub Arc<str>);

impl ClusterId {
    /// A new random id.
    pub fn random() -> ClusterId {
        ClusterId(TopicId::random().to_string().into())
    }
}

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_name_obeys_kafkas_rules() {
        assert!(TopicName::new("a.b_c-D9").is_ok());
        assert!(TopicName::new(&"x".repeat(249)).is_ok());
        assert_eq!(TopicName::new(""), Err(InvalidTopicName::Empty));
        assert!(matches!(TopicName::new(".."), Err(InvalidTopicName::Dots(_))));
        assert!(matches!(TopicName::new(&"x".repeat(250)), Err(InvalidTopicName::TooLong(_))));
        assert!(matches!(TopicName::new("a/b"), Err(InvalidTopicName::Character(_))));
        assert!(matches!(TopicName::new("größe"), Err(InvalidTopicName::Character(_))));
    }

    #[test]
    fn a_topic_id_prints_as_kafka_prints_it_and_comes_back() {
        let id = TopicId(Uuid::from_bytes([0xff; 16]));
        assert_eq!(id.to_string(), "_____________________w");
        assert_eq!(id.to_string().parse(), Ok(id));
        assert!("short".parse::<TopicId>().is_err());
    }
}
