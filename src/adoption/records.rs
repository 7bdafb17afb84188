//! The records of Apache Kafka's metadata log, as far as they matter to a single node.
//!
//! A value is: frame version 1, API key, version (unsigned varints), then the fields, all in flexible versions (KIP-482), and
//! tagged fields.
//!
//! Invariants: no bytes panic; a record of an unknown kind, or of a newer version of one that matters, is an error and never
//! passed over.
//!
//! Source: `MetadataRecordSerde`, `metadata/src/main/resources/common/metadata/*.json` of Kafka 4.3.

use super::state::Entity;
use crate::types::{BrokerId, LeaderEpoch, PartitionEpoch, PartitionIndex, ProducerId, TopicId};
use uuid::Uuid;

pub(super) const FRAME_VERSION: u32 = 1;

/// One change of Kafka's metadata.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Change {
    Topic {
        name: String,
        id: TopicId,
    },
    Partition {
        topic: TopicId,
        index: PartitionIndex,
        replicas: Vec<BrokerId>,
        leader_epoch: LeaderEpoch,
        partition_epoch: PartitionEpoch,
    },
    /// A leader that stays has no epoch of its own.
    ChangedPartition {
        topic: TopicId,
        index: PartitionIndex,
        replicas: Option<Vec<BrokerId>>,
        has_new_leader: bool,
    },
    RemoveTopic {
        id: TopicId,
    },
    Config {
        resource_type: i8,
        resource: String,
        name: String,
        value: Option<String>,
    },
    ProducerIds {
        next: ProducerId,
    },
    /// A limit, or none.
    Quota {
        entity: Entity,
        key: String,
        value: Option<f64>,
    },
    Acl {
        id: Uuid,
    },
    RemoveAcl {
        id: Uuid,
    },
    /// Something of this kind was set or removed that is not taken over; an operator is told.
    LeftOut(&'static str),
    BeginTransaction,
    EndTransaction,
    AbortTransaction,
    /// Of no consequence to a directory that is taken over.
    Nothing,
}

/// Why a record cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unreadable {
    #[error("it ends too early, or a length in it is wrong")]
    Truncated,
    #[error("frame version {0} is not known")]
    Frame(u32),
    #[error("records of kind {0} are not known")]
    Kind(u32),
    #[error("version {version} of records of kind {kind} is not known")]
    Version { kind: u32, version: u32 },
}

/// Reads the value of one record.
///
/// # Errors
/// It is damaged, or of a newer Kafka.
pub(super) fn decode(value: &[u8]) -> Result<Change, Unreadable> {
    let mut fields = Fields(value);
    let frame = fields.unsigned()?;
    if frame != FRAME_VERSION {
        return Err(Unreadable::Frame(frame));
    }
    let (kind, version) = (fields.unsigned()?, fields.unsigned()?);
    let newest = match kind {
        2 | 4 | 9 | 14 | 15 | 18 | 19 => 0,
        3 | 5 => 2,
        // Whatever their version says, nothing of it is taken.
        _ => u32::MAX,
    };
    if version > newest {
        return Err(Unreadable::Version { kind, version });
    }
    match kind {
        2 => Ok(Change::Topic { name: fields.string()?, id: fields.id()? }),
        3 => partition(&mut fields),
        4 => Ok(Change::Config {
            resource_type: fields.i8()?,
            resource: fields.string()?,
            name: fields.string()?,
            value: fields.nullable_string()?,
        }),
        5 => partition_change(&mut fields),
        9 => Ok(Change::RemoveTopic { id: fields.id()? }),
        10 | 26 => Ok(Change::LeftOut("delegation tokens")),
        11 | 22 => Ok(Change::LeftOut("SCRAM credentials")),
        14 => quota(&mut fields),
        15 => {
            let (_broker, _broker_epoch) = (fields.i32()?, fields.i64()?);
            Ok(Change::ProducerIds { next: ProducerId(fields.i64()?) })
        }
        18 => Ok(Change::Acl { id: fields.id()?.0 }),
        19 => Ok(Change::RemoveAcl { id: fields.id()?.0 }),
        23 => Ok(Change::BeginTransaction),
        24 => Ok(Change::EndTransaction),
        25 => Ok(Change::AbortTransaction),
        // Registrations, fencing, features, the end of ZooKeeper, eligible replicas: this node registers itself anew.
        0 | 1 | 7 | 8 | 12 | 17 | 20 | 21 | 27 | 28 => Ok(Change::Nothing),
        other => Err(Unreadable::Kind(other)),
    }
}

fn partition(fields: &mut Fields<'_>) -> Result<Change, Unreadable> {
    let (index, topic, replicas) = (PartitionIndex(fields.i32()?), fields.id()?, fields.brokers()?);
    let (_isr, _removing, _adding, _leader) = (fields.brokers()?, fields.brokers()?, fields.brokers()?, fields.i32()?);
    let (leader_epoch, partition_epoch) = (LeaderEpoch(fields.i32()?), PartitionEpoch(fields.i32()?));
    Ok(Change::Partition { topic, index, replicas, leader_epoch, partition_epoch })
}

fn partition_change(fields: &mut Fields<'_>) -> Result<Change, Unreadable> {
    const LEADER: u32 = 1;
    const REPLICAS: u32 = 2;
    const NO_CHANGE: i32 = -2;
    let (index, topic) = (PartitionIndex(fields.i32()?), fields.id()?);
    let (mut replicas, mut has_new_leader) = (None, false);
    for _ in 0..fields.unsigned()? {
        let (tag, length) = (fields.unsigned()?, fields.unsigned()?);
        let mut field = Fields(fields.take(length)?);
        match tag {
            LEADER => has_new_leader = field.i32()? != NO_CHANGE,
            REPLICAS => replicas = field.nullable_brokers()?,
            _ => {}
        }
    }
    Ok(Change::ChangedPartition { topic, index, replicas, has_new_leader })
}

fn quota(fields: &mut Fields<'_>) -> Result<Change, Unreadable> {
    let mut entity = Vec::new();
    for _ in 0..fields.unsigned()?.checked_sub(1).ok_or(Unreadable::Truncated)? {
        entity.push((fields.string()?, fields.nullable_string()?));
        let tags = fields.unsigned()?;
        fields.skip_tags(tags)?;
    }
    let (key, value, is_removed) = (fields.string()?, f64::from_bits(fields.i64()? as u64), fields.i8()? != 0);
    Ok(Change::Quota { entity, key, value: (!is_removed).then_some(value) })
}

/// What is left of a record.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, length: u32) -> Result<&'a [u8], Unreadable> {
        let (taken, rest) = self.0.split_at_checked(length as usize).ok_or(Unreadable::Truncated)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Unreadable> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(Unreadable::Truncated)?;
        self.0 = rest;
        Ok(*taken)
    }

    fn i8(&mut self) -> Result<i8, Unreadable> {
        self.array().map(i8::from_be_bytes)
    }

    fn i32(&mut self) -> Result<i32, Unreadable> {
        self.array().map(i32::from_be_bytes)
    }

    fn i64(&mut self) -> Result<i64, Unreadable> {
        self.array().map(i64::from_be_bytes)
    }

    fn id(&mut self) -> Result<TopicId, Unreadable> {
        self.array().map(|bytes| TopicId(Uuid::from_bytes(bytes)))
    }

    fn unsigned(&mut self) -> Result<u32, Unreadable> {
        let mut value: u32 = 0;
        for shift in [0, 7, 14, 21, 28] {
            let [byte] = self.array()?;
            value |= u32::from(byte & 0x7f).checked_shl(shift).ok_or(Unreadable::Truncated)?;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Unreadable::Truncated)
    }

    fn skip_tags(&mut self, count: u32) -> Result<(), Unreadable> {
        for _ in 0..count {
            let (_tag, length) = (self.unsigned()?, self.unsigned()?);
            self.take(length)?;
        }
        Ok(())
    }

    fn nullable_string(&mut self) -> Result<Option<String>, Unreadable> {
        let Some(length) = self.unsigned()?.checked_sub(1) else { return Ok(None) };
        let bytes = self.take(length)?;
        String::from_utf8(bytes.to_vec()).map(Some).map_err(|_| Unreadable::Truncated)
    }

    fn string(&mut self) -> Result<String, Unreadable> {
        self.nullable_string()?.ok_or(Unreadable::Truncated)
    }

    fn nullable_brokers(&mut self) -> Result<Option<Vec<BrokerId>>, Unreadable> {
        let Some(count) = self.unsigned()?.checked_sub(1) else { return Ok(None) };
        let bytes = self.take(count.checked_mul(4).ok_or(Unreadable::Truncated)?)?;
        let (numbers, _) = bytes.as_chunks::<4>();
        Ok(Some(numbers.iter().map(|number| BrokerId(i32::from_be_bytes(*number))).collect()))
    }

    fn brokers(&mut self) -> Result<Vec<BrokerId>, Unreadable> {
        self.nullable_brokers()?.ok_or(Unreadable::Truncated)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_frame_kind_or_version_is_refused() {
        assert_eq!(decode(&[2, 2, 0]), Err(Unreadable::Frame(2)));
        assert_eq!(decode(&[1, 99, 0]), Err(Unreadable::Kind(99)));
        assert_eq!(decode(&[1, 2, 1]), Err(Unreadable::Version { kind: 2, version: 1 }));
        assert_eq!(decode(&[1, 20, 0, 0]), Ok(Change::Nothing), "a no-op");
        assert_eq!(decode(&[1, 2, 0, 5, b't']), Err(Unreadable::Truncated));
    }

    #[test]
    fn a_quota_is_set_and_removed() {
        let entity = [2, 5, b'u', b's', b'e', b'r', 0, 0];
        let tail = |removed: u8| [&[2, b'x'][..], &1.5_f64.to_be_bytes(), &[removed, 0]].concat();
        let quota = |value| Ok(Change::Quota { entity: vec![("user".into(), None)], key: "x".into(), value });
        assert_eq!(decode(&[&[1, 14, 0][..], &entity, &tail(0)].concat()), quota(Some(1.5)));
        assert_eq!(decode(&[&[1, 14, 0][..], &entity, &tail(1)].concat()), quota(None));
    }

    #[test]
    fn tagged_fields_of_a_partition_change_are_found_among_others() {
        let head = [&[1, 5, 1][..], &3_i32.to_be_bytes(), Uuid::from_u128(7).as_bytes()].concat();
        let change = |tags: &[u8]| decode(&[&head[..], tags].concat());
        let expected = |replicas: Option<Vec<BrokerId>>, has_new_leader| {
            let (topic, index) = (TopicId(Uuid::from_u128(7)), PartitionIndex(3));
            Ok(Change::ChangedPartition { topic, index, replicas, has_new_leader })
        };
        assert_eq!(change(&[0]), expected(None, false));
        assert_eq!(change(&[2, 0, 1, 0, 1, 4, 0, 0, 0, 1]), expected(None, true));
        assert_eq!(change(&[1, 1, 4, 0xff, 0xff, 0xff, 0xfe]), expected(None, false), "a leader that stays");
        assert_eq!(change(&[1, 2, 5, 2, 0, 0, 0, 9]), expected(Some(vec![BrokerId(9)]), false));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic(kind in 0_u8..30, version in 0_u8..3, rest: Vec<u8>) {
            let _ = decode(&[&[1, kind, version][..], &rest].concat());
        }
    }
}
