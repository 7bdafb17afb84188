//! The features that this version supports (KIP-584): capabilities of the cluster with a level that all of it agrees on.
//!
//! Invariants: the finalized level of a feature is within its range here, or the broker does not start; a range is
//! widened only when everything that its levels promise is there. As in Kafka, a feature whose only level is 0 is not in
//! the table.
//!
//! `metadata.version` says what the cluster's metadata can hold. Its one level is that of Kafka 4.1, whose protocol is
//! served: `docs/decisions/0008-features.md` says why it is finalized, and the others are not.

use std::ops::RangeInclusive;

/// A feature with the levels of it that are supported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feature {
    /// Its name, Kafka's.
    pub name: &'static str,
    /// Its levels.
    pub levels: RangeInclusive<i16>,
    /// The level of a cluster whose metadata do not say; 0: it is not finalized there.
    pub initial: i16,
}

/// `IBP_4_1_IV1` of Kafka's `MetadataVersion`.
const METADATA_VERSION_4_1: i16 = 27;

/// All that are supported.
pub const SUPPORTED_FEATURES: &[Feature] = &[Feature {
    name: "metadata.version",
    levels: METADATA_VERSION_4_1..=METADATA_VERSION_4_1,
    initial: METADATA_VERSION_4_1,
}];
