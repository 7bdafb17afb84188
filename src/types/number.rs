//! Numbers with a meaning of their own.
//!
//! Invariants: ordering and arithmetic are those of the protocol; only [`Sequence`] wraps.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number! {
    /// The position of a record in its partition, counted from 0.
    Offset(i64)
}

impl Offset {
    /// The first offset of a partition that never lost its beginning.
    pub const ZERO: Offset = Offset(0);

    /// The offset `count` records later.
    #[must_use]
    pub const fn plus(self, count: i64) -> Offset {
        Offset(self.0 + count)
    }
}

number! {
    /// Counts the leaders of one partition (KIP-101).
    LeaderEpoch(i32)
}

impl LeaderEpoch {
    /// "Unknown" on the wire and in batches that no leader stamped.
    pub const NONE: LeaderEpoch = LeaderEpoch(-1);
}

number! {
    /// Counts the changes of one partition's replica set (KIP-497).
    PartitionEpoch(i32)
}

number! {
    /// The number of a partition within its topic, from 0.
    PartitionIndex(i32)
}

number! {
    /// The node id of a broker.
    BrokerId(i32)
}

number! {
    /// Identifies one registration of a broker: the index of its record in the metadata log (KIP-903).
    BrokerEpoch(i64)
}

number! {
    /// Identifies an idempotent or transactional producer (KIP-98).
    ProducerId(i64)
}

impl ProducerId {
    /// A batch of a producer that is not idempotent.
    pub const NONE: ProducerId = ProducerId(-1);
}

number! {
    /// Fences earlier incarnations of the same producer id.
    ProducerEpoch(i16)
}

impl ProducerEpoch {
    /// A batch of a producer that is not idempotent.
    pub const NONE: ProducerEpoch = ProducerEpoch(-1);
}

number! {
    /// The number of a record within its producer's stream to one partition; wraps from `i32::MAX` to 0.
    Sequence(i32)
}

impl Sequence {
    /// A batch of a producer that is not idempotent.
    pub const NONE: Sequence = Sequence(-1);

    /// The sequence `count` records later (`DefaultRecordBatch.incrementSequence`).
    #[must_use]
    pub const fn plus(self, count: i32) -> Sequence {
        if self.0 > i32::MAX - count { Sequence(count - (i32::MAX - self.0) - 1) } else { Sequence(self.0 + count) }
    }
}

number! {
    /// Milliseconds since the Unix epoch.
    TimestampMs(i64)
}

impl TimestampMs {
    /// "No timestamp" on the wire and in batches.
    pub const NONE: TimestampMs = TimestampMs(-1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sequence_wraps_to_zero_after_the_largest() {
        assert_eq!(Sequence(i32::MAX).plus(1), Sequence(0));
        assert_eq!(Sequence(i32::MAX - 1).plus(4), Sequence(2));
        assert_eq!(Sequence(5).plus(3), Sequence(8));
    }
}
